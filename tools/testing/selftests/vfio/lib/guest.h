/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's driver of a VF, as small as can be: it starts the firmware behind the VF's
 * own BAR, gives it commands, and waits for their answers by looking or by an event.
 *
 * All that it knows is in memory that two VFs share at the same address, as if the
 * memory had moved along: guest_move() makes it go on with the other VF.
 */
#ifndef LIB_GUEST_H
#define LIB_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfio_device.h"

/* Commands that the firmware of a VF has. */
enum guest_opcode {
	GUEST_QUERY_HCA_CAP	= 0x100,
	GUEST_QUERY_ADAPTER	= 0x101,
	GUEST_INIT_HCA		= 0x102,
	GUEST_TEARDOWN_HCA	= 0x103,
	GUEST_ENABLE_HCA	= 0x104,
	GUEST_DISABLE_HCA	= 0x105,
	GUEST_CREATE_EQ		= 0x301,
	GUEST_DESTROY_EQ	= 0x302,
	GUEST_ALLOC_UAR		= 0x802,
	GUEST_DEALLOC_UAR	= 0x803,
};

/* How commands end. */
enum guest_status {
	GUEST_OK		= 0x0,
	GUEST_BAD_OPCODE	= 0x2,
	GUEST_BAD_PARAMETER	= 0x3,
	GUEST_BAD_STATE		= 0x4,
	GUEST_BAD_RESOURCE	= 0x5,
	GUEST_BUSY		= 0x6,
};

/* Largest message of the driver: 16 bytes and some blocks of 512. */
#define GUEST_BLOCKS	9
#define GUEST_MESSAGE	(16 + GUEST_BLOCKS * 512)
/* Entries of the event queue; few, so that it wraps soon. */
#define GUEST_LOG_EVENTS 3
#define GUEST_EVENTS	(1U << GUEST_LOG_EVENTS)

/* Where an event queue's owner bit and its data are, in bytes. */
#define GUEST_EVENT_SIZE 64

/**
 * struct guest - the driver
 * @dev: the VF that it drives now
 * @memory: what the VF may access
 * @interrupt: eventfd of the VF's first vector
 * @events: answers come with an event and an interrupt
 * @eqn: number of the event queue
 * @taken: events so far
 * @token: of the last command
 * @in: the command
 * @out: its answer
 */
struct guest {
	struct vfio_device *dev;
	void *memory;
	int interrupt;
	bool events;
	uint32_t eqn;
	uint32_t taken;
	uint8_t token;
	unsigned char in[GUEST_MESSAGE];
	unsigned char out[GUEST_MESSAGE];
};

/* The driver has memory, but has done nothing with the VF yet. */
int __guest_attach(struct guest *guest, struct vfio_device *dev);
/* The memory is in reach of another VF, too, which may interrupt the driver. */
int __guest_share(struct guest *guest, struct vfio_device *dev);
/* From now on it drives that VF. */
void guest_move(struct guest *guest, struct vfio_device *dev);
/* After a reset of the VF: nothing is known any more. */
void guest_forget(struct guest *guest);
/*
 * A driver that has begun elsewhere: answers come with events of queue @eqn, so many of which
 * were taken.
 */
void guest_resume(struct guest *guest, uint32_t eqn, uint32_t taken);

/* Clears @in and @out and begins a command with the first two words. */
void guest_begin(struct guest *guest, enum guest_opcode opcode, unsigned int op_mod);
/* Puts the command in @in, which is @in_length bytes long, into the queue. */
void guest_write(struct guest *guest, size_t in_length, size_t out_length);
/* Tells the VF of it. */
void guest_ring(struct guest *guest);
/* Both, without waiting. */
void guest_post(struct guest *guest, size_t in_length, size_t out_length);
/* Waits for its answer, which is in @out. Returns the status, or -errno. */
int __guest_wait(struct guest *guest, size_t out_length);
/* Both. */
int __guest_run(struct guest *guest, size_t in_length, size_t out_length);
/* The command that was posted has been taken, or answered. */
bool guest_is_answered(struct guest *guest);

/* Until the driver may make things: queue, ENABLE, INIT. */
int __guest_start(struct guest *guest);
/* From here on answers come with events. */
int __guest_use_events(struct guest *guest);
/* Destroys the event queue, ends with DISABLE. */
int __guest_stop(struct guest *guest);
/* Commands with one number in and one out. Returns the status, or -errno. */
int __guest_alloc_uar(struct guest *guest, uint32_t *uar);
int __guest_dealloc_uar(struct guest *guest, uint32_t uar);
/* The number that the firmware has for the VF. */
int __guest_vhca_id(struct guest *guest, uint32_t *id);

#define guest_attach(...)	must(__guest_attach(__VA_ARGS__))
#define guest_share(...)	must(__guest_share(__VA_ARGS__))
#define guest_wait(...)		((int)must(__guest_wait(__VA_ARGS__)))
#define guest_run(...)		((int)must(__guest_run(__VA_ARGS__)))
#define guest_start(...)	must(__guest_start(__VA_ARGS__))
#define guest_use_events(...)	must(__guest_use_events(__VA_ARGS__))
#define guest_stop(...)		must(__guest_stop(__VA_ARGS__))
#define guest_alloc_uar(...)	((int)must(__guest_alloc_uar(__VA_ARGS__)))
#define guest_dealloc_uar(...)	((int)must(__guest_dealloc_uar(__VA_ARGS__)))
#define guest_vhca_id(...)	((int)must(__guest_vhca_id(__VA_ARGS__)))

#endif /* LIB_GUEST_H */
