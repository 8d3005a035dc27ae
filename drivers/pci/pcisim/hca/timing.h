/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long commands take: see timing.c.
 */
#ifndef PCISIM_HCA_TIMING_H
#define PCISIM_HCA_TIMING_H

#include <linux/types.h>

struct dentry;
struct pcisim_hca;

/* Classes of commands that take the same time. */
enum pcisim_hca_class {
	HCA_CLASS_SUSPEND,
	HCA_CLASS_RESUME,
	HCA_CLASS_QUERY,
	HCA_CLASS_SAVE,
	HCA_CLASS_LOAD,
	HCA_CLASS_MEMORY,
	HCA_CLASS_OTHER,
	HCA_CLASSES
};

/* How long commands take, 0: no time. */
struct pcisim_hca_timing {
	u32 latency[HCA_CLASSES];		/* microseconds before a command has an effect */
	u64 save_bandwidth;			/* bytes in a second */
	u64 load_bandwidth;
	u32 page_cost;				/* nanoseconds for a page of a memory key */
};

u64 pcisim_hca_latency(const struct pcisim_hca *hca, u16 opcode);
u64 pcisim_hca_transfer_time(u64 bytes, u64 bandwidth);
void pcisim_hca_timing_debugfs(struct pcisim_hca *hca, struct dentry *dir);

#endif /* PCISIM_HCA_TIMING_H */
