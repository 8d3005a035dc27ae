// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO through the group and a type1 container.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "file.h"
#include "vfio_device.h"

static int open_group(struct vfio_device *dev)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char group[16];
	int error;

	error = __link_name(path("/sys/bus/pci/devices/%s/iommu_group", dev->address), group,
			    sizeof(group));
	if (error)
		return error;
	dev->group = open(path("/dev/vfio/%s", group), O_RDWR | O_CLOEXEC);
	if (dev->group < 0 || ioctl(dev->group, VFIO_GROUP_GET_STATUS, &status))
		return -errno;
	return status.flags & VFIO_GROUP_FLAGS_VIABLE ? 0 : -EPERM;
}

static int open_all(struct vfio_device *dev)
{
	struct vfio_region_info info;
	int error;

	dev->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (dev->container < 0)
		return -errno;
	error = open_group(dev);
	if (error)
		return error;
	if (ioctl(dev->group, VFIO_GROUP_SET_CONTAINER, &dev->container) ||
	    ioctl(dev->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	dev->device = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, dev->address);
	if (dev->device < 0)
		return -errno;
	error = __vfio_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	dev->config = info.offset;
	return error;
}

int __vfio_open(struct vfio_device *dev, const char *address)
{
	int error;

	dev->container = -1;
	dev->group = -1;
	dev->device = -1;
	dev->bar = NULL;
	snprintf(dev->address, sizeof(dev->address), "%s", address);
	error = open_all(dev);
	if (error)
		vfio_close(dev);
	return error;
}

void vfio_close(struct vfio_device *dev)
{
	int *fds[] = { &dev->device, &dev->group, &dev->container };
	unsigned int i;

	if (dev->bar)
		munmap(dev->bar, dev->bar_size);
	dev->bar = NULL;
	for (i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

int __vfio_region(struct vfio_device *dev, unsigned int index, struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return ioctl(dev->device, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

int __vfio_map_bar(struct vfio_device *dev)
{
	struct vfio_region_info info;
	int error = __vfio_region(dev, VFIO_PCI_BAR0_REGION_INDEX, &info);

	if (error)
		return error;
	dev->bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->device,
			info.offset);
	if (dev->bar == MAP_FAILED) {
		dev->bar = NULL;
		return -errno;
	}
	dev->bar_size = info.size;
	return 0;
}

int __vfio_read(struct vfio_device *dev, uint64_t offset, void *data, size_t length)
{
	ssize_t done = pread(dev->device, data, length, offset);

	return done < 0 ? -errno : (size_t)done != length ? -ENODATA : 0;
}

int __vfio_write(struct vfio_device *dev, uint64_t offset, const void *data, size_t length)
{
	ssize_t done = pwrite(dev->device, data, length, offset);

	return done < 0 ? -errno : (size_t)done != length ? -ENODATA : 0;
}

uint32_t vfio_config_get(struct vfio_device *dev, unsigned int offset, unsigned int width)
{
	uint32_t value = 0;

	vfio_read(dev, dev->config + offset, &value, width);
	return value;
}

void vfio_config_put(struct vfio_device *dev, unsigned int offset, unsigned int width,
		     uint32_t value)
{
	vfio_write(dev, dev->config + offset, &value, width);
}

unsigned int vfio_find_capability(struct vfio_device *dev, uint8_t id)
{
	unsigned int at = vfio_config_get(dev, PCI_CAPABILITY_LIST, 1);
	unsigned int left = 48;

	while (at && left-- && vfio_config_get(dev, at, 1) != id)
		at = vfio_config_get(dev, at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

void vfio_bus_master(struct vfio_device *dev, bool on)
{
	uint32_t command = vfio_config_get(dev, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY;

	command = on ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER;
	vfio_config_put(dev, PCI_COMMAND, 2, command);
}

int __vfio_dma_map(struct vfio_device *dev, void *memory, uint64_t iova, size_t size,
		   uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	return ioctl(dev->container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

int __vfio_dma_unmap(struct vfio_device *dev, uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};

	return ioctl(dev->container, VFIO_IOMMU_UNMAP_DMA, &unmap) ? -errno : 0;
}

int __vfio_msix(struct vfio_device *dev, const int *eventfds, unsigned int count)
{
	struct {
		struct vfio_irq_set set;
		int fds[64];
	} irqs = { 0 };

	if (count > 64)
		return -EINVAL;
	irqs.set.argsz = sizeof(irqs.set) + count * sizeof(int);
	irqs.set.flags = VFIO_IRQ_SET_ACTION_TRIGGER;
	irqs.set.flags |= count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE;
	irqs.set.index = VFIO_PCI_MSIX_IRQ_INDEX;
	irqs.set.count = count;
	if (count)
		memcpy(irqs.set.data, eventfds, count * sizeof(int));
	return ioctl(dev->device, VFIO_DEVICE_SET_IRQS, &irqs) < 0 ? -errno : 0;
}

int __vfio_reset(struct vfio_device *dev)
{
	return ioctl(dev->device, VFIO_DEVICE_RESET) ? -errno : 0;
}

int __vfio_feature(struct vfio_device *dev, uint32_t feature, void *data, size_t size)
{
	char room[64] __attribute__((aligned(8))) = "";
	struct vfio_device_feature *request = (void *)room;
	int result;

	if (size + sizeof(*request) > sizeof(room))
		return -E2BIG;
	request->argsz = sizeof(*request) + size;
	request->flags = feature;
	if (size)
		memcpy(request->data, data, size);
	result = ioctl(dev->device, VFIO_DEVICE_FEATURE, request);
	if (result < 0)
		return -errno;
	if (size)
		memcpy(data, request->data, size);
	return result;
}
