// SPDX-License-Identifier: GPL-2.0-only
/*
 * The info region: whoever holds the device's FD can read there which driver
 * serves the device, what that driver can do, and which parts of the regions are
 * memory. struct vfio_mig_info tells how to find it.
 *
 * Its layout is fixed when the device is opened. What it holds does not change
 * while the device is open, but for the list of poisoned memory; so a reader that
 * does not look at that may use several read() calls.
 */
#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "pci.h"

static_assert(sizeof(struct vfio_mig_info) == 160);
static_assert(sizeof(struct vfio_mig_memory) == 40);
static_assert(sizeof(struct vfio_mig_poison) == 24);

/* Ranges of poisoned memory that are listed; a device with more is beyond use. */
#define VFIO_PCI_MIG_POISON_ROOM	64U

/* What the library reads and writes, whatever the driver. */
#define VFIO_PCI_MIG_STREAM_CAPS \
	(VFIO_MIG_INFO_PREAMBLE | VFIO_MIG_INFO_CHECKSUM | VFIO_MIG_INFO_END)

/* Drivers without a version of their own are those that come with the kernel. */
#ifdef CONFIG_MODULES
static const char *vfio_pci_mig_driver_version(const struct pci_dev *pdev)
{
	const struct module *module = pdev->dev.driver->owner;

	return module && module->version ? module->version : init_utsname()->release;
}
#else
static const char *vfio_pci_mig_driver_version(const struct pci_dev *pdev)
{
	return init_utsname()->release;
}
#endif

static u64 vfio_pci_mig_capabilities(const struct vfio_pci_mig_device *dev)
{
	u64 capabilities = VFIO_PCI_MIG_STREAM_CAPS;

	if (!dev->mig.ops)
		return 0;
	if (dev->mig.ops->direct_align)
		capabilities |= VFIO_MIG_INFO_DIRECT;
	if (dev->mmio.block)
		capabilities |= VFIO_MIG_INFO_MMIO_BLOCK;
	return capabilities;
}

static unsigned int vfio_pci_mig_memories(struct vfio_pci_mig_device *dev)
{
	const struct vfio_mig_memory_ops *ops = dev->mig.memory_ops;

	return ops ? min(ops->count(&dev->mig), VFIO_MIG_MAX_MEMORIES) : 0;
}

static size_t vfio_pci_mig_poison_offset(unsigned int memories)
{
	return sizeof(struct vfio_mig_info) + memories * sizeof(struct vfio_mig_memory);
}

/* Without memory there is nothing that could be poisoned. */
static size_t vfio_pci_mig_info_size(unsigned int memories)
{
	size_t size = vfio_pci_mig_poison_offset(memories);

	if (memories)
		size += VFIO_PCI_MIG_POISON_ROOM * sizeof(struct vfio_mig_poison);
	return size;
}

static void vfio_pci_mig_fill_identity(const struct vfio_pci_mig_device *dev,
				       struct vfio_mig_info *info)
{
	const struct vfio_device *vdev = &dev->core.vdev;

	info->magic = cpu_to_le32(VFIO_MIG_INFO_MAGIC);
	info->size = cpu_to_le32(sizeof(*info));
	info->format = cpu_to_le32(VFIO_MIG_FORMAT_VERSION);
	info->migration_flags = cpu_to_le64(vdev->migration_flags);
	info->capabilities = cpu_to_le64(vfio_pci_mig_capabilities(dev));
	strscpy(info->driver, vdev->ops->name);
	strscpy(info->driver_version, vfio_pci_mig_driver_version(dev->core.pdev));
}

static void vfio_pci_mig_fill_memories(struct vfio_pci_mig_device *dev,
				       struct vfio_mig_info *info, unsigned int memories)
{
	struct vfio_mig_memory *memory = (void *)(info + 1);

	for (unsigned int i = 0; i < memories; i++)
		dev->mig.memory_ops->describe(&dev->mig, i, &memory[i]);
	info->memory_offset = cpu_to_le32(sizeof(*info));
	info->memory_size = cpu_to_le32(sizeof(*memory));
	info->memory_count = cpu_to_le32(memories);
}

static void vfio_pci_mig_fill_poison(struct vfio_pci_mig_device *dev, struct vfio_mig_info *info,
				     unsigned int memories)
{
	size_t offset = vfio_pci_mig_poison_offset(memories);
	unsigned int known, listed;

	info->poison_offset = cpu_to_le32(offset);
	info->poison_size = cpu_to_le32(sizeof(struct vfio_mig_poison));
	if (!dev->mig.memory_ops->poison)
		return;
	known = dev->mig.memory_ops->poison(&dev->mig, (void *)info + offset,
					    VFIO_PCI_MIG_POISON_ROOM);
	listed = min(known, VFIO_PCI_MIG_POISON_ROOM);
	info->poison_count = cpu_to_le32(listed);
	info->poison_lost = cpu_to_le32(known - listed);
}

static ssize_t vfio_pci_mig_info_rw(struct vfio_pci_core_device *core, char __user *buf,
				    size_t count, loff_t *ppos, bool iswrite)
{
	struct vfio_pci_mig_device *dev = to_vfio_pci_mig(&core->vdev);
	unsigned int memories = vfio_pci_mig_memories(dev);
	size_t size = vfio_pci_mig_info_size(memories);
	loff_t pos = *ppos & VFIO_PCI_OFFSET_MASK;
	ssize_t done;

	if (iswrite)
		return -EINVAL;
	struct vfio_mig_info *info __free(kfree) = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!info)
		return -ENOMEM;
	vfio_pci_mig_fill_identity(dev, info);
	if (memories) {
		vfio_pci_mig_fill_memories(dev, info, memories);
		vfio_pci_mig_fill_poison(dev, info, memories);
	}
	done = simple_read_from_buffer(buf, count, &pos, info, size);
	if (done > 0)
		*ppos += done;
	return done;
}

static void vfio_pci_mig_info_release(struct vfio_pci_core_device *core,
				      struct vfio_pci_region *region)
{
}

/* No mmap: the core refuses it then. */
static const struct vfio_pci_regops vfio_pci_mig_info_regops = {
	.rw = vfio_pci_mig_info_rw,
	.release = vfio_pci_mig_info_release,
};

/**
 * vfio_pci_mig_add_info_region() - give an open device its info region
 * @dev: the device, between vfio_pci_core_enable() and
 *	vfio_pci_core_finish_enable(); vfio_pci_core_disable() takes it away
 *
 * Return: 0 or -ENOMEM.
 */
int vfio_pci_mig_add_info_region(struct vfio_pci_mig_device *dev)
{
	u32 type = VFIO_REGION_TYPE_PCI_VENDOR_TYPE | dev->core.pdev->vendor;
	size_t size = vfio_pci_mig_info_size(vfio_pci_mig_memories(dev));

	return vfio_pci_core_register_dev_region(&dev->core, type, VFIO_MIG_REGION_SUBTYPE_INFO,
						 &vfio_pci_mig_info_regops, size,
						 VFIO_REGION_INFO_FLAG_READ, NULL);
}
