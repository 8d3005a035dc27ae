// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: a directory for each running function, with its counters and the
 * files of its model.
 */

#include <linux/array_size.h>
#include <linux/debugfs.h>

#include "pcisim_private.h"

static struct dentry *pcisim_debugfs;

static int pcisim_counter_get(void *data, u64 *value)
{
	*value = atomic64_read((atomic64_t *)data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(pcisim_counter_fops, pcisim_counter_get, NULL, "%llu\n");

void pcisim_debugfs_init(void)
{
	pcisim_debugfs = debugfs_create_dir("pcisim", NULL);
}

void pcisim_debugfs_exit(void)
{
	debugfs_remove(pcisim_debugfs);
}

void pcisim_debugfs_add(struct pcisim_function *fn)
{
	const struct {
		const char *name;
		atomic64_t *counter;
	} counters[] = {
		{ "dma_reads", &fn->stats.dma_reads },
		{ "dma_writes", &fn->stats.dma_writes },
		{ "dma_faults", &fn->stats.dma_faults },
		{ "interrupts", &fn->stats.interrupts },
		{ "resets", &fn->stats.resets },
	};

	fn->debugfs = debugfs_create_dir(fn->name, pcisim_debugfs);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		debugfs_create_file_unsafe(counters[i].name, 0444, fn->debugfs,
					   counters[i].counter, &pcisim_counter_fops);
	if (fn->model->debugfs)
		fn->model->debugfs(fn, fn->debugfs);
}

void pcisim_debugfs_remove(struct pcisim_function *fn)
{
	debugfs_remove(fn->debugfs);
}
