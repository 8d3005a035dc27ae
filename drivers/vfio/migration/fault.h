/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection: failures on demand of the library's own allocations and of
 * the driver's operations. See Documentation/fault-injection/.
 */
#ifndef VFIO_MIG_FAULT_H
#define VFIO_MIG_FAULT_H

#include <linux/types.h>

struct dentry;

#ifdef CONFIG_VFIO_MIG_TEST
bool vfio_mig_fault_alloc(void);
bool vfio_mig_fault_op(void);
void vfio_mig_fault_init(struct dentry *parent);
void vfio_mig_fault_exit(void);
#else
static inline bool vfio_mig_fault_alloc(void)
{
	return false;
}

static inline bool vfio_mig_fault_op(void)
{
	return false;
}

static inline void vfio_mig_fault_init(struct dentry *parent)
{
}

static inline void vfio_mig_fault_exit(void)
{
}
#endif

#endif /* VFIO_MIG_FAULT_H */
