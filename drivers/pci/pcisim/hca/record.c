// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages that a VF has written: bitmaps in an xarray, as address spaces are large
 * and mostly empty. All under pcisim_hca_tracking::lock.
 */
#include <linux/bitmap.h>
#include <linux/mlx5/device.h>
#include <linux/mlx5/mlx5_ifc.h>
#include <linux/slab.h>

#include "record.h"

/* Pages in one bitmap, which is a page itself. */
#define RECORD_SHIFT	15
#define RECORD_PAGES	BIT(RECORD_SHIFT)
#define RECORD_BYTES	(RECORD_PAGES / BITS_PER_BYTE)

static unsigned long *record_bitmap(struct pcisim_hca_tracker *tracker, u64 page)
{
	unsigned long *bitmap = xa_load(&tracker->dirty, page >> RECORD_SHIFT);

	if (bitmap)
		return bitmap;
	bitmap = kzalloc(RECORD_BYTES, GFP_KERNEL);
	if (!bitmap)
		return NULL;
	if (xa_err(xa_store(&tracker->dirty, page >> RECORD_SHIFT, bitmap, GFP_KERNEL))) {
		kfree(bitmap);
		return NULL;
	}
	return bitmap;
}

static bool record_tracks(const struct pcisim_hca_tracker *tracker, u64 address)
{
	for (u32 i = 0; i < tracker->range_count; i++) {
		if (address >= tracker->ranges[i].start && address <= tracker->ranges[i].last)
			return true;
	}
	return false;
}

/* A VF has written @len bytes, at least one. What cannot be recorded is lost, for good. */
void pcisim_hca_record(struct pcisim_hca_tracker *tracker, u64 iova, size_t len)
{
	u64 page = iova >> tracker->page_shift;
	u64 last = (iova + len - 1) >> tracker->page_shift;
	unsigned long *bitmap;

	for (; page <= last; page++) {
		if (!record_tracks(tracker, page << tracker->page_shift))
			continue;
		bitmap = record_bitmap(tracker, page);
		if (bitmap)
			__set_bit(page % RECORD_PAGES, bitmap);
		else
			tracker->state = MLX5_PAGE_TRACK_STATE_ERROR;
	}
}

/* The first dirty page from @from on; false if there is none. */
bool pcisim_hca_record_next(struct pcisim_hca_tracker *tracker, u64 from, u64 *page)
{
	unsigned long index = from >> RECORD_SHIFT;
	unsigned long bit = from % RECORD_PAGES;
	unsigned long *bitmap;

	xa_for_each_start(&tracker->dirty, index, bitmap, from >> RECORD_SHIFT) {
		if (index != from >> RECORD_SHIFT)
			bit = 0;
		bit = find_next_bit(bitmap, RECORD_PAGES, bit);
		if (bit < RECORD_PAGES) {
			*page = ((u64)index << RECORD_SHIFT) + bit;
			return true;
		}
	}
	return false;
}

void pcisim_hca_record_clear(struct pcisim_hca_tracker *tracker, u64 page)
{
	__clear_bit(page % RECORD_PAGES, xa_load(&tracker->dirty, page >> RECORD_SHIFT));
}

void pcisim_hca_record_free(struct pcisim_hca_tracker *tracker)
{
	unsigned long *bitmap;
	unsigned long index;

	xa_for_each(&tracker->dirty, index, bitmap)
		kfree(bitmap);
	xa_destroy(&tracker->dirty);
}
