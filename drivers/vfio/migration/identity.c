// SPDX-License-Identifier: GPL-2.0-only
/*
 * The info region: whoever holds the device's FD can read there which driver
 * serves the device and what that driver can do. struct vfio_mig_info tells how
 * to find it.
 *
 * What it holds does not change while the device is open, so a reader that needs
 * several read() calls gets one picture.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "pci.h"

static_assert(sizeof(struct vfio_mig_info) == 128);

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

	if (dev->mig.ops->direct_align)
		capabilities |= VFIO_MIG_INFO_DIRECT;
	if (dev->mmio.block)
		capabilities |= VFIO_MIG_INFO_MMIO_BLOCK;
	return capabilities;
}

static void vfio_pci_mig_fill_info(const struct vfio_pci_mig_device *dev,
				   struct vfio_mig_info *info)
{
	const struct vfio_device *vdev = &dev->core.vdev;

	*info = (struct vfio_mig_info) {
		.magic = cpu_to_le32(VFIO_MIG_INFO_MAGIC),
		.size = cpu_to_le32(sizeof(*info)),
		.format = cpu_to_le32(VFIO_MIG_FORMAT_VERSION),
		.migration_flags = cpu_to_le64(vdev->migration_flags),
		.capabilities = cpu_to_le64(vfio_pci_mig_capabilities(dev)),
	};
	strscpy(info->driver, vdev->ops->name);
	strscpy(info->driver_version, vfio_pci_mig_driver_version(dev->core.pdev));
}

static ssize_t vfio_pci_mig_info_rw(struct vfio_pci_core_device *core, char __user *buf,
				    size_t count, loff_t *ppos, bool iswrite)
{
	loff_t pos = *ppos & VFIO_PCI_OFFSET_MASK;
	struct vfio_mig_info info;
	ssize_t done;

	if (iswrite)
		return -EINVAL;
	vfio_pci_mig_fill_info(to_vfio_pci_mig(&core->vdev), &info);
	done = simple_read_from_buffer(buf, count, &pos, &info, sizeof(info));
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

	return vfio_pci_core_register_dev_region(&dev->core, type, VFIO_MIG_REGION_SUBTYPE_INFO,
						 &vfio_pci_mig_info_regops,
						 sizeof(struct vfio_mig_info),
						 VFIO_REGION_INFO_FLAG_READ, NULL);
}
