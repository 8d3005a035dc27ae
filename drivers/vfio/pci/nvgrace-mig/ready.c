// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the memory can be touched: the link to it and the memory itself have to be
 * trained after power-on and after every reset.
 *
 * The device tells in two registers, or in the CXL capability if it has one. It is
 * asked when somebody wants to touch the memory, until it says yes, at short intervals
 * and for a bounded time; after one wait was in vain everybody else asks once, until the
 * next reset. Nobody waits with a lock held that others could need, and memory_lock is
 * only ever tried: who waits here may be what a reset, which holds it, waits for.
 */
#include <linux/bitfield.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>

#include "nvgmig.h"

#define NVGMIG_LINK_STATUS	0x1498
#define NVGMIG_MEMORY_STATUS	0x200bc
#define NVGMIG_STATUS_READY	0xff

#define NVGMIG_MAX_READY_TIMEOUT	300

static unsigned int nvgmig_ready_timeout = 30;

static int nvgmig_set_timeout(const char *text, const struct kernel_param *param)
{
	return param_set_uint_minmax(text, param, 1, NVGMIG_MAX_READY_TIMEOUT);
}

static const struct kernel_param_ops nvgmig_timeout_ops = {
	.set = nvgmig_set_timeout,
	.get = param_get_uint,
};
module_param_cb(ready_timeout, &nvgmig_timeout_ops, &nvgmig_ready_timeout, 0644);
MODULE_PARM_DESC(ready_timeout,
		 "Seconds to wait for a GPU without CXL until its memory can be used, 1 to 300 (default 30)");

#define NVGMIG_POLL_INTERVAL	msecs_to_jiffies(50)

/* All that look return 0, -EAGAIN and how many jiffies it may take in all, or an error. */
static int nvgmig_look_cxl(struct nvgmig_device *dev, unsigned long *limit)
{
	int at = dev->cxl_dvsec + PCI_DVSEC_CXL_RANGE_SIZE_LOW(0);
	u32 range;

	if (pci_read_config_dword(dev->core.core.pdev, at, &range) || PCI_POSSIBLE_ERROR(range))
		return -EIO;
	if (!(range & PCI_DVSEC_CXL_MEM_INFO_VALID)) {
		*limit = HZ;
		return -EAGAIN;
	}
	if (range & PCI_DVSEC_CXL_MEM_ACTIVE)
		return 0;
	/* One second for the information, and then 1, 4, 16, 64 or 256 for the memory. */
	*limit = HZ + (HZ << 2 * min(FIELD_GET(PCI_DVSEC_CXL_MEM_ACTIVE_TIMEOUT, range), 4));
	return -EAGAIN;
}

static int nvgmig_look_registers(void __iomem *bar, unsigned long *limit)
{
	*limit = READ_ONCE(nvgmig_ready_timeout) * HZ;
	if (ioread32(bar + NVGMIG_LINK_STATUS) != NVGMIG_STATUS_READY ||
	    ioread32(bar + NVGMIG_MEMORY_STATUS) != NVGMIG_STATUS_READY)
		return -EAGAIN;
	return 0;
}

static int nvgmig_look_bar(struct nvgmig_device *dev, unsigned long *limit)
{
	void __iomem *bar = vfio_pci_core_get_iomap(&dev->core.core, 0);

	return IS_ERR(bar) ? -EIO : nvgmig_look_registers(bar, limit);
}

/* The user may have switched the BARs off, which has nothing to do with the memory. */
static int nvgmig_look_hidden(struct nvgmig_device *dev, unsigned long *limit)
{
	struct pci_dev *pdev = dev->core.core.pdev;
	u16 command;
	int ret;

	if (pci_read_config_word(pdev, PCI_COMMAND, &command) || PCI_POSSIBLE_ERROR(command))
		return -EIO;
	pci_write_config_word(pdev, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
	ret = nvgmig_look_bar(dev, limit);
	pci_write_config_word(pdev, PCI_COMMAND, command);
	return ret;
}

/* Not while the function is reset; and what was seen is about the time after @resets. */
static int nvgmig_look_unless_reset(struct nvgmig_device *dev, unsigned int *resets,
				    int (*look)(struct nvgmig_device *dev, unsigned long *limit),
				    unsigned long *limit)
{
	guard(rwsem_read)(&dev->reset_lock);
	*resets = dev->resets;
	return dev->resetting ? -EAGAIN : look(dev, limit);
}

static int nvgmig_look(struct nvgmig_device *dev, unsigned int *resets, unsigned long *limit)
{
	struct vfio_pci_core_device *core = &dev->core.core;

	*limit = READ_ONCE(nvgmig_ready_timeout) * HZ;
	if (dev->cxl_dvsec)
		return nvgmig_look_unless_reset(dev, resets, nvgmig_look_cxl, limit);
	scoped_guard(rwsem_read_try, &core->memory_lock) {
		if (__vfio_pci_memory_enabled(core))
			return nvgmig_look_unless_reset(dev, resets, nvgmig_look_bar, limit);
	}
	scoped_guard(rwsem_write_try, &core->memory_lock) {
		if (core->pdev->current_state >= PCI_D3hot)
			return -EBUSY;
		return nvgmig_look_unless_reset(dev, resets, nvgmig_look_hidden, limit);
	}
	return -EAGAIN;
}

static int nvgmig_set_ready(struct nvgmig_device *dev, unsigned int resets)
{
	guard(rwsem_write)(&dev->reset_lock);
	if (dev->resetting || dev->resets != resets)
		return -EAGAIN;
	dev->ready = true;
	return 0;
}

static void nvgmig_give_up(struct nvgmig_device *dev, unsigned int resets)
{
	guard(rwsem_write)(&dev->reset_lock);
	if (!dev->resetting && dev->resets == resets)
		dev->given_up = true;
}

bool nvgmig_is_ready(struct nvgmig_device *dev)
{
	guard(rwsem_read)(&dev->reset_lock);
	return dev->ready;
}

static int nvgmig_ask(struct nvgmig_device *dev, unsigned long *limit)
{
	unsigned int resets = 0;
	int ret;

	if (nvgmig_is_ready(dev))
		return 0;
	ret = nvgmig_look(dev, &resets, limit);
	return ret ?: nvgmig_set_ready(dev, resets);
}

/* Asks once. Return: 0, -EAGAIN if it is not ready, -EBUSY in D3hot, -EIO if it is gone. */
int nvgmig_ready_check(struct nvgmig_device *dev)
{
	unsigned long limit;

	return nvgmig_ask(dev, &limit);
}

/* Until it is ready, another reset comes, or asking again makes no sense. */
static int nvgmig_poll(struct nvgmig_device *dev, unsigned int resets)
{
	unsigned long begun = jiffies, limit;
	int ret;

	for (;;) {
		ret = nvgmig_ask(dev, &limit);
		if (READ_ONCE(dev->resets) != resets)
			return -ENODEV;
		if (ret != -EAGAIN)
			return ret;
		if (READ_ONCE(dev->given_up) || time_after(jiffies, begun + limit))
			return -ETIMEDOUT;
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(NVGMIG_POLL_INTERVAL);
	}
}

/*
 * Return: 0, -ETIMEDOUT, -ENODEV if a reset began or ended meanwhile, -EINTR if the process
 * is being killed, -EBUSY in D3hot, -EIO if the device is gone.
 */
int nvgmig_ready_wait(struct nvgmig_device *dev)
{
	unsigned int resets = READ_ONCE(dev->resets);
	int ret = nvgmig_poll(dev, resets);

	if (ret == -ETIMEDOUT || ret == -EIO)
		nvgmig_give_up(dev, resets);
	return ret;
}

/* A user begins afresh, whatever the last one has left. */
void nvgmig_ready_forget(struct nvgmig_device *dev)
{
	guard(rwsem_write)(&dev->reset_lock);
	dev->ready = false;
	dev->given_up = false;
}

/* Before the device is registered nobody else looks at it, and the BARs are not mapped. */
static int nvgmig_probe_wait(struct nvgmig_device *dev, void __iomem *bar)
{
	unsigned long begun = jiffies, limit;
	int ret;

	for (;;) {
		ret = bar ? nvgmig_look_registers(bar, &limit) : nvgmig_look_cxl(dev, &limit);
		if (ret != -EAGAIN)
			return ret;
		if (time_after(jiffies, begun + limit))
			return -ETIMEDOUT;
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(NVGMIG_POLL_INTERVAL);
	}
}

static int nvgmig_probe_registers(struct nvgmig_device *dev)
{
	struct pci_dev *pdev = dev->core.core.pdev;
	void __iomem *bar;
	int ret;

	if (pci_resource_len(pdev, 0) < NVGMIG_MEMORY_STATUS + sizeof(u32))
		return -ENODEV;
	ret = pci_request_selected_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (ret)
		return ret;
	bar = pci_iomap(pdev, 0, 0);
	ret = bar ? nvgmig_probe_wait(dev, bar) : -ENOMEM;
	if (bar)
		pci_iounmap(pdev, bar);
	pci_release_selected_regions(pdev, BIT(0));
	return ret;
}

/* Whether there is something to be served at all; probe fails if not. */
int nvgmig_ready_probe(struct nvgmig_device *dev)
{
	struct pci_dev *pdev = dev->core.core.pdev;
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = dev->cxl_dvsec ? nvgmig_probe_wait(dev, NULL) : nvgmig_probe_registers(dev);
	pci_disable_device(pdev);
	if (ret)
		pci_err(pdev, "the memory is not ready: %pe\n", ERR_PTR(ret));
	return ret;
}
