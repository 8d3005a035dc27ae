// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of all GPUs: a part of the physical address space that is not System RAM,
 * claimed at load, of which each GPU gets a piece.
 *
 * Drivers choose how they map the memory of a GPU, and memory types of one page must
 * agree. So the model maps pages only while it looks at them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/align.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/sizes.h>

#include "gpu.h"

/* Of a piece; what real ones are aligned to does not fit in a small virtual machine. */
#define GPU_MAX_ALIGN	SZ_512M

static struct resource gpu_pool = {
	.name = "pcisim-gpu",
	.flags = IORESOURCE_MEM,
};

/* Is there memory, or nothing at all? */
static bool gpu_pool_is_memory(u64 address)
{
	u64 *word = memremap(address, sizeof(*word), MEMREMAP_WB);
	bool is_memory;

	if (!word)
		return false;
	WRITE_ONCE(*word, 0);
	is_memory = !READ_ONCE(*word);
	WRITE_ONCE(*word, U64_MAX);
	is_memory = is_memory && READ_ONCE(*word) == U64_MAX;
	memunmap(word);
	return is_memory;
}

int gpu_pool_init(u64 base, u64 size)
{
	int ret;

	ret = pcisim_area_claim(&gpu_pool, base, size);
	if (ret)
		return ret;

	if (!gpu_pool_is_memory(gpu_pool.start) ||
	    !gpu_pool_is_memory(gpu_pool.end + 1 - sizeof(u64))) {
		pr_err("there is no memory at %pR\n", &gpu_pool);
		release_resource(&gpu_pool);
		return -ENXIO;
	}
	return 0;
}

void gpu_pool_exit(void)
{
	release_resource(&gpu_pool);
}

int gpu_memory_init(struct gpu *gpu, u64 size)
{
	u64 align;

	if (!IS_ALIGNED(size, PAGE_SIZE))
		return -EINVAL;

	align = min_t(u64, rounddown_pow_of_two(size), GPU_MAX_ALIGN);
	gpu->memory.name = "pcisim-gpu memory";
	gpu->memory.flags = IORESOURCE_MEM;
	return allocate_resource(&gpu_pool, &gpu->memory, size, gpu_pool.start, gpu_pool.end,
				 align, NULL, NULL) ? -ENOMEM : 0;
}

void gpu_memory_fini(struct gpu *gpu)
{
	if (gpu->memory.parent)
		release_resource(&gpu->memory);
}

/* Map a part of the memory, which lies inside, for a short time. NULL if that fails. */
void *gpu_memory_map(const struct gpu *gpu, u64 offset, size_t length)
{
	return memremap(gpu->memory.start + offset, length, MEMREMAP_WB);
}

void gpu_memory_unmap(void *memory)
{
	memunmap(memory);
}
