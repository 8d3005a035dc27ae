// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that the firmware can reach: mapped for the PF's DMA and registered as
 * a memory key whose address 0 is the first byte of the buffer.
 *
 * Pages are given back only once the firmware has confirmed that the key is
 * gone: until then it may write to them, e.g. when a SAVE timed out.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "mlx5mig.h"

static void mlx5mig_mkey_fill_pages(void *in, struct vfio_mig_buf *buf)
{
	__be64 *addresses = MLX5_ADDR_OF(create_mkey_in, in, klm_pas_mtt);
	struct sg_dma_page_iter page;
	unsigned int i = 0;

	for_each_sgtable_dma_page(&buf->sgt, &page, 0)
		addresses[i++] = cpu_to_be64(sg_page_iter_dma_address(&page));
}

static void mlx5mig_mkey_fill(void *in, const struct vfio_mig_buf *buf, u32 pdn)
{
	/* An octword holds the addresses of two pages. */
	u32 octwords = DIV_ROUND_UP(buf->nr_pages, 2);
	void *mkc = MLX5_ADDR_OF(create_mkey_in, in, memory_key_mkey_entry);

	MLX5_SET(create_mkey_in, in, translations_octword_actual_size, octwords);
	MLX5_SET(mkc, mkc, access_mode_1_0, MLX5_MKC_ACCESS_MODE_MTT);
	MLX5_SET(mkc, mkc, lr, 1);
	MLX5_SET(mkc, mkc, lw, 1);
	MLX5_SET(mkc, mkc, rr, 1);
	MLX5_SET(mkc, mkc, rw, 1);
	MLX5_SET(mkc, mkc, pd, pdn);
	/* not bound to a queue pair */
	MLX5_SET(mkc, mkc, qpn, 0xffffff);
	MLX5_SET64(mkc, mkc, len, vfio_mig_buf_capacity(buf));
	MLX5_SET(mkc, mkc, log_page_size, PAGE_SHIFT);
	MLX5_SET(mkc, mkc, translations_octword_size, octwords);
}

static int mlx5mig_mkey_create(struct mlx5mig_session *session, struct mlx5mig_buffer *buffer)
{
	size_t length = MLX5_ST_SZ_BYTES(create_mkey_in) +
			sizeof(__be64) * round_up(buffer->base.nr_pages, 2);
	void *in __free(kvfree) = kvzalloc(length, GFP_KERNEL_ACCOUNT);

	if (!in)
		return -ENOMEM;
	mlx5mig_mkey_fill(in, &buffer->base, session->pdn);
	mlx5mig_mkey_fill_pages(in, &buffer->base);
	return mlx5_core_create_mkey(session->dev->mdev, &buffer->mkey, in, length);
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
	ret = mlx5mig_mkey_create(session, to_mlx5mig_buffer(buf));
	if (ret)
		vfio_mig_buf_unmap(buf);
	return mlx5mig_cmd_error(ret);
}

/* &vfio_mig_ops.buf_fini */
void mlx5mig_buf_fini(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);

	if (mlx5_core_destroy_mkey(session->dev->mdev, to_mlx5mig_buffer(buf)->mkey))
		mlx5mig_leak_pages(buf);
	vfio_mig_buf_unmap(buf);
}
