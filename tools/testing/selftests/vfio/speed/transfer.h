/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole stream through buffers that hold a record each: one after the other with
 * read() or write(), or several at once with io_uring.
 */
#ifndef SPEED_TRANSFER_H
#define SPEED_TRANSFER_H

#include <linux/vfio_mig.h>
#include <sys/uio.h>

#include "device.h"
#include "ring.h"

#define TRANSFER_DEPTH 4

/**
 * struct transfer - buffers, and what is done with what is in them
 * @record_size: bytes of a record's payload at most
 * @room: memory of a buffer; the payload begins at its second page
 * @memory: the buffers
 * @parts: header and payload of each buffer
 * @passes: how often the user goes over the data
 * @sum: what he finds
 * @ring: for several at once
 * @results: of those that are complete
 */
struct transfer {
	size_t record_size;
	size_t room;
	unsigned char *memory;
	struct iovec parts[TRANSFER_DEPTH][2];
	unsigned int passes;
	uint64_t sum;
	struct ring ring;
	struct ring_result results[TRANSFER_DEPTH];
};

/**
 * struct outcome - what a transfer took
 * @us: microseconds
 * @bytes: of the stream
 */
struct outcome {
	uint64_t us;
	uint64_t bytes;
};

void transfer_open(struct transfer *transfer, size_t record_size);
void transfer_close(struct transfer *transfer);

/* Reads what follows the preamble, by records. The user goes over each @passes times. */
struct outcome transfer_read(struct transfer *transfer, struct speed_device *device);
struct outcome transfer_read_queued(struct transfer *transfer, struct speed_device *device);
/* The latter for any FD whose next record is an image, to the end. */
struct outcome transfer_queue_all(struct transfer *transfer, int fd);
/* Has a device load a stream, record by record, which the user goes over before. */
struct outcome transfer_write(struct transfer *transfer, struct speed_device *device,
			      const struct blob *stream);
struct outcome transfer_write_queued(struct transfer *transfer, struct speed_device *device,
				     const struct blob *stream);

/* Going over the data takes about as long as so many microseconds for a record. */
void transfer_tune(struct transfer *transfer, double us);

#endif /* SPEED_TRANSFER_H */
