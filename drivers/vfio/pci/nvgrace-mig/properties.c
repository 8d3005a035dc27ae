// SPDX-License-Identifier: GPL-2.0-only
/*
 * What firmware says of the coherent memory, and how it is divided between the two
 * regions that the user sees as BARs.
 *
 * The division is known to the firmware of the GPU and to the driver in the guest.
 * A device without memory keeps both lengths at 0. What makes no sense is refused
 * here, so that nothing else has to look at it.
 */
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/sizes.h>

#include "nvgmig.h"

/* A DVSEC of the GPU tells whether it can be partitioned with all memory cached. */
#define NVGMIG_DVSEC_PARTITION		3
#define NVGMIG_DVSEC_PARTITION_FLAGS	0xa
#define NVGMIG_DVSEC_PARTITION_CACHED	BIT(0)

/* If not, so much at its end is not for cached use, and the rest comes in blocks. */
#define NVGMIG_MIN_RESMEM		SZ_1G
#define NVGMIG_BLOCK			SZ_512M

static bool nvgmig_partitions_cached(struct pci_dev *pdev)
{
	u16 dvsec = pci_find_dvsec_capability(pdev, PCI_VENDOR_ID_NVIDIA, NVGMIG_DVSEC_PARTITION);
	u16 flags;

	if (!dvsec || pci_read_config_word(pdev, dvsec + NVGMIG_DVSEC_PARTITION_FLAGS, &flags))
		return false;
	return !PCI_POSSIBLE_ERROR(flags) && (flags & NVGMIG_DVSEC_PARTITION_CACHED);
}

static int nvgmig_set_memory(struct nvgmig_memory *mem, u64 base, u64 length)
{
	length = round_down(length, PAGE_SIZE);
	if (!length || length > BIT_ULL(VFIO_PCI_OFFSET_SHIFT))
		return -EINVAL;
	mem->base = base;
	mem->length = length;
	mem->bar_size = roundup_pow_of_two(length);
	return 0;
}

static int nvgmig_divide(struct nvgmig_device *dev, u64 base, u64 size)
{
	u64 usable = size, end;

	if (!PAGE_ALIGNED(base) || check_add_overflow(base, size, &end) ||
	    end - 1 > (phys_addr_t)~0ULL)
		return -EINVAL;
	if (nvgmig_partitions_cached(dev->core.core.pdev))
		return nvgmig_set_memory(nvgmig_usemem(dev), base, size);

	if (check_sub_overflow(size, (u64)NVGMIG_MIN_RESMEM, &usable))
		return -EINVAL;
	usable = round_down(usable, NVGMIG_BLOCK);
	return nvgmig_set_memory(nvgmig_usemem(dev), base, usable) ?:
	       nvgmig_set_memory(nvgmig_resmem(dev), base + usable, size - usable);
}

static void nvgmig_name_memory(struct nvgmig_device *dev)
{
	*nvgmig_resmem(dev) = (struct nvgmig_memory) {
		.dev = dev,
		.name = "resmem",
		.index = NVGMIG_RESMEM_REGION,
		.write_combined = true,
	};
	*nvgmig_usemem(dev) = (struct nvgmig_memory) {
		.dev = dev,
		.name = "usemem",
		.index = NVGMIG_USEMEM_REGION,
	};
	for (unsigned int i = 0; i < NVGMIG_MEMORIES; i++)
		mutex_init(&dev->memory[i].map_lock);
}

/*
 * Without the properties, or when the link to the memory did not come up (a size of
 * 0), there is no memory, which is no error.
 */
int nvgmig_properties_init(struct nvgmig_device *dev)
{
	struct device *device = &dev->core.core.pdev->dev;
	u64 base, size;
	int ret;

	nvgmig_name_memory(dev);
	if (device_property_read_u64(device, "nvidia,gpu-mem-base-pa", &base) ||
	    device_property_read_u64(device, "nvidia,gpu-mem-size", &size) || !size)
		return 0;
	ret = nvgmig_divide(dev, base, size);
	if (ret)
		dev_err(device, "firmware describes impossible memory: %#llx bytes at %#llx\n",
			size, base);
	return ret;
}
