// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast data gets to the user when the device has nothing to do any more: all of the
 * state is in the library's pool. The same amount in a memfd is what the kernel can do at
 * best with read().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "device.h"
#include "measure.h"

#define RUNS		11
/* Two records of 8 MiB, which is what the pool takes, with what the device adds to them. */
#define STATE_SIZE	(16 * MIB - 65536)
#define PIPE_SIZE	MIB

static const struct speed_config config = {
	.state_size = STATE_SIZE,
	.record_size = RECORD_DEFAULT,
	.prefetch = PREFETCH_ALL,
};

struct bench {
	struct speed_device device;
	unsigned char *buffer;
	int memfd;
	int copy;
	int pipe[2];
};

/* A session with everything in the pool. */
static int begin(struct bench *bench)
{
	uint64_t saves = speed_saves(&bench->device);
	int fd = speed_begin(&bench->device);
	struct pollfd wanted = { .fd = fd, .events = POLLIN };

	if (poll(&wanted, 1, LATER) != 1)
		fail("no data");
	if (!wait_until(speed_saves(&bench->device) == saves + 2, LATER))
		fail("the pool does not hold all of the state");
	/* the device is through with the last record, the library may not be */
	usleep(20000);
	return fd;
}

/* Bytes per microsecond, which are MB/s. */
static double rate(uint64_t bytes, uint64_t start)
{
	return (double)bytes / (now_us() - start);
}

static double time_pool(struct bench *bench)
{
	int fd = begin(bench);
	uint64_t start = now_us(), bytes = 0;
	ssize_t done;
	double speed;

	while ((done = read(fd, bench->buffer, MIB)) > 0)
		bytes += done;
	speed = rate(bytes, start);
	if (done || bytes < STATE_SIZE)
		fail("%llu bytes, %s", (unsigned long long)bytes, strerror(errno));
	speed_end(&bench->device, fd);
	return speed;
}

static double time_memfd(struct bench *bench)
{
	uint64_t start = now_us(), at;

	for (at = 0; at < STATE_SIZE; at += MIB)
		if (pread(bench->memfd, bench->buffer, MIB, at) != MIB)
			fail("memfd");
	return rate(at, start);
}

/* Into a memfd as if it were the migration's stream: by read() and write(), or a pipe. */
static double time_copies(struct bench *bench)
{
	int fd = begin(bench);
	uint64_t start = now_us(), bytes = 0;
	ssize_t done;
	double speed;

	while ((done = read(fd, bench->buffer, MIB)) > 0) {
		if (pwrite(bench->copy, bench->buffer, done, bytes) != done)
			fail("memfd");
		bytes += done;
	}
	speed = rate(bytes, start);
	speed_end(&bench->device, fd);
	return speed;
}

static void drain(struct bench *bench, int to, ssize_t length)
{
	while (length) {
		ssize_t done = splice(bench->pipe[0], NULL, to, NULL, length, 0);

		if (done <= 0)
			fail("splice: %s", strerror(errno));
		length -= done;
	}
}

static double time_splice(struct bench *bench, int to)
{
	int fd = begin(bench);
	uint64_t start = now_us(), bytes = 0;
	ssize_t done;
	double speed;

	while ((done = splice(fd, NULL, bench->pipe[1], NULL, PIPE_SIZE, 0)) > 0) {
		drain(bench, to, done);
		bytes += done;
	}
	speed = rate(bytes, start);
	if (done || bytes < STATE_SIZE)
		fail("%llu bytes, %s", (unsigned long long)bytes, strerror(errno));
	speed_end(&bench->device, fd);
	return speed;
}

static double time_splice_to_memfd(struct bench *bench)
{
	lseek(bench->copy, 0, SEEK_SET);
	return time_splice(bench, bench->copy);
}

static int filled_memfd(unsigned char *buffer)
{
	int fd = memfd_create("state", MFD_CLOEXEC);
	uint64_t at;

	for (at = 0; at < STATE_SIZE + MIB; at += MIB)
		if (pwrite(fd, buffer, MIB, at) != MIB)
			fail("memfd");
	return fd;
}

static void compare(struct bench *bench)
{
	struct series pool = { 0 }, nowhere = { 0 }, memfd = { 0 };
	int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	unsigned int i;

	/* the first run of each does not count */
	for (i = 0; i <= RUNS; i++) {
		double copied = time_pool(bench);
		double best = time_memfd(bench);
		double spliced = time_splice(bench, sink);
		double twice = time_copies(bench);
		double once = time_splice_to_memfd(bench);

		if (!i)
			continue;
		series_add(&pool, copied / best);
		series_add(&nowhere, spliced / copied);
		series_add(&memfd, once / twice);
	}
	table_add("1 MiB `read()` of records in the pool : `pread()` of a memfd", "", &pool,
		  (struct target){ AT_LEAST, 0.9 });
	table_add("`splice()` of the same to a pipe and /dev/null : `read()`", "", &nowhere,
		  (struct target){ NO_TARGET });
	table_add("`splice()` of the same to a pipe and a memfd : `read()` and `write()`", "",
		  &memfd, (struct target){ NO_TARGET });
	close(sink);
}

void bench_ready(void)
{
	struct bench bench = { .buffer = speed_memory(MIB) };

	bench.memfd = filled_memfd(bench.buffer);
	bench.copy = filled_memfd(bench.buffer);
	if (pipe(bench.pipe) || fcntl(bench.pipe[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
		fail("cannot make a pipe");
	speed_open(&bench.device, &config);
	compare(&bench);
	speed_close(&bench.device);
	close(bench.memfd);
	close(bench.copy);
	close(bench.pipe[0]);
	close(bench.pipe[1]);
	munmap(bench.buffer, MIB);
}
