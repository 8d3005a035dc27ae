// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of a command: pieces of the PF's memory that hold an image.
 *
 * The list is taken over once, so that what has been checked is what is used.
 */
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "testdev.h"

static bool list_is_valid(struct testdev_list *list)
{
	const struct testdev_segment *segment = list->segments;

	for (u32 i = 0; i < list->count; i++, segment++) {
		if (!segment->length || segment->reserved)
			return false;
		list->room += le32_to_cpu(segment->length);
	}
	return true;
}

/* Return a TESTDEV_STATUS_. testdev_list_fini() is to follow in any case. */
u32 testdev_list_init(struct testdev_list *list, struct pcisim_function *fn,
		      const struct testdev_command *command)
{
	*list = (struct testdev_list) { .fn = fn, .count = command->list_length };

	if (!list->count || list->count > TESTDEV_MAX_SEGMENTS ||
	    !IS_ALIGNED(command->list, sizeof(__le64)))
		return TESTDEV_STATUS_INVALID;
	list->segments = kvmalloc_array(list->count, sizeof(*list->segments), GFP_KERNEL);
	if (!list->segments)
		return TESTDEV_STATUS_MEMORY;
	if (pcisim_dma_read(fn, command->list, list->segments,
			    list->count * sizeof(*list->segments)))
		return TESTDEV_STATUS_DMA;
	return list_is_valid(list) ? TESTDEV_STATUS_OK : TESTDEV_STATUS_INVALID;
}

void testdev_list_fini(struct testdev_list *list)
{
	kvfree(list->segments);
}

/* The next piece of memory, of up to @length bytes; 0 at the end of the list. */
static u32 list_next(struct testdev_list *list, u64 length, u64 *address)
{
	const struct testdev_segment *segment = &list->segments[list->index];
	u32 piece;

	if (list->index == list->count)
		return 0;
	piece = min3(length, (u64)le32_to_cpu(segment->length) - list->offset,
		     (u64)TESTDEV_PIECE);
	*address = le64_to_cpu(segment->address) + list->offset;
	list->offset += piece;
	if (list->offset == le32_to_cpu(segment->length)) {
		list->index++;
		list->offset = 0;
	}
	cond_resched();
	return piece;
}

/* Append @length bytes. Return 0 or -errno. */
int testdev_list_write(struct testdev_list *list, const void *from, u64 length)
{
	u64 address;
	u32 piece;
	int ret;

	for (; length; length -= piece, from += piece) {
		piece = list_next(list, length, &address);
		if (!piece)
			return -ENOSPC;
		ret = pcisim_dma_write(list->fn, address, from, piece);
		if (ret)
			return ret;
	}
	return 0;
}

/* Take the next @length bytes. Return 0 or -errno. */
int testdev_list_read(struct testdev_list *list, void *to, u64 length)
{
	u64 address;
	u32 piece;
	int ret;

	for (; length; length -= piece, to += piece) {
		piece = list_next(list, length, &address);
		if (!piece)
			return -ENOSPC;
		ret = pcisim_dma_read(list->fn, address, to, piece);
		if (ret)
			return ret;
	}
	return 0;
}
