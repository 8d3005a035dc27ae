// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous writes to the data FD of RESUMING: the stream is what was submitted, in
 * that order, and whoever completes a record that the device refuses learns it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "harness.h"
#include "memory.h"
#include "ring.h"
#include "saving.h"

FIXTURE(writing)
{
	struct saving saving;
	struct vfio_device *target;
	struct blob *good;
	struct ring ring;
	int fd;
};

FIXTURE_SETUP(writing)
{
	saving_open(&self->saving, &small_saving);
	self->target = self->saving.target;
	self->good = &self->saving.good;
	ring_open(&self->ring, 0);
	self->fd = mig_begin(self->target, STATE_RESUMING);
}

FIXTURE_TEARDOWN_PARENT(writing)
{
	saving_teardown(_metadata->exit_code);
}

/* Everything that was written arrived, and a new session begins. */
static bool finish(struct saving *saving, int *fd)
{
	struct vfio_device *target = saving->target;
	bool arrived = !__mig_set_state(target, STATE_STOP, NULL) && saving_arrived(saving);

	close(*fd);
	vfio_reset(target);
	*fd = mig_begin(target, STATE_RESUMING);
	return arrived;
}

static const size_t odd_sizes[] = {
	1, 15, 17, 8, 4095, 20011, 3, 16, 65536, 4097, 70001, 33, 7,
};

TEST_F_TIMEOUT(writing, depths, 60)
{
	static const unsigned int depths[] = { 1, 2, 4, 16 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		const struct ring_transfer transfer = {
			.fd = self->fd, .depth = depths[i],
			.sizes = odd_sizes, .nr_sizes = ARRAY_SIZE(odd_sizes),
		};

		EXPECT_EQ(0, __ring_stream_write(&self->ring, &transfer, self->good))
			TH_LOG("depth %u", depths[i]);
		EXPECT_TRUE(finish(&self->saving, &self->fd))
			TH_LOG("depth %u", depths[i]);
	}
}

TEST_F_TIMEOUT(writing, kinds_of_rings, 60)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SQPOLL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct ring_transfer transfer = {
			.fd = self->fd, .depth = 4,
			.sizes = odd_sizes, .nr_sizes = ARRAY_SIZE(odd_sizes),
		};
		struct ring ring;

		ring_open(&ring, flags[i]);
		EXPECT_EQ(0, __ring_stream_write(&ring, &transfer, self->good))
			TH_LOG("flags 0x%x", flags[i]);
		EXPECT_TRUE(finish(&self->saving, &self->fd))
			TH_LOG("flags 0x%x", flags[i]);
		ring_close(&ring);
	}
}

TEST_F(writing, fixed_buffers_and_file)
{
	const struct ring_transfer transfer = {
		.fd = 0, .depth = 4, .fixed_buffers = true, .fixed_file = true,
		.sizes = odd_sizes, .nr_sizes = ARRAY_SIZE(odd_sizes),
	};

	ring_register_file(&self->ring, self->fd);
	EXPECT_EQ(0, __ring_stream_write(&self->ring, &transfer, self->good));
	EXPECT_TRUE(finish(&self->saving, &self->fd));
}

TEST_F(writing, vectors)
{
	const struct ring_transfer transfer = {
		.fd = self->fd, .depth = 4, .vectors = true,
		.sizes = odd_sizes, .nr_sizes = ARRAY_SIZE(odd_sizes),
	};

	EXPECT_EQ(0, __ring_stream_write(&self->ring, &transfer, self->good));
	EXPECT_TRUE(finish(&self->saving, &self->fd));
}

/*
 * Writes a stream in parts that end at @cuts, all under way at once. The first part that
 * gets the error is one from @first to @last, and so does everything behind it.
 */
static void expect_error_from(struct __test_metadata *_metadata, struct ring *ring, int fd,
			      const struct blob *blob, const size_t *cuts, unsigned int count,
			      unsigned int first, unsigned int last, int error)
{
	struct ring_result results[8];
	bool failed = false;
	unsigned int i;
	size_t at = 0;

	for (i = 0; i < count; i++) {
		ring_write(ring, fd, blob->data + at, cuts[i] - at, i);
		at = cuts[i];
	}
	ring_submit(ring);
	ring_wait(ring, results, count, LATER);
	for (i = 0, at = 0; i < count; i++) {
		int result = ring_result_of(results, count, i);

		failed = i >= last || (i >= first && (failed || result == error));
		EXPECT_EQ(failed ? error : (int)(cuts[i] - at), result) TH_LOG("part %u", i);
		at = cuts[i];
	}
	ring_write(ring, fd, blob->data, 1, 0);
	ring_submit(ring);
	ring_wait(ring, results, 1, LATER);
	EXPECT_EQ(error, results[0].result);
	EXPECT_EQ(-1, write(fd, blob->data, 1));
	EXPECT_EQ(-error, errno);
}

static void expect_stuck(struct __test_metadata *_metadata, struct saving *saving)
{
	struct vfio_device *target = saving->target;

	EXPECT_GT(0, __mig_set_state(target, STATE_STOP, NULL));
	EXPECT_EQ(STATE_RESUMING, mig_state(target));
	vfio_reset(target);
	EXPECT_TRUE(saving_devices_work(saving));
}

/* The second image's header makes no sense. */
TEST_F(writing, malformed_record)
{
	long first = blob_find_image(self->good, 0);
	long second = blob_find_image(self->good, first + 1);
	size_t cuts[] = { first + 16, second, second + 15, second + 16, second + 5000,
			  self->good->length };
	struct blob blob;

	ASSERT_LT(first, second);
	blob_copy(&blob, self->good);
	/* flags that nobody has defined */
	memset(blob.data + second + 8, 0xff, 4);
	expect_error_from(_metadata, &self->ring, self->fd, &blob, cuts, ARRAY_SIZE(cuts), 3,
			  3, -EBADMSG);
	expect_stuck(_metadata, &self->saving);
}

/*
 * The device refuses the second image, which it gets when the last byte is there. What
 * arrives while it looks at that is taken, but the end of the stream is not.
 */
TEST_F(writing, refused_record)
{
	long first = blob_find_image(self->good, 0);
	long second = blob_find_image(self->good, first + 1);
	size_t end = blob_record_end(self->good, second);
	size_t cuts[] = { second + 16, end - 1000, end - 1, end + 100, end + 2000,
			  self->good->length };
	struct blob blob;

	ASSERT_LT(first, second);
	blob_copy(&blob, self->good);
	blob.data[second + 16] ^= 0x10;
	expect_error_from(_metadata, &self->ring, self->fd, &blob, cuts, ARRAY_SIZE(cuts), 3,
			  5, -EINVAL);
	expect_stuck(_metadata, &self->saving);
}

/* Memory that ends too early: what was not there to be taken is offered again. */
TEST_F(writing, fault_loses_nothing)
{
	char *end = memory_edge(8192);
	unsigned int faults = 0, i;
	size_t at = 0;

	for (i = 0; at < self->good->length; i++) {
		size_t room = i % 3 ? 1 + i * 37 % 4000 : 0;
		struct ring_result result;

		if (room > self->good->length - at)
			room = self->good->length - at;
		memcpy(end - room, self->good->data + at, room);
		ring_write(&self->ring, self->fd, end - room, room + 3000, 0);
		ring_submit(&self->ring);
		ring_wait(&self->ring, &result, 1, LATER);
		if (result.result < 0) {
			ASSERT_EQ(-EFAULT, result.result);
			faults++;
			/* nothing was taken: without what lies behind the edge it is */
			ring_write(&self->ring, self->fd, end - room, room, 0);
			ring_submit(&self->ring);
			ring_wait(&self->ring, &result, 1, LATER);
		}
		ASSERT_LE(0, result.result);
		ASSERT_GE(room, result.result);
		at += result.result;
	}
	EXPECT_LT(10, faults);
	EXPECT_TRUE(finish(&self->saving, &self->fd));
}

/* As much of the stream as fits into so many requests. */
static unsigned int submit_all(struct ring *ring, int fd, const struct blob *blob)
{
	unsigned int count = 0;
	size_t at;

	for (at = 0; at < blob->length; at += 32768)
		ring_write(ring, fd, blob->data + at,
			   blob->length - at < 32768 ? blob->length - at : 32768, count++);
	ring_submit(ring);
	return count;
}

TEST_F(writing, reset_answers_all_requests)
{
	struct ring_result results[RING_ENTRIES];
	unsigned int i, count;
	bool over = false;

	count = submit_all(&self->ring, self->fd, self->good);
	vfio_reset(self->target);
	ASSERT_EQ(count, ring_ready(&self->ring, results, count));
	for (i = 0; i < count; i++) {
		int result = ring_result_of(results, count, i);

		over = over || result < 0;
		EXPECT_TRUE(over ? result == -ENODEV : result > 0)
			TH_LOG("request %u: %d", i, result);
	}
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

/* Who does not wait for the answers cannot know: all or a clean error. */
TEST_F(writing, stop_meets_requests)
{
	struct ring_result results[RING_ENTRIES];
	unsigned int i, count, taken = 0;
	int error;

	count = submit_all(&self->ring, self->fd, self->good);
	error = __mig_set_state(self->target, STATE_STOP, NULL);
	ring_wait(&self->ring, results, count, LATER);
	for (i = 0; i < count; i++)
		taken += ring_result_of(results, count, i) > 0;
	if (error) {
		EXPECT_GT(count, taken);
		EXPECT_EQ(STATE_RESUMING, mig_state(self->target));
		vfio_reset(self->target);
	} else {
		EXPECT_EQ(count, taken);
		EXPECT_TRUE(saving_arrived(&self->saving));
	}
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

TEST_F_TIMEOUT(writing, killed_writer, 60)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		pid_t child = fork();
		int status;

		ASSERT_LE(0, child);
		if (!child) {
			struct ring ring;

			ring_open(&ring, 0);
			submit_all(&ring, self->fd, self->good);
			pause();
			_exit(1);
		}
		usleep(i * 1000);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, LATER));
		close(self->fd);
		vfio_reset(self->target);
		self->fd = mig_begin(self->target, STATE_RESUMING);
	}
	vfio_reset(self->target);
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
