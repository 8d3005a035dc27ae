/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call made again and again, each time with a fault at the next place that it
 * comes by. Every time the answer is success or a documented error, the state fits
 * to it, and the device can be used afterwards.
 */
#ifndef LIB_SWEEP_H
#define LIB_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "migration.h"
#include "sim.h"

/* Bytes of a record, and of a piece that is read or written. */
#define SWEEP_PIECE	(64 << 10)
/* Bytes of the state of the devices. */
#define SWEEP_BULK	(300 << 10)
/* More places than any call has. */
#define SWEEP_MAX	3000

enum scene_kind {
	SCENE_TEST_DEVICE,	/* VFs of a migration test device */
	SCENE_ADAPTER,		/* VFs of an adapter */
	SCENE_GPU,		/* GPUs, asleep when something is done with them */
};

/**
 * struct scene - where calls are made
 * @kind: what the devices are
 * @from: a device, whose calls have faults
 * @to: another one
 * @address: their PCI addresses
 * @fault: the faults
 * @proof_every: a whole migration every so many faults
 * @good: data of @from
 * @piece: memory for %SWEEP_PIECE bytes
 * @fd: the data FD, or -1
 * @pipe: a pipe
 */
struct scene {
	enum scene_kind kind;
	struct vfio_device from;
	struct vfio_device to;
	char address[2][SIM_ADDRESS];
	struct fault fault;
	unsigned int proof_every;
	struct blob good;
	char *piece;
	int fd;
	int pipe[2];
};

/**
 * struct step - a call and where it is made
 * @name: what it is
 * @from: the state before
 * @to: the state that is asked for, or that stays
 * @loaded: in RESUMING, the data is there
 * @places: kinds of faults that find at least one place
 * @call: the call, or NULL if it is to go to @to. Returns 0 or -errno.
 */
struct step {
	const char *name;
	uint32_t from;
	uint32_t to;
	bool loaded;
	unsigned int places;
	int (*call)(struct scene *scene);
};

#define FOR_ALL		(1 << FAULT_TASK | 1 << FAULT_KERNEL | FOR_OPS_ONLY | 1 << FAULT_ALLOCS)
#define FOR_OPS		(1 << FAULT_TASK | 1 << FAULT_KERNEL | FOR_OPS_ONLY)
#define FOR_OPS_ONLY	(1 << FAULT_OPS)

/* Both devices fresh and RUNNING. */
void scene_open(struct scene *scene, enum scene_kind kind, enum fault_kind fault,
		unsigned int proof_every);
/* The end of a test with this exit code, in the parent. */
void scene_teardown(int exit_code);

bool scene_has_precopy(struct scene *scene);
/* The device is in the state where the step begins. */
void scene_enter(struct scene *scene, const struct step *step);
/* Keeps the data FD, if there is a new one. */
int __scene_change(struct scene *scene, uint32_t state);
/* From whatever a fault left behind to RUNNING; only what was half loaded takes a reset. */
int __scene_recover(struct scene *scene);
/* Both devices run; the state of the first one arrives in the other one. */
bool scene_migrates(struct scene *scene);
void scene_close_session(struct scene *scene);

/* Ends the test when something is wrong. */
void sweep(struct scene *scene, const struct step *steps, unsigned int count);

#define scene_recover(...)	must(__scene_recover(__VA_ARGS__))

#endif /* LIB_SWEEP_H */
