// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the function holds state that cannot be saved: that of its engines.
 *
 * In D3hot without No_Soft_Reset it holds none, as the way back to D0 loses it. That has
 * to be so from the moment on when the device is stopped. The user can change the power
 * state at any time, by writing to config space; such writes are counted before they
 * take effect. A function that was woken and put to sleep again is seen by the second one.
 *
 * In D3hot the core lets nobody touch the memory, and takes all mappings away. So the
 * memory does not change either, but by DMA of another device that was allowed to.
 *
 * A target is put into D3hot when it begins to run with what was loaded: that is the
 * state that its user left the source in, and it is found by looking at the function.
 */
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "migration.h"

/* Codes for vfio_mig_report_syndrome(); the documentation has them. */
enum nvgmig_power_reason {
	NVGMIG_POWER_STILL,
	NVGMIG_POWER_NOT_D3HOT,
	NVGMIG_POWER_NO_SOFT_RESET,
	NVGMIG_POWER_WRITTEN,
};

static const char * const nvgmig_power_reasons[] = {
	[NVGMIG_POWER_NOT_D3HOT] = "the engines have state: the function is not in D3hot",
	[NVGMIG_POWER_NO_SOFT_RESET] = "the engines have state: D3hot keeps it (No_Soft_Reset)",
	[NVGMIG_POWER_WRITTEN] = "the power state was written since the device was stopped",
};

static struct pci_dev *nvgmig_power_function(const struct nvgmig_migration *migration)
{
	return migration->dev->core.core.pdev;
}

/*
 * What the function says itself. A function that does not answer, and one that has no
 * power management, is not in D3hot.
 */
static enum nvgmig_power_reason nvgmig_power_look(const struct nvgmig_migration *migration)
{
	struct pci_dev *pdev = nvgmig_power_function(migration);
	u16 control;

	if (!pdev->pm_cap ||
	    pci_read_config_word(pdev, pdev->pm_cap + PCI_PM_CTRL, &control) ||
	    PCI_POSSIBLE_ERROR(control) ||
	    (control & PCI_PM_CTRL_STATE_MASK) != (__force u16)PCI_D3hot)
		return NVGMIG_POWER_NOT_D3HOT;
	return control & PCI_PM_CTRL_NO_SOFT_RESET ? NVGMIG_POWER_NO_SOFT_RESET :
						     NVGMIG_POWER_STILL;
}

/**
 * nvgmig_power_stopped() - the device is being stopped
 * @migration: the device
 *
 * Context: vfio_mig guard.
 */
void nvgmig_power_stopped(struct nvgmig_migration *migration)
{
	/* In this order, so that no write falls between the two. */
	migration->stopped_writes = atomic64_read_acquire(&migration->dev->power_writes);
	migration->stopped_reason = nvgmig_power_look(migration);
	migration->loaded = false;
}

/**
 * nvgmig_power_check() - whether the device has held no state since it was stopped
 * @migration: the device
 *
 * Context: in a session, after save_begin() with final set.
 * Return: NULL, or why it may have.
 */
const char *nvgmig_power_check(struct nvgmig_migration *migration)
{
	enum nvgmig_power_reason reason = migration->stopped_reason;

	if (!reason)
		reason = nvgmig_power_look(migration);
	if (!reason && atomic64_read(&migration->dev->power_writes) != migration->stopped_writes)
		reason = NVGMIG_POWER_WRITTEN;
	if (!reason)
		return NULL;
	vfio_mig_report_syndrome(&migration->dev->core.mig, reason);
	return nvgmig_power_reasons[reason];
}

/**
 * nvgmig_power_still() - tell since when the memory cannot have changed
 * @migration: the device
 *
 * Return: if the function is in D3hot, a number that stays the same for as long as
 * it is; else NVGMIG_POWER_RUNS.
 */
s64 nvgmig_power_still(struct nvgmig_migration *migration)
{
	s64 writes = atomic64_read_acquire(&migration->dev->power_writes);

	return nvgmig_power_look(migration) == NVGMIG_POWER_NOT_D3HOT ? NVGMIG_POWER_RUNS : writes;
}

/**
 * nvgmig_power_loaded() - the state of a function in D3hot was loaded
 * @migration: the device
 *
 * Context: vfio_mig guard.
 */
void nvgmig_power_loaded(struct nvgmig_migration *migration)
{
	migration->loaded_resets = READ_ONCE(migration->dev->resets);
	migration->loaded_writes = atomic64_read(&migration->dev->power_writes);
	migration->loaded = true;
}

/* What has been loaded is gone, or the user has taken care of the power state. */
static bool nvgmig_power_is_settled(const struct nvgmig_migration *migration)
{
	return READ_ONCE(migration->dev->resets) != migration->loaded_resets ||
	       atomic64_read(&migration->dev->power_writes) != migration->loaded_writes;
}

static void nvgmig_power_zap(struct vfio_pci_core_device *core)
{
	loff_t bars = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	loff_t end = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR5_REGION_INDEX + 1);

	unmap_mapping_range(core->vdev.inode->i_mapping, bars, end - bars, true);
}

static bool nvgmig_power_sleeps(const struct pci_dev *pdev)
{
	return pdev->current_state == PCI_D3hot || pdev->current_state == PCI_D3cold;
}

/* What the core does when the user writes to the register; nobody else can ask it to. */
static void nvgmig_power_sleep(struct vfio_pci_core_device *core)
{
	struct pci_dev *pdev = core->pdev;

	lockdep_assert_held_write(&core->memory_lock);
	nvgmig_power_zap(core);
	if (nvgmig_power_sleeps(pdev))
		return;
	if (core->needs_pm_restore)
		pci_save_state(pdev);
	pci_set_power_state(pdev, PCI_D3hot);
	if (core->needs_pm_restore && nvgmig_power_sleeps(pdev)) {
		kfree(core->pm_save);
		core->pm_save = pci_store_saved_state(pdev);
	}
}

/**
 * nvgmig_power_resumed() - the device begins to run
 * @migration: the device
 *
 * Puts it into D3hot if that is the state that was loaded. A function that stays in D0
 * has lost its state as well, so that is no error.
 *
 * Context: vfio_mig guard. After a reset, memory_lock may be held.
 */
void nvgmig_power_resumed(struct nvgmig_migration *migration)
{
	struct vfio_pci_core_device *core = &migration->dev->core.core;

	if (!migration->loaded)
		return;
	migration->loaded = false;
	/* looked at first, as a reset that holds memory_lock has been counted by now */
	if (nvgmig_power_is_settled(migration) || pm_runtime_resume_and_get(&core->pdev->dev))
		return;
	scoped_guard(rwsem_write, &core->memory_lock) {
		if (!nvgmig_power_is_settled(migration))
			nvgmig_power_sleep(core);
	}
	pm_runtime_put(&core->pdev->dev);
}
