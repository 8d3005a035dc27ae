// SPDX-License-Identifier: GPL-2.0-only
/*
 * LOAD of an image while the next one arrives, with firmware that takes its time: the
 * writer goes on, nothing is lost, and all that goes wrong is told before the stream ends.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "firmware.h"
#include "ring.h"
#include "saving.h"
#include "worker.h"

#define PIECE		(64 << 10)
#define BULK_SIZE	(300 << 10)
#define SEED		21
/* Microseconds for a LOAD. */
#define LATENCY		400000
/* Record header and payload. */
#define END_BYTES	(sizeof(struct vfio_mig_record_header) + sizeof(struct vfio_mig_end))

static unsigned int count_images(const struct blob *blob)
{
	unsigned int count = 0;
	long header = -1;

	while ((header = blob_find_image(blob, header + 1)) >= 0)
		count++;
	return count;
}

/* Where in the stream the image with this number ends, from 1. */
static size_t end_of_image(const struct blob *blob, unsigned int number)
{
	size_t end = 0;

	while (number--) {
		long header = blob_find_image(blob, end);

		if (header < 0)
			fail("too few images");
		end = blob_record_end(blob, header);
	}
	return end;
}

FIXTURE(overlap)
{
	struct pair pair;
	struct vfio_device *target;
	struct blob good;
	unsigned int images;
	uint64_t loads;
	int fd;
};

FIXTURE_SETUP(overlap)
{
	struct sim_config config = our_pair;

	config.chunk_size = PIECE;
	pair_open(&self->pair, &config);
	self->target = &self->pair.target;
	sim_bulk_fill(self->pair.source.address, BULK_SIZE, SEED);
	mig_save(&self->pair.source, &self->good, PIECE);
	self->images = count_images(&self->good);
	self->loads = sim_counter(self->target->address, "loads");
	firmware_timing(&self->pair.sim, "load_latency", LATENCY);
	self->fd = mig_begin(self->target, STATE_RESUMING);
}

FIXTURE_TEARDOWN_PARENT(overlap)
{
	saving_teardown(_metadata->exit_code);
}

/* Microseconds that it takes to write this part of the stream. */
static uint64_t write_part(int fd, const struct blob *blob, size_t from, size_t to)
{
	uint64_t start = now_us();

	stream_write(fd, blob->data + from, to - from, PIECE);
	return now_us() - start;
}

/* Images that the target's firmware has loaded. */
static uint64_t loads(const struct _test_data_overlap *self)
{
	return sim_counter(self->target->address, "loads") - self->loads;
}

static void expect_arrived(struct __test_metadata *_metadata, struct pair *pair)
{
	mig_set_state(&pair->target, STATE_STOP, NULL);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, BULK_SIZE, SEED));
	firmware_calm(&pair->sim);
}

/* Firmware that is quick again, and a device that was reset. */
static void expect_recovers(struct __test_metadata *_metadata, struct pair *pair)
{
	firmware_calm(&pair->sim);
	EXPECT_TRUE(firmware_pair_recovers(pair));
}

TEST_F(overlap, writer_goes_on)
{
	const struct blob *good = &self->good;
	size_t first = end_of_image(good, 1), second = end_of_image(good, 2);

	EXPECT_GT(LATENCY, write_part(self->fd, good, 0, first));
	EXPECT_GT(LATENCY, write_part(self->fd, good, first, second));
	/* there are two buffers, and the firmware has not given back the first */
	EXPECT_LT(0, write_part(self->fd, good, second, good->length));
	expect_arrived(_metadata, &self->pair);
}

/* When the end has been written all is applied. */
TEST_F(overlap, end_waits)
{
	const struct blob *good = &self->good;
	size_t before_end = good->length - END_BYTES;

	write_part(self->fd, good, 0, before_end);
	EXPECT_FALSE(sim_bulk_matches(self->target->address, BULK_SIZE, SEED));
	EXPECT_LT(LATENCY / 4, write_part(self->fd, good, before_end, good->length));
	EXPECT_TRUE(sim_bulk_matches(self->target->address, BULK_SIZE, SEED));
	expect_arrived(_metadata, &self->pair);
}

/* As without overlap, all of the time of the firmware is part of the whole. */
TEST_F(overlap, nothing_is_skipped)
{
	uint64_t us = write_part(self->fd, &self->good, 0, self->good.length);

	EXPECT_LE(self->images * LATENCY, us);
	expect_arrived(_metadata, &self->pair);
}

/* The last image fails when nothing but the end is left to tell it. */
TEST_F(overlap, end_tells_failure)
{
	const struct blob *good = &self->good;
	size_t before_last = end_of_image(good, self->images - 1);
	size_t before_end = good->length - END_BYTES;

	write_part(self->fd, good, 0, before_last);
	ASSERT_TRUE(wait_until(loads(self) == self->images - 1, LATER));
	sim_fail(&self->pair.sim, SIM_LOAD_VHCA, SIM_STATUS_INTERNAL, 1);
	write_part(self->fd, good, before_last, before_end);
	EXPECT_EQ(-EIO, __stream_write(self->fd, good->data + before_end, END_BYTES, PIECE));
	EXPECT_EQ(-EIO, __stream_write(self->fd, good->data, 1, 1));
	EXPECT_EQ(-EIO, __mig_set_state(self->target, STATE_STOP, NULL));
	EXPECT_EQ(STATE_RESUMING, mig_state(self->target));
	expect_recovers(_metadata, &self->pair);
}

/* The first one fails while others arrive: nothing after it is applied. */
TEST_F(overlap, later_write_tells_failure)
{
	sim_fail(&self->pair.sim, SIM_LOAD_VHCA, SIM_STATUS_PARAMETER, 1);
	EXPECT_EQ(-EINVAL, __stream_write(self->fd, self->good.data, self->good.length, PIECE));
	EXPECT_EQ(0, loads(self));
	expect_recovers(_metadata, &self->pair);
}

/* Without the end it is not known that all went well. */
TEST_F(overlap, stop_without_end)
{
	write_part(self->fd, &self->good, 0, self->good.length - END_BYTES);
	EXPECT_EQ(-EBADMSG, __mig_set_state(self->target, STATE_STOP, NULL));
	EXPECT_EQ(STATE_RESUMING, mig_state(self->target));
	expect_recovers(_metadata, &self->pair);
}

/* A stream that does not announce its end: each write tells what became of its image. */
TEST_F(overlap, no_end_no_overlap)
{
	struct blob plain = { 0 };
	size_t first;

	saving_set_parameter("preamble", 0);
	mig_set_state(&self->pair.source, STATE_RUNNING, NULL);
	mig_save(&self->pair.source, &plain, PIECE);
	saving_set_parameter("preamble", 1);
	first = end_of_image(&plain, 1);
	EXPECT_LE(LATENCY, write_part(self->fd, &plain, 0, first));
	sim_fail(&self->pair.sim, SIM_LOAD_VHCA, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __stream_write(self->fd, plain.data + first,
				       end_of_image(&plain, 2) - first, PIECE));
	blob_free(&plain);
	expect_recovers(_metadata, &self->pair);
}

TEST_F(overlap, reset_with_images_behind)
{
	write_part(self->fd, &self->good, 0, end_of_image(&self->good, 2));
	vfio_reset(self->target);
	EXPECT_EQ(STATE_RUNNING, mig_state(self->target));
	EXPECT_EQ(-ENODEV, __stream_write(self->fd, self->good.data, 1, 1));
	expect_recovers(_metadata, &self->pair);
}

TEST_F(overlap, close_with_images_behind)
{
	write_part(self->fd, &self->good, 0, end_of_image(&self->good, 2));
	close(self->fd);
	vfio_close(self->target);
	vfio_open(self->target, self->pair.sim.vf[1]);
	EXPECT_EQ(STATE_RUNNING, mig_state(self->target));
	expect_recovers(_metadata, &self->pair);
}

static long write_all(void *argument)
{
	struct _test_data_overlap *self = argument;

	return __stream_write(self->fd, self->good.data, self->good.length, PIECE);
}

TEST_F(overlap, reset_of_a_waiting_writer)
{
	struct worker writer;

	worker_start(&writer, write_all, self);
	ASSERT_TRUE(wait_until(loads(self) == 1, LATER));
	vfio_reset(self->target);
	worker_join(&writer, SOON);
	EXPECT_EQ(-ENODEV, writer.result);
	EXPECT_EQ(STATE_RUNNING, mig_state(self->target));
	expect_recovers(_metadata, &self->pair);
}

/* Who is killed waits for one LOAD at the most. */
TEST_F(overlap, killed_writer)
{
	pid_t child = fork();
	int status;

	if (!child) {
		__stream_write(self->fd, self->good.data, self->good.length, PIECE);
		_exit(0);
	}
	ASSERT_LT(0, child);
	ASSERT_TRUE(wait_until(loads(self) == 1, LATER));
	kill(child, SIGKILL);
	EXPECT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, SOON));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(-EBADMSG, __mig_set_state(self->target, STATE_STOP, NULL));
	expect_recovers(_metadata, &self->pair);
}

/* Requests complete in order, and the last one when all is applied. */
TEST_F(overlap, requests)
{
	static const size_t sizes[] = { 5000, PIECE, 12345, 1 };
	struct ring_transfer transfer = {
		.fd = self->fd, .depth = 4, .sizes = sizes, .nr_sizes = 3,
	};
	struct ring ring;

	ring_open(&ring, 0);
	ring_stream_write(&ring, &transfer, &self->good);
	EXPECT_TRUE(sim_bulk_matches(self->target->address, BULK_SIZE, SEED));
	ring_close(&ring);
	expect_arrived(_metadata, &self->pair);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
