// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a tracking consists of, in the order in which it is built up. It is taken
 * down in the reverse order, from wherever building it ended.
 */
#include <linux/err.h>

#include "mlx5mig.h"
#include "tracker.h"

static int track_uar_get(struct mlx5mig_tracking *tracking)
{
	tracking->uar = mlx5_get_uars_page(tracking->mdev);
	return PTR_ERR_OR_ZERO(tracking->uar);
}

static void track_uar_put(struct mlx5mig_tracking *tracking)
{
	mlx5_put_uars_page(tracking->mdev, tracking->uar);
}

static int track_pd_alloc(struct mlx5mig_tracking *tracking)
{
	return mlx5mig_cmd_error(mlx5_core_alloc_pd(tracking->mdev, &tracking->pdn));
}

static void track_pd_dealloc(struct mlx5mig_tracking *tracking)
{
	mlx5_core_dealloc_pd(tracking->mdev, tracking->pdn);
}

struct mlx5mig_track_step {
	int (*begin)(struct mlx5mig_tracking *tracking);
	void (*end)(struct mlx5mig_tracking *tracking);
};

static const struct mlx5mig_track_step track_steps[] = {
	{ track_uar_get, track_uar_put },
	{ track_pd_alloc, track_pd_dealloc },
	{ mlx5mig_track_memory_init, mlx5mig_track_memory_fini },
	{ mlx5mig_track_cq_init, mlx5mig_track_cq_fini },
	{ mlx5mig_track_host_init, mlx5mig_track_host_fini },
	{ mlx5mig_track_firmware_init, mlx5mig_track_firmware_fini },
	{ mlx5mig_track_watch, mlx5mig_track_unwatch },
	{ mlx5mig_track_connect, NULL },	/* goes with the queue pairs */
	{ mlx5mig_track_object_create, mlx5mig_track_object_destroy },
};

static void track_undo(struct mlx5mig_tracking *tracking, unsigned int steps)
{
	while (steps--) {
		if (track_steps[steps].end)
			track_steps[steps].end(tracking);
	}
}

/**
 * mlx5mig_tracking_begin() - track what is planned
 * @tracking: the tracking
 *
 * Return: 0; or -errno and nothing is left in the firmware.
 */
int mlx5mig_tracking_begin(struct mlx5mig_tracking *tracking)
{
	unsigned int step;
	int ret;

	for (step = 0; step < ARRAY_SIZE(track_steps); step++) {
		ret = track_steps[step].begin(tracking);
		if (ret) {
			track_undo(tracking, step);
			return ret;
		}
	}
	return 0;
}

/**
 * mlx5mig_tracking_end() - track no more
 * @tracking: the tracking
 */
void mlx5mig_tracking_end(struct mlx5mig_tracking *tracking)
{
	track_undo(tracking, ARRAY_SIZE(track_steps));
}
