// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO driver for GPUs with memory that the CPU reaches coherently.
 *
 * Such memory is no BAR of the function. The user sees it as one or two BARs all the same.
 * A function without it has no memory in struct nvgmig_device, and is then served by
 * vfio-pci-core alone.
 */
#include <linux/module.h>
#include <linux/pci.h>

#include "nvgmig.h"

static int nvgmig_init_memory(struct nvgmig_device *dev)
{
	struct pci_dev *pdev = dev->core.core.pdev;
	int ret;

	spin_lock_init(&dev->config_lock);
	init_rwsem(&dev->reset_lock);
	dev->cxl_dvsec = pci_find_dvsec_capability(pdev, PCI_VENDOR_ID_CXL, PCI_DVSEC_CXL_DEVICE);
	ret = nvgmig_properties_init(dev);
	if (ret || !nvgmig_has_memory(dev))
		return ret;
	dev->core.core.pci_ops = &nvgmig_pci_ops;
	return nvgmig_poison_init(dev) ?: nvgmig_migration_init(dev);
}

static int nvgmig_init(struct vfio_device *vdev)
{
	struct nvgmig_device *dev = to_nvgmig(vdev);
	int ret;

	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;
	ret = nvgmig_init_memory(dev);
	if (ret) {
		nvgmig_poison_fini(dev);
		vfio_pci_core_release_dev(vdev);
	}
	return ret;
}

static void nvgmig_release(struct vfio_device *vdev)
{
	struct nvgmig_device *dev = to_nvgmig(vdev);

	nvgmig_migration_fini(dev);
	nvgmig_poison_fini(dev);
	vfio_pci_mig_release_dev(vdev);
}

/* Errors of memory are heard of from before to after the time in which it can be touched. */
static int nvgmig_open(struct vfio_device *vdev)
{
	struct nvgmig_device *dev = to_nvgmig(vdev);
	int ret;

	nvgmig_config_reset(dev);
	nvgmig_ready_forget(dev);
	ret = nvgmig_poison_watch(dev);
	if (ret)
		return ret;
	ret = vfio_pci_mig_open_device(vdev);
	if (ret)
		nvgmig_poison_unwatch(dev);
	else
		nvgmig_dma_buf_open(dev);
	return ret;
}

static void nvgmig_close(struct vfio_device *vdev)
{
	struct nvgmig_device *dev = to_nvgmig(vdev);
	struct nvgmig_memory *mem;

	nvgmig_dma_buf_close(dev);
	vfio_pci_mig_close_device(vdev);
	nvgmig_poison_unwatch(dev);
	if (!nvgmig_has_memory(dev))
		return;
	cancel_work_sync(&dev->poison_work);
	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		nvgmig_memory_unmap(mem);
}

static const struct vfio_device_ops nvgmig_vfio_ops = {
	.name = "nvgrace-vfio-mig",
	.init = nvgmig_init,
	.release = nvgmig_release,
	.open_device = nvgmig_open,
	.close_device = nvgmig_close,
	.ioctl = nvgmig_ioctl,
	.get_region_info_caps = nvgmig_get_region_info,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = nvgmig_read,
	.write = nvgmig_write,
	.mmap = nvgmig_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.match_token_uuid = vfio_pci_core_match_token_uuid,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas,
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
};

static int nvgmig_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct nvgmig_device *dev;
	int ret = 0;

	dev = vfio_alloc_device(nvgmig_device, core.core.vdev, &pdev->dev, &nvgmig_vfio_ops);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (nvgmig_has_memory(dev))
		ret = nvgmig_ready_probe(dev);
	if (!ret)
		ret = vfio_pci_mig_register(&dev->core);
	if (ret) {
		vfio_put_device(&dev->core.core.vdev);
		return ret;
	}
	nvgmig_debugfs_add(dev);
	return 0;
}

static void nvgmig_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = pci_get_drvdata(pdev);
	struct nvgmig_device *dev = to_nvgmig(&core->vdev);

	nvgmig_debugfs_remove(dev);
	vfio_pci_mig_unregister(&dev->core);
	vfio_put_device(&dev->core.core.vdev);
}

static const struct pci_device_id nvgmig_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x2342) }, /* GH200 120GB */
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x2345) }, /* GH200 480GB */
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x2348) }, /* GH200 */
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x2941) }, /* GB200 */
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_NVIDIA, 0x31c2) }, /* GB300 */
	{}
};
MODULE_DEVICE_TABLE(pci, nvgmig_ids);

static struct pci_driver nvgmig_pci_driver = {
	.name = KBUILD_MODNAME,
	.id_table = nvgmig_ids,
	.probe = nvgmig_probe,
	.remove = nvgmig_remove,
	.err_handler = &nvgmig_err_handlers,
	.driver_managed_dma = true,
};

static int __init nvgmig_module_init(void)
{
	int ret = nvgmig_migration_module_init();

	if (ret)
		return ret;
	nvgmig_debugfs_init();
	ret = pci_register_driver(&nvgmig_pci_driver);
	if (ret) {
		nvgmig_debugfs_exit();
		nvgmig_migration_module_exit();
	}
	return ret;
}
module_init(nvgmig_module_init);

static void __exit nvgmig_module_exit(void)
{
	pci_unregister_driver(&nvgmig_pci_driver);
	nvgmig_debugfs_exit();
	nvgmig_migration_module_exit();
}
module_exit(nvgmig_module_exit);

MODULE_IMPORT_NS("VFIO_MIG");
MODULE_DESCRIPTION("VFIO for GPUs with coherent memory");
MODULE_LICENSE("GPL");
