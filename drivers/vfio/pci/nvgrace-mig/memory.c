// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own access to the coherent memory.
 *
 * Each touch happens with reset_lock held for read, while the device is ready, and
 * away from pages that are known to be poisoned. A page whose error is found by
 * reading it is known from then on. Whether such a read can be survived depends on
 * the architecture: it can where copy_mc_to_kernel() is more than a copy.
 */
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "nvgmig.h"

/* All of it, since several CPUs may copy from it at once. NULL: out of memory. */
void *nvgmig_memory_map(struct nvgmig_memory *mem)
{
	unsigned long type = mem->write_combined ? MEMREMAP_WC : MEMREMAP_WB;

	guard(mutex)(&mem->map_lock);
	if (!mem->map)
		mem->map = memremap(mem->base, mem->length, type);
	return mem->map;
}

/* The device is closed: nobody uses the mapping any more. */
void nvgmig_memory_unmap(struct nvgmig_memory *mem)
{
	guard(mutex)(&mem->map_lock);
	if (mem->map)
		memunmap(mem->map);
	mem->map = NULL;
}

static bool nvgmig_is_poisoned(const struct nvgmig_memory *mem, u64 offset, size_t length)
{
	return nvgmig_poison_next(mem, offset, offset + length) < offset + length;
}

int nvgmig_touch(struct nvgmig_memory *mem, u64 offset, size_t length,
		 const struct nvgmig_transfer *transfer)
{
	void *at = mem->map + offset;
	unsigned long left;

	lockdep_assert_held_read(&mem->dev->reset_lock);
	if (nvgmig_is_poisoned(mem, offset, length))
		return -EHWPOISON;
	if (transfer->from) {
		memcpy(at, transfer->from, length);
		return 0;
	}
	if (!transfer->to) {
		memset(at, 0, length);
		return 0;
	}
	left = copy_mc_to_kernel(transfer->to, at, length);
	if (!left)
		return 0;
	nvgmig_poison_add(mem, offset + length - left);
	return -EHWPOISON;
}

static int nvgmig_touch_when_ready(struct nvgmig_memory *mem, u64 offset, size_t length,
				   const struct nvgmig_transfer *transfer)
{
	struct nvgmig_device *dev = mem->dev;
	int ret;

	if (READ_ONCE(dev->resetting))
		return -ENODEV;
	ret = nvgmig_ready_wait(dev);
	if (ret)
		return ret;
	guard(rwsem_read)(&dev->reset_lock);
	return dev->ready ? nvgmig_touch(mem, offset, length, transfer) : -ENODEV;
}

/*
 * Not for longer than the machine check handler can be told about, and a device that
 * sleeps is not woken: that takes memory_lock.
 */
static int nvgmig_transfer(struct nvgmig_memory *mem, u64 offset, size_t length,
			   const struct nvgmig_transfer *transfer)
{
	struct device *device = &mem->dev->core.core.pdev->dev;
	int active, ret;

	if (WARN_ON_ONCE(length > SZ_1G || offset > mem->length || length > mem->length - offset))
		return -EINVAL;
	if (!nvgmig_memory_map(mem))
		return -ENOMEM;
	active = pm_runtime_get_if_active(device);
	if (!active)
		return -EBUSY;
	ret = nvgmig_touch_when_ready(mem, offset, length, transfer);
	if (active > 0)
		pm_runtime_put(device);
	return ret;
}

int nvgmig_memory_copy_out(struct nvgmig_memory *mem, u64 offset, void *to, size_t length)
{
	return nvgmig_transfer(mem, offset, length, &(struct nvgmig_transfer) { .to = to });
}

int nvgmig_memory_copy_in(struct nvgmig_memory *mem, u64 offset, const void *from, size_t length)
{
	return nvgmig_transfer(mem, offset, length, &(struct nvgmig_transfer) { .from = from });
}

int nvgmig_memory_clear(struct nvgmig_memory *mem, u64 offset, size_t length)
{
	return nvgmig_transfer(mem, offset, length, &(struct nvgmig_transfer) {});
}
