/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VFIO device through its own character device, with the IOMMU behind iommufd. One
 * address space for each device; closing undoes everything.
 */
#ifndef LIB_IOMMUFD_H
#define LIB_IOMMUFD_H

#include <linux/iommufd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "vfio_device.h"

/**
 * struct iommufd - the IOMMU context of one open device
 * @fd: the context
 * @dev: the device bound to it
 * @device: the context's identifier of the device
 * @space: the context's identifier of the address space
 */
struct iommufd {
	int fd;
	struct vfio_device *dev;
	uint32_t device;
	uint32_t space;
};

/* Whether the kernel has iommufd, and a character device for the function. */
bool iommufd_exists(const char *address);
/* Opens the device and binds it, with an address space that is empty. */
int __iommufd_open(struct iommufd *iommufd, struct vfio_device *dev, const char *address);
/* Closes the device as well. */
void iommufd_close(struct iommufd *iommufd);

/* IOMMU_HW_CAP_ bits of what is in front of the device */
int __iommufd_capabilities(struct iommufd *iommufd, uint64_t *capabilities);
/* @flags: IOMMU_IOAS_MAP_READABLE, IOMMU_IOAS_MAP_WRITEABLE */
int __iommufd_map(struct iommufd *iommufd, void *memory, uint64_t iova, size_t size,
		  uint32_t flags);
int __iommufd_unmap(struct iommufd *iommufd, uint64_t iova, size_t size);
/* A page table of the address space; @flags: IOMMU_HWPT_ALLOC_ */
int __iommufd_table(struct iommufd *iommufd, uint32_t flags, uint32_t *table);
int __iommufd_attach(struct iommufd *iommufd, uint32_t table);
int __iommufd_detach(struct iommufd *iommufd);

int __iommufd_track(struct iommufd *iommufd, uint32_t table, bool on);
/*
 * Adds a bit to @bits for each page of @page_size bytes that was written, the first
 * one for @iova. @flags: IOMMU_HWPT_GET_DIRTY_BITMAP_
 */
int __iommufd_dirty(struct iommufd *iommufd, uint32_t table, uint32_t flags, uint64_t iova,
		    size_t size, size_t page_size, uint64_t *bits);

#define iommufd_open(...)		must(__iommufd_open(__VA_ARGS__))
#define iommufd_capabilities(...)	must(__iommufd_capabilities(__VA_ARGS__))
#define iommufd_map(...)		must(__iommufd_map(__VA_ARGS__))
#define iommufd_unmap(...)		must(__iommufd_unmap(__VA_ARGS__))
#define iommufd_table(...)		must(__iommufd_table(__VA_ARGS__))
#define iommufd_attach(...)		must(__iommufd_attach(__VA_ARGS__))
#define iommufd_detach(...)		must(__iommufd_detach(__VA_ARGS__))
#define iommufd_track(...)		must(__iommufd_track(__VA_ARGS__))
#define iommufd_dirty(...)		must(__iommufd_dirty(__VA_ARGS__))

#endif /* LIB_IOMMUFD_H */
