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
 */
#include <linux/pci.h>

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
