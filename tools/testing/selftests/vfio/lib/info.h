/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The info region of a VFIO device, found as any program finds it: by its type among the
 * regions that follow those of every PCI device, and by its magic.
 */
#ifndef LIB_INFO_H
#define LIB_INFO_H

#include <linux/vfio_mig.h>

#include "vfio_device.h"

/* Number of regions, those of every PCI device included. */
unsigned int vfio_regions(struct vfio_device *dev);
/* Number of info regions; @region is the last one. */
unsigned int vfio_find_info(struct vfio_device *dev, struct vfio_region_info *region);
/* What the only info region holds; -ENOENT if there is none. */
int __vfio_info(struct vfio_device *dev, struct vfio_mig_info *info);

#define vfio_info(...)	must(__vfio_info(__VA_ARGS__))

#endif /* LIB_INFO_H */
