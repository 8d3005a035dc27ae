// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware that misbehaves: one kind of fault at a time, for the commands of one
 * opcode and, if wanted, of one VHCA.
 *
 * Some of them hit the next few commands, counted down, others hit at random,
 * where the kernel has fault injection. Only the thread of the PF looks here,
 * while a test writes; the order in which it writes makes that safe: the opcode
 * clears all else, the number of times comes last.
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>

#include "hca.h"

static DECLARE_FAULT_ATTR(fault_attr_default);

static void fault_clear(struct pcisim_hca_fault *fault)
{
	atomic_set(&fault->times, 0);
	WRITE_ONCE(fault->vhca, 0);
	WRITE_ONCE(fault->status, 0);
	WRITE_ONCE(fault->syndrome, HCA_SYND_INJECTED);
	WRITE_ONCE(fault->delay_ms, 0);
	WRITE_ONCE(fault->lost, false);
	WRITE_ONCE(fault->required_umem_size, U64_MAX);
	WRITE_ONCE(fault->remaining_total_size, U64_MAX);
	WRITE_ONCE(fault->actual_image_size, U64_MAX);
	WRITE_ONCE(fault->next_required_umem_size, U64_MAX);
}

void pcisim_hca_fault_init(struct pcisim_hca *hca)
{
	hca->fault.attr = fault_attr_default;
	fault_clear(&hca->fault);
}

/* The attribute holds a reference to its directory, which nobody else drops. */
void pcisim_hca_fault_fini(struct pcisim_hca *hca)
{
	dput(pcisim_hca_fault_directory(&hca->fault.attr));
}

static bool fault_matches(const struct pcisim_hca_fault *fault, const struct pcisim_hca_cmd *cmd)
{
	u16 vhca = READ_ONCE(fault->vhca);

	return pcisim_hca_opcode(cmd) == READ_ONCE(fault->opcode) && (!vhca || vhca == cmd->vhca);
}

/* Is this command one that goes wrong? Also says so if it will not, or late, be answered. */
bool pcisim_hca_fault_hits(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_fault *fault = &hca->fault;

	if (!fault_matches(fault, cmd))
		return false;
	if (atomic_dec_if_positive(&fault->times) < 0 && !should_fail(&fault->attr, 1))
		return false;
	cmd->lost = READ_ONCE(fault->lost);
	cmd->busy_ns = (u64)READ_ONCE(fault->delay_ms) * NSEC_PER_MSEC;
	return true;
}

/* Put the wrong sizes into the answer of a command that has succeeded. */
void pcisim_hca_fault_answer(const struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const struct pcisim_hca_fault *fault = &hca->fault;
	u64 required = READ_ONCE(fault->required_umem_size);
	u64 remaining = READ_ONCE(fault->remaining_total_size);
	u64 actual = READ_ONCE(fault->actual_image_size);
	u64 next = READ_ONCE(fault->next_required_umem_size);

	switch (pcisim_hca_opcode(cmd)) {
	case MLX5_CMD_OP_QUERY_VHCA_MIGRATION_STATE:
		if (required != U64_MAX)
			MLX5_SET(query_vhca_migration_state_out, cmd->out, required_umem_size,
				 required);
		if (remaining != U64_MAX)
			MLX5_SET64(query_vhca_migration_state_out, cmd->out, remaining_total_size,
				   remaining);
		break;
	case MLX5_CMD_OP_SAVE_VHCA_STATE:
		if (actual != U64_MAX)
			MLX5_SET(save_vhca_state_out, cmd->out, actual_image_size, actual);
		if (next != U64_MAX)
			MLX5_SET(save_vhca_state_out, cmd->out, next_required_umem_size, next);
		break;
	}
}

static int fault_opcode_get(void *data, u64 *value)
{
	struct pcisim_hca_fault *fault = data;

	*value = READ_ONCE(fault->opcode);
	return 0;
}

static int fault_opcode_set(void *data, u64 value)
{
	struct pcisim_hca_fault *fault = data;

	if (value > U16_MAX)
		return -EINVAL;
	fault_clear(fault);
	WRITE_ONCE(fault->opcode, value);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(fault_opcode_fops, fault_opcode_get, fault_opcode_set, "0x%04llx\n");

static int answer_lost_set(void *data, u64 value)
{
	struct pcisim_hca *hca = data;

	if (value != 1)
		return -EINVAL;
	WRITE_ONCE(hca->fault.answer_lost, true);
	pcisim_function_kick(hca->fn);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(answer_lost_fops, NULL, answer_lost_set, "%llu\n");

void pcisim_hca_fault_debugfs(struct pcisim_hca *hca, struct dentry *dir)
{
	struct pcisim_hca_fault *fault = &hca->fault;

	debugfs_create_file_unsafe("fail_opcode", 0600, dir, fault, &fault_opcode_fops);
	debugfs_create_u16("fail_vhca", 0600, dir, &fault->vhca);
	debugfs_create_u8("fail_status", 0600, dir, &fault->status);
	debugfs_create_x32("fail_syndrome", 0600, dir, &fault->syndrome);
	debugfs_create_u32("fail_delay", 0600, dir, &fault->delay_ms);
	debugfs_create_bool("fail_lost", 0600, dir, &fault->lost);
	debugfs_create_x64("fail_required_umem_size", 0600, dir, &fault->required_umem_size);
	debugfs_create_x64("fail_remaining_total_size", 0600, dir, &fault->remaining_total_size);
	debugfs_create_x64("fail_actual_image_size", 0600, dir, &fault->actual_image_size);
	debugfs_create_x64("fail_next_required_umem_size", 0600, dir,
			   &fault->next_required_umem_size);
	debugfs_create_atomic_t("fail_times", 0600, dir, &fault->times);
	debugfs_create_file_unsafe("answer_lost", 0200, dir, hca, &answer_lost_fops);
	fault_create_debugfs_attr("fail_command", dir, &fault->attr);
}
