// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's driver: the init segment in the BAR, one command at a time in the queue,
 * messages in chains of blocks, and an event queue.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "firmware.h"
#include "guest.h"

/* init segment */
#define QUEUE_HIGH	0x10
#define QUEUE_LOW	0x14
#define DOORBELL	0x18

/* the only entry of the queue that the driver uses */
#define ENTRY		0
#define ENTRY_TYPE	7
#define ENTRY_TYPE_AT	0x00
#define IN_LENGTH	0x04
#define IN_POINTER	0x08
#define IN		0x10
#define OUT		0x20
#define OUT_POINTER	0x30
#define OUT_LENGTH	0x38
#define TOKEN		0x3c
#define OWNER		0x3f
#define OWNER_DEVICE	1

#define INLINE		16
#define BLOCK_DATA	512
#define BLOCK_NEXT	0x230
#define BLOCK_NUMBER	0x238
#define BLOCK_TOKEN	0x23d
#define BLOCK_STRIDE	1024

#define PAGE		4096
/* in the memory; each begins a page */
#define QUEUE_AT	0
#define EVENTS_AT	PAGE
#define IN_AT		(2 * PAGE)
#define OUT_AT		(IN_AT + 3 * PAGE)
#define MEMORY_SIZE	(OUT_AT + 3 * PAGE)
#define MEMORY_IOVA	0x30000000ULL

#define EVENT_COMMAND	10
#define EVENT_TYPE	1
#define EVENT_SLOTS	0x20
#define EVENT_OWNER	0x3f

static volatile uint32_t *guest_register(struct guest *guest, unsigned int reg)
{
	return guest->dev->bar + reg;
}

static unsigned char *entry_of(struct guest *guest)
{
	return guest->memory + QUEUE_AT + ENTRY * 64;
}

int __guest_attach(struct guest *guest, struct vfio_device *dev)
{
	memset(guest, 0, sizeof(*guest));
	guest->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guest->memory == MAP_FAILED)
		return -errno;
	guest->interrupt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (guest->interrupt < 0)
		return -errno;
	guest_forget(guest);
	guest_move(guest, dev);
	return __guest_share(guest, dev);
}

int __guest_share(struct guest *guest, struct vfio_device *dev)
{
	int error = dev->bar ? 0 : __vfio_map_bar(dev);

	if (error)
		return error;
	vfio_bus_master(dev, true);
	error = __vfio_msix(dev, &guest->interrupt, 1);
	if (error)
		return error;
	return __vfio_dma_map(dev, guest->memory, MEMORY_IOVA, MEMORY_SIZE, DMA_READ_WRITE);
}

void guest_move(struct guest *guest, struct vfio_device *dev)
{
	guest->dev = dev;
}

static unsigned char *event_of(struct guest *guest, uint32_t number)
{
	return guest->memory + EVENTS_AT + number % GUEST_EVENTS * GUEST_EVENT_SIZE;
}

void guest_forget(struct guest *guest)
{
	unsigned int i;

	guest->events = false;
	guest->eqn = 0;
	guest->taken = 0;
	for (i = 0; i < GUEST_EVENTS; i++)
		event_of(guest, i)[EVENT_OWNER] = 1;
}

void guest_resume(struct guest *guest, uint32_t eqn, uint32_t taken)
{
	uint32_t number;

	guest->events = true;
	guest->eqn = eqn;
	guest->taken = taken;
	/* none of the next ones is there yet */
	for (number = taken; number < taken + GUEST_EVENTS; number++)
		event_of(guest, number)[EVENT_OWNER] = !(number >> GUEST_LOG_EVENTS & 1);
}

void guest_begin(struct guest *guest, enum guest_opcode opcode, unsigned int op_mod)
{
	memset(guest->in, 0, sizeof(guest->in));
	memset(guest->out, 0, sizeof(guest->out));
	firmware_put(guest->in, 0, opcode << 16);
	firmware_put(guest->in, 4, op_mod);
}

static size_t blocks_of(size_t length)
{
	return length > INLINE ? (length - INLINE + BLOCK_DATA - 1) / BLOCK_DATA : 0;
}

/* A chain of blocks for a message of @length bytes. */
static void make_chain(struct guest *guest, unsigned int at, size_t length, const void *data)
{
	size_t i, blocks = blocks_of(length);

	for (i = 0; i < blocks; i++) {
		unsigned char *block = guest->memory + at + i * BLOCK_STRIDE;
		uint64_t next = MEMORY_IOVA + at + (i + 1) * BLOCK_STRIDE;

		memset(block, 0, BLOCK_STRIDE);
		if (data)
			memcpy(block, data + INLINE + i * BLOCK_DATA, BLOCK_DATA);
		firmware_put64(block, BLOCK_NEXT, i + 1 < blocks ? next : 0);
		firmware_put(block, BLOCK_NUMBER, i);
		block[BLOCK_TOKEN] = guest->token;
	}
}

void guest_write(struct guest *guest, size_t in_length, size_t out_length)
{
	unsigned char *entry = entry_of(guest);

	if (!++guest->token)
		guest->token = 1;
	make_chain(guest, IN_AT, in_length, guest->in);
	make_chain(guest, OUT_AT, out_length, NULL);
	memset(entry, 0, 64);
	entry[ENTRY_TYPE_AT] = ENTRY_TYPE;
	firmware_put(entry, IN_LENGTH, in_length);
	firmware_put64(entry, IN_POINTER, in_length > INLINE ? MEMORY_IOVA + IN_AT : 0);
	memcpy(entry + IN, guest->in, INLINE);
	firmware_put64(entry, OUT_POINTER, out_length > INLINE ? MEMORY_IOVA + OUT_AT : 0);
	firmware_put(entry, OUT_LENGTH, out_length);
	entry[TOKEN] = guest->token;
	__atomic_store_n(&entry[OWNER], OWNER_DEVICE, __ATOMIC_RELEASE);
}

void guest_ring(struct guest *guest)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*guest_register(guest, DOORBELL) = htobe32(1 << ENTRY);
}

void guest_post(struct guest *guest, size_t in_length, size_t out_length)
{
	guest_write(guest, in_length, out_length);
	guest_ring(guest);
}

bool guest_is_answered(struct guest *guest)
{
	return !(__atomic_load_n(&entry_of(guest)[OWNER], __ATOMIC_ACQUIRE) & OWNER_DEVICE);
}

static bool event_is_there(struct guest *guest)
{
	unsigned char owner = __atomic_load_n(&event_of(guest, guest->taken)[EVENT_OWNER],
					      __ATOMIC_ACQUIRE);

	return (owner & 1) == (guest->taken >> GUEST_LOG_EVENTS & 1);
}

/* The event of the answer, after at least one interrupt. */
static int take_event(struct guest *guest)
{
	unsigned char *event = event_of(guest, guest->taken);
	uint64_t interrupts;

	if (!wait_until(read(guest->interrupt, &interrupts, 8) == 8 && event_is_there(guest),
			LATER))
		return -ETIMEDOUT;
	if (event[EVENT_TYPE] != EVENT_COMMAND ||
	    firmware_get(event, EVENT_SLOTS) != 1 << ENTRY)
		return -EBADMSG;
	guest->taken++;
	return 0;
}

int __guest_wait(struct guest *guest, size_t out_length)
{
	unsigned char *entry = entry_of(guest);
	size_t i;
	int error;

	if (!wait_until(guest_is_answered(guest), LATER))
		return -ETIMEDOUT;
	error = guest->events ? take_event(guest) : 0;
	if (error)
		return error;
	/* the rest of the byte tells whether the command could be read */
	if (entry[OWNER])
		return -EPROTO;
	memcpy(guest->out, entry + OUT, INLINE);
	for (i = 0; i < blocks_of(out_length); i++)
		memcpy(guest->out + INLINE + i * BLOCK_DATA,
		       guest->memory + OUT_AT + i * BLOCK_STRIDE, BLOCK_DATA);
	return firmware_get(guest->out, 0) >> 24;
}

int __guest_run(struct guest *guest, size_t in_length, size_t out_length)
{
	guest_post(guest, in_length, out_length);
	return __guest_wait(guest, out_length);
}

/* A status that is no success, as an error. */
static int only_success(int status)
{
	return status > 0 ? -EIO : status;
}

static int simple(struct guest *guest, enum guest_opcode opcode)
{
	guest_begin(guest, opcode, 0);
	return only_success(__guest_run(guest, 16, 16));
}

int __guest_start(struct guest *guest)
{
	int error;

	*guest_register(guest, QUEUE_HIGH) = htobe32((MEMORY_IOVA + QUEUE_AT) >> 32);
	*guest_register(guest, QUEUE_LOW) = htobe32(MEMORY_IOVA + QUEUE_AT);
	error = simple(guest, GUEST_ENABLE_HCA);
	if (error)
		return error;
	guest_begin(guest, GUEST_INIT_HCA, 0);
	return only_success(__guest_run(guest, 32, 16));
}

int __guest_use_events(struct guest *guest)
{
	int error;

	guest_begin(guest, GUEST_CREATE_EQ, 0);
	firmware_put(guest->in, 0x1c, GUEST_LOG_EVENTS << 24);
	firmware_put64(guest->in, 0x58, 1 << EVENT_COMMAND);
	firmware_put64(guest->in, 0x110, MEMORY_IOVA + EVENTS_AT);
	error = only_success(__guest_run(guest, 0x118, 16));
	if (error)
		return error;
	guest->eqn = firmware_get(guest->out, 8) & 0xff;
	guest->events = true;
	return 0;
}

int __guest_stop(struct guest *guest)
{
	int error = 0;

	if (guest->events) {
		/* nobody tells of the end of what tells */
		guest->events = false;
		guest_begin(guest, GUEST_DESTROY_EQ, 0);
		firmware_put(guest->in, 8, guest->eqn);
		error = only_success(__guest_run(guest, 16, 16));
	}
	if (!error)
		error = simple(guest, GUEST_TEARDOWN_HCA);
	if (!error)
		error = simple(guest, GUEST_DISABLE_HCA);
	guest_forget(guest);
	return error;
}

int __guest_alloc_uar(struct guest *guest, uint32_t *uar)
{
	int status;

	guest_begin(guest, GUEST_ALLOC_UAR, 0);
	status = __guest_run(guest, 16, 16);
	*uar = firmware_get(guest->out, 8);
	return status;
}

int __guest_dealloc_uar(struct guest *guest, uint32_t uar)
{
	guest_begin(guest, GUEST_DEALLOC_UAR, 0);
	firmware_put(guest->in, 8, uar);
	return __guest_run(guest, 16, 16);
}

int __guest_vhca_id(struct guest *guest, uint32_t *id)
{
	int status;

	/* the general capabilities as they are */
	guest_begin(guest, GUEST_QUERY_HCA_CAP, 1);
	status = __guest_run(guest, 16, 16 + 4096);
	*id = firmware_get(guest->out, 16 + 4) & 0xffff;
	return status;
}
