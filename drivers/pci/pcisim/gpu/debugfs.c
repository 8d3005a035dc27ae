// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests see and do behind the driver's back: the memory, its errors, and when the
 * GPU is ready.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "gpu.h"

/* Bytes of memory that are mapped at a time. */
#define DEBUGFS_PIECE	SZ_1M

typedef unsigned long (*memory_copy)(void *memory, void __user *user, unsigned long length);

static unsigned long memory_to_user(void *memory, void __user *user, unsigned long length)
{
	return copy_to_user(user, memory, length);
}

static unsigned long memory_from_user(void *memory, void __user *user, unsigned long length)
{
	return copy_from_user(memory, user, length);
}

/* Move up to @length bytes at @pos; return how many exist there. */
static ssize_t memory_access(struct gpu *gpu, void __user *user, size_t length, loff_t *pos,
			     memory_copy copy)
{
	u64 size = gpu_memory_size(gpu);
	size_t done = 0;

	while (done < length && *pos < size) {
		size_t piece = min3(length - done, (size_t)DEBUGFS_PIECE, size - *pos);
		void *memory = gpu_memory_map(gpu, *pos, piece);
		unsigned long left;

		if (!memory)
			return -ENOMEM;
		left = copy(memory, user + done, piece);
		gpu_memory_unmap(memory);
		if (left)
			return -EFAULT;
		done += piece;
		*pos += piece;
	}
	return done;
}

static ssize_t memory_read(struct file *file, char __user *to, size_t length, loff_t *pos)
{
	return memory_access(file->private_data, to, length, pos, memory_to_user);
}

static ssize_t memory_write(struct file *file, const char __user *from, size_t length,
			    loff_t *pos)
{
	ssize_t done;

	done = memory_access(file->private_data, (void __user *)from, length, pos,
			     memory_from_user);
	return length && !done ? -ENOSPC : done;
}

static const struct file_operations memory_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = memory_read,
	.write = memory_write,
	.llseek = default_llseek,
};

static int memory_base_get(void *data, u64 *value)
{
	struct gpu *gpu = data;

	*value = gpu->memory.start;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(memory_base_fops, memory_base_get, NULL, "0x%llx\n");

static int memory_size_get(void *data, u64 *value)
{
	*value = gpu_memory_size(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(memory_size_fops, memory_size_get, NULL, "%llu\n");

static int counter_get(void *data, u64 *value)
{
	*value = atomic64_read((atomic64_t *)data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(counter_fops, counter_get, NULL, "%llu\n");

static int ready_get(void *data, u64 *value)
{
	struct gpu *gpu = data;

	guard(mutex)(&gpu->lock);
	*value = gpu->ready.ready;
	return 0;
}

static int ready_set(void *data, u64 value)
{
	if (value > 1)
		return -EINVAL;
	gpu_ready_force(data, value);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(ready_fops, ready_get, ready_set, "%llu\n");

/* What the kernel does about memory that has failed. Nobody need care about this page. */
static int poison_report(struct gpu *gpu, unsigned long page)
{
#ifdef CONFIG_MEMORY_FAILURE
	int ret = memory_failure(PHYS_PFN(gpu->memory.start) + page, MF_SW_SIMULATED);

	return ret == -EBUSY ? 0 : ret;
#else
	return -EOPNOTSUPP;
#endif
}

static int poison_show(struct seq_file *file, void *unused)
{
	struct gpu *gpu = file->private;
	unsigned long page;

	guard(mutex)(&gpu->lock);
	for_each_set_bit(page, gpu->poisoned, gpu_pages(gpu))
		seq_printf(file, "0x%llx\n", PFN_PHYS(page));
	return 0;
}

static ssize_t poison_write(struct file *file, const char __user *from, size_t length,
			    loff_t *pos)
{
	struct gpu *gpu = file_inode(file)->i_private;
	u64 offset;
	int ret;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return -EOPNOTSUPP;
	ret = kstrtou64_from_user(from, length, 0, &offset);
	if (ret)
		return ret;
	if (offset >= gpu_memory_size(gpu))
		return -EINVAL;

	/* A driver that is told may ask at once. */
	scoped_guard(mutex, &gpu->lock)
		set_bit(PHYS_PFN(offset), gpu->poisoned);
	ret = poison_report(gpu, PHYS_PFN(offset));
	return ret ?: length;
}
DEFINE_SHOW_STORE_ATTRIBUTE(poison);

void gpu_debugfs(struct pcisim_function *fn, struct dentry *dir)
{
	struct gpu *gpu = pcisim_function_drvdata(fn);

	debugfs_create_file("memory", 0600, dir, gpu, &memory_fops);
	debugfs_create_file_unsafe("memory_base", 0400, dir, gpu, &memory_base_fops);
	debugfs_create_file_unsafe("memory_size", 0400, dir, gpu, &memory_size_fops);
	debugfs_create_file("poison", 0600, dir, gpu, &poison_fops);
	debugfs_create_file_unsafe("ready", 0600, dir, gpu, &ready_fops);
	debugfs_create_u32("info_valid_after", 0600, dir, &gpu->info_valid_after);
	debugfs_create_u32("ready_after", 0600, dir, &gpu->ready_after);
	debugfs_create_file_unsafe("words", 0400, dir, &gpu->words, &counter_fops);
	debugfs_create_file_unsafe("state_losses", 0400, dir, &gpu->state_losses, &counter_fops);
}
