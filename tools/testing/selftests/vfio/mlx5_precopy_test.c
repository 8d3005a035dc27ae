// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pre-copy of a VF by our driver: what is told and what is read, with an engine that runs
 * and a state that goes on to change, from firmware that hands out a state in chunks and
 * from firmware that does not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "two.h"
#include "firmware.h"
#include "pair.h"
#include "ring.h"
#include "saving.h"
#include "worker.h"

#define BLOCK		4096
#define SMALL_CHUNK	(64 << 10)
#define HEADER		sizeof(struct vfio_mig_record_header)

static void open_pair(struct pair *pair, uint64_t chunk_size)
{
	struct sim_config config = our_pair;

	config.chunk_size = chunk_size;
	pair_open(pair, &config);
	firmware_calm(&pair->sim);
}

static void start_engine(struct pair *pair)
{
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 20);
}

/*
 * The source has stopped and its data is complete: the target goes on with exactly the next
 * number, and writes none twice.
 */
static void expect_engine_goes_on(struct __test_metadata *_metadata, struct pair *pair,
				  const struct blob *blob)
{
	uint64_t next = engine_next(&pair->from);

	EXPECT_TRUE(engine_ring_holds(&pair->from, 1, next));
	mig_load(&pair->target, blob, 32768);
	EXPECT_TRUE(pair_goes_on(pair, next));
}

/* Stops the source and takes what is left. Returns bytes. */
static uint64_t read_final(struct vfio_device *source, int fd, struct blob *blob)
{
	size_t before = blob->length;
	int none = -1;

	mig_set_state(source, STATE_STOP_COPY, &none);
	if (none != -1)
		fail("the session has a second FD");
	stream_read(fd, blob, MIB);
	return blob->length - before;
}

static bool same_bulk(struct pair *pair)
{
	uint64_t size = sim_bulk_size(pair->source.address);
	void *source = malloc(size + 1), *target = malloc(size + 1);
	bool same = sim_bulk_size(pair->target.address) == size;

	if (same) {
		sim_bulk_read(pair->source.address, 0, source, size);
		sim_bulk_read(pair->target.address, 0, target, size);
		same = !memcmp(source, target, size);
	}
	free(source);
	free(target);
	return same;
}

/* The firmware has nothing to add to what it has been asked for last. */
static bool is_tracked(struct pair *pair)
{
	unsigned char in[0x10] = { 0 }, out[0x40] = { 0 };

	firmware_put(in, 0, SIM_QUERY_VHCA_STATE << 16);
	/* incremental, of the first VF */
	firmware_put(in, 8, 1U << 31 | 1);
	__firmware_command(&pair->sim, in, sizeof(in), out, sizeof(out));
	return firmware_get(out, 0) >> 24 != FIRMWARE_RESOURCE_STATE;
}

static void expect_whole_move(struct __test_metadata *_metadata, struct pair *pair)
{
	struct blob blob = { 0 };

	sim_bulk_fill(pair->source.address, 100001, 77);
	mig_save(&pair->source, &blob, MIB);
	mig_load(&pair->target, &blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, 100001, 77));
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	blob_free(&blob);
}

FIXTURE(move)
{
	struct pair pair;
	struct blob blob;
};

FIXTURE_VARIANT(move)
{
	uint64_t chunk_size;
	uint64_t size;
};

FIXTURE_VARIANT_ADD(move, chunked_empty) { .chunk_size = SIM_CHUNK };
FIXTURE_VARIANT_ADD(move, chunked_small) { .chunk_size = SMALL_CHUNK, .size = 300001 };
FIXTURE_VARIANT_ADD(move, chunked_large) { .chunk_size = SIM_CHUNK, .size = 40 * MIB + 4095 };
FIXTURE_VARIANT_ADD(move, whole_empty) { .chunk_size = 0 };
FIXTURE_VARIANT_ADD(move, whole_small) { .chunk_size = 0, .size = 300001 };
FIXTURE_VARIANT_ADD(move, whole_large) { .chunk_size = 0, .size = 20 * MIB + 4095 };

FIXTURE_SETUP(move)
{
	open_pair(&self->pair, variant->chunk_size);
	sim_bulk_fill(self->pair.source.address, variant->size, 6);
}

FIXTURE_TEARDOWN_PARENT(move)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(move, while_the_engine_runs, 120)
{
	struct pair *pair = &self->pair;
	struct vfio_precopy_info info;
	int fd;

	start_engine(pair);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	info = precopy_info(fd);
	EXPECT_LE(variant->size, info.initial_bytes);
	EXPECT_LE(variant->size, read_to_pause(_metadata, fd, &self->blob));
	engine_progress(&pair->from, 5);
	EXPECT_LT(0, read_as_told(_metadata, fd, &self->blob));
	mig_set_state(&pair->source, STATE_PRE_COPY_P2P, NULL);
	EXPECT_TRUE(engine_is_quiet(&pair->from));
	/* the engine, and nothing of what has been read */
	EXPECT_GT(BLOCK, read_final(&pair->source, fd, &self->blob));
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, variant->size, 6));
}

/* Whoever loads it has the size of the last image before all others. */
TEST_F_TIMEOUT(move, size_comes_first, 60)
{
	struct pair *pair = &self->pair;
	int fd = mig_begin(&pair->source, STATE_PRE_COPY);
	struct blob *blob = &self->blob;
	uint64_t announced, size = 0;
	long image, at;

	read_to_pause(_metadata, fd, blob);
	image = blob_find_image(blob, 0);
	ASSERT_LE(HEADER + sizeof(announced), image);
	memcpy(&announced, blob->data + image - sizeof(announced), sizeof(announced));
	read_final(&pair->source, fd, blob);
	for (at = image; at >= 0; at = blob_find_image(blob, at + 1))
		size = blob_record_size(blob, at) > size ? blob_record_size(blob, at) : size;
	EXPECT_LE(size, announced);
	EXPECT_GE(variant->size + variant->size / 4 + 2 * BLOCK, announced);
}

FIXTURE(precopy)
{
	struct pair pair;
	struct blob blob;
};

FIXTURE_VARIANT(precopy)
{
	uint64_t chunk_size;
};

FIXTURE_VARIANT_ADD(precopy, chunked) { .chunk_size = SMALL_CHUNK };
FIXTURE_VARIANT_ADD(precopy, whole) { .chunk_size = 0 };

FIXTURE_SETUP(precopy)
{
	open_pair(&self->pair, variant->chunk_size);
	sim_bulk_fill(self->pair.source.address, MEMORY, 8);
}

FIXTURE_TEARDOWN_PARENT(precopy)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(precopy, only_what_changes_is_sent_again)
{
	struct vfio_device *source = &self->pair.source;
	int i, fd = mig_begin(source, STATE_PRE_COPY);
	struct vfio_precopy_info info;

	EXPECT_LE(MEMORY, read_as_told(_metadata, fd, &self->blob));
	info = precopy_info(fd);
	EXPECT_EQ(0, info.initial_bytes + info.dirty_bytes);
	EXPECT_FALSE(stream_events(fd) & POLLIN);
	for (i = 1; i <= 3; i++) {
		sim_bulk_write(source->address, i * 9 * BLOCK, "x", 1);
		sim_bulk_write(source->address, i * 20 * BLOCK, "yz", 2);
		/* nobody has asked */
		EXPECT_EQ(-ENOMSG, __stream_read(fd, &self->blob, MIB));
		info = precopy_info(fd);
		EXPECT_EQ(0, info.initial_bytes);
		EXPECT_LE(2 * BLOCK, info.dirty_bytes);
		EXPECT_GT(3 * BLOCK, info.dirty_bytes);
		EXPECT_TRUE(wait_until(stream_events(fd) & POLLIN, SOON));
		EXPECT_EQ(info.dirty_bytes, read_to_pause(_metadata, fd, &self->blob));
	}
	sim_bulk_write(source->address, 5 * BLOCK, "w", 1);
	EXPECT_GT(2 * BLOCK, read_final(source, fd, &self->blob));
	mig_load(&self->pair.target, &self->blob, MIB);
	EXPECT_TRUE(same_bulk(&self->pair));
}

/* Also when it becomes larger than any record so far, or smaller. */
TEST_F(precopy, state_that_grows)
{
	static const uint64_t sizes[] = { 2 * MIB, 4 * MIB + 1, 100, 0, 3 * MIB };
	struct vfio_device *source = &self->pair.source;
	int fd = mig_begin(source, STATE_PRE_COPY);
	unsigned int i;

	read_as_told(_metadata, fd, &self->blob);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t before = self->blob.length;

		sim_bulk_fill(source->address, sizes[i], i);
		/* the first question makes room */
		read_as_told(_metadata, fd, &self->blob);
		read_as_told(_metadata, fd, &self->blob);
		EXPECT_LE(sizes[i], self->blob.length - before);
	}
	read_final(source, fd, &self->blob);
	mig_load(&self->pair.target, &self->blob, MIB);
	EXPECT_TRUE(same_bulk(&self->pair));
}

/* Writes to random places as fast as it can, until told to end. */
struct changer {
	const char *address;
	bool stop;
	unsigned int writes;
};

static long change(void *argument)
{
	struct changer *changer = argument;
	unsigned int seed = 1;

	while (!__atomic_load_n(&changer->stop, __ATOMIC_RELAXED)) {
		uint32_t value = rand_r(&seed);
		int error = __sim_bulk_write(changer->address, value % (MEMORY - sizeof(value)),
					     &value, sizeof(value));

		if (error)
			return error;
		__atomic_add_fetch(&changer->writes, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST_F_TIMEOUT(precopy, while_state_changes, 60)
{
	struct pair *pair = &self->pair;
	struct changer changer = { .address = pair->source.address };
	struct worker worker;
	int fd, i;

	start_engine(pair);
	worker_start(&worker, change, &changer);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	for (i = 0; i < 30 || __atomic_load_n(&changer.writes, __ATOMIC_RELAXED) < 100; i++)
		read_as_told(_metadata, fd, &self->blob);
	mig_set_state(&pair->source, STATE_PRE_COPY_P2P, NULL);
	for (i = 0; i < 5; i++)
		read_as_told(_metadata, fd, &self->blob);
	__atomic_store_n(&changer.stop, true, __ATOMIC_RELAXED);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	read_final(&pair->source, fd, &self->blob);
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(same_bulk(pair));
}

/* A session that begins while the VF starts no DMA, and goes on when it does. */
TEST_F(precopy, from_p2p)
{
	struct pair *pair = &self->pair;
	int fd;

	start_engine(pair);
	mig_set_state(&pair->source, STATE_RUNNING_P2P, NULL);
	fd = mig_begin(&pair->source, STATE_PRE_COPY_P2P);
	read_as_told(_metadata, fd, &self->blob);
	EXPECT_TRUE(engine_is_quiet(&pair->from));
	mig_set_state(&pair->source, STATE_PRE_COPY, NULL);
	engine_progress(&pair->from, 20);
	EXPECT_LT(0, read_as_told(_metadata, fd, &self->blob));
	EXPECT_LE(MEMORY, self->blob.length);
	read_final(&pair->source, fd, &self->blob);
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(same_bulk(pair));
}

/* In the middle of the initial data, without the end of it ever seen. */
TEST_F(precopy, left_early)
{
	struct pair *pair = &self->pair;
	char piece[1000];
	int fd, i;

	start_engine(pair);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	for (i = 0; i < 10; i++)
		blob_append(&self->blob, piece, must(read(fd, piece, sizeof(piece))));
	read_final(&pair->source, fd, &self->blob);
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(same_bulk(pair));
}

/* Reads some of a session, goes up to @last, and gives up. */
static void give_up(struct __test_metadata *_metadata, struct pair *pair, uint32_t last,
		    unsigned int reads)
{
	int fd = mig_begin(&pair->source, STATE_PRE_COPY);
	char piece[20000];
	unsigned int i;

	for (i = 0; i < reads && read(fd, piece, sizeof(piece)) > 0; i++)
		;
	sim_bulk_write(pair->source.address, 3 * BLOCK, "v", 1);
	if (reads > 3)
		precopy_info(fd);
	mig_set_state(&pair->source, last, NULL);
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	EXPECT_FALSE(is_tracked(pair))
		TH_LOG("%s after %u reads", state_name(last), reads);
	expect_dead(_metadata, fd, STATE_PRE_COPY);
}

TEST_F_TIMEOUT(precopy, given_up, 120)
{
	static const uint32_t states[] = { STATE_PRE_COPY, STATE_PRE_COPY_P2P, STATE_STOP_COPY };
	struct pair *pair = &self->pair;
	unsigned int i, reads;
	int fd;

	start_engine(pair);
	for (i = 0; i < ARRAY_SIZE(states); i++)
		for (reads = 0; reads < 40; reads = 3 * reads + 1)
			give_up(_metadata, pair, states[i], reads);
	/* nothing of it is left in the way of the one that counts */
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	read_as_told(_metadata, fd, &self->blob);
	read_final(&pair->source, fd, &self->blob);
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(same_bulk(pair));
}

TEST_F(precopy, reset_and_close)
{
	static const uint32_t states[] = { STATE_PRE_COPY, STATE_PRE_COPY_P2P, STATE_STOP_COPY };
	struct pair *pair = &self->pair;
	unsigned int i;
	int fd;

	for (i = 0; i < 2 * ARRAY_SIZE(states); i++) {
		uint32_t state = states[i / 2];

		sim_bulk_fill(pair->source.address, MEMORY, i);
		fd = mig_begin(&pair->source, STATE_PRE_COPY);
		read_as_told(_metadata, fd, &self->blob);
		mig_set_state(&pair->source, state, NULL);
		if (i % 2) {
			vfio_reset(&pair->source);
		} else {
			vfio_close(&pair->source);
			vfio_open(&pair->source, pair->sim.vf[0]);
		}
		expect_state(_metadata, &pair->source, STATE_RUNNING);
		expect_dead(_metadata, fd, state);
		EXPECT_FALSE(is_tracked(pair));
		expect_whole_move(_metadata, pair);
	}
}

static void configure_anew(struct pair *pair)
{
	file_write_number(path("/sys/kernel/debug/pcisim/%s/reconfigure", pair->source.address),
			  1);
}

static int begin_v2(struct pair *pair)
{
	vfio_feature(&pair->source, VFIO_DEVICE_FEATURE_SET |
		     VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, NULL, 0);
	return mig_begin(&pair->source, STATE_PRE_COPY);
}

static void expect_reinit(struct __test_metadata *_metadata, struct pair *pair, int fd,
			  struct blob *blob)
{
	struct vfio_precopy_info info = precopy_info(fd);

	EXPECT_EQ(VFIO_PRECOPY_INFO_REINIT, info.flags);
	EXPECT_LE(MEMORY, info.initial_bytes);
	/* once, but it stays initial data */
	info = precopy_info(fd);
	EXPECT_EQ(0, info.flags);
	EXPECT_LE(MEMORY, info.initial_bytes);
	EXPECT_LE(MEMORY, read_to_pause(_metadata, fd, blob));
	info = precopy_info(fd);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.initial_bytes);
}

TEST_F(precopy, configured_anew)
{
	struct pair *pair = &self->pair;
	int i, fd = begin_v2(pair);

	EXPECT_EQ(0, precopy_info(fd).flags);
	read_as_told(_metadata, fd, &self->blob);
	for (i = 0; i < 3; i++) {
		sim_bulk_fill(pair->source.address, MEMORY, 20 + i);
		configure_anew(pair);
		expect_reinit(_metadata, pair, fd, &self->blob);
	}
	read_final(&pair->source, fd, &self->blob);
	mig_load(&pair->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, MEMORY, 22));
}

/* Who asks for something else first is not in the way. */
TEST_F(precopy, configured_anew_and_data_size)
{
	struct pair *pair = &self->pair;
	int fd = begin_v2(pair);
	uint64_t size;

	read_as_told(_metadata, fd, &self->blob);
	configure_anew(pair);
	mig_data_size(&pair->source, &size);
	mig_data_size(&pair->source, &size);
	EXPECT_LE(MEMORY, size);
	expect_reinit(_metadata, pair, fd, &self->blob);
}

/* A user of the first version is told of dirty data only. */
TEST_F(precopy, configured_anew_unknown_to_user)
{
	int fd = mig_begin(&self->pair.source, STATE_PRE_COPY);
	struct vfio_precopy_info info;

	read_as_told(_metadata, fd, &self->blob);
	configure_anew(&self->pair);
	info = precopy_info(fd);
	EXPECT_EQ(~0U, info.flags);
	EXPECT_EQ(0, info.initial_bytes);
	EXPECT_LE(MEMORY, info.dirty_bytes);
}

/* The next SAVE fails with this status. */
static void fail_save(struct pair *pair, unsigned int status)
{
	sim_fail(&pair->sim, SIM_SAVE_VHCA, status, 1);
}

/* There is no pre-copy data, or no more; what was read is good, and the end is complete. */
static void expect_exhausted(struct __test_metadata *_metadata, struct pair *pair, int fd,
			     struct blob *blob)
{
	struct vfio_precopy_info info;
	int i;

	EXPECT_EQ(0, sim_counter(pair->sim.pf, "fail_times"));
	for (i = 0; i < 3; i++) {
		sim_bulk_write(pair->source.address, 7 * BLOCK, &i, sizeof(i));
		info = precopy_info(fd);
		EXPECT_EQ(0, info.initial_bytes + info.dirty_bytes);
		EXPECT_EQ(0, read_to_pause(_metadata, fd, blob));
	}
	EXPECT_LE(MEMORY, read_final(&pair->source, fd, blob));
	expect_engine_goes_on(_metadata, pair, blob);
	EXPECT_TRUE(same_bulk(pair));
}

TEST_F(precopy, firmware_does_not_track)
{
	struct pair *pair = &self->pair;
	int fd;

	start_engine(pair);
	fail_save(pair, FIRMWARE_RESOURCE_STATE);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	EXPECT_GT(BLOCK, read_to_pause(_metadata, fd, &self->blob));
	expect_exhausted(_metadata, pair, fd, &self->blob);
}

TEST_F(precopy, firmware_stops_to_track)
{
	struct pair *pair = &self->pair;
	int fd;

	start_engine(pair);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	read_as_told(_metadata, fd, &self->blob);
	sim_bulk_write(pair->source.address, 7 * BLOCK, "u", 1);
	fail_save(pair, FIRMWARE_RESOURCE_STATE);
	read_as_told(_metadata, fd, &self->blob);
	expect_exhausted(_metadata, pair, fd, &self->blob);
}

/* Anything else ends the session. The VF runs, and the next one works. */
TEST_F(precopy, firmware_fails)
{
	struct pair *pair = &self->pair;
	int fd;

	start_engine(pair);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	read_as_told(_metadata, fd, &self->blob);
	fail_save(pair, SIM_STATUS_INTERNAL);
	engine_progress(&pair->from, 5);
	precopy_info(fd);
	EXPECT_EQ(-EIO, __stream_read(fd, &self->blob, MIB));
	EXPECT_EQ(-EIO, __stream_read(fd, &self->blob, MIB));
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	EXPECT_FALSE(is_tracked(pair));
	close(fd);
	self->blob.length = 0;
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	read_as_told(_metadata, fd, &self->blob);
	read_final(&pair->source, fd, &self->blob);
	expect_engine_goes_on(_metadata, pair, &self->blob);
}

/* Firmware that tracks no VF that is suspended as an initiator: the session goes on later. */
TEST_F(precopy, strict_firmware)
{
	struct pair *pair = &self->pair;
	int fd;

	firmware_strict(&pair->sim, true);
	start_engine(pair);
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	EXPECT_LE(MEMORY, read_as_told(_metadata, fd, &self->blob));
	sim_bulk_write(pair->source.address, 7 * BLOCK, "s", 1);
	mig_set_state(&pair->source, STATE_PRE_COPY_P2P, NULL);
	EXPECT_EQ(0, read_to_pause(_metadata, fd, &self->blob));
	mig_set_state(&pair->source, STATE_PRE_COPY, NULL);
	EXPECT_LT(BLOCK, read_as_told(_metadata, fd, &self->blob));
	EXPECT_GT(MEMORY, read_final(&pair->source, fd, &self->blob));
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(same_bulk(pair));
}

TEST_F(precopy, strict_firmware_from_p2p)
{
	struct pair *pair = &self->pair;
	int fd;

	firmware_strict(&pair->sim, true);
	start_engine(pair);
	mig_set_state(&pair->source, STATE_RUNNING_P2P, NULL);
	fd = mig_begin(&pair->source, STATE_PRE_COPY_P2P);
	EXPECT_GT(BLOCK, read_to_pause(_metadata, fd, &self->blob));
	EXPECT_LE(MEMORY, read_final(&pair->source, fd, &self->blob));
	expect_engine_goes_on(_metadata, pair, &self->blob);
	EXPECT_TRUE(same_bulk(pair));
}

/* When the first image comes nothing has to be made for it any more. */
TEST_F(precopy, target_is_ready)
{
	struct pair *pair = &self->pair;
	long image;
	int fd;

	mig_save(&pair->source, &self->blob, MIB);
	image = blob_find_image(&self->blob, 0);
	fd = mig_begin(&pair->target, STATE_RESUMING);
	stream_write(fd, self->blob.data, image, MIB);
	sim_fail(&pair->sim, SIM_CREATE_MKEY, SIM_STATUS_INTERNAL, 1);
	stream_write(fd, self->blob.data + image, self->blob.length - image, MIB);
	EXPECT_EQ(1, sim_counter(pair->sim.pf, "fail_times"));
	firmware_calm(&pair->sim);
	mig_set_state(&pair->target, STATE_STOP, NULL);
	EXPECT_TRUE(same_bulk(pair));
}

FIXTURE(direct)
{
	struct saving saving;
};

FIXTURE_SETUP(direct)
{
	static const struct saving_config config = { .size = MEMORY, .record = SMALL_CHUNK };

	saving_open(&self->saving, &config);
}

FIXTURE_TEARDOWN_PARENT(direct)
{
	saving_teardown(_metadata->exit_code);
}

/* The header in memory of its own, so that the payload begins with a page. */
TEST_F(direct, pages_of_the_reader)
{
	struct saving *saving = &self->saving;
	uint64_t before = saving_counter(saving, "bytes_direct");
	unsigned char header[HEADER], *pages;
	struct iovec parts[2] = { { header, HEADER } };
	struct ring_result result;
	struct blob blob = { 0 };
	struct ring ring;

	pages = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	parts[1] = (struct iovec){ pages, MIB };
	ring_open(&ring, 0);
	do {
		size_t first;

		ring_readv(&ring, saving->fd, parts, 2, 0);
		ring_submit(&ring);
		ring_wait(&ring, &result, 1, LATER);
		ASSERT_LE(0, result.result);
		first = result.result < HEADER ? result.result : HEADER;
		blob_append(&blob, header, first);
		blob_append(&blob, pages, result.result - first);
	} while (result.result);
	EXPECT_TRUE(saving_is_good(saving, &blob));
	mig_set_state(saving->source, STATE_STOP, NULL);
	EXPECT_EQ(saving_image_bytes(&blob), saving_counter(saving, "bytes_direct") - before);
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
