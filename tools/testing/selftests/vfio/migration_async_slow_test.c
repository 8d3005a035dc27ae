// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous reads while the device takes its time for a record: what waits, waits
 * neither in its submitter nor in a thread, and is served in the order of submission.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"
#include "file.h"
#include "ring.h"
#include "saving.h"
#include "worker.h"

/* Long enough to do something meanwhile on a slow machine. */
#define LATENCY	1000000

FIXTURE(slow)
{
	struct saving saving;
	struct ring ring;
	struct blob blob;
};

FIXTURE_VARIANT(slow)
{
	unsigned int prefetch;
};

FIXTURE_VARIANT_ADD(slow, eager) { .prefetch = 1 };
FIXTURE_VARIANT_ADD(slow, lazy) { .prefetch = 0 };

FIXTURE_SETUP(slow)
{
	const struct saving_config config = {
		.size = 300 << 10,
		.prefetch = variant->prefetch,
		.latency = LATENCY,
	};

	saving_open(&self->saving, &config);
	ring_open(&self->ring, 0);
	saving_read_ready(&self->saving, &self->blob);
}

FIXTURE_TEARDOWN_PARENT(slow)
{
	saving_teardown(_metadata->exit_code);
}

/* Threads of this process, of the kernel's for it as well. */
static unsigned int threads(void)
{
	char status[4096], *line;

	file_read("/proc/self/status", status, sizeof(status));
	line = strstr(status, "Threads:");
	return line ? strtoul(line + strlen("Threads:"), NULL, 10) : 0;
}

TEST_F(slow, submitter_goes_on)
{
	struct ring_result results[2];
	static char data[MIB];
	uint64_t start = now_us();

	ring_read(&self->ring, self->saving.fd, data, sizeof(data), 1);
	ring_submit(&self->ring);
	EXPECT_GT(LATENCY / 2, now_us() - start);
	EXPECT_EQ(0, ring_ready(&self->ring, results, 1));
	EXPECT_EQ(1, threads());

	/* it waits for the device and for nothing else: there is nothing to cancel */
	ring_cancel(&self->ring, 1, 2);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 2, LATER);
	EXPECT_TRUE(ring_result_of(results, 2, 2) == -ENOENT ||
		    ring_result_of(results, 2, 2) == -EALREADY);
	ASSERT_LT(0, ring_result_of(results, 2, 1));
	blob_append(&self->blob, data, ring_result_of(results, 2, 1));
	stream_read(self->saving.fd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* All wait for the same record, and come back in the order in which they went out. */
TEST_F(slow, order_of_completion)
{
	struct ring_result results[8];
	static char data[8][1000];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		ring_read(&self->ring, self->saving.fd, data[i], sizeof(data[i]), i);
		ring_submit(&self->ring);
	}
	EXPECT_EQ(0, ring_ready(&self->ring, results, 1));
	ring_wait(&self->ring, results, 8, LATER);
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(i, results[i].id);
		ASSERT_EQ(sizeof(data[i]), results[i].result);
		blob_append(&self->blob, data[i], sizeof(data[i]));
	}
	stream_read(self->saving.fd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

static long read_now(void *argument)
{
	struct saving *saving = argument;
	static char data[1000];
	ssize_t done = read(saving->fd, data, sizeof(data));

	return done < 0 ? -errno : done;
}

/* Behind a reader who waits for the device: whoever did not ask for EAGAIN does not get it. */
TEST_F(slow, aio_behind_a_reader)
{
	static char data[1000];
	struct iocb block = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = self->saving.fd,
		.aio_buf = (uintptr_t)data,
		.aio_nbytes = sizeof(data),
	}, *pointer = &block;
	struct timespec limit = { .tv_sec = LATER / 1000 };
	aio_context_t context = 0;
	struct io_event event;
	struct worker worker;

	ASSERT_EQ(0, syscall(SYS_io_setup, 1, &context));
	worker_start(&worker, read_now, &self->saving);
	usleep(LATENCY / 4);
	EXPECT_FALSE(worker_is_done(&worker));
	ASSERT_EQ(1, syscall(SYS_io_submit, context, 1, &pointer));
	ASSERT_EQ(1, syscall(SYS_io_getevents, context, 1, 1, &event, &limit));
	EXPECT_EQ(sizeof(data), event.res);
	worker_join(&worker, LATER);
	EXPECT_EQ(1000, worker.result);
	EXPECT_EQ(0, syscall(SYS_io_destroy, context));
}

/* Bytes of the stream that a request takes. */
#define FIRST	10000

static long read_some(void *argument)
{
	struct saving *saving = argument;
	static char data[1000];
	ssize_t done = read(saving->fd, data, sizeof(data));

	if (done < 0)
		return -errno;
	return saving_fits(saving, data, done, FIRST) ? done : -EIO;
}

/* Who blocks gets what those leave who came before. */
TEST_F(slow, blocking_reader_comes_last)
{
	size_t first = FIRST - self->blob.length;
	static char data[FIRST];
	struct ring_result result;
	struct worker worker;

	ring_read(&self->ring, self->saving.fd, data, first, 1);
	ring_submit(&self->ring);
	EXPECT_EQ(0, ring_ready(&self->ring, &result, 1));
	worker_start(&worker, read_some, &self->saving);
	ring_wait(&self->ring, &result, 1, LATER);
	EXPECT_EQ(first, result.result);
	worker_join(&worker, LATER);
	EXPECT_EQ(1000, worker.result);
}

TEST_F(slow, who_does_not_wait)
{
	char byte;
	struct iovec part = { &byte, 1 };
	struct ring_result result;

	EXPECT_EQ(-1, preadv2(self->saving.fd, &part, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, stream_events(self->saving.fd));
	/* nor does who comes behind a request */
	ring_read(&self->ring, self->saving.fd, &byte, 1, 1);
	ring_submit(&self->ring);
	EXPECT_EQ(-1, preadv2(self->saving.fd, &part, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, ring_ready(&self->ring, &result, 1));
	ring_wait(&self->ring, &result, 1, LATER);
	EXPECT_EQ(1, result.result);
}

/* An FD that shall not wait: the ring polls it, and that can be cancelled. */
TEST_F(slow, nonblocking_fd)
{
	struct ring_result results[2];
	char byte;

	ASSERT_EQ(0, fcntl(self->saving.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->saving.fd, &byte, 1));
	EXPECT_EQ(EAGAIN, errno);
	ring_read(&self->ring, self->saving.fd, &byte, 1, 1);
	ring_submit(&self->ring);
	EXPECT_EQ(0, ring_ready(&self->ring, results, 1));
	EXPECT_EQ(1, threads());
	ring_cancel(&self->ring, 1, 2);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 2, SOON);
	EXPECT_EQ(-ECANCELED, ring_result_of(results, 2, 1));
	EXPECT_EQ(0, ring_result_of(results, 2, 2));
	/* and when it is not cancelled it gets what comes, of which nothing is missing */
	ring_read(&self->ring, self->saving.fd, &byte, 1, 3);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 1, LATER);
	ASSERT_EQ(1, results[0].result);
	blob_append(&self->blob, &byte, 1);
	ASSERT_EQ(0, fcntl(self->saving.fd, F_SETFL, 0));
	stream_read(self->saving.fd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

TEST_F(slow, poll_is_cancelled)
{
	struct ring_result results[2];

	ring_poll(&self->ring, self->saving.fd, POLLIN, 1);
	ring_submit(&self->ring);
	EXPECT_EQ(0, ring_ready(&self->ring, results, 1));
	ring_cancel(&self->ring, 1, 2);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 2, SOON);
	EXPECT_EQ(-ECANCELED, ring_result_of(results, 2, 1));
	EXPECT_EQ(0, ring_result_of(results, 2, 2));
	ring_poll(&self->ring, self->saving.fd, POLLIN, 3);
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 1, LATER);
	EXPECT_EQ(POLLIN, results[0].result & (POLLIN | POLLERR | POLLHUP));
}

/* More than the library queues: what comes too late waits, and is not interrupted. */
TEST_F(slow, more_than_fit)
{
	static char data[RING_ENTRIES + 8][1000];
	struct ring_result results[RING_ENTRIES + 8];
	unsigned int i;

	for (i = 0; i < RING_ENTRIES + 8; i++) {
		ring_read(&self->ring, self->saving.fd, data[i], sizeof(data[i]), i);
		if (i + 1 == RING_ENTRIES)
			ring_submit(&self->ring);
	}
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, RING_ENTRIES + 8, LATER);
	for (i = 0; i < RING_ENTRIES + 8; i++) {
		int result = ring_result_of(results, RING_ENTRIES + 8, i);

		ASSERT_EQ(sizeof(data[i]), result)
			TH_LOG("request %u", i);
		blob_append(&self->blob, data[i], sizeof(data[i]));
	}
	stream_read(self->saving.fd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* Whoever looks is not kept waiting. */
TEST_F(slow, others_are_not_blocked)
{
	uint64_t size, start = now_us();
	struct ring_result result;
	static char data[MIB];
	char info[1024];

	ring_read(&self->ring, self->saving.fd, data, sizeof(data), 1);
	ring_submit(&self->ring);
	file_read(path("/proc/self/fdinfo/%d", self->saving.fd), info, sizeof(info));
	EXPECT_EQ(STATE_STOP_COPY, mig_state(self->saving.source));
	mig_data_size(self->saving.source, &size);
	EXPECT_LT(0, size);
	EXPECT_GT(LATENCY / 2, now_us() - start);
	EXPECT_EQ(0, ring_ready(&self->ring, &result, 1));
	ring_wait(&self->ring, &result, 1, LATER);
	EXPECT_LT(0, result.result);
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
