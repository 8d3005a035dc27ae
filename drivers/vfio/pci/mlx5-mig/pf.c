// SPDX-License-Identifier: GPL-2.0-only
/*
 * Following the PF: mlx5_core tells when it takes the VF out of service and
 * back, while the VF stays bound (reload, recovery from a fatal error).
 *
 * Between the two events no op runs and nothing of ours exists in the firmware.
 */
#include <linux/pci.h>

#include "mlx5mig.h"

/*
 * The VHCA starts anew, and maybe under another id. It cannot be asked for here,
 * as mlx5_core enables the VF only after this event.
 *
 * A VF that failed to come back last time got no event when the PF went down
 * again. So first make sure that nothing is left over from its former life.
 */
static void mlx5mig_pf_back(struct mlx5mig_device *dev)
{
	vfio_mig_detach(&dev->core.mig);
	mlx5mig_tracker_detach(&dev->tracker);
	dev->identified = false;
	dev->level = VFIO_MIG_RUNNING;
	dev->tracking = false;
	vfio_mig_attach(&dev->core.mig);
	mlx5mig_tracker_attach(&dev->tracker);
}

static int mlx5mig_pf_event(struct notifier_block *block, unsigned long event, void *data)
{
	struct mlx5mig_device *dev = container_of(block, struct mlx5mig_device, pf_events);

	switch (event) {
	case MLX5_PF_NOTIFY_DISABLE_VF:
		vfio_mig_detach(&dev->core.mig);
		mlx5mig_tracker_detach(&dev->tracker);
		break;
	case MLX5_PF_NOTIFY_ENABLE_VF:
		mlx5mig_pf_back(dev);
		break;
	}
	return NOTIFY_DONE;
}

/**
 * mlx5mig_pf_watch() - follow the PF from now on
 * @dev: the VF, whose PF is known and held by mlx5_vf_get_core_dev()
 *
 * Fails while the PF is still enabling its VFs, that is when the driver binds on
 * its own during the write to sriov_numvfs.
 *
 * Return: 0, or -errno and the VF does not migrate.
 */
int mlx5mig_pf_watch(struct mlx5mig_device *dev)
{
	int ret;

	dev->pf_events.notifier_call = mlx5mig_pf_event;
	ret = mlx5_sriov_blocking_notifier_register(dev->mdev, dev->vf_id, &dev->pf_events);
	if (ret)
		pci_dbg(dev->core.core.pdev, "no migration: bound before all VFs are enabled\n");
	return ret;
}

/**
 * mlx5mig_pf_unwatch() - stop to follow the PF
 * @dev: the VF; nothing happens if it cannot migrate
 */
void mlx5mig_pf_unwatch(struct mlx5mig_device *dev)
{
	if (!dev->mdev)
		return;
	mlx5_sriov_blocking_notifier_unregister(dev->mdev, dev->vf_id, &dev->pf_events);
	dev->mdev = NULL;
}
