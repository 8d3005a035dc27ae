// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous reads of the data FD: answered at once when there is something to read,
 * else when the device has it. Requests of one submitter get the stream in the order of
 * their submission; whoever reads, each byte comes once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"
#include "memory.h"
#include "ring.h"
#include "saving.h"

FIXTURE(async)
{
	struct saving saving;
	struct ring ring;
	struct blob blob;
};

FIXTURE_VARIANT(async)
{
	unsigned int prefetch;
};

/* Something is ready before anybody reads, or the first reader has to wait. */
FIXTURE_VARIANT_ADD(async, eager) { .prefetch = 1 };
FIXTURE_VARIANT_ADD(async, lazy) { .prefetch = 0 };

FIXTURE_SETUP(async)
{
	struct saving_config config = small_saving;

	config.prefetch = variant->prefetch;
	saving_open(&self->saving, &config);
	ring_open(&self->ring, 0);
}

FIXTURE_TEARDOWN_PARENT(async)
{
	saving_teardown(_metadata->exit_code);
}

/* The start of a stream is there before the device has done anything. */
TEST_F(async, at_once_when_ready)
{
	struct ring_result result;
	char header[16];

	ASSERT_TRUE(wait_until(stream_events(self->saving.fd) & POLLIN, SOON));
	ring_read(&self->ring, self->saving.fd, header, sizeof(header), 7);
	ring_submit(&self->ring);
	ASSERT_EQ(1, ring_ready(&self->ring, &result, 1));
	EXPECT_EQ(7, result.id);
	ASSERT_EQ(sizeof(header), result.result);
	EXPECT_EQ(0, memcmp(self->saving.good.data, header, sizeof(header)));
	blob_append(&self->blob, header, sizeof(header));
	stream_read(self->saving.fd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

TEST_F_TIMEOUT(async, depths, 60)
{
	static const unsigned int depths[] = { 1, 2, 4, 16 };
	static const size_t sizes[] = { 16384 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		const struct ring_transfer transfer = {
			.fd = self->saving.fd, .depth = depths[i],
			.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
		};

		self->blob.length = 0;
		EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob))
			TH_LOG("depth %u", depths[i]);
		EXPECT_TRUE(saving_is_good(&self->saving, &self->blob))
			TH_LOG("depth %u, %zu bytes", depths[i], self->blob.length);
		saving_restart(&self->saving);
	}
}

/* Less than a header, up to more than a record, and what no edge of a record divides. */
TEST_F_TIMEOUT(async, odd_sizes, 60)
{
	static const size_t sizes[] = {
		1, 15, 16, 17, 8, 88, 104, 3, 4095, 4097, 33, 20011, 1, 65536, 70001, 7,
	};
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 4,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
	};

	EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob));
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* Ways to submit that complete in other contexts. */
TEST_F_TIMEOUT(async, kinds_of_rings, 60)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SQPOLL,
	};
	static const size_t sizes[] = { 32768, 999 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct ring_transfer transfer = {
			.fd = self->saving.fd, .depth = 4,
			.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
		};
		struct ring ring;

		self->blob.length = 0;
		ring_open(&ring, flags[i]);
		EXPECT_EQ(0, __ring_stream_read(&ring, &transfer, &self->blob))
			TH_LOG("flags 0x%x", flags[i]);
		EXPECT_TRUE(saving_is_good(&self->saving, &self->blob))
			TH_LOG("flags 0x%x", flags[i]);
		ring_close(&ring);
		saving_restart(&self->saving);
	}
}

TEST_F(async, fixed_buffers)
{
	static const size_t sizes[] = { 32768, 5001 };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 4,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes), .fixed_buffers = true,
	};

	EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob));
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* The registration keeps the session's file, the FD may go. */
TEST_F(async, fixed_file)
{
	static const size_t sizes[] = { 32768 };
	const struct ring_transfer transfer = {
		.fd = 0, .depth = 4,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes), .fixed_file = true,
	};

	ring_register_file(&self->ring, self->saving.fd);
	close(self->saving.fd);
	EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob));
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

TEST_F(async, vectors)
{
	static const size_t sizes[] = { 32768, 2, 9999 };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 4,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes), .vectors = true,
	};

	EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob));
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* The other way to be asynchronous: four reads at once through Linux AIO. */
TEST_F(async, aio)
{
	struct timespec limit = { .tv_sec = LATER / 1000 };
	aio_context_t context = 0;
	static char data[4][20000];
	bool ended = false;
	unsigned int i;

	ASSERT_EQ(0, syscall(SYS_io_setup, 4, &context));
	while (!ended) {
		struct io_event events[4];
		struct iocb blocks[4], *pointers[4];
		long results[4];

		memset(blocks, 0, sizeof(blocks));
		for (i = 0; i < 4; i++) {
			blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
			blocks[i].aio_fildes = self->saving.fd;
			blocks[i].aio_buf = (uintptr_t)data[i];
			blocks[i].aio_nbytes = sizeof(data[i]);
			blocks[i].aio_data = i;
			pointers[i] = &blocks[i];
		}
		ASSERT_EQ(4, syscall(SYS_io_submit, context, 4, pointers));
		ASSERT_EQ(4, syscall(SYS_io_getevents, context, 4, 4, events, &limit));
		for (i = 0; i < 4; i++)
			results[events[i].data] = events[i].res;
		for (i = 0; i < 4; i++) {
			ASSERT_LE(0, results[i]);
			ASSERT_FALSE(ended && results[i]);
			blob_append(&self->blob, data[i], results[i]);
			ended = !results[i];
		}
	}
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
	EXPECT_EQ(0, syscall(SYS_io_destroy, context));
}

/* A reader who never waits, but polls: also when nothing is produced without readers. */
TEST_F(async, nowait_and_poll)
{
	static char piece[20000];
	struct iovec part = { piece, sizeof(piece) };
	ssize_t done = 1;

	while (done) {
		struct pollfd wanted = { .fd = self->saving.fd, .events = POLLIN };

		done = preadv2(self->saving.fd, &part, 1, -1, RWF_NOWAIT);
		if (done > 0) {
			blob_append(&self->blob, piece, done);
		} else if (done < 0) {
			ASSERT_EQ(EAGAIN, errno);
			ASSERT_EQ(1, poll(&wanted, 1, LATER));
			ASSERT_EQ(POLLIN, wanted.revents & (POLLIN | POLLERR | POLLHUP));
			done = 1;
		}
	}
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* More than the library queues: what comes too late waits, and is not interrupted. */
TEST_F(async, more_than_fit)
{
	static char data[2 * RING_ENTRIES][500];
	struct ring_result results[2 * RING_ENTRIES];
	unsigned int i;

	for (i = 0; i < 2 * RING_ENTRIES; i++) {
		ring_read(&self->ring, self->saving.fd, data[i], sizeof(data[i]), i);
		if (i + 1 == RING_ENTRIES)
			ring_submit(&self->ring);
	}
	ring_submit(&self->ring);
	ring_wait(&self->ring, results, 2 * RING_ENTRIES, LATER);
	for (i = 0; i < 2 * RING_ENTRIES; i++) {
		int result = ring_result_of(results, 2 * RING_ENTRIES, i);

		ASSERT_LT(0, result)
			TH_LOG("request %u: %d", i, result);
		blob_append(&self->blob, data[i], result);
	}
	stream_read(self->saving.fd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* Memory that ends too early, in front of requests that are fine. */
TEST_F(async, fault_loses_nothing)
{
	char *end = memory_edge(8192);
	unsigned int faults = 0, i;
	int last = 1;

	for (i = 0; last; i++) {
		size_t room = i % 3 ? 1 + i * 37 % 4000 : 0;
		struct ring_result results[2];
		char good[997];
		int first;

		ring_read(&self->ring, self->saving.fd, end - room, room + 3000, 0);
		ring_read(&self->ring, self->saving.fd, good, sizeof(good), 1);
		ring_submit(&self->ring);
		ring_wait(&self->ring, results, 2, LATER);
		first = ring_result_of(results, 2, 0);
		last = ring_result_of(results, 2, 1);
		ASSERT_LE(0, last);
		if (first >= 0) {
			ASSERT_GE(room, first);
			blob_append(&self->blob, end - room, first);
		} else {
			ASSERT_EQ(-EFAULT, first);
			faults++;
		}
		blob_append(&self->blob, good, last);
	}
	EXPECT_LT(10, faults);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* Who may not lock memory reads all the same. */
TEST_F(async, without_locked_memory)
{
	static const size_t sizes[] = { 128 << 10 };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 4,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
	};

	memory_forbid_locking();
	EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob));
	EXPECT_EQ(self->saving.good.length, self->blob.length);
	EXPECT_TRUE(saving_fits(&self->saving, self->blob.data, self->blob.length, 0));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
