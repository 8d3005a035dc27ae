// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user's mappings of the memory, made page by page, or in huge pages, as they are
 * touched.
 *
 * A page is mapped only while memory is enabled, the device is ready and the page is
 * not poisoned; all of that is looked at, and the page mapped, with memory_lock and
 * reset_lock held for read. Who makes one of these false takes the mappings away after
 * having held the lock for write.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/pci.h>

#include "nvgmig.h"

#define NVGMIG_PGOFF_SHIFT	(VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT)

/* Return: VM_FAULT_RETRY if the device is not ready. */
static vm_fault_t nvgmig_insert(struct nvgmig_memory *mem, struct vm_fault *vmf, u64 offset,
				unsigned int order)
{
	struct nvgmig_device *dev = mem->dev;
	u64 end = offset + (PAGE_SIZE << order);

	guard(rwsem_read)(&dev->core.core.memory_lock);
	if (nvgmig_blocked(dev))
		return VM_FAULT_SIGBUS;
	/* Nobody waits until what cannot be touched is ready. */
	if (dev->core.core.pm_runtime_engaged || !__vfio_pci_memory_enabled(&dev->core.core))
		return VM_FAULT_SIGBUS;
	guard(rwsem_read)(&dev->reset_lock);
	if (!dev->ready)
		return VM_FAULT_RETRY;
	if (nvgmig_poison_next(mem, offset, end) < end)
		return order ? VM_FAULT_FALLBACK : VM_FAULT_HWPOISON;
	return vfio_pci_vmf_insert_pfn(&dev->core.core, vmf, PHYS_PFN(mem->base + offset), order);
}

/*
 * The first time the caller allows to drop its lock, so that nothing but this thread
 * waits. The second time comes with the lock held and the device ready, unless the wait
 * was in vain, or another reset came.
 */
static vm_fault_t nvgmig_fault_wait(struct nvgmig_device *dev, struct vm_fault *vmf)
{
	struct file *file;

	if (!fault_flag_allow_retry_first(vmf->flags)) {
		if (!nvgmig_ready_check(dev))
			return VM_FAULT_NOPAGE;
		if ((vmf->flags & FAULT_FLAG_TRIED) && !READ_ONCE(dev->given_up))
			return VM_FAULT_NOPAGE;
		return VM_FAULT_SIGBUS;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	/* The mapping may go meanwhile, and with it what keeps the device open. */
	file = get_file(vmf->vma->vm_file);
	release_fault_lock(vmf);
	nvgmig_ready_wait(dev);
	fput(file);
	return VM_FAULT_RETRY;
}

static vm_fault_t nvgmig_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vfio_pci_core_device *core = vma->vm_private_data;
	struct nvgmig_device *dev = to_nvgmig(&core->vdev);
	unsigned long address = ALIGN_DOWN(vmf->address, PAGE_SIZE << order);
	struct nvgmig_memory *mem;
	vm_fault_t ret;
	u64 offset;

	mem = nvgmig_find_memory(dev, vma->vm_pgoff >> NVGMIG_PGOFF_SHIFT);
	if (WARN_ON_ONCE(!mem))
		return VM_FAULT_SIGBUS;
	offset = PFN_PHYS(linear_page_index(vma, address)) & VFIO_PCI_OFFSET_MASK;
	if (!is_aligned_for_order(vma, address, PHYS_PFN(mem->base + offset), order))
		return VM_FAULT_FALLBACK;
	ret = nvgmig_insert(mem, vmf, offset, order);
	return ret == VM_FAULT_RETRY ? nvgmig_fault_wait(dev, vmf) : ret;
}

static vm_fault_t nvgmig_fault(struct vm_fault *vmf)
{
	return nvgmig_huge_fault(vmf, 0);
}

/*
 * The user cuts a mapping. The kernel splits huge pages there, but not those of the next larger
 * size: so there must be none. What is left is mapped in smaller ones when it is touched.
 */
static int nvgmig_may_split(struct vm_area_struct *vma, unsigned long address)
{
	if (IS_ALIGNED(address, PUD_SIZE))
		return 0;
	/* No fault may bring it back until the mapping is cut. */
	vma_start_write(vma);
	zap_special_vma_range(vma, ALIGN_DOWN(address, PUD_SIZE), PUD_SIZE);
	return 0;
}

static const struct vm_operations_struct nvgmig_vm_ops = {
	.may_split = nvgmig_may_split,
	.fault = nvgmig_fault,
	.huge_fault = nvgmig_huge_fault,
};

static int nvgmig_mmap_memory(struct nvgmig_memory *mem, struct vm_area_struct *vma)
{
	u64 offset = PFN_PHYS(vma->vm_pgoff) & VFIO_PCI_OFFSET_MASK, end;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (check_add_overflow(offset, (u64)(vma->vm_end - vma->vm_start), &end) ||
	    end > mem->length)
		return -EINVAL;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	if (mem->write_combined) {
		/* A guest may map it in any way that is not cached. */
		vm_flags_set(vma, VM_ALLOW_ANY_UNCACHED);
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	}
	vma->vm_ops = &nvgmig_vm_ops;
	/* What the core has in its own mappings as well. */
	vma->vm_private_data = &mem->dev->core.core;
	return 0;
}

int nvgmig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct nvgmig_memory *mem;

	mem = nvgmig_find_memory(to_nvgmig(vdev), vma->vm_pgoff >> NVGMIG_PGOFF_SHIFT);
	return mem ? nvgmig_mmap_memory(mem, vma) : vfio_pci_mig_mmap(vdev, vma);
}

/* Takes mappings away, of all users; the next touch faults. */
void nvgmig_zap(struct nvgmig_memory *mem, u64 offset, u64 length)
{
	unmap_mapping_range(mem->dev->core.core.vdev.inode->i_mapping,
			    VFIO_PCI_INDEX_TO_OFFSET(mem->index) + offset, length, true);
}
