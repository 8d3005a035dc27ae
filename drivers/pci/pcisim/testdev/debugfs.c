// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests see and do behind the driver's back: counters, injected failures,
 * and the memory of a VF, which its user would change with commands.
 */
#include <linux/debugfs.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "testdev.h"

/* Move up to @length bytes at @pos; return how many exist there. */
static size_t memory_access(struct testdev_vf *vf, u64 pos, void *buf, size_t length, bool write)
{
	struct testdev_memory *memory = &vf->memory;

	guard(mutex)(&vf->lock);
	if (pos >= memory->size)
		return 0;
	length = min_t(u64, length, memory->size - pos);
	if (write) {
		memcpy(memory->data + pos, buf, length);
		testdev_memory_mark(memory, pos, length);
	} else {
		memcpy(buf, memory->data + pos, length);
	}
	return length;
}

/* User memory is never touched under a VF's lock, so the data stops over. */
static ssize_t memory_read(struct file *file, char __user *to, size_t length, loff_t *pos)
{
	void *bounce __free(kvfree) = kvmalloc(TESTDEV_PIECE, GFP_KERNEL);
	size_t done, piece;

	if (!bounce)
		return -ENOMEM;
	for (done = 0; done < length; done += piece) {
		piece = memory_access(file->private_data, *pos + done, bounce,
				      min(length - done, TESTDEV_PIECE), false);
		if (!piece)
			break;
		if (copy_to_user(to + done, bounce, piece))
			return -EFAULT;
	}
	*pos += done;
	return done;
}

static ssize_t memory_write(struct file *file, const char __user *from, size_t length,
			    loff_t *pos)
{
	void *bounce __free(kvfree) = kvmalloc(TESTDEV_PIECE, GFP_KERNEL);
	size_t done, piece;

	if (!bounce)
		return -ENOMEM;
	for (done = 0; done < length; done += piece) {
		piece = min(length - done, TESTDEV_PIECE);
		if (copy_from_user(bounce, from + done, piece))
			return -EFAULT;
		piece = memory_access(file->private_data, *pos + done, bounce, piece, true);
		if (!piece)
			break;
	}
	if (length && !done)
		return -ENOSPC;
	*pos += done;
	return done;
}

static const struct file_operations memory_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = memory_read,
	.write = memory_write,
	.llseek = default_llseek,
};

static int memory_size_get(void *data, u64 *value)
{
	struct testdev_vf *vf = data;

	guard(mutex)(&vf->lock);
	*value = vf->memory.size;
	return 0;
}

static int memory_size_set(void *data, u64 value)
{
	struct testdev_vf *vf = data;

	if (value > TESTDEV_MAX_MEMORY)
		return -EINVAL;
	guard(mutex)(&vf->lock);
	return testdev_memory_resize(&vf->memory, value);
}
DEFINE_DEBUGFS_ATTRIBUTE(memory_size_fops, memory_size_get, memory_size_set, "%llu\n");

static int copies_get(void *data, u64 *value)
{
	struct testdev_vf *vf = data;

	*value = atomic64_read(&vf->copies);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(copies_fops, copies_get, NULL, "%llu\n");

static int level_show(struct seq_file *file, void *unused)
{
	static const char * const names[] = {
		[TESTDEV_LEVEL_STOPPED] = "stopped",
		[TESTDEV_LEVEL_QUIESCED] = "quiesced",
		[TESTDEV_LEVEL_RUNNING] = "running",
	};
	struct testdev_vf *vf = file->private;

	guard(mutex)(&vf->lock);
	seq_printf(file, "%s\n", names[vf->level]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(level);

void testdev_vf_debugfs(struct testdev_vf *vf, struct dentry *dir)
{
	debugfs_create_file("memory", 0600, dir, vf, &memory_fops);
	debugfs_create_file_unsafe("memory_size", 0600, dir, vf, &memory_size_fops);
	debugfs_create_file_unsafe("copies", 0400, dir, vf, &copies_fops);
	debugfs_create_file("level", 0400, dir, vf, &level_fops);
	debugfs_create_atomic_t("saves", 0400, dir, &vf->saves);
	debugfs_create_atomic_t("loads", 0400, dir, &vf->loads);
}

void testdev_pf_debugfs(struct testdev *pf, struct dentry *dir)
{
	debugfs_create_atomic_t("commands", 0400, dir, &pf->commands);
	debugfs_create_u32("fail_command", 0600, dir, &pf->fail_command);
	debugfs_create_u32("fail_status", 0600, dir, &pf->fail_status);
	debugfs_create_atomic_t("fail_times", 0600, dir, &pf->fail_times);
}
