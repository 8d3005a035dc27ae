/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the migration data of the GPU is made of: the payload of the records that
 * this driver adds to those of vfio-mig. Documentation/driver-api/nvgrace-vfio-mig.rst
 * tells the same in words.
 *
 * In a stream the layout comes first, then the blocks of memory, each of them at
 * least once, and the state of the function last. All numbers are little endian.
 */
#ifndef NVGMIG_FORMAT_H
#define NVGMIG_FORMAT_H

#include <linux/build_bug.h>
#include <linux/sizes.h>
#include <linux/types.h>

#define NVGMIG_TAG_LAYOUT	2
#define NVGMIG_TAG_BLOCKS	3
#define NVGMIG_TAG_STATE	4

#define NVGMIG_STREAM_VERSION	1

/* Memories that a GPU has at most. */
#define NVGMIG_STREAM_MEMORIES	2

/*
 * What is compared, sent and flagged at once. The hashes of 64 KiB blocks take
 * 1/8192 of the memory, a block fits into the cache of one CPU, where it is hashed
 * and copied, and what is written here and there costs little more than it has to.
 */
#define NVGMIG_BLOCK_SIZE	SZ_64K

/* Blocks that a record may be about, so that none takes long to produce. */
#define NVGMIG_WINDOW		1024

/* Blocks that a record can have the contents of; it then is just below 8 MiB. */
#define NVGMIG_RECORD_BLOCKS	127

/**
 * struct nvgmig_stream_memory - a part of the GPU's memory
 * @region: index of the VFIO region that it is seen in
 * @reserved: zero
 * @length: bytes
 */
struct nvgmig_stream_memory {
	__le32 region;
	__le32 reserved;
	__le64 length;
};

/**
 * struct nvgmig_stream_layout - payload of NVGMIG_TAG_LAYOUT
 * @version: NVGMIG_STREAM_VERSION
 * @block_size: NVGMIG_BLOCK_SIZE
 * @memory_count: number of memories
 * @reserved: zero
 * @memory: they; those that are not there are zero
 */
struct nvgmig_stream_layout {
	__le32 version;
	__le32 block_size;
	__le32 memory_count;
	__le32 reserved;
	struct nvgmig_stream_memory memory[NVGMIG_STREAM_MEMORIES];
};

/**
 * struct nvgmig_stream_blocks - first part of the payload of NVGMIG_TAG_BLOCKS
 * @memory: which one, as an index into the layout
 * @first: the first block that the record is about
 * @window: number of blocks that it is about
 * @count: number of blocks whose contents follow
 * @zero: bit n of the whole: block @first + n is zero
 * @block: for each block that follows, its distance from @first; the rest is zero
 * @reserved: zero
 *
 * The contents follow without gaps, NVGMIG_BLOCK_SIZE bytes each. The last block of
 * a memory may be shorter; here it is padded with zeroes. A block is in a record at
 * most once. What a later record says of it replaces what an earlier one said.
 */
struct nvgmig_stream_blocks {
	__le32 memory;
	__le32 first;
	__le32 window;
	__le32 count;
	__u8 zero[NVGMIG_WINDOW / 8];
	__le16 block[NVGMIG_RECORD_BLOCKS];
	__u8 reserved[SZ_4K - 16 - NVGMIG_WINDOW / 8 - 2 * NVGMIG_RECORD_BLOCKS];
};

/**
 * struct nvgmig_stream_state - payload of NVGMIG_TAG_STATE
 * @bars: for each memory of the layout its virtual BAR, as the user wrote it; the rest
 *	is zero
 */
struct nvgmig_stream_state {
	__le64 bars[NVGMIG_STREAM_MEMORIES];
};

static_assert(sizeof(struct nvgmig_stream_layout) == 48);
static_assert(sizeof(struct nvgmig_stream_blocks) == SZ_4K);
static_assert(sizeof(struct nvgmig_stream_state) == 16);

/* The largest payload. */
#define NVGMIG_RECORD_SIZE	(sizeof(struct nvgmig_stream_blocks) + \
				 NVGMIG_RECORD_BLOCKS * NVGMIG_BLOCK_SIZE)

#endif /* NVGMIG_FORMAT_H */
