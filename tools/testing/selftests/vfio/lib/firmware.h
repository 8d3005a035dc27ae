/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The firmware of a simulated adapter: what it lacks, how long it takes, what it gets
 * wrong, and commands of a test's own, which mlx5_core passes on.
 *
 * All of it but what it lacks is as usual again after firmware_calm().
 */
#ifndef LIB_FIRMWARE_H
#define LIB_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pair.h"

/* Statuses that sim.h does not have. */
enum firmware_status {
	FIRMWARE_OK		= 0x0,
	FIRMWARE_BAD_OPCODE	= 0x2,
	FIRMWARE_SYSTEM_STATE	= 0x4,
	FIRMWARE_BAD_RESOURCE	= 0x5,
	FIRMWARE_BUSY		= 0x6,
	FIRMWARE_NOT_READY	= 0x7,
	FIRMWARE_RESOURCE_STATE	= 0x9,
	FIRMWARE_BAD_INDEX	= 0xa,
	FIRMWARE_NO_RESOURCES	= 0xf,
	FIRMWARE_INPUT_LENGTH	= 0x50,
	FIRMWARE_OUTPUT_LENGTH	= 0x51,
};

/* What of an answer can be wrong; the names of the simulator's files. */
#define FIRMWARE_REQUIRED	"fail_required_umem_size"
#define FIRMWARE_REMAINING	"fail_remaining_total_size"
#define FIRMWARE_ACTUAL		"fail_actual_image_size"
#define FIRMWARE_NEXT		"fail_next_required_umem_size"

/**
 * struct firmware_fault - what goes wrong with the next commands
 * @opcode: the commands
 * @vhca: of this VHCA only, if not 0; the first VF's is 1
 * @status: they fail with it; 0: they do not fail
 * @syndrome: and with this syndrome
 * @delay: milliseconds that their answer is late
 * @lost: they have neither effect nor answer
 * @field: a field of the answer, or NULL
 * @value: what it shall be
 * @times: how many commands
 */
struct firmware_fault {
	unsigned int opcode;
	unsigned int vhca;
	unsigned int status;
	uint32_t syndrome;
	unsigned int delay;
	bool lost;
	const char *field;
	uint64_t value;
	unsigned int times;
};

/* A host with @config, whose firmware is without one of the capabilities of the model. */
int __firmware_without(struct sim *sim, const struct sim_config *config, const char *capability);

int __firmware_fault(const struct sim *sim, const struct firmware_fault *fault);
/* The next answer to such a command has this in one of its fields. */
int __firmware_wrong(const struct sim *sim, enum sim_opcode opcode, const char *field,
		     uint64_t value);
/* Whether so many commands as were asked for have gone wrong. */
bool firmware_fault_is_over(const struct sim *sim);
/* Lost commands are answered after all: without that mlx5_core cannot go away. */
int __firmware_answer_lost(const struct sim *sim);
/* One of the files of the directory timing. */
int __firmware_timing(const struct sim *sim, const char *name, uint64_t value);
/* Whether a VF that is suspended as an initiator cannot be tracked. */
int __firmware_strict(const struct sim *sim, bool strict);
/* No faults, and commands take no time. */
int __firmware_calm(const struct sim *sim);

/* Numbers of commands are big endian; @offset counts bytes. */
uint32_t firmware_get(const void *message, unsigned int offset);
void firmware_put(void *message, unsigned int offset, uint32_t value);
void firmware_put64(void *message, unsigned int offset, uint64_t value);

/* An image of the simulated firmware that was changed: its checksum is right again. */
void firmware_seal(unsigned char *image);

/* One of these at a time: mlx5_core keeps a single command for each PF. */
int __firmware_command(const struct sim *sim, const void *in, size_t in_length, void *out,
		       size_t out_length);

/**
 * struct firmware_outcome - how a status shows
 * @status: the status
 * @error: what our driver makes of it
 * @load_error: the same for LOAD, which may blame its data
 */
struct firmware_outcome {
	unsigned int status;
	int error;
	int load_error;
};

#define FIRMWARE_OUTCOMES	14
/* Added to the status it is the syndrome of a failure. */
#define FIRMWARE_SYNDROME	0xabc000

extern const struct firmware_outcome firmware_outcomes[FIRMWARE_OUTCOMES];

/* The next such command ends like this. */
struct firmware_fault firmware_fault_of(enum sim_opcode opcode,
					const struct firmware_outcome *outcome);

/* Bytes of state with which the following work. */
#define FIRMWARE_BULK	100000

/* Our driver for both, calm firmware that hands out the state in chunks or as a whole. */
void firmware_pair_open(struct pair *pair, bool chunks);
/* With calm firmware: the source's state arrives in the target, and both run on. */
bool firmware_pair_migrates(struct pair *pair);
/* A reset makes it so, whatever happened before. */
bool firmware_pair_recovers(struct pair *pair);

#define firmware_without(...)	must(__firmware_without(__VA_ARGS__))
#define firmware_fault(...)	must(__firmware_fault(__VA_ARGS__))
#define firmware_wrong(...)	must(__firmware_wrong(__VA_ARGS__))
#define firmware_answer_lost(...)	must(__firmware_answer_lost(__VA_ARGS__))
#define firmware_timing(...)	must(__firmware_timing(__VA_ARGS__))
#define firmware_strict(...)	must(__firmware_strict(__VA_ARGS__))
#define firmware_calm(...)	must(__firmware_calm(__VA_ARGS__))
#define firmware_command(...)	must(__firmware_command(__VA_ARGS__))

#endif /* LIB_FIRMWARE_H */
