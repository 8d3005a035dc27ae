// SPDX-License-Identifier: GPL-2.0-only
/*
 * Touches of the BARs of a stopped device.
 *
 * With VFIO_MIG_MMIO_BLOCK no touch reaches the device from before it is asked to
 * stop until it runs again. Every touch looks at the mark and goes to the device
 * in one critical section of memory_lock, held for read; the mark is set with
 * memory_lock held for write, and then the mappings are taken away. So after that
 * none is on its way. Nothing here touches user memory with a lock held.
 *
 * The mark is cleared without a lock: a reset does that, and may hold memory_lock.
 */
#include <linux/debugfs.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>

#include "pci.h"

#define VFIO_PCI_MIG_PGOFF_SHIFT	(VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT)

static bool vfio_pci_mig_mmio_block;
module_param_named(mmio_block, vfio_pci_mig_mmio_block, bool, 0644);
MODULE_PARM_DESC(mmio_block,
		 "Block touches of a stopped device's BARs whatever its driver says, for guests that touch a stopped device; for devices bound from then on (default N)");

static bool vfio_pci_mig_blocked(struct vfio_pci_mig_device *dev)
{
	lockdep_assert_held(&dev->core.memory_lock);
	if (!READ_ONCE(dev->mmio.blocked))
		return false;
	atomic64_inc(&dev->mmio.violations);
	return true;
}

/* &vfio_mig.block_mmio */
static void vfio_pci_mig_block_mmio(struct vfio_mig *mig, bool block)
{
	struct vfio_pci_mig_device *dev = container_of(mig, struct vfio_pci_mig_device, mig);
	loff_t bars = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	loff_t end = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR5_REGION_INDEX + 1);

	if (!block) {
		WRITE_ONCE(dev->mmio.blocked, false);
		return;
	}
	guard(rwsem_write)(&dev->core.memory_lock);
	WRITE_ONCE(dev->mmio.blocked, true);
	unmap_mapping_range(dev->core.vdev.inode->i_mapping, bars, end - bars, true);
}

static vm_fault_t vfio_pci_mig_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vfio_pci_core_device *core = vma->vm_private_data;
	unsigned int bar = vma->vm_pgoff >> VFIO_PCI_MIG_PGOFF_SHIFT;
	unsigned long address = ALIGN_DOWN(vmf->address, PAGE_SIZE << order);
	unsigned long pfn = PHYS_PFN(pci_resource_start(core->pdev, bar));

	/* Larger pages cannot be split where the user cuts the mapping. */
	if (order > PMD_ORDER)
		return VM_FAULT_FALLBACK;
	pfn += linear_page_index(vma, address) & (BIT(VFIO_PCI_MIG_PGOFF_SHIFT) - 1);
	if (!is_aligned_for_order(vma, address, pfn, order))
		return VM_FAULT_FALLBACK;
	guard(rwsem_read)(&core->memory_lock);
	if (vfio_pci_mig_blocked(to_vfio_pci_mig(&core->vdev)))
		return VM_FAULT_SIGBUS;
	return vfio_pci_vmf_insert_pfn(core, vmf, pfn, order);
}

static vm_fault_t vfio_pci_mig_fault(struct vm_fault *vmf)
{
	return vfio_pci_mig_huge_fault(vmf, 0);
}

/*
 * Instead of the core's operations, which are the same two. They cannot be called
 * from here: they take memory_lock themselves, and without it the mapping could be
 * made just after all mappings were taken away.
 */
static const struct vm_operations_struct vfio_pci_mig_vm_ops = {
	.fault = vfio_pci_mig_fault,
	.huge_fault = vfio_pci_mig_huge_fault,
};

/**
 * vfio_pci_mig_mmap() - &vfio_device_ops.mmap
 * @vdev: the device
 * @vma: where to map a region
 *
 * Context: process context, mmap_lock is held for write.
 * Return: 0 or -errno.
 */
int vfio_pci_mig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	unsigned long index = vma->vm_pgoff >> VFIO_PCI_MIG_PGOFF_SHIFT;
	int ret = vfio_pci_core_mmap(vdev, vma);

	if (!ret && to_vfio_pci_mig(vdev)->mmio.block && index <= VFIO_PCI_BAR5_REGION_INDEX)
		vma->vm_ops = &vfio_pci_mig_vm_ops;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_mmap, "VFIO_MIG");

/* What one access moves, in the order of memory. */
union vfio_pci_mig_value {
	u8 byte;
	u16 word;
	u32 dword;
	u64 qword;
};

/**
 * struct vfio_pci_mig_access - read() or write() of a BAR
 * @dev: the device
 * @io: the BAR
 * @bar: its number
 * @write: the direction
 */
struct vfio_pci_mig_access {
	struct vfio_pci_mig_device *dev;
	void __iomem *io;
	unsigned int bar;
	bool write;
};

static int vfio_pci_mig_get(struct vfio_pci_core_device *core, void __iomem *io,
			    union vfio_pci_mig_value *value, unsigned int width)
{
	switch (width) {
	case VFIO_PCI_IO_WIDTH_8:
		return vfio_pci_core_ioread64(core, false, &value->qword, io);
	case VFIO_PCI_IO_WIDTH_4:
		return vfio_pci_core_ioread32(core, false, &value->dword, io);
	case VFIO_PCI_IO_WIDTH_2:
		return vfio_pci_core_ioread16(core, false, &value->word, io);
	default:
		return vfio_pci_core_ioread8(core, false, &value->byte, io);
	}
}

static int vfio_pci_mig_put(struct vfio_pci_core_device *core, void __iomem *io,
			    const union vfio_pci_mig_value *value, unsigned int width)
{
	switch (width) {
	case VFIO_PCI_IO_WIDTH_8:
		return vfio_pci_core_iowrite64(core, false, value->qword, io);
	case VFIO_PCI_IO_WIDTH_4:
		return vfio_pci_core_iowrite32(core, false, value->dword, io);
	case VFIO_PCI_IO_WIDTH_2:
		return vfio_pci_core_iowrite16(core, false, value->word, io);
	default:
		return vfio_pci_core_iowrite8(core, false, value->byte, io);
	}
}

/* The table of MSI-X is the kernel's. Its edges are aligned to the widest access. */
static bool vfio_pci_mig_is_vector(const struct vfio_pci_mig_access *access, u64 offset)
{
	const struct vfio_pci_core_device *core = &access->dev->core;

	return access->bar == core->msix_bar && offset >= core->msix_offset &&
	       offset - core->msix_offset < core->msix_size;
}

static int vfio_pci_mig_touch(const struct vfio_pci_mig_access *access, u64 offset,
			      union vfio_pci_mig_value *value, unsigned int width)
{
	struct vfio_pci_core_device *core = &access->dev->core;

	if (vfio_pci_mig_is_vector(access, offset)) {
		value->qword = U64_MAX;
		return 0;
	}
	guard(rwsem_read)(&core->memory_lock);
	if (vfio_pci_mig_blocked(access->dev)) {
		value->qword = U64_MAX;
		return 0;
	}
	if ((pci_resource_flags(core->pdev, access->bar) & IORESOURCE_MEM) &&
	    !__vfio_pci_memory_enabled(core))
		return -EIO;
	if (access->write)
		return vfio_pci_mig_put(core, access->io + offset, value, width);
	return vfio_pci_mig_get(core, access->io + offset, value, width);
}

static int vfio_pci_mig_copy(const struct vfio_pci_mig_access *access, u64 offset,
			     char __user *buf, unsigned int width)
{
	union vfio_pci_mig_value value;
	int ret;

	if (access->write && copy_from_user(&value, buf, width))
		return -EFAULT;
	ret = vfio_pci_mig_touch(access, offset, &value, width);
	if (!ret && !access->write && copy_to_user(buf, &value, width))
		return -EFAULT;
	return ret;
}

static unsigned int vfio_pci_mig_width(u64 offset, size_t count)
{
	unsigned int width = VFIO_PCI_IO_WIDTH_8;

	while (width > count || !IS_ALIGNED(offset, width))
		width /= 2;
	return width;
}

/* As vfio_pci_core_read() and vfio_pci_core_write() do it, access by access. */
static ssize_t vfio_pci_mig_bar_rw(struct vfio_pci_mig_device *dev, char __user *buf,
				   size_t count, loff_t *ppos, bool write)
{
	struct vfio_pci_mig_access access = {
		.dev = dev,
		.bar = VFIO_PCI_OFFSET_TO_INDEX(*ppos),
		.write = write,
	};
	u64 offset = *ppos & VFIO_PCI_OFFSET_MASK;
	u64 end = pci_resource_len(dev->core.pdev, access.bar);
	unsigned int width;
	size_t done;
	int ret;

	if (offset >= end)
		return -EINVAL;
	access.io = vfio_pci_core_get_iomap(&dev->core, access.bar);
	if (IS_ERR(access.io))
		return PTR_ERR(access.io);
	count = min(count, end - offset);
	for (done = 0; done < count; done += width) {
		width = vfio_pci_mig_width(offset + done, count - done);
		ret = vfio_pci_mig_copy(&access, offset + done, buf + done, width);
		if (ret)
			return ret;
	}
	*ppos += done;
	return done;
}

static bool vfio_pci_mig_guards(struct vfio_pci_mig_device *dev, loff_t pos)
{
	return dev->mmio.block && VFIO_PCI_OFFSET_TO_INDEX(pos) <= VFIO_PCI_BAR5_REGION_INDEX;
}

static ssize_t vfio_pci_mig_rw(struct vfio_pci_mig_device *dev, char __user *buf, size_t count,
			       loff_t *ppos, bool write)
{
	struct device *device = &dev->core.pdev->dev;
	ssize_t ret;

	if (!count)
		return 0;
	if (pm_runtime_resume_and_get(device))
		return -EIO;
	ret = vfio_pci_mig_bar_rw(dev, buf, count, ppos, write);
	pm_runtime_put(device);
	return ret;
}

/**
 * vfio_pci_mig_read() - &vfio_device_ops.read
 * @vdev: the device
 * @buf: where to put what is read
 * @count: number of bytes
 * @ppos: region and offset in it; moved by what was read
 *
 * Context: process context.
 * Return: number of bytes or -errno.
 */
ssize_t vfio_pci_mig_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	struct vfio_pci_mig_device *dev = to_vfio_pci_mig(vdev);

	if (vfio_pci_mig_guards(dev, *ppos))
		return vfio_pci_mig_rw(dev, buf, count, ppos, false);
	return vfio_pci_core_read(vdev, buf, count, ppos);
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_read, "VFIO_MIG");

/**
 * vfio_pci_mig_write() - &vfio_device_ops.write
 * @vdev: the device
 * @buf: what to write
 * @count: number of bytes
 * @ppos: region and offset in it; moved by what was written
 *
 * Context: process context.
 * Return: number of bytes or -errno.
 */
ssize_t vfio_pci_mig_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			   loff_t *ppos)
{
	struct vfio_pci_mig_device *dev = to_vfio_pci_mig(vdev);

	if (vfio_pci_mig_guards(dev, *ppos))
		return vfio_pci_mig_rw(dev, (char __user *)buf, count, ppos, true);
	return vfio_pci_core_write(vdev, buf, count, ppos);
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_write, "VFIO_MIG");

static int vfio_pci_mig_violations_get(void *data, u64 *value)
{
	struct vfio_pci_mig_device *dev = data;

	*value = atomic64_read(&dev->mmio.violations);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vfio_pci_mig_violations_fops, vfio_pci_mig_violations_get, NULL, "%llu\n");

/**
 * vfio_pci_mig_mmio_debugfs_add() - publish the number of blocked touches
 * @dev: the device; its directory exists, and takes the file along when it goes
 */
void vfio_pci_mig_mmio_debugfs_add(struct vfio_pci_mig_device *dev)
{
	debugfs_create_file_unsafe("mmio_violations", 0444, dev->mig.debugfs, dev,
				   &vfio_pci_mig_violations_fops);
}

/**
 * vfio_pci_mig_mmio_init() - decide what touches of the stopped device do
 * @dev: the device, whose migration side is initialised
 */
void vfio_pci_mig_mmio_init(struct vfio_pci_mig_device *dev)
{
	dev->mmio.block = vfio_pci_mig_mmio_block ||
			  dev->mig.ops->mmio_policy == VFIO_MIG_MMIO_BLOCK;
	if (dev->mmio.block)
		dev->mig.block_mmio = vfio_pci_mig_block_mmio;
}
