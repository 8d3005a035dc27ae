// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated PCI hosts: module parameters, load and unload.
 *
 * Order of unload: configfs first, so that no host can exist afterwards, then
 * what hosts use.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "pcisim_private.h"

static unsigned long long window_base;
module_param(window_base, ullong, 0444);
MODULE_PARM_DESC(window_base, "physical address of the memory for BARs, outside of System RAM");

static unsigned long long window_size;
module_param(window_size, ullong, 0444);
MODULE_PARM_DESC(window_size, "size of the memory for BARs in bytes");

static int __init pcisim_init(void)
{
	int ret;

	ret = pcisim_window_init(window_base, window_size);
	if (ret)
		return ret;

	ret = pcisim_doorbell_init();
	if (ret)
		goto err_window_exit;

	ret = pcisim_iommu_init();
	if (ret)
		goto err_doorbell_exit;

	pcisim_debugfs_init();

	ret = pcisim_configfs_init();
	if (ret)
		goto err_debugfs_exit;

	return 0;

err_debugfs_exit:
	pcisim_debugfs_exit();
	pcisim_iommu_exit();
err_doorbell_exit:
	pcisim_doorbell_exit();
err_window_exit:
	pcisim_window_exit();
	return ret;
}
module_init(pcisim_init);

static void __exit pcisim_exit(void)
{
	pcisim_configfs_exit();
	pcisim_debugfs_exit();
	pcisim_iommu_exit();
	pcisim_doorbell_exit();
	pcisim_window_exit();
}
module_exit(pcisim_exit);

MODULE_DESCRIPTION("PCI simulator");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
