// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the memory that have an uncorrectable error.
 *
 * The kernel tells of an error when it looks at the mappings of processes that want to
 * know of errors. The page is remembered at once, in whatever context that is, until the
 * driver is unbound; its mappings go from a worker. Touches look at the bits with reset_lock
 * held for read, and the worker holds it for write, so after it none is on its way.
 */
#include <linux/bitmap.h>
#include <linux/memory-failure.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "nvgmig.h"

u64 nvgmig_poison_next(const struct nvgmig_memory *mem, u64 offset, u64 end)
{
	unsigned long page;

	if (!atomic_long_read(&mem->poison_count))
		return end;
	page = find_next_bit(mem->poisoned, PHYS_PFN(mem->length), PHYS_PFN(offset));
	return clamp_t(u64, PFN_PHYS(page), offset, end);
}

void nvgmig_poison_add(struct nvgmig_memory *mem, u64 offset)
{
	if (test_and_set_bit(PHYS_PFN(offset), mem->poisoned))
		return;
	atomic_long_inc(&mem->poison_count);
	queue_work(system_unbound_wq, &mem->dev->poison_work);
}

static void nvgmig_poison_zap(struct nvgmig_memory *mem)
{
	u64 offset = nvgmig_poison_next(mem, 0, mem->length);

	while (offset < mem->length) {
		nvgmig_zap(mem, offset, PAGE_SIZE);
		offset = nvgmig_poison_next(mem, offset + PAGE_SIZE, mem->length);
	}
}

static void nvgmig_poison_work(struct work_struct *work)
{
	struct nvgmig_device *dev = container_of(work, struct nvgmig_device, poison_work);
	struct nvgmig_memory *mem;

	guard(rwsem_write)(&dev->reset_lock);
	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		nvgmig_poison_zap(mem);
}

/*
 * &pfn_address_space.pfn_to_vma_pgoff: where the page is in this mapping. All mappings of
 * the device are offered, so any one that there is tells us of the page.
 * Context: i_mmap_rwsem and RCU are held for reading.
 */
static int nvgmig_poison_locate(struct vm_area_struct *vma, unsigned long pfn, pgoff_t *pgoff)
{
	struct vfio_pci_core_device *core = vma->vm_private_data;
	struct nvgmig_device *dev = to_nvgmig(&core->vdev);
	struct nvgmig_memory *mem;
	pgoff_t at;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem)) {
		if (pfn < PHYS_PFN(mem->base) || pfn - PHYS_PFN(mem->base) >= PHYS_PFN(mem->length))
			continue;
		pfn -= PHYS_PFN(mem->base);
		nvgmig_poison_add(mem, PFN_PHYS(pfn));
		at = PHYS_PFN(VFIO_PCI_INDEX_TO_OFFSET(mem->index)) + pfn;
		if (at < vma->vm_pgoff || at - vma->vm_pgoff >= vma_pages(vma))
			return -EFAULT;
		*pgoff = at;
		return 0;
	}
	return -EFAULT;
}

static int nvgmig_poison_watch_memory(struct nvgmig_memory *mem)
{
	int ret;

	mem->pfns = (struct pfn_address_space) {
		.node.start = PHYS_PFN(mem->base),
		.node.last = PHYS_PFN(mem->base + mem->length - 1),
		.mapping = mem->dev->core.core.vdev.inode->i_mapping,
		.pfn_to_vma_pgoff = nvgmig_poison_locate,
	};
	ret = register_pfn_address_space(&mem->pfns);
	mem->watched = !ret;
	/* Then this kernel does not handle memory errors. */
	return ret == -EOPNOTSUPP ? 0 : ret;
}

/* From open to close. */
int nvgmig_poison_watch(struct nvgmig_device *dev)
{
	struct nvgmig_memory *mem;
	int ret = 0;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		ret = ret ?: nvgmig_poison_watch_memory(mem);
	if (ret)
		nvgmig_poison_unwatch(dev);
	return ret;
}

void nvgmig_poison_unwatch(struct nvgmig_device *dev)
{
	struct nvgmig_memory *mem;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem)) {
		if (mem->watched)
			unregister_pfn_address_space(&mem->pfns);
		mem->watched = false;
	}
}

int nvgmig_poison_init(struct nvgmig_device *dev)
{
	struct nvgmig_memory *mem;

	INIT_WORK(&dev->poison_work, nvgmig_poison_work);
	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem)) {
		mem->poisoned = kvcalloc(BITS_TO_LONGS(PHYS_PFN(mem->length)), sizeof(long),
					 GFP_KERNEL);
		if (!mem->poisoned)
			return -ENOMEM;
	}
	return 0;
}

/* Also after an init that failed, or was never done. */
void nvgmig_poison_fini(struct nvgmig_device *dev)
{
	for (unsigned int i = 0; i < NVGMIG_MEMORIES; i++)
		kvfree(dev->memory[i].poisoned);
}
