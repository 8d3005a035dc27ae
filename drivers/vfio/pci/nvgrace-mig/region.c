// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user is told of the memory's regions, and the export of them as dma-buf.
 *
 * A region has the size of a BAR, a power of two. What of it is memory, and can be
 * mapped, is told by a sparse area.
 */
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>

#include "nvgmig.h"

static int nvgmig_add_area(const struct nvgmig_memory *mem, struct vfio_info_cap *caps)
{
	DEFINE_FLEX(struct vfio_region_info_cap_sparse_mmap, sparse, areas, nr_areas, 1);

	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->areas[0].size = mem->length;
	return vfio_info_add_capability(caps, &sparse->header, struct_size(sparse, areas, 1));
}

int nvgmig_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
			   struct vfio_info_cap *caps)
{
	struct nvgmig_memory *mem = nvgmig_find_memory(to_nvgmig(vdev), info->index);

	if (!mem)
		return vfio_pci_ioctl_get_region_info(vdev, info, caps);
	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
	info->size = mem->bar_size;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		      VFIO_REGION_INFO_FLAG_MMAP;
	return nvgmig_add_area(mem, caps);
}

/* An ioeventfd would write to the real BAR, if there is one, behind the memory's region. */
long nvgmig_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	if (cmd == VFIO_DEVICE_IOEVENTFD && nvgmig_has_memory(to_nvgmig(vdev)))
		return -ENOTTY;
	return vfio_pci_core_ioctl(vdev, cmd, arg);
}

/* The memory has no provider of its own; it is reached like the rest of the GPU. */
static int nvgmig_get_dmabuf_phys(struct vfio_pci_core_device *core,
				  struct p2pdma_provider **provider, unsigned int index,
				  struct phys_vec *phys, struct vfio_region_dma_range *ranges,
				  size_t nr_ranges)
{
	struct nvgmig_memory *mem = nvgmig_find_memory(to_nvgmig(&core->vdev), index);

	if (!mem)
		return vfio_pci_core_get_dmabuf_phys(core, provider, index, phys, ranges,
						     nr_ranges);
	*provider = pcim_p2pdma_provider(core->pdev, 0);
	if (!*provider)
		return -EINVAL;
	return vfio_pci_core_fill_phys_vec(phys, ranges, nr_ranges, mem->base, mem->length);
}

const struct vfio_pci_device_ops nvgmig_pci_ops = {
	.get_dmabuf_phys = nvgmig_get_dmabuf_phys,
};

/*
 * The core exports only regions whose BAR it has mapped, and looks at no more of the
 * mapping than whether it exists. Where the memory's region has no BAR behind it, BAR 0
 * stands in for it. Nothing else of the core comes to these regions.
 */
void nvgmig_dma_buf_open(struct nvgmig_device *dev)
{
	void __iomem **maps = dev->core.core.barmap;
	struct nvgmig_memory *mem;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		if (IS_ERR(maps[mem->index]))
			maps[mem->index] = maps[0];
}

/* Before the core unmaps its BARs */
void nvgmig_dma_buf_close(struct nvgmig_device *dev)
{
	void __iomem **maps = dev->core.core.barmap;
	struct nvgmig_memory *mem;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		if (maps[mem->index] == maps[0])
			maps[mem->index] = IOMEM_ERR_PTR(-ENODEV);
}
