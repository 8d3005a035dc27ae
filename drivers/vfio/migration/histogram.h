/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long arcs take.
 */
#ifndef VFIO_MIG_HISTOGRAM_H
#define VFIO_MIG_HISTOGRAM_H

#include <linux/types.h>
#include <linux/vfio.h>

struct seq_file;
struct vfio_mig;

void vfio_mig_histogram_add(struct vfio_mig *mig, enum vfio_device_mig_state from,
			    enum vfio_device_mig_state to, u64 ns);
void vfio_mig_histogram_show(struct vfio_mig *mig, struct seq_file *seq);

#endif /* VFIO_MIG_HISTOGRAM_H */
