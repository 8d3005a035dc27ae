// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is made ready before the VF stands still: the memory of a session, and the keys
 * by which the firmware reaches it.
 */
#include <unistd.h>

#include "harness.h"
#include "file.h"
#include "firmware.h"
#include "module.h"
#include "saving.h"
#include "trace.h"

#define BULK_SIZE	(300 << 10)
#define PIECE		(64 << 10)
#define SEED		7

/**
 * struct watched - two VFs, whose drivers' work can be seen
 * @pair: the VFs
 * @trace: what they did
 * @size: what the source said of its data
 */
struct watched {
	struct pair pair;
	struct trace trace;
	uint64_t size;
};

FIXTURE(prepare)
{
	struct watched watched;
	struct pair *pair;
	struct vfio_device *source;
	struct vfio_device *target;
};

FIXTURE_VARIANT(prepare)
{
	bool chunks;
};

FIXTURE_VARIANT_ADD(prepare, chunks) { .chunks = true };
FIXTURE_VARIANT_ADD(prepare, whole) { .chunks = false };

FIXTURE_SETUP(prepare)
{
	struct sim_config config = our_pair;

	module_load("vfio_mig", NULL);
	if (!trace_exists())
		SKIP(return, "needs tracefs with instances");
	config.chunk_size = variant->chunks ? PIECE : 0;
	self->pair = &self->watched.pair;
	self->source = &self->pair->source;
	self->target = &self->pair->target;
	pair_open(self->pair, &config);
	sim_bulk_fill(self->source->address, BULK_SIZE, SEED);
	trace_open(&self->watched.trace);
}

FIXTURE_TEARDOWN_PARENT(prepare)
{
	trace_close();
	saving_teardown(_metadata->exit_code);
}

/* How often the driver was asked for that so far. */
static unsigned int calls(struct watched *watched, const struct vfio_device *dev, const char *op)
{
	trace_read(&watched->trace);
	return trace_count(&watched->trace, "vfio_mig_op", path("%s: %s ", dev->address, op));
}

/* A source that has been asked for the size of its data; how many buffers it made. */
static unsigned int ask(struct __test_metadata *_metadata, struct watched *watched)
{
	unsigned int made;

	mig_data_size(&watched->pair.source, &watched->size);
	made = calls(watched, &watched->pair.source, "buf_init");
	EXPECT_LT(0, made);
	EXPECT_EQ(0, calls(watched, &watched->pair.source, "buf_fini"));
	return made;
}

/* Reads the source's data, which arrives at the target. How many bytes it was. */
static size_t finish(struct __test_metadata *_metadata, struct watched *watched, int fd)
{
	struct blob blob = { 0 };

	stream_read(fd, &blob, PIECE);
	close(fd);
	mig_set_state(&watched->pair.source, STATE_STOP, NULL);
	mig_load(&watched->pair.target, &blob, PIECE);
	EXPECT_TRUE(sim_bulk_matches(watched->pair.target.address, BULK_SIZE, SEED));
	return blob.length;
}

TEST_F(prepare, stop_copy_finds_buffers)
{
	unsigned int made = ask(_metadata, &self->watched);
	int fd = mig_begin(self->source, STATE_STOP_COPY);

	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_init"));
	EXPECT_GE(self->watched.size, finish(_metadata, &self->watched, fd));
	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_init"));
	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_fini"));
	EXPECT_EQ(1, calls(&self->watched, self->source, "stream_init"));
	EXPECT_EQ(1, calls(&self->watched, self->source, "stream_fini"));
}

TEST_F(prepare, pre_copy_finds_buffers)
{
	unsigned int made = ask(_metadata, &self->watched);
	int fd = mig_begin(self->source, STATE_PRE_COPY);

	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_init"));
	mig_set_state(self->source, STATE_STOP_COPY, NULL);
	finish(_metadata, &self->watched, fd);
	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_init"));
	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_fini"));
}

TEST_F(prepare, once)
{
	unsigned int made = ask(_metadata, &self->watched);

	mig_data_size(self->source, &self->watched.size);
	mig_data_size(self->source, &self->watched.size);
	EXPECT_EQ(made, calls(&self->watched, self->source, "buf_init"));
	EXPECT_EQ(1, calls(&self->watched, self->source, "save_prepare"));
}

/* A device that stands still is not about to be stopped. */
TEST_F(prepare, only_while_running)
{
	mig_set_state(self->source, STATE_STOP, NULL);
	mig_data_size(self->source, &self->watched.size);
	EXPECT_EQ(0, calls(&self->watched, self->source, "save_prepare"));
}

static void expect_dropped(struct __test_metadata *_metadata, struct watched *watched,
			   unsigned int made)
{
	EXPECT_EQ(made, calls(watched, &watched->pair.source, "buf_fini"));
	EXPECT_EQ(1, calls(watched, &watched->pair.source, "stream_fini"));
}

TEST_F(prepare, dropped_by_reset)
{
	unsigned int made = ask(_metadata, &self->watched);

	vfio_reset(self->source);
	expect_dropped(_metadata, &self->watched, made);
	EXPECT_TRUE(firmware_pair_migrates(self->pair));
}

TEST_F(prepare, dropped_by_close)
{
	unsigned int made = ask(_metadata, &self->watched);

	vfio_close(self->source);
	expect_dropped(_metadata, &self->watched, made);
}

TEST_F(prepare, dropped_by_loading)
{
	unsigned int made = ask(_metadata, &self->watched);

	close(mig_begin(self->source, STATE_RESUMING));
	expect_dropped(_metadata, &self->watched, made);
	mig_set_state(self->source, STATE_RUNNING, NULL);
}

/* Who asks for the size does not hear of it, and the session makes what it needs. */
TEST_F(prepare, without_success)
{
	sim_fail(&self->pair->sim, SIM_CREATE_MKEY, SIM_STATUS_INTERNAL, 1);
	mig_data_size(self->source, &self->watched.size);
	EXPECT_EQ(1, calls(&self->watched, self->source, "stream_fini"));
	finish(_metadata, &self->watched, mig_begin(self->source, STATE_STOP_COPY));
}

/* The source's data goes to the target. How many buffers that made: before it came, in all. */
static void move(struct __test_metadata *_metadata, struct watched *watched,
		 unsigned int *early, unsigned int *all)
{
	struct vfio_device *target = &watched->pair.target;
	struct blob blob = { 0 };
	int fd;

	mig_save(&watched->pair.source, &blob, PIECE);
	fd = mig_begin(target, STATE_RESUMING);
	*early = calls(watched, target, "buf_init");
	stream_write(fd, blob.data, blob.length, PIECE);
	*all = calls(watched, target, "buf_init");
	close(fd);
	mig_set_state(target, STATE_RUNNING, NULL);
	EXPECT_TRUE(sim_bulk_matches(target->address, BULK_SIZE, SEED));
}

/* The target knows what comes: such a VF as it is itself. */
TEST_F(prepare, target_has_memory)
{
	unsigned int early, all;

	/* both in one piece are of one size then */
	sim_bulk_fill(self->target->address, BULK_SIZE, SEED + 1);
	move(_metadata, &self->watched, &early, &all);
	EXPECT_EQ(variant->chunks ? 2 : 1, early);
	EXPECT_EQ(early, all);
}

/* Chunks have a size that is known before anything comes, an image in one piece has not. */
TEST_F(prepare, target_without_a_past)
{
	unsigned int early, all;

	move(_metadata, &self->watched, &early, &all);
	if (variant->chunks)
		EXPECT_EQ(2, early);
	EXPECT_EQ(variant->chunks ? early : early + 1, all);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
