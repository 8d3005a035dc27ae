/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio-mig for vfio-pci-core variant drivers.
 */
#ifndef LINUX_VFIO_PCI_MIG_H
#define LINUX_VFIO_PCI_MIG_H

#include <linux/atomic.h>
#include <linux/vfio_mig.h>
#include <linux/vfio_pci_core.h>

struct pci_error_handlers;
struct vm_area_struct;

/**
 * struct vfio_pci_mig_mmio - touches of the BARs while the device is stopped
 * @block: the policy is VFIO_MIG_MMIO_BLOCK; constant after initialisation
 * @blocked: touches do not reach the device; set under &vfio_mig.state_mutex with
 *	the device's memory_lock held for write, read with it held, cleared under
 *	state_mutex or by a reset
 * @violations: number of touches that did not reach the device: faults, and
 *	accesses of at most 8 bytes by read() and write()
 *
 * Blocking covers mappings of the BARs, and read() and write() of them. It does
 * not cover ioeventfds, which write from the kernel, dma-bufs of the BARs, BARs
 * that are mapped into an IOMMU already, and the legacy VGA ranges.
 */
struct vfio_pci_mig_mmio {
	bool block;
	bool blocked;
	atomic64_t violations;
};

/**
 * struct vfio_pci_mig_device - a PCI device that can migrate
 * @core: the vfio-pci side
 * @mig: the migration side; its ops are NULL when the device cannot migrate
 * @mmio: touches of the stopped device
 *
 * First member of a variant driver's device structure, whose address is the
 * PCI driver data.
 */
struct vfio_pci_mig_device {
	struct vfio_pci_core_device core;
	struct vfio_mig mig;
	struct vfio_pci_mig_mmio mmio;
};

static inline struct vfio_pci_mig_device *to_vfio_pci_mig(struct vfio_device *vdev)
{
	return container_of(vdev, struct vfio_pci_mig_device, core.vdev);
}

int vfio_pci_mig_init(struct vfio_pci_mig_device *dev, const struct vfio_mig_ops *ops, u32 flags);
int vfio_pci_mig_register(struct vfio_pci_mig_device *dev);
void vfio_pci_mig_unregister(struct vfio_pci_mig_device *dev);
void vfio_pci_mig_release_dev(struct vfio_device *vdev);
int vfio_pci_mig_open_device(struct vfio_device *vdev);
void vfio_pci_mig_close_device(struct vfio_device *vdev);
ssize_t vfio_pci_mig_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos);
ssize_t vfio_pci_mig_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			   loff_t *ppos);
int vfio_pci_mig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);

extern const struct pci_error_handlers vfio_pci_mig_err_handlers;

/*
 * VFIO_PCI_MIG_DEVICE_OPS: members of struct vfio_device_ops that a variant driver
 * does not have to think about; it adds .name and .init, and .close_device if it
 * has something to close before vfio_pci_mig_close_device().
 */
#define VFIO_PCI_MIG_DEVICE_OPS_BUT_CLOSE				\
	.release = vfio_pci_mig_release_dev,				\
	.open_device = vfio_pci_mig_open_device,			\
	.ioctl = vfio_pci_core_ioctl,					\
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,		\
	.device_feature = vfio_pci_core_ioctl_feature,			\
	.read = vfio_pci_mig_read,					\
	.write = vfio_pci_mig_write,					\
	.mmap = vfio_pci_mig_mmap,					\
	.request = vfio_pci_core_request,				\
	.match = vfio_pci_core_match,					\
	.match_token_uuid = vfio_pci_core_match_token_uuid,		\
	.bind_iommufd = vfio_iommufd_physical_bind,			\
	.unbind_iommufd = vfio_iommufd_physical_unbind,			\
	.attach_ioas = vfio_iommufd_physical_attach_ioas,		\
	.detach_ioas = vfio_iommufd_physical_detach_ioas,		\
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas,	\
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas

#define VFIO_PCI_MIG_DEVICE_OPS						\
	VFIO_PCI_MIG_DEVICE_OPS_BUT_CLOSE,				\
	.close_device = vfio_pci_mig_close_device

#endif /* LINUX_VFIO_PCI_MIG_H */
