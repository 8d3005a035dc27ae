// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcisim-testdev: the migration test device of linux/migration_testdev.h.
 *
 * This file owns the model: its geometry, its settings and the life of a
 * function. A VF is in its PF's table from init to fini, both of which run in
 * the PF's thread or after that has stopped. So the table needs no lock.
 */
#include <linux/module.h>
#include <linux/pci_ids.h>
#include <linux/slab.h>

#include "testdev.h"

#define TESTDEV_FIRMWARE	0x00010000
#define TESTDEV_MAX_LATENCY	(10 * USEC_PER_SEC)

PCISIM_SETTING(testdev_, state_size, TESTDEV_STATE_SIZE, 0, TESTDEV_MAX_MEMORY);
PCISIM_SETTING(testdev_, save_latency, TESTDEV_SAVE_LATENCY, 0, TESTDEV_MAX_LATENCY);
PCISIM_SETTING(testdev_, load_latency, TESTDEV_LOAD_LATENCY, 0, TESTDEV_MAX_LATENCY);

static struct configfs_attribute *testdev_attrs[] = {
	&testdev_attr_state_size,
	&testdev_attr_save_latency,
	&testdev_attr_load_latency,
	NULL
};

static const u64 testdev_defaults[TESTDEV_SETTINGS] = {
	[TESTDEV_STATE_SIZE] = SZ_1M,
};

static bool testdev_is_pf(const struct pcisim_function *fn)
{
	return pcisim_function_vf_index(fn) < 0;
}

static void testdev_pf_reset(struct testdev *pf)
{
	void __iomem *bar = pcisim_function_bar(pf->fn);

	writel(TESTDEV_PF_MAGIC, bar + TESTDEV_PF_ID);
	writel(TESTDEV_FIRMWARE, bar + TESTDEV_PF_FIRMWARE);
	for (unsigned int index = 0; index < TESTDEV_MAX_VFS; index++)
		writel(TESTDEV_STATUS_OK, bar + TESTDEV_BLOCK(index) + TESTDEV_BLOCK_STATUS);
}

static int testdev_pf_init(struct pcisim_function *fn)
{
	struct testdev *pf = kzalloc_obj(*pf);

	if (!pf)
		return -ENOMEM;
	pf->fn = fn;
	pcisim_function_set_drvdata(fn, pf);
	testdev_pf_reset(pf);
	return 0;
}

/* Cannot fail, also without memory: what a reset needs is always there. */
static void testdev_vf_reset(struct testdev_vf *vf)
{
	guard(mutex)(&vf->lock);
	testdev_abort_command(vf);
	vf->level = TESTDEV_LEVEL_RUNNING;
	vf->saving.active = false;
	vf->loading.active = false;
	testdev_memory_reset(&vf->memory, vf->state_size);
	testdev_engine_reset(vf);
}

static void testdev_vf_free(struct testdev_vf *vf)
{
	testdev_memory_fini(&vf->memory);
	kvfree(vf->bounce);
	mutex_destroy(&vf->lock);
	kfree(vf);
}

static struct testdev_vf *testdev_vf_alloc(u64 state_size)
{
	struct testdev_vf *vf = kzalloc_obj(*vf);

	if (!vf)
		return NULL;
	mutex_init(&vf->lock);
	vf->state_size = state_size;
	vf->bounce = kvmalloc(TESTDEV_PIECE, GFP_KERNEL);
	if (!vf->bounce || testdev_memory_init(&vf->memory, state_size)) {
		testdev_vf_free(vf);
		return NULL;
	}
	return vf;
}

static int testdev_vf_init(struct pcisim_function *fn)
{
	struct testdev *pf = pcisim_function_drvdata(pcisim_function_pf(fn));
	struct testdev_vf *vf;

	vf = testdev_vf_alloc(pcisim_function_setting(fn, TESTDEV_STATE_SIZE));
	if (!vf)
		return -ENOMEM;
	vf->pf = pf;
	vf->fn = fn;
	vf->index = pcisim_function_vf_index(fn);
	vf->latency[TESTDEV_COMMAND_SAVE] = pcisim_function_setting(fn, TESTDEV_SAVE_LATENCY);
	vf->latency[TESTDEV_COMMAND_LOAD] = pcisim_function_setting(fn, TESTDEV_LOAD_LATENCY);
	pcisim_function_set_drvdata(fn, vf);
	testdev_vf_reset(vf);
	pf->vfs[vf->index] = vf;
	return 0;
}

static int testdev_init(struct pcisim_function *fn)
{
	return testdev_is_pf(fn) ? testdev_pf_init(fn) : testdev_vf_init(fn);
}

static void testdev_fini(struct pcisim_function *fn)
{
	struct testdev_vf *vf;

	if (testdev_is_pf(fn)) {
		kfree(pcisim_function_drvdata(fn));
		return;
	}
	vf = pcisim_function_drvdata(fn);
	vf->pf->vfs[vf->index] = NULL;
	scoped_guard(mutex, &vf->lock)
		testdev_abort_command(vf);
	testdev_vf_free(vf);
}

static void testdev_reset(struct pcisim_function *fn)
{
	if (testdev_is_pf(fn))
		testdev_pf_reset(pcisim_function_drvdata(fn));
	else
		testdev_vf_reset(pcisim_function_drvdata(fn));
}

static void testdev_model_doorbell(struct pcisim_function *fn, u32 value)
{
	testdev_doorbell(pcisim_function_drvdata(fn), value);
}

static unsigned int testdev_run(struct pcisim_function *fn)
{
	if (testdev_is_pf(fn))
		return testdev_run_commands(pcisim_function_drvdata(fn));
	return testdev_engine_run(pcisim_function_drvdata(fn));
}

static void testdev_debugfs(struct pcisim_function *fn, struct dentry *dir)
{
	if (testdev_is_pf(fn))
		testdev_pf_debugfs(pcisim_function_drvdata(fn), dir);
	else
		testdev_vf_debugfs(pcisim_function_drvdata(fn), dir);
}

static const struct pcisim_model testdev_model = {
	.name = "testdev",
	.owner = THIS_MODULE,
	.pf = {
		.vendor = TESTDEV_VENDOR,
		.device = TESTDEV_PF_DEVICE,
		.class = PCI_CLASS_OTHERS << 16,
		.bar_size = TESTDEV_BAR_SIZE,
		.msix_vectors = TESTDEV_PF_VECTORS,
		.msix_table = TESTDEV_MSIX_TABLE,
		.doorbell = TESTDEV_PF_DOORBELL,
	},
	.vf = {
		.vendor = TESTDEV_VENDOR,
		.device = TESTDEV_VF_DEVICE,
		.class = PCI_CLASS_OTHERS << 16,
		.bar_size = TESTDEV_BAR_SIZE,
		.msix_vectors = TESTDEV_VF_VECTORS,
		.msix_table = TESTDEV_MSIX_TABLE,
	},
	.max_vfs = TESTDEV_MAX_VFS,
	.attrs = testdev_attrs,
	.settings = TESTDEV_SETTINGS,
	.defaults = testdev_defaults,
	.init = testdev_init,
	.fini = testdev_fini,
	.reset = testdev_reset,
	.doorbell = testdev_model_doorbell,
	.run = testdev_run,
	.debugfs = testdev_debugfs,
};

static int __init pcisim_testdev_init(void)
{
	return pcisim_model_register(&testdev_model);
}
module_init(pcisim_testdev_init);

static void __exit pcisim_testdev_exit(void)
{
	pcisim_model_unregister(&testdev_model);
}
module_exit(pcisim_testdev_exit);

MODULE_DESCRIPTION("Simulated migration test device");
MODULE_IMPORT_NS("PCISIM");
MODULE_INFO(test, "Y");
MODULE_LICENSE("GPL");
