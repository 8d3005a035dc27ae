// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration of a GPU's memory: that all of it arrives, and that what is sent of a stopped
 * device is what has changed and nothing else.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>

#include "harness.h"
#include "gpu_move.h"
#include "ring.h"
#include "touch.h"

/* The last block is a short one. */
#define BLOCKS		321
#define MEMORY		(320 * BLOCK + SHORT_BLOCK)
#define SEED		5
#define OLD_SEED	99

struct move {
	struct gpu_host host;
	struct vfio_device source;
	struct vfio_device target;
};

static void move_open_sizes(struct move *move, uint64_t source, uint64_t target)
{
	const struct gpu_config configs[] = {
		{ .kind = GPU_BLACKWELL, .memory_size = source, .driver = DRIVER_NVGRACE },
		{ .kind = GPU_BLACKWELL, .memory_size = target, .driver = DRIVER_NVGRACE },
	};

	gpu_enable_migration(true);
	gpu_get(&move->host, configs, 2);
	nvgrace_open(&move->source, move->host.gpu[0]);
	nvgrace_open(&move->target, move->host.gpu[1]);
}

static void move_open(struct move *move)
{
	move_open_sizes(move, MEMORY, MEMORY);
	gpu_fill(move->source.address, 0, MEMORY, SEED);
	gpu_fill(move->target.address, 0, MEMORY, OLD_SEED);
}

static void zero_memory(const char *address, uint64_t offset, uint64_t length)
{
	void *zeroes = calloc(1, length);

	if (!zeroes)
		fail("no memory");
	gpu_write(address, offset, zeroes, length);
	free(zeroes);
}

/* Whether both memories are the same, from @offset on. */
static bool is_same(struct move *move, uint64_t offset, uint64_t length)
{
	unsigned char *from = malloc(length), *to = malloc(length);
	bool same;

	if (!from || !to)
		fail("no memory");
	gpu_read(move->source.address, offset, from, length);
	gpu_read(move->target.address, offset, to, length);
	same = !memcmp(from, to, length);
	free(from);
	free(to);
	return same;
}

/* One byte of the block is another one than before, as a guest does it. */
static void touch_block(struct vfio_device *dev, unsigned int block, unsigned int byte)
{
	uint64_t offset = gpu_usemem(dev) + block * BLOCK + byte;
	unsigned char value;

	vfio_read(dev, offset, &value, 1);
	value++;
	vfio_write(dev, offset, &value, 1);
}

static int precopy_pass(struct __test_metadata *_metadata, struct vfio_device *dev,
			struct blob *blob)
{
	int fd = mig_begin(dev, STATE_PRE_COPY);

	EXPECT_EQ(-ENOMSG, __stream_read(fd, blob, MIB));
	return fd;
}

/* The rest of a session of a device that is asleep now. */
static struct tally finish(struct vfio_device *dev, int fd, struct blob *blob)
{
	size_t before = blob->length;

	gpu_sleep(dev);
	mig_set_state(dev, STATE_STOP_COPY, NULL);
	stream_read(fd, blob, MIB);
	mig_set_state(dev, STATE_STOP, NULL);
	close(fd);
	return tally_from(blob, before);
}

FIXTURE(move)
{
	struct move move;
	struct blob blob;
};

FIXTURE_SETUP(move)
{
	move_open(&self->move);
}

FIXTURE_TEARDOWN_PARENT(move)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(move, stop_copy)
{
	struct vfio_device *source = &self->move.source;
	struct tally tally;

	gpu_sleep(source);
	mig_save(source, &self->blob, MIB);
	tally = tally_from(&self->blob, 0);
	EXPECT_EQ(BLOCKS, tally.contents);
	EXPECT_EQ(0, tally.zeroes);
	EXPECT_EQ(3, tally.records);
	mig_load(&self->move.target, &self->blob, 32 << 10);
	EXPECT_TRUE(gpu_matches(self->move.target.address, 0, MEMORY, SEED));
	EXPECT_TRUE(gpu_matches(source->address, 0, MEMORY, SEED));
}

/* The register of a BAR as its user wrote it, which reads as an address. */
TEST_F(move, virtual_bars)
{
	struct vfio_device *source = &self->move.source, *target = &self->move.target;

	vfio_config_put(source, PCI_BASE_ADDRESS_4, 4, 0x40000000);
	vfio_config_put(source, PCI_BASE_ADDRESS_5, 4, 0x12);
	gpu_sleep(source);
	mig_save(source, &self->blob, MIB);
	vfio_config_put(target, PCI_BASE_ADDRESS_4, 4, 0x80000000);
	mig_load(target, &self->blob, MIB);
	EXPECT_EQ(0x4000000cU, vfio_config_get(target, PCI_BASE_ADDRESS_4, 4));
	EXPECT_EQ(0x12U, vfio_config_get(target, PCI_BASE_ADDRESS_5, 4));
}

/*
 * The user of a target finds the function where it was left in the source, as of a
 * function in D0 it would think that there is nothing to wake.
 */
TEST_F(move, target_is_asleep)
{
	struct vfio_device *target = &self->move.target;
	uint32_t *memory, value;

	memory = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, target->device, gpu_usemem(target));
	ASSERT_NE(MAP_FAILED, memory);
	touch_prepare();
	gpu_engine_put(target, PCISIM_GPU_SCRATCH(0), 1);
	gpu_sleep(&self->move.source);
	mig_save(&self->move.source, &self->blob, MIB);
	mig_load(target, &self->blob, MIB);
	EXPECT_EQ(GPU_D0, gpu_power(target));
	EXPECT_TRUE(touch_read(memory, &value));
	mig_set_state(target, STATE_RUNNING, NULL);
	EXPECT_EQ(GPU_D3HOT, gpu_power(target));
	EXPECT_FALSE(touch_read(memory, &value));

	gpu_set_power(target, GPU_D0);
	EXPECT_EQ(PCI_COMMAND_MEMORY, vfio_config_get(target, PCI_COMMAND, 2));
	EXPECT_TRUE(touch_read(memory, &value));
	EXPECT_TRUE(gpu_says_ready(target));
	EXPECT_EQ(0, gpu_engine_get(target, PCISIM_GPU_SCRATCH(0)));
	munmap(memory, BLOCK);
}

/* And so it can go on to the next one. */
TEST_F(move, there_and_back)
{
	struct vfio_device *source = &self->move.source, *target = &self->move.target;
	struct blob blob = { 0 };

	gpu_sleep(source);
	mig_save(source, &self->blob, MIB);
	mig_load(target, &self->blob, MIB);
	mig_set_state(target, STATE_RUNNING, NULL);
	gpu_fill(source->address, 0, MEMORY, OLD_SEED);
	mig_save(target, &blob, MIB);
	mig_set_state(source, STATE_RUNNING, NULL);
	mig_load(source, &blob, MIB);
	EXPECT_TRUE(gpu_matches(source->address, 0, MEMORY, SEED));
	blob_free(&blob);
}

/* Who restores the power state itself has the last word, and so has a reset. */
TEST_F(move, target_is_woken_before)
{
	struct vfio_device *target = &self->move.target;

	gpu_sleep(&self->move.source);
	mig_save(&self->move.source, &self->blob, MIB);
	mig_load(target, &self->blob, MIB);
	gpu_set_power(target, GPU_D0);
	mig_set_state(target, STATE_RUNNING, NULL);
	EXPECT_EQ(GPU_D0, gpu_power(target));
}

TEST_F(move, target_is_reset_before)
{
	struct vfio_device *target = &self->move.target;

	gpu_sleep(&self->move.source);
	mig_save(&self->move.source, &self->blob, MIB);
	mig_load(target, &self->blob, MIB);
	vfio_reset(target);
	EXPECT_EQ(GPU_D0, gpu_power(target));
	mig_set_state(target, STATE_STOP, NULL);
	mig_set_state(target, STATE_RUNNING, NULL);
	EXPECT_EQ(GPU_D0, gpu_power(target));
}

/* Nothing is left of what the target's memory held. */
TEST_F(move, zeroes_take_no_payload)
{
	struct tally tally;
	unsigned int i;

	zero_memory(self->move.source.address, 0, MEMORY);
	for (i = 0; i < 5; i++)
		touch_block(&self->move.source, 60 * i, 77 + i);
	gpu_sleep(&self->move.source);
	mig_save(&self->move.source, &self->blob, MIB);
	tally = tally_from(&self->blob, 0);
	EXPECT_EQ(5, tally.contents);
	EXPECT_EQ(BLOCKS - 5, tally.zeroes);
	EXPECT_EQ(1, tally.records);
	EXPECT_GE(5 * BLOCK + 3 * 4096, self->blob.length);
	mig_load(&self->move.target, &self->blob, MIB);
	EXPECT_TRUE(is_same(&self->move, 0, MEMORY));
}

/* Which become zero, or stop to be. */
TEST_F(move, zeroes_come_and_go)
{
	struct vfio_device *source = &self->move.source;
	struct tally tally;
	int fd;

	zero_memory(source->address, 10 * BLOCK, 10 * BLOCK);
	fd = precopy_pass(_metadata, source, &self->blob);
	EXPECT_EQ(10, tally_from(&self->blob, 0).zeroes);
	zero_memory(source->address, 30 * BLOCK, 7 * BLOCK);
	touch_block(source, 12, 0);
	tally = finish(source, fd, &self->blob);
	EXPECT_EQ(7, tally.zeroes);
	EXPECT_EQ(1, tally.contents);
	mig_load(&self->move.target, &self->blob, MIB);
	EXPECT_TRUE(is_same(&self->move, 0, MEMORY));
}

/* What was told, and what it was true of. */
TEST_F(move, amounts_are_told)
{
	struct vfio_device *source = &self->move.source;
	struct vfio_precopy_info info;
	struct blob dirty = { 0 };
	struct tally tally;
	uint64_t size;
	unsigned int i;
	int fd = mig_begin(source, STATE_PRE_COPY);

	info = gpu_precopy_info(fd);
	EXPECT_LE(MEMORY, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	EXPECT_EQ(-ENOMSG, __stream_read(fd, &self->blob, MIB));
	EXPECT_GE(info.initial_bytes, self->blob.length);

	info = gpu_precopy_info(fd);
	EXPECT_EQ(0, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	mig_data_size(source, &size);
	EXPECT_GE(4096, size);

	for (i = 0; i < 9; i++)
		touch_block(source, 3 * i, 5);
	mig_data_size(source, &size);
	info = gpu_precopy_info(fd);
	EXPECT_EQ(0, info.initial_bytes);
	EXPECT_LE(9 * BLOCK, info.dirty_bytes);
	EXPECT_GE(10 * BLOCK, info.dirty_bytes);
	EXPECT_LE(info.dirty_bytes, size);
	EXPECT_GE(info.dirty_bytes + 4096, size);
	EXPECT_EQ(-ENOMSG, __stream_read(fd, &dirty, MIB));
	EXPECT_GE(info.dirty_bytes, dirty.length);
	tally = tally_from(&dirty, 0);
	EXPECT_EQ(9, tally.contents);
	EXPECT_EQ(0, tally.zeroes);
	blob_append(&self->blob, dirty.data, dirty.length);

	/* asleep it stays what it was */
	gpu_sleep(source);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, gpu_precopy_info(fd).dirty_bytes);
	tally = finish(source, fd, &self->blob);
	EXPECT_EQ(0, tally.contents + tally.zeroes);
	mig_load(&self->move.target, &self->blob, MIB);
	EXPECT_TRUE(is_same(&self->move, 0, MEMORY));
	blob_free(&dirty);
}

/* The engine goes on to write all the time, and what it wrote last is there. */
TEST_F(move, while_the_engine_writes)
{
	struct vfio_device *source = &self->move.source;
	unsigned int i;
	int fd;

	gpu_engine_start(source, 5 * BLOCK, 3 * BLOCK);
	fd = precopy_pass(_metadata, source, &self->blob);
	for (i = 0; i < 5; i++) {
		gpu_engine_progress(source, 500);
		EXPECT_LT(0, gpu_precopy_info(fd).dirty_bytes);
		EXPECT_EQ(-ENOMSG, __stream_read(fd, &self->blob, MIB));
	}
	gpu_engine_progress(source, 500);
	EXPECT_LT(0, finish(source, fd, &self->blob).contents);
	mig_load(&self->move.target, &self->blob, MIB);
	EXPECT_TRUE(is_same(&self->move, 0, MEMORY));
	EXPECT_TRUE(gpu_matches(self->move.target.address, 0, 5 * BLOCK, SEED));
	EXPECT_TRUE(gpu_matches(self->move.target.address, 8 * BLOCK, MEMORY - 8 * BLOCK, SEED));
}

/* The device is stopped before the first pass is complete, in every phase of it. */
TEST_F(move, stopped_in_the_first_pass)
{
	struct vfio_device *source = &self->move.source;
	size_t cut;
	int fd;

	for (cut = 1; cut < MEMORY; cut += 5 * MIB) {
		struct blob blob = { 0 };
		char *part = malloc(cut);
		size_t have = 0;
		ssize_t done;

		gpu_set_power(source, GPU_D0);
		fd = mig_begin(source, STATE_PRE_COPY);
		while (have < cut) {
			done = read(fd, part + have, cut - have);
			ASSERT_LT(0, done);
			have += done;
		}
		blob_append(&blob, part, have);
		gpu_sleep(source);
		mig_set_state(source, STATE_STOP_COPY, NULL);
		stream_read(fd, &blob, MIB);
		mig_set_state(source, STATE_RUNNING, NULL);
		close(fd);
		/* what was produced before the stop and not read stays; nothing comes twice */
		EXPECT_EQ(BLOCKS, tally_from(&blob, 0).contents);
		gpu_fill(self->move.target.address, 0, MEMORY, OLD_SEED);
		mig_load(&self->move.target, &blob, MIB);
		EXPECT_TRUE(gpu_matches(self->move.target.address, 0, MEMORY, SEED));
		mig_set_state(&self->move.target, STATE_RUNNING, NULL);
		blob_free(&blob);
		free(part);
	}
}

/* The payload goes to the reader's own memory, whatever its alignment. */
TEST_F(move, direct)
{
	static const size_t sizes[] = { 8 * MIB, 9 * MIB - 4 };
	struct ring_transfer transfer = { .depth = 2, .sizes = sizes,
					  .nr_sizes = ARRAY_SIZE(sizes) };
	struct vfio_device *source = &self->move.source;
	const char *direct = path("/sys/kernel/debug/vfio-mig/%s/bytes_direct", source->address);
	const char *prefetch = "/sys/module/vfio_mig/parameters/prefetch";
	uint64_t before = file_read_number(direct), produced = file_read_number(prefetch);
	struct ring ring;

	ring_open(&ring, 0);
	gpu_sleep(source);
	file_write_number(prefetch, 0);
	transfer.fd = mig_begin(source, STATE_STOP_COPY);
	ring_stream_read(&ring, &transfer, &self->blob);
	mig_set_state(source, STATE_STOP, NULL);
	file_write_number(prefetch, produced);
	close(transfer.fd);
	ring_close(&ring);
	EXPECT_EQ(BLOCKS, tally_from(&self->blob, 0).contents);
	EXPECT_LE(BLOCKS * BLOCK, file_read_number(direct) - before);
	mig_load(&self->move.target, &self->blob, MIB);
	EXPECT_TRUE(gpu_matches(self->move.target.address, 0, MEMORY, SEED));
}

TEST_F(move, any_number_of_workers)
{
	static const unsigned int workers[] = { 1, 3, 16, 1000 };
	unsigned int i;

	gpu_sleep(&self->move.source);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		struct blob blob = { 0 };

		file_write_number(NVGRACE_PARAMETER("copy_threads"), workers[i]);
		mig_save(&self->move.source, &blob, MIB);
		gpu_fill(self->move.target.address, 0, MEMORY, OLD_SEED);
		mig_load(&self->move.target, &blob, MIB);
		EXPECT_TRUE(gpu_matches(self->move.target.address, 0, MEMORY, SEED));
		mig_set_state(&self->move.source, STATE_RUNNING, NULL);
		mig_set_state(&self->move.target, STATE_RUNNING, NULL);
		blob_free(&blob);
	}
	file_write_number(NVGRACE_PARAMETER("copy_threads"), 0);
}

/* What STOP_COPY sends, against the share of the memory that was touched meanwhile */

FIXTURE(share)
{
	struct move move;
	struct blob blob;
};

FIXTURE_VARIANT(share)
{
	unsigned int percent;
	bool mapped;
};

FIXTURE_VARIANT_ADD(share, nothing) { .percent = 0 };
FIXTURE_VARIANT_ADD(share, one_percent) { .percent = 1 };
FIXTURE_VARIANT_ADD(share, ten_percent) { .percent = 10 };
FIXTURE_VARIANT_ADD(share, everything) { .percent = 100 };
FIXTURE_VARIANT_ADD(share, one_percent_mapped) { .percent = 1, .mapped = true };
FIXTURE_VARIANT_ADD(share, everything_mapped) { .percent = 100, .mapped = true };

FIXTURE_SETUP(share)
{
	move_open(&self->move);
}

FIXTURE_TEARDOWN_PARENT(share)
{
	sim_teardown(_metadata->exit_code);
}

static void touch_mapped(struct vfio_device *dev, unsigned int block, unsigned int byte)
{
	unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
				     dev->device, gpu_usemem(dev));

	if (memory == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	memory[block * BLOCK + byte]++;
	munmap(memory, MEMORY);
}

/* Every n-th block in a place of its own, so that first and last bytes are among them. */
static unsigned int touch_share(struct vfio_device *dev, unsigned int percent, bool mapped)
{
	unsigned int i, touched = BLOCKS * percent / 100, step = touched ? BLOCKS / touched : 1;

	for (i = 0; i < touched; i++) {
		unsigned int block = BLOCKS - 1 - i * step;
		unsigned int byte = (i & 1) ? 0 : block == BLOCKS - 1 ? SHORT_BLOCK - 1 : BLOCK - 1;

		if (mapped)
			touch_mapped(dev, block, byte);
		else
			touch_block(dev, block, byte);
	}
	return touched;
}

TEST_F(share, is_what_is_sent)
{
	struct vfio_device *source = &self->move.source;
	struct tally tally;
	unsigned int touched;
	int fd;

	fd = precopy_pass(_metadata, source, &self->blob);
	EXPECT_EQ(BLOCKS, tally_from(&self->blob, 0).contents);
	touched = touch_share(source, variant->percent, variant->mapped);
	tally = finish(source, fd, &self->blob);
	EXPECT_EQ(touched, tally.contents);
	EXPECT_EQ(0, tally.zeroes);
	EXPECT_EQ(1, tally.states);
	/* blocks, the heads of their records, the state and the end */
	EXPECT_EQ(touched * BLOCK + tally.records * (RECORD_HEADER + HEAD) +
		  2 * (RECORD_HEADER + 16), tally.bytes);
	EXPECT_EQ((touched + 126) / 127, tally.records);
	mig_load(&self->move.target, &self->blob, MIB);
	EXPECT_TRUE(is_same(&self->move, 0, MEMORY));
}

/* Two memories, most of which is zero or what somebody has left there */

#define USEMEM_SIZE	(512 * MIB)
#define ALL_MEMORY	(1664 * MIB)

FIXTURE(hopper)
{
	struct move move;
};

FIXTURE_SETUP(hopper)
{
	const struct gpu_config config = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE };
	const struct gpu_config configs[] = { config, config };

	gpu_enable_migration(true);
	gpu_get(&self->move.host, configs, 2);
	nvgrace_open(&self->move.source, self->move.host.gpu[0]);
	nvgrace_open(&self->move.target, self->move.host.gpu[1]);
}

FIXTURE_TEARDOWN_PARENT(hopper)
{
	sim_remove_all();
}

/* From one FD to the other, without keeping any of it. Returns bytes. */
static uint64_t pass_on(int from, int to)
{
	unsigned char *piece = malloc(MIB);
	uint64_t bytes = 0;
	ssize_t done;

	while ((done = read(from, piece, MIB)) > 0) {
		stream_write(to, piece, done, MIB);
		bytes += done;
	}
	if (done < 0)
		fail("read: %s", strerror(errno));
	free(piece);
	return bytes;
}

TEST_F(hopper, both_memories)
{
	static const uint64_t places[] = {
		0, USEMEM_SIZE - MIB, USEMEM_SIZE, USEMEM_SIZE + 700 * MIB, ALL_MEMORY - MIB,
	};
	struct move *move = &self->move;
	unsigned int i;
	int from, to;

	ASSERT_EQ(ALL_MEMORY, gpu_memory_size(move->source.address));
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		gpu_fill(move->source.address, places[i], MIB, i);
		gpu_fill(move->target.address, places[i], MIB, OLD_SEED);
	}
	zero_memory(move->source.address, 100 * MIB, MIB);
	gpu_fill(move->target.address, 100 * MIB, MIB, OLD_SEED);
	gpu_sleep(&move->source);
	from = mig_begin(&move->source, STATE_STOP_COPY);
	to = mig_begin(&move->target, STATE_RESUMING);
	EXPECT_LE(ARRAY_SIZE(places) * MIB, pass_on(from, to));
	mig_set_state(&move->target, STATE_STOP, NULL);
	mig_set_state(&move->source, STATE_STOP, NULL);
	close(from);
	close(to);
	for (i = 0; i < ARRAY_SIZE(places); i++)
		EXPECT_TRUE(gpu_matches(move->target.address, places[i], MIB, i))
			TH_LOG("at %llu MiB", (unsigned long long)(places[i] / MIB));
	EXPECT_TRUE(is_same(move, 100 * MIB, MIB));
}

/* Memory with errors, which the driver remembers for as long as it is bound */

FIXTURE(poison)
{
	struct move move;
	struct blob blob;
};

FIXTURE_SETUP(poison)
{
	move_open(&self->move);
}

FIXTURE_TEARDOWN_PARENT(poison)
{
	sim_remove_all();
}

/* A page with an error ends the session that meets it, and nothing else. */
TEST_F(poison, source)
{
	struct vfio_device *source = &self->move.source;
	char error[128];
	int fd;

	if (!gpu_can_poison(source->address))
		SKIP(return, "the kernel does not handle memory errors");
	/* somebody has it mapped, or the kernel tells nobody */
	ASSERT_NE(MAP_FAILED, mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, source->device,
				   gpu_usemem(source)));
	fd = precopy_pass(_metadata, source, &self->blob);
	gpu_poison(source->address, 100 * BLOCK + 4096);
	gpu_sleep(source);
	mig_set_state(source, STATE_STOP_COPY, NULL);
	EXPECT_EQ(-EIO, __stream_read(fd, &self->blob, MIB));
	EXPECT_EQ(STATE_STOP_COPY, mig_state(source));
	mig_set_state(source, STATE_RUNNING, NULL);
	close(fd);
	gpu_last_error(source, error, sizeof(error));
	EXPECT_NE(NULL, strstr(error, "memory cannot be read")) TH_LOG("%s", error);
	gpu_set_power(source, GPU_D0);
	touch_block(source, 5, 1);
}

TEST_F(poison, target)
{
	struct vfio_device *target = &self->move.target;
	int fd;

	if (!gpu_can_poison(target->address))
		SKIP(return, "the kernel does not handle memory errors");
	ASSERT_NE(MAP_FAILED, mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, target->device,
				   gpu_usemem(target)));
	gpu_poison(target->address, 200 * BLOCK);
	gpu_sleep(&self->move.source);
	mig_save(&self->move.source, &self->blob, MIB);
	fd = mig_begin(target, STATE_RESUMING);
	EXPECT_EQ(-EIO, __stream_write(fd, self->blob.data, self->blob.length, MIB));
	vfio_reset(target);
	close(fd);
}

/* Devices that are not alike */

FIXTURE(unlike)
{
	struct move move;
	struct blob blob;
};

FIXTURE_SETUP(unlike)
{
	gpu_enable_migration(true);
}

FIXTURE_TEARDOWN_PARENT(unlike)
{
	file_write("/sys/module/vfio_mig/parameters/preamble", "Y");
	sim_teardown(_metadata->exit_code);
}

static int refusal(struct move *move, struct blob *blob)
{
	int error, fd;

	gpu_sleep(&move->source);
	mig_save(&move->source, blob, MIB);
	fd = mig_begin(&move->target, STATE_RESUMING);
	/* the first record tells */
	error = __stream_write(fd, blob->data, RECORD_HEADER + blob_record_size(blob, 0), MIB);
	vfio_reset(&move->target);
	close(fd);
	return error;
}

TEST_F(unlike, memory_size)
{
	move_open_sizes(&self->move, 2 * MIB, 2 * MIB + BLOCK);
	gpu_fill(self->move.target.address, 0, MIB, OLD_SEED);
	EXPECT_EQ(-EOPNOTSUPP, refusal(&self->move, &self->blob));
	EXPECT_TRUE(gpu_matches(self->move.target.address, 0, MIB, OLD_SEED));
}

TEST_F(unlike, memory_size_without_preamble)
{
	move_open_sizes(&self->move, 2 * MIB, 2 * MIB - PAGE);
	file_write("/sys/module/vfio_mig/parameters/preamble", "N");
	EXPECT_EQ(-EINVAL, refusal(&self->move, &self->blob));
}

TEST_F(unlike, device_id)
{
	struct gpu_config configs[] = {
		{ .kind = GPU_BLACKWELL, .memory_size = 2 * MIB, .driver = DRIVER_NVGRACE },
		{ .kind = GPU_BLACKWELL_CXL, .memory_size = 2 * MIB, .driver = DRIVER_NVGRACE },
	};

	gpu_get(&self->move.host, configs, 2);
	nvgrace_open(&self->move.source, self->move.host.gpu[0]);
	nvgrace_open(&self->move.target, self->move.host.gpu[1]);
	EXPECT_EQ(-EOPNOTSUPP, refusal(&self->move, &self->blob));
}

int main(int argc, char **argv)
{
	return gpu_move_main(argc, argv, test_harness_run);
}
