// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BARs of the memory in config space: 64-bit registers that exist only here.
 *
 * An access is cut at the edges of these registers, and each piece goes to the register or
 * to the core; so an access may have any offset and width. What the user wrote is kept as
 * it is. When it is read, the bits below the size of the BAR are its type.
 */
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "nvgmig.h"

#define NVGMIG_BAR_TYPE	(PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH)

/* Offset in config space of each register, in the order of &nvgmig_device.memory */
static const unsigned int nvgmig_bar_offsets[NVGMIG_MEMORIES] = {
	PCI_BASE_ADDRESS_0 + 4 * NVGMIG_RESMEM_REGION,
	PCI_BASE_ADDRESS_0 + 4 * NVGMIG_USEMEM_REGION,
};

/**
 * struct nvgmig_piece - the beginning of an access, which lies in one place
 * @bar: number of the register, -1 if it is for the core
 * @at: offset in the register
 * @length: bytes
 */
struct nvgmig_piece {
	int bar;
	unsigned int at;
	size_t length;
};

static struct nvgmig_piece nvgmig_first_piece(struct nvgmig_device *dev, u64 offset, size_t count)
{
	struct nvgmig_piece piece = { .bar = -1, .length = count };

	for (unsigned int i = 0; i < NVGMIG_MEMORIES; i++) {
		unsigned int begin = nvgmig_bar_offsets[i], end = begin + sizeof(u64);

		if (!dev->memory[i].length || offset >= end)
			continue;
		if (offset >= begin)
			return (struct nvgmig_piece) {
				.bar = i,
				.at = offset - begin,
				.length = min(count, end - offset),
			};
		piece.length = min(piece.length, begin - offset);
	}
	return piece;
}

/* The core refuses what goes beyond the end of config space. */
bool nvgmig_config_is_virtual(struct nvgmig_device *dev, loff_t pos, size_t count)
{
	u64 offset = pos & VFIO_PCI_OFFSET_MASK;
	struct nvgmig_piece piece;

	if (VFIO_PCI_OFFSET_TO_INDEX(pos) != VFIO_PCI_CONFIG_REGION_INDEX)
		return false;
	if (offset > dev->core.core.pdev->cfg_size ||
	    count > dev->core.core.pdev->cfg_size - offset)
		return false;
	piece = nvgmig_first_piece(dev, offset, count);
	return piece.bar >= 0 || piece.length < count;
}

static __le64 nvgmig_bar_get(struct nvgmig_device *dev, int bar)
{
	u64 mask = dev->memory[bar].bar_size - 1;

	guard(spinlock)(&dev->config_lock);
	return cpu_to_le64((dev->bars[bar] & ~mask) | NVGMIG_BAR_TYPE);
}

static void nvgmig_bar_put(struct nvgmig_device *dev, const struct nvgmig_piece *piece,
			   const u8 *bytes)
{
	__le64 value;

	guard(spinlock)(&dev->config_lock);
	value = cpu_to_le64(dev->bars[piece->bar]);
	memcpy((u8 *)&value + piece->at, bytes, piece->length);
	dev->bars[piece->bar] = le64_to_cpu(value);
}

static int nvgmig_bar_read(struct nvgmig_device *dev, const struct nvgmig_piece *piece,
			   char __user *buf)
{
	__le64 value = nvgmig_bar_get(dev, piece->bar);

	return copy_to_user(buf, (u8 *)&value + piece->at, piece->length) ? -EFAULT : 0;
}

static int nvgmig_bar_write(struct nvgmig_device *dev, const struct nvgmig_piece *piece,
			    const char __user *buf)
{
	u8 bytes[sizeof(u64)];

	if (copy_from_user(bytes, buf, piece->length))
		return -EFAULT;
	nvgmig_bar_put(dev, piece, bytes);
	return 0;
}

static ssize_t nvgmig_config_piece(struct nvgmig_device *dev, const struct nvgmig_piece *piece,
				   char __user *buf, loff_t *ppos, bool write)
{
	int ret;

	if (piece->bar < 0 && write)
		return vfio_pci_mig_write(&dev->core.core.vdev, buf, piece->length, ppos);
	if (piece->bar < 0)
		return vfio_pci_mig_read(&dev->core.core.vdev, buf, piece->length, ppos);
	ret = write ? nvgmig_bar_write(dev, piece, buf) : nvgmig_bar_read(dev, piece, buf);
	if (ret)
		return ret;
	*ppos += piece->length;
	return piece->length;
}

/* As with the core, an error in the middle is the result of the whole access. */
static ssize_t nvgmig_config_rw(struct nvgmig_device *dev, char __user *buf, size_t count,
				loff_t *ppos, bool write)
{
	loff_t pos = *ppos;
	size_t done = 0;
	ssize_t ret;

	while (done < count) {
		struct nvgmig_piece piece = nvgmig_first_piece(dev, pos & VFIO_PCI_OFFSET_MASK,
							       count - done);

		ret = nvgmig_config_piece(dev, &piece, buf + done, &pos, write);
		if (ret < 0)
			return ret;
		done += ret;
	}
	*ppos = pos;
	return done;
}

ssize_t nvgmig_config_read(struct nvgmig_device *dev, char __user *buf, size_t count,
			   loff_t *ppos)
{
	return nvgmig_config_rw(dev, buf, count, ppos, false);
}

ssize_t nvgmig_config_write(struct nvgmig_device *dev, const char __user *buf, size_t count,
			    loff_t *ppos)
{
	return nvgmig_config_rw(dev, (char __user *)buf, count, ppos, true);
}

/* Before the write reaches the core: who sees the same number twice has seen one state. */
void nvgmig_config_note_power(struct nvgmig_device *dev, loff_t pos, size_t count)
{
	u64 at = dev->core.core.pdev->pm_cap + PCI_PM_CTRL, offset = pos & VFIO_PCI_OFFSET_MASK;

	if (VFIO_PCI_OFFSET_TO_INDEX(pos) != VFIO_PCI_CONFIG_REGION_INDEX ||
	    !dev->core.core.pdev->pm_cap)
		return;
	if (offset < at + sizeof(u16) && at < offset + count)
		atomic64_inc(&dev->power_writes);
}

void nvgmig_config_reset(struct nvgmig_device *dev)
{
	guard(spinlock)(&dev->config_lock);
	memset(dev->bars, 0, sizeof(dev->bars));
}

u64 nvgmig_config_get(struct nvgmig_device *dev, const struct nvgmig_memory *mem)
{
	guard(spinlock)(&dev->config_lock);
	return dev->bars[mem - dev->memory];
}

void nvgmig_config_set(struct nvgmig_device *dev, const struct nvgmig_memory *mem, u64 value)
{
	guard(spinlock)(&dev->config_lock);
	dev->bars[mem - dev->memory] = value;
}
