// SPDX-License-Identifier: GPL-2.0-only
/*
 * Direct save: the device writes into the memory of the request that waits for it. No
 * byte of an image is copied by the CPU, and once the request is answered the memory is
 * the reader's alone.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness.h"
#include "memory.h"
#include "ring.h"
#include "saving.h"

#define LATENCY	200000
#define HEADER	sizeof(struct vfio_mig_record_header)
/* Any record of a small state fits, with its header. */
#define ROOM	(512UL << 10)

/* Slow enough that every request waits before there is something to read. */
static const struct saving_config direct_saving = {
	.size = 300 << 10,
	.prefetch = 0,
	.latency = LATENCY,
};

/* Payload of ended sessions: what the CPU copied, what the device wrote for readers. */
struct counts {
	uint64_t copied;
	uint64_t direct;
};

static void look(struct saving *saving, struct counts *counts)
{
	counts->copied = saving_counter(saving, "bytes_copied");
	counts->direct = saving_counter(saving, "bytes_direct");
}

FIXTURE(direct)
{
	struct saving saving;
	struct ring ring;
	struct blob blob;
	struct counts before;
};

FIXTURE_SETUP(direct)
{
	saving_open(&self->saving, &direct_saving);
	ring_open(&self->ring, 0);
	look(&self->saving, &self->before);
}

FIXTURE_TEARDOWN_PARENT(direct)
{
	saving_teardown(_metadata->exit_code);
}

/* Ends the session, whose numbers count then, and judges them. */
static void expect_counted(struct __test_metadata *_metadata, struct saving *saving,
			   const struct counts *before, bool direct)
{
	uint64_t copied, images = saving_image_bytes(&saving->good);
	struct counts now;

	mig_set_state(saving->source, STATE_STOP, NULL);
	look(saving, &now);
	EXPECT_EQ(direct ? images : 0, now.direct - before->direct);
	copied = now.copied - before->copied;
	/* preamble and end record always are */
	EXPECT_TRUE(direct ? copied < images / 100 : copied >= images)
		TH_LOG("%llu of %llu bytes copied", (unsigned long long)copied,
		       (unsigned long long)images);
}

static void *page_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		fail("no memory");
	return memory;
}

TEST_F(direct, nothing_is_copied)
{
	static const size_t sizes[] = { ROOM };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 2,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
	};

	ring_stream_read(&self->ring, &transfer, &self->blob);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
	expect_counted(_metadata, &self->saving, &self->before, true);
}

TEST_F(direct, fixed_buffers)
{
	static const size_t sizes[] = { ROOM };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 2, .fixed_buffers = true,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
	};

	ring_stream_read(&self->ring, &transfer, &self->blob);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
	expect_counted(_metadata, &self->saving, &self->before, true);
}

/* The header in front of whole pages. */
TEST_F(direct, aligned_payload)
{
	struct ring_result result;
	unsigned char header[HEADER], *pages = page_memory(ROOM);
	struct iovec parts[] = { { header, HEADER }, { pages, ROOM } };

	do {
		size_t first;

		ring_readv(&self->ring, self->saving.fd, parts, 2, 0);
		ring_submit(&self->ring);
		ring_wait(&self->ring, &result, 1, LATER);
		ASSERT_LE(0, result.result);
		first = result.result < HEADER ? result.result : HEADER;
		blob_append(&self->blob, header, first);
		blob_append(&self->blob, pages, result.result - first);
	} while (result.result);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
	expect_counted(_metadata, &self->saving, &self->before, true);
}

/* Too small for a record with its header, or no way to describe it to a device. */
TEST_F(direct, unsuitable_memory)
{
	unsigned char *pages = page_memory(2 * ROOM);
	struct iovec holes[] = { { pages + 5, 1000 }, { pages + 5000, 1001 },
				 { pages + 10000, ROOM } };
	struct ring_result result;

	do {
		size_t left, i;

		ring_readv(&self->ring, self->saving.fd, holes, 3, 0);
		ring_submit(&self->ring);
		ring_wait(&self->ring, &result, 1, LATER);
		ASSERT_LE(0, result.result);
		for (i = 0, left = result.result; i < 3; i++) {
			size_t now = left < holes[i].iov_len ? left : holes[i].iov_len;

			blob_append(&self->blob, holes[i].iov_base, now);
			left -= now;
		}
	} while (result.result);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
	expect_counted(_metadata, &self->saving, &self->before, false);
}

TEST_F(direct, small_memory)
{
	static const size_t sizes[] = { 100 << 10 };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 4,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
	};

	ring_stream_read(&self->ring, &transfer, &self->blob);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
	expect_counted(_metadata, &self->saving, &self->before, false);
}

/* Who may not lock memory gets copies. */
TEST_F(direct, without_locked_memory)
{
	static const size_t sizes[] = { ROOM };
	const struct ring_transfer transfer = {
		.fd = self->saving.fd, .depth = 2,
		.sizes = sizes, .nr_sizes = ARRAY_SIZE(sizes),
	};
	pid_t child = fork();
	int status;

	ASSERT_LE(0, child);
	if (!child) {
		struct blob blob = { 0 };
		struct ring ring;

		ring_open(&ring, 0);
		memory_forbid_locking();
		ring_stream_read(&ring, &transfer, &blob);
		_exit(blob.length != self->saving.good.length);
	}
	ASSERT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, LATER));
	EXPECT_EQ(0, status);
	expect_counted(_metadata, &self->saving, &self->before, false);
}

/* All that can be read without making the device produce something. */
static void read_preamble(struct saving *saving)
{
	size_t length = HEADER + blob_record_size(&saving->good, 0);
	char data[512];

	if (length > sizeof(data) || read(saving->fd, data, length) != length)
		fail("the preamble is not there");
}

static bool is_filled(const unsigned char *memory, size_t size, unsigned char value)
{
	size_t i;

	for (i = 0; i < size && memory[i] == value; i++)
		;
	return i == size;
}

/* The device is at work on it when the session ends: it has let go when that is done. */
static void expect_memory_is_free(struct __test_metadata *_metadata, struct saving *saving,
				  struct ring *ring, bool reset)
{
	unsigned char *memory = page_memory(ROOM);
	struct ring_result result;

	read_preamble(saving);
	ring_read(ring, saving->fd, memory, ROOM, 0);
	ring_submit(ring);
	usleep(LATENCY / 4);
	if (reset)
		vfio_reset(saving->source);
	else
		mig_set_state(saving->source, STATE_STOP, NULL);
	ASSERT_EQ(1, ring_ready(ring, &result, 1));
	EXPECT_EQ(-ENODEV, result.result);
	memset(memory, 0x5a, ROOM);
	usleep(2 * LATENCY);
	EXPECT_TRUE(is_filled(memory, ROOM, 0x5a));
	EXPECT_TRUE(saving_devices_work(saving));
}

TEST_F(direct, memory_is_free_after_reset)
{
	expect_memory_is_free(_metadata, &self->saving, &self->ring, true);
}

TEST_F(direct, memory_is_free_after_stop)
{
	expect_memory_is_free(_metadata, &self->saving, &self->ring, false);
}

/* The memory goes with its process, the device still writes there. */
TEST_F(direct, killed_reader)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pid_t child = fork();
		int status;

		ASSERT_LE(0, child);
		if (!child) {
			struct ring ring;

			ring_open(&ring, 0);
			read_preamble(&self->saving);
			ring_read(&ring, self->saving.fd, page_memory(ROOM), ROOM, 0);
			ring_submit(&ring);
			pause();
			_exit(1);
		}
		usleep(1000 + i * LATENCY / 3);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, LATER));
		saving_restart(&self->saving);
	}
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

FIXTURE(mixed)
{
	struct saving saving;
	struct ring ring;
	struct blob blob;
};

FIXTURE_VARIANT(mixed)
{
	unsigned int prefetch;
};

FIXTURE_VARIANT_ADD(mixed, eager) { .prefetch = 1 };
FIXTURE_VARIANT_ADD(mixed, lazy) { .prefetch = 0 };

FIXTURE_SETUP(mixed)
{
	const struct saving_config config = {
		.size = 2 * TESTDEV_RECORD + 70001,
		.prefetch = variant->prefetch,
		.latency = 1000,
	};

	saving_open(&self->saving, &config);
	ring_open(&self->ring, 0);
}

FIXTURE_TEARDOWN_PARENT(mixed)
{
	saving_teardown(_metadata->exit_code);
}

/* Requests that are good for it behind others that take only some of a record. */
TEST_F_TIMEOUT(mixed, with_small_requests, 60)
{
	static const size_t patterns[][3] = {
		{ 1000, HEADER + TESTDEV_RECORD, 1000 },
		{ HEADER + TESTDEV_RECORD, TESTDEV_RECORD / 2, 5 },
		{ HEADER + TESTDEV_RECORD, HEADER + TESTDEV_RECORD, TESTDEV_RECORD + 100000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct ring_transfer transfer = {
			.fd = self->saving.fd, .depth = 4,
			.sizes = patterns[i], .nr_sizes = 3,
		};

		self->blob.length = 0;
		EXPECT_EQ(0, __ring_stream_read(&self->ring, &transfer, &self->blob));
		EXPECT_TRUE(saving_is_good(&self->saving, &self->blob))
			TH_LOG("pattern %u", i);
		saving_restart(&self->saving);
	}
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
