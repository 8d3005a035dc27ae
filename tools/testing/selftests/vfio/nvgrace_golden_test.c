// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration data of GPUs of earlier versions can be loaded for ever.
 *
 * Each file in streams/ that is named below was once saved of a GPU with three blocks of
 * memory, the last of them short. A new kind of stream gets a new file; those that are there
 * are not recorded again. `nvgrace_golden_test record <folder>` records those that a folder
 * lacks.
 */
#include <string.h>

#include "harness.h"
#include "golden.h"
#include "gpu_move.h"
#include "saving.h"

#define BLOCKS		3
#define MEMORY		(2 * BLOCK + 8192)
#define OLD_SEED	99
/* The virtual BAR of the memory, as the guest has programmed it. */
#define BAR_AT		PCI_BASE_ADDRESS_4
#define BAR_ADDRESS	0x12340000000ULL
/* A block of zeroes. */
#define NOTHING		0

/**
 * struct stream - a recorded stream
 * @name: of the file
 * @preamble: it begins with a preamble
 * @first: seeds of the blocks at first; with @pre_copy they were sent while the GPU ran
 * @pre_copy: whether
 * @last: their seeds in the end
 * @tally: what is in the data
 */
struct stream {
	const char *name;
	bool preamble;
	bool pre_copy;
	unsigned int first[BLOCKS];
	unsigned int last[BLOCKS];
	struct tally tally;
};

enum {
	RECORDS, PREAMBLE, PRE_COPY, STREAMS,
};

static const struct stream streams[STREAMS] = {
	[RECORDS] = {
		.name = "gpu_records",
		.last = { 41, NOTHING, 42 },
		.tally = { .records = 1, .contents = 2, .zeroes = 1, .states = 1 },
	},
	[PREAMBLE] = {
		.name = "gpu_preamble",
		.preamble = true,
		.last = { NOTHING, 43, NOTHING },
		.tally = { .records = 1, .contents = 1, .zeroes = 2, .states = 1 },
	},
	/* a block that gets contents, one that stays as it is, and one that becomes zero */
	[PRE_COPY] = {
		.name = "gpu_pre_copy",
		.preamble = true,
		.pre_copy = true,
		.first = { NOTHING, NOTHING, 44 },
		.last = { 45, NOTHING, NOTHING },
		.tally = { .records = 2, .contents = 2, .zeroes = 3, .states = 1 },
	},
};

FIXTURE(golden)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct blob blob;
};

FIXTURE_VARIANT(golden)
{
	const struct stream *stream;
};

FIXTURE_VARIANT_ADD(golden, records) { .stream = &streams[RECORDS] };
FIXTURE_VARIANT_ADD(golden, preamble) { .stream = &streams[PREAMBLE] };
FIXTURE_VARIANT_ADD(golden, pre_copy) { .stream = &streams[PRE_COPY] };

static void open_gpu(struct gpu_host *host, struct vfio_device *dev)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL, .memory_size = MEMORY, .driver = DRIVER_NVGRACE,
	};

	gpu_enable_migration(true);
	gpu_get(host, &config, 1);
	nvgrace_open(dev, host->gpu[0]);
}

FIXTURE_SETUP(golden)
{
	golden_read(variant->stream->name, &self->blob);
	open_gpu(&self->host, &self->dev);
	gpu_fill(self->dev.address, 0, MEMORY, OLD_SEED);
}

FIXTURE_TEARDOWN_PARENT(golden)
{
	sim_teardown(_metadata->exit_code);
}

static uint64_t length_of(unsigned int block)
{
	return block + 1 < BLOCKS ? BLOCK : MEMORY % BLOCK;
}

static bool is_zero(const char *address, unsigned int block)
{
	unsigned char bytes[BLOCK];
	uint64_t length = length_of(block);

	gpu_read(address, block * BLOCK, bytes, length);
	return !bytes[0] && !memcmp(bytes, bytes + 1, length - 1);
}

static bool has_blocks(const char *address, const unsigned int *seeds)
{
	unsigned int i;

	for (i = 0; i < BLOCKS; i++)
		if (seeds[i] == NOTHING ? !is_zero(address, i) :
		    !gpu_matches(address, i * BLOCK, length_of(i), seeds[i]))
			return false;
	return true;
}

static uint64_t bar_of(struct vfio_device *dev)
{
	return (uint64_t)vfio_config_get(dev, BAR_AT + 4, 4) << 32 |
	       (vfio_config_get(dev, BAR_AT, 4) & PCI_BASE_ADDRESS_MEM_MASK);
}

TEST_F(golden, holds_what_it_should)
{
	struct tally seen = tally_from(&self->blob, 0);
	const struct tally *tally = &variant->stream->tally;
	long layout = blob_find_tag(&self->blob, 0, TAG_LAYOUT);

	ASSERT_LE(0, layout);
	EXPECT_EQ(1, get_le32(self->blob.data + layout + RECORD_HEADER));
	EXPECT_EQ(variant->stream->preamble, layout > 0);
	EXPECT_EQ(tally->records, seen.records);
	EXPECT_EQ(tally->contents, seen.contents);
	EXPECT_EQ(tally->zeroes, seen.zeroes);
	EXPECT_EQ(tally->states, seen.states);
}

/* The guest wakes its GPU, and everything is there. */
TEST_F(golden, loads)
{
	unsigned char byte;

	EXPECT_NE(BAR_ADDRESS, bar_of(&self->dev));
	mig_load(&self->dev, &self->blob, MIB);
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	EXPECT_TRUE(has_blocks(self->dev.address, variant->stream->last));
	EXPECT_EQ(BAR_ADDRESS, bar_of(&self->dev));
	gpu_set_power(&self->dev, GPU_D0);
	nvgrace_enable(&self->dev, true);
	vfio_read(&self->dev, gpu_usemem(&self->dev) + MEMORY - 1, &byte, 1);
	gpu_engine_start(&self->dev, 0, BLOCK);
	gpu_engine_progress(&self->dev, 20);
	gpu_engine_stop(&self->dev);
}

/* Any byte that is missing at the end is missed. */
TEST_F(golden, truncated)
{
	int fd = mig_begin(&self->dev, STATE_RESUMING);

	stream_write(fd, self->blob.data, self->blob.length - 1, MIB);
	EXPECT_EQ(-EBADMSG, __mig_set_state(&self->dev, STATE_STOP, NULL));
	vfio_reset(&self->dev);
	close(fd);
	mig_load(&self->dev, &self->blob, MIB);
	EXPECT_TRUE(has_blocks(self->dev.address, variant->stream->last));
}

static void fill_blocks(const char *address, const unsigned int *seeds)
{
	static const unsigned char zeroes[BLOCK];
	unsigned int i;

	for (i = 0; i < BLOCKS; i++)
		if (seeds[i] == NOTHING)
			gpu_write(address, i * BLOCK, zeroes, length_of(i));
		else
			gpu_fill(address, i * BLOCK, length_of(i), seeds[i]);
}

static void save(struct vfio_device *dev, const struct stream *stream, struct blob *blob)
{
	int fd = -1;

	if (stream->pre_copy) {
		fill_blocks(dev->address, stream->first);
		fd = mig_begin(dev, STATE_PRE_COPY);
		if (__stream_read(fd, blob, MIB) != -ENOMSG)
			fail("no pause");
	}
	fill_blocks(dev->address, stream->last);
	gpu_sleep(dev);
	if (stream->pre_copy)
		mig_set_state(dev, STATE_STOP_COPY, NULL);
	else
		fd = mig_begin(dev, STATE_STOP_COPY);
	stream_read(fd, blob, MIB);
	close(fd);
}

static void record(const struct stream *stream, const char *folder)
{
	struct blob blob = { 0 };
	struct vfio_device dev;
	struct gpu_host host;

	if (golden_exists(folder, stream->name))
		return;
	saving_set_parameter("preamble", stream->preamble);
	open_gpu(&host, &dev);
	vfio_config_put(&dev, BAR_AT, 4, (uint32_t)BAR_ADDRESS);
	vfio_config_put(&dev, BAR_AT + 4, 4, BAR_ADDRESS >> 32);
	save(&dev, stream, &blob);
	golden_write(folder, stream->name, &blob);
	blob_free(&blob);
	vfio_close(&dev);
}

static int run(int argc, char **argv)
{
	unsigned int i;

	if (argc != 3 || strcmp(argv[1], "record"))
		return test_harness_run(argc, argv);
	for (i = 0; i < STREAMS; i++)
		record(&streams[i], argv[2]);
	saving_set_parameter("preamble", 1);
	return 0;
}

int main(int argc, char **argv)
{
	return gpu_move_main(argc, argv, run);
}
