// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests see and do behind the driver's back: counters, injected failures,
 * and the bulk state of a VF, which its user would change by using the device.
 */
#include <linux/debugfs.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hca.h"

/* User memory is never touched under a VHCA's lock, so the data stops over here. */
#define BOUNCE_SIZE	SZ_64K

/* Not beyond the end of a page. @buf has room for one. */
static size_t generated_read(const struct pcisim_hca_bulk *bulk, u64 pos, void *buf, size_t len)
{
	size_t skip = pos & (HCA_BULK_PAGE - 1);

	len = min(len, HCA_BULK_PAGE - skip);
	pcisim_hca_generated_fill(bulk, pos >> HCA_BULK_SHIFT, 1, buf);
	memmove(buf, buf + skip, len);
	return len;
}

/* Move up to @len bytes at @pos; return how many were there. @buf has room for a page. */
static size_t bulk_access(struct pcisim_hca_vhca *vhca, u64 pos, void *buf, size_t len, bool write)
{
	guard(mutex)(&vhca->lock);
	if (pos >= vhca->bulk->size)
		return 0;
	len = min_t(u64, len, vhca->bulk->size - pos);
	if (vhca->generated)
		return generated_read(vhca->bulk, pos, buf, len);
	if (write) {
		memcpy(vhca->bulk->data + pos, buf, len);
		pcisim_hca_bulk_mark(vhca->bulk, pos, len);
	} else {
		memcpy(buf, vhca->bulk->data + pos, len);
	}
	return len;
}

static ssize_t bulk_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	void *bounce __free(kvfree) = kvmalloc(BOUNCE_SIZE, GFP_KERNEL);
	size_t done, piece;

	if (!bounce)
		return -ENOMEM;
	for (done = 0; done < len; done += piece) {
		piece = bulk_access(file->private_data, *pos + done, bounce,
				    min(len - done, BOUNCE_SIZE), false);
		if (!piece)
			break;
		if (copy_to_user(to + done, bounce, piece))
			return -EFAULT;
	}
	*pos += done;
	return done;
}

static ssize_t bulk_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	void *bounce __free(kvfree) = kvmalloc(BOUNCE_SIZE, GFP_KERNEL);
	struct pcisim_hca_vhca *vhca = file->private_data;
	size_t done, piece;

	if (vhca->generated)
		return -EOPNOTSUPP;
	if (!bounce)
		return -ENOMEM;
	for (done = 0; done < len; done += piece) {
		piece = min(len - done, BOUNCE_SIZE);
		if (copy_from_user(bounce, from + done, piece))
			return -EFAULT;
		piece = bulk_access(vhca, *pos + done, bounce, piece, true);
		if (!piece)
			break;
	}
	if (len && !done)
		return -ENOSPC;
	*pos += done;
	return done;
}

static const struct file_operations bulk_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = bulk_read,
	.write = bulk_write,
	.llseek = default_llseek,
};

static int bulk_size_get(void *data, u64 *value)
{
	struct pcisim_hca_vhca *vhca = data;

	guard(mutex)(&vhca->lock);
	*value = vhca->bulk->size;
	return 0;
}

static int bulk_size_set(void *data, u64 value)
{
	struct pcisim_hca_vhca *vhca = data;

	if (!pcisim_hca_bulk_size_ok(value, vhca->generated))
		return -EINVAL;
	guard(mutex)(&vhca->lock);
	return pcisim_hca_bulk_resize(&vhca->bulk, value, vhca->state_size);
}
DEFINE_DEBUGFS_ATTRIBUTE(bulk_size_fops, bulk_size_get, bulk_size_set, "%llu\n");

static int reconfigure_get(void *data, u64 *value)
{
	struct pcisim_hca_vhca *vhca = data;

	guard(mutex)(&vhca->lock);
	*value = vhca->reconfigured;
	return 0;
}

/* All of the state has changed: what a target has received so far is of no use. */
static int reconfigure_set(void *data, u64 value)
{
	struct pcisim_hca_vhca *vhca = data;

	if (value != 1)
		return -EINVAL;
	guard(mutex)(&vhca->lock);
	vhca->reconfigured = true;
	pcisim_hca_bulk_mark(vhca->bulk, 0, vhca->bulk->size);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(reconfigure_fops, reconfigure_get, reconfigure_set, "%llu\n");

static int suspended_show(struct seq_file *file, void *unused)
{
	static const char * const names[] = {
		[HCA_RUNNING] = "none",
		[HCA_INITIATOR_SUSPENDED] = "initiator",
		[HCA_SUSPENDED] = "both",
	};
	struct pcisim_hca_vhca *vhca = file->private;

	guard(mutex)(&vhca->lock);
	seq_printf(file, "%s\n", names[vhca->level]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(suspended);

void pcisim_hca_vhca_debugfs(struct pcisim_hca_vhca *vhca, struct dentry *dir)
{
	debugfs_create_file("bulk", 0600, dir, vhca, &bulk_fops);
	debugfs_create_file_unsafe("bulk_size", 0600, dir, vhca, &bulk_size_fops);
	debugfs_create_file_unsafe("reconfigure", 0600, dir, vhca, &reconfigure_fops);
	debugfs_create_file("suspended", 0400, dir, vhca, &suspended_fops);
	pcisim_hca_touch_debugfs(vhca, dir);
	pcisim_hca_generated_debugfs(vhca, dir);
	debugfs_create_atomic_t("saves", 0400, dir, &vhca->saves);
	debugfs_create_atomic_t("loads", 0400, dir, &vhca->loads);
	debugfs_create_atomic_t("commands", 0400, dir, &vhca->own->commands);
	debugfs_create_atomic_t("unknown_commands", 0400, dir, &vhca->own->unknown_commands);
}

void pcisim_hca_debugfs(struct pcisim_hca *hca, struct dentry *dir)
{
	debugfs_create_atomic_t("commands", 0400, dir, &hca->commands);
	debugfs_create_atomic_t("unknown_commands", 0400, dir, &hca->unknown_commands);
	debugfs_create_bool("strict_tracking", 0600, dir, &hca->strict_tracking);
	pcisim_hca_fault_debugfs(hca, dir);
	pcisim_hca_timing_debugfs(hca, debugfs_create_dir("timing", dir));
	pcisim_hca_track_debugfs(hca, debugfs_create_dir("tracking", dir));
}
