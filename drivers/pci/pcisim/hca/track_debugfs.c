// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracking as tests see it: its limits, which a driver learns when it starts the PF,
 * what goes wrong with reports, and DMA of a VF to as many pages as one likes.
 */
#include <linux/debugfs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hca.h"
#include "record.h"

static const char * const fault_names[] = {
	[HCA_TRACK_FAULT_NONE] = "none",
	[HCA_TRACK_FAULT_TRACKER] = "tracker",
	[HCA_TRACK_FAULT_SILENT] = "silent",
	[HCA_TRACK_FAULT_CQ] = "cq",
	[HCA_TRACK_FAULT_QP] = "qp",
	[HCA_TRACK_FAULT_EVENT] = "event",
	[HCA_TRACK_FAULT_ADDRESS] = "address",
};

static int fault_show(struct seq_file *file, void *unused)
{
	struct pcisim_hca *hca = file->private;

	seq_printf(file, "%s\n", fault_names[READ_ONCE(hca->tracking.fault)]);
	return 0;
}

static int fault_open(struct inode *inode, struct file *file)
{
	return single_open(file, fault_show, inode->i_private);
}

/* A word of the user, without the newline. */
static int word_from_user(char *word, size_t room, const char __user *from, size_t len)
{
	if (len >= room)
		return -EINVAL;
	if (copy_from_user(word, from, len))
		return -EFAULT;
	word[len] = 0;
	strim(word);
	return 0;
}

static ssize_t fault_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct pcisim_hca *hca = ((struct seq_file *)file->private_data)->private;
	char word[16];
	int ret;

	static_assert(ARRAY_SIZE(fault_names) == HCA_TRACK_FAULTS);
	ret = word_from_user(word, sizeof(word), from, len);
	if (ret)
		return ret;
	ret = match_string(fault_names, ARRAY_SIZE(fault_names), word);
	if (ret < 0)
		return ret;
	WRITE_ONCE(hca->tracking.fault, ret);
	return len;
}

static const struct file_operations fault_fops = {
	.owner = THIS_MODULE,
	.open = fault_open,
	.read = seq_read,
	.write = fault_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/* The tracker of the VF with this number fails, whatever it is doing. */
static int fail_set(void *data, u64 value)
{
	struct pcisim_hca *hca = data;
	struct pcisim_hca_tracker *tracker;

	if (!value || value > HCA_TRACKERS)
		return -EINVAL;
	guard(mutex)(&hca->tracking.lock);
	tracker = hca->tracking.trackers[value - 1];
	if (!tracker)
		return -ENOENT;
	tracker->state = MLX5_PAGE_TRACK_STATE_ERROR;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(fail_fops, NULL, fail_set, "%llu\n");

static int count_get(void *data, u64 *value)
{
	struct pcisim_hca *hca = data;

	guard(mutex)(&hca->tracking.lock);
	*value = 0;
	for (unsigned int i = 0; i < HCA_TRACKERS; i++)
		*value += !!hca->tracking.trackers[i];
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(count_fops, count_get, NULL, "%llu\n");

void pcisim_hca_track_debugfs(struct pcisim_hca *hca, struct dentry *dir)
{
	struct pcisim_hca_tracking *tracking = &hca->tracking;

	debugfs_create_u8("max_ranges", 0600, dir, &tracking->max_ranges);
	debugfs_create_u8("log_max_message", 0600, dir, &tracking->log_max_message);
	debugfs_create_u8("log_min_page", 0600, dir, &tracking->log_min_page);
	debugfs_create_u8("log_max_page", 0600, dir, &tracking->log_max_page);
	debugfs_create_bool("stall", 0600, dir, &tracking->stall);
	debugfs_create_file("fault", 0600, dir, hca, &fault_fops);
	debugfs_create_file_unsafe("fail", 0200, dir, hca, &fail_fops);
	debugfs_create_file_unsafe("trackers", 0400, dir, hca, &count_fops);
}

/* DMA of the VF: its own address to the beginning of each page. */
static int touch(struct pcisim_hca_vhca *vhca, u64 iova, u64 pages)
{
	__le64 number;
	int ret = 0;

	guard(mutex)(&vhca->lock);
	if (vhca->level != HCA_RUNNING)
		return -EBUSY;
	for (; pages && !ret; pages--, iova += SZ_4K) {
		number = cpu_to_le64(iova);
		ret = pcisim_hca_dma_write(vhca, iova, &number, sizeof(number));
		cond_resched();
	}
	return ret;
}

/* "<iova> <pages>" */
static ssize_t touch_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char word[48], *second = word;
	u64 iova, pages;
	int ret;

	ret = word_from_user(word, sizeof(word), from, len);
	if (ret)
		return ret;
	strsep(&second, " ");
	if (!second || kstrtou64(word, 0, &iova) || kstrtou64(second, 0, &pages) ||
	    !IS_ALIGNED(iova, sizeof(__le64)))
		return -EINVAL;
	ret = touch(file->private_data, iova, pages);
	return ret ?: len;
}

static const struct file_operations touch_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = touch_write,
};

void pcisim_hca_touch_debugfs(struct pcisim_hca_vhca *vhca, struct dentry *dir)
{
	debugfs_create_file("touch", 0200, dir, vhca, &touch_fops);
}
