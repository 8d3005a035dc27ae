// SPDX-License-Identifier: GPL-2.0-only
/*
 * One directory a device below debugfs/vfio-mig, beside the controls of fault
 * injection. debugfs itself answers -EIO through files that are still open when
 * the device is gone.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>

#include "fault.h"
#include "histogram.h"
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
	if (!mig->last_error) {
		seq_puts(seq, "none\n");
		return 0;
	}
	seq_printf(seq, "%d %s -> %s", mig->last_error, vfio_mig_state_name(mig->last_error_from),
		   vfio_mig_state_name(mig->last_error_to));
	if (mig->last_reason)
		seq_printf(seq, ": %s", mig->last_reason);
	seq_putc(seq, '\n');
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(last_error);

static int session_show(struct seq_file *seq, void *unused)
{
	struct vfio_mig *mig = seq->private;
	struct vfio_mig_stream *st;

	guard(vfio_mig)(mig);
	st = mig->stream;
	if (st)
		seq_printf(seq, "%s bytes=%llu queued=%u\n", vfio_mig_mode_name(st->mode),
			   READ_ONCE(st->bytes), READ_ONCE(st->request_count));
	else
		seq_puts(seq, "none\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(session);

static int arcs_show(struct seq_file *seq, void *unused)
{
	struct vfio_mig *mig = seq->private;

	guard(vfio_mig)(mig);
	vfio_mig_histogram_show(mig, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arcs);

static int counter_get(void *data, u64 *value)
{
	*value = atomic64_read(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(counter_fops, counter_get, NULL, "%llu\n");

static void vfio_mig_debugfs_add_counters(struct vfio_mig *mig, struct dentry *dir)
{
	debugfs_create_u64("errors", 0444, dir, &mig->errors);
	debugfs_create_u64("sessions", 0444, dir, &mig->sessions);
	debugfs_create_u64("bytes_saved", 0444, dir, &mig->bytes_saved);
	debugfs_create_u64("bytes_loaded", 0444, dir, &mig->bytes_loaded);
	debugfs_create_file_unsafe("bytes_copied", 0444, dir, &mig->bytes_copied, &counter_fops);
	debugfs_create_file_unsafe("bytes_direct", 0444, dir, &mig->bytes_direct, &counter_fops);
	debugfs_create_file_unsafe("bytes_spliced", 0444, dir, &mig->bytes_spliced, &counter_fops);
}

void vfio_mig_debugfs_add(struct vfio_mig *mig)
{
	struct dentry *dir = debugfs_create_dir(dev_name(mig->vdev->dev), vfio_mig_debugfs_root);

	debugfs_create_file("state", 0444, dir, mig, &state_fops);
	debugfs_create_file("last_error", 0444, dir, mig, &last_error_fops);
	debugfs_create_x32("last_syndrome", 0444, dir, &mig->last_syndrome);
	debugfs_create_file("session", 0444, dir, mig, &session_fops);
	debugfs_create_file("arcs", 0444, dir, mig, &arcs_fops);
	vfio_mig_debugfs_add_counters(mig, dir);
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
	vfio_mig_fault_init(vfio_mig_debugfs_root);
}

void vfio_mig_debugfs_exit(void)
{
	debugfs_remove(vfio_mig_debugfs_root);
	vfio_mig_fault_exit();
}
