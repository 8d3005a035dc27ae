// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run levels.
 *
 * The firmware stops a VF in two steps: as initiator it starts nothing any more,
 * as responder it does not change any more. The steps are taken back in reverse
 * order. The level is kept here, so that no step is asked for twice.
 */
#include "mlx5mig.h"

/* Which command leads from a level to the next lower one, and back. */
struct mlx5mig_step {
	u16 suspend;
	u16 resume;
};

static const struct mlx5mig_step mlx5mig_steps_down_from[] = {
	[VFIO_MIG_RUNNING] = {
		.suspend = MLX5_SUSPEND_VHCA_IN_OP_MOD_SUSPEND_INITIATOR,
		.resume = MLX5_RESUME_VHCA_IN_OP_MOD_RESUME_INITIATOR,
	},
	[VFIO_MIG_QUIESCED] = {
		.suspend = MLX5_SUSPEND_VHCA_IN_OP_MOD_SUSPEND_RESPONDER,
		.resume = MLX5_RESUME_VHCA_IN_OP_MOD_RESUME_RESPONDER,
	},
};

static int mlx5mig_step_down(struct mlx5mig_device *dev)
{
	int ret = mlx5mig_cmd_suspend(dev, mlx5mig_steps_down_from[dev->level].suspend);

	if (!ret)
		dev->level--;
	return ret;
}

static int mlx5mig_step_up(struct mlx5mig_device *dev)
{
	int ret = mlx5mig_cmd_resume(dev, mlx5mig_steps_down_from[dev->level + 1].resume);

	if (!ret)
		dev->level++;
	return ret;
}

static int mlx5mig_move(struct mlx5mig_device *dev, enum vfio_mig_run_level to)
{
	int ret = 0;

	while (!ret && dev->level > to)
		ret = mlx5mig_step_down(dev);
	while (!ret && dev->level < to)
		ret = mlx5mig_step_up(dev);
	return ret;
}

/* When the second of two steps fails the first one is taken back. */
static int mlx5mig_set_level(struct mlx5mig_device *dev, enum vfio_mig_run_level to)
{
	enum vfio_mig_run_level from = dev->level;
	int ret;

	lockdep_assert_held(&dev->core.mig.state_mutex);
	ret = mlx5mig_identify(dev);
	if (ret)
		return ret;
	ret = mlx5mig_move(dev, to);
	if (ret)
		mlx5mig_move(dev, from);
	return ret;
}

/* &vfio_mig_ops.suspend */
int mlx5mig_suspend(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	return mlx5mig_set_level(to_mlx5mig(mig), to);
}

/* &vfio_mig_ops.resume */
int mlx5mig_resume(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	struct mlx5mig_device *dev = to_mlx5mig(mig);
	int ret = mlx5mig_set_level(dev, to);

	if (!ret)
		mlx5mig_precopy_end(dev);
	return ret;
}

/* &vfio_mig_ops.reset: a function level reset makes the firmware start over. */
void mlx5mig_reset(struct vfio_mig *mig)
{
	struct mlx5mig_device *dev = to_mlx5mig(mig);

	dev->level = VFIO_MIG_RUNNING;
	dev->tracking = false;
}
