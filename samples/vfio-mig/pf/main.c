// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of the physical function. A real device has one already, which does
 * more than this: here it enables VFs, and serves their drivers through channels.
 */
#include <linux/dma-mapping.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vfio_mig.h>
#include <uapi/linux/migration_testdev.h>

#include "pf.h"

static unsigned int vms_record_bytes = VFIO_MIG_RECORD_SIZE;
module_param_named(record_size, vms_record_bytes, uint, 0644);
MODULE_PARM_DESC(record_size, "bytes of a record, 8 KiB to 16 MiB (default 8 MiB)");

/* The most that a record may have: small ones need less memory, large ones fewer commands. */
u32 vms_record_size(void)
{
	return PAGE_ALIGN(clamp_t(u32, READ_ONCE(vms_record_bytes), TESTDEV_MIN_IMAGE,
				  TESTDEV_MAX_IMAGE));
}
EXPORT_SYMBOL_GPL(vms_record_size);

static int vms_pf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vms_pf *pf = devm_kzalloc(&pdev->dev, sizeof(*pf), GFP_KERNEL);
	int ret;

	if (!pf)
		return -ENOMEM;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	pf->pdev = pdev;
	pf->bar = pcim_iomap_region(pdev, 0, "vfio-mig-sample");
	if (IS_ERR(pf->bar))
		return PTR_ERR(pf->bar);
	if (ioread32(pf->bar + TESTDEV_PF_ID) != TESTDEV_PF_MAGIC)
		return -ENODEV;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	ret = pci_alloc_irq_vectors(pdev, TESTDEV_PF_VECTORS, TESTDEV_PF_VECTORS, PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, pf);
	return 0;
}

/* The VFs go first, and their drivers with them: no channel is open after this. */
static void vms_pf_remove(struct pci_dev *pdev)
{
	pci_disable_sriov(pdev);
}

static const struct pci_device_id vms_pf_ids[] = {
	{ PCI_DEVICE(TESTDEV_VENDOR, TESTDEV_PF_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, vms_pf_ids);

struct pci_driver vms_pf_driver = {
	.name = "vfio-mig-sample-pf",
	.id_table = vms_pf_ids,
	.probe = vms_pf_probe,
	.remove = vms_pf_remove,
	.sriov_configure = pci_sriov_configure_simple,
};

module_pci_driver(vms_pf_driver);

MODULE_DESCRIPTION("Physical function of the migration test device");
MODULE_LICENSE("GPL");
