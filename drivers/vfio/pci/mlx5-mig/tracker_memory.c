// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of dirty tracking that the adapter reads and writes.
 *
 * Slots are allocated one by one, so that no large contiguous piece is needed, and
 * are named by one memory key. As with the buffers of images, they are given back
 * only once the firmware has confirmed that the key is gone.
 */
#include <linux/dma-mapping.h>

#include "mlx5mig.h"
#include "tracker.h"

/**
 * mlx5mig_track_page_init() - allocate a page and its doorbell record
 * @mdev: the PF
 * @page: the page, which is zeroed
 *
 * Return: 0 or -ENOMEM.
 */
int mlx5mig_track_page_init(struct mlx5_core_dev *mdev, struct mlx5mig_track_page *page)
{
	page->memory = dma_alloc_coherent(mdev->device, MLX5_ADAPTER_PAGE_SIZE, &page->dma,
					  GFP_KERNEL_ACCOUNT);
	if (!page->memory)
		return -ENOMEM;
	if (mlx5_db_alloc(mdev, &page->record)) {
		dma_free_coherent(mdev->device, MLX5_ADAPTER_PAGE_SIZE, page->memory, page->dma);
		return -ENOMEM;
	}
	return 0;
}

/**
 * mlx5mig_track_page_fini() - free a page and its doorbell record
 * @mdev: the PF
 * @page: the page, which the adapter does not use
 */
void mlx5mig_track_page_fini(struct mlx5_core_dev *mdev, struct mlx5mig_track_page *page)
{
	mlx5_db_free(mdev, &page->record);
	dma_free_coherent(mdev->device, MLX5_ADAPTER_PAGE_SIZE, page->memory, page->dma);
}

static u8 track_log_slot(struct mlx5_core_dev *mdev)
{
	return clamp(MLX5MIG_TRACK_LOG_MESSAGE,
		     max_t(int, MLX5MIG_TRACK_LOG_MIN_MESSAGE,
			   MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_min_msg_size)),
		     min_t(int, MLX5MIG_TRACK_LOG_MAX_MESSAGE,
			   MLX5_CAP_ADV_VIRTUALIZATION(mdev, pg_track_log_max_msg_size)));
}

static void track_slots_free(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_memory *memory = &tracking->memory;

	for (unsigned int i = 0; i < MLX5MIG_TRACK_SLOTS && memory->slot[i]; i++)
		dma_free_coherent(tracking->mdev->device, BIT(memory->log_slot), memory->slot[i],
				  memory->dma[i]);
}

static int track_slots_alloc(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_memory *memory = &tracking->memory;

	for (unsigned int i = 0; i < MLX5MIG_TRACK_SLOTS; i++) {
		memory->slot[i] = dma_alloc_coherent(tracking->mdev->device,
						     BIT(memory->log_slot), &memory->dma[i],
						     GFP_KERNEL_ACCOUNT);
		if (!memory->slot[i]) {
			track_slots_free(tracking);
			return -ENOMEM;
		}
	}
	return 0;
}

static int track_key_create(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_memory *memory = &tracking->memory;
	unsigned int per_slot = BIT(memory->log_slot) >> MLX5_ADAPTER_PAGE_SHIFT;
	unsigned int pages = MLX5MIG_TRACK_SLOTS * per_slot;
	struct mlx5mig_mkey mkey;
	int ret;

	ret = mlx5mig_mkey_begin(&mkey, pages, MLX5_ADAPTER_PAGE_SHIFT,
				 (u64)pages << MLX5_ADAPTER_PAGE_SHIFT, tracking->pdn);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < pages; i++)
		mkey.addresses[i] = cpu_to_be64(memory->dma[i / per_slot] +
						(i % per_slot) * (u64)MLX5_ADAPTER_PAGE_SIZE);
	return mlx5mig_mkey_create(tracking->mdev, &mkey, &memory->mkey);
}

/**
 * mlx5mig_track_memory_init() - allocate the slots and make a key for them
 * @tracking: the tracking, which has its protection domain
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_memory_init(struct mlx5mig_tracking *tracking)
{
	int ret;

	tracking->memory.log_slot = track_log_slot(tracking->mdev);
	ret = track_slots_alloc(tracking);
	if (ret)
		return ret;
	ret = track_key_create(tracking);
	if (ret)
		track_slots_free(tracking);
	return ret;
}

/**
 * mlx5mig_track_memory_fini() - free the slots
 * @tracking: the tracking, whose queue pairs are gone
 */
void mlx5mig_track_memory_fini(struct mlx5mig_tracking *tracking)
{
	/* Else the firmware may still write there: never reuse them. */
	if (!mlx5_core_destroy_mkey(tracking->mdev, tracking->memory.mkey))
		track_slots_free(tracking);
}
