// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device tells others of its memory: the target of a migration, which has to
 * have the same, and the reader of the info region.
 */
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "migration.h"

/**
 * nvgmig_layout_fill() - describe the memory as streams do
 * @dev: the device
 * @layout: where to put it
 */
void nvgmig_layout_fill(struct nvgmig_device *dev, struct nvgmig_stream_layout *layout)
{
	struct nvgmig_blocks blocks = {};

	nvgmig_blocks_divide(&blocks, dev);
	*layout = (struct nvgmig_stream_layout) {
		.version = cpu_to_le32(NVGMIG_STREAM_VERSION),
		.block_size = cpu_to_le32(NVGMIG_BLOCK_SIZE),
		.memory_count = cpu_to_le32(blocks.memories),
	};
	for (unsigned int i = 0; i < blocks.memories; i++) {
		layout->memory[i].region = cpu_to_le32(blocks.memory[i]->index);
		layout->memory[i].length = cpu_to_le64(blocks.memory[i]->length);
	}
}

/* Enough for a target to refuse at the first write: the sizes in pages, usemem lowest. */
static u64 nvgmig_layout_summary(struct nvgmig_device *dev)
{
	return (nvgmig_usemem(dev)->length >> ilog2(SZ_4K)) |
	       (nvgmig_resmem(dev)->length >> ilog2(SZ_4K)) << 32;
}

/* &vfio_mig_ops.describe */
int nvgmig_layout_describe(struct vfio_mig *mig, struct vfio_mig_preamble *preamble)
{
	preamble->capabilities = cpu_to_le64(nvgmig_layout_summary(nvgmig_of(mig)));
	return 0;
}

/* &vfio_mig_ops.accept */
const char *nvgmig_layout_accept(struct vfio_mig_stream *st,
				 const struct vfio_mig_preamble *preamble)
{
	struct vfio_mig *mig = vfio_mig_stream_device(st);

	return le64_to_cpu(preamble->capabilities) == nvgmig_layout_summary(nvgmig_of(mig)) ?
	       NULL : "the memory has another size";
}

static unsigned int nvgmig_memory_count(struct vfio_mig *mig)
{
	struct nvgmig_blocks blocks = {};

	nvgmig_blocks_divide(&blocks, nvgmig_of(mig));
	return blocks.memories;
}

static bool nvgmig_memory_holds(const struct nvgmig_memory *memory, u64 page_size)
{
	return IS_ALIGNED(memory->base, page_size) && memory->length >= page_size;
}

/*
 * The largest pages that the memory can be mapped with, if the user's address allows it.
 * Not every architecture maps device memory with all sizes that its page tables have.
 */
static u64 nvgmig_memory_alignment(const struct nvgmig_memory *memory)
{
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) && nvgmig_memory_holds(memory, PUD_SIZE))
		return PUD_SIZE;
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) && nvgmig_memory_holds(memory, PMD_SIZE))
		return PMD_SIZE;
	return PAGE_SIZE;
}

static void nvgmig_memory_describe(struct vfio_mig *mig, unsigned int index,
				   struct vfio_mig_memory *description)
{
	struct nvgmig_device *dev = nvgmig_of(mig);
	int node = dev_to_node(&dev->core.core.pdev->dev);
	const struct nvgmig_memory *memory;
	struct nvgmig_blocks blocks = {};

	nvgmig_blocks_divide(&blocks, dev);
	memory = blocks.memory[index];
	description->region = cpu_to_le32(memory->index);
	description->flags = cpu_to_le32(memory->write_combined ? VFIO_MIG_MEMORY_WRITE_COMBINED :
								  VFIO_MIG_MEMORY_CACHED);
	description->length = cpu_to_le64(memory->length);
	description->alignment = cpu_to_le64(nvgmig_memory_alignment(memory));
	description->node = cpu_to_le32(node == NUMA_NO_NODE ? VFIO_MIG_NO_NODE : node);
}

/* From @from on, the next range without gaps. Returns its end, or 0 if there is none. */
static u64 nvgmig_memory_poison_range(const struct nvgmig_memory *memory, u64 from, u64 *begin)
{
	u64 end;

	*begin = nvgmig_poison_next(memory, from, memory->length);
	if (*begin >= memory->length)
		return 0;
	for (end = *begin; end < memory->length; end += PAGE_SIZE)
		if (nvgmig_poison_next(memory, end, end + PAGE_SIZE) != end)
			break;
	return end;
}

static unsigned int nvgmig_memory_poison_of(const struct nvgmig_memory *memory,
					    struct vfio_mig_poison *ranges, unsigned int room)
{
	unsigned int known = 0;
	u64 begin, end = 0;

	while ((end = nvgmig_memory_poison_range(memory, end, &begin))) {
		if (known < room)
			ranges[known] = (struct vfio_mig_poison) {
				.region = cpu_to_le32(memory->index),
				.offset = cpu_to_le64(begin),
				.length = cpu_to_le64(end - begin),
			};
		known++;
	}
	return known;
}

static unsigned int nvgmig_memory_poison(struct vfio_mig *mig, struct vfio_mig_poison *ranges,
					 unsigned int room)
{
	struct nvgmig_device *dev = nvgmig_of(mig);
	struct nvgmig_memory *memory;
	unsigned int known = 0, listed;

	for (memory = nvgmig_first_memory(dev); memory; memory = nvgmig_next_memory(memory)) {
		listed = min(known, room);
		known += nvgmig_memory_poison_of(memory, ranges + listed, room - listed);
	}
	return known;
}

const struct vfio_mig_memory_ops nvgmig_memory_ops = {
	.count = nvgmig_memory_count,
	.describe = nvgmig_memory_describe,
	.poison = nvgmig_memory_poison,
};
