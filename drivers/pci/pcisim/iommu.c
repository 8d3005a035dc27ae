// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated IOMMU: one for all hosts, each function in a group of its own.
 *
 * Outside of VFIO a function is in the identity domain. The IOMMU core pins
 * the module for each device, so the module cannot go while a host is live.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/iommu.h>
#include <linux/module.h>

#include "pcisim_private.h"

/* A model may have to allocate a lot before its VF is ready. */
#define PCISIM_VF_TIMEOUT	(60 * HZ)

static struct iommu_device pcisim_iommu;

static bool pcisim_iommu_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
	case IOMMU_CAP_ENFORCE_CACHE_COHERENCY:
		return true;
	case IOMMU_CAP_DIRTY_TRACKING:
		return pcisim_domain_can_track();
	default:
		return false;
	}
}

/*
 * Called in process context before any driver can see the device: the right
 * moment to wait for a VF that has only just been enabled.
 */
static struct iommu_device *pcisim_iommu_probe(struct device *dev)
{
	struct pcisim_function *fn = pcisim_function_of_device(dev);

	if (!fn)
		return ERR_PTR(-ENODEV);

	if (pcisim_is_vf(fn)) {
		if (!wait_for_completion_timeout(&fn->ready, PCISIM_VF_TIMEOUT))
			return ERR_PTR(-ETIMEDOUT);
		if (!READ_ONCE(fn->running))
			return ERR_PTR(-ENODEV);
	}
	/* Found anew: when a host goes live that is done by the host. */
	if (READ_ONCE(fn->running)) {
		int ret = pcisim_function_add_properties(fn, dev);

		if (ret)
			return ERR_PTR(ret);
	}
	dev_iommu_priv_set(dev, fn);
	return &pcisim_iommu;
}

static int pcisim_iommu_default_domain(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static void pcisim_iommu_resv_regions(struct device *dev, struct list_head *list)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(PCISIM_MSI_BASE, PCISIM_MSI_SIZE, 0, IOMMU_RESV_MSI,
					 GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, list);
}

static struct iommu_domain *pcisim_iommu_alloc(struct device *dev, u32 flags,
					       const struct iommu_user_data *user_data)
{
	if (user_data)
		return ERR_PTR(-EOPNOTSUPP);
	return pcisim_domain_create(flags);
}

static int pcisim_iommu_attach_static(struct iommu_domain *domain, struct device *dev,
				      struct iommu_domain *old)
{
	struct pcisim_function *fn = dev_iommu_priv_get(dev);

	guard(spinlock_irqsave)(&fn->dma_lock);
	fn->domain = domain->type == IOMMU_DOMAIN_IDENTITY ? domain : NULL;
	return 0;
}

static const struct iommu_domain_ops pcisim_static_domain_ops = {
	.attach_dev = pcisim_iommu_attach_static,
};

static struct iommu_domain pcisim_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &pcisim_static_domain_ops,
};

static struct iommu_domain pcisim_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &pcisim_static_domain_ops,
};

static const struct iommu_ops pcisim_iommu_ops = {
	.owner = THIS_MODULE,
	.capable = pcisim_iommu_capable,
	.probe_device = pcisim_iommu_probe,
	.device_group = generic_device_group,
	.def_domain_type = pcisim_iommu_default_domain,
	.get_resv_regions = pcisim_iommu_resv_regions,
	.domain_alloc_paging_flags = pcisim_iommu_alloc,
	.identity_domain = &pcisim_identity_domain,
	.blocked_domain = &pcisim_blocked_domain,
	.release_domain = &pcisim_blocked_domain,
};

/*
 * A device without firmware description gets the first IOMMU driver that has
 * none either. When there is one already it would get our devices.
 */
static bool pcisim_iommu_is_other_active(void)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		if (device_iommu_mapped(&pdev->dev)) {
			pci_dev_put(pdev);
			return true;
		}
	}
	return false;
}

int pcisim_iommu_init(void)
{
	int ret;

	if (pcisim_iommu_is_other_active()) {
		pr_err("another IOMMU driver is active, turn it off to simulate one\n");
		return -EBUSY;
	}

	ret = iommu_device_sysfs_add(&pcisim_iommu, NULL, NULL, "pcisim");
	if (ret)
		return ret;

	ret = iommu_device_register(&pcisim_iommu, &pcisim_iommu_ops, NULL);
	if (ret) {
		pr_err("cannot register the IOMMU: %pe\n", ERR_PTR(ret));
		iommu_device_sysfs_remove(&pcisim_iommu);
	}
	return ret;
}

void pcisim_iommu_exit(void)
{
	iommu_device_unregister(&pcisim_iommu);
	iommu_device_sysfs_remove(&pcisim_iommu);
}

MODULE_IMPORT_NS("IOMMUFD");
