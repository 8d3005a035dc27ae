/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hot reset of VFIO: what it affects, and asking for it; functions of which several
 * belong to one owner, as groups or in one iommufd context.
 */
#ifndef LIB_HOT_RESET_H
#define LIB_HOT_RESET_H

#include <linux/vfio.h>

#include "check.h"
#include "iommufd.h"
#include "vfio_device.h"

#define HOT_RESET_MAX	8

/**
 * struct hot_reset - what a hot reset affects
 * @flags: VFIO_PCI_HOT_RESET_FLAG_ bits
 * @count: number of functions
 * @devices: the functions
 */
struct hot_reset {
	uint32_t flags;
	uint32_t count;
	struct vfio_pci_dependent_device devices[HOT_RESET_MAX];
};

int __hot_reset_info(struct vfio_device *dev, struct hot_reset *info);
/* The entry of a function, NULL if it is not affected. */
struct vfio_pci_dependent_device *hot_reset_find(struct hot_reset *info, const char *address);
/* Resets, with the groups of these devices as the proof of ownership; none: cdev. */
int __hot_reset(struct vfio_device *dev, struct vfio_device **groups, unsigned int count);
/*
 * Opens a device and binds it to the context of another one. Closing it is
 * vfio_close(). Its identifier, or -errno.
 */
int __hot_reset_join(struct vfio_device *dev, const char *address,
		     const struct iommufd *owner);

#define hot_reset_info(...)	must(__hot_reset_info(__VA_ARGS__))
#define hot_reset(...)		must(__hot_reset(__VA_ARGS__))
#define hot_reset_join(...)	((uint32_t)must(__hot_reset_join(__VA_ARGS__)))

#endif /* LIB_HOT_RESET_H */
