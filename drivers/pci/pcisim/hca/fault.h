/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Firmware that misbehaves: see fault.c.
 */
#ifndef PCISIM_HCA_FAULT_H
#define PCISIM_HCA_FAULT_H

#include <linux/atomic.h>
#include <linux/fault-inject.h>
#include <linux/types.h>

struct dentry;
struct pcisim_hca;
struct pcisim_hca_cmd;

/* What goes wrong with some of the commands; each file of debugfs stands alone. */
struct pcisim_hca_fault {
	u16 opcode;
	u16 vhca;				/* 0: any */
	u8 status;
	u32 syndrome;
	u32 delay_ms;
	bool lost;
	/* instead of what the command would answer; U64_MAX: not changed */
	u64 required_umem_size;
	u64 remaining_total_size;
	u64 actual_image_size;
	u64 next_required_umem_size;
	atomic_t times;
	bool answer_lost;			/* give the answers that are missing */
	struct fault_attr attr;
};

/* NULL where the kernel has no fault injection. */
static inline struct dentry *pcisim_hca_fault_directory(const struct fault_attr *attr)
{
#ifdef CONFIG_FAULT_INJECTION
	return attr->dname;
#else
	return NULL;
#endif
}

void pcisim_hca_fault_init(struct pcisim_hca *hca);
void pcisim_hca_fault_fini(struct pcisim_hca *hca);
bool pcisim_hca_fault_hits(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
void pcisim_hca_fault_answer(const struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
void pcisim_hca_fault_debugfs(struct pcisim_hca *hca, struct dentry *dir);

#endif /* PCISIM_HCA_FAULT_H */
