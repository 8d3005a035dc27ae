// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving: one SAVE after the other, each into a buffer that becomes a record.
 *
 * The image of a stopped VF comes in one piece, or from firmware that hands it
 * out in chunks in several. In chunks the firmware fills one buffer while the
 * user reads the other. A session that began while the VF ran (precopy.c) has
 * less left for then, and goes on with the same buffers.
 *
 * The stream begins with the size of the image to come, so that whoever loads it
 * has memory for it before the VF stops.
 */
#include "mlx5mig.h"

/* Also for other drivers. Again only if it has grown since. */
static int mlx5mig_save_announce(struct mlx5mig_session *session, u64 size)
{
	__le64 payload = cpu_to_le64(size);
	int ret;

	if (size <= session->save.announced)
		return 0;
	ret = vfio_mig_save_blob(session->stream, VFIO_MIG_TAG_STOP_COPY_SIZE,
				 VFIO_MIG_RECORD_OPTIONAL, &payload, sizeof(payload));
	if (!ret)
		session->save.announced = size;
	return ret;
}

/* Memory for the records to come. Those in one piece are never ahead of the reader. */
static int mlx5mig_save_make_room(struct mlx5mig_session *session,
				  const struct mlx5mig_pending *pending, bool final, u64 *size)
{
	bool several = session->dev->chunked;
	int ret;

	ret = mlx5mig_record_size(session->dev, pending, final, size);
	if (ret)
		return ret;
	if (final)
		several = pending->total > *size;
	return vfio_mig_save_buffers(session->stream, *size, several ? 2 : 1);
}

/*
 * &vfio_mig_ops.save_prepare
 *
 * For pre-copy or not, that is not known yet. A large image in one piece is left
 * for the session: its memory would be of no use to anybody for who knows how long.
 */
int mlx5mig_save_prepare(struct vfio_mig_stream *st)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_pending pending;
	u64 size;
	int ret;

	session->direction = DMA_FROM_DEVICE;
	ret = mlx5mig_cmd_query(session->dev, 0, &pending);
	if (ret)
		return ret;
	if (pending.required > MLX5MIG_MAX_PREPARED)
		return -EFBIG;
	return mlx5mig_save_make_room(session, &pending, false, &size);
}

static void mlx5mig_save_start(struct mlx5mig_session *session,
			       const struct mlx5mig_pending *pending, bool final)
{
	struct mlx5mig_save *save = &session->save;
	u32 builds = save->exhausted ? 0 : save->flags & MLX5MIG_INCREMENTAL;

	save->flags = final ? builds : MLX5MIG_TRACK;
	save->final = final;
	save->asks = false;
	/* The last image is there even if it says that nothing has changed. */
	save->required = max(pending->required, 1);
	save->left = pending->total;
	save->first = final ? 0 : pending->total;
	if (final)
		vfio_mig_save_expect(session->stream, mlx5mig_stream_bytes(pending));
}

/* &vfio_mig_ops.save_begin */
int mlx5mig_save_begin(struct vfio_mig_stream *st, bool final)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_device *dev = session->dev;
	struct mlx5mig_pending pending;
	u64 size;
	int ret;

	session->direction = DMA_FROM_DEVICE;
	ret = mlx5mig_precopy_query(session, &pending);
	if (!ret)
		ret = mlx5mig_save_make_room(session, &pending, final, &size);
	if (!ret)
		ret = mlx5mig_save_announce(session, size);
	if (ret)
		return ret;
	mlx5mig_save_start(session, &pending, final);
	if (dev->saving)
		return 0;
	dev->saving = session;
	mlx5_cmd_init_async_ctx(dev->mdev, &session->save.async);
	return 0;
}

/* What is left of a stopped VF's state follows the image that has just been saved. */
static void mlx5mig_save_saved(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;

	session->dev->tracking = false;
	save->flags = MLX5MIG_INCREMENTAL;
	save->required = 0;
	if (session->dev->chunked)
		save->required = MLX5_GET(save_vhca_state_out, save->out, next_required_umem_size);
	save->asks = session->dev->chunked && !save->required && save->left;
}

static int mlx5mig_save_accept(struct mlx5mig_session *session, u32 *length)
{
	struct mlx5mig_save *save = &session->save;

	*length = MLX5_GET(save_vhca_state_out, save->out, actual_image_size);
	if (!*length || *length > vfio_mig_buf_capacity(save->buf))
		return -EIO;
	save->left -= min(save->left, *length);
	save->first -= min(save->first, *length);
	if (save->final)
		mlx5mig_save_saved(session);
	else
		mlx5mig_precopy_saved(session);
	return 0;
}

/* Context: mostly hard interrupt. When it has passed the buffer on, save_next() may run. */
static void mlx5mig_save_done(int status, struct mlx5_async_work *work)
{
	struct mlx5mig_session *session = container_of(work, struct mlx5mig_session, save.work);
	struct vfio_mig_buf *buf = session->save.buf;
	u32 length;
	int ret;

	ret = mlx5mig_cmd_save_result(&session->save, status);
	if (!ret)
		ret = mlx5mig_save_accept(session, &length);
	if (ret == -ESTALE) {
		mlx5mig_precopy_exhausted(session);
		vfio_mig_save_idle(session->stream, buf);
	} else if (ret) {
		vfio_mig_save_fail(session->stream, buf, ret);
	} else {
		vfio_mig_buf_sync_for_cpu(buf);
		vfio_mig_save_push(session->stream, buf, VFIO_MIG_TAG_IMAGE, 0, length);
	}
}

static int mlx5mig_save_issue(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;

	if (save->required > vfio_mig_buf_capacity(save->buf))
		return -EIO;
	if (save->flags & MLX5MIG_TRACK)
		session->dev->tracking = true;
	vfio_mig_buf_sync_for_device(save->buf);
	return mlx5mig_cmd_save(session->dev, save, mlx5mig_save_done);
}

/* While the VF runs, what does not fit into the buffer waits as well. */
static bool mlx5mig_save_rests(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;

	return !save->required || mlx5mig_precopy_pauses(session) ||
	       save->required > vfio_mig_buf_capacity(save->buf);
}

/* It is known what comes next. */
static void mlx5mig_save_go_on(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;
	int ret;

	if (save->final && !save->required) {
		vfio_mig_save_eof(session->stream, save->buf);
		return;
	}
	if (!save->final && mlx5mig_save_rests(session)) {
		vfio_mig_save_idle(session->stream, save->buf);
		return;
	}
	ret = mlx5mig_save_issue(session);
	if (ret)
		vfio_mig_save_fail(session->stream, save->buf, ret);
}

/*
 * The firmware says that this was all, but it is less than what it had announced.
 * If it would go on, the state is not complete; that it cannot be asked any more
 * means that it is.
 */
static int mlx5mig_save_confirm_end(struct mlx5mig_session *session)
{
	struct mlx5mig_pending pending;
	int ret;

	ret = mlx5mig_cmd_query(session->dev, MLX5MIG_INCREMENTAL, &pending);
	if (ret)
		return ret == -ETIMEDOUT ? ret : 0;
	return pending.required ? -EIO : 0;
}

/**
 * mlx5mig_save_ask() - ask the firmware what comes next, and go on with that
 * @work: of the session, which has a buffer to fill
 *
 * Context: process context.
 */
void mlx5mig_save_ask(struct work_struct *work)
{
	struct mlx5mig_session *session = container_of(work, struct mlx5mig_session, save.ask);
	struct mlx5mig_save *save = &session->save;
	int ret;

	save->asks = false;
	if (save->final)
		ret = mlx5mig_save_confirm_end(session);
	else
		ret = mlx5mig_precopy_next(session);
	if (ret)
		vfio_mig_save_fail(session->stream, save->buf, ret);
	else
		mlx5mig_save_go_on(session);
}

/* &vfio_mig_ops.save_next */
void mlx5mig_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_save *save = &session->save;

	save->buf = buf;
	if (save->asks)
		queue_work(system_dfl_wq, &save->ask);
	else
		mlx5mig_save_go_on(session);
}

/* &vfio_mig_ops.save_end: waits for the command in flight. */
void mlx5mig_save_end(struct vfio_mig_stream *st, bool abort)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_save *save = &session->save;

	if (cancel_work_sync(&save->ask))
		vfio_mig_save_fail(st, save->buf, -ENODEV);
	mlx5_cmd_cleanup_async_ctx(&save->async);
	session->dev->saving = NULL;
	mlx5mig_precopy_end(session->dev);
}
