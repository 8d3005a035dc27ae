// SPDX-License-Identifier: GPL-2.0-only
/*
 * The points of fault injection. Each is controlled by a directory below
 * debugfs/vfio-mig, and counts for /proc/self/fail-nth of the task that comes by.
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fault-inject.h>

#include "fault.h"

static DECLARE_FAULT_ATTR(vfio_mig_fail_alloc);
static DECLARE_FAULT_ATTR(vfio_mig_fail_op);

/* Whether an allocation of the library shall fail. */
bool vfio_mig_fault_alloc(void)
{
	return should_fail(&vfio_mig_fail_alloc, 1);
}

/* Whether an operation of the driver shall fail. */
bool vfio_mig_fault_op(void)
{
	return should_fail(&vfio_mig_fail_op, 1);
}

void vfio_mig_fault_init(struct dentry *parent)
{
	fault_create_debugfs_attr("fail_alloc", parent, &vfio_mig_fail_alloc);
	fault_create_debugfs_attr("fail_op", parent, &vfio_mig_fail_op);
}

/* Each attribute holds a reference to its directory, which nobody else drops. */
void vfio_mig_fault_exit(void)
{
	dput(vfio_mig_fail_alloc.dname);
	dput(vfio_mig_fail_op.dname);
}
