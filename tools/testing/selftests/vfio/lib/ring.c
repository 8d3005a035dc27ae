// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of liburing, and whole streams through them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring.h"

int __ring_open(struct ring *ring, unsigned int flags)
{
	return io_uring_queue_init(RING_ENTRIES, &ring->uring, flags);
}

void ring_close(struct ring *ring)
{
	io_uring_queue_exit(&ring->uring);
}

static struct io_uring_sqe *next_entry(struct ring *ring)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

	if (!entry)
		fail("more than %u requests at once", RING_ENTRIES);
	return entry;
}

struct io_uring_sqe *ring_read(struct ring *ring, int fd, void *data, size_t length, uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_read(entry, fd, data, length, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_write(struct ring *ring, int fd, const void *data, size_t length,
				uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_write(entry, fd, data, length, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_readv(struct ring *ring, int fd, const struct iovec *parts,
				unsigned int count, uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_readv(entry, fd, parts, count, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_writev(struct ring *ring, int fd, const struct iovec *parts,
				 unsigned int count, uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_writev(entry, fd, parts, count, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_read_fixed(struct ring *ring, int fd, void *data, size_t length,
				     uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_read_fixed(entry, fd, data, length, 0, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_write_fixed(struct ring *ring, int fd, const void *data, size_t length,
				      uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_write_fixed(entry, fd, data, length, 0, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_poll(struct ring *ring, int fd, unsigned int events, uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_poll_add(entry, fd, events);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

struct io_uring_sqe *ring_cancel(struct ring *ring, uint64_t victim, uint64_t id)
{
	struct io_uring_sqe *entry = next_entry(ring);

	io_uring_prep_cancel64(entry, victim, 0);
	io_uring_sqe_set_data64(entry, id);
	return entry;
}

int __ring_submit(struct ring *ring)
{
	bool polled = ring->uring.flags & IORING_SETUP_SQPOLL;
	int done;

	do {
		done = io_uring_submit(&ring->uring);
		if (done < 0)
			return done;
		/* a thread of the kernel's takes them when it likes */
	} while (!polled && done && io_uring_sq_ready(&ring->uring));
	return !polled && io_uring_sq_ready(&ring->uring) ? -EIO : 0;
}

static void take_result(struct ring *ring, struct io_uring_cqe *entry, struct ring_result *result)
{
	result->id = io_uring_cqe_get_data64(entry);
	result->result = entry->res;
	io_uring_cqe_seen(&ring->uring, entry);
}

int __ring_wait(struct ring *ring, struct ring_result *results, unsigned int count,
		unsigned int milliseconds)
{
	uint64_t end = now_us() + milliseconds * 1000ULL;
	unsigned int i;

	for (i = 0; i < count; i++) {
		uint64_t now = now_us(), left = now < end ? end - now : 0;
		struct __kernel_timespec limit = {
			.tv_sec = left / 1000000,
			.tv_nsec = left % 1000000 * 1000,
		};
		struct io_uring_cqe *entry;
		int error;

		do {
			error = io_uring_wait_cqe_timeout(&ring->uring, &entry, &limit);
		} while (error == -EINTR);
		if (error)
			return error;
		take_result(ring, entry, &results[i]);
	}
	return 0;
}

unsigned int ring_ready(struct ring *ring, struct ring_result *results, unsigned int room)
{
	struct io_uring_cqe *entry;
	unsigned int count = 0;

	while (count < room && !io_uring_peek_cqe(&ring->uring, &entry))
		take_result(ring, entry, &results[count++]);
	return count;
}

int ring_result_of(const struct ring_result *results, unsigned int count, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (results[i].id == id)
			return results[i].result;
	fail("request %llu did not come back", (unsigned long long)id);
}

int __ring_register_buffer(struct ring *ring, void *data, size_t length)
{
	struct iovec buffer = { data, length };

	return io_uring_register_buffers(&ring->uring, &buffer, 1);
}

int __ring_register_file(struct ring *ring, int fd)
{
	return io_uring_register_files(&ring->uring, &fd, 1);
}

/**
 * struct slot - a request of a stream
 * @data: its buffer
 * @parts: the segments of @data
 * @size: bytes that it asks for
 * @result: what became of it
 * @done: it is over
 */
struct slot {
	unsigned char *data;
	struct iovec parts[3];
	size_t size;
	int result;
	bool done;
};

/**
 * struct flow - a stream on its way through a ring
 * @ring: the ring
 * @transfer: how
 * @memory: the buffers of all slots
 * @room: bytes of a slot's buffer
 * @slots: requests under way, each in the slot of its number modulo the depth
 * @next: number of the next request to submit
 * @oldest: number of the oldest one that was not looked at
 */
struct flow {
	struct ring *ring;
	const struct ring_transfer *transfer;
	unsigned char *memory;
	size_t room;
	struct slot slots[RING_ENTRIES];
	uint64_t next;
	uint64_t oldest;
};

static struct slot *slot_of(struct flow *flow, uint64_t id)
{
	return &flow->slots[id % flow->transfer->depth];
}

static size_t flow_bytes(const struct flow *flow)
{
	return flow->room * flow->transfer->depth;
}

static int flow_begin(struct flow *flow, struct ring *ring, const struct ring_transfer *transfer)
{
	unsigned int i;

	memset(flow, 0, sizeof(*flow));
	flow->ring = ring;
	flow->transfer = transfer;
	for (i = 0; i < transfer->nr_sizes; i++)
		if (transfer->sizes[i] > flow->room)
			flow->room = transfer->sizes[i];
	flow->room = (flow->room + 4095) & ~4095UL;
	flow->memory = mmap(NULL, flow_bytes(flow), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (flow->memory == MAP_FAILED)
		return -errno;
	for (i = 0; i < transfer->depth; i++)
		flow->slots[i].data = flow->memory + i * flow->room;
	if (transfer->fixed_buffers)
		return __ring_register_buffer(ring, flow->memory, flow_bytes(flow));
	return 0;
}

/* Requests that are still under way after an error keep the memory. */
static void flow_end(struct flow *flow)
{
	if (flow->transfer->fixed_buffers)
		io_uring_unregister_buffers(&flow->ring->uring);
	if (flow->next == flow->oldest)
		munmap(flow->memory, flow_bytes(flow));
}

/* A short one, an empty one, and the rest. */
static void split_slot(struct slot *slot)
{
	size_t first = slot->size < 3 ? slot->size : 3;

	slot->parts[0] = (struct iovec){ slot->data, first };
	slot->parts[1] = (struct iovec){ slot->data, 0 };
	slot->parts[2] = (struct iovec){ slot->data + first, slot->size - first };
}

static struct slot *flow_next_slot(struct flow *flow)
{
	const struct ring_transfer *transfer = flow->transfer;
	struct slot *slot = slot_of(flow, flow->next);

	slot->size = transfer->sizes[flow->next % transfer->nr_sizes];
	slot->done = false;
	return slot;
}

static void flow_prepare(struct flow *flow, struct slot *slot, bool store)
{
	const struct ring_transfer *transfer = flow->transfer;
	struct ring *ring = flow->ring;
	uint64_t id = flow->next++;
	struct io_uring_sqe *entry;
	int fd = transfer->fd;

	split_slot(slot);
	if (transfer->vectors)
		entry = store ? ring_writev(ring, fd, slot->parts, 3, id) :
			ring_readv(ring, fd, slot->parts, 3, id);
	else if (transfer->fixed_buffers)
		entry = store ? ring_write_fixed(ring, fd, slot->data, slot->size, id) :
			ring_read_fixed(ring, fd, slot->data, slot->size, id);
	else
		entry = store ? ring_write(ring, fd, slot->data, slot->size, id) :
			ring_read(ring, fd, slot->data, slot->size, id);
	if (transfer->fixed_file)
		entry->flags |= IOSQE_FIXED_FILE;
}

/* Results come in any order. Returns the oldest request's slot when it is over. */
static int flow_wait(struct flow *flow, struct slot **oldest)
{
	struct slot *slot = slot_of(flow, flow->oldest);
	struct ring_result result;
	int error = 0;

	while (!error && !slot->done) {
		error = __ring_wait(flow->ring, &result, 1, LATER);
		if (error)
			break;
		if (result.id < flow->oldest || result.id >= flow->next)
			return -EPROTO;
		slot_of(flow, result.id)->result = result.result;
		slot_of(flow, result.id)->done = true;
	}
	flow->oldest += !error;
	*oldest = slot;
	return error;
}

/* Takes what a read brought; @ended: whether there is more to come. */
static int flow_take(struct flow *flow, struct blob *blob, bool *ended)
{
	struct slot *slot;
	int error = flow_wait(flow, &slot);

	if (error)
		return error;
	if (slot->result < 0)
		return slot->result;
	if (slot->result > slot->size || (*ended && slot->result))
		return -EIO;
	blob_append(blob, slot->data, slot->result);
	*ended = *ended || !slot->result;
	return 0;
}

int __ring_stream_read(struct ring *ring, const struct ring_transfer *transfer,
		       struct blob *blob)
{
	bool ended = false;
	struct flow flow;
	int error = flow_begin(&flow, ring, transfer);

	while (!error && (!ended || flow.oldest < flow.next)) {
		while (!ended && flow.next - flow.oldest < transfer->depth)
			flow_prepare(&flow, flow_next_slot(&flow), false);
		error = __ring_submit(ring);
		if (!error)
			error = flow_take(&flow, blob, &ended);
	}
	flow_end(&flow);
	return error;
}

static int flow_confirm(struct flow *flow)
{
	struct slot *slot;
	int error = flow_wait(flow, &slot);

	if (error)
		return error;
	return slot->result < 0 ? slot->result : slot->result == slot->size ? 0 : -EIO;
}

int __ring_stream_write(struct ring *ring, const struct ring_transfer *transfer,
			const struct blob *blob)
{
	struct flow flow;
	size_t at = 0;
	int error = flow_begin(&flow, ring, transfer);

	while (!error && (at < blob->length || flow.oldest < flow.next)) {
		while (at < blob->length && flow.next - flow.oldest < transfer->depth) {
			struct slot *slot = flow_next_slot(&flow);

			if (slot->size > blob->length - at)
				slot->size = blob->length - at;
			memcpy(slot->data, blob->data + at, slot->size);
			at += slot->size;
			flow_prepare(&flow, slot, true);
		}
		error = __ring_submit(ring);
		if (!error)
			error = flow_confirm(&flow);
	}
	flow_end(&flow);
	return error;
}
