// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast a large state comes out of the data FD, beside the same bytes out of a memfd,
 * and how much memory the kernel needs meanwhile. Only a ratio means something in an
 * emulated machine; there is no speed that a test demands.
 */
#include <errno.h>
#include <sys/mman.h>

#include "harness.h"
#include "memory.h"
#include "pair.h"

#define STATE_SIZE	(64 * MIB)
/* Four buffers of 8 MiB, and what else goes on. */
#define POOL_LIMIT	(40 * MIB)

FIXTURE(speed)
{
	struct pair pair;
	unsigned char *buffer;
};

FIXTURE_VARIANT(speed)
{
	uint64_t chunk_size;
};

FIXTURE_VARIANT_ADD(speed, chunked) { .chunk_size = SIM_CHUNK };
FIXTURE_VARIANT_ADD(speed, whole) { .chunk_size = 0 };

FIXTURE_SETUP(speed)
{
	struct sim_config config = our_pair;

	config.chunk_size = variant->chunk_size;
	pair_open(&self->pair, &config);
	sim_bulk_fill(self->pair.source.address, STATE_SIZE, 77);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
	self->buffer = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffer);
}

FIXTURE_TEARDOWN_PARENT(speed)
{
	sim_teardown(_metadata->exit_code);
}

static uint64_t time_memfd(unsigned char *buffer)
{
	int fd = memfd_create("state", MFD_CLOEXEC);
	uint64_t start, at;

	for (at = 0; at < STATE_SIZE; at += MIB)
		if (pwrite(fd, buffer, MIB, at) != MIB)
			fail("memfd");
	start = now_us();
	for (at = 0; at < STATE_SIZE; at += MIB)
		if (pread(fd, buffer, MIB, at) != MIB)
			fail("memfd");
	start = now_us() - start;
	close(fd);
	return start;
}

/* @lowest: the least memory available meanwhile, or NULL: looking costs time. */
static uint64_t time_session(struct pair *pair, unsigned char *buffer, uint64_t *bytes,
			     uint64_t *lowest)
{
	uint64_t start = now_us();
	int fd = mig_begin(&pair->source, STATE_STOP_COPY);
	ssize_t done;

	*bytes = 0;
	while ((done = read(fd, buffer, MIB)) > 0) {
		uint64_t now;

		*bytes += done;
		if (lowest) {
			now = memory_available();
			*lowest = now < *lowest ? now : *lowest;
		}
	}
	if (done)
		fail("read: %s", strerror(errno));
	mig_set_state(&pair->source, STATE_STOP, NULL);
	close(fd);
	return now_us() - start;
}

TEST_F_TIMEOUT(speed, beside_memfd, 120)
{
	uint64_t memfd, session, bytes;

	/* the second run of each counts */
	time_memfd(self->buffer);
	memfd = time_memfd(self->buffer);
	time_session(&self->pair, self->buffer, &bytes, NULL);
	session = time_session(&self->pair, self->buffer, &bytes, NULL);
	EXPECT_LE(STATE_SIZE, bytes);
	ASSERT_LT(0, memfd);
	ASSERT_LT(0, session);
	ksft_print_msg("64 MiB: data FD %llu MB/s, memfd %llu MB/s, ratio %.2f\n",
		       (unsigned long long)(bytes / session),
		       (unsigned long long)(STATE_SIZE / memfd),
		       (double)bytes / session / ((double)STATE_SIZE / memfd));
}

TEST_F_TIMEOUT(speed, memory_of_a_session, 120)
{
	uint64_t before, bytes, lowest = ~0ULL;
	long grown;

	/* the first one fills caches that stay */
	time_session(&self->pair, self->buffer, &bytes, NULL);
	before = memory_available();
	time_session(&self->pair, self->buffer, &bytes, &lowest);
	EXPECT_LE(STATE_SIZE, bytes);
	grown = before - lowest;
	ksft_print_msg("a session of 64 MiB needs %ld KiB\n", grown >> 10);
	/* without chunks the firmware wants one buffer for all of it */
	if (variant->chunk_size)
		EXPECT_GT((long)POOL_LIMIT, grown);
	/* and gives everything back */
	EXPECT_GT(8L << 20, (long)(before - memory_available()));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
