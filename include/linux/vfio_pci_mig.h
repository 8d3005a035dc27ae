/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio-mig for vfio-pci-core variant drivers.
 */
#ifndef LINUX_VFIO_PCI_MIG_H
#define LINUX_VFIO_PCI_MIG_H

#include <linux/vfio_mig.h>
#include <linux/vfio_pci_core.h>

struct pci_error_handlers;

/**
 * struct vfio_pci_mig_device - a PCI device that can migrate
 * @core: the vfio-pci side
 * @mig: the migration side; its ops are NULL when the device cannot migrate
 *
 * First member of a variant driver's device structure, whose address is the
 * PCI driver data.
 */
struct vfio_pci_mig_device {
	struct vfio_pci_core_device core;
	struct vfio_mig mig;
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

extern const struct pci_error_handlers vfio_pci_mig_err_handlers;

/**
 * VFIO_PCI_MIG_DEVICE_OPS - members of struct vfio_device_ops that a variant
 * driver does not have to think about; it adds .name and .init
 */
#define VFIO_PCI_MIG_DEVICE_OPS						\
	.release = vfio_pci_mig_release_dev,				\
	.open_device = vfio_pci_mig_open_device,			\
	.close_device = vfio_pci_mig_close_device,			\
	.ioctl = vfio_pci_core_ioctl,					\
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,		\
	.device_feature = vfio_pci_core_ioctl_feature,			\
	.read = vfio_pci_core_read,					\
	.write = vfio_pci_core_write,					\
	.mmap = vfio_pci_core_mmap,					\
	.request = vfio_pci_core_request,				\
	.match = vfio_pci_core_match,					\
	.match_token_uuid = vfio_pci_core_match_token_uuid,		\
	.bind_iommufd = vfio_iommufd_physical_bind,			\
	.unbind_iommufd = vfio_iommufd_physical_unbind,			\
	.attach_ioas = vfio_iommufd_physical_attach_ioas,		\
	.detach_ioas = vfio_iommufd_physical_detach_ioas,		\
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas,	\
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas

#endif /* LINUX_VFIO_PCI_MIG_H */
