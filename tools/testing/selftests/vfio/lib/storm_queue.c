// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a storm that reads and writes data FDs through io_uring and pipes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ring.h"
#include "storm_data.h"

#define DEPTH		8
#define REQUEST		(64 << 10)
/* Numbers of cancellations are those of their victims and this. */
#define CANCELLATION	1000

struct requests {
	struct ring ring;
	char data[DEPTH][REQUEST];
	bool open;
};

/* Memory of a thread, which requests that nobody waits for may still use. */
static struct requests *get_requests(void)
{
	static __thread struct requests *requests;

	if (!requests)
		requests = calloc(1, sizeof(*requests));
	if (!requests)
		fail("no memory");
	if (!requests->open)
		ring_open(&requests->ring, 0);
	requests->open = true;
	return requests;
}

/* Returns the number of cancellations. */
static unsigned int cancel_some(struct storm_actor *actor, struct requests *requests,
				unsigned int count)
{
	unsigned int i, cancellations = 0;

	if (storm_random(actor, 4))
		return 0;
	for (i = storm_random(actor, count); i < count; i += 2) {
		ring_cancel(&requests->ring, i, CANCELLATION + i);
		cancellations++;
	}
	ring_submit(&requests->ring);
	return cancellations;
}

/* Collects results; returns the bytes up to the first request that brought nothing. */
static long collect(struct storm_actor *actor, struct requests *requests, unsigned int count,
		    unsigned int cancellations)
{
	struct ring_result results[2 * DEPTH];
	bool gap = false;
	long sum = 0;
	unsigned int i;

	if (__ring_wait(&requests->ring, results, count + cancellations, STORM_PATIENCE)) {
		storm_note(actor, -ETIME);
		return -ETIME;
	}
	for (i = 0; i < count; i++) {
		long result = storm_note(actor, ring_result_of(results, count + cancellations, i));

		gap = gap || result <= 0;
		sum += gap ? 0 : result;
	}
	return sum;
}

/* One time in eight the ring goes with what is under way in it. */
static long finish(struct storm_actor *actor, struct requests *requests, unsigned int count)
{
	unsigned int cancellations;

	ring_submit(&requests->ring);
	if (!storm_random(actor, 8)) {
		ring_close(&requests->ring);
		requests->open = false;
		return -ECANCELED;
	}
	cancellations = cancel_some(actor, requests, count);
	return collect(actor, requests, count, cancellations);
}

static void read_queued(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, true);
	unsigned int i, count = 1 + storm_random(actor, DEPTH);
	struct requests *requests = get_requests();

	if (!data)
		return;
	for (i = 0; i < count; i++)
		ring_read(&requests->ring, data->fd, requests->data[i],
			  storm_data_size(actor, REQUEST), i);
	finish(actor, requests, count);
	storm_data_put(data);
	storm_pause(actor, 1000);
}

/* Cuts a piece into requests. Returns their number. */
static unsigned int prepare_writes(struct storm_actor *actor, struct requests *requests, int fd,
				   struct storm_piece *piece)
{
	unsigned int count;
	size_t at = 0;

	for (count = 0; count < DEPTH && at < piece->length; count++) {
		size_t left = piece->length - at;
		size_t now = storm_data_size(actor, left < REQUEST ? left : REQUEST);

		ring_write(&requests->ring, fd, piece->data + at, now, count);
		at += now;
	}
	piece->length = at;
	return count;
}

static void write_queued(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, false);
	struct requests *requests = get_requests();
	struct storm_piece piece;
	unsigned int count;
	long done;

	if (!data)
		return;
	if (storm_write_begin(actor, data, DEPTH * REQUEST, &piece)) {
		count = prepare_writes(actor, requests, data->fd, &piece);
		done = finish(actor, requests, count);
		/* where the stream ends now nobody knows */
		if (done != piece.length)
			data->orderly = false;
		storm_write_end(actor, data, &piece, done);
	}
	storm_data_put(data);
	storm_pause(actor, 1000);
}

struct plumbing {
	int pipe[2];
	int sink;
};

static struct plumbing *get_plumbing(void)
{
	static __thread struct plumbing plumbing = { .sink = -1 };

	if (plumbing.sink >= 0)
		return &plumbing;
	plumbing.sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (plumbing.sink < 0 || pipe(plumbing.pipe))
		fail("cannot make a pipe");
	return &plumbing;
}

static void drain(struct plumbing *plumbing, long length)
{
	char room[4096];

	while (length > 0) {
		ssize_t done = splice(plumbing->pipe[0], NULL, plumbing->sink, NULL, length, 0);

		if (done < 0)
			done = read(plumbing->pipe[0], room, sizeof(room));
		if (done <= 0)
			fail("%ld bytes are not in the pipe", length);
		length -= done;
	}
}

static void splice_out(struct storm_actor *actor)
{
	unsigned int flags = storm_random(actor, 2) ? SPLICE_F_NONBLOCK : 0;
	struct storm_data *data = storm_data_pick(actor, true);
	struct plumbing *plumbing = get_plumbing();
	long done;

	if (!data)
		return;
	done = splice(data->fd, NULL, plumbing->pipe[1], NULL, storm_data_size(actor, 1 << 20),
		      flags);
	done = storm_note(actor, done < 0 ? -errno : done);
	drain(plumbing, done);
	storm_data_done(actor, data, done);
}

/* What fits into a pipe of 16 pages, wherever it begins. */
#define PIPE_PIECE (15 * 4096)

static long splice_piece(struct plumbing *plumbing, int fd, const struct storm_piece *piece)
{
	ssize_t done, sum = 0;

	if (write(plumbing->pipe[1], piece->data, piece->length) != piece->length)
		fail("the pipe is full");
	do {
		done = splice(plumbing->pipe[0], NULL, fd, NULL, piece->length - sum, 0);
		if (done > 0)
			sum += done;
	} while (done > 0 && sum < piece->length);
	done = sum ?: -errno;
	drain(plumbing, piece->length - sum);
	return done;
}

static void splice_in(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, false);
	struct plumbing *plumbing = get_plumbing();
	struct storm_piece piece;
	long done = 0;

	if (!data)
		return;
	if (storm_write_begin(actor, data, PIPE_PIECE, &piece)) {
		done = storm_note(actor, splice_piece(plumbing, data->fd, &piece));
		storm_write_end(actor, data, &piece, done);
	}
	storm_data_done(actor, data, done);
}

static const int queued_read_errors[] = {
	EIO, EBUSY, ENODEV, ENOMSG, EAGAIN, ECANCELED, EINTR, 0
};

static const int queued_write_errors[] = {
	EINVAL, EIO, EBUSY, ENODEV, EBADMSG, EMSGSIZE, EOPNOTSUPP, EAGAIN, ECANCELED, EINTR, 0
};

void storm_add_queue_acts(struct storm *storm, struct storm_site *site)
{
	storm_add(storm, "reads through a ring", read_queued, queued_read_errors, site);
	storm_add(storm, "writes through a ring", write_queued, queued_write_errors, site);
	storm_add(storm, "splices to a pipe", splice_out, storm_read_errors, site);
	storm_add(storm, "splices from a pipe", splice_in, storm_write_errors, site);
}
