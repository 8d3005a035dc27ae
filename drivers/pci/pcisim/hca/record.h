/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a tracker has recorded: shared by those who record and the one who reports.
 */
#ifndef PCISIM_HCA_RECORD_H
#define PCISIM_HCA_RECORD_H

#include <linux/types.h>
#include <linux/xarray.h>

struct pcisim_hca_track_range {
	u64 start;
	u64 last;
};

/*
 * state, reporting, next, last and dirty are protected by pcisim_hca_tracking::lock,
 * the rest is constant.
 */
struct pcisim_hca_tracker {
	u32 id;
	u8 page_shift;
	u8 log_message;
	u32 qpn;
	__be64 *message;			/* room for one */
	u8 state;				/* MLX5_PAGE_TRACK_STATE_ */
	u64 next;				/* pages of the report that are left */
	u64 last;
	struct xarray dirty;			/* bitmaps of pages */
	u32 range_count;
	struct pcisim_hca_track_range ranges[] __counted_by(range_count);
};

void pcisim_hca_record(struct pcisim_hca_tracker *tracker, u64 iova, size_t len);
bool pcisim_hca_record_next(struct pcisim_hca_tracker *tracker, u64 from, u64 *page);
void pcisim_hca_record_clear(struct pcisim_hca_tracker *tracker, u64 page);
void pcisim_hca_record_free(struct pcisim_hca_tracker *tracker);

#endif /* PCISIM_HCA_RECORD_H */
