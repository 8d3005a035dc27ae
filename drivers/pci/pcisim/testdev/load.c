// SPDX-License-Identifier: GPL-2.0-only
/*
 * LOAD: applies an image.
 *
 * Images come from elsewhere and are not trusted. One is copied before it is
 * looked at and checked completely before any of it applies: a LOAD that fails
 * changes nothing. Between the first image and the last one the VF does not run.
 */
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "testdev.h"

static bool load_extents_are_valid(const struct testdev_image_header *header, u32 length)
{
	u64 size = le64_to_cpu(header->memory_size);
	const struct testdev_image_extent *extent;
	u64 at = sizeof(*header), next = 0;
	u64 offset, bytes;

	for (u32 i = 0; i < le32_to_cpu(header->extents); i++) {
		if (length - at < sizeof(*extent))
			return false;
		extent = (const void *)header + at;
		at += sizeof(*extent);
		offset = le64_to_cpu(extent->offset);
		bytes = le32_to_cpu(extent->length);
		if (!bytes || extent->reserved || offset < next || offset >= size ||
		    bytes > size - offset || bytes > length - at)
			return false;
		next = offset + bytes;
		if (!IS_ALIGNED(offset, TESTDEV_BLOCK_SIZE) ||
		    (!IS_ALIGNED(next, TESTDEV_BLOCK_SIZE) && next != size))
			return false;
		at += bytes;
	}
	return at == length;
}

static bool load_image_is_valid(const struct testdev_image_header *header, u32 length)
{
	return length >= sizeof(*header) &&
	       le32_to_cpu(header->magic) == TESTDEV_IMAGE_MAGIC &&
	       le16_to_cpu(header->version) == TESTDEV_IMAGE_VERSION &&
	       !(le16_to_cpu(header->flags) & ~TESTDEV_IMAGE_LAST) && !header->reserved &&
	       le32_to_cpu(header->length) == length &&
	       le64_to_cpu(header->memory_size) <= TESTDEV_MAX_MEMORY &&
	       le32_to_cpu(header->engine.status) <= TESTDEV_VF_STATUS_STOPPED &&
	       load_extents_are_valid(header, length);
}

/* The first image starts over, whatever has been loaded before. */
static bool load_is_next(const struct testdev_vf *vf, const struct testdev_image_header *header)
{
	if (!header->number)
		return true;
	return vf->loading.active && le64_to_cpu(header->sequence) == vf->loading.id &&
	       le32_to_cpu(header->number) == vf->loading.next;
}

static void load_copy(void *to, const void *from, u64 length)
{
	u64 piece;

	for (; length; length -= piece, to += piece, from += piece) {
		piece = min_t(u64, length, TESTDEV_PIECE);
		memcpy(to, from, piece);
		cond_resched();
	}
}

static void load_blocks(struct testdev_memory *memory, const struct testdev_image_header *header)
{
	const void *from = header + 1;
	const struct testdev_image_extent *extent;
	u64 offset, length;

	for (u32 i = 0; i < le32_to_cpu(header->extents); i++) {
		extent = from;
		offset = le64_to_cpu(extent->offset);
		length = le32_to_cpu(extent->length);
		from += sizeof(*extent);
		load_copy(memory->data + offset, from, length);
		testdev_memory_mark(memory, offset, length);
		from += length;
	}
}

static u32 load_image(struct testdev_vf *vf, const struct testdev_image_header *header, u32 length)
{
	bool last;

	if (!load_image_is_valid(header, length) || !load_is_next(vf, header))
		return TESTDEV_STATUS_IMAGE;
	if (testdev_memory_resize(&vf->memory, le64_to_cpu(header->memory_size)))
		return TESTDEV_STATUS_MEMORY;

	load_blocks(&vf->memory, header);
	testdev_engine_load(vf, &header->engine);
	vf->frozen = header->engine;
	last = le16_to_cpu(header->flags) & TESTDEV_IMAGE_LAST;
	vf->saving.active = false;
	vf->loading = (struct testdev_sequence) {
		.active = !last,
		.id = le64_to_cpu(header->sequence),
		.next = le32_to_cpu(header->number) + 1,
	};
	atomic_inc(&vf->loads);
	return TESTDEV_STATUS_OK;
}

static u32 load_from_list(struct testdev_vf *vf, struct testdev_list *list, u32 length)
{
	void *image __free(kvfree) = NULL;

	if (list->room < length)
		return TESTDEV_STATUS_INVALID;
	image = kvmalloc(length, GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!image)
		return TESTDEV_STATUS_MEMORY;
	if (testdev_list_read(list, image, length))
		return TESTDEV_STATUS_DMA;
	return load_image(vf, image, length);
}

/* Return a TESTDEV_STATUS_. */
u32 testdev_load(struct testdev_vf *vf, struct testdev_command *command)
{
	struct testdev_list list;
	u32 status;

	lockdep_assert_held(&vf->lock);

	if (!command->length || command->length > TESTDEV_MAX_IMAGE || command->argument)
		return TESTDEV_STATUS_INVALID;
	if (vf->level != TESTDEV_LEVEL_STOPPED)
		return TESTDEV_STATUS_ORDER;
	status = testdev_list_init(&list, vf->pf->fn, command);
	if (status == TESTDEV_STATUS_OK)
		status = load_from_list(vf, &list, command->length);
	testdev_list_fini(&list);
	command->images = vf->loading.active;
	return status;
}
