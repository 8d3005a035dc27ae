// SPDX-License-Identifier: GPL-2.0-only
/*
 * What firmware and administrator allow: can this VF migrate, and what is it
 * called in commands.
 *
 * The answers need the PF's firmware and are asked for when the driver binds.
 * Only the name is asked for again, when the VF comes back into service.
 */
#include <linux/cleanup.h>
#include <linux/mlx5/vport.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "mlx5mig.h"

/*
 * A state travels as several images that are loaded one after the other, which
 * the last two bits are about. Firmware that has migration without them is not
 * supported.
 */
static bool mlx5mig_pf_supports(struct mlx5_core_dev *mdev)
{
	return MLX5_CAP_GEN(mdev, migration) &&
	       MLX5_CAP_GEN_2(mdev, migration_multi_load) &&
	       MLX5_CAP_GEN_2(mdev, migration_tracking_state);
}

/* The administrator allows it for each VF, on the PF's devlink port. */
static bool mlx5mig_vf_allowed(struct mlx5mig_device *dev)
{
	void *out __free(kfree) = kzalloc(MLX5_ST_SZ_BYTES(query_hca_cap_out), GFP_KERNEL);

	if (!out || mlx5_vport_get_other_func_cap(dev->mdev, mlx5mig_vport(dev), out,
						  MLX5_CAP_GENERAL_2))
		return false;
	return MLX5_GET(query_hca_cap_out, out, capability.cmd_hca_cap_2.migratable);
}

/**
 * mlx5mig_identify() - learn the VHCA id if it is not known
 * @dev: the VF
 *
 * Context: vfio_mig guard, or mlx5mig_init().
 * Return: 0, or -ENODEV if the VF is not in service, or not yet again.
 */
int mlx5mig_identify(struct mlx5mig_device *dev)
{
	if (!dev->identified)
		dev->identified = !mlx5_vport_get_vhca_id(dev->mdev, mlx5mig_vport(dev),
							  &dev->vhca_id);
	return dev->identified ? 0 : -ENODEV;
}

/**
 * mlx5mig_can_migrate() - find out whether the VF can migrate
 * @dev: the VF, whose PF is known and held by mlx5_vf_get_core_dev()
 *
 * Return: whether it can.
 */
bool mlx5mig_can_migrate(struct mlx5mig_device *dev)
{
	struct pci_dev *pdev = dev->core.core.pdev;

	dev->vf_id = pci_iov_vf_id(pdev);
	if (!mlx5mig_pf_supports(dev->mdev)) {
		pci_dbg(pdev, "no migration: the PF's firmware lacks it\n");
		return false;
	}
	if (!mlx5mig_vf_allowed(dev)) {
		pci_dbg(pdev, "no migration: the VF is not migratable\n");
		return false;
	}
	dev->level = VFIO_MIG_RUNNING;
	dev->chunked = MLX5_CAP_GEN_2(dev->mdev, migration_in_chunks);
	dev->tells_reinit = MLX5_CAP_GEN_2(dev->mdev, migration_state);
	return !mlx5mig_identify(dev);
}
