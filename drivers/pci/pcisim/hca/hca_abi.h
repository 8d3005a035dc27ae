/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The engine of a simulated VF, as its user (a test, a guest) sees it.
 *
 * The engine writes an increasing sequence number to a ring in memory by DMA
 * and raises an MSI-X vector. Its registers are part of the VF's migration
 * state, so that after a migration it goes on with exactly the next number.
 *
 * All registers are 32 bits wide and little endian, at PCISIM_ENGINE_OFFSET in
 * BAR 0 of a VF. The device reads them about every millisecond.
 */
#ifndef PCISIM_HCA_ABI_H
#define PCISIM_HCA_ABI_H

#define PCISIM_ENGINE_OFFSET		0x8000

/* read only: PCISIM_ENGINE_MAGIC */
#define PCISIM_ENGINE_ID		0x00
/* IOVA of the ring, 8-byte aligned */
#define PCISIM_ENGINE_RING_LOW		0x08
#define PCISIM_ENGINE_RING_HIGH		0x0c
/* number of 8-byte entries, a power of two up to PCISIM_ENGINE_MAX_ENTRIES */
#define PCISIM_ENGINE_RING_ENTRIES	0x10
/* microseconds between entries, 0: as many as fit in each run */
#define PCISIM_ENGINE_PERIOD		0x14
/* PCISIM_ENGINE_CTRL_ bits */
#define PCISIM_ENGINE_CTRL		0x18
/* read only: PCISIM_ENGINE_STATUS_ bits */
#define PCISIM_ENGINE_STATUS		0x1c
/* read only: number that is written next; the first one is 1 */
#define PCISIM_ENGINE_NEXT_LOW		0x20
#define PCISIM_ENGINE_NEXT_HIGH		0x24
/* MSI-X vector to raise after each batch of entries */
#define PCISIM_ENGINE_VECTOR		0x28

#define PCISIM_ENGINE_MAGIC		0x49474e45

#define PCISIM_ENGINE_CTRL_ENABLE	0x1
#define PCISIM_ENGINE_CTRL_INTERRUPT	0x2

#define PCISIM_ENGINE_STATUS_ACTIVE	0x1
/* a DMA write failed or the registers make no sense; cleared by disabling */
#define PCISIM_ENGINE_STATUS_ERROR	0x2

#define PCISIM_ENGINE_MAX_ENTRIES	65536

/* Number n is the little endian 64-bit entry at index n % entries. */

#endif /* PCISIM_HCA_ABI_H */
