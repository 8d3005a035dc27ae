// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-mig: migration library for VFIO variant drivers. Module parameters and
 * what all devices share.
 */
#include <linux/module.h>

#include "vfio_mig_private.h"

#define VFIO_MIG_MIN_POOL	2U

struct workqueue_struct *vfio_mig_wq;

unsigned int vfio_mig_pool_records = 3;
module_param_named(pool_records, vfio_mig_pool_records, uint, 0444);
MODULE_PARM_DESC(pool_records, "Records that a saving session buffers, 2 to 8 (default 3)");

unsigned int vfio_mig_prefetch = VFIO_MIG_MAX_POOL;
module_param_named(prefetch, vfio_mig_prefetch, uint, 0644);
MODULE_PARM_DESC(prefetch,
		 "Records produced before a reader waits for one (default: as many as are buffered)");

bool vfio_mig_send_preamble = true;
module_param_named(preamble, vfio_mig_send_preamble, bool, 0644);
MODULE_PARM_DESC(preamble, "Begin streams with a preamble and end them with totals (default Y)");

bool vfio_mig_send_checksum;
module_param_named(checksum, vfio_mig_send_checksum, bool, 0644);
MODULE_PARM_DESC(checksum, "Send a checksum of every image that the CPU copies (default N)");

static int __init vfio_mig_module_init(void)
{
	if (vfio_mig_pool_records < VFIO_MIG_MIN_POOL ||
	    vfio_mig_pool_records > VFIO_MIG_MAX_POOL) {
		pr_err("pool_records=%u is not between %u and %u\n", vfio_mig_pool_records,
		       VFIO_MIG_MIN_POOL, VFIO_MIG_MAX_POOL);
		return -EINVAL;
	}
	vfio_mig_wq = alloc_workqueue("vfio-mig", WQ_UNBOUND, 0);
	if (!vfio_mig_wq)
		return -ENOMEM;
	vfio_mig_debugfs_init();
	return 0;
}
module_init(vfio_mig_module_init);

static void __exit vfio_mig_module_exit(void)
{
	vfio_mig_debugfs_exit();
	destroy_workqueue(vfio_mig_wq);
}
module_exit(vfio_mig_module_exit);

MODULE_DESCRIPTION("Migration library for VFIO variant drivers");
MODULE_LICENSE("GPL");
