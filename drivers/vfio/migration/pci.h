/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files for drivers built on vfio-pci-core share.
 */
#ifndef VFIO_MIG_PCI_H
#define VFIO_MIG_PCI_H

#include <linux/vfio_pci_mig.h>

/* mmio.c: touches of the BARs of a stopped device */
void vfio_pci_mig_mmio_init(struct vfio_pci_mig_device *dev);
void vfio_pci_mig_mmio_debugfs_add(struct vfio_pci_mig_device *dev);

/* identity.c: the info region */
int vfio_pci_mig_add_info_region(struct vfio_pci_mig_device *dev);

#endif /* VFIO_MIG_PCI_H */
