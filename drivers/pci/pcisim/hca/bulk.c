// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bulk state of a VHCA: bytes without a meaning, as many as the user wants.
 *
 * Pages that change are marked, whether or not anybody tracks them; no page
 * beyond the end is ever marked, no byte between size and room is ever seen.
 * There is always room for what a reset restores, so that a reset cannot fail.
 * A generated state has a number for each page in place of its bytes, see generated.c.
 */
#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "hca.h"

/* Rather fail than have other processes killed for a simulated device. */
#define BULK_GFP	(GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

void pcisim_hca_bulk_free(struct pcisim_hca_bulk *bulk)
{
	if (!bulk)
		return;
	bitmap_free(bulk->dirty);
	vfree(bulk->data);
	kfree(bulk);
}

/* Whether a state can have this size. */
bool pcisim_hca_bulk_size_ok(u64 size, bool generated)
{
	if (generated)
		return size <= HCA_MAX_GENERATED && IS_ALIGNED(size, HCA_BULK_PAGE);
	return size <= HCA_MAX_STATE;
}

/* The memory that @size bytes of state take. */
static size_t bulk_memory(const struct pcisim_hca_bulk *bulk, u64 size)
{
	return bulk->generated ? pcisim_hca_bulk_pages(size) * sizeof(u32) : size;
}

/* @size bytes of zeros, or pages of version 0, that can grow to @room. */
struct pcisim_hca_bulk *pcisim_hca_bulk_alloc(u64 size, u64 room, bool generated)
{
	struct pcisim_hca_bulk *bulk __free(pcisim_hca_bulk) = kzalloc_obj(*bulk);

	if (!bulk)
		return NULL;
	bulk->size = size;
	bulk->room = max3(size, room, (u64)HCA_BULK_PAGE);
	bulk->generated = generated;
	bulk->data = __vmalloc(bulk_memory(bulk, bulk->room), BULK_GFP);
	bulk->dirty = bitmap_zalloc(pcisim_hca_bulk_pages(bulk->room), GFP_KERNEL);
	if (!bulk->data || !bulk->dirty)
		return NULL;
	return_ptr(bulk);
}

/* Between states of the same kind and size. */
void pcisim_hca_bulk_copy(struct pcisim_hca_bulk *to, const struct pcisim_hca_bulk *from)
{
	memcpy(to->data, from->data, bulk_memory(from, from->size));
}

static int bulk_grow_room(struct pcisim_hca_bulk **bulk, u64 room)
{
	struct pcisim_hca_bulk *old = *bulk;
	struct pcisim_hca_bulk *new = pcisim_hca_bulk_alloc(old->size, room, old->generated);

	if (!new)
		return -ENOMEM;
	pcisim_hca_bulk_copy(new, old);
	bitmap_copy(new->dirty, old->dirty, pcisim_hca_bulk_pages(old->size));
	pcisim_hca_bulk_free(old);
	*bulk = new;
	return 0;
}

/* What is new is as after a reset. Can only fail when it has to find more than there is room. */
int pcisim_hca_bulk_resize(struct pcisim_hca_bulk **bulk, u64 size, u64 room)
{
	u64 old = (*bulk)->size;
	int ret;

	if (size > (*bulk)->room) {
		ret = bulk_grow_room(bulk, max(size, room));
		if (ret)
			return ret;
	}
	(*bulk)->size = size;
	if (size > old) {
		memset((*bulk)->data + bulk_memory(*bulk, old), 0,
		       bulk_memory(*bulk, size) - bulk_memory(*bulk, old));
		pcisim_hca_bulk_mark(*bulk, old, size - old);
	} else {
		bitmap_clear((*bulk)->dirty, pcisim_hca_bulk_pages(size),
			     pcisim_hca_bulk_pages(old) - pcisim_hca_bulk_pages(size));
	}
	return 0;
}

/* @size bytes as of a new one, and the memory of a larger state goes back if possible. */
void pcisim_hca_bulk_reset(struct pcisim_hca_bulk **bulk, u64 size)
{
	struct pcisim_hca_bulk *smaller = NULL;

	if ((*bulk)->room > max_t(u64, size, HCA_BULK_PAGE))
		smaller = pcisim_hca_bulk_alloc(size, 0, (*bulk)->generated);
	if (smaller) {
		pcisim_hca_bulk_free(*bulk);
		*bulk = smaller;
		return;
	}
	bitmap_zero((*bulk)->dirty, pcisim_hca_bulk_pages((*bulk)->room));
	memset((*bulk)->data, 0, bulk_memory(*bulk, size));
	(*bulk)->size = size;
}

void pcisim_hca_bulk_mark(struct pcisim_hca_bulk *bulk, u64 offset, u64 len)
{
	unsigned long first = offset >> HCA_BULK_SHIFT;

	if (len)
		bitmap_set(bulk->dirty, first, pcisim_hca_bulk_pages(offset + len) - first);
}
