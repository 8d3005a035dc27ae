// SPDX-License-Identifier: GPL-2.0-only
/*
 * The code behind <trace/events/vfio_mig.h>, and what drivers add to it.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/vfio_mig.h>

/**
 * vfio_mig_report_syndrome() - the device said why it failed
 * @mig: the device
 * @syndrome: what it said; the meaning is the device's own, not 0
 *
 * For those who look for the cause of an error; changes nothing else.
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_report_syndrome(struct vfio_mig *mig, u32 syndrome)
{
	WRITE_ONCE(mig->last_syndrome, syndrome);
	trace_vfio_mig_syndrome(mig, syndrome);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_report_syndrome, "VFIO_MIG");
