// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes: what the firmware says of images, as memory and as bytes of the stream.
 *
 * The firmware dictates them, so they are bounded here before anything is
 * allocated.
 */
#include <linux/mm.h>

#include "mlx5mig.h"

/**
 * mlx5mig_image_bytes() - bytes of the stream that some state makes
 * @payload: bytes of state
 * @required: how much of it an image holds
 *
 * Return: bytes of images with their headers.
 */
u64 mlx5mig_image_bytes(u64 payload, u32 required)
{
	if (!payload || !required)
		return 0;
	return payload +
	       DIV_ROUND_UP_ULL(payload, required) * sizeof(struct vfio_mig_record_header);
}

/**
 * mlx5mig_stream_bytes() - what the user will read of a stopped VF at most
 * @pending: what the firmware says
 *
 * There is always an image, and the record that announces it.
 *
 * Return: bytes of records with their headers.
 */
u64 mlx5mig_stream_bytes(const struct mlx5mig_pending *pending)
{
	u64 images = mlx5mig_image_bytes(pending->total, pending->required) ?:
		     mlx5mig_image_bytes(PAGE_SIZE, PAGE_SIZE);

	return images + sizeof(struct vfio_mig_record_header) + sizeof(__le64);
}

/**
 * mlx5mig_record_size() - how large a buffer has to be
 * @dev: the VF
 * @pending: what the firmware says
 * @final: the state does not grow any more
 * @size: the answer, whole pages
 *
 * In chunks, memory is bounded however large the state is. In one piece it is the
 * size of the image.
 *
 * Return: 0; -EIO if the firmware makes no sense; -ENOMEM if there cannot be so
 * much memory.
 */
int mlx5mig_record_size(struct mlx5mig_device *dev, const struct mlx5mig_pending *pending,
			bool final, u64 *size)
{
	u64 limit = dev->chunked ? MLX5MIG_MAX_CHUNK : MLX5MIG_MAX_IMAGE;
	u64 spare = final ? 0 : pending->required / 8;

	if (pending->required > limit)
		return -EIO;
	*size = pending->required;
	if (!dev->chunked)
		*size = min(*size + spare, limit);
	else
		*size = max(*size, min(pending->total + spare, VFIO_MIG_RECORD_SIZE));
	*size = max(PAGE_ALIGN(*size), PAGE_SIZE);
	return *size >> PAGE_SHIFT > totalram_pages() / 2 ? -ENOMEM : 0;
}
