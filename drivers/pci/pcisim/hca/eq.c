// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event queues: rings in the host's memory, each tied to an MSI-X vector.
 *
 * Consumer doorbells go to plain memory and are not seen. That is safe because
 * completions of commands are never more than slots in the command queue, and
 * every EQ of the driver is larger. Other events are one for each time the driver
 * has made room for messages, or rare.
 */
#include <linux/slab.h>

#include "hca.h"

struct pcisim_hca_eq {
	u8 log_size;
	u16 vector;
	u64 types;				/* bit: event that goes here */
	u32 producer;
	u32 page_count;
	u64 pages[] __counted_by(page_count);
};

static struct pcisim_hca_eq *eq_new(const struct pcisim_hca_cmd *cmd, u8 log_size, u32 pages)
{
	const __be64 *list = MLX5_ADDR_OF(create_eq_in, cmd->in, pas);
	struct pcisim_hca_eq *eq = kvzalloc(struct_size(eq, pages, pages), GFP_KERNEL);

	if (!eq)
		return NULL;
	eq->page_count = pages;
	eq->log_size = log_size;
	for (u32 i = 0; i < pages; i++)
		eq->pages[i] = be64_to_cpu(list[i]);
	return eq;
}

/* Number 0 stays free, so that a forgotten initialisation shows. */
static unsigned int eq_free_number(const struct pcisim_hca *hca)
{
	for (unsigned int number = 1; number < HCA_MAX_EQS; number++) {
		if (!hca->eqs[number])
			return number;
	}
	return 0;
}

u8 pcisim_hca_create_eq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *eqc = MLX5_ADDR_OF(create_eq_in, cmd->in, eq_context_entry);
	bool commands = MLX5_GET64(create_eq_in, cmd->in, event_bitmask[0]) &
			BIT_ULL(MLX5_EVENT_TYPE_CMD);
	u8 log_size = MLX5_GET(eqc, eqc, log_eq_size);
	u16 vector = MLX5_GET(eqc, eqc, intr);
	struct pcisim_hca_eq *eq;
	unsigned int number;
	u32 pages;

	if (log_size > HCA_LOG_MAX_EQ_SIZE || MLX5_GET(eqc, eqc, log_page_size))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_EQ_GEOMETRY);
	pages = DIV_ROUND_UP(sizeof(struct mlx5_eqe) << log_size, MLX5_ADAPTER_PAGE_SIZE);
	if (cmd->in_len < MLX5_ST_SZ_BYTES(create_eq_in) + pages * sizeof(__be64))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (vector >= HCA_MSIX_VECTORS)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_IX_ERR, HCA_SYND_EQ_VECTOR);
	if (commands && hca->cmd_eq)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_RES_BUSY, HCA_SYND_EQ_SECOND_CMD_EQ);
	number = eq_free_number(hca);
	if (!number)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_EQ_LIMIT);
	eq = eq_new(cmd, log_size, pages);
	if (!eq)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);

	eq->vector = vector;
	eq->types = MLX5_GET64(create_eq_in, cmd->in, event_bitmask[0]);
	hca->eqs[number] = eq;
	if (commands)
		hca->cmd_eq = eq;
	MLX5_SET(create_eq_out, cmd->out, eq_number, number);
	return MLX5_CMD_STAT_OK;
}

static void eq_destroy(struct pcisim_hca *hca, unsigned int number)
{
	struct pcisim_hca_eq *eq = hca->eqs[number];

	if (hca->cmd_eq == eq)
		hca->cmd_eq = NULL;
	hca->eqs[number] = NULL;
	kvfree(eq);
}

u8 pcisim_hca_destroy_eq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	unsigned int number = MLX5_GET(destroy_eq_in, cmd->in, eq_number);

	if (number >= HCA_MAX_EQS || !hca->eqs[number])
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_EQ_NUMBER);
	eq_destroy(hca, number);
	return MLX5_CMD_STAT_OK;
}

void pcisim_hca_eqs_destroy(struct pcisim_hca *hca)
{
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (hca->eqs[number])
			eq_destroy(hca, number);
	}
}

/*
 * The driver takes an entry once its owner bit is the parity of the pass over
 * the ring, so that bit goes out last.
 */
static void eq_post(struct pcisim_hca *hca, struct pcisim_hca_eq *eq, struct mlx5_eqe *eqe)
{
	u32 offset = (eq->producer & (BIT(eq->log_size) - 1)) * sizeof(*eqe);
	u64 address = eq->pages[offset >> MLX5_ADAPTER_PAGE_SHIFT] +
		      offset % MLX5_ADAPTER_PAGE_SIZE;

	eqe->owner = (eq->producer >> eq->log_size) & 1;
	eq->producer++;
	pcisim_dma_write(hca->fn, address, eqe, offsetof(struct mlx5_eqe, owner));
	dma_wmb();
	pcisim_dma_write(hca->fn, address + offsetof(struct mlx5_eqe, owner),
			 &eqe->owner, sizeof(eqe->owner));
	pcisim_msix_raise(hca->fn, eq->vector);
}

bool pcisim_hca_eq_exists(const struct pcisim_hca *hca, unsigned int number)
{
	return number < HCA_MAX_EQS && hca->eqs[number];
}

/* Dropped if the EQ is gone. */
void pcisim_hca_eq_post(struct pcisim_hca *hca, unsigned int number, struct mlx5_eqe *eqe)
{
	if (pcisim_hca_eq_exists(hca, number))
		eq_post(hca, hca->eqs[number], eqe);
}

/* To the EQ that the driver has for events of this type, if it has one. */
void pcisim_hca_eq_async(struct pcisim_hca *hca, struct mlx5_eqe *eqe)
{
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (hca->eqs[number] && hca->eqs[number]->types & BIT_ULL(eqe->type)) {
			eq_post(hca, hca->eqs[number], eqe);
			return;
		}
	}
}

/* Tell the driver that the command in @slot of the queue is done. */
void pcisim_hca_eq_complete(struct pcisim_hca *hca, unsigned int slot)
{
	struct mlx5_eqe eqe = { .type = MLX5_EVENT_TYPE_CMD };

	eqe.data.cmd.vector = cpu_to_be32(BIT(slot));
	eq_post(hca, hca->cmd_eq, &eqe);
}
