// SPDX-License-Identifier: GPL-2.0-only
/*
 * A report: ask the firmware, take its messages, mark the user's bitmap.
 *
 * Marking may fault user pages in and take as long as the user likes, so it is done
 * from a copy and without the tracker's lock. The tracking may therefore be gone,
 * or be another one, each time the lock is taken.
 *
 * A report that does not come to its end has taken pages from the firmware that
 * nobody was told of: the tracking has failed then.
 */
#include <linux/iova_bitmap.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mlx5mig.h"
#include "tracker.h"

/* A report that hears nothing asks so often, and gives up so long after a message. */
#define TRACK_POLL		HZ
#define TRACK_PATIENCE		(30 * HZ)

/**
 * struct mlx5mig_track_report - a report on its way
 * @tracker: the tracker
 * @generation: the tracking that was asked
 * @start: first address that was asked for
 * @last: last one
 * @page_size: size of pages in bytes
 * @deadline: when to give up, in jiffies
 * @message: the message that is being looked at
 */
struct mlx5mig_track_report {
	struct mlx5mig_tracker *tracker;
	u64 generation;
	u64 start;
	u64 last;
	u64 page_size;
	unsigned long deadline;
	struct mlx5mig_track_message message;
};

/* A page is clean after a report, so it can only be reported as a whole. */
static bool track_report_sensible(const struct mlx5mig_track_report *report,
				  const struct mlx5mig_track_ranges *ranges)
{
	u64 in_page = BIT_ULL(ranges->page_shift) - 1;

	return report->last + 1 != report->start && !(report->start & in_page) &&
	       (report->last & in_page) == in_page &&
	       mlx5mig_track_covers(ranges, report->start, report->last);
}

static int track_report_begin(struct mlx5mig_track_report *report)
{
	struct mlx5mig_tracker *tracker = report->tracker;
	struct mlx5mig_track_message *message = &report->message;
	struct mlx5mig_tracking *tracking;

	guard(mutex)(&tracker->lock);
	tracking = tracker->tracking;
	if (!tracking)
		return tracker->detached ? -ENODEV : -EINVAL;
	if (!track_report_sensible(report, &tracking->ranges))
		return -EINVAL;
	if (READ_ONCE(tracker->failed))
		return -EIO;
	message->room = BIT(tracking->memory.log_slot);
	message->addresses = kvmalloc(message->room, GFP_KERNEL_ACCOUNT);
	if (!message->addresses)
		return -ENOMEM;
	report->generation = tracker->generation;
	report->page_size = BIT_ULL(tracking->ranges.page_shift);
	report->deadline = jiffies + TRACK_PATIENCE;
	return mlx5mig_track_object_report(tracking, report->start,
					   report->last - report->start + 1);
}

/* The tracking that was asked, or an error if it cannot answer any more. */
static struct mlx5mig_tracking *track_report_tracking(const struct mlx5mig_track_report *report)
{
	struct mlx5mig_tracker *tracker = report->tracker;

	lockdep_assert_held(&tracker->lock);
	if (tracker->detached)
		return ERR_PTR(-ENODEV);
	if (!tracker->tracking || tracker->generation != report->generation ||
	    READ_ONCE(tracker->failed))
		return ERR_PTR(-EIO);
	return tracker->tracking;
}

static int track_report_receive(struct mlx5mig_track_report *report)
{
	struct mlx5mig_tracking *tracking;

	guard(mutex)(&report->tracker->lock);
	tracking = track_report_tracking(report);
	if (IS_ERR(tracking))
		return PTR_ERR(tracking);
	return mlx5mig_track_receive(tracking, &report->message);
}

/* Whether the firmware still works on it; its state may have changed unheard. */
static int track_report_check(struct mlx5mig_track_report *report)
{
	struct mlx5mig_tracking *tracking;

	if (time_after(jiffies, report->deadline))
		return -ETIMEDOUT;
	guard(mutex)(&report->tracker->lock);
	tracking = track_report_tracking(report);
	if (IS_ERR(tracking))
		return PTR_ERR(tracking);
	WRITE_ONCE(report->tracker->changed, false);
	return mlx5mig_track_object_check(tracking);
}

/* Until there may be a message. None is missed for long, even without an interrupt. */
static int track_report_wait(struct mlx5mig_track_report *report)
{
	struct mlx5mig_tracker *tracker = report->tracker;
	long left;

	left = wait_event_killable_timeout(tracker->wait, READ_ONCE(tracker->woken), TRACK_POLL);
	if (left < 0)
		return -EINTR;
	if (left && !READ_ONCE(tracker->changed) && time_before(jiffies, report->deadline))
		return 0;
	return track_report_check(report);
}

static bool track_address_sensible(const struct mlx5mig_track_report *report, u64 address)
{
	return address >= report->start && address <= report->last &&
	       !(address & (report->page_size - 1));
}

/* Neighbours are marked at once. */
static int track_report_mark(const struct mlx5mig_track_report *report, struct iova_bitmap *dirty)
{
	const struct mlx5mig_track_message *message = &report->message;
	u64 start = 0, length = 0, address;

	for (unsigned int i = 0; i < message->count; i++) {
		address = be64_to_cpu(message->addresses[i]);
		if (!track_address_sensible(report, address))
			return -EIO;
		if (length && address == start + length) {
			length += report->page_size;
			continue;
		}
		if (length)
			iova_bitmap_set(dirty, start, length);
		start = address;
		length = report->page_size;
	}
	if (length)
		iova_bitmap_set(dirty, start, length);
	cond_resched();
	return 0;
}

static int track_report_run(struct mlx5mig_track_report *report, struct iova_bitmap *dirty)
{
	int ret;

	do {
		ret = track_report_receive(report);
		if (ret == -EAGAIN) {
			ret = track_report_wait(report);
			continue;
		}
		if (ret)
			return ret;
		report->deadline = jiffies + TRACK_PATIENCE;
		ret = track_report_mark(report, dirty);
		if (report->message.last)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (!ret);
	return ret;
}

/* Unless it is another tracking by now. */
static void track_report_abort(const struct mlx5mig_track_report *report)
{
	struct mlx5mig_tracker *tracker = report->tracker;

	guard(mutex)(&tracker->lock);
	if (tracker->generation == report->generation)
		WRITE_ONCE(tracker->failed, true);
}

/**
 * mlx5mig_tracker_report() - report dirty pages, and clear them
 * @tracker: the tracker
 * @iova: the first address to report
 * @length: number of addresses
 * @dirty: the user's bitmap
 *
 * Context: process context, may take mmap_lock.
 * Return: 0; -EINVAL if the VF is not tracked, the addresses are not, or are not
 * whole pages; -EINTR if the caller is being killed; -ETIMEDOUT, -EIO, -ENODEV,
 * -ENOMEM: no statement about any page.
 */
int mlx5mig_tracker_report(struct mlx5mig_tracker *tracker, unsigned long iova,
			   unsigned long length, struct iova_bitmap *dirty)
{
	struct mlx5mig_track_report report = {
		.tracker = tracker,
		.start = iova,
		.last = (u64)iova + length - 1,
	};
	int ret;

	if (mutex_lock_killable(&tracker->report_lock))
		return -EINTR;
	ret = track_report_begin(&report);
	if (!ret)
		ret = track_report_run(&report, dirty);
	if (ret && report.generation)
		track_report_abort(&report);
	kvfree(report.message.addresses);
	mutex_unlock(&tracker->report_lock);
	return ret;
}
