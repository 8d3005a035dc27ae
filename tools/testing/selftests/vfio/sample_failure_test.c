// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration by the sample driver with a device that is slow, that fails, or that does not
 * answer, and images that it has to refuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "two.h"
#include "worker.h"

#define LATENCY_US 300000

static const struct testdev_config slow_config = {
	.vfs = 2,
	.drivers = { DRIVER_SAMPLE, DRIVER_SAMPLE },
	.state_size = MEMORY,
	.save_latency = LATENCY_US,
	.load_latency = LATENCY_US,
};

FIXTURE(slow)
{
	struct two two;
};

FIXTURE_SETUP(slow)
{
	two_open(&self->two, &slow_config);
}

FIXTURE_TEARDOWN_PARENT(slow)
{
	sim_teardown(_metadata->exit_code);
}

/* The preamble is there at once, the image is waited for. */
TEST_F(slow, reads_and_writes_wait)
{
	struct blob blob = { 0 };
	uint64_t begin;

	testdev_fill(self->two.source.address, MEMORY, 15);
	begin = now_us();
	mig_save(&self->two.source, &blob, MIB);
	EXPECT_LE(LATENCY_US, now_us() - begin);
	begin = now_us();
	mig_load(&self->two.target, &blob, MIB);
	EXPECT_LE(LATENCY_US, now_us() - begin);
	EXPECT_TRUE(testdev_matches(self->two.target.address, MEMORY, 15));
	blob_free(&blob);
}

TEST_F(slow, nonblocking_reader_polls)
{
	struct blob blob = { 0 };
	struct pollfd wanted = { .events = POLLIN };
	unsigned int waits = 0;
	int error;

	testdev_fill(self->two.source.address, MEMORY, 16);
	wanted.fd = mig_begin(&self->two.source, STATE_STOP_COPY);
	fcntl(wanted.fd, F_SETFL, O_NONBLOCK);
	while ((error = __stream_read(wanted.fd, &blob, MIB)) == -EAGAIN) {
		EXPECT_EQ(1, poll(&wanted, 1, LATER));
		waits++;
	}
	EXPECT_EQ(0, error);
	EXPECT_LE(1, waits);
	EXPECT_GT(10, waits);
	mig_load(&self->two.target, &blob, MIB);
	EXPECT_TRUE(testdev_matches(self->two.target.address, MEMORY, 16));
	blob_free(&blob);
}

static long read_until_it_fails(void *argument)
{
	char byte;

	while (read(*(int *)argument, &byte, 1) == 1)
		;
	return -errno;
}

TEST_F(slow, reset_while_the_device_saves)
{
	struct worker worker;
	int fd = mig_begin(&self->two.source, STATE_STOP_COPY);

	worker_start(&worker, read_until_it_fails, &fd);
	usleep(LATENCY_US / 4);
	vfio_reset(&self->two.source);
	worker_join(&worker, LATER);
	EXPECT_EQ(-ENODEV, worker.result);
	expect_state(_metadata, &self->two.source, STATE_RUNNING);
	expect_level(_metadata, &self->two.source);
	EXPECT_TRUE(moves_pattern(&self->two, MEMORY, 17));
}

struct transfer {
	int fd;
	struct blob *blob;
};

static long write_all(void *argument)
{
	struct transfer *transfer = argument;

	return __stream_write(transfer->fd, transfer->blob->data, transfer->blob->length, MIB);
}

TEST_F(slow, reset_while_the_device_loads)
{
	struct blob blob = { 0 };
	struct transfer transfer = { .blob = &blob };
	struct worker worker;

	mig_save(&self->two.source, &blob, MIB);
	mig_set_state(&self->two.source, STATE_RUNNING, NULL);
	transfer.fd = mig_begin(&self->two.target, STATE_RESUMING);
	worker_start(&worker, write_all, &transfer);
	usleep(LATENCY_US / 4);
	vfio_reset(&self->two.target);
	worker_join(&worker, LATER);
	EXPECT_GT(0, worker.result);
	expect_state(_metadata, &self->two.target, STATE_RUNNING);
	EXPECT_TRUE(moves_pattern(&self->two, MEMORY, 18));
	blob_free(&blob);
}

FIXTURE(broken)
{
	struct two two;
};

FIXTURE_SETUP(broken)
{
	two_open(&self->two, &plain_config);
}

FIXTURE_TEARDOWN_PARENT(broken)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(broken, save_fails)
{
	struct blob blob = { 0 };
	int fd;

	testdev_fail(&self->two.host, TESTDEV_COMMAND_SAVE, TESTDEV_STATUS_INTERNAL, 1);
	fd = mig_begin(&self->two.source, STATE_STOP_COPY);
	EXPECT_EQ(-EIO, __stream_read(fd, &blob, MIB));
	EXPECT_EQ(-EIO, __stream_read(fd, &blob, MIB));
	mig_set_state(&self->two.source, STATE_RUNNING, NULL);
	EXPECT_TRUE(moves_pattern(&self->two, MEMORY, 19));
}

static void expect_load_error(struct __test_metadata *_metadata, struct two *two, uint32_t status,
			      int error)
{
	struct blob blob = { 0 };

	mig_save(&two->source, &blob, MIB);
	testdev_fail(&two->host, TESTDEV_COMMAND_LOAD, status, 1);
	EXPECT_EQ(error, __mig_load(&two->target, &blob, MIB)) TH_LOG("status %u", status);
	vfio_reset(&two->target);
	mig_set_state(&two->source, STATE_RUNNING, NULL);
	EXPECT_TRUE(moves_pattern(two, MEMORY, status));
	blob_free(&blob);
}

TEST_F(broken, load_fails)
{
	expect_load_error(_metadata, &self->two, TESTDEV_STATUS_IMAGE, -EINVAL);
	expect_load_error(_metadata, &self->two, TESTDEV_STATUS_MEMORY, -ENOMEM);
	expect_load_error(_metadata, &self->two, TESTDEV_STATUS_DMA, -EIO);
	expect_load_error(_metadata, &self->two, 1000, -EIO);
}

/* An arc that fails leaves the state as it was, and the device as the state says. */
TEST_F(broken, arcs_fail)
{
	static const uint32_t commands[] = {
		TESTDEV_COMMAND_SET_LEVEL, TESTDEV_COMMAND_TRACK, TESTDEV_COMMAND_QUERY,
	};
	static const uint32_t states[] = { STATE_PRE_COPY, STATE_STOP_COPY };
	struct vfio_device *dev = &self->two.source;
	unsigned int i, j;
	int fd;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		for (j = 0; j < ARRAY_SIZE(states); j++) {
			/* nothing changes level on the way to PRE_COPY */
			if (!i && !j)
				continue;
			testdev_fail(&self->two.host, commands[i], TESTDEV_STATUS_INTERNAL, 1);
			EXPECT_EQ(-EIO, __mig_set_state(dev, states[j], &fd))
				TH_LOG("command %u to %s", commands[i], state_name(states[j]));
			EXPECT_NE(STATE_ERROR, mig_state(dev));
			expect_level(_metadata, dev);
			mig_set_state(dev, STATE_RUNNING, NULL);
			expect_level(_metadata, dev);
		}
	}
	EXPECT_TRUE(moves_pattern(&self->two, MEMORY, 20));
}

/* PRE_COPY goes on when its way to STOP_COPY fails. */
TEST_F(broken, precopy_goes_on)
{
	struct blob blob = { 0 };
	int fd;

	testdev_fill(self->two.source.address, MEMORY, 21);
	fd = mig_begin(&self->two.source, STATE_PRE_COPY);
	read_as_told(_metadata, fd, &blob);
	testdev_fail(&self->two.host, TESTDEV_COMMAND_QUERY, TESTDEV_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_set_state(&self->two.source, STATE_STOP_COPY, NULL));
	EXPECT_TRUE(is_precopy(mig_state(&self->two.source)));
	expect_level(_metadata, &self->two.source);
	read_as_told(_metadata, fd, &blob);
	mig_set_state(&self->two.source, STATE_STOP_COPY, NULL);
	stream_read(fd, &blob, MIB);
	mig_load(&self->two.target, &blob, MIB);
	EXPECT_TRUE(testdev_matches(self->two.target.address, MEMORY, 21));
	blob_free(&blob);
}

#define TIMEOUT_FILE	"/sys/module/vfio_mig_sample_pf/parameters/timeout"

static void expect_no_answer(struct __test_metadata *_metadata, struct two *two, uint32_t command)
{
	struct blob blob = { 0 };
	int fd = -1, error;
	uint64_t size;

	testdev_fail(&two->host, command, TESTDEV_STATUS_PENDING, 1);
	error = __mig_set_state(&two->source, STATE_STOP_COPY, &fd);
	if (!error)
		error = __stream_read(fd, &blob, MIB);
	EXPECT_EQ(-ETIMEDOUT, error) TH_LOG("command %u", command);
	/* there is no other command before the end of this one */
	if (mig_state(&two->source) != STATE_STOP_COPY)
		EXPECT_EQ(-EIO, __mig_data_size(&two->source, &size));
	vfio_reset(&two->source);
	expect_state(_metadata, &two->source, STATE_RUNNING);
	expect_level(_metadata, &two->source);
	if (fd >= 0)
		close(fd);
	EXPECT_TRUE(moves_pattern(two, MEMORY, command));
	blob_free(&blob);
}

TEST_F_TIMEOUT(broken, no_answer, 60)
{
	uint64_t timeout = file_read_number(TIMEOUT_FILE);

	file_write_number(TIMEOUT_FILE, 1000);
	expect_no_answer(_metadata, &self->two, TESTDEV_COMMAND_SET_LEVEL);
	expect_no_answer(_metadata, &self->two, TESTDEV_COMMAND_TRACK);
	expect_no_answer(_metadata, &self->two, TESTDEV_COMMAND_QUERY);
	expect_no_answer(_metadata, &self->two, TESTDEV_COMMAND_SAVE);
	file_write_number(TIMEOUT_FILE, timeout);
}

TEST_F_TIMEOUT(broken, no_answer_to_load, 60)
{
	uint64_t timeout = file_read_number(TIMEOUT_FILE);
	struct two *two = &self->two;
	struct blob blob = { 0 };

	mig_save(&two->source, &blob, MIB);
	mig_set_state(&two->source, STATE_RUNNING, NULL);
	file_write_number(TIMEOUT_FILE, 1000);
	testdev_fail(&two->host, TESTDEV_COMMAND_LOAD, TESTDEV_STATUS_PENDING, 1);
	EXPECT_EQ(-ETIMEDOUT, __mig_load(&two->target, &blob, MIB));
	file_write_number(TIMEOUT_FILE, timeout);
	vfio_reset(&two->target);
	expect_state(_metadata, &two->target, STATE_RUNNING);
	EXPECT_TRUE(moves_pattern(two, MEMORY, 22));
	blob_free(&blob);
}

/* Images that the device must refuse */

/* What the header of an image begins with: magic, version, flags, length, extents. */
#define IMAGE_HEADER 112

static void expect_refused(struct __test_metadata *_metadata, struct two *two,
			   const struct blob *good, size_t offset)
{
	struct blob bad = { 0 };
	int error;

	blob_copy(&bad, good);
	bad.data[offset] ^= 0x80;
	error = __mig_load(&two->target, &bad, MIB);
	EXPECT_TRUE(!error || error == -EINVAL || error == -ENOMEM)
		TH_LOG("offset %zu: %d", offset, error);
	if (error)
		vfio_reset(&two->target);
	else
		mig_set_state(&two->target, STATE_RUNNING, NULL);
	blob_free(&bad);
}

TEST_F_TIMEOUT(broken, images_with_flipped_bits, 120)
{
	struct two *two = &self->two;
	struct blob blob = { 0 };
	size_t offset, image;

	testdev_resize(two->source.address, 10000);
	mig_save(&two->source, &blob, MIB);
	mig_set_state(&two->source, STATE_RUNNING, NULL);
	image = blob_find_image(&blob, 0) + sizeof(struct vfio_mig_record_header);
	/* the header and what stands before the first block */
	for (offset = 0; offset < IMAGE_HEADER + 16; offset += 3)
		expect_refused(_metadata, two, &blob, image + offset);
	mig_load(&two->target, &blob, MIB);
	EXPECT_EQ(10000, testdev_size(two->target.address));
	blob_free(&blob);
}

TEST_F(broken, image_magic_is_checked)
{
	struct blob blob = { 0 };

	mig_save(&self->two.source, &blob, MIB);
	blob.data[blob_find_image(&blob, 0) + sizeof(struct vfio_mig_record_header)] ^= 1;
	EXPECT_EQ(-EINVAL, __mig_load(&self->two.target, &blob, MIB));
	blob_free(&blob);
}

int main(int argc, char **argv)
{
	testdev_prepare();
	return test_harness_run(argc, argv);
}
