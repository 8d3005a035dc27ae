/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The engine of a simulated GPU, as its user (a test, a guest) sees it.
 *
 * The engine writes an increasing number to a part of the GPU's memory, as long as
 * the function is in D0 and the engine is enabled. It stands for all the state of a
 * real GPU: it is gone after a reset, and after D3hot if No_Soft_Reset is clear.
 *
 * All registers are 32 bits wide and little endian, at PCISIM_GPU_ENGINE in BAR 0. The
 * device reads them every few milliseconds while the engine is off, and before each
 * batch. What is not named reads as zero, and everything is zero after a reset but
 * for what is read only.
 */
#ifndef PCISIM_GPU_ABI_H
#define PCISIM_GPU_ABI_H

#define PCISIM_GPU_BAR_SIZE		0x400000

/* The two registers that tell of readiness, and what they read as then. */
#define PCISIM_GPU_LINK			0x1498
#define PCISIM_GPU_TRAINING		0x200bc
#define PCISIM_GPU_READY		0xff

#define PCISIM_GPU_ENGINE		0x100000

/* read only: PCISIM_GPU_MAGIC */
#define PCISIM_GPU_ID			0x00
/* PCISIM_GPU_CONTROL_ bits */
#define PCISIM_GPU_CONTROL		0x04
/* read only: PCISIM_GPU_STATUS_ bits */
#define PCISIM_GPU_STATUS		0x08
/* offset in the memory, a multiple of 8 */
#define PCISIM_GPU_START_LOW		0x10
#define PCISIM_GPU_START_HIGH		0x14
/* bytes, a multiple of 8, not 0 */
#define PCISIM_GPU_LENGTH_LOW		0x18
#define PCISIM_GPU_LENGTH_HIGH		0x1c
/* microseconds between batches, 1 to PCISIM_GPU_MAX_PERIOD; what is less or more counts as that */
#define PCISIM_GPU_PERIOD		0x20
/* numbers in a batch, 1 to PCISIM_GPU_MAX_BATCH */
#define PCISIM_GPU_BATCH		0x24
/* read only: numbers written since the engine was enabled */
#define PCISIM_GPU_COUNT_LOW		0x28
#define PCISIM_GPU_COUNT_HIGH		0x2c
/* four registers without a meaning */
#define PCISIM_GPU_SCRATCH(n)		(0x30 + 4 * (n))

#define PCISIM_GPU_MAGIC		0x45555047

#define PCISIM_GPU_CONTROL_ENABLE	0x1

#define PCISIM_GPU_STATUS_ACTIVE	0x1
/* the registers make no sense; cleared by disabling */
#define PCISIM_GPU_STATUS_ERROR		0x2

#define PCISIM_GPU_MAX_BATCH		512
#define PCISIM_GPU_MAX_PERIOD		5000

/*
 * Number n, counted from 1, is the little endian 64-bit word at
 * START + 8 * ((n - 1) % (LENGTH / 8)).
 */

#endif /* PCISIM_GPU_ABI_H */
