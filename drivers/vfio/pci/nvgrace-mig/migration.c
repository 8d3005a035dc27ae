// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration of the GPU: what the library is given, run levels, and what a session
 * has from beginning to end.
 *
 * What migrates is the memory and the virtual BARs. The state of the engines cannot
 * be read by anybody, so that there must be none (power.c). No arc fails for that:
 * a client would reset the device under its guest, and a guest that is merely
 * stopped and continued does not have to be in any particular state.
 */
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "migration.h"

static bool nvgmig_enable_migration;
module_param_named(enable_migration, nvgmig_enable_migration, bool, 0644);
MODULE_PARM_DESC(enable_migration,
		 "Let devices with coherent memory migrate, for those bound from then on; never tried on hardware (default N)");

/*
 * &vfio_mig_ops.suspend
 *
 * There is nothing to be told to the function. In D3hot it does nothing, so that both
 * levels hold; in D0 it goes on, and what is saved of it is refused.
 */
static int nvgmig_suspend(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	if (to == VFIO_MIG_STOPPED)
		nvgmig_power_stopped(nvgmig_of(mig)->migration);
	return 0;
}

/* &vfio_mig_ops.resume */
static int nvgmig_resume(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	nvgmig_power_resumed(nvgmig_of(mig)->migration);
	return 0;
}

static int nvgmig_map_memory(struct nvgmig_device *dev)
{
	struct nvgmig_memory *memory;

	for (memory = nvgmig_first_memory(dev); memory; memory = nvgmig_next_memory(memory))
		if (!nvgmig_memory_map(memory))
			return -ENOMEM;
	return 0;
}

/*
 * &vfio_mig_ops.stream_init
 *
 * The memory must be within reach while it is copied. A device that its user allowed to
 * sleep is woken, and stays awake for the time of the session.
 */
static int nvgmig_stream_init(struct vfio_mig_stream *st)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);
	struct nvgmig_device *dev = nvgmig_of(vfio_mig_stream_device(st));
	int ret;

	session->stream = st;
	session->dev = dev;
	if (pm_runtime_resume_and_get(&dev->core.core.pdev->dev))
		return -EIO;
	ret = nvgmig_map_memory(dev) ?: nvgmig_team_init(&session->team);
	if (!ret)
		return 0;
	nvgmig_team_fini(&session->team);
	pm_runtime_put(&dev->core.core.pdev->dev);
	return ret;
}

/* &vfio_mig_ops.stream_fini */
static void nvgmig_stream_fini(struct vfio_mig_stream *st)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);

	nvgmig_team_fini(&session->team);
	nvgmig_blocks_fini(&session->blocks);
	kfree(session->save.record.head);
	kfree(session->load.head);
	pm_runtime_put(&session->dev->core.core.pdev->dev);
}

static const struct vfio_mig_ops nvgmig_ops = {
	.max_record = NVGMIG_RECORD_SIZE,
	.load_tags = BIT(NVGMIG_TAG_LAYOUT) | BIT(NVGMIG_TAG_BLOCKS) | BIT(NVGMIG_TAG_STATE),
	.stream_size = sizeof(struct nvgmig_session),
	.direct_align = 1,
	.describe = nvgmig_layout_describe,
	.accept = nvgmig_layout_accept,
	.suspend = nvgmig_suspend,
	.resume = nvgmig_resume,
	.stream_init = nvgmig_stream_init,
	.stream_fini = nvgmig_stream_fini,
	.save_begin = nvgmig_save_begin,
	.save_next = nvgmig_save_next,
	.save_end = nvgmig_save_end,
	.load_begin = nvgmig_load_begin,
	.load_record = nvgmig_load_record,
	.load_end = nvgmig_load_end,
	.estimate = nvgmig_estimate,
};

/**
 * nvgmig_migration_init() - make a device with coherent memory migratable, if wanted
 * @dev: the device, initialised by vfio_pci_core_init_dev()
 *
 * Return: 0 or -errno.
 */
int nvgmig_migration_init(struct nvgmig_device *dev)
{
	struct nvgmig_migration *migration;
	int ret;

	dev->core.mig.memory_ops = &nvgmig_memory_ops;
	if (!nvgmig_enable_migration)
		return 0;
	migration = kzalloc_obj(*migration, GFP_KERNEL);
	if (!migration)
		return -ENOMEM;
	migration->dev = dev;
	ret = vfio_pci_mig_init(&dev->core, &nvgmig_ops,
				VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
				VFIO_MIGRATION_PRE_COPY);
	if (ret) {
		kfree(migration);
		return ret;
	}
	dev->migration = migration;
	return 0;
}

/**
 * nvgmig_migration_fini() - undo nvgmig_migration_init()
 * @dev: the device
 */
void nvgmig_migration_fini(struct nvgmig_device *dev)
{
	kfree(dev->migration);
	dev->migration = NULL;
}
