// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO driver for mlx5 virtual functions that can migrate.
 *
 * A VF that cannot migrate, for whatever reason, gets no migration ops and is
 * then served by vfio-pci-core alone. That is decided once, in mlx5mig_init().
 */
#include <linux/module.h>
#include <linux/pci.h>

#include "mlx5mig.h"

#define MLX5MIG_PCI_DEVICE_VF	0x101e

static const struct vfio_mig_ops mlx5mig_ops = {
	.max_record = MLX5MIG_MAX_IMAGE,
	.load_tags = BIT(VFIO_MIG_TAG_IMAGE),
	.buf_size = sizeof(struct mlx5mig_buffer),
	.stream_size = sizeof(struct mlx5mig_session),
	/*
	 * SAVE has an address within the key, and a key could begin inside a page,
	 * but no firmware is known to have seen other values than 0 there, and a
	 * bounce buffer need not keep the offset. So readers align their payload.
	 */
	.direct_align = PAGE_SIZE,
	.load_overlaps = true,
	.suspend = mlx5mig_suspend,
	.resume = mlx5mig_resume,
	.reset = mlx5mig_reset,
	.stream_init = mlx5mig_stream_init,
	.stream_fini = mlx5mig_stream_fini,
	.save_prepare = mlx5mig_save_prepare,
	.save_begin = mlx5mig_save_begin,
	.save_next = mlx5mig_save_next,
	.save_end = mlx5mig_save_end,
	.load_begin = mlx5mig_load_begin,
	.expect = mlx5mig_expect,
	.load_record = mlx5mig_load_record,
	.buf_init = mlx5mig_buf_init,
	.buf_fini = mlx5mig_buf_fini,
	.estimate = mlx5mig_estimate,
};

/* Find out whether the VF can migrate; if not, it is left as vfio-pci would have it. */
static int mlx5mig_init_migration(struct mlx5mig_device *dev)
{
	int ret;

	if (!mlx5mig_can_migrate(dev) || mlx5mig_pf_watch(dev)) {
		dev->mdev = NULL;
		return 0;
	}
	ret = vfio_pci_mig_init(&dev->core, &mlx5mig_ops,
				VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
				VFIO_MIGRATION_PRE_COPY);
	if (ret)
		mlx5mig_pf_unwatch(dev);
	else if (mlx5mig_tracker_supported(dev))
		dev->core.core.vdev.log_ops = &mlx5mig_log_ops;
	return ret;
}

/*
 * The PF cannot change its mind in here: it reloads under the lock that
 * mlx5_vf_get_core_dev() holds, and takes VFs away only after their drivers are
 * unbound, which waits for probe. So no event comes before the lock is dropped.
 */
static int mlx5mig_init(struct vfio_device *vdev)
{
	struct mlx5mig_device *dev = container_of(vdev, struct mlx5mig_device, core.core.vdev);
	struct mlx5_core_dev *mdev;
	int ret;

	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;
	mlx5mig_tracker_init(&dev->tracker);
	mdev = mlx5_vf_get_core_dev(dev->core.core.pdev);
	if (!mdev)
		return 0;

	dev->mdev = mdev;
	ret = mlx5mig_init_migration(dev);
	mlx5_vf_put_core_dev(mdev);
	if (ret)
		vfio_pci_core_release_dev(vdev);
	return ret;
}

/* A user may go without having stopped the tracking. */
static void mlx5mig_close_device(struct vfio_device *vdev)
{
	struct mlx5mig_device *dev = container_of(vdev, struct mlx5mig_device, core.core.vdev);

	mlx5mig_tracker_close(&dev->tracker);
	vfio_pci_mig_close_device(vdev);
}

static const struct vfio_device_ops mlx5mig_vfio_ops = {
	.name = "mlx5-vfio-mig",
	.init = mlx5mig_init,
	.close_device = mlx5mig_close_device,
	VFIO_PCI_MIG_DEVICE_OPS_BUT_CLOSE,
};

/*
 * What the firmware's tracker has recorded may not survive a reset. Reports fail
 * from its beginning on, and a tracking that starts in the middle of it as well.
 */
static void mlx5mig_reset_prepare(struct pci_dev *pdev)
{
	struct mlx5mig_device *dev = pci_get_drvdata(pdev);

	vfio_pci_mig_err_handlers.reset_prepare(pdev);
	mlx5mig_tracker_lose(&dev->tracker);
}

static void mlx5mig_reset_done(struct pci_dev *pdev)
{
	struct mlx5mig_device *dev = pci_get_drvdata(pdev);

	mlx5mig_tracker_lose(&dev->tracker);
	vfio_pci_mig_err_handlers.reset_done(pdev);
}

static const struct pci_error_handlers mlx5mig_err_handlers = {
	.reset_prepare = mlx5mig_reset_prepare,
	.reset_done = mlx5mig_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};

static int mlx5mig_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct mlx5mig_device *dev;
	int ret;

	dev = vfio_alloc_device(mlx5mig_device, core.core.vdev, &pdev->dev, &mlx5mig_vfio_ops);
	if (IS_ERR(dev))
		return PTR_ERR(dev);

	ret = vfio_pci_mig_register(&dev->core);
	if (ret) {
		mlx5mig_pf_unwatch(dev);
		vfio_put_device(&dev->core.core.vdev);
	}
	return ret;
}

/*
 * The last reference to the VFIO device may go after this has returned, and the
 * PF with it before. So everything that needs the PF ends here.
 */
static void mlx5mig_remove(struct pci_dev *pdev)
{
	struct mlx5mig_device *dev = pci_get_drvdata(pdev);

	vfio_pci_mig_unregister(&dev->core);
	mlx5mig_pf_unwatch(dev);
	vfio_put_device(&dev->core.core.vdev);
}

static const struct pci_device_id mlx5mig_pci_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_MELLANOX, MLX5MIG_PCI_DEVICE_VF) },
	{}
};
MODULE_DEVICE_TABLE(pci, mlx5mig_pci_ids);

static struct pci_driver mlx5mig_pci_driver = {
	.name = KBUILD_MODNAME,
	.id_table = mlx5mig_pci_ids,
	.probe = mlx5mig_probe,
	.remove = mlx5mig_remove,
	.err_handler = &mlx5mig_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(mlx5mig_pci_driver);

MODULE_IMPORT_NS("IOMMUFD");
MODULE_IMPORT_NS("VFIO_MIG");
MODULE_DESCRIPTION("VFIO live migration for mlx5 virtual functions");
MODULE_LICENSE("GPL");
