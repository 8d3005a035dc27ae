// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a VF.
 *
 * Blocks that change are marked, whether or not anybody saves them; no block
 * beyond the end is ever marked, no byte between size and room is ever seen.
 * The room never gets smaller than what a reset needs.
 */
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "testdev.h"

/* Rather fail than have other processes killed for a simulated device. */
#define MEMORY_GFP	(GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* @size bytes of zeros. */
int testdev_memory_init(struct testdev_memory *memory, u64 size)
{
	memory->size = size;
	memory->room = max_t(u64, size, TESTDEV_BLOCK_SIZE);
	memory->data = __vmalloc(memory->room, MEMORY_GFP);
	memory->dirty = bitmap_zalloc(testdev_blocks(memory->room), GFP_KERNEL);
	if (memory->data && memory->dirty)
		return 0;
	testdev_memory_fini(memory);
	return -ENOMEM;
}

void testdev_memory_fini(struct testdev_memory *memory)
{
	bitmap_free(memory->dirty);
	vfree(memory->data);
	*memory = (struct testdev_memory) {};
}

static int memory_grow_room(struct testdev_memory *memory, u64 room)
{
	struct testdev_memory larger;

	if (testdev_memory_init(&larger, room))
		return -ENOMEM;
	larger.size = memory->size;
	memcpy(larger.data, memory->data, memory->size);
	bitmap_copy(larger.dirty, memory->dirty, testdev_blocks(memory->size));
	testdev_memory_fini(memory);
	*memory = larger;
	return 0;
}

/* What is new is zero. Fails only when there is not enough room yet. */
int testdev_memory_resize(struct testdev_memory *memory, u64 size)
{
	u64 old = memory->size;

	if (size > memory->room && memory_grow_room(memory, size))
		return -ENOMEM;
	memory->size = size;
	if (size > old) {
		memset(memory->data + old, 0, size - old);
		testdev_memory_mark(memory, old, size - old);
	} else {
		bitmap_clear(memory->dirty, testdev_blocks(size),
			     testdev_blocks(old) - testdev_blocks(size));
	}
	return 0;
}

/* Zeros again, and memory beyond @size, for which there is room, goes back if possible. */
void testdev_memory_reset(struct testdev_memory *memory, u64 size)
{
	struct testdev_memory smaller;

	if (memory->room > max_t(u64, size, TESTDEV_BLOCK_SIZE) &&
	    !testdev_memory_init(&smaller, size)) {
		testdev_memory_fini(memory);
		*memory = smaller;
		return;
	}
	bitmap_zero(memory->dirty, testdev_blocks(memory->room));
	memset(memory->data, 0, size);
	memory->size = size;
}

void testdev_memory_mark(struct testdev_memory *memory, u64 offset, u64 length)
{
	unsigned long first = offset >> TESTDEV_BLOCK_SHIFT;

	if (length)
		bitmap_set(memory->dirty, first, testdev_blocks(offset + length) - first);
}

/* Write the pattern of @seed to bytes that exist. */
void testdev_memory_fill(struct testdev_memory *memory, u64 offset, u32 length, u32 seed)
{
	u64 done, word;
	u32 piece, skip;
	__le64 value;

	for (done = 0; done < length; done += piece) {
		word = (offset + done) / sizeof(value);
		skip = (offset + done) % sizeof(value);
		piece = min_t(u64, length - done, sizeof(value) - skip);
		value = cpu_to_le64((word + 1) * TESTDEV_PATTERN ^ seed);
		memcpy(memory->data + offset + done, (u8 *)&value + skip, piece);
	}
	testdev_memory_mark(memory, offset, length);
}
