// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware that the driver of a VF talks to: an init segment, a command queue and
 * event queues of the VF's own, with DMA in the VF's address space.
 *
 * The doorbell of a VF is rung by whoever drives it. Writes by the kernel are reported;
 * the register keeps their values, which mean nothing any more. Writes by a guest or a
 * program go to memory unseen: the thread looks there whenever it looks at the registers
 * of the engine, so that a VF without a driver costs nothing more. Nobody knows
 * beforehand who it will be. The first value found is taken only when the thread runs
 * the next time: if it was the kernel's, it has been reported by then.
 *
 * A command that has been taken is answered before the VHCA's lock is dropped, so that
 * none is under way when the state is saved.
 */
#include <linux/slab.h>

#include "hca.h"

int pcisim_hca_own_init(struct pcisim_hca_vhca *vhca)
{
	struct pcisim_hca *own __free(kfree) = kzalloc_obj(*own);

	if (!own || pcisim_hca_cmdq_init(own))
		return -ENOMEM;
	own->fn = vhca->fn;
	own->vhca = vhca;
	mutex_init(&own->lock);
	pcisim_hca_fault_init(own);
	pcisim_hca_tracking_init(own);
	pcisim_hca_objects_init(own);
	vhca->own = no_free_ptr(own);
	return 0;
}

void pcisim_hca_own_fini(struct pcisim_hca_vhca *vhca)
{
	struct pcisim_hca *own = vhca->own;

	pcisim_hca_cmdq_fini(own);
	pcisim_hca_eqs_destroy(own);
	pcisim_hca_objects_destroy(own);
	pcisim_hca_fault_fini(own);
	mutex_destroy(&own->tracking.lock);
	mutex_destroy(&own->lock);
	kfree(own);
}

/* As after power-on, whatever a driver has left. */
void pcisim_hca_own_reset(struct pcisim_hca_vhca *vhca)
{
	struct pcisim_hca *own = vhca->own;

	lockdep_assert_held(&vhca->lock);

	pcisim_hca_cmdq_forget(own);
	pcisim_hca_eqs_destroy(own);
	pcisim_hca_objects_destroy(own);
	pcisim_hca_objects_init(own);
	pcisim_hca_iseg_init(own);
	own->enabled = 0;
	vhca->ringer = HCA_RINGER_UNKNOWN;
	vhca->rung = 0;
	vhca->interrupts_lost = false;
}

/* The kernel has rung; the thread calls pcisim_hca_own_run() next. */
void pcisim_hca_own_doorbell(struct pcisim_hca_vhca *vhca, u32 value)
{
	guard(mutex)(&vhca->lock);
	vhca->ringer = HCA_RINGER_KERNEL;
	vhca->rung |= value;
}

/* The slots that somebody else than the kernel has rung for. */
static u32 own_take_doorbell(struct pcisim_hca_vhca *vhca)
{
	u32 value;

	if (vhca->ringer == HCA_RINGER_KERNEL)
		return 0;
	value = pcisim_hca_iseg_doorbell(vhca->own);
	if (!value)
		return 0;
	if (vhca->ringer == HCA_RINGER_UNKNOWN) {
		vhca->ringer = HCA_RINGER_HEARD;
		return 0;
	}
	vhca->ringer = HCA_RINGER_OTHER;
	/* Whoever rings does so again only after an answer. */
	pcisim_hca_iseg_set_doorbell(vhca->own, 0);
	return value;
}

/* Has its PF enabled the VF? */
static bool own_is_enabled(const struct pcisim_hca_vhca *vhca)
{
	return test_bit(pcisim_function_vf_index(vhca->fn) + 1, &vhca->hca->enabled);
}

/* Return the microseconds until something is due, UINT_MAX if nothing is. */
unsigned int pcisim_hca_own_run(struct pcisim_hca_vhca *vhca)
{
	u32 rung;

	guard(mutex)(&vhca->lock);
	pcisim_hca_iseg_tick(vhca->own);
	if (vhca->level != HCA_RUNNING || !own_is_enabled(vhca) ||
	    !pcisim_function_bus_master(vhca->fn))
		return UINT_MAX;
	rung = vhca->rung | own_take_doorbell(vhca);
	vhca->rung = 0;
	if (rung)
		pcisim_hca_doorbell(vhca->own, rung);
	return pcisim_hca_cmdq_run(vhca->own);
}

/* An interrupt on its way when the source stopped may not have reached the guest. */
void pcisim_hca_own_resume(struct pcisim_hca_vhca *vhca)
{
	lockdep_assert_held(&vhca->lock);

	if (vhca->interrupts_lost)
		pcisim_hca_eqs_raise(vhca->own);
	vhca->interrupts_lost = false;
}

/* DMA for the driver; what a VF writes is tracked. */
int pcisim_hca_write(struct pcisim_hca *hca, u64 address, const void *from, size_t len)
{
	if (hca->vhca)
		return pcisim_hca_dma_write(hca->vhca, address, from, len);
	return pcisim_dma_write(hca->fn, address, from, len);
}
