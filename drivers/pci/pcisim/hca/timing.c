// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long commands take, as the user wants it.
 *
 * A command has a latency, which depends on its class, before it takes effect.
 * What it moves or registers then costs time in proportion, before it is
 * answered. The time that the simulator itself needs is part of that, so it is
 * only seen where it is longer.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>

#include "hca.h"

static enum pcisim_hca_class timing_class(u16 opcode)
{
	switch (opcode) {
	case MLX5_CMD_OP_SUSPEND_VHCA:
		return HCA_CLASS_SUSPEND;
	case MLX5_CMD_OP_RESUME_VHCA:
		return HCA_CLASS_RESUME;
	case MLX5_CMD_OP_QUERY_VHCA_MIGRATION_STATE:
		return HCA_CLASS_QUERY;
	case MLX5_CMD_OP_SAVE_VHCA_STATE:
		return HCA_CLASS_SAVE;
	case MLX5_CMD_OP_LOAD_VHCA_STATE:
		return HCA_CLASS_LOAD;
	case MLX5_CMD_OP_ALLOC_PD:
	case MLX5_CMD_OP_DEALLOC_PD:
	case MLX5_CMD_OP_CREATE_MKEY:
	case MLX5_CMD_OP_DESTROY_MKEY:
		return HCA_CLASS_MEMORY;
	default:
		return HCA_CLASS_OTHER;
	}
}

/* Nanoseconds before a command takes effect. */
u64 pcisim_hca_latency(const struct pcisim_hca *hca, u16 opcode)
{
	return (u64)READ_ONCE(hca->timing.latency[timing_class(opcode)]) * NSEC_PER_USEC;
}

/* Nanoseconds for at most HCA_MAX_IMAGE bytes, which cannot overflow. */
u64 pcisim_hca_transfer_time(u64 bytes, u64 bandwidth)
{
	return bandwidth ? div64_u64(bytes * NSEC_PER_SEC, bandwidth) : 0;
}

void pcisim_hca_timing_debugfs(struct pcisim_hca *hca, struct dentry *dir)
{
	static const char * const names[] = {
		[HCA_CLASS_SUSPEND] = "suspend_latency",
		[HCA_CLASS_RESUME] = "resume_latency",
		[HCA_CLASS_QUERY] = "query_latency",
		[HCA_CLASS_SAVE] = "save_latency",
		[HCA_CLASS_LOAD] = "load_latency",
		[HCA_CLASS_MEMORY] = "memory_latency",
		[HCA_CLASS_OTHER] = "other_latency",
	};
	struct pcisim_hca_timing *timing = &hca->timing;

	static_assert(ARRAY_SIZE(names) == HCA_CLASSES);
	for (unsigned int i = 0; i < HCA_CLASSES; i++)
		debugfs_create_u32(names[i], 0600, dir, &timing->latency[i]);
	debugfs_create_u64("save_bandwidth", 0600, dir, &timing->save_bandwidth);
	debugfs_create_u64("load_bandwidth", 0600, dir, &timing->load_bandwidth);
	debugfs_create_u32("page_cost", 0600, dir, &timing->page_cost);
}
