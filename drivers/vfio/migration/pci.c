// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-mig for drivers built on vfio-pci-core.
 */
#include <linux/module.h>
#include <linux/pci.h>

#include "pci.h"

#define VFIO_PCI_MIG_FLAGS \
	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)

static struct file *vfio_pci_mig_set_state(struct vfio_device *vdev,
					   enum vfio_device_mig_state state)
{
	return vfio_mig_set_state(&to_vfio_pci_mig(vdev)->mig, state);
}

static int vfio_pci_mig_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	return vfio_mig_get_state(&to_vfio_pci_mig(vdev)->mig, state);
}

static int vfio_pci_mig_get_data_size(struct vfio_device *vdev, unsigned long *stop_copy_bytes)
{
	return vfio_mig_get_data_size(&to_vfio_pci_mig(vdev)->mig, stop_copy_bytes);
}

static const struct vfio_migration_ops vfio_pci_mig_ops = {
	.migration_set_state = vfio_pci_mig_set_state,
	.migration_get_state = vfio_pci_mig_get_state,
	.migration_get_data_size = vfio_pci_mig_get_data_size,
};

/**
 * vfio_pci_mig_init() - make a PCI device migratable
 * @dev: the device, initialised by vfio_pci_core_init_dev()
 * @ops: the driver's migration operations
 * @flags: VFIO_MIGRATION_STOP_COPY, with or without VFIO_MIGRATION_P2P and
 *	VFIO_MIGRATION_PRE_COPY
 *
 * A driver that finds its device unable to migrate does not call this; the
 * device then behaves as with vfio-pci.
 *
 * Context: process context, in &vfio_device_ops.init.
 * Return: 0, or -EINVAL for flags or operations that the library cannot serve.
 */
int vfio_pci_mig_init(struct vfio_pci_mig_device *dev, const struct vfio_mig_ops *ops, u32 flags)
{
	struct vfio_device *vdev = &dev->core.vdev;
	int ret;

	if (!(flags & VFIO_MIGRATION_STOP_COPY) || (flags & ~VFIO_PCI_MIG_FLAGS))
		return -EINVAL;
	ret = vfio_mig_init(&dev->mig, vdev, ops);
	if (ret)
		return ret;
	dev->mig.vendor = dev->core.pdev->vendor;
	dev->mig.device = dev->core.pdev->device;
	vfio_pci_mig_mmio_init(dev);
	vdev->migration_flags = flags;
	vdev->mig_ops = &vfio_pci_mig_ops;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_init, "VFIO_MIG");

/* What vfio-pci sets beside its struct vfio_device_ops: BARs can be exported as dma-buf. */
static const struct vfio_pci_device_ops vfio_pci_mig_device_ops = {
	.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,
};

/**
 * vfio_pci_mig_register() - register the device with VFIO
 * @dev: the device; becomes the PCI function's driver data
 *
 * Context: process context, in &pci_driver.probe.
 * Return: 0 or -errno.
 */
int vfio_pci_mig_register(struct vfio_pci_mig_device *dev)
{
	int ret;

	dev_set_drvdata(&dev->core.pdev->dev, &dev->core);
	/* A driver with BARs of its own making has its own. */
	if (!dev->core.pci_ops)
		dev->core.pci_ops = &vfio_pci_mig_device_ops;
	ret = vfio_pci_core_register_device(&dev->core);
	if (ret)
		return ret;
	if (dev->mig.ops) {
		vfio_mig_register(&dev->mig);
		vfio_pci_mig_mmio_debugfs_add(dev);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_register, "VFIO_MIG");

/**
 * vfio_pci_mig_unregister() - undo vfio_pci_mig_register(); waits for users
 * @dev: the device
 *
 * Context: process context, in &pci_driver.remove.
 */
void vfio_pci_mig_unregister(struct vfio_pci_mig_device *dev)
{
	if (dev->mig.ops)
		vfio_mig_unregister(&dev->mig);
	vfio_pci_core_unregister_device(&dev->core);
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_unregister, "VFIO_MIG");

/**
 * vfio_pci_mig_release_dev() - &vfio_device_ops.release
 * @vdev: the device
 *
 * Context: process context.
 */
void vfio_pci_mig_release_dev(struct vfio_device *vdev)
{
	vfio_mig_fini(&to_vfio_pci_mig(vdev)->mig);
	vfio_pci_core_release_dev(vdev);
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_release_dev, "VFIO_MIG");

/**
 * vfio_pci_mig_open_device() - &vfio_device_ops.open_device
 * @vdev: the device
 *
 * Context: process context, the device set's lock is held.
 * Return: 0 or -errno.
 */
int vfio_pci_mig_open_device(struct vfio_device *vdev)
{
	struct vfio_pci_mig_device *dev = to_vfio_pci_mig(vdev);
	int ret;

	ret = vfio_pci_core_enable(&dev->core);
	if (ret)
		return ret;
	/* A device that cannot migrate may have memory to tell of. */
	if (dev->mig.ops || dev->mig.memory_ops)
		ret = vfio_pci_mig_add_info_region(dev);
	if (ret) {
		vfio_pci_core_disable(&dev->core);
		return ret;
	}
	if (dev->mig.ops)
		vfio_mig_open(&dev->mig);
	vfio_pci_core_finish_enable(&dev->core);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_open_device, "VFIO_MIG");

/**
 * vfio_pci_mig_close_device() - &vfio_device_ops.close_device
 * @vdev: the device
 *
 * Context: process context, the device set's lock is held.
 */
void vfio_pci_mig_close_device(struct vfio_device *vdev)
{
	struct vfio_pci_mig_device *dev = to_vfio_pci_mig(vdev);

	if (dev->mig.ops)
		vfio_mig_close(&dev->mig);
	vfio_pci_core_close_device(vdev);
}
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_close_device, "VFIO_MIG");

static struct vfio_mig *vfio_pci_mig_of_function(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	return &to_vfio_pci_mig(&core->vdev)->mig;
}

static void vfio_pci_mig_aer_reset_prepare(struct pci_dev *pdev)
{
	struct vfio_mig *mig = vfio_pci_mig_of_function(pdev);

	if (mig->ops)
		vfio_mig_reset_prepare(mig);
}

static void vfio_pci_mig_aer_reset_done(struct pci_dev *pdev)
{
	struct vfio_mig *mig = vfio_pci_mig_of_function(pdev);

	if (mig->ops)
		vfio_mig_reset_done(mig);
}

/* For &pci_driver.err_handler of every driver built on this. */
const struct pci_error_handlers vfio_pci_mig_err_handlers = {
	.reset_prepare = vfio_pci_mig_aer_reset_prepare,
	.reset_done = vfio_pci_mig_aer_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};
EXPORT_SYMBOL_NS_GPL(vfio_pci_mig_err_handlers, "VFIO_MIG");
