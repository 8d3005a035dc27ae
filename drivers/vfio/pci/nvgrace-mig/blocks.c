// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory as a sequence of blocks, and what a session knows of each.
 *
 * Nothing here reads the memory but by a copy that survives memory errors.
 */
#include <linux/bitmap.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "migration.h"

/* Every record has this beside contents. */
#define NVGMIG_RECORD_OVERHEAD	(sizeof(struct vfio_mig_record_header) + \
				 sizeof(struct nvgmig_stream_blocks))

/**
 * nvgmig_blocks_divide() - number the blocks of a device
 * @blocks: zeroed memory; what needs memory of its own stays as it is
 * @dev: the device
 */
void nvgmig_blocks_divide(struct nvgmig_blocks *blocks, struct nvgmig_device *dev)
{
	struct nvgmig_memory *memory;

	for (memory = nvgmig_first_memory(dev); memory; memory = nvgmig_next_memory(memory)) {
		blocks->memory[blocks->memories] = memory;
		blocks->first[blocks->memories++] = blocks->count;
		blocks->count += DIV_ROUND_UP_ULL(memory->length, NVGMIG_BLOCK_SIZE);
	}
	blocks->first[blocks->memories] = blocks->count;
}

/**
 * nvgmig_blocks_init() - get ready to go through a device's blocks
 * @blocks: zeroed memory; to be given to nvgmig_blocks_fini() also after a failure
 * @dev: the device
 * @hashed: it is going to be asked which blocks have changed
 *
 * Return: 0 or -ENOMEM.
 */
int nvgmig_blocks_init(struct nvgmig_blocks *blocks, struct nvgmig_device *dev, bool hashed)
{
	spin_lock_init(&blocks->lock);
	nvgmig_blocks_divide(blocks, dev);
	blocks->todo = kvcalloc(BITS_TO_LONGS(blocks->count), sizeof(*blocks->todo),
				GFP_KERNEL_ACCOUNT);
	if (!blocks->todo)
		return -ENOMEM;
	if (!hashed)
		return 0;
	blocks->hashes = kvcalloc(blocks->count, sizeof(*blocks->hashes), GFP_KERNEL_ACCOUNT);
	return blocks->hashes ? 0 : -ENOMEM;
}

/**
 * nvgmig_blocks_fini() - undo nvgmig_blocks_init()
 * @blocks: the blocks
 */
void nvgmig_blocks_fini(struct nvgmig_blocks *blocks)
{
	kvfree(blocks->todo);
	kvfree(blocks->hashes);
	memset(blocks, 0, sizeof(*blocks));
}

/**
 * nvgmig_blocks_want_all() - begin with all blocks
 * @blocks: nobody is at work on them
 */
void nvgmig_blocks_want_all(struct nvgmig_blocks *blocks)
{
	guard(spinlock)(&blocks->lock);
	bitmap_fill(blocks->todo, blocks->count);
	blocks->left = blocks->count;
}

/**
 * nvgmig_blocks_memory() - in which memory a block is
 * @blocks: the blocks
 * @block: number of the block
 *
 * Return: index of the memory.
 */
unsigned int nvgmig_blocks_memory(const struct nvgmig_blocks *blocks, unsigned int block)
{
	unsigned int memory = 0;

	while (block >= blocks->first[memory + 1])
		memory++;
	return memory;
}

/**
 * nvgmig_blocks_place() - where a block is
 * @blocks: the blocks
 * @block: number of the block
 *
 * Return: the place.
 */
struct nvgmig_place nvgmig_blocks_place(const struct nvgmig_blocks *blocks, unsigned int block)
{
	unsigned int memory = nvgmig_blocks_memory(blocks, block);
	struct nvgmig_place place = {
		.memory = blocks->memory[memory],
		.offset = (u64)(block - blocks->first[memory]) * NVGMIG_BLOCK_SIZE,
	};

	place.length = min_t(u64, place.memory->length - place.offset, NVGMIG_BLOCK_SIZE);
	return place;
}

/**
 * nvgmig_blocks_bytes() - what sending blocks takes at most
 * @blocks: all blocks
 * @count: number of those to be sent, wherever they are
 *
 * A record ends when it is full, or at the end of what it may be about. It has one
 * block at least.
 *
 * Return: bytes of records with their headers.
 */
u64 nvgmig_blocks_bytes(const struct nvgmig_blocks *blocks, unsigned int count)
{
	u64 records = DIV_ROUND_UP(count, NVGMIG_RECORD_BLOCKS) +
		      DIV_ROUND_UP(blocks->count, NVGMIG_WINDOW) + blocks->memories;

	records = min_t(u64, count, records);
	return (u64)count * NVGMIG_BLOCK_SIZE + records * NVGMIG_RECORD_OVERHEAD;
}

/**
 * nvgmig_block_read() - take a copy of a block
 * @blocks: all blocks
 * @block: number of the block
 * @to: NVGMIG_BLOCK_SIZE bytes, filled up with zeroes
 *
 * Return: 0 or -errno.
 */
int nvgmig_block_read(const struct nvgmig_blocks *blocks, unsigned int block, void *to)
{
	struct nvgmig_place place = nvgmig_blocks_place(blocks, block);
	int ret = nvgmig_memory_copy_out(place.memory, place.offset, to, place.length);

	memset(to + place.length, 0, NVGMIG_BLOCK_SIZE - place.length);
	/* Of errors users know that the device failed. */
	return ret == -EHWPOISON ? -EIO : ret;
}

/**
 * nvgmig_block_is_zero() - whether the copy of a block is all zeroes
 * @block: the copy
 *
 * Return: whether.
 */
bool nvgmig_block_is_zero(const void *block)
{
	return !memchr_inv(block, 0, NVGMIG_BLOCK_SIZE);
}

/**
 * nvgmig_block_hash() - what stands for the copy of a block
 * @block: the copy
 * @is_zero: nvgmig_block_is_zero() has said so
 *
 * Return: the hash, never NVGMIG_HASH_NONE.
 */
u64 nvgmig_block_hash(const void *block, bool is_zero)
{
	return is_zero ? NVGMIG_HASH_ZERO : max(xxh64(block, NVGMIG_BLOCK_SIZE, 0), 2ULL);
}
