// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many readers of one data FD, blocking and asynchronous: together they get the stream,
 * each of them in order, no byte twice and none lost.
 */
#include <errno.h>

#include "harness.h"
#include "ring.h"
#include "saving.h"
#include "worker.h"

#define PIECE		997
#define MAX_PIECES	1024
#define MAX_READERS	32

/**
 * struct reader - one that has at most one read under way
 * @data: what it got
 * @pieces: number of times that it got something
 * @ends: where each of them ends in @data
 */
struct reader {
	struct blob data;
	unsigned int pieces;
	size_t ends[MAX_PIECES];
};

/**
 * struct group - what a thread does
 * @fd: what all read from
 * @readers: readers of the thread
 * @count: number of them; their requests go through a ring
 * @blocking: there is one, which uses read()
 */
struct group {
	int fd;
	struct reader *readers;
	unsigned int count;
	bool blocking;
};

static int keep_piece(struct reader *reader, const void *data, size_t length)
{
	if (reader->pieces == MAX_PIECES)
		return -E2BIG;
	blob_append(&reader->data, data, length);
	reader->ends[reader->pieces++] = reader->data.length;
	return 0;
}

static int read_blocking(struct group *group)
{
	char piece[PIECE];
	ssize_t done;
	int error;

	do {
		done = read(group->fd, piece, sizeof(piece));
		error = done < 0 ? -errno : done ? keep_piece(group->readers, piece, done) : 0;
	} while (done > 0 && !error);
	return error;
}

/* A request for each reader; @ended: one found the end. */
static int read_batch(struct group *group, struct ring *ring, bool *ended)
{
	struct ring_result results[MAX_READERS];
	char data[MAX_READERS][PIECE];
	unsigned int i;
	int error;

	for (i = 0; i < group->count; i++)
		ring_read(ring, group->fd, data[i], PIECE, i);
	error = __ring_submit(ring);
	if (!error)
		error = __ring_wait(ring, results, group->count, LATER);
	for (i = 0; !error && i < group->count; i++) {
		int done = ring_result_of(results, group->count, i);

		if (done > 0)
			error = keep_piece(&group->readers[i], data[i], done);
		else
			error = done;
		*ended = *ended || !done;
	}
	return error;
}

static long read_share(void *argument)
{
	struct group *group = argument;
	bool ended = false;
	struct ring ring;
	int error;

	if (group->blocking)
		return read_blocking(group);
	ring_open(&ring, 0);
	do {
		error = read_batch(group, &ring, &ended);
	} while (!error && !ended);
	ring_close(&ring);
	return error;
}

/*
 * Threads that block, and threads with a ring and @depth readers each, read to the end.
 * Returns the number of readers.
 */
static unsigned int read_together(struct __test_metadata *_metadata, int fd,
				  struct reader *readers, unsigned int blocking,
				  unsigned int rings, unsigned int depth)
{
	struct worker workers[MAX_READERS];
	struct group groups[MAX_READERS];
	unsigned int i, count = 0;

	for (i = 0; i < blocking + rings; i++) {
		groups[i].fd = fd;
		groups[i].readers = readers + count;
		groups[i].blocking = i < blocking;
		groups[i].count = i < blocking ? 1 : depth;
		count += groups[i].count;
		worker_start(&workers[i], read_share, &groups[i]);
	}
	for (i = 0; i < blocking + rings; i++) {
		worker_join(&workers[i], LATER);
		EXPECT_EQ(0, workers[i].result)
			TH_LOG("thread %u", i);
	}
	return count;
}

static size_t piece_length(const struct reader *reader, unsigned int piece)
{
	return reader->ends[piece] - (piece ? reader->ends[piece - 1] : 0);
}

/*
 * The reader whose piece number @next[reader] is what stands at @at, or -1. Two can fit
 * only if one piece is tiny; the longer one is right then.
 */
static int find_reader(const struct saving *saving, const struct reader *readers,
		       unsigned int count, const unsigned int *next, size_t at)
{
	size_t longest = 0;
	unsigned int i;
	int found = -1;

	for (i = 0; i < count; i++) {
		const struct reader *reader = &readers[i];
		size_t length;

		if (next[i] == reader->pieces)
			continue;
		length = piece_length(reader, next[i]);
		if (length <= longest ||
		    !saving_fits(saving, reader->data.data + reader->ends[next[i]] - length,
				 length, at))
			continue;
		longest = length;
		found = i;
	}
	return found;
}

/* Whether the pieces of all readers, each one's in its order, make up the stream. */
static bool make_up(const struct saving *saving, const struct reader *readers,
		    unsigned int count)
{
	unsigned int i, next[MAX_READERS] = { 0 };
	size_t at = 0;

	while (at < saving->good.length) {
		int reader = find_reader(saving, readers, count, next, at);

		if (reader < 0) {
			printf("# nobody has what stands at %zu\n", at);
			return false;
		}
		at += piece_length(&readers[reader], next[reader]++);
	}
	for (i = 0; i < count; i++)
		if (next[i] != readers[i].pieces) {
			printf("# reader %u has what is not in the stream, or twice\n", i);
			return false;
		}
	return true;
}

FIXTURE(share)
{
	struct saving saving;
};

FIXTURE_VARIANT(share)
{
	unsigned int blocking;
	unsigned int rings;
	unsigned int depth;
};

FIXTURE_VARIANT_ADD(share, threads) { .blocking = 32 };
FIXTURE_VARIANT_ADD(share, requests) { .rings = 1, .depth = 32 };
FIXTURE_VARIANT_ADD(share, rings) { .rings = 8, .depth = 4 };
FIXTURE_VARIANT_ADD(share, mixed) { .blocking = 16, .rings = 8, .depth = 2 };

FIXTURE_SETUP(share)
{
	saving_open(&self->saving, &small_saving);
}

FIXTURE_TEARDOWN_PARENT(share)
{
	saving_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(share, everything_once, 60)
{
	static struct reader readers[MAX_READERS];
	unsigned int count;

	count = read_together(_metadata, self->saving.fd, readers, variant->blocking,
			      variant->rings, variant->depth);
	EXPECT_TRUE(make_up(&self->saving, readers, count));
}

FIXTURE(ended)
{
	struct saving saving;
};

FIXTURE_SETUP(ended)
{
	saving_open(&self->saving, &small_saving);
}

FIXTURE_TEARDOWN_PARENT(ended)
{
	saving_teardown(_metadata->exit_code);
}

/* Those who come too late are not kept waiting. */
TEST_F(ended, all_see_the_end)
{
	static struct reader readers[MAX_READERS];
	struct blob blob = { 0 };
	unsigned int i, count;

	stream_read(self->saving.fd, &blob, MIB);
	count = read_together(_metadata, self->saving.fd, readers, 4, 4, 4);
	for (i = 0; i < count; i++)
		EXPECT_EQ(0, readers[i].pieces);
	EXPECT_TRUE(saving_is_good(&self->saving, &blob));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}
