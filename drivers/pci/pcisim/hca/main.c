// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcisim-hca: a network adapter with the firmware interface of ConnectX.
 *
 * Enough firmware for mlx5_core to start the PF, to enable VFs and to migrate
 * them. This file owns the model: its geometry, its settings and the life of a
 * function. A VF is in its PF's table from init to fini; commands look it up
 * there, never through pcisim.
 */
#include <linux/kstrtox.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "hca.h"

#define HCA_TICK_US	((unsigned int)USEC_PER_SEC / 2)

PCISIM_SETTING(hca_, state_size, HCA_STATE_SIZE, 0, HCA_MAX_STATE);
PCISIM_SETTING(hca_, migration, HCA_MIGRATION, 0, 1);
PCISIM_SETTING(hca_, migratable, HCA_MIGRATABLE, 0, 1);
PCISIM_SETTING(hca_, multi_load, HCA_MULTI_LOAD, 0, 1);
PCISIM_SETTING(hca_, tracking_state, HCA_TRACKING_STATE, 0, 1);
PCISIM_SETTING(hca_, migration_state, HCA_MIGRATION_STATE, 0, 1);

static ssize_t hca_chunk_size_show(struct config_item *item, char *page)
{
	return pcisim_setting_show(item, page, HCA_CHUNK_SIZE);
}

/* 0 stands for firmware without chunk mode, so the range has a hole. */
static ssize_t hca_chunk_size_store(struct config_item *item, const char *page, size_t len)
{
	u64 value;
	int ret;

	ret = kstrtou64(page, 0, &value);
	if (ret)
		return -EINVAL;
	if (value && value < HCA_MIN_CHUNK)
		return -EINVAL;
	return pcisim_setting_store(item, page, len, HCA_CHUNK_SIZE, 0, HCA_MAX_CHUNK);
}
CONFIGFS_ATTR(hca_, chunk_size);

static ssize_t hca_generated_size_show(struct config_item *item, char *page)
{
	return pcisim_setting_show(item, page, HCA_GENERATED_SIZE);
}

/* Whole pages. */
static ssize_t hca_generated_size_store(struct config_item *item, const char *page, size_t len)
{
	u64 value;
	int ret;

	ret = kstrtou64(page, 0, &value);
	if (ret || !pcisim_hca_bulk_size_ok(value, true))
		return -EINVAL;
	return pcisim_setting_store(item, page, len, HCA_GENERATED_SIZE, 0, HCA_MAX_GENERATED);
}
CONFIGFS_ATTR(hca_, generated_size);

static struct configfs_attribute *hca_attrs[] = {
	&hca_attr_state_size,
	&hca_attr_migration,
	&hca_attr_migratable,
	&hca_attr_chunk_size,
	&hca_attr_multi_load,
	&hca_attr_tracking_state,
	&hca_attr_migration_state,
	&hca_attr_generated_size,
	NULL
};

static const u64 hca_defaults[HCA_SETTINGS] = {
	[HCA_STATE_SIZE] = SZ_1M,
	[HCA_MIGRATION] = 1,
	[HCA_MIGRATABLE] = 1,
	[HCA_CHUNK_SIZE] = SZ_8M,
	[HCA_MULTI_LOAD] = 1,
	[HCA_TRACKING_STATE] = 1,
	[HCA_MIGRATION_STATE] = 1,
};

static bool hca_is_pf(const struct pcisim_function *fn)
{
	return pcisim_function_vf_index(fn) < 0;
}

/* The VHCA with this number, which is also its function id; NULL if there is none. */
struct pcisim_hca_vhca *pcisim_hca_vhca_find(struct pcisim_hca *hca, unsigned int id)
{
	lockdep_assert_held(&hca->lock);

	if (!id || id > HCA_MAX_VFS)
		return NULL;
	return hca->vhcas[id - 1];
}

static int hca_pf_init(struct pcisim_function *fn)
{
	struct pcisim_hca *hca __free(kfree) = kzalloc_obj(*hca);

	if (!hca || pcisim_hca_cmdq_init(hca))
		return -ENOMEM;
	hca->fn = fn;
	mutex_init(&hca->lock);
	pcisim_hca_fault_init(hca);
	pcisim_hca_tracking_init(hca);
	pcisim_hca_objects_init(hca);
	pcisim_hca_iseg_init(hca);
	pcisim_function_set_drvdata(fn, no_free_ptr(hca));
	return 0;
}

static void hca_pf_fini(struct pcisim_hca *hca)
{
	pcisim_hca_cmdq_fini(hca);
	pcisim_hca_eqs_destroy(hca);
	pcisim_hca_objects_destroy(hca);
	pcisim_hca_fault_fini(hca);
	mutex_destroy(&hca->tracking.lock);
	mutex_destroy(&hca->lock);
	kfree(hca);
}

static int hca_vf_init(struct pcisim_function *fn)
{
	struct pcisim_hca *hca = pcisim_function_drvdata(pcisim_function_pf(fn));
	struct pcisim_hca_vhca *vhca __free(kfree) = kzalloc_obj(*vhca);

	if (!vhca)
		return -ENOMEM;
	vhca->hca = hca;
	vhca->fn = fn;
	vhca->state_size = pcisim_function_setting(fn, HCA_GENERATED_SIZE);
	vhca->generated = vhca->state_size;
	if (!vhca->generated)
		vhca->state_size = pcisim_function_setting(fn, HCA_STATE_SIZE);
	vhca->chunk_size = pcisim_function_setting(fn, HCA_CHUNK_SIZE);
	vhca->bulk = pcisim_hca_bulk_alloc(vhca->state_size, 0, vhca->generated);
	if (!vhca->bulk)
		return -ENOMEM;
	if (pcisim_hca_own_init(vhca)) {
		pcisim_hca_bulk_free(vhca->bulk);
		return -ENOMEM;
	}
	mutex_init(&vhca->lock);
	pcisim_function_set_drvdata(fn, vhca);
	pcisim_hca_vhca_reset(vhca);

	guard(mutex)(&hca->lock);
	hca->vhcas[pcisim_function_vf_index(fn)] = no_free_ptr(vhca);
	return 0;
}

static void hca_vf_fini(struct pcisim_hca_vhca *vhca)
{
	scoped_guard(mutex, &vhca->hca->lock)
		vhca->hca->vhcas[pcisim_function_vf_index(vhca->fn)] = NULL;

	pcisim_hca_own_fini(vhca);
	pcisim_hca_bulk_free(vhca->shadow);
	pcisim_hca_bulk_free(vhca->bulk);
	mutex_destroy(&vhca->lock);
	kfree(vhca);
}

static int hca_init(struct pcisim_function *fn)
{
	return hca_is_pf(fn) ? hca_pf_init(fn) : hca_vf_init(fn);
}

static void hca_fini(struct pcisim_function *fn)
{
	if (hca_is_pf(fn))
		hca_pf_fini(pcisim_function_drvdata(fn));
	else
		hca_vf_fini(pcisim_function_drvdata(fn));
}

static void hca_pf_reset(struct pcisim_hca *hca)
{
	pcisim_hca_cmdq_forget(hca);
	pcisim_hca_eqs_destroy(hca);
	pcisim_hca_objects_destroy(hca);
	pcisim_hca_objects_init(hca);
	pcisim_hca_iseg_init(hca);

	guard(mutex)(&hca->lock);
	hca->enabled = 0;
}

/* pcisim has zeroed the BAR. */
static void hca_reset(struct pcisim_function *fn)
{
	if (hca_is_pf(fn))
		hca_pf_reset(pcisim_function_drvdata(fn));
	else
		pcisim_hca_vhca_reset(pcisim_function_drvdata(fn));
}

static void hca_doorbell(struct pcisim_function *fn, u32 value)
{
	if (hca_is_pf(fn))
		pcisim_hca_doorbell(pcisim_function_drvdata(fn), value);
	else
		pcisim_hca_own_doorbell(pcisim_function_drvdata(fn), value);
}

static unsigned int hca_pf_run(struct pcisim_hca *hca)
{
	unsigned int delay;

	pcisim_hca_iseg_tick(hca);
	delay = pcisim_hca_cmdq_run(hca);
	return min3(delay, pcisim_hca_trackers_run(hca), HCA_TICK_US);
}

static unsigned int hca_vf_run(struct pcisim_hca_vhca *vhca)
{
	unsigned int delay = pcisim_hca_own_run(vhca);

	return min(delay, pcisim_hca_engine_run(vhca));
}

static unsigned int hca_run(struct pcisim_function *fn)
{
	return hca_is_pf(fn) ? hca_pf_run(pcisim_function_drvdata(fn)) :
			       hca_vf_run(pcisim_function_drvdata(fn));
}

static void hca_debugfs(struct pcisim_function *fn, struct dentry *dir)
{
	if (hca_is_pf(fn))
		pcisim_hca_debugfs(pcisim_function_drvdata(fn), dir);
	else
		pcisim_hca_vhca_debugfs(pcisim_function_drvdata(fn), dir);
}

static const struct pcisim_model hca_model = {
	.name = "hca",
	.owner = THIS_MODULE,
	.pf = {
		.vendor = PCI_VENDOR_ID_MELLANOX,
		.device = 0x101d,		/* ConnectX-6 Dx */
		.class = PCI_CLASS_NETWORK_ETHERNET << 8,
		.bar_size = HCA_BAR_SIZE,
		.msix_vectors = HCA_MSIX_VECTORS,
		.msix_table = HCA_MSIX_TABLE,
		.doorbell = offsetof(struct mlx5_init_seg, cmd_dbell),
	},
	.vf = {
		.vendor = PCI_VENDOR_ID_MELLANOX,
		.device = 0x101e,		/* ConnectX family mlx5Gen Virtual Function */
		.class = PCI_CLASS_NETWORK_ETHERNET << 8,
		.bar_size = HCA_BAR_SIZE,
		.msix_vectors = HCA_MSIX_VECTORS,
		.msix_table = HCA_MSIX_TABLE,
		.doorbell = offsetof(struct mlx5_init_seg, cmd_dbell),
	},
	.max_vfs = HCA_MAX_VFS,
	.attrs = hca_attrs,
	.settings = HCA_SETTINGS,
	.defaults = hca_defaults,
	.init = hca_init,
	.fini = hca_fini,
	.reset = hca_reset,
	.doorbell = hca_doorbell,
	.run = hca_run,
	.debugfs = hca_debugfs,
};

static int __init pcisim_hca_init(void)
{
	return pcisim_model_register(&hca_model);
}
module_init(pcisim_hca_init);

static void __exit pcisim_hca_exit(void)
{
	pcisim_model_unregister(&hca_model);
}
module_exit(pcisim_hca_exit);

MODULE_DESCRIPTION("Simulated ConnectX host channel adapter");
MODULE_IMPORT_NS("PCISIM");
MODULE_INFO(test, "Y");
MODULE_LICENSE("GPL");
