/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The registers of the migration test device: a PCI device with virtual
 * functions that does nothing but be migrated.
 *
 * A virtual function (VF) copies memory by DMA and has memory of its own, which
 * only its commands reach. That memory and the registers are its state. The
 * physical function (PF) stops the VF and moves the state, by DMA of its own.
 *
 * Both start DMA and interrupts only as bus masters, and a VF no command either.
 *
 * Registers are in BAR 0, little endian if nothing else is said, and aligned to
 * their size. What is not named reads as zero. A function level reset puts all
 * registers and the memory back to zero, but for what is read only.
 */
#ifndef _UAPI_LINUX_MIGRATION_TESTDEV_H
#define _UAPI_LINUX_MIGRATION_TESTDEV_H

#include <linux/types.h>

#define TESTDEV_VENDOR			0xfff1
#define TESTDEV_PF_DEVICE		0x0001
#define TESTDEV_VF_DEVICE		0x0002
#define TESTDEV_MAX_VFS			4

#define TESTDEV_BAR_SIZE		0x10000
/* the MSI-X table; the pending bits are one page behind */
#define TESTDEV_MSIX_TABLE		0x8000
#define TESTDEV_PF_VECTORS		TESTDEV_MAX_VFS
#define TESTDEV_VF_VECTORS		4

/* A VF */

/* 32 bits, read only: TESTDEV_VF_MAGIC */
#define TESTDEV_VF_ID			0x00
/* 64 bits each: IOVAs that a copy reads from and writes to, any alignment */
#define TESTDEV_VF_SOURCE		0x08
#define TESTDEV_VF_DESTINATION		0x10
/* 32 bits: bytes of a copy or fill */
#define TESTDEV_VF_LENGTH		0x18
/* 32 bits: how many times a copy is done */
#define TESTDEV_VF_COUNT		0x1c
/* 64 bits: where in the VF's memory a fill begins */
#define TESTDEV_VF_OFFSET		0x20
/* 32 bits: what the command needs beside the above */
#define TESTDEV_VF_ARGUMENT		0x28
/* 32 bits: TESTDEV_VF_CONTROL_ bits */
#define TESTDEV_VF_CONTROL		0x2c
/* 32 bits: MSI-X vector to raise when a command is over */
#define TESTDEV_VF_VECTOR		0x30
/*
 * 32 bits: TESTDEV_VF_COMMAND_ value. The device looks at it about every
 * millisecond, and sets it to 0 when the command is over and its results can be
 * read. Nothing else may be written before that, but for 0 in here, which ends
 * a copy early: wait until STATUS is not BUSY any more.
 */
#define TESTDEV_VF_COMMAND		0x34
/* 32 bits, read only: TESTDEV_VF_STATUS_ value */
#define TESTDEV_VF_STATUS		0x38
/* 32 bits, read only: copies that the command has still to do */
#define TESTDEV_VF_REMAINING		0x3c
/* 64 bits, read only: copies done since the last reset */
#define TESTDEV_VF_COMPLETED		0x40
/* 64 bits, read only: bytes of memory that the VF has */
#define TESTDEV_VF_MEMORY_SIZE		0x48

#define TESTDEV_VF_MAGIC		0x56545354

/* raise the vector in VECTOR when a command is over */
#define TESTDEV_VF_CONTROL_INTERRUPT	0x1

/* COUNT times, LENGTH bytes from SOURCE to DESTINATION; the areas do not overlap */
#define TESTDEV_VF_COMMAND_COPY		1
/* raise the vector in ARGUMENT, whatever CONTROL says */
#define TESTDEV_VF_COMMAND_RAISE	2
/* fill LENGTH bytes of memory from OFFSET on, with the pattern of seed ARGUMENT */
#define TESTDEV_VF_COMMAND_FILL		3

#define TESTDEV_VF_STATUS_IDLE		0
#define TESTDEV_VF_STATUS_BUSY		1
#define TESTDEV_VF_STATUS_DONE		2
/* a DMA failed, or the registers make no sense */
#define TESTDEV_VF_STATUS_ERROR		3
/* ended early by writing to COMMAND */
#define TESTDEV_VF_STATUS_STOPPED	4

/*
 * The pattern of a fill: the 8 bytes at offset 8 * n are the little endian
 * number (n + 1) * TESTDEV_PATTERN ^ seed. Where the fill began plays no part.
 */
#define TESTDEV_PATTERN			0x9e3779b97f4a7c15ULL

/* The PF */

/* 32 bits, read only: TESTDEV_PF_MAGIC */
#define TESTDEV_PF_ID			0x00
/* 32 bits, big endian, write only: bit n starts the command in block n */
#define TESTDEV_PF_DOORBELL		0x04
/* 32 bits, read only: version of the firmware, major number in the high half */
#define TESTDEV_PF_FIRMWARE		0x08

#define TESTDEV_PF_MAGIC		0x50545354

/*
 * Block n belongs to VF n. STATUS is set to 0 before the doorbell is rung, and
 * nothing in the block is written until the device has written something else
 * there. It does that last, and raises MSI-X vector n of the PF then. Before the
 * first command it is TESTDEV_STATUS_OK.
 *
 * A reset of the VF ends its command with TESTDEV_STATUS_ABORTED, and with it
 * the DMA of that command.
 */
#define TESTDEV_BLOCK(n)		(0x100 + 0x40 * (n))

/* 32 bits: TESTDEV_COMMAND_ value */
#define TESTDEV_BLOCK_COMMAND		0x00
/* 32 bits: depends on the command */
#define TESTDEV_BLOCK_ARGUMENT		0x04
/* 64 bits: DMA address of an array of struct testdev_segment, 8-byte aligned */
#define TESTDEV_BLOCK_LIST		0x08
/* 32 bits: entries of that array */
#define TESTDEV_BLOCK_LIST_LENGTH	0x10
/* 32 bits, written by the device: TESTDEV_STATUS_ value */
#define TESTDEV_BLOCK_STATUS		0x14
/* 32 bits: bytes of an image */
#define TESTDEV_BLOCK_LENGTH		0x18
/* 32 bits, written by the device: number of images that REMAINING is about */
#define TESTDEV_BLOCK_IMAGES		0x1c
/* 64 bits, written by the device: bytes of images still to come */
#define TESTDEV_BLOCK_REMAINING		0x20

/**
 * struct testdev_segment - a piece of the PF's memory
 * @address: DMA address, any alignment
 * @length: bytes, not 0
 * @reserved: zero
 */
struct testdev_segment {
	__le64 address;
	__le32 length;
	__le32 reserved;
};

#define TESTDEV_MAX_SEGMENTS		8192
/* The most that an image may have, and the least that it must be allowed to have. */
#define TESTDEV_MAX_IMAGE		0x1000000
#define TESTDEV_MIN_IMAGE		0x2000

/* ARGUMENT is the TESTDEV_LEVEL_ to go to, from any other. */
#define TESTDEV_COMMAND_SET_LEVEL	1
/*
 * ARGUMENT 1: a sequence of images begins, and everything is dirty. 0: it ends,
 * if there is one.
 */
#define TESTDEV_COMMAND_TRACK		2
/*
 * What SAVE would produce if nothing changed any more, in images of up to LENGTH
 * bytes: REMAINING and IMAGES. ARGUMENT: TESTDEV_FINAL, TESTDEV_ALL or both.
 */
#define TESTDEV_COMMAND_QUERY		3
/*
 * Write the next image of the sequence, of up to LENGTH bytes, to LIST. LENGTH
 * becomes what it has, 0 if there is none. REMAINING and IMAGES: what is left,
 * as for QUERY. ARGUMENT: TESTDEV_FINAL or 0.
 */
#define TESTDEV_COMMAND_SAVE		4
/*
 * Apply the image of LENGTH bytes in LIST, when the VF is stopped. Images are
 * loaded in the order in which they were saved. IMAGES becomes 0 once the state
 * is complete; until then only a reset makes the VF run again.
 */
#define TESTDEV_COMMAND_LOAD		5

/*
 * Without it there are images as long as memory is dirty. With it there is at
 * least one, and the last one completes the state and ends the sequence; a SAVE
 * needs a VF that is stopped then.
 */
#define TESTDEV_FINAL			0x1
/* as if a sequence began now */
#define TESTDEV_ALL			0x2

/* nothing changes any more */
#define TESTDEV_LEVEL_STOPPED		0
/* no DMA, no commands of the VF */
#define TESTDEV_LEVEL_QUIESCED		1
#define TESTDEV_LEVEL_RUNNING		2

#define TESTDEV_STATUS_PENDING		0
#define TESTDEV_STATUS_OK		1
/* no such command, or its parameters make no sense */
#define TESTDEV_STATUS_INVALID		2
/* not at this level, or not before another command */
#define TESTDEV_STATUS_ORDER		3
#define TESTDEV_STATUS_DMA		4
/* this is no image, or not the next one, or not of such a device */
#define TESTDEV_STATUS_IMAGE		5
#define TESTDEV_STATUS_MEMORY		6
#define TESTDEV_STATUS_ABORTED		7
#define TESTDEV_STATUS_INTERNAL		8
#define TESTDEV_STATUS_NO_VF		9

#endif /* _UAPI_LINUX_MIGRATION_TESTDEV_H */
