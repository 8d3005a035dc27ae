// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV: virtual functions come and go with VF Enable.
 *
 * The write itself makes them answer config cycles or not. The thread of the
 * PF follows and starts or stops them, so that the model of a PF never sees a
 * VF change under it. Before a VF is shown to a driver the IOMMU waits for
 * &pcisim_function.ready.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>

#include "pcisim_private.h"

static void pcisim_sriov_enable(struct pcisim_function *fn)
{
	unsigned int bar_reg = PCISIM_CAP_SRIOV + PCI_SRIOV_BAR;
	u64 low = pcisim_config_get(fn, bar_reg, 4) & PCI_BASE_ADDRESS_MEM_MASK;
	u64 base = (u64)pcisim_config_get(fn, bar_reg + 4, 4) << 32 | low;
	u64 size = fn->model->vf.bar_size;

	fn->vfs_wanted = min(pcisim_config_get(fn, PCISIM_CAP_SRIOV + PCI_SRIOV_NUM_VF, 2),
			     fn->total_vfs);

	for (unsigned int i = 0; i < fn->vfs_wanted; i++) {
		struct pcisim_function *vf = fn->vfs[i];
		u64 bar = base + i * size;

		reinit_completion(&vf->ready);
		pcisim_config_reset(vf);
		WRITE_ONCE(vf->bar, pcisim_window_contains(bar, size) ? bar : 0);
		vf->in_reset = false;
		vf->present = true;
	}
}

/* The control register was written, or reset with its PF. */
void pcisim_sriov_written(struct pcisim_function *fn)
{
	u16 control = pcisim_config_get(fn, PCISIM_CAP_SRIOV + PCI_SRIOV_CTRL, 2);

	lockdep_assert_held(&fn->host->config_lock);

	if (!(control & PCI_SRIOV_CTRL_VFE) == !fn->vfs_wanted)
		return;

	if (control & PCI_SRIOV_CTRL_VFE) {
		pcisim_sriov_enable(fn);
	} else {
		for (unsigned int i = 0; i < fn->total_vfs; i++)
			fn->vfs[i]->present = false;
		fn->vfs_wanted = 0;
	}
	fn->vfs_epoch++;
	pcisim_function_event(fn, PCISIM_EVENT_SRIOV);
}

void pcisim_sriov_stop(struct pcisim_function *fn)
{
	for (unsigned int i = 0; i < fn->total_vfs; i++)
		if (fn->vfs[i]->running)
			pcisim_function_stop(fn->vfs[i]);
}

static void pcisim_sriov_start(struct pcisim_function *fn, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		int ret = pcisim_function_start(fn->vfs[i]);

		if (ret)
			pr_err("%s: cannot start: %pe\n", fn->vfs[i]->name, ERR_PTR(ret));
	}
}

/* Tell those who wait, unless VF Enable has changed again meanwhile. */
static void pcisim_sriov_announce(struct pcisim_function *fn, unsigned int epoch)
{
	guard(raw_spinlock_irqsave)(&fn->host->config_lock);

	if (epoch != fn->vfs_epoch)
		return;
	for (unsigned int i = 0; i < fn->vfs_wanted; i++) {
		struct pcisim_function *vf = fn->vfs[i];

		if (!vf->running)
			vf->present = false;
		complete_all(&vf->ready);
	}
}

/* Make the VFs what VF Enable says. In the thread of the PF. */
void pcisim_sriov_update(struct pcisim_function *fn)
{
	unsigned int wanted, epoch;

	scoped_guard(raw_spinlock_irqsave, &fn->host->config_lock) {
		wanted = fn->vfs_wanted;
		epoch = fn->vfs_epoch;
	}
	if (epoch == fn->vfs_started)
		return;

	pcisim_sriov_stop(fn);
	pcisim_sriov_start(fn, wanted);
	fn->vfs_started = epoch;
	pcisim_sriov_announce(fn, epoch);
}

/**
 * pcisim_function_vf - a virtual function of a PF
 * @pf: the PF
 * @index: number of the VF, counted from 0
 *
 * Context: the callbacks @reset, @doorbell and @run of @pf, during which no VF
 * comes or goes.
 * Return: the VF, NULL if it is not enabled.
 */
struct pcisim_function *pcisim_function_vf(struct pcisim_function *pf, unsigned int index)
{
	if (index >= pf->total_vfs || !pf->vfs[index]->running)
		return NULL;
	return pf->vfs[index];
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_vf, "PCISIM");
