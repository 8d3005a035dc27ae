/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests through io_uring, with a time limit on everything that waits. A request
 * is prepared, goes out with ring_submit(), and comes back with the number that it
 * was given.
 */
#ifndef LIB_RING_H
#define LIB_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "migration.h"

/* Requests that a ring has room for. */
#define RING_ENTRIES 64

/**
 * struct ring - a pair of queues
 * @uring: what liburing knows of it
 */
struct ring {
	struct io_uring uring;
};

/**
 * struct ring_result - a request that is over
 * @id: the number it was given
 * @result: bytes, or -errno
 */
struct ring_result {
	uint64_t id;
	int result;
};

/* @flags: IORING_SETUP_ */
int __ring_open(struct ring *ring, unsigned int flags);
/* With requests under way as well. */
void ring_close(struct ring *ring);

/* The entry is returned for those who want more flags. */
struct io_uring_sqe *ring_read(struct ring *ring, int fd, void *data, size_t length, uint64_t id);
struct io_uring_sqe *ring_write(struct ring *ring, int fd, const void *data, size_t length,
				uint64_t id);
struct io_uring_sqe *ring_readv(struct ring *ring, int fd, const struct iovec *parts,
				unsigned int count, uint64_t id);
struct io_uring_sqe *ring_writev(struct ring *ring, int fd, const struct iovec *parts,
				 unsigned int count, uint64_t id);
/* In the registered buffer number 0. */
struct io_uring_sqe *ring_read_fixed(struct ring *ring, int fd, void *data, size_t length,
				     uint64_t id);
struct io_uring_sqe *ring_write_fixed(struct ring *ring, int fd, const void *data, size_t length,
				      uint64_t id);
struct io_uring_sqe *ring_poll(struct ring *ring, int fd, unsigned int events, uint64_t id);
/* The request @victim; @id is the number of the cancellation itself. */
struct io_uring_sqe *ring_cancel(struct ring *ring, uint64_t victim, uint64_t id);

/* All that was prepared goes out. */
int __ring_submit(struct ring *ring);
/* The next @count results; -ETIME if that takes longer. */
int __ring_wait(struct ring *ring, struct ring_result *results, unsigned int count,
		unsigned int milliseconds);
/* The results that are there already, at most @room: how many. */
unsigned int ring_ready(struct ring *ring, struct ring_result *results, unsigned int room);
/* What became of request @id, which is among the results. */
int ring_result_of(const struct ring_result *results, unsigned int count, uint64_t id);

/* Makes memory the registered buffer number 0, an FD the registered file number 0. */
int __ring_register_buffer(struct ring *ring, void *data, size_t length);
int __ring_register_file(struct ring *ring, int fd);

/**
 * struct ring_transfer - how a whole stream goes through a ring
 * @fd: the data FD, or the number of a registered file
 * @depth: requests under way, at most RING_ENTRIES
 * @sizes: bytes of one request after the other, again and again
 * @nr_sizes: number of @sizes
 * @fixed_buffers: use a registered buffer
 * @fixed_file: @fd is a registered file
 * @vectors: three segments each
 */
struct ring_transfer {
	int fd;
	unsigned int depth;
	const size_t *sizes;
	unsigned int nr_sizes;
	bool fixed_buffers;
	bool fixed_file;
	bool vectors;
};

/*
 * Reads to the end. What each request brought follows what the one submitted before
 * brought; -EIO if anything comes after the end.
 */
int __ring_stream_read(struct ring *ring, const struct ring_transfer *transfer,
		       struct blob *blob);
/* Writes all. A request that is cut short is an error, as the next one is under way. */
int __ring_stream_write(struct ring *ring, const struct ring_transfer *transfer,
			const struct blob *blob);

#define ring_open(...)			must(__ring_open(__VA_ARGS__))
#define ring_submit(...)		must(__ring_submit(__VA_ARGS__))
#define ring_wait(...)			must(__ring_wait(__VA_ARGS__))
#define ring_register_buffer(...)	must(__ring_register_buffer(__VA_ARGS__))
#define ring_register_file(...)		must(__ring_register_file(__VA_ARGS__))
#define ring_stream_read(...)		must(__ring_stream_read(__VA_ARGS__))
#define ring_stream_write(...)		must(__ring_stream_write(__VA_ARGS__))

#endif /* LIB_RING_H */
