// SPDX-License-Identifier: GPL-2.0-only
/*
 * read() and write() of the memory's regions.
 *
 * They go through a page of the kernel, so that no lock is held while user memory is
 * touched, which may be a mapping of this very region. What lies between the memory's
 * end and that of the BAR reads as ones and takes writes without effect.
 */
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "nvgmig.h"

/* The memory behind a region; NULL if the region is what the PCI function has there. */
struct nvgmig_memory *nvgmig_find_memory(struct nvgmig_device *dev, unsigned int index)
{
	struct nvgmig_memory *mem;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		if (mem->index == index)
			return mem;
	return NULL;
}

/* Return: -EAGAIN if the device is not ready. */
static int nvgmig_try_access(struct nvgmig_memory *mem, u64 offset, size_t length,
			     const struct nvgmig_transfer *transfer)
{
	struct nvgmig_device *dev = mem->dev;

	guard(rwsem_read)(&dev->core.core.memory_lock);
	if (nvgmig_blocked(dev)) {
		if (transfer->to)
			memset(transfer->to, 0xff, length);
		return 0;
	}
	if (!__vfio_pci_memory_enabled(&dev->core.core))
		return -EIO;
	if (offset >= mem->length) {
		if (transfer->to)
			memset(transfer->to, 0xff, length);
		return 0;
	}
	guard(rwsem_read)(&dev->reset_lock);
	return dev->ready ? nvgmig_touch(mem, offset, length, transfer) : -EAGAIN;
}

/* A reset that comes while the end of another one is waited for begins the wait anew. */
static int nvgmig_access(struct nvgmig_memory *mem, u64 offset, size_t length,
			 const struct nvgmig_transfer *transfer)
{
	int ret;

	do {
		ret = nvgmig_try_access(mem, offset, length, transfer);
		if (ret != -EAGAIN)
			return ret;
		ret = nvgmig_ready_wait(mem->dev);
	} while (!ret || ret == -ENODEV);
	return ret;
}

static int nvgmig_read_page(struct nvgmig_memory *mem, u64 offset, char __user *buf,
			    void *bounce, size_t length)
{
	int ret = nvgmig_access(mem, offset, length, &(struct nvgmig_transfer) { .to = bounce });

	if (!ret && copy_to_user(buf, bounce, length))
		ret = -EFAULT;
	return ret;
}

static int nvgmig_write_page(struct nvgmig_memory *mem, u64 offset, const char __user *buf,
			     void *bounce, size_t length)
{
	if (copy_from_user(bounce, buf, length))
		return -EFAULT;
	return nvgmig_access(mem, offset, length, &(struct nvgmig_transfer) { .from = bounce });
}

/* What was done before an error counts; the next call meets the error again. */
static ssize_t nvgmig_rw_pages(struct nvgmig_memory *mem, char __user *buf, size_t count,
			       loff_t *ppos, bool write)
{
	void *bounce __free(kfree) = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	u64 offset = *ppos & VFIO_PCI_OFFSET_MASK;
	size_t done = 0, part;
	int ret = 0;

	if (!bounce || !nvgmig_memory_map(mem))
		return -ENOMEM;
	while (done < count) {
		part = min(count - done, PAGE_SIZE - offset_in_page(offset));
		if (write)
			ret = nvgmig_write_page(mem, offset, buf + done, bounce, part);
		else
			ret = nvgmig_read_page(mem, offset, buf + done, bounce, part);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
		offset += part;
		done += part;
		cond_resched();
	}
	*ppos += done;
	return done ?: ret;
}

static ssize_t nvgmig_rw(struct nvgmig_memory *mem, char __user *buf, size_t count,
			 loff_t *ppos, bool write)
{
	struct device *device = &mem->dev->core.core.pdev->dev;
	u64 offset = *ppos & VFIO_PCI_OFFSET_MASK;
	ssize_t ret;

	if (!count)
		return 0;
	if (offset >= mem->bar_size)
		return -EINVAL;
	if (pm_runtime_resume_and_get(device))
		return -EIO;
	ret = nvgmig_rw_pages(mem, buf, min(count, mem->bar_size - offset), ppos, write);
	pm_runtime_put(device);
	return ret;
}

ssize_t nvgmig_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	struct nvgmig_device *dev = to_nvgmig(vdev);
	struct nvgmig_memory *mem = nvgmig_find_memory(dev, VFIO_PCI_OFFSET_TO_INDEX(*ppos));

	if (mem)
		return nvgmig_rw(mem, buf, count, ppos, false);
	if (nvgmig_config_is_virtual(dev, *ppos, count))
		return nvgmig_config_read(dev, buf, count, ppos);
	return vfio_pci_mig_read(vdev, buf, count, ppos);
}

ssize_t nvgmig_write(struct vfio_device *vdev, const char __user *buf, size_t count,
		     loff_t *ppos)
{
	struct nvgmig_device *dev = to_nvgmig(vdev);
	struct nvgmig_memory *mem = nvgmig_find_memory(dev, VFIO_PCI_OFFSET_TO_INDEX(*ppos));

	if (mem)
		return nvgmig_rw(mem, (char __user *)buf, count, ppos, true);
	nvgmig_config_note_power(dev, *ppos, count);
	if (nvgmig_config_is_virtual(dev, *ppos, count))
		return nvgmig_config_write(dev, buf, count, ppos);
	return vfio_pci_mig_write(vdev, buf, count, ppos);
}
