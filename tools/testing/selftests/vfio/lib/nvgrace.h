/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A GPU with coherent memory as the user of its driver sees it: the regions of the memory,
 * mapped, read and written.
 */
#ifndef LIB_NVGRACE_H
#define LIB_NVGRACE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfio_device.h"

#define DRIVER_NVGRACE		"nvgrace_vfio_mig"
#define RESMEM			VFIO_PCI_BAR2_REGION_INDEX
#define USEMEM			VFIO_PCI_BAR4_REGION_INDEX
#define NVGRACE_TIMEOUT		"/sys/module/nvgrace_vfio_mig/parameters/ready_timeout"
#define NVGRACE_TIMEOUT_DEFAULT	30

/**
 * struct nvgrace_region - a region of the device
 * @dev: the device
 * @offset: of the region in the device's FD
 * @size: bytes of the region
 * @length: bytes of it that can be mapped: those of its only sparse area, or @size
 * @areas: number of sparse areas, 0 if nothing is said of them
 * @flags: VFIO_REGION_INFO_FLAG_
 */
struct nvgrace_region {
	struct vfio_device *dev;
	uint64_t offset;
	uint64_t size;
	uint64_t length;
	unsigned int areas;
	uint32_t flags;
};

int __nvgrace_region(struct vfio_device *dev, unsigned int index, struct nvgrace_region *region);
/* Shared, at an address that is a multiple of @align, a power of two. MAP_FAILED, or the address */
void *__nvgrace_map(const struct nvgrace_region *region, uint64_t offset, size_t length,
		    size_t align);
/* The same, or the test ends. */
void *nvgrace_map(const struct nvgrace_region *region, uint64_t offset, size_t length,
		  size_t align);
/* Number of bytes, or -errno. */
long nvgrace_read(const struct nvgrace_region *region, uint64_t offset, void *data,
		  size_t length);
long nvgrace_write(const struct nvgrace_region *region, uint64_t offset, const void *data,
		   size_t length);
/* What the driver's file in debugfs says of the device. */
const char *nvgrace_debugfs(const struct vfio_device *dev, const char *file);

/* memory-enable in the command register */
void nvgrace_enable(struct vfio_device *dev, bool on);
/* A fresh device, whose memory can be reached. */
void nvgrace_open(struct vfio_device *dev, const char *address);

/* Ways to reset the function, and what the VFIO user does about each. */
enum nvgrace_reset {
	NVGRACE_RESET_VFIO,
	NVGRACE_RESET_CONFIG,
	NVGRACE_RESET_SYSFS,
	NVGRACE_RESET_BUS,
};

/* 0 or -errno; by the bus only where nothing else is on it. */
int __nvgrace_reset(struct vfio_device *dev, enum nvgrace_reset how);

#define nvgrace_region(...)	must(__nvgrace_region(__VA_ARGS__))
#define nvgrace_reset(...)	must(__nvgrace_reset(__VA_ARGS__))

#endif /* LIB_NVGRACE_H */
