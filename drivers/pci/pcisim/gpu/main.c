// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcisim-gpu: a GPU with coherent memory.
 *
 * This file owns the model: its geometry, its settings and the life of a function.
 * The memory outlives resets and power states, all other state does not.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/pci_ids.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "gpu.h"

#define GPU_DEFAULT_DEVICE	0x2342
#define GPU_MAX_MEMORY		(64ULL * SZ_1G)
#define GPU_VECTORS		2
#define GPU_MSIX_TABLE		0x200000

static unsigned long long memory_base;
module_param(memory_base, ullong, 0444);
MODULE_PARM_DESC(memory_base, "physical address of the memory of all GPUs, outside of System RAM");

static unsigned long long memory_size;
module_param(memory_size, ullong, 0444);
MODULE_PARM_DESC(memory_size, "size of the memory of all GPUs in bytes");

PCISIM_SETTING(gpu_, device_id, GPU_DEVICE_ID, 1, 0xfffe);
PCISIM_SETTING(gpu_, memory_size, GPU_MEMORY_SIZE, PAGE_SIZE, GPU_MAX_MEMORY);
PCISIM_SETTING(gpu_, properties, GPU_PROPERTIES, 0, 1);
PCISIM_SETTING(gpu_, reported_base, GPU_REPORTED_BASE, 0, U64_MAX);
PCISIM_SETTING(gpu_, reported_size, GPU_REPORTED_SIZE, 0, U64_MAX);
PCISIM_SETTING(gpu_, works_cached, GPU_WORKS_CACHED, GPU_CACHED_UNKNOWN, GPU_CACHED_YES);
PCISIM_SETTING(gpu_, cxl, GPU_CXL, 0, 1);
PCISIM_SETTING(gpu_, cxl_timeout, GPU_CXL_TIMEOUT, 0, 7);
PCISIM_SETTING(gpu_, info_valid_after, GPU_INFO_VALID_AFTER, 0, GPU_NEVER);
PCISIM_SETTING(gpu_, ready_after, GPU_READY_AFTER, 0, GPU_NEVER);
PCISIM_SETTING(gpu_, no_soft_reset, GPU_NO_SOFT_RESET, 0, 1);
PCISIM_SETTING(gpu_, bar2_size, GPU_BAR2_SIZE, 0, SZ_256M);

static struct configfs_attribute *gpu_attrs[] = {
	&gpu_attr_device_id,
	&gpu_attr_memory_size,
	&gpu_attr_properties,
	&gpu_attr_reported_base,
	&gpu_attr_reported_size,
	&gpu_attr_works_cached,
	&gpu_attr_cxl,
	&gpu_attr_cxl_timeout,
	&gpu_attr_info_valid_after,
	&gpu_attr_ready_after,
	&gpu_attr_no_soft_reset,
	&gpu_attr_bar2_size,
	NULL
};

static const u64 gpu_defaults[GPU_SETTINGS] = {
	[GPU_DEVICE_ID] = GPU_DEFAULT_DEVICE,
	[GPU_MEMORY_SIZE] = SZ_64M,
	[GPU_PROPERTIES] = 1,
	[GPU_REPORTED_BASE] = GPU_TRUTH,
	[GPU_REPORTED_SIZE] = GPU_TRUTH,
};

/* A reset also replaces what has failed of the memory. */
static void gpu_reset(struct pcisim_function *fn)
{
	struct gpu *gpu = pcisim_function_drvdata(fn);

	guard(mutex)(&gpu->lock);
	bitmap_zero(gpu->poisoned, gpu_pages(gpu));
	gpu_engine_reset(gpu);
	gpu_ready_reset(gpu);
}

/* The memory and the link to it have had power all the time. */
static void gpu_wake(struct pcisim_function *fn)
{
	struct gpu *gpu = pcisim_function_drvdata(fn);

	guard(mutex)(&gpu->lock);
	atomic64_inc(&gpu->state_losses);
	gpu_engine_reset(gpu);
	gpu_ready_publish(gpu);
}

static void gpu_free(struct gpu *gpu)
{
	kvfree(gpu->poisoned);
	gpu_memory_fini(gpu);
	mutex_destroy(&gpu->lock);
	kfree(gpu);
}

static int gpu_init(struct pcisim_function *fn)
{
	struct gpu *gpu = kzalloc_obj(*gpu);
	int ret;

	if (!gpu)
		return -ENOMEM;
	gpu->fn = fn;
	mutex_init(&gpu->lock);
	gpu->info_valid_after = pcisim_function_setting(fn, GPU_INFO_VALID_AFTER);
	gpu->ready_after = pcisim_function_setting(fn, GPU_READY_AFTER);

	ret = gpu_memory_init(gpu, pcisim_function_setting(fn, GPU_MEMORY_SIZE));
	if (!ret) {
		gpu->poisoned = kvcalloc(BITS_TO_LONGS(gpu_pages(gpu)), sizeof(long), GFP_KERNEL);
		ret = gpu->poisoned ? 0 : -ENOMEM;
	}
	if (ret) {
		gpu_free(gpu);
		return ret;
	}

	gpu_describe_memory(gpu);
	pcisim_function_set_drvdata(fn, gpu);
	gpu_reset(fn);
	return 0;
}

static void gpu_fini(struct pcisim_function *fn)
{
	gpu_free(pcisim_function_drvdata(fn));
}

static const struct property_entry *gpu_properties(struct pcisim_function *fn)
{
	struct gpu *gpu = pcisim_function_drvdata(fn);

	return pcisim_function_setting(fn, GPU_PROPERTIES) ? gpu->properties : NULL;
}

static unsigned int gpu_run(struct pcisim_function *fn)
{
	struct gpu *gpu = pcisim_function_drvdata(fn);

	return min_not_zero(gpu_engine_run(gpu), gpu_ready_run(gpu));
}

static const struct pcisim_model gpu_model = {
	.name = "gpu",
	.owner = THIS_MODULE,
	.pf = {
		.vendor = PCI_VENDOR_ID_NVIDIA,
		.device = GPU_DEFAULT_DEVICE,
		.class = PCI_CLASS_DISPLAY_3D << 8,
		.bar_size = PCISIM_GPU_BAR_SIZE,
		.msix_vectors = GPU_VECTORS,
		.msix_table = GPU_MSIX_TABLE,
	},
	.attrs = gpu_attrs,
	.settings = GPU_SETTINGS,
	.defaults = gpu_defaults,
	.describe = gpu_describe,
	.init = gpu_init,
	.fini = gpu_fini,
	.properties = gpu_properties,
	.reset = gpu_reset,
	.wake = gpu_wake,
	.run = gpu_run,
	.debugfs = gpu_debugfs,
};

static int __init pcisim_gpu_init(void)
{
	int ret;

	ret = gpu_pool_init(memory_base, memory_size);
	if (ret)
		return ret;

	ret = pcisim_model_register(&gpu_model);
	if (ret)
		gpu_pool_exit();
	return ret;
}
module_init(pcisim_gpu_init);

static void __exit pcisim_gpu_exit(void)
{
	pcisim_model_unregister(&gpu_model);
	gpu_pool_exit();
}
module_exit(pcisim_gpu_exit);

MODULE_DESCRIPTION("Simulated GPU with coherent memory");
MODULE_IMPORT_NS("PCISIM");
MODULE_INFO(test, "Y");
MODULE_LICENSE("GPL");
