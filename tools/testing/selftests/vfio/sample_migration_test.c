// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration by the sample driver, with all that the library offers: every pair of states,
 * and a device that works meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "two.h"

/* ERROR cannot be asked for, and what has ended with STOP_COPY is not resumed. */
static bool is_allowed(uint32_t from, uint32_t to)
{
	return to != STATE_ERROR && !(from == STATE_STOP_COPY && is_precopy(to));
}

/* A session goes on from pre-copy to STOP_COPY, and between the states of pre-copy. */
static bool keeps_session(uint32_t from, uint32_t to)
{
	return from == to || (is_precopy(from) && (is_precopy(to) || to == STATE_STOP_COPY));
}

FIXTURE(arc)
{
	struct testdev_host host;
	struct vfio_device dev;
	struct testdev_user user;
};

FIXTURE_VARIANT(arc)
{
	uint32_t from;
};

FIXTURE_VARIANT_ADD(arc, from_running) { .from = STATE_RUNNING };
FIXTURE_VARIANT_ADD(arc, from_running_p2p) { .from = STATE_RUNNING_P2P };
FIXTURE_VARIANT_ADD(arc, from_stop) { .from = STATE_STOP };
FIXTURE_VARIANT_ADD(arc, from_stop_copy) { .from = STATE_STOP_COPY };
FIXTURE_VARIANT_ADD(arc, from_resuming) { .from = STATE_RESUMING };
FIXTURE_VARIANT_ADD(arc, from_pre_copy) { .from = STATE_PRE_COPY };
FIXTURE_VARIANT_ADD(arc, from_pre_copy_p2p) { .from = STATE_PRE_COPY_P2P };

FIXTURE_SETUP(arc)
{
	testdev_get_host(&self->host, &plain_config);
	vfio_open(&self->dev, self->host.vf[0]);
	testdev_attach(&self->user, &self->dev, NULL);
}

FIXTURE_TEARDOWN_PARENT(arc)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(arc, flags)
{
	uint64_t flags;

	mig_flags(&self->dev, &flags);
	EXPECT_EQ(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY,
		  flags);
}

static void expect_arc(struct __test_metadata *_metadata, struct vfio_device *dev, uint32_t from,
		       uint32_t to)
{
	bool allowed = is_allowed(from, to);
	int fd = -1;

	EXPECT_EQ(allowed ? 0 : -EINVAL, __mig_set_state(dev, to, &fd))
		TH_LOG("%s to %s", state_name(from), state_name(to));
	EXPECT_EQ(allowed && is_session(to) && !keeps_session(from, to), fd >= 0)
		TH_LOG("%s to %s: fd %d", state_name(from), state_name(to), fd);
	expect_state(_metadata, dev, allowed ? to : from);
	expect_level(_metadata, dev);
	if (fd >= 0)
		close(fd);
}

TEST_F_TIMEOUT(arc, to_every_state, 60)
{
	uint32_t to;
	int fd;

	for (to = 0; to < VFIO_DEVICE_STATE_NR; to++) {
		fd = enter(&self->dev, variant->from);
		/* only a session that was given up can be left without data */
		if (variant->from == STATE_RESUMING) {
			close(fd);
			fd = -1;
		}
		expect_arc(_metadata, &self->dev, variant->from, to);
		if (fd >= 0)
			close(fd);
		vfio_reset(&self->dev);
		expect_state(_metadata, &self->dev, STATE_RUNNING);
		expect_level(_metadata, &self->dev);
	}
}

TEST_F(arc, reset)
{
	int fd = enter(&self->dev, variant->from);

	testdev_start_copy(&self->user, COPY_LENGTH, ~0U);
	vfio_reset(&self->dev);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_level(_metadata, &self->dev);
	expect_dead(_metadata, fd, variant->from);
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
	/* and once more, right away */
	fd = enter(&self->dev, variant->from);
	vfio_reset(&self->dev);
	vfio_reset(&self->dev);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_dead(_metadata, fd, variant->from);
}

TEST_F(arc, close_and_reopen)
{
	int fd = enter(&self->dev, variant->from);

	vfio_close(&self->dev);
	vfio_open(&self->dev, self->host.vf[0]);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_level(_metadata, &self->dev);
	expect_dead(_metadata, fd, variant->from);
}

/* A device that does not run does nothing, and goes on later as if nothing had been. */
TEST_F(arc, copies_follow)
{
	bool runs = !strcmp(level_of(variant->from), "running");
	uint64_t before = sim_counter(self->dev.address, "copies");
	int fd;

	testdev_start_copy(&self->user, COPY_LENGTH, ~0U);
	testdev_progress(&self->user, 10);
	fd = enter(&self->dev, variant->from);
	EXPECT_EQ(runs, !testdev_is_quiet(&self->user));
	if (fd >= 0)
		close(fd);
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	testdev_progress(&self->user, 10);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	EXPECT_EQ(sim_counter(self->dev.address, "copies") - before,
		  testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
}

/* Moving with the device at work */

FIXTURE(move)
{
	struct two two;
};

FIXTURE_VARIANT(move)
{
	uint64_t size;
	size_t piece;
};

FIXTURE_VARIANT_ADD(move, empty) { .size = 0, .piece = MIB };
FIXTURE_VARIANT_ADD(move, odd) { .size = 300001, .piece = 777 };
FIXTURE_VARIANT_ADD(move, one_mib) { .size = MIB, .piece = 32 << 10 };
FIXTURE_VARIANT_ADD(move, several_records) { .size = 20 * MIB + 4095, .piece = MIB };
FIXTURE_VARIANT_ADD(move, large) { .size = 64 * MIB, .piece = MIB };

FIXTURE_SETUP(move)
{
	two_open(&self->two, &plain_config);
}

FIXTURE_TEARDOWN_PARENT(move)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(move, in_the_middle_of_copies, 60)
{
	struct two *two = &self->two;
	struct blob blob = { 0 };
	uint64_t completed, before = two_copies(two);

	testdev_fill(two->source.address, variant->size, 77);
	memset(two->from.source, 0x5a, COPY_LENGTH);
	testdev_start_copy(&two->from, COPY_LENGTH, ~0U);
	testdev_progress(&two->from, 20);
	mig_save(&two->source, &blob, variant->piece);
	completed = testdev_get64(&two->from, TESTDEV_VF_COMPLETED);
	EXPECT_LE(20, completed);
	mig_load(&two->target, &blob, variant->piece);
	EXPECT_EQ(completed, testdev_get64(&two->to, TESTDEV_VF_COMPLETED));
	EXPECT_TRUE(testdev_matches(two->target.address, variant->size, 77));
	memset(two->from.destination, 0, COPY_LENGTH);
	mig_set_state(&two->target, STATE_RUNNING, NULL);
	expect_copies_to_go_on(_metadata, two, before);
	EXPECT_EQ(0, memcmp(two->from.source, two->from.destination, COPY_LENGTH));
	EXPECT_TRUE(testdev_is_quiet(&two->from));
	EXPECT_TRUE(testdev_matches(two->target.address, variant->size, 77));
	blob_free(&blob);
}

TEST_F_TIMEOUT(move, sizes_are_estimated, 60)
{
	struct blob blob = { 0 };
	uint64_t running, stopped, saving;
	int fd;

	testdev_fill(self->two.source.address, variant->size, 5);
	mig_data_size(&self->two.source, &running);
	mig_set_state(&self->two.source, STATE_STOP, NULL);
	mig_data_size(&self->two.source, &stopped);
	fd = mig_begin(&self->two.source, STATE_STOP_COPY);
	mig_data_size(&self->two.source, &saving);
	stream_read(fd, &blob, variant->piece);
	EXPECT_LE(blob.length, running);
	EXPECT_LE(blob.length, stopped);
	EXPECT_LE(blob.length, saving);
	EXPECT_LT(0, blob.length);
	/* and they are no wild guesses */
	EXPECT_GE(blob.length + 4096, running);
	EXPECT_GE(blob.length + 4096, saving);
	close(fd);
	blob_free(&blob);
}

int main(int argc, char **argv)
{
	testdev_prepare();
	return test_harness_run(argc, argv);
}
