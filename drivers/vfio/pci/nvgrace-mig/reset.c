// SPDX-License-Identifier: GPL-2.0-only
/*
 * The beginning and the end of every reset, whoever asked for it: VFIO, the guest by config
 * space, a reset of the bus, or sysfs.
 *
 * Between the two nobody touches the memory. Afterwards it has to become ready first, and
 * the virtual BARs are 0. A reset by VFIO holds memory_lock for write here, one by sysfs
 * does not.
 */
#include <linux/pci.h>

#include "nvgmig.h"

static void nvgmig_begin_reset(struct nvgmig_device *dev)
{
	struct nvgmig_memory *mem;

	scoped_guard(rwsem_write, &dev->reset_lock) {
		dev->resetting = true;
		dev->ready = false;
		dev->given_up = false;
		dev->resets++;
	}
	/* Without memory_lock nothing else has taken them away. */
	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		nvgmig_zap(mem, 0, mem->length);
}

static void nvgmig_end_reset(struct nvgmig_device *dev)
{
	guard(rwsem_write)(&dev->reset_lock);
	dev->resetting = false;
	dev->resets++;
}

static void nvgmig_reset_prepare(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = pci_get_drvdata(pdev);
	struct nvgmig_device *dev = to_nvgmig(&core->vdev);

	nvgmig_begin_reset(dev);
	vfio_pci_mig_err_handlers.reset_prepare(pdev);
}

/* What copies for a migration, and is waited for last, must not wait for the end of this. */
static void nvgmig_reset_done(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = pci_get_drvdata(pdev);
	struct nvgmig_device *dev = to_nvgmig(&core->vdev);

	nvgmig_config_reset(dev);
	nvgmig_end_reset(dev);
	vfio_pci_mig_err_handlers.reset_done(pdev);
}

const struct pci_error_handlers nvgmig_err_handlers = {
	.reset_prepare = nvgmig_reset_prepare,
	.reset_done = nvgmig_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};
