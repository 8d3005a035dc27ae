// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware commands of migration.
 *
 * This file knows their layout and turns what they report into the errors that
 * users of the driver see. mlx5_core bounds the time of each (a minute), and
 * logs those that fail.
 */
#include "mlx5mig.h"

/**
 * mlx5mig_cmd_error() - error of a command as the user shall see it
 * @err: what mlx5_core returned
 *
 * Most refusals of the firmware become -EINVAL in mlx5_core, but the user, whose
 * request has been checked before, is not to blame for them.
 *
 * Return: 0, -ENOMEM, -EBUSY, -ETIMEDOUT or -EIO.
 */
int mlx5mig_cmd_error(int err)
{
	switch (err) {
	case 0:
	case -ENOMEM:
	case -EBUSY:
	case -ETIMEDOUT:
		return err;
	default:
		return -EIO;
	}
}

/* Why the firmware refused is at the same place in every answer. */
static int mlx5mig_cmd_judge(struct mlx5mig_device *dev, const u32 *out, int err)
{
	u32 syndrome = be32_to_cpu((__force __be32)out[1]);

	if (err && syndrome)
		vfio_mig_report_syndrome(&dev->core.mig, syndrome);
	return err;
}

/**
 * mlx5mig_cmd_suspend() - stop a part of the VF
 * @dev: the VF
 * @what: MLX5_SUSPEND_VHCA_IN_OP_MOD_SUSPEND_ value
 *
 * Return: 0 or -errno.
 */
int mlx5mig_cmd_suspend(struct mlx5mig_device *dev, u16 what)
{
	u32 out[MLX5_ST_SZ_DW(suspend_vhca_out)] = {};
	u32 in[MLX5_ST_SZ_DW(suspend_vhca_in)] = {};
	int ret;

	MLX5_SET(suspend_vhca_in, in, opcode, MLX5_CMD_OP_SUSPEND_VHCA);
	MLX5_SET(suspend_vhca_in, in, op_mod, what);
	MLX5_SET(suspend_vhca_in, in, vhca_id, dev->vhca_id);
	ret = mlx5_cmd_exec_inout(dev->mdev, suspend_vhca, in, out);
	return mlx5mig_cmd_error(mlx5mig_cmd_judge(dev, out, ret));
}

/**
 * mlx5mig_cmd_resume() - start a part of the VF
 * @dev: the VF
 * @what: MLX5_RESUME_VHCA_IN_OP_MOD_RESUME_ value; not numbered as for suspend
 *
 * Return: 0 or -errno.
 */
int mlx5mig_cmd_resume(struct mlx5mig_device *dev, u16 what)
{
	u32 out[MLX5_ST_SZ_DW(resume_vhca_out)] = {};
	u32 in[MLX5_ST_SZ_DW(resume_vhca_in)] = {};
	int ret;

	MLX5_SET(resume_vhca_in, in, opcode, MLX5_CMD_OP_RESUME_VHCA);
	MLX5_SET(resume_vhca_in, in, op_mod, what);
	MLX5_SET(resume_vhca_in, in, vhca_id, dev->vhca_id);
	ret = mlx5_cmd_exec_inout(dev->mdev, resume_vhca, in, out);
	return mlx5mig_cmd_error(mlx5mig_cmd_judge(dev, out, ret));
}

/* The firmware does not track the VF, or not any more: nothing that mlx5_core has to log. */
static bool mlx5mig_cmd_is_untracked(const u32 *out, int err)
{
	return err == -EREMOTEIO &&
	       MLX5_GET(save_vhca_state_out, out, status) == MLX5_CMD_STAT_BAD_RES_STATE_ERR;
}

/* What is not a size is not believed. */
static int mlx5mig_cmd_read_pending(struct mlx5mig_device *dev, const u32 *out,
				    struct mlx5mig_pending *pending)
{
	u64 total = MLX5_GET64(query_vhca_migration_state_out, out, remaining_total_size);
	u32 state = MLX5_GET(query_vhca_migration_state_out, out, migration_state);

	pending->required = MLX5_GET(query_vhca_migration_state_out, out, required_umem_size);
	pending->reinit = dev->tells_reinit &&
			  state == MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_INIT;
	pending->total = pending->required;
	if (dev->chunked && pending->required)
		pending->total = max(pending->total, total);
	return pending->total > MLX5MIG_MAX_STATE ? -EIO : 0;
}

/**
 * mlx5mig_cmd_query() - how much is there to save
 * @dev: the VF
 * @flags: MLX5MIG_INCREMENTAL or 0
 * @pending: the answer
 *
 * Return: 0; -ESTALE if the answer would be an increment of what the firmware does
 * not track; or another -errno.
 */
int mlx5mig_cmd_query(struct mlx5mig_device *dev, u32 flags, struct mlx5mig_pending *pending)
{
	u32 out[MLX5_ST_SZ_DW(query_vhca_migration_state_out)] = {};
	u32 in[MLX5_ST_SZ_DW(query_vhca_migration_state_in)] = {};
	int ret;

	MLX5_SET(query_vhca_migration_state_in, in, opcode,
		 MLX5_CMD_OP_QUERY_VHCA_MIGRATION_STATE);
	MLX5_SET(query_vhca_migration_state_in, in, incremental, !!(flags & MLX5MIG_INCREMENTAL));
	MLX5_SET(query_vhca_migration_state_in, in, chunk, dev->chunked);
	MLX5_SET(query_vhca_migration_state_in, in, vhca_id, dev->vhca_id);
	ret = mlx5_cmd_do(dev->mdev, in, sizeof(in), out, sizeof(out));
	if (flags & MLX5MIG_INCREMENTAL && mlx5mig_cmd_is_untracked(out, ret))
		return mlx5mig_cmd_judge(dev, out, -ESTALE);
	ret = mlx5mig_cmd_judge(dev, out, mlx5_cmd_check(dev->mdev, ret, in, out));
	return mlx5mig_cmd_error(ret) ?: mlx5mig_cmd_read_pending(dev, out, pending);
}

/**
 * mlx5mig_cmd_load() - apply an image
 * @dev: the VF
 * @mkey: where it is
 * @length: its exact length in bytes
 *
 * Return: 0, -EINVAL if the firmware does not like the image, or another -errno.
 */
int mlx5mig_cmd_load(struct mlx5mig_device *dev, u32 mkey, u32 length)
{
	u32 out[MLX5_ST_SZ_DW(load_vhca_state_out)] = {};
	u32 in[MLX5_ST_SZ_DW(load_vhca_state_in)] = {};
	int ret;

	MLX5_SET(load_vhca_state_in, in, opcode, MLX5_CMD_OP_LOAD_VHCA_STATE);
	MLX5_SET(load_vhca_state_in, in, vhca_id, dev->vhca_id);
	MLX5_SET(load_vhca_state_in, in, mkey, mkey);
	MLX5_SET(load_vhca_state_in, in, size, length);
	ret = mlx5mig_cmd_judge(dev, out, mlx5_cmd_exec_inout(dev->mdev, load_vhca_state, in, out));
	return ret == -EINVAL ? ret : mlx5mig_cmd_error(ret);
}

/**
 * mlx5mig_cmd_save() - start to save an image
 * @dev: the VF
 * @save: the command; its buf and flags say where to and of which kind
 * @done: called when the command is over, if this returns 0
 *
 * Context: process context for the call. @done is called in any context.
 * Return: 0 or -errno.
 */
int mlx5mig_cmd_save(struct mlx5mig_device *dev, struct mlx5mig_save *save, mlx5_async_cbk_t done)
{
	memset(save->in, 0, sizeof(save->in));
	memset(save->out, 0, sizeof(save->out));
	MLX5_SET(save_vhca_state_in, save->in, opcode, MLX5_CMD_OP_SAVE_VHCA_STATE);
	MLX5_SET(save_vhca_state_in, save->in, incremental, !!(save->flags & MLX5MIG_INCREMENTAL));
	MLX5_SET(save_vhca_state_in, save->in, set_track, !!(save->flags & MLX5MIG_TRACK));
	MLX5_SET(save_vhca_state_in, save->in, vhca_id, dev->vhca_id);
	MLX5_SET(save_vhca_state_in, save->in, mkey, to_mlx5mig_buffer(save->buf)->mkey);
	MLX5_SET(save_vhca_state_in, save->in, size, vfio_mig_buf_capacity(save->buf));
	return mlx5mig_cmd_error(mlx5_cmd_exec_cb(&save->async, save->in, sizeof(save->in),
						  save->out, sizeof(save->out), done,
						  &save->work));
}

/**
 * mlx5mig_cmd_save_result() - how a SAVE ended
 * @save: the command
 * @status: what mlx5_core told the completion
 *
 * Context: any.
 * Return: 0; -ESTALE if it was to track the VF and the firmware does not; or
 * another -errno.
 */
int mlx5mig_cmd_save_result(struct mlx5mig_save *save, int status)
{
	struct mlx5mig_session *session = container_of(save, struct mlx5mig_session, save);
	int ret;

	if (save->flags & MLX5MIG_TRACK && mlx5mig_cmd_is_untracked(save->out, status))
		return mlx5mig_cmd_judge(session->dev, save->out, -ESTALE);
	ret = mlx5_cmd_check(save->async.dev, status, save->in, save->out);
	return mlx5mig_cmd_error(mlx5mig_cmd_judge(session->dev, save->out, ret));
}

/**
 * mlx5mig_cmd_untrack() - have the firmware forget what it tracks
 * @dev: a VF that is not stopped
 *
 * That is a SAVE whose image is not wanted, so that it needs no memory. It is
 * refused when a reset was faster, which is nothing to log.
 */
void mlx5mig_cmd_untrack(struct mlx5mig_device *dev)
{
	u32 out[MLX5_ST_SZ_DW(save_vhca_state_out)] = {};
	u32 in[MLX5_ST_SZ_DW(save_vhca_state_in)] = {};

	MLX5_SET(save_vhca_state_in, in, opcode, MLX5_CMD_OP_SAVE_VHCA_STATE);
	MLX5_SET(save_vhca_state_in, in, vhca_id, dev->vhca_id);
	mlx5_cmd_do(dev->mdev, in, sizeof(in), out, sizeof(out));
}
