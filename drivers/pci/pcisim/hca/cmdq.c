// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command queue: from a doorbell to the completion of an entry.
 *
 * Whatever the descriptor says, nothing is read or written beyond the lengths
 * it claims, and these are bounded before anything is allocated. A descriptor
 * that makes no sense completes with a delivery status and is not executed.
 */
#include <linux/bitops.h>
#include <linux/mlx5/driver.h>
#include <linux/slab.h>

#include "hca.h"

/* The delivery status shares a byte with the owner bit. */
#define CMDQ_STATUS_SHIFT	1

/* Values as in mlx5_core's enum of MLX5_CMD_DELIVERY_STAT_, which is private. */
enum cmdq_delivery {
	CMDQ_OK			= 0x0,
	CMDQ_TOKEN		= 0x2,
	CMDQ_BLOCK_NUMBER	= 0x3,
	CMDQ_OUT_POINTER	= 0x4,
	CMDQ_IN_POINTER		= 0x5,
	CMDQ_FIRMWARE		= 0x6,
	CMDQ_IN_LENGTH		= 0x7,
	CMDQ_OUT_LENGTH		= 0x8,
	CMDQ_DESCRIPTOR		= 0x10,
};

#define CMDQ_INLINE		sizeof_field(struct mlx5_cmd_layout, in)
/* opcode and op_mod of an input, status and syndrome of an output */
#define CMDQ_MIN_LENGTH		8

static enum cmdq_delivery cmdq_check(const struct mlx5_cmd_layout *entry)
{
	u32 in_len = be32_to_cpu(entry->inlen);
	u32 out_len = be32_to_cpu(entry->outlen);

	if (entry->type != MLX5_PCI_CMD_XPORT)
		return CMDQ_DESCRIPTOR;
	if (in_len < CMDQ_MIN_LENGTH || in_len > HCA_MAX_IN)
		return CMDQ_IN_LENGTH;
	if (out_len < CMDQ_MIN_LENGTH)
		return CMDQ_OUT_LENGTH;
	if (in_len > CMDQ_INLINE &&
	    (!entry->in_ptr || be64_to_cpu(entry->in_ptr) % MLX5_CMD_DATA_BLOCK_SIZE))
		return CMDQ_IN_POINTER;
	if (out_len > CMDQ_INLINE &&
	    (!entry->out_ptr || be64_to_cpu(entry->out_ptr) % MLX5_CMD_DATA_BLOCK_SIZE))
		return CMDQ_OUT_POINTER;
	return CMDQ_OK;
}

/*
 * The chain may be longer than the command, with stale blocks at its end: the
 * length decides.
 */
static enum cmdq_delivery cmdq_read_input(struct pcisim_hca *hca,
					  const struct mlx5_cmd_layout *entry,
					  void *to, u32 len)
{
	u64 address = be64_to_cpu(entry->in_ptr);
	struct mlx5_cmd_prot_block block;
	u32 done, piece, number;

	memcpy(to, entry->in, min_t(u32, len, CMDQ_INLINE));
	for (done = CMDQ_INLINE, number = 0; done < len; done += piece, number++) {
		piece = min_t(u32, len - done, MLX5_CMD_DATA_BLOCK_SIZE);
		if (!address || address % MLX5_CMD_DATA_BLOCK_SIZE)
			return CMDQ_IN_POINTER;
		if (pcisim_dma_read(hca->fn, address, &block, sizeof(block)))
			return CMDQ_FIRMWARE;
		if (be32_to_cpu(block.block_num) != number)
			return CMDQ_BLOCK_NUMBER;
		if (block.token != entry->token)
			return CMDQ_TOKEN;
		memcpy(to + done, block.data, piece);
		address = be64_to_cpu(block.next);
	}
	return CMDQ_OK;
}

static enum cmdq_delivery cmdq_write_output(struct pcisim_hca *hca,
					    struct mlx5_cmd_layout *entry,
					    const void *from, u32 len)
{
	u64 address = be64_to_cpu(entry->out_ptr);
	u32 done, piece;
	__be64 next;

	memcpy(entry->out, from, min_t(u32, len, CMDQ_INLINE));
	for (done = CMDQ_INLINE; done < len; done += piece) {
		piece = min_t(u32, len - done, MLX5_CMD_DATA_BLOCK_SIZE);
		if (!address || address % MLX5_CMD_DATA_BLOCK_SIZE)
			return CMDQ_OUT_POINTER;
		if (pcisim_dma_write(hca->fn, address, from + done, piece))
			return CMDQ_FIRMWARE;
		if (pcisim_dma_read(hca->fn, address + offsetof(struct mlx5_cmd_prot_block, next),
				    &next, sizeof(next)))
			return CMDQ_FIRMWARE;
		address = be64_to_cpu(next);
	}
	return CMDQ_OK;
}

static enum cmdq_delivery cmdq_execute(struct pcisim_hca *hca, struct mlx5_cmd_layout *entry)
{
	u32 in_len = be32_to_cpu(entry->inlen);
	struct pcisim_hca_cmd cmd = { .in_len = in_len, .out = hca->out };
	enum cmdq_delivery delivery;

	delivery = cmdq_check(entry);
	if (delivery)
		return delivery;

	/* Handlers may read all of the inline input, however short the command is. */
	void *in __free(kvfree) = kvzalloc(max_t(u32, in_len, CMDQ_INLINE), GFP_KERNEL);
	if (!in)
		return CMDQ_FIRMWARE;
	delivery = cmdq_read_input(hca, entry, in, in_len);
	if (delivery)
		return delivery;

	cmd.in = in;
	memset(hca->out, 0, sizeof(hca->out));
	pcisim_hca_dispatch(hca, &cmd);
	return cmdq_write_output(hca, entry, hca->out,
				 min(be32_to_cpu(entry->outlen), cmd.out_len));
}

static void cmdq_entry(struct pcisim_hca *hca, u64 address, unsigned int slot)
{
	struct mlx5_cmd_layout entry;
	enum cmdq_delivery delivery;
	bool event;

	if (pcisim_dma_read(hca->fn, address, &entry, sizeof(entry)))
		return;
	/* An event for an entry that the driver has not posted would crash it. */
	if (!(entry.status_own & CMD_OWNER_HW))
		return;

	atomic_inc(&hca->commands);
	event = hca->cmd_eq;
	delivery = cmdq_execute(hca, &entry);

	/* The driver may look at the rest as soon as it owns the entry. */
	pcisim_dma_write(hca->fn, address + offsetof(struct mlx5_cmd_layout, out),
			 entry.out, sizeof(entry.out));
	dma_wmb();
	entry.status_own = delivery << CMDQ_STATUS_SHIFT;
	pcisim_dma_write(hca->fn, address + offsetof(struct mlx5_cmd_layout, status_own),
			 &entry.status_own, sizeof(entry.status_own));

	/* Nobody waits for an event of the commands that create and destroy its EQ. */
	if (event && hca->cmd_eq)
		pcisim_hca_eq_complete(hca, slot);
}

void pcisim_hca_doorbell(struct pcisim_hca *hca, u32 value)
{
	u64 queue = pcisim_hca_iseg_queue(hca);
	unsigned long slots = value;
	unsigned int slot;

	for_each_set_bit(slot, &slots, MLX5_MAX_COMMANDS)
		cmdq_entry(hca, queue + slot * sizeof(struct mlx5_cmd_layout), slot);
}
