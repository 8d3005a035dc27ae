// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO through the device's character device and iommufd.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "file.h"
#include "iommufd.h"
#include "module.h"

/* Name of the function's character device; it has a number if the kernel offers one. */
static int find_node(const char *address, char *name, size_t room)
{
	glob_t found;
	int error;

	error = glob(path("/sys/bus/pci/devices/%s/vfio-dev/vfio*/dev", address), 0, NULL,
		     &found);
	if (error)
		return error == GLOB_NOMATCH ? -ENOENT : -EIO;
	*strrchr(found.gl_pathv[0], '/') = 0;
	snprintf(name, room, "%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return 0;
}

bool iommufd_exists(const char *address)
{
	char name[16];

	if (module_state("iommufd") == MODULE_ABSENT && !module_exists("iommufd"))
		return false;
	return find_node(address, name, sizeof(name)) != -ENOENT;
}

static int bind_device(struct iommufd *iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd->fd,
	};

	if (ioctl(iommufd->dev->device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return -errno;
	iommufd->device = bind.out_devid;
	return 0;
}

static int create_space(struct iommufd *iommufd)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(iommufd->fd, IOMMU_IOAS_ALLOC, &alloc))
		return -errno;
	iommufd->space = alloc.out_ioas_id;
	return 0;
}

static int open_all(struct iommufd *iommufd)
{
	struct vfio_device *dev = iommufd->dev;
	struct vfio_region_info info;
	char name[16];
	int error;

	error = __module_load("iommufd", NULL);
	if (!error)
		error = find_node(dev->address, name, sizeof(name));
	if (error)
		return error;
	iommufd->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd->fd < 0)
		return -errno;
	dev->device = open(path("/dev/vfio/devices/%s", name), O_RDWR | O_CLOEXEC);
	if (dev->device < 0)
		return -errno;
	error = bind_device(iommufd);
	if (!error)
		error = create_space(iommufd);
	if (!error)
		error = __vfio_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (!error)
		dev->config = info.offset;
	return error;
}

int __iommufd_open(struct iommufd *iommufd, struct vfio_device *dev, const char *address)
{
	int error;

	memset(iommufd, 0, sizeof(*iommufd));
	iommufd->fd = -1;
	iommufd->dev = dev;
	memset(dev, 0, sizeof(*dev));
	dev->container = -1;
	dev->group = -1;
	dev->device = -1;
	snprintf(dev->address, sizeof(dev->address), "%s", address);
	error = open_all(iommufd);
	if (error)
		iommufd_close(iommufd);
	return error;
}

void iommufd_close(struct iommufd *iommufd)
{
	vfio_close(iommufd->dev);
	if (iommufd->fd >= 0)
		close(iommufd->fd);
	iommufd->fd = -1;
}

int __iommufd_capabilities(struct iommufd *iommufd, uint64_t *capabilities)
{
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = iommufd->device };
	int error = ioctl(iommufd->fd, IOMMU_GET_HW_INFO, &info) ? -errno : 0;

	*capabilities = info.out_capabilities;
	return error;
}

int __iommufd_map(struct iommufd *iommufd, void *memory, uint64_t iova, size_t size,
		  uint32_t flags)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = flags | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = iommufd->space,
		.user_va = (uintptr_t)memory,
		.length = size,
		.iova = iova,
	};

	return ioctl(iommufd->fd, IOMMU_IOAS_MAP, &map) ? -errno : 0;
}

int __iommufd_unmap(struct iommufd *iommufd, uint64_t iova, size_t size)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = iommufd->space,
		.iova = iova,
		.length = size,
	};

	if (ioctl(iommufd->fd, IOMMU_IOAS_UNMAP, &unmap))
		return -errno;
	return unmap.length == size ? 0 : -ERANGE;
}

int __iommufd_table(struct iommufd *iommufd, uint32_t flags, uint32_t *table)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.dev_id = iommufd->device,
		.pt_id = iommufd->space,
	};
	int error = ioctl(iommufd->fd, IOMMU_HWPT_ALLOC, &alloc) ? -errno : 0;

	*table = alloc.out_hwpt_id;
	return error;
}

int __iommufd_attach(struct iommufd *iommufd, uint32_t table)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = table,
	};

	return ioctl(iommufd->dev->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) ? -errno : 0;
}

int __iommufd_detach(struct iommufd *iommufd)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	return ioctl(iommufd->dev->device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) ? -errno : 0;
}

int __iommufd_track(struct iommufd *iommufd, uint32_t table, bool on)
{
	struct iommu_hwpt_set_dirty_tracking request = {
		.size = sizeof(request),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = table,
	};

	return ioctl(iommufd->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &request) ? -errno : 0;
}

int __iommufd_dirty(struct iommufd *iommufd, uint32_t table, uint32_t flags, uint64_t iova,
		    size_t size, size_t page_size, uint64_t *bits)
{
	struct iommu_hwpt_get_dirty_bitmap request = {
		.size = sizeof(request),
		.hwpt_id = table,
		.flags = flags,
		.iova = iova,
		.length = size,
		.page_size = page_size,
		.data = (uintptr_t)bits,
	};

	return ioctl(iommufd->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &request) ? -errno : 0;
}
