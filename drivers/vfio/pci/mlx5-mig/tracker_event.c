// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the PF that concern a tracking.
 *
 * Firmware tells that something happened to its tracker only if other features of
 * the PF have turned that event on, so nothing depends on it: a report that waits
 * asks from time to time.
 */
#include "mlx5mig.h"
#include "tracker.h"

/* Numbers of queue pairs have 24 bits. */
#define TRACK_QPN_MASK	0xffffff

static void track_qp_failed(struct mlx5mig_tracking *tracking, const struct mlx5_eqe *eqe)
{
	u32 qpn = be32_to_cpu(eqe->data.qp_srq.qp_srq_n) & TRACK_QPN_MASK;

	if (eqe->data.qp_srq.type == MLX5_EVENT_QUEUE_TYPE_QP &&
	    (qpn == tracking->host.qpn || qpn == tracking->firmware.qpn))
		mlx5mig_tracker_lose(tracking->tracker);
}

/* The number of the object may not be known yet: then somebody asks once too often. */
static void track_object_changed(struct mlx5mig_tracking *tracking, const struct mlx5_eqe *eqe)
{
	if (be16_to_cpu(eqe->data.obj_change.obj_type) != MLX5_OBJ_TYPE_PAGE_TRACK)
		return;
	WRITE_ONCE(tracking->tracker->changed, true);
	mlx5mig_tracker_wake(tracking->tracker);
}

/* Context: hard interrupt */
static int track_queue_event(struct notifier_block *block, unsigned long type, void *data)
{
	struct mlx5mig_tracking *tracking =
		mlx5_nb_cof(block, struct mlx5mig_tracking, queue_events);

	switch (type) {
	case MLX5_EVENT_TYPE_WQ_CATAS_ERROR:
	case MLX5_EVENT_TYPE_WQ_ACCESS_ERROR:
	case MLX5_EVENT_TYPE_WQ_INVAL_REQ_ERROR:
		track_qp_failed(tracking, data);
		break;
	case MLX5_EVENT_TYPE_OBJECT_CHANGE:
		track_object_changed(tracking, data);
		break;
	}
	return NOTIFY_OK;
}

/* Context: atomic */
static int track_device_event(struct notifier_block *block, unsigned long event, void *data)
{
	struct mlx5mig_tracking *tracking =
		container_of(block, struct mlx5mig_tracking, device_events);

	if (event == MLX5_DEV_EVENT_SYS_ERROR)
		mlx5mig_tracker_lose(tracking->tracker);
	return NOTIFY_OK;
}

/**
 * mlx5mig_track_watch() - listen to events
 * @tracking: the tracking, which has its queue pairs
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_watch(struct mlx5mig_tracking *tracking)
{
	int ret;

	MLX5_NB_INIT(&tracking->queue_events, track_queue_event, NOTIFY_ANY);
	ret = mlx5_eq_notifier_register(tracking->mdev, &tracking->queue_events);
	if (ret)
		return ret;
	tracking->device_events.notifier_call = track_device_event;
	ret = mlx5_notifier_register(tracking->mdev, &tracking->device_events);
	if (ret)
		mlx5_eq_notifier_unregister(tracking->mdev, &tracking->queue_events);
	return ret;
}

/**
 * mlx5mig_track_unwatch() - listen to events no more
 * @tracking: the tracking
 */
void mlx5mig_track_unwatch(struct mlx5mig_tracking *tracking)
{
	mlx5_notifier_unregister(tracking->mdev, &tracking->device_events);
	mlx5_eq_notifier_unregister(tracking->mdev, &tracking->queue_events);
}
