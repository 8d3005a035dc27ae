// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and writing of streams, and somebody who does something with the data.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "transfer.h"

#define PAGE 4096
#define HEADER sizeof(struct vfio_mig_record_header)

void transfer_open(struct transfer *transfer, size_t record_size)
{
	unsigned int i;

	memset(transfer, 0, sizeof(*transfer));
	transfer->record_size = record_size;
	transfer->room = PAGE + ((record_size + PAGE - 1) & -PAGE);
	transfer->memory = speed_memory(transfer->room * TRANSFER_DEPTH);
	for (i = 0; i < TRANSFER_DEPTH; i++) {
		unsigned char *payload = transfer->memory + i * transfer->room + PAGE;

		transfer->parts[i][0] = (struct iovec){ payload - HEADER, HEADER };
		transfer->parts[i][1] = (struct iovec){ payload, record_size };
	}
	ring_open(&transfer->ring, 0);
}

void transfer_close(struct transfer *transfer)
{
	ring_close(&transfer->ring);
	munmap(transfer->memory, transfer->room * TRANSFER_DEPTH);
}

static void go_over(struct transfer *transfer, const void *data, size_t length)
{
	const uint64_t *words = (const void *)((uintptr_t)data & -8UL);
	unsigned int pass;
	uint64_t sum = 0;
	size_t i;

	for (pass = 0; pass < transfer->passes; pass++) {
		for (i = 0; i < length / 8; i++)
			sum = (sum << 1 | sum >> 63) + words[i];
		/* each pass has to look at memory again */
		__asm__ volatile("" : "+r"(sum) : : "memory");
	}
	transfer->sum += sum;
}

void transfer_tune(struct transfer *transfer, double us)
{
	unsigned int i, passes;
	uint64_t start;

	transfer->passes = 1;
	go_over(transfer, transfer->memory, transfer->record_size);
	start = now_us();
	for (i = 0; i < 32; i++)
		go_over(transfer, transfer->memory, transfer->record_size);
	passes = us * 32 / (now_us() - start + 1) + 0.5;
	transfer->passes = passes ?: 1;
}

/*
 * Header, then payload, as whoever takes the stream apart does it. A read() that asks for
 * more than a record has the device begin with the next one. Returns bytes.
 */
static size_t read_record(struct transfer *transfer, int fd)
{
	struct vfio_mig_record_header *header = transfer->parts[0][0].iov_base;
	size_t size;

	if (!speed_read(fd, header, sizeof(*header)))
		return 0;
	size = le64toh(header->size);
	if (!size || size > transfer->record_size ||
	    !speed_read(fd, transfer->parts[0][1].iov_base, size))
		fail("a record of %zu bytes", size);
	return sizeof(*header) + size;
}

struct outcome transfer_read(struct transfer *transfer, struct speed_device *device)
{
	int fd = speed_begin(device);
	struct outcome outcome = { .us = now_us() };
	size_t done;

	while ((done = read_record(transfer, fd))) {
		go_over(transfer, transfer->parts[0][0].iov_base, done);
		outcome.bytes += done;
	}
	outcome.us = now_us() - outcome.us;
	speed_end(device, fd);
	return outcome;
}

/*
 * Data is in the order of submission. A ring may show a request that was complete at
 * once before one that the device completed earlier.
 */
static int take_result(struct transfer *transfer, uint64_t id)
{
	struct ring_result result, *own = &transfer->results[id % TRANSFER_DEPTH];

	while (own->id != id) {
		ring_wait(&transfer->ring, &result, 1, LATER);
		transfer->results[result.id % TRANSFER_DEPTH] = result;
	}
	if (own->result < 0)
		fail("request %llu: %s", (unsigned long long)id, strerror(-own->result));
	return own->result;
}

/* Numbers begin anew. */
static void forget_results(struct transfer *transfer)
{
	unsigned int i;

	for (i = 0; i < TRANSFER_DEPTH; i++)
		transfer->results[i].id = UINT64_MAX;
}

static void queue_read(struct transfer *transfer, int fd, uint64_t id)
{
	ring_readv(&transfer->ring, fd, transfer->parts[id % TRANSFER_DEPTH], 2, id);
	ring_submit(&transfer->ring);
}

struct outcome transfer_queue_all(struct transfer *transfer, int fd)
{
	struct outcome outcome = { .us = now_us() };
	uint64_t next, oldest;
	bool ended = false;

	forget_results(transfer);
	for (next = 0; next < TRANSFER_DEPTH; next++)
		queue_read(transfer, fd, next);
	for (oldest = 0; oldest < next; oldest++) {
		int done = take_result(transfer, oldest);

		ended = ended || !done;
		if (ended)
			continue;
		go_over(transfer, transfer->parts[oldest % TRANSFER_DEPTH][0].iov_base, done);
		outcome.bytes += done;
		queue_read(transfer, fd, next++);
	}
	outcome.us = now_us() - outcome.us;
	return outcome;
}

struct outcome transfer_read_queued(struct transfer *transfer, struct speed_device *device)
{
	int fd = speed_begin(device);
	struct outcome outcome = transfer_queue_all(transfer, fd);

	speed_end(device, fd);
	return outcome;
}

/* Bytes of the record at @at, header included. */
static size_t record_at(const struct transfer *transfer, const struct blob *stream, size_t at)
{
	size_t length = HEADER + blob_record_size(stream, at);

	if (length > HEADER + transfer->record_size || length > stream->length - at)
		fail("no record at %zu", at);
	return length;
}

static void begin_to_load(struct speed_device *device, int *fd, struct outcome *outcome)
{
	*fd = mig_begin(&device->target, STATE_RESUMING);
	*outcome = (struct outcome){ .us = now_us() };
}

static void end_to_load(struct speed_device *device, int fd, struct outcome *outcome)
{
	outcome->us = now_us() - outcome->us;
	mig_set_state(&device->target, STATE_STOP, NULL);
	close(fd);
}

struct outcome transfer_write(struct transfer *transfer, struct speed_device *device,
			      const struct blob *stream)
{
	unsigned char *buffer = transfer->parts[0][0].iov_base;
	struct outcome outcome;
	size_t at, length;
	int fd;

	begin_to_load(device, &fd, &outcome);
	for (at = 0; at < stream->length; at += length) {
		length = record_at(transfer, stream, at);
		memcpy(buffer, stream->data + at, length);
		go_over(transfer, buffer, length);
		stream_write(fd, buffer, length, length);
	}
	outcome.bytes = at;
	end_to_load(device, fd, &outcome);
	return outcome;
}

static void take_write(struct transfer *transfer, size_t *lengths, uint64_t id)
{
	if (take_result(transfer, id) != lengths[id % TRANSFER_DEPTH])
		fail("a write was cut short");
}

struct outcome transfer_write_queued(struct transfer *transfer, struct speed_device *device,
				     const struct blob *stream)
{
	size_t lengths[TRANSFER_DEPTH], at, length;
	uint64_t next = 0, oldest = 0;
	struct outcome outcome;
	int fd;

	forget_results(transfer);
	begin_to_load(device, &fd, &outcome);
	for (at = 0; at < stream->length; at += length) {
		unsigned char *buffer = transfer->parts[next % TRANSFER_DEPTH][0].iov_base;

		if (next - oldest == TRANSFER_DEPTH)
			take_write(transfer, lengths, oldest++);
		length = record_at(transfer, stream, at);
		memcpy(buffer, stream->data + at, length);
		go_over(transfer, buffer, length);
		lengths[next % TRANSFER_DEPTH] = length;
		ring_write(&transfer->ring, fd, buffer, length, next++);
		ring_submit(&transfer->ring);
	}
	while (oldest < next)
		take_write(transfer, lengths, oldest++);
	outcome.bytes = at;
	end_to_load(device, fd, &outcome);
	return outcome;
}
