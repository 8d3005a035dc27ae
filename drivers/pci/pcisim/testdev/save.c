// SPDX-License-Identifier: GPL-2.0-only
/*
 * SAVE: the next image of a sequence.
 *
 * Each image carries the engine and some dirty blocks, which are clean then. It
 * goes on where the one before has ended, so that blocks that change all the
 * time do not keep others waiting. A SAVE that fails changes nothing.
 */
#include <linux/bitmap.h>
#include <linux/random.h>

#include "testdev.h"

/* A sequence of images begins or ends. Return a TESTDEV_STATUS_. */
u32 testdev_track(struct testdev_vf *vf, const struct testdev_command *command)
{
	lockdep_assert_held(&vf->lock);

	if (command->argument > 1)
		return TESTDEV_STATUS_INVALID;
	if (vf->loading.active)
		return TESTDEV_STATUS_ORDER;
	vf->saving = (struct testdev_sequence) {
		.active = command->argument,
		.id = get_random_u64(),
	};
	vf->cursor = 0;
	if (command->argument)
		testdev_memory_mark(&vf->memory, 0, vf->memory.size);
	return TESTDEV_STATUS_OK;
}

static int save_header(struct testdev_vf *vf, struct testdev_list *list,
		       const struct testdev_plan *plan, bool last)
{
	struct testdev_image_header header = {
		.magic = cpu_to_le32(TESTDEV_IMAGE_MAGIC),
		.version = cpu_to_le16(TESTDEV_IMAGE_VERSION),
		.flags = cpu_to_le16(last ? TESTDEV_IMAGE_LAST : 0),
		.length = cpu_to_le32(plan->length),
		.extents = cpu_to_le32(plan->extents),
		.sequence = cpu_to_le64(vf->saving.id),
		.number = cpu_to_le32(vf->saving.next),
		.memory_size = cpu_to_le64(vf->memory.size),
	};

	if (vf->level == TESTDEV_LEVEL_STOPPED)
		header.engine = vf->frozen;
	else
		testdev_engine_save(vf, &header.engine);
	return testdev_list_write(list, &header, sizeof(header));
}

/* The dirty blocks of the plan. */
static int save_blocks(struct testdev_vf *vf, struct testdev_list *list,
		       const struct testdev_plan *plan)
{
	const struct testdev_memory *memory = &vf->memory;
	unsigned long first = vf->cursor, end;
	struct testdev_image_extent extent = {};
	u64 offset, length;
	int ret;

	for_each_set_bitrange_from(first, end, memory->dirty, plan->next) {
		offset = (u64)first << TESTDEV_BLOCK_SHIFT;
		length = testdev_extent_length(memory, first, end - first);
		extent.offset = cpu_to_le64(offset);
		extent.length = cpu_to_le32(length);
		ret = testdev_list_write(list, &extent, sizeof(extent));
		if (!ret)
			ret = testdev_list_write(list, memory->data + offset, length);
		if (ret)
			return ret;
	}
	return 0;
}

/* Where the next image begins, and what goes into it. Return true if more is dirty. */
static bool save_plan(struct testdev_vf *vf, u32 room, struct testdev_plan *plan)
{
	unsigned long blocks = testdev_blocks(vf->memory.size);
	bool more;

	if (find_next_bit(vf->memory.dirty, blocks, vf->cursor) >= blocks)
		vf->cursor = 0;
	*plan = (struct testdev_plan) { .next = vf->cursor };
	more = testdev_plan(&vf->memory, room, plan);
	return more || find_first_bit(vf->memory.dirty, vf->cursor) < vf->cursor;
}

static u32 save_image(struct testdev_vf *vf, struct testdev_list *list,
		      struct testdev_command *command)
{
	struct testdev_plan plan;
	bool final = command->argument & TESTDEV_FINAL;
	bool last = !save_plan(vf, command->length, &plan) && final;

	command->length = 0;
	if (!plan.extents && !final)
		return TESTDEV_STATUS_OK;
	if (save_header(vf, list, &plan, last) || save_blocks(vf, list, &plan))
		return TESTDEV_STATUS_DMA;
	bitmap_clear(vf->memory.dirty, vf->cursor, plan.next - vf->cursor);
	vf->cursor = plan.next;
	vf->saving.next++;
	vf->saving.active = !last;
	command->length = plan.length;
	atomic_inc(&vf->saves);
	return TESTDEV_STATUS_OK;
}

static u32 save_check(const struct testdev_vf *vf, const struct testdev_command *command)
{
	if (command->argument & ~TESTDEV_FINAL || command->length < TESTDEV_MIN_IMAGE ||
	    command->length > TESTDEV_MAX_IMAGE)
		return TESTDEV_STATUS_INVALID;
	if (!vf->saving.active)
		return TESTDEV_STATUS_ORDER;
	if (command->argument & TESTDEV_FINAL && vf->level != TESTDEV_LEVEL_STOPPED)
		return TESTDEV_STATUS_ORDER;
	return TESTDEV_STATUS_OK;
}

/* What is left after the image, in images of the same size. */
static void save_report_rest(struct testdev_vf *vf, struct testdev_command *command, u32 room)
{
	struct testdev_command query = { .argument = command->argument, .length = room };

	if (vf->saving.active)
		testdev_query(vf, &query);
	command->images = query.images;
	command->remaining = query.remaining;
}

/* Return a TESTDEV_STATUS_. */
u32 testdev_save(struct testdev_vf *vf, struct testdev_command *command)
{
	u32 room = command->length;
	struct testdev_list list;
	u32 status;

	lockdep_assert_held(&vf->lock);

	status = save_check(vf, command);
	if (status != TESTDEV_STATUS_OK)
		return status;
	status = testdev_list_init(&list, vf->pf->fn, command);
	if (status == TESTDEV_STATUS_OK && list.room < room)
		status = TESTDEV_STATUS_INVALID;
	if (status == TESTDEV_STATUS_OK)
		status = save_image(vf, &list, command);
	testdev_list_fini(&list);
	if (status == TESTDEV_STATUS_OK)
		save_report_rest(vf, command, room);
	return status;
}
