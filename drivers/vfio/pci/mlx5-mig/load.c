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

/*
 * &vfio_mig_ops.load_begin
 *
 * What the VF would save itself tells what will come, until the stream does.
 */
int mlx5mig_load_begin(struct vfio_mig_stream *st)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_pending pending;
	u64 size;

	session->direction = DMA_TO_DEVICE;
	if (mlx5mig_cmd_query(session->dev, 0, &pending) ||
	    mlx5mig_record_size(session->dev, &pending, true, &size))
		return 0;
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
