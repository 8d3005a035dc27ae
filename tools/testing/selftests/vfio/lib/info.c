// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks over regions and what the kernel says about each.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "info.h"

/* The answer about a region with all that is chained to it. */
union region_answer {
	struct vfio_region_info info;
	unsigned char bytes[1024];
};

unsigned int vfio_regions(struct vfio_device *dev)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	if (ioctl(dev->device, VFIO_DEVICE_GET_INFO, &info))
		fail("no device info: %s", strerror(errno));
	return info.num_regions;
}

static const struct vfio_region_info_cap_type *find_type(const union region_answer *answer)
{
	const struct vfio_info_cap_header *header;
	unsigned int at = answer->info.cap_offset;

	if (!(answer->info.flags & VFIO_REGION_INFO_FLAG_CAPS))
		return NULL;
	for (; at && at + sizeof(struct vfio_region_info_cap_type) <= sizeof(*answer);
	     at = header->next) {
		header = (const void *)&answer->bytes[at];
		if (header->id == VFIO_REGION_INFO_CAP_TYPE)
			return (const void *)header;
	}
	return NULL;
}

static bool is_info(struct vfio_device *dev, const union region_answer *answer)
{
	uint32_t vendor = vfio_config_get(dev, PCI_VENDOR_ID, 2);
	const struct vfio_region_info_cap_type *type = find_type(answer);
	uint32_t magic;

	return type && type->type == (VFIO_REGION_TYPE_PCI_VENDOR_TYPE | vendor) &&
	       type->subtype == VFIO_MIG_REGION_SUBTYPE_INFO &&
	       !__vfio_read(dev, answer->info.offset, &magic, sizeof(magic)) &&
	       le32toh(magic) == VFIO_MIG_INFO_MAGIC;
}

unsigned int vfio_find_info(struct vfio_device *dev, struct vfio_region_info *region)
{
	unsigned int index, regions = vfio_regions(dev), found = 0;
	union region_answer answer;

	for (index = VFIO_PCI_NUM_REGIONS; index < regions; index++) {
		memset(&answer, 0, sizeof(answer));
		answer.info.argsz = sizeof(answer);
		answer.info.index = index;
		if (ioctl(dev->device, VFIO_DEVICE_GET_REGION_INFO, &answer))
			fail("no info of region %u: %s", index, strerror(errno));
		if (is_info(dev, &answer)) {
			*region = answer.info;
			found++;
		}
	}
	return found;
}

int __vfio_info(struct vfio_device *dev, struct vfio_mig_info *info)
{
	struct vfio_region_info region;

	if (vfio_find_info(dev, &region) != 1)
		return -ENOENT;
	return __vfio_read(dev, region.offset, info, sizeof(*info));
}
