// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers that wait for the device: woken by data, and by whatever ends the session.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "harness.h"
#include "pair.h"
#include "worker.h"

FIXTURE(large)
{
	struct pair pair;
};

FIXTURE_VARIANT(large)
{
	uint64_t chunk_size;
};

FIXTURE_VARIANT_ADD(large, chunked) { .chunk_size = SIM_CHUNK };
FIXTURE_VARIANT_ADD(large, whole) { .chunk_size = 0 };

#define LARGE_SIZE (48 * MIB)

FIXTURE_SETUP(large)
{
	struct sim_config config = our_pair;

	config.chunk_size = variant->chunk_size;
	pair_open(&self->pair, &config);
	sim_bulk_fill(self->pair.source.address, LARGE_SIZE, 33);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
}

FIXTURE_TEARDOWN_PARENT(large)
{
	sim_teardown(_metadata->exit_code);
}

/* The device takes its time for so much: a reader that does not wait notices. */
TEST_F_TIMEOUT(large, without_waiting, 90)
{
	int fd = mig_begin(&self->pair.source, STATE_STOP_COPY);
	unsigned int again = 0;
	struct blob blob = { 0 };
	static char piece[MIB];
	ssize_t done = 1;

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	while (done) {
		struct pollfd wanted = { .fd = fd, .events = POLLIN };

		done = read(fd, piece, sizeof(piece));
		if (done > 0) {
			blob_append(&blob, piece, done);
		} else if (done < 0) {
			ASSERT_EQ(EAGAIN, errno);
			again++;
			ASSERT_EQ(1, poll(&wanted, 1, LATER));
			ASSERT_EQ(POLLIN, wanted.revents & (POLLIN | POLLERR | POLLHUP));
			done = 1;
		}
	}
	EXPECT_LT(0, again);
	mig_load(&self->pair.target, &blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(self->pair.target.address, LARGE_SIZE, 33));
}

static long read_slowly(void *argument)
{
	char piece[256];
	ssize_t done;

	do {
		done = read(*(int *)argument, piece, sizeof(piece));
	} while (done > 0);
	return done < 0 ? -errno : 0;
}

static long wait_for_events(void *argument)
{
	struct pollfd wanted = { .fd = *(int *)argument, .events = 0 };

	return poll(&wanted, 1, LATER) < 0 ? -errno : wanted.revents;
}

TEST_F_TIMEOUT(large, reset_wakes_readers, 60)
{
	int fd = mig_begin(&self->pair.source, STATE_STOP_COPY);
	struct worker reader, poller;

	worker_start(&reader, read_slowly, &fd);
	worker_start(&poller, wait_for_events, &fd);
	usleep(2000);
	vfio_reset(&self->pair.source);
	worker_join(&reader, LATER);
	worker_join(&poller, LATER);
	EXPECT_EQ(-ENODEV, reader.result);
	EXPECT_EQ(POLLERR | POLLHUP, poller.result & (POLLERR | POLLHUP));
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->pair.source));
}

TEST_F_TIMEOUT(large, stop_wakes_readers, 60)
{
	int fd = mig_begin(&self->pair.source, STATE_STOP_COPY);
	struct worker reader, poller;

	worker_start(&reader, read_slowly, &fd);
	worker_start(&poller, wait_for_events, &fd);
	usleep(2000);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
	worker_join(&reader, LATER);
	worker_join(&poller, LATER);
	EXPECT_EQ(-ENODEV, reader.result);
	EXPECT_EQ(POLLERR | POLLHUP, poller.result & (POLLERR | POLLHUP));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
