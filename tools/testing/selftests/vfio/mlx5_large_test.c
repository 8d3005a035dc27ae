// SPDX-License-Identifier: GPL-2.0-only
/*
 * A state of more than 4 GiB: whole and correct at the target, with amounts that are told
 * right, and without memory of its size; in one piece it is refused.
 *
 * The machine has less memory than that. The simulator generates such a state, and looks
 * at each byte that it loads.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness.h"
#include "file.h"
#include "firmware.h"
#include "memory.h"
#include "two.h"

#define GIB		(1024 * MIB)
#define SIZE		(4 * GIB + 64 * MIB)
#define PAGE		4096
#define PAGES		(SIZE / PAGE)
/* The first page that 32 bits do not reach. */
#define BORDER		(4 * GIB / PAGE)
#define CHUNK		(32 * MIB)
/* What headers add to the data is less. */
#define OVERHEAD	(SIZE / 1024)
/* Two buffers of the source, one of the target, and the simulator's copy of it; twice that. */
#define MEMORY_LIMIT	(8 * CHUNK)
/* Bytes between two looks at the memory. */
#define LOOK		(64 * MIB)

static void open_large(struct pair *pair, uint64_t chunk_size)
{
	struct sim_config config = our_pair;

	config.generated_size = SIZE;
	config.chunk_size = chunk_size;
	pair_open(pair, &config);
}

/**
 * struct transfer - data on its way from one VF to another one
 * @from: data FD of the source
 * @to: of the target
 * @piece: memory for a MiB of it
 * @bytes: that have been moved
 * @available: memory before
 * @used: the most that was taken since
 */
struct transfer {
	int from;
	int to;
	char *piece;
	uint64_t bytes;
	uint64_t available;
	int64_t used;
};

static void transfer_begin(struct transfer *transfer, struct pair *pair, uint32_t state)
{
	transfer->piece = malloc(MIB);
	if (!transfer->piece)
		fail("no memory");
	transfer->available = memory_available();
	transfer->from = mig_begin(&pair->source, state);
	transfer->to = mig_begin(&pair->target, STATE_RESUMING);
}

static void look_at_memory(struct transfer *transfer)
{
	int64_t used = transfer->available - memory_available();

	if (used > transfer->used)
		transfer->used = used;
}

/* All that the source has to say for now. Returns 0 at the end, or -errno. */
static int transfer_rest(struct transfer *transfer)
{
	ssize_t done;

	while ((done = read(transfer->from, transfer->piece, MIB)) > 0) {
		stream_write(transfer->to, transfer->piece, done, MIB);
		if (transfer->bytes / LOOK != (transfer->bytes + done) / LOOK)
			look_at_memory(transfer);
		transfer->bytes += done;
	}
	return done < 0 ? -errno : 0;
}

static uint64_t counter(const struct vfio_device *dev, const char *name)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/%s", dev->address, name));
}

FIXTURE(large)
{
	struct pair pair;
	struct transfer transfer;
	uint64_t saved;
	uint64_t loaded;
};

FIXTURE_SETUP(large)
{
	open_large(&self->pair, CHUNK);
	engine_start(&self->pair.from, ENGINE_PERIOD, 0);
	engine_progress(&self->pair.from, 20);
	/* the target has other pages until the right ones come */
	sim_bulk_change(self->pair.source.address, 0, PAGES, 7);
	self->saved = counter(&self->pair.source, "bytes_saved");
	self->loaded = counter(&self->pair.target, "bytes_loaded");
}

FIXTURE_TEARDOWN_PARENT(large)
{
	sim_teardown(_metadata->exit_code);
}

/* Three pages, two of them around the border, and the last one. */
static void change_some(struct pair *pair)
{
	sim_bulk_change(pair->source.address, BORDER - 1, 2, 8);
	sim_bulk_change(pair->source.address, PAGES - 1, 1, 9);
}

static bool has_arrived(const struct vfio_device *dev)
{
	char lines[200];

	snprintf(lines, sizeof(lines), "0 %lu 7\n%lu 2 8\n%lu %lu 7\n%lu 1 9", BORDER - 1,
		 BORDER - 1, BORDER + 1, PAGES - BORDER - 2, PAGES - 1);
	return sim_bulk_size(dev->address) == SIZE && sim_bulk_versions(dev->address, lines);
}

/* The end of a session: the target has everything, and goes on with the next number. */
static void expect_arrival(struct __test_metadata *_metadata, struct pair *pair,
			   struct transfer *transfer)
{
	uint64_t next = engine_next(&pair->from);

	look_at_memory(transfer);
	EXPECT_GT(MEMORY_LIMIT, transfer->used);
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_STOP, NULL));
	EXPECT_EQ(0, __mig_set_state(&pair->target, STATE_STOP, NULL));
	close(transfer->from);
	close(transfer->to);
	EXPECT_TRUE(has_arrived(&pair->target));
	EXPECT_TRUE(pair_goes_on(pair, next));
	ksft_print_msg("%llu bytes, at most %lld MiB of memory\n",
		       (unsigned long long)transfer->bytes,
		       (long long)transfer->used / (long long)MIB);
}

TEST_F_TIMEOUT(large, stop_copy, 900)
{
	struct transfer *transfer = &self->transfer;
	struct pair *pair = &self->pair;
	uint64_t told;

	change_some(pair);
	mig_data_size(&pair->source, &told);
	EXPECT_LT(SIZE, told);
	EXPECT_GT(SIZE + OVERHEAD, told);
	transfer_begin(transfer, pair, STATE_STOP_COPY);
	EXPECT_EQ(0, transfer_rest(transfer));
	EXPECT_LT(SIZE, transfer->bytes);
	EXPECT_GE(told, transfer->bytes);
	expect_arrival(_metadata, pair, transfer);
	EXPECT_EQ(transfer->bytes, counter(&pair->source, "bytes_saved") - self->saved);
	EXPECT_EQ(transfer->bytes, counter(&pair->target, "bytes_loaded") - self->loaded);
}

TEST_F_TIMEOUT(large, pre_copy, 900)
{
	struct transfer *transfer = &self->transfer;
	struct pair *pair = &self->pair;
	struct vfio_precopy_info info;
	uint64_t told;

	transfer_begin(transfer, pair, STATE_PRE_COPY);
	info = precopy_info(transfer->from);
	EXPECT_LT(SIZE, info.initial_bytes);
	EXPECT_GT(SIZE + OVERHEAD, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	EXPECT_EQ(-ENOMSG, transfer_rest(transfer));
	EXPECT_LT(SIZE, transfer->bytes);
	EXPECT_GT(SIZE + OVERHEAD, transfer->bytes);
	mig_data_size(&pair->source, &told);
	EXPECT_GT(OVERHEAD, told);

	change_some(pair);
	mig_data_size(&pair->source, &told);
	EXPECT_LT(3 * PAGE, told);
	EXPECT_GT(OVERHEAD, told);
	info = precopy_info(transfer->from);
	EXPECT_EQ(0, info.initial_bytes);
	EXPECT_LT(3 * PAGE, info.dirty_bytes);
	EXPECT_GT(OVERHEAD, info.dirty_bytes);
	mig_set_state(&pair->source, STATE_STOP_COPY, NULL);
	EXPECT_EQ(0, transfer_rest(transfer));
	EXPECT_LT(SIZE, transfer->bytes);
	EXPECT_GT(SIZE + 2 * OVERHEAD, transfer->bytes);
	expect_arrival(_metadata, pair, transfer);
}

FIXTURE(in_one_piece)
{
	struct pair pair;
};

FIXTURE_SETUP(in_one_piece)
{
	open_large(&self->pair, 0);
}

FIXTURE_TEARDOWN_PARENT(in_one_piece)
{
	sim_teardown(_metadata->exit_code);
}

/* No image is so large, and it is known before anything is read of it. */
TEST_F(in_one_piece, is_refused)
{
	struct vfio_device *dev = &self->pair.source;
	struct blob blob = { 0 };

	EXPECT_EQ(-EIO, __mig_set_state(dev, STATE_PRE_COPY, NULL));
	EXPECT_EQ(STATE_RUNNING, mig_state(dev));
	mig_set_state(dev, STATE_STOP, NULL);
	EXPECT_EQ(-EIO, __mig_set_state(dev, STATE_STOP_COPY, NULL));
	EXPECT_EQ(STATE_STOP, mig_state(dev));

	/* it is only the size */
	sim_bulk_resize(dev->address, MIB);
	mig_save(dev, &blob, MIB);
	mig_load(&self->pair.target, &blob, MIB);
	EXPECT_EQ(MIB, sim_bulk_size(self->pair.target.address));
	blob_free(&blob);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
