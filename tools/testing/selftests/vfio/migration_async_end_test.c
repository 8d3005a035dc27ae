// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that are under way when something ends: the session, the device, the process.
 * All of them are answered before whatever ends the session returns, and nothing hangs.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "harness.h"
#include "file.h"
#include "ring.h"
#include "saving.h"
#include "worker.h"

#define DEPTH	16
#define PIECE	(64 << 10)

/* More records than there are requests. */
static const struct saving_config large_saving = {
	.size = 4 << 20,
	.record = 64 << 10,
	.prefetch = 0,
};

/* The device is at work on the first record when the end comes. */
static const struct saving_config slow_saving = {
	.size = 300 << 10,
	.prefetch = 0,
	.latency = 1000000,
};

static void submit_reads(struct ring *ring, int fd)
{
	static char data[DEPTH][PIECE];
	unsigned int i;

	for (i = 0; i < DEPTH; i++)
		ring_read(ring, fd, data[i], PIECE, i);
	ring_submit(ring);
}

/* Data first, unless it is @over from the beginning, and once there are none, no more. */
static void expect_data_then(struct __test_metadata *_metadata,
			     const struct ring_result *results, int error, bool over)
{
	unsigned int i;

	for (i = 0; i < DEPTH; i++) {
		int result = ring_result_of(results, DEPTH, i);

		over = over || result == error;
		EXPECT_TRUE(over ? result == error : result > 0)
			TH_LOG("request %u: %d", i, result);
	}
}

enum end {
	END_STOP,
	END_RUNNING,
	END_RESET,
	END_SYSFS_RESET,
	END_CLOSE,
	END_UNBIND,
};

FIXTURE(ending)
{
	struct saving saving;
	struct ring ring;
};

FIXTURE_VARIANT(ending)
{
	enum end end;
	bool slow;
};

FIXTURE_VARIANT_ADD(ending, stop) { .end = END_STOP };
FIXTURE_VARIANT_ADD(ending, running) { .end = END_RUNNING };
FIXTURE_VARIANT_ADD(ending, reset) { .end = END_RESET };
FIXTURE_VARIANT_ADD(ending, sysfs_reset) { .end = END_SYSFS_RESET };
FIXTURE_VARIANT_ADD(ending, close) { .end = END_CLOSE };
FIXTURE_VARIANT_ADD(ending, unbind) { .end = END_UNBIND };
FIXTURE_VARIANT_ADD(ending, stop_slow) { .end = END_STOP, .slow = true };
FIXTURE_VARIANT_ADD(ending, reset_slow) { .end = END_RESET, .slow = true };
FIXTURE_VARIANT_ADD(ending, close_slow) { .end = END_CLOSE, .slow = true };
FIXTURE_VARIANT_ADD(ending, unbind_slow) { .end = END_UNBIND, .slow = true };

FIXTURE_SETUP(ending)
{
	struct blob start = { 0 };

	saving_open(&self->saving, variant->slow ? &slow_saving : &large_saving);
	ring_open(&self->ring, 0);
	if (variant->slow)
		saving_read_ready(&self->saving, &start);
}

FIXTURE_TEARDOWN_PARENT(ending)
{
	saving_teardown(_metadata->exit_code);
}

static long take_driver_away(void *argument)
{
	const char *address = argument;

	return __file_write(path("/sys/bus/pci/devices/%s/driver/unbind", address), address);
}

static void unbind_and_close(struct vfio_device *dev)
{
	struct worker worker;

	worker_start(&worker, take_driver_away, dev->address);
	usleep(1000);
	vfio_close(dev);
	worker_join(&worker, LATER);
	must(worker.result);
}

static void end_session(struct vfio_device *dev, enum end end)
{
	switch (end) {
	case END_STOP:
		mig_set_state(dev, STATE_STOP, NULL);
		break;
	case END_RUNNING:
		mig_set_state(dev, STATE_RUNNING, NULL);
		break;
	case END_RESET:
		vfio_reset(dev);
		break;
	case END_SYSFS_RESET:
		file_write(path("/sys/bus/pci/devices/%s/reset", dev->address), "1");
		break;
	case END_CLOSE:
		vfio_close(dev);
		break;
	case END_UNBIND:
		unbind_and_close(dev);
		break;
	}
}

TEST_F_TIMEOUT(ending, answers_all_requests, 60)
{
	struct ring_result results[DEPTH];
	char byte;

	submit_reads(&self->ring, self->saving.fd);
	end_session(self->saving.source, variant->end);
	/* nothing is left to wait for */
	ASSERT_EQ(DEPTH, ring_ready(&self->ring, results, DEPTH));
	expect_data_then(_metadata, results, -ENODEV, variant->slow);

	ring_read(&self->ring, self->saving.fd, &byte, 1, 99);
	ring_submit(&self->ring);
	ASSERT_EQ(1, ring_ready(&self->ring, results, 1));
	EXPECT_EQ(-ENODEV, results[0].result);
	saving_reopen(&self->saving);
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

/* Closed before its requests are over: they hold the session's file. */
TEST_F_TIMEOUT(ending, fd_closed_before, 60)
{
	struct ring_result results[DEPTH];

	submit_reads(&self->ring, self->saving.fd);
	close(self->saving.fd);
	end_session(self->saving.source, variant->end);
	ASSERT_EQ(DEPTH, ring_ready(&self->ring, results, DEPTH));
	expect_data_then(_metadata, results, -ENODEV, variant->slow);
	saving_reopen(&self->saving);
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

FIXTURE(cancel)
{
	struct saving saving;
	struct ring ring;
};

FIXTURE_SETUP(cancel)
{
	struct saving_config config = small_saving;

	config.prefetch = 0;
	saving_open(&self->saving, &config);
	ring_open(&self->ring, 0);
}

FIXTURE_TEARDOWN_PARENT(cancel)
{
	saving_teardown(_metadata->exit_code);
}

/* What waits for an event only, here for one that does not come. */
TEST_F(cancel, poll)
{
	int fd = mig_begin(self->saving.target, STATE_RESUMING);
	struct ring_result results[2];

	ring_poll(&self->ring, fd, POLLIN, 1);
	ring_submit(&self->ring);
	EXPECT_EQ(0, ring_ready(&self->ring, results, 1));
	ring_cancel(&self->ring, 1, 2);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 2, LATER);
	EXPECT_EQ(-ECANCELED, ring_result_of(results, 2, 1));
	EXPECT_EQ(0, ring_result_of(results, 2, 2));

	ring_poll(&self->ring, fd, POLLIN, 3);
	ring_submit(&self->ring);
	EXPECT_EQ(0, ring_ready(&self->ring, results, 1));
	vfio_reset(self->saving.target);
	ring_wait(&self->ring, results, 1, LATER);
	EXPECT_EQ(POLLERR | POLLHUP, results[0].result & (POLLERR | POLLHUP));
}

/* A request that waits for the device may be past cancelling, but not be lost. */
TEST_F(cancel, reads)
{
	static char data[8][5000];
	struct ring_result results[16];
	struct blob blob = { 0 };
	unsigned int i;

	for (i = 0; i < 8; i++)
		ring_read(&self->ring, self->saving.fd, data[i], sizeof(data[i]), i);
	ring_submit(&self->ring);
	for (i = 0; i < 8; i++)
		ring_cancel(&self->ring, i, 8 + i);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 16, LATER);
	for (i = 0; i < 8; i++) {
		int result = ring_result_of(results, 16, i);
		int cancel = ring_result_of(results, 16, 8 + i);

		EXPECT_TRUE(!cancel || cancel == -ENOENT || cancel == -EALREADY)
			TH_LOG("cancellation %u: %d", i, cancel);
		EXPECT_TRUE(result > 0 || (result == -ECANCELED && cancel != -ENOENT))
			TH_LOG("request %u: %d, cancellation %d", i, result, cancel);
		if (result > 0)
			blob_append(&blob, data[i], result);
	}
	stream_read(self->saving.fd, &blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &blob));
}

enum leave {
	LEAVE_EXIT,
	LEAVE_KILLED,
	LEAVE_RING,
};

FIXTURE(leaving)
{
	struct saving saving;
};

FIXTURE_VARIANT(leaving)
{
	enum leave leave;
	bool alone;
	bool slow;
};

FIXTURE_VARIANT_ADD(leaving, exit) { .leave = LEAVE_EXIT };
FIXTURE_VARIANT_ADD(leaving, killed) { .leave = LEAVE_KILLED };
FIXTURE_VARIANT_ADD(leaving, ring_closed) { .leave = LEAVE_RING };
FIXTURE_VARIANT_ADD(leaving, exit_slow) { .leave = LEAVE_EXIT, .slow = true };
FIXTURE_VARIANT_ADD(leaving, killed_slow) { .leave = LEAVE_KILLED, .slow = true };
FIXTURE_VARIANT_ADD(leaving, ring_closed_slow) { .leave = LEAVE_RING, .slow = true };
FIXTURE_VARIANT_ADD(leaving, exit_with_device) { .leave = LEAVE_EXIT, .alone = true };
FIXTURE_VARIANT_ADD(leaving, killed_with_device) { .leave = LEAVE_KILLED, .alone = true };
FIXTURE_VARIANT_ADD(leaving, killed_with_device_slow)
{
	.leave = LEAVE_KILLED, .alone = true, .slow = true,
};

FIXTURE_SETUP(leaving)
{
	saving_open(&self->saving, variant->slow ? &slow_saving : &large_saving);
}

FIXTURE_TEARDOWN_PARENT(leaving)
{
	saving_teardown(_metadata->exit_code);
}

/* A process with requests under way: tells when they are, and leaves. */
static pid_t start_reader(int fd, enum leave leave, int *ready)
{
	int ends[2];
	pid_t child;

	if (pipe(ends))
		fail("no pipe");
	child = fork();
	if (child < 0)
		fail("cannot fork");
	if (!child) {
		struct ring ring;

		close(ends[0]);
		ring_open(&ring, 0);
		submit_reads(&ring, fd);
		if (write(ends[1], "", 1) != 1)
			_exit(1);
		if (leave == LEAVE_RING)
			ring_close(&ring);
		while (leave == LEAVE_KILLED)
			pause();
		_exit(0);
	}
	close(ends[1]);
	*ready = ends[0];
	return child;
}

static bool is_over(pid_t child, int *status)
{
	return wait_until(waitpid(child, status, WNOHANG) == child, LATER);
}

TEST_F_TIMEOUT(leaving, nothing_hangs, 60)
{
	struct saving *saving = &self->saving;
	int ready, status;
	pid_t child;
	char byte;

	child = start_reader(saving->fd, variant->leave, &ready);
	if (variant->alone) {
		close(saving->fd);
		vfio_close(saving->source);
	}
	ASSERT_EQ(1, read(ready, &byte, 1));
	if (variant->leave == LEAVE_KILLED)
		ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_TRUE(is_over(child, &status));
	/* how it ended, as waitpid() tells it */
	EXPECT_EQ(variant->leave == LEAVE_KILLED ? SIGKILL : 0, status);
	if (variant->alone) {
		saving_reopen(saving);
	} else {
		struct blob rest = { 0 };

		/* the requests took something, the session goes on */
		EXPECT_EQ(0, __stream_read(saving->fd, &rest, MIB));
		EXPECT_GE(saving->good.length, rest.length);
		close(saving->fd);
	}
	EXPECT_TRUE(saving_devices_work(saving));
}

FIXTURE(killing)
{
	struct saving saving;
};

FIXTURE_SETUP(killing)
{
	saving_open(&self->saving, &large_saving);
}

FIXTURE_TEARDOWN_PARENT(killing)
{
	saving_teardown(_metadata->exit_code);
}

/* Again and again, at various moments. */
TEST_F_TIMEOUT(killing, many_times, 60)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		int ready, status;
		pid_t child = start_reader(self->saving.fd, LEAVE_KILLED, &ready);

		usleep(i * 500);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_TRUE(is_over(child, &status));
		close(ready);
		saving_restart(&self->saving);
	}
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
