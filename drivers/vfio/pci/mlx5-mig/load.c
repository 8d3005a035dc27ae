// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading: one image is applied while the next one arrives, in the order of the stream.
 *
 * The firmware checks what is in an image; what is said around it, the library
 * has checked.
 */
#include "mlx5mig.h"

/*
 * &vfio_mig_ops.expect
 *
 * Pages and keys are there before the last images come, during which the VF runs
 * nowhere. A failure costs time then, nothing else. Of images in one piece only the
 * last one is large and comes while somebody waits.
 */
int mlx5mig_expect(struct vfio_mig_stream *st, u64 size)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);

	if (size <= MLX5MIG_MAX_PREPARED)
		vfio_mig_load_reserve(st, size, session->dev->chunked ? 2 : 1);
	return 0;
}

/* What the VF would save itself, 0 if the firmware does not say. */
static u64 mlx5mig_own_record(struct mlx5mig_device *dev)
{
	struct mlx5mig_pending pending;
	u64 size;

	if (mlx5mig_cmd_query(dev, 0, &pending) ||
	    mlx5mig_record_size(dev, &pending, true, &size))
		return 0;
	return size;
}

/*
 * &vfio_mig_ops.load_begin
 *
 * A VF that no guest has used yet is smaller than the one that comes. So where images
 * come in chunks, the buffers are as large as this driver makes them.
 */
int mlx5mig_load_begin(struct vfio_mig_stream *st)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	u64 size = mlx5mig_own_record(session->dev);

	session->direction = DMA_TO_DEVICE;
	if (session->dev->chunked)
		size = max(size, VFIO_MIG_RECORD_SIZE);
	return mlx5mig_expect(st, size);
}

/* &vfio_mig_ops.load_record */
int mlx5mig_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	int ret;

	vfio_mig_buf_sync_for_device(buf);
	ret = mlx5mig_cmd_load(session->dev, to_mlx5mig_buffer(buf)->mkey, buf->length);
	vfio_mig_buf_sync_for_cpu(buf);
	return ret;
}
