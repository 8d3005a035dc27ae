// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of a GPU's memory, and resets of all kinds.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "file.h"
#include "nvgrace.h"

struct region_answer {
	struct vfio_region_info info;
	char capabilities[512];
} __attribute__((aligned(8)));

static void take_areas(struct nvgrace_region *region, const struct region_answer *answer)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	const struct vfio_info_cap_header *header;
	uint32_t at = answer->info.cap_offset;

	while (at) {
		header = (const void *)((const char *)answer + at);
		if (header->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
			sparse = (const void *)header;
			region->areas = sparse->nr_areas;
			if (region->areas == 1 && !sparse->areas[0].offset)
				region->length = sparse->areas[0].size;
		}
		at = header->next;
	}
}

int __nvgrace_region(struct vfio_device *dev, unsigned int index, struct nvgrace_region *region)
{
	struct region_answer answer = { 0 };

	answer.info.argsz = sizeof(answer);
	answer.info.index = index;
	if (ioctl(dev->device, VFIO_DEVICE_GET_REGION_INFO, &answer))
		return -errno;
	if (answer.info.argsz > sizeof(answer))
		return -E2BIG;
	*region = (struct nvgrace_region) {
		.dev = dev,
		.offset = answer.info.offset,
		.size = answer.info.size,
		.length = answer.info.size,
		.flags = answer.info.flags,
	};
	if (answer.info.flags & VFIO_REGION_INFO_FLAG_CAPS)
		take_areas(region, &answer);
	return 0;
}

void *__nvgrace_map(const struct nvgrace_region *region, uint64_t offset, size_t length,
		    size_t align)
{
	char *room = mmap(NULL, length + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start;
	void *map;
	int error;

	if (room == MAP_FAILED)
		return MAP_FAILED;
	start = (char *)(((uintptr_t)room + align - 1) & ~(align - 1));
	map = mmap(start, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   region->dev->device, region->offset + offset);
	error = errno;
	if (map == MAP_FAILED) {
		munmap(room, length + align);
	} else {
		if (start > room)
			munmap(room, start - room);
		if (start < room + align)
			munmap(start + length, room + align - start);
	}
	errno = error;
	return map;
}

void *nvgrace_map(const struct nvgrace_region *region, uint64_t offset, size_t length,
		  size_t align)
{
	void *map = __nvgrace_map(region, offset, length, align);

	if (map == MAP_FAILED)
		fail("cannot map %zu bytes at %#llx: %s", length, (unsigned long long)offset,
		     strerror(errno));
	return map;
}

long nvgrace_read(const struct nvgrace_region *region, uint64_t offset, void *data,
		  size_t length)
{
	ssize_t done = pread(region->dev->device, data, length, region->offset + offset);

	return done < 0 ? -errno : done;
}

long nvgrace_write(const struct nvgrace_region *region, uint64_t offset, const void *data,
		   size_t length)
{
	ssize_t done = pwrite(region->dev->device, data, length, region->offset + offset);

	return done < 0 ? -errno : done;
}

const char *nvgrace_debugfs(const struct vfio_device *dev, const char *file)
{
	static __thread char text[4096];

	must(__file_read(path("/sys/kernel/debug/nvgrace-vfio-mig/%s/%s", dev->address, file),
			 text, sizeof(text)));
	return text;
}

void nvgrace_enable(struct vfio_device *dev, bool on)
{
	uint32_t command = vfio_config_get(dev, PCI_COMMAND, 2);

	command = on ? command | PCI_COMMAND_MEMORY : command & ~PCI_COMMAND_MEMORY;
	vfio_config_put(dev, PCI_COMMAND, 2, command);
}

void nvgrace_open(struct vfio_device *dev, const char *address)
{
	vfio_open(dev, address);
	nvgrace_enable(dev, true);
}

static int reset_by_config(struct vfio_device *dev)
{
	unsigned int exp = vfio_find_capability(dev, PCI_CAP_ID_EXP);
	uint32_t control = vfio_config_get(dev, exp + PCI_EXP_DEVCTL, 2);

	vfio_config_put(dev, exp + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
	return 0;
}

static int reset_by_bus(struct vfio_device *dev)
{
	struct {
		struct vfio_pci_hot_reset head;
		int32_t group;
	} request = {
		.head = { .argsz = sizeof(request), .count = 1 },
		.group = dev->group,
	};

	return ioctl(dev->device, VFIO_DEVICE_PCI_HOT_RESET, &request) ? -errno : 0;
}

int __nvgrace_reset(struct vfio_device *dev, enum nvgrace_reset how)
{
	switch (how) {
	case NVGRACE_RESET_VFIO:
		return __vfio_reset(dev);
	case NVGRACE_RESET_CONFIG:
		return reset_by_config(dev);
	case NVGRACE_RESET_SYSFS:
		return __file_write(path("/sys/bus/pci/devices/%s/reset", dev->address), "1");
	case NVGRACE_RESET_BUS:
		return reset_by_bus(dev);
	}
	return -EINVAL;
}
