// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware commands that fail: the caller gets the error, the state is exactly the old
 * one, and a second try works.
 */
#include <errno.h>
#include <poll.h>

#include "harness.h"
#include "file.h"
#include "pair.h"

#define BULK_SIZE 100000

FIXTURE(arc_error)
{
	struct pair pair;
};

/* An arc of one step and a command that it needs. */
FIXTURE_VARIANT(arc_error)
{
	uint32_t from;
	uint32_t to;
	enum sim_opcode opcode;
};

FIXTURE_VARIANT_ADD(arc_error, running_to_p2p)
{
	.from = STATE_RUNNING,
	.to = STATE_RUNNING_P2P,
	.opcode = SIM_SUSPEND_VHCA,
};

FIXTURE_VARIANT_ADD(arc_error, p2p_to_stop)
{
	.from = STATE_RUNNING_P2P,
	.to = STATE_STOP,
	.opcode = SIM_SUSPEND_VHCA,
};

FIXTURE_VARIANT_ADD(arc_error, stop_to_p2p)
{
	.from = STATE_STOP,
	.to = STATE_RUNNING_P2P,
	.opcode = SIM_RESUME_VHCA,
};

FIXTURE_VARIANT_ADD(arc_error, p2p_to_running)
{
	.from = STATE_RUNNING_P2P,
	.to = STATE_RUNNING,
	.opcode = SIM_RESUME_VHCA,
};

FIXTURE_VARIANT_ADD(arc_error, stop_copy_no_pd)
{
	.from = STATE_STOP,
	.to = STATE_STOP_COPY,
	.opcode = SIM_ALLOC_PD,
};

FIXTURE_VARIANT_ADD(arc_error, stop_copy_no_query)
{
	.from = STATE_STOP,
	.to = STATE_STOP_COPY,
	.opcode = SIM_QUERY_VHCA_STATE,
};

FIXTURE_VARIANT_ADD(arc_error, stop_copy_no_key)
{
	.from = STATE_STOP,
	.to = STATE_STOP_COPY,
	.opcode = SIM_CREATE_MKEY,
};

FIXTURE_VARIANT_ADD(arc_error, resuming_no_pd)
{
	.from = STATE_STOP,
	.to = STATE_RESUMING,
	.opcode = SIM_ALLOC_PD,
};

FIXTURE_SETUP(arc_error)
{
	struct pair *pair = &self->pair;

	pair_open(pair, &our_pair);
	sim_bulk_fill(pair->source.address, BULK_SIZE, 2);
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 5);
	if (variant->from != STATE_RUNNING)
		mig_set_state(&pair->source, variant->from, NULL);
}

FIXTURE_TEARDOWN_PARENT(arc_error)
{
	sim_teardown(_metadata->exit_code);
}

static uint64_t debug_number(struct vfio_device *dev, const char *name)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/%s", dev->address, name));
}

static void expect_arc_error(struct __test_metadata *_metadata, struct pair *pair,
			     uint32_t to, enum sim_opcode opcode, enum sim_status status,
			     int expected)
{
	uint32_t from = mig_state(&pair->source);
	uint64_t errors = debug_number(&pair->source, "errors");
	int error;

	sim_fail(&pair->sim, opcode, status, 1);
	error = __mig_set_state(&pair->source, to, NULL);
	EXPECT_EQ(expected, error) TH_LOG("%s", strerror(-error));
	EXPECT_EQ(0, sim_counter(pair->sim.pf, "fail_times"));
	EXPECT_EQ(from, mig_state(&pair->source))
		TH_LOG("%s", state_name(mig_state(&pair->source)));
	EXPECT_EQ(errors + 1, debug_number(&pair->source, "errors"));
}

TEST_F(arc_error, is_reported_and_undone)
{
	struct pair *pair = &self->pair;

	expect_arc_error(_metadata, pair, variant->to, variant->opcode, SIM_STATUS_INTERNAL,
			 -EIO);
	expect_arc_error(_metadata, pair, variant->to, variant->opcode, SIM_STATUS_LIMIT,
			 -ENOMEM);
	/* now it works, and so does everything else */
	EXPECT_EQ(0, __mig_set_state(&pair->source, variant->to, NULL));
	EXPECT_EQ(variant->to, mig_state(&pair->source));
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	engine_progress(&pair->from, 5);
	engine_stop(&pair->from);
	EXPECT_TRUE(engine_ring_holds(&pair->from, 1, engine_next(&pair->from)));
	EXPECT_TRUE(sim_bulk_matches(pair->source.address, BULK_SIZE, 2));
}

/* A failure leaves nothing that a reset would stumble over. */
TEST_F(arc_error, reset_after_it)
{
	struct pair *pair = &self->pair;

	sim_fail(&pair->sim, variant->opcode, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_set_state(&pair->source, variant->to, NULL));
	vfio_reset(&pair->source);
	EXPECT_EQ(STATE_RUNNING, mig_state(&pair->source));
	EXPECT_STREQ("none", ({
		static char text[32];

		file_read(path("/sys/kernel/debug/pcisim/%s/suspended", pair->source.address),
			  text, sizeof(text));
		text;
	}));
}

/* A stopped source and what it delivered. */
struct saved {
	struct pair pair;
	struct blob good;
};

FIXTURE(session_error)
{
	struct saved saved;
};

FIXTURE_SETUP(session_error)
{
	struct pair *pair = &self->saved.pair;

	pair_open(pair, &our_pair);
	sim_bulk_fill(pair->source.address, BULK_SIZE, 2);
	mig_save(&pair->source, &self->saved.good, MIB);
}

FIXTURE_TEARDOWN_PARENT(session_error)
{
	sim_teardown(_metadata->exit_code);
}

static void expect_good_migration(struct __test_metadata *_metadata, struct pair *pair)
{
	struct blob blob = { 0 };

	EXPECT_EQ(0, __mig_save(&pair->source, &blob, MIB));
	EXPECT_EQ(0, __mig_load(&pair->target, &blob, MIB));
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, BULK_SIZE, 2));
	EXPECT_EQ(0, __mig_set_state(&pair->target, STATE_RUNNING, NULL));
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_RUNNING, NULL));
}

TEST_F(session_error, save)
{
	static const struct {
		enum sim_status status;
		int error;
	} cases[] = {
		{ SIM_STATUS_INTERNAL, -EIO }, { SIM_STATUS_PARAMETER, -EIO },
		{ SIM_STATUS_LIMIT, -ENOMEM },
	};
	struct vfio_device *dev = &self->saved.pair.source;
	struct blob blob = { 0 };
	unsigned int i;
	int fd;

	for (i = 0; i < 3; i++) {
		sim_fail(&self->saved.pair.sim, SIM_SAVE_VHCA, cases[i].status, 1);
		fd = mig_begin(dev, STATE_STOP_COPY);
		EXPECT_EQ(cases[i].error, __stream_read(fd, &blob, MIB));
		/* an error is not the end of the data */
		EXPECT_GT(0, __stream_read(fd, &blob, MIB));
		EXPECT_TRUE(stream_events(fd) & POLLERR);
		EXPECT_EQ(STATE_STOP_COPY, mig_state(dev));
		EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
		close(fd);
	}
	expect_good_migration(_metadata, &self->saved.pair);
}

/* A device that was told to run again after a failed save does so. */
TEST_F(session_error, save_then_run)
{
	struct pair *pair = &self->saved.pair;
	struct blob blob = { 0 };
	int fd;

	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 5);
	sim_fail(&pair->sim, SIM_SAVE_VHCA, SIM_STATUS_INTERNAL, 1);
	fd = mig_begin(&pair->source, STATE_STOP_COPY);
	EXPECT_EQ(-EIO, __stream_read(fd, &blob, MIB));
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_RUNNING, NULL));
	close(fd);
	engine_progress(&pair->from, 5);
	engine_stop(&pair->from);
	EXPECT_TRUE(engine_ring_holds(&pair->from, 1, engine_next(&pair->from)));
}

static void expect_load_error(struct __test_metadata *_metadata, struct saved *saved,
			      enum sim_opcode opcode, enum sim_status status,
			      unsigned int times, int expected)
{
	struct vfio_device *dev = &saved->pair.target;
	int fd, error;

	sim_fail(&saved->pair.sim, opcode, status, times);
	fd = mig_begin(dev, STATE_RESUMING);
	error = __stream_write(fd, saved->good.data, saved->good.length, 32768);
	EXPECT_EQ(expected, error) TH_LOG("%x: %s", opcode, strerror(-error));
	EXPECT_EQ(0, sim_counter(saved->pair.sim.pf, "fail_times"));
	EXPECT_EQ(STATE_RESUMING, mig_state(dev));
	EXPECT_GT(0, __mig_set_state(dev, STATE_STOP, NULL));
	EXPECT_EQ(STATE_RESUMING, mig_state(dev));
	vfio_reset(dev);
	EXPECT_EQ(STATE_RUNNING, mig_state(dev));
	close(fd);
}

TEST_F(session_error, load)
{
	expect_load_error(_metadata, &self->saved, SIM_LOAD_VHCA, SIM_STATUS_INTERNAL, 1, -EIO);
	expect_load_error(_metadata, &self->saved, SIM_LOAD_VHCA, SIM_STATUS_PARAMETER, 1, -EINVAL);
	expect_load_error(_metadata, &self->saved, SIM_LOAD_VHCA, SIM_STATUS_LIMIT, 1, -ENOMEM);
	expect_good_migration(_metadata, &self->saved.pair);
}

/*
 * Neither before anything comes nor when the size is announced, where it only costs time,
 * nor when the image is there.
 */
TEST_F(session_error, load_without_key)
{
	expect_load_error(_metadata, &self->saved, SIM_CREATE_MKEY, SIM_STATUS_INTERNAL, 3, -EIO);
	expect_load_error(_metadata, &self->saved, SIM_CREATE_MKEY, SIM_STATUS_LIMIT, 3, -ENOMEM);
	expect_good_migration(_metadata, &self->saved.pair);
	sim_fail(&self->saved.pair.sim, SIM_CREATE_MKEY, SIM_STATUS_LIMIT, 1);
	EXPECT_EQ(0, __mig_load(&self->saved.pair.target, &self->saved.good, 32768));
}

/* An estimate that fails is an error and changes nothing. */
TEST_F(session_error, data_size)
{
	struct vfio_device *dev = &self->saved.pair.source;
	uint64_t size;

	sim_fail(&self->saved.pair.sim, SIM_QUERY_VHCA_STATE, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_data_size(dev, &size));
	EXPECT_EQ(STATE_STOP, mig_state(dev));
	EXPECT_EQ(0, __mig_data_size(dev, &size));
	EXPECT_LE(BULK_SIZE, size);
	expect_good_migration(_metadata, &self->saved.pair);
}

/* A second chunk that cannot be saved. */
TEST_F(session_error, save_of_a_later_chunk)
{
	struct pair *pair = &self->saved.pair;
	struct blob blob = { 0 };
	long image;
	int fd;

	sim_bulk_fill(pair->source.address, 5 * SIM_CHUNK, 2);
	fd = mig_begin(&pair->source, STATE_STOP_COPY);
	blob.length = 0;
	/* the first chunk is there; the pool holds back the fifth */
	while (blob.length < MIB) {
		char piece[4096];
		ssize_t done = read(fd, piece, sizeof(piece));

		ASSERT_LT(0, done);
		blob_append(&blob, piece, done);
	}
	sim_fail(&pair->sim, SIM_SAVE_VHCA, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __stream_read(fd, &blob, MIB));
	image = blob_find_image(&blob, 0);
	EXPECT_LE(0, image);
	EXPECT_GT(5 * SIM_CHUNK, blob.length);
	mig_set_state(&pair->source, STATE_STOP, NULL);
	close(fd);
	sim_bulk_fill(pair->source.address, BULK_SIZE, 2);
	expect_good_migration(_metadata, pair);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
