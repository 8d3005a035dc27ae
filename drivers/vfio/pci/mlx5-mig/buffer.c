// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that the firmware can reach: mapped for the PF's DMA and registered as
 * a memory key.
 *
 * Pages are given back only once the firmware has confirmed that the key is
 * gone: until then it may write to them, e.g. when a SAVE timed out.
 */
#include <linux/mm.h>

#include "mlx5mig.h"

static int mlx5mig_buf_register(struct mlx5mig_session *session, struct mlx5mig_buffer *buffer)
{
	struct vfio_mig_buf *buf = &buffer->base;
	struct sg_dma_page_iter page;
	struct mlx5mig_mkey mkey;
	unsigned int i = 0;
	int ret;

	ret = mlx5mig_mkey_begin(&mkey, buf->nr_pages, PAGE_SHIFT, vfio_mig_buf_capacity(buf),
				 session->pdn);
	if (ret)
		return ret;
	for_each_sgtable_dma_page(&buf->sgt, &page, 0)
		mkey.addresses[i++] = cpu_to_be64(sg_page_iter_dma_address(&page));
	return mlx5mig_mkey_create(session->dev->mdev, &mkey, &buffer->mkey);
}

/* The firmware does not say that it is through with the pages: never reuse them. */
static void mlx5mig_leak_pages(struct vfio_mig_buf *buf)
{
	for (unsigned int i = 0; i < buf->nr_pages; i++)
		get_page(buf->pages[i]);
}

/* &vfio_mig_ops.buf_init */
int mlx5mig_buf_init(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	int ret;

	ret = vfio_mig_buf_map(buf, session->dev->mdev->device, session->direction);
	if (ret)
		return ret;
	ret = mlx5mig_buf_register(session, to_mlx5mig_buffer(buf));
	if (ret)
		vfio_mig_buf_unmap(buf);
	return ret;
}

/* &vfio_mig_ops.buf_fini */
void mlx5mig_buf_fini(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);

	if (mlx5_core_destroy_mkey(session->dev->mdev, to_mlx5mig_buffer(buf)->mkey))
		mlx5mig_leak_pages(buf);
	vfio_mig_buf_unmap(buf);
}
