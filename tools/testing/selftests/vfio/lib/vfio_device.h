/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VFIO device in a type1 container of its own, the path that exists in every
 * kernel. Closing it, also by the end of the process, undoes everything.
 */
#ifndef LIB_VFIO_DEVICE_H
#define LIB_VFIO_DEVICE_H

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"

/**
 * struct vfio_device - an open device
 * @container: the IOMMU context
 * @group: the device's group
 * @device: the device
 * @config: offset of config space in @device
 * @bar: BAR 0 if it is mapped
 * @bar_size: size of @bar in bytes
 * @address: PCI address
 */
struct vfio_device {
	int container;
	int group;
	int device;
	uint64_t config;
	void *bar;
	size_t bar_size;
	char address[20];
};

int __vfio_open(struct vfio_device *dev, const char *address);
/* Unmaps the BAR as well: a mapping holds the device open. */
void vfio_close(struct vfio_device *dev);

int __vfio_region(struct vfio_device *dev, unsigned int index, struct vfio_region_info *info);
/* BAR 0 through mmap(), until the device is closed */
int __vfio_map_bar(struct vfio_device *dev);
int __vfio_read(struct vfio_device *dev, uint64_t offset, void *data, size_t length);
int __vfio_write(struct vfio_device *dev, uint64_t offset, const void *data, size_t length);
/* Config space; numbers of 1, 2 or 4 bytes in the machine's order. */
uint32_t vfio_config_get(struct vfio_device *dev, unsigned int offset, unsigned int width);
void vfio_config_put(struct vfio_device *dev, unsigned int offset, unsigned int width,
		     uint32_t value);
/* Offset of a capability in the first 256 bytes, 0 if there is none. */
unsigned int vfio_find_capability(struct vfio_device *dev, uint8_t id);
void vfio_bus_master(struct vfio_device *dev, bool on);

/* @flags: VFIO_DMA_MAP_FLAG_ */
int __vfio_dma_map(struct vfio_device *dev, void *memory, uint64_t iova, size_t size,
		   uint32_t flags);
int __vfio_dma_unmap(struct vfio_device *dev, uint64_t iova, size_t size);
/* Enables MSI-X with one eventfd for each of @count vectors; 0: disables. */
int __vfio_msix(struct vfio_device *dev, const int *eventfds, unsigned int count);
int __vfio_reset(struct vfio_device *dev);
/* @feature: index and VFIO_DEVICE_FEATURE_ operation bits */
int __vfio_feature(struct vfio_device *dev, uint32_t feature, void *data, size_t size);

#define vfio_open(...)		must(__vfio_open(__VA_ARGS__))
#define vfio_region(...)	must(__vfio_region(__VA_ARGS__))
#define vfio_map_bar(...)	must(__vfio_map_bar(__VA_ARGS__))
#define vfio_read(...)		must(__vfio_read(__VA_ARGS__))
#define vfio_write(...)		must(__vfio_write(__VA_ARGS__))
#define vfio_dma_map(...)	must(__vfio_dma_map(__VA_ARGS__))
#define vfio_dma_unmap(...)	must(__vfio_dma_unmap(__VA_ARGS__))
#define vfio_msix(...)		must(__vfio_msix(__VA_ARGS__))
#define vfio_reset(...)		must(__vfio_reset(__VA_ARGS__))
#define vfio_feature(...)	must(__vfio_feature(__VA_ARGS__))

#define DMA_READ_WRITE	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

#endif /* LIB_VFIO_DEVICE_H */
