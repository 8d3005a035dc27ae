// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which dirty blocks go into which image, and what that adds up to.
 *
 * A SAVE follows the plan that a QUERY has counted. So as long as nothing
 * changes, what was counted is what is saved, to the byte.
 */
#include <linux/bitmap.h>
#include <linux/minmax.h>

#include "testdev.h"

/* Bytes of so many blocks; the last block of the memory may be short. */
u64 testdev_extent_length(const struct testdev_memory *memory, u64 first, u64 blocks)
{
	return min((first + blocks) << TESTDEV_BLOCK_SHIFT, memory->size) -
	       (first << TESTDEV_BLOCK_SHIFT);
}

/*
 * Fill in the @plan, which is empty but for where it starts, with what fits into
 * @room. Return true if dirty blocks behind it are left.
 */
bool testdev_plan(const struct testdev_memory *memory, u32 room, struct testdev_plan *plan)
{
	unsigned long first = plan->next, end, blocks = testdev_blocks(memory->size);
	u64 count, left;

	plan->length = sizeof(struct testdev_image_header);
	plan->extents = 0;
	for_each_set_bitrange_from(first, end, memory->dirty, blocks) {
		if (plan->length + sizeof(struct testdev_image_extent) >= room)
			return true;
		left = room - plan->length - sizeof(struct testdev_image_extent);
		count = end - first;
		if (testdev_extent_length(memory, first, count) > left)
			count = left >> TESTDEV_BLOCK_SHIFT;
		if (!count)
			return true;
		plan->next = first + count;
		plan->extents++;
		plan->length += sizeof(struct testdev_image_extent) +
				testdev_extent_length(memory, first, count);
		if (plan->next < end)
			return true;
	}
	return false;
}

/* What images from block @from on come to. */
static void query_add(const struct testdev_memory *memory, unsigned long from,
		      struct testdev_command *command)
{
	struct testdev_plan plan = { .next = from };
	bool more;

	do {
		more = testdev_plan(memory, command->length, &plan);
		if (!plan.extents)
			return;
		command->images++;
		command->remaining += plan.length;
	} while (more);
}

/* The dirty blocks, in the order in which SAVE takes them. */
static void query_dirty(struct testdev_vf *vf, struct testdev_command *command)
{
	struct testdev_memory before = vf->memory;

	query_add(&vf->memory, vf->cursor, command);
	before.size = min(before.size, (u64)vf->cursor << TESTDEV_BLOCK_SHIFT);
	query_add(&before, 0, command);
}

/* All blocks, whether or not they are dirty. */
static void query_all(struct testdev_vf *vf, struct testdev_command *command)
{
	u64 payload = round_down(command->length - TESTDEV_IMAGE_OVERHEAD, TESTDEV_BLOCK_SIZE);
	u64 size = vf->memory.size;

	command->images = DIV_ROUND_UP_ULL(size, payload);
	command->remaining = size + command->images * (u64)TESTDEV_IMAGE_OVERHEAD;
}

/* Return a TESTDEV_STATUS_. */
u32 testdev_query(struct testdev_vf *vf, struct testdev_command *command)
{
	lockdep_assert_held(&vf->lock);

	if (command->length < TESTDEV_MIN_IMAGE || command->length > TESTDEV_MAX_IMAGE ||
	    command->argument & ~(TESTDEV_FINAL | TESTDEV_ALL))
		return TESTDEV_STATUS_INVALID;
	command->images = 0;
	command->remaining = 0;
	if (command->argument & TESTDEV_ALL)
		query_all(vf, command);
	else if (vf->saving.active)
		query_dirty(vf, command);
	else
		return TESTDEV_STATUS_ORDER;
	if (command->argument & TESTDEV_FINAL && !command->images) {
		command->images = 1;
		command->remaining = sizeof(struct testdev_image_header);
	}
	return TESTDEV_STATUS_OK;
}
