// SPDX-License-Identifier: GPL-2.0-only
/*
 * One directory a device below debugfs/vfio-mig. debugfs itself answers -EIO
 * through files that are still open when the device is gone.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>

#include "vfio_mig_private.h"

static struct dentry *vfio_mig_debugfs_root;

static int state_show(struct seq_file *seq, void *unused)
{
	struct vfio_mig *mig = seq->private;
	enum vfio_device_mig_state state;

	vfio_mig_get_state(mig, &state);
	seq_printf(seq, "%s\n", vfio_mig_state_name(state));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int last_error_show(struct seq_file *seq, void *unused)
{
	struct vfio_mig *mig = seq->private;

	guard(vfio_mig)(mig);
	if (!mig->last_error)
		seq_puts(seq, "none\n");
	else
		seq_printf(seq, "%d %s -> %s\n", mig->last_error,
			   vfio_mig_state_name(mig->last_error_from),
			   vfio_mig_state_name(mig->last_error_to));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(last_error);

void vfio_mig_debugfs_add(struct vfio_mig *mig)
{
	struct dentry *dir = debugfs_create_dir(dev_name(mig->vdev->dev), vfio_mig_debugfs_root);

	debugfs_create_file("state", 0444, dir, mig, &state_fops);
	debugfs_create_file("last_error", 0444, dir, mig, &last_error_fops);
	debugfs_create_u64("errors", 0444, dir, &mig->errors);
	debugfs_create_u64("sessions", 0444, dir, &mig->sessions);
	debugfs_create_u64("bytes_saved", 0444, dir, &mig->bytes_saved);
	debugfs_create_u64("bytes_loaded", 0444, dir, &mig->bytes_loaded);
	mig->debugfs = dir;
}

void vfio_mig_debugfs_remove(struct vfio_mig *mig)
{
	debugfs_remove(mig->debugfs);
	mig->debugfs = NULL;
}

void vfio_mig_debugfs_init(void)
{
	vfio_mig_debugfs_root = debugfs_create_dir("vfio-mig", NULL);
}

void vfio_mig_debugfs_exit(void)
{
	debugfs_remove(vfio_mig_debugfs_root);
}
