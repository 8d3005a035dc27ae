// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bulk state of a VHCA: bytes without a meaning, as many as the user wants.
 *
 * Pages that change are marked, whether or not anybody tracks them; no page
 * beyond the end is ever marked, no byte between size and room is ever seen.
 * There is always room for what a reset restores, so that a reset cannot fail.
 */
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

/* @size bytes of zeros that can grow to @room. */
struct pcisim_hca_bulk *pcisim_hca_bulk_alloc(u64 size, u64 room)
{
	struct pcisim_hca_bulk *bulk __free(pcisim_hca_bulk) = kzalloc_obj(*bulk);

	if (!bulk)
		return NULL;
	bulk->size = size;
	bulk->room = max3(size, room, (u64)HCA_BULK_PAGE);
	bulk->data = __vmalloc(bulk->room, BULK_GFP);
	bulk->dirty = bitmap_zalloc(pcisim_hca_bulk_pages(bulk->room), GFP_KERNEL);
	if (!bulk->data || !bulk->dirty)
		return NULL;
	return_ptr(bulk);
}

static int bulk_grow_room(struct pcisim_hca_bulk **bulk, u64 room)
{
	struct pcisim_hca_bulk *old = *bulk;
	struct pcisim_hca_bulk *new = pcisim_hca_bulk_alloc(old->size, room);

	if (!new)
		return -ENOMEM;
	memcpy(new->data, old->data, old->size);
	bitmap_copy(new->dirty, old->dirty, pcisim_hca_bulk_pages(old->size));
	pcisim_hca_bulk_free(old);
	*bulk = new;
	return 0;
}

/* What is new is zero. Can only fail when it has to find more than the room there is. */
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
		memset((*bulk)->data + old, 0, size - old);
		pcisim_hca_bulk_mark(*bulk, old, size - old);
	} else {
		bitmap_clear((*bulk)->dirty, pcisim_hca_bulk_pages(size),
			     pcisim_hca_bulk_pages(old) - pcisim_hca_bulk_pages(size));
	}
	return 0;
}

/* @size bytes of zeros, and the memory of a larger state goes back if possible. */
void pcisim_hca_bulk_reset(struct pcisim_hca_bulk **bulk, u64 size)
{
	struct pcisim_hca_bulk *smaller = NULL;

	if ((*bulk)->room > max_t(u64, size, HCA_BULK_PAGE))
		smaller = pcisim_hca_bulk_alloc(size, 0);
	if (smaller) {
		pcisim_hca_bulk_free(*bulk);
		*bulk = smaller;
		return;
	}
	bitmap_zero((*bulk)->dirty, pcisim_hca_bulk_pages((*bulk)->room));
	memset((*bulk)->data, 0, size);
	(*bulk)->size = size;
}

void pcisim_hca_bulk_mark(struct pcisim_hca_bulk *bulk, u64 offset, u64 len)
{
	unsigned long first = offset >> HCA_BULK_SHIFT;

	if (len)
		bitmap_set(bulk->dirty, first, pcisim_hca_bulk_pages(offset + len) - first);
}
