// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the ranges that a user asks for to those that the firmware is told.
 *
 * The firmware takes whole pages of the sizes that it knows, and a limited number
 * of ranges. Both only ever add to what is tracked: every byte that was asked for
 * is in one of the ranges.
 */
#include <linux/interval_tree.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/vfio.h>

#include "tracker.h"

/*
 * VFIO has checked alignment and overlaps, but not that there is anything in a
 * range: the last byte of an empty one lies before the first.
 */
static bool track_any_empty(struct rb_root_cached *requested)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(requested, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (node->last + 1 == node->start)
			return true;
	}
	return false;
}

/* Pages grow beyond what was asked for, so that a range can reach into the next one. */
static void track_add(struct mlx5mig_track_ranges *ranges, u64 start, u64 last)
{
	u64 in_page = BIT_ULL(ranges->page_shift) - 1;
	struct mlx5mig_track_range *previous = NULL;

	start &= ~in_page;
	last |= in_page;
	if (ranges->count)
		previous = &ranges->range[ranges->count - 1];
	if (previous && start <= previous->last + 1)
		previous->last = max(previous->last, last);
	else
		ranges->range[ranges->count++] = (struct mlx5mig_track_range) { start, last };
}

/* The firmware's memory is for so many pages, whatever lies between the ranges. */
static int track_measure(struct mlx5mig_track_ranges *ranges, u8 log_min, u8 log_max)
{
	u64 total = 0;

	for (unsigned int i = 0; i < ranges->count; i++) {
		u64 length = ranges->range[i].last - ranges->range[i].start + 1;

		if (!length || check_add_overflow(total, length, &total))
			return -EOPNOTSUPP;
	}
	if (order_base_2(total) > log_max)
		return -EOPNOTSUPP;
	ranges->log_space = max_t(u8, order_base_2(total), log_min);
	return 0;
}

/**
 * mlx5mig_track_plan() - decide what to track
 * @tracking: gets the ranges and the size of pages
 * @requested: tree of the ranges, which do not overlap; may be changed
 * @count: number of them, at least 1
 * @page_size: size of pages that the user would like
 *
 * Return: 0; -EINVAL for ranges or a size that make no sense; -EOPNOTSUPP if it is
 * more than the firmware can track.
 */
int mlx5mig_track_plan(struct mlx5mig_tracking *tracking, struct rb_root_cached *requested,
		       u32 count, u64 page_size)
{
	struct mlx5_core_dev *mdev = tracking->mdev;
	u32 max_ranges = MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_max_num_range);
	struct mlx5mig_track_ranges *ranges = &tracking->ranges;
	struct interval_tree_node *node;

	if (!is_power_of_2(page_size) || track_any_empty(requested))
		return -EINVAL;
	ranges->page_shift = clamp_t(u8, ilog2(page_size),
				     MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_min_page_size),
				     MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_max_page_size));
	if (count > max_ranges)
		vfio_combine_iova_ranges(requested, count, max_ranges);
	for (node = interval_tree_iter_first(requested, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		track_add(ranges, node->start, node->last);
	return track_measure(ranges,
			     MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_min_addr_space),
			     MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_max_addr_space));
}

/**
 * mlx5mig_track_covers() - are all these addresses tracked?
 * @ranges: what is tracked
 * @start: the first address
 * @last: the last one
 *
 * Return: whether they are.
 */
bool mlx5mig_track_covers(const struct mlx5mig_track_ranges *ranges, u64 start, u64 last)
{
	for (unsigned int i = 0; i < ranges->count; i++) {
		if (start >= ranges->range[i].start && last <= ranges->range[i].last)
			return true;
	}
	return false;
}
