// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking as VFIO asks for it, and what ends it unasked: the last user has
 * closed the VF, or the PF takes it out of service.
 *
 * VFIO holds no lock over these operations and keeps no state: any of them may come
 * at any time, several at once.
 */
#include <linux/cleanup.h>
#include <linux/iova_bitmap.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "mlx5mig.h"

static struct mlx5mig_tracker *tracker_of(struct vfio_device *vdev)
{
	return &container_of(vdev, struct mlx5mig_device, core.core.vdev)->tracker;
}

/**
 * mlx5mig_tracker_supported() - find out whether the VF's DMA can be tracked
 * @dev: the VF, which can migrate
 *
 * Without IOMMUFD_DRIVER the kernel has no bitmaps to report to.
 *
 * Return: whether it can.
 */
bool mlx5mig_tracker_supported(struct mlx5mig_device *dev)
{
	struct mlx5_core_dev *mdev = dev->mdev;

	if (!IS_ENABLED(CONFIG_IOMMUFD_DRIVER) || !MLX5_CAP_GEN(mdev, adv_virtualization))
		return false;
	return mlx5_comp_vectors_max(mdev) &&
	       MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_max_num_range) &&
	       MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_min_msg_size) <=
	       MLX5MIG_TRACK_LOG_MAX_MESSAGE &&
	       MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_max_msg_size) >=
	       MLX5MIG_TRACK_LOG_MIN_MESSAGE &&
	       MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_min_page_size) <=
	       MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_max_page_size);
}

/**
 * mlx5mig_tracker_init() - initialise the tracker of a VF
 * @tracker: the tracker, zeroed
 */
void mlx5mig_tracker_init(struct mlx5mig_tracker *tracker)
{
	mutex_init(&tracker->report_lock);
	mutex_init(&tracker->lock);
	init_waitqueue_head(&tracker->wait);
}

/**
 * mlx5mig_tracker_wake() - have a report that waits look again
 * @tracker: the tracker
 *
 * Context: any but NMI.
 */
void mlx5mig_tracker_wake(struct mlx5mig_tracker *tracker)
{
	WRITE_ONCE(tracker->woken, true);
	wake_up(&tracker->wait);
}

/**
 * mlx5mig_tracker_lose() - pages may have been lost: no report succeeds any more
 * @tracker: the tracker
 *
 * Until the next START. Has no effect on a VF that is not tracked.
 *
 * Context: any but NMI.
 */
void mlx5mig_tracker_lose(struct mlx5mig_tracker *tracker)
{
	WRITE_ONCE(tracker->failed, true);
	mlx5mig_tracker_wake(tracker);
}

/* What the firmware may still use stays allocated for ever. */
static void tracker_stop(struct mlx5mig_tracker *tracker)
{
	struct mlx5mig_tracking *tracking = tracker->tracking;

	lockdep_assert_held(&tracker->lock);
	if (!tracking)
		return;
	tracker->tracking = NULL;
	mlx5mig_tracking_end(tracking);
	if (!tracking->cq.leaked)
		kfree(tracking);
	mlx5mig_tracker_wake(tracker);
}

/* The VHCA id is the migration side's. */
static int tracker_identify(struct mlx5mig_device *dev, struct mlx5mig_tracking *tracking)
{
	int ret;

	guard(vfio_mig)(&dev->core.mig);
	ret = mlx5mig_identify(dev);
	tracking->vhca_id = dev->vhca_id;
	return ret;
}

static int tracker_start(struct mlx5mig_device *dev, struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_tracker *tracker = &dev->tracker;
	int ret;

	lockdep_assert_held(&tracker->lock);
	ret = tracker_identify(dev, tracking);
	if (ret)
		return ret;
	tracking->tracker = tracker;
	tracker->generation++;
	/* From here on what goes wrong counts. */
	WRITE_ONCE(tracker->failed, false);
	return mlx5mig_tracking_begin(tracking);
}

/* &vfio_log_ops.log_start */
static int mlx5mig_log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 count,
			     u64 *page_size)
{
	struct mlx5mig_device *dev = container_of(vdev, struct mlx5mig_device, core.core.vdev);
	struct mlx5mig_tracker *tracker = &dev->tracker;
	struct mlx5mig_tracking *tracking;
	int ret;

	guard(mutex)(&tracker->lock);
	if (tracker->detached)
		return -ENODEV;
	if (tracker->tracking)
		return -EINVAL;
	tracking = kzalloc_obj(*tracking, GFP_KERNEL_ACCOUNT);
	if (!tracking)
		return -ENOMEM;
	tracking->mdev = dev->mdev;
	ret = mlx5mig_track_plan(tracking, ranges, count, *page_size);
	if (!ret)
		ret = tracker_start(dev, tracking);
	if (ret) {
		if (!tracking->cq.leaked)
			kfree(tracking);
		return ret;
	}
	tracker->tracking = tracking;
	*page_size = BIT_ULL(tracking->ranges.page_shift);
	return 0;
}

/* &vfio_log_ops.log_stop */
static int mlx5mig_log_stop(struct vfio_device *vdev)
{
	struct mlx5mig_tracker *tracker = tracker_of(vdev);

	guard(mutex)(&tracker->lock);
	tracker_stop(tracker);
	return 0;
}

/* &vfio_log_ops.log_read_and_clear */
static int mlx5mig_log_read_and_clear(struct vfio_device *vdev, unsigned long iova,
				      unsigned long length, struct iova_bitmap *dirty)
{
	return mlx5mig_tracker_report(tracker_of(vdev), iova, length, dirty);
}

const struct vfio_log_ops mlx5mig_log_ops = {
	.log_start = mlx5mig_log_start,
	.log_stop = mlx5mig_log_stop,
	.log_read_and_clear = mlx5mig_log_read_and_clear,
};

/**
 * mlx5mig_tracker_close() - the last user of the VF is gone
 * @tracker: the tracker
 */
void mlx5mig_tracker_close(struct mlx5mig_tracker *tracker)
{
	guard(mutex)(&tracker->lock);
	tracker_stop(tracker);
}

/**
 * mlx5mig_tracker_detach() - the VF goes out of service
 * @tracker: the tracker
 *
 * Commands still work, so that nothing is left behind.
 */
void mlx5mig_tracker_detach(struct mlx5mig_tracker *tracker)
{
	guard(mutex)(&tracker->lock);
	tracker->detached = true;
	tracker_stop(tracker);
}

/**
 * mlx5mig_tracker_attach() - the VF is back in service
 * @tracker: the tracker
 */
void mlx5mig_tracker_attach(struct mlx5mig_tracker *tracker)
{
	guard(mutex)(&tracker->lock);
	tracker->detached = false;
}
