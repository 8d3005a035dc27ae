// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving.
 *
 * The image of a stopped VF comes in one piece, or from firmware that hands it
 * out in chunks in several, each of which is a record. In chunks, memory is
 * bounded by two buffers however large the state is: the firmware fills one
 * while the user reads the other. In one piece it is the size of the image,
 * which the firmware dictates.
 */
#include "mlx5mig.h"

/* What the user will read for so many bytes of state, framing included. */
static u64 mlx5mig_stream_bytes(const struct mlx5mig_pending *pending)
{
	u64 images = pending->required ? DIV_ROUND_UP_ULL(pending->total, pending->required) : 0;

	return pending->total + (images + 1) * sizeof(struct vfio_mig_record_header) +
	       sizeof(__le64);
}

/* How large the records become at most; checked, as the firmware dictates it. */
static int mlx5mig_record_size(struct mlx5mig_device *dev, const struct mlx5mig_pending *pending,
			       u64 *size)
{
	*size = pending->required;
	if (dev->chunked)
		*size = max(*size, min_t(u64, pending->total, VFIO_MIG_RECORD_SIZE));
	*size = PAGE_ALIGN(*size);
	return pending->required && *size <= MLX5MIG_MAX_IMAGE ? 0 : -EIO;
}

/* Lets whoever loads it, also another driver, allocate before the data come. */
static int mlx5mig_save_announce(struct mlx5mig_session *session, u64 size)
{
	__le64 payload = cpu_to_le64(size);

	return vfio_mig_save_blob(session->stream, VFIO_MIG_TAG_STOP_COPY_SIZE,
				  VFIO_MIG_RECORD_OPTIONAL, &payload, sizeof(payload));
}

/* Memory for the records to come. */
static int mlx5mig_save_prepare(struct mlx5mig_session *session,
				const struct mlx5mig_pending *pending)
{
	u64 size;
	int ret;

	ret = mlx5mig_record_size(session->dev, pending, &size);
	if (ret)
		return ret;
	ret = mlx5mig_save_announce(session, size);
	if (ret)
		return ret;
	return vfio_mig_save_buffers(session->stream, size, pending->total > size ? 2 : 1);
}

/* &vfio_mig_ops.save_begin */
int mlx5mig_save_begin(struct vfio_mig_stream *st, bool final)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_save *save = &session->save;
	struct mlx5mig_pending pending;
	int ret;

	/* Nothing else happens without VFIO_MIGRATION_PRE_COPY. */
	if (WARN_ON_ONCE(!final))
		return -EOPNOTSUPP;
	ret = mlx5mig_cmd_query(session->dev, 0, &pending);
	if (ret)
		return ret;
	session->direction = DMA_FROM_DEVICE;
	ret = mlx5mig_save_prepare(session, &pending);
	if (ret)
		return ret;
	save->required = pending.required;
	save->flags = 0;
	vfio_mig_save_expect(st, mlx5mig_stream_bytes(&pending));
	mlx5_cmd_init_async_ctx(session->dev->mdev, &save->async);
	return 0;
}

/* The rest of the state, if any, follows the image that has just been saved. */
static int mlx5mig_save_accept(struct mlx5mig_session *session, u32 *length)
{
	struct mlx5mig_save *save = &session->save;

	*length = MLX5_GET(save_vhca_state_out, save->out, actual_image_size);
	if (!*length || *length > vfio_mig_buf_capacity(save->buf))
		return -EIO;
	save->required = 0;
	if (session->dev->chunked)
		save->required = MLX5_GET(save_vhca_state_out, save->out, next_required_umem_size);
	save->flags = MLX5MIG_INCREMENTAL;
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
	if (ret) {
		vfio_mig_save_fail(session->stream, buf, ret);
		return;
	}
	vfio_mig_buf_sync_for_cpu(buf);
	vfio_mig_save_push(session->stream, buf, VFIO_MIG_TAG_IMAGE, 0, length);
}

/* &vfio_mig_ops.save_next */
void mlx5mig_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_save *save = &session->save;
	int ret = -EIO;

	if (!save->required) {
		vfio_mig_save_eof(st, buf);
		return;
	}
	if (save->required <= vfio_mig_buf_capacity(buf)) {
		save->buf = buf;
		vfio_mig_buf_sync_for_device(buf);
		ret = mlx5mig_cmd_save(session->dev, save, mlx5mig_save_done);
	}
	if (ret)
		vfio_mig_save_fail(st, buf, ret);
}

/* &vfio_mig_ops.save_end: waits for the command in flight. */
void mlx5mig_save_end(struct vfio_mig_stream *st, bool abort)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);

	mlx5_cmd_cleanup_async_ctx(&session->save.async);
}

/*
 * &vfio_mig_ops.estimate
 *
 * Not called while a session saves, when the firmware would only tell what is left
 * of the image.
 */
int mlx5mig_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate)
{
	struct mlx5mig_device *dev = to_mlx5mig(mig);
	struct mlx5mig_pending pending;
	int ret;

	lockdep_assert_held(&mig->state_mutex);
	ret = mlx5mig_identify(dev);
	if (!ret)
		ret = mlx5mig_cmd_query(dev, 0, &pending);
	if (!ret)
		estimate->stop_copy_bytes = mlx5mig_stream_bytes(&pending);
	return ret;
}
