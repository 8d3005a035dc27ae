// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot reset through the ioctls of VFIO.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "file.h"
#include "hot_reset.h"

int __hot_reset_info(struct vfio_device *dev, struct hot_reset *info)
{
	struct {
		struct vfio_pci_hot_reset_info head;
		struct vfio_pci_dependent_device devices[HOT_RESET_MAX];
	} request = { .head.argsz = sizeof(request) };

	if (ioctl(dev->device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &request))
		return -errno;
	info->flags = request.head.flags;
	info->count = request.head.count;
	memcpy(info->devices, request.devices, sizeof(info->devices));
	return 0;
}

struct vfio_pci_dependent_device *hot_reset_find(struct hot_reset *info, const char *address)
{
	unsigned int segment, bus, slot, function, i;

	if (sscanf(address, "%x:%x:%x.%u", &segment, &bus, &slot, &function) != 4)
		fail("%s is no address", address);
	for (i = 0; i < info->count; i++) {
		struct vfio_pci_dependent_device *device = &info->devices[i];

		/* the segment has 16 bits, a simulated domain more */
		if (device->segment == (uint16_t)segment && device->bus == bus &&
		    device->devfn == (slot << 3 | function))
			return device;
	}
	return NULL;
}

int __hot_reset(struct vfio_device *dev, struct vfio_device **groups, unsigned int count)
{
	struct {
		struct vfio_pci_hot_reset head;
		int fds[HOT_RESET_MAX];
	} request = { .head.count = count };
	unsigned int i;

	if (count > HOT_RESET_MAX)
		return -E2BIG;
	request.head.argsz = sizeof(request.head) + count * sizeof(int);
	for (i = 0; i < count; i++)
		request.head.group_fds[i] = groups[i]->group;
	return ioctl(dev->device, VFIO_DEVICE_PCI_HOT_RESET, &request) ? -errno : 0;
}

static int open_node(const char *address)
{
	const char *pattern = path("/sys/bus/pci/devices/%s/vfio-dev/vfio*", address);
	glob_t found;
	int fd;

	if (glob(pattern, 0, NULL, &found))
		return -ENOENT;
	fd = open(path("/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1),
		  O_RDWR | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	globfree(&found);
	return fd;
}

int __hot_reset_join(struct vfio_device *dev, const char *address, const struct iommufd *owner)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = owner->fd };
	struct vfio_region_info info;
	int error;

	memset(dev, 0, sizeof(*dev));
	dev->container = -1;
	dev->group = -1;
	snprintf(dev->address, sizeof(dev->address), "%s", address);
	dev->device = open_node(address);
	if (dev->device < 0)
		return dev->device;
	error = ioctl(dev->device, VFIO_DEVICE_BIND_IOMMUFD, &bind) ? -errno : 0;
	if (!error)
		error = __vfio_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	dev->config = info.offset;
	if (error)
		vfio_close(dev);
	return error ?: (int)bind.out_devid;
}
