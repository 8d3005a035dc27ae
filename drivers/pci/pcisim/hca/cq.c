// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completion queues: rings in the host's memory, each reporting to an event queue.
 *
 * The doorbell record in the host's memory tells how far the driver is. A queue that
 * overflows fails, and the driver hears of it: it has lost a completion. Nothing
 * depends on the driver having armed a queue.
 */
#include <linux/mlx5/cq.h>
#include <linux/slab.h>

#include "hca.h"

#define CQ_LIMIT		XA_LIMIT(1, SZ_64K - 1)
#define CQ_LOG_MAX_SIZE		16
#define CQ_INDEX_MASK		0xffffff
#define CQ_SYNDROME_OVERRUN	1

struct pcisim_hca_cq {
	u8 log_size;
	u8 eqn;
	bool failed;
	u32 producer;
	u32 users;
	u64 record;
	u32 page_count;
	u64 pages[] __counted_by(page_count);
};

static struct pcisim_hca_cq *cq_new(const struct pcisim_hca_cmd *cmd, u32 pages)
{
	const void *cqc = MLX5_ADDR_OF(create_cq_in, cmd->in, cq_context);
	const __be64 *list = MLX5_ADDR_OF(create_cq_in, cmd->in, pas);
	struct pcisim_hca_cq *cq = kvzalloc(struct_size(cq, pages, pages), GFP_KERNEL);

	if (!cq)
		return NULL;
	cq->page_count = pages;
	cq->log_size = MLX5_GET(cqc, cqc, log_cq_size);
	cq->eqn = MLX5_GET(cqc, cqc, c_eqn_or_apu_element);
	cq->record = MLX5_GET64(cqc, cqc, dbr_addr);
	for (u32 i = 0; i < pages; i++)
		cq->pages[i] = be64_to_cpu(list[i]);
	return cq;
}

u8 pcisim_hca_create_cq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *cqc = MLX5_ADDR_OF(create_cq_in, cmd->in, cq_context);
	u8 log_size = MLX5_GET(cqc, cqc, log_cq_size);
	u32 pages, number;

	if (log_size > CQ_LOG_MAX_SIZE || MLX5_GET(cqc, cqc, log_page_size) ||
	    MLX5_GET(cqc, cqc, page_offset) || MLX5_GET(cqc, cqc, cqe_sz) != CQE_STRIDE_64 ||
	    !IS_ALIGNED(MLX5_GET64(cqc, cqc, dbr_addr), sizeof(u64)))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_CQ_GEOMETRY);
	pages = DIV_ROUND_UP(sizeof(struct mlx5_cqe64) << log_size, MLX5_ADAPTER_PAGE_SIZE);
	if (cmd->in_len < MLX5_ST_SZ_BYTES(create_cq_in) + pages * sizeof(__be64))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (!pcisim_hca_eq_exists(hca, MLX5_GET(cqc, cqc, c_eqn_or_apu_element)))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_EQ_NUMBER);

	struct pcisim_hca_cq *cq __free(kvfree) = cq_new(cmd, pages);
	if (!cq)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	if (xa_alloc(&hca->tracking.cqs, &number, cq, CQ_LIMIT, GFP_KERNEL))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_CQ_LIMIT);
	retain_and_null_ptr(cq);
	MLX5_SET(create_cq_out, cmd->out, cqn, number);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_destroy_cq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 number = MLX5_GET(destroy_cq_in, cmd->in, cqn);
	struct pcisim_hca_cq *cq = xa_load(&hca->tracking.cqs, number);

	if (!cq)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_CQ_NUMBER);
	if (cq->users)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_RES_BUSY, HCA_SYND_CQ_IN_USE);
	xa_erase(&hca->tracking.cqs, number);
	kvfree(cq);
	return MLX5_CMD_STAT_OK;
}

/* Count a queue pair that uses the queue, or does no longer; false if there is no such. */
bool pcisim_hca_cq_use(struct pcisim_hca *hca, u32 number, int change)
{
	struct pcisim_hca_cq *cq = xa_load(&hca->tracking.cqs, number);

	if (cq)
		cq->users += change;
	return cq;
}

/* Tell the driver that completions may be missing. */
void pcisim_hca_cq_fail(struct pcisim_hca *hca, u32 number)
{
	struct mlx5_eqe eqe = { .type = MLX5_EVENT_TYPE_CQ_ERROR };
	struct pcisim_hca_cq *cq = xa_load(&hca->tracking.cqs, number);

	if (!cq)
		return;
	cq->failed = true;
	eqe.data.cq_err.cqn = cpu_to_be32(number);
	eqe.data.cq_err.syndrome = CQ_SYNDROME_OVERRUN;
	pcisim_hca_eq_async(hca, &eqe);
}

static bool cq_is_full(struct pcisim_hca *hca, const struct pcisim_hca_cq *cq)
{
	__be32 consumer;

	if (pcisim_dma_read(hca->fn, cq->record, &consumer, sizeof(consumer)))
		return true;
	return ((cq->producer - be32_to_cpu(consumer)) & CQ_INDEX_MASK) >= BIT(cq->log_size);
}

/* The driver takes an entry by its owner bit, which goes out last, as with events. */
int pcisim_hca_cq_post(struct pcisim_hca *hca, u32 number, struct mlx5_cqe64 *cqe, u8 opcode)
{
	struct pcisim_hca_cq *cq = xa_load(&hca->tracking.cqs, number);
	u64 address;
	u32 offset;
	int ret;

	if (!cq || cq->failed)
		return -EIO;
	if (cq_is_full(hca, cq)) {
		pcisim_hca_cq_fail(hca, number);
		return -EIO;
	}
	offset = (cq->producer & (BIT(cq->log_size) - 1)) * sizeof(*cqe);
	address = cq->pages[offset >> MLX5_ADAPTER_PAGE_SHIFT] + offset % MLX5_ADAPTER_PAGE_SIZE;
	cqe->op_own = opcode << 4 | (cq->producer >> cq->log_size & MLX5_CQE_OWNER_MASK);
	ret = pcisim_dma_write(hca->fn, address, cqe, offsetof(struct mlx5_cqe64, op_own));
	if (ret)
		return ret;
	dma_wmb();
	cq->producer++;
	return pcisim_dma_write(hca->fn, address + offsetof(struct mlx5_cqe64, op_own),
				&cqe->op_own, sizeof(cqe->op_own));
}

/* After entries were posted. */
void pcisim_hca_cq_notify(struct pcisim_hca *hca, u32 number)
{
	struct pcisim_hca_cq *cq = xa_load(&hca->tracking.cqs, number);
	struct mlx5_eqe eqe = { .type = MLX5_EVENT_TYPE_COMP };

	if (!cq)
		return;
	eqe.data.comp.cqn = cpu_to_be32(number);
	pcisim_hca_eq_post(hca, cq->eqn, &eqe);
}

void pcisim_hca_cqs_destroy(struct pcisim_hca *hca)
{
	struct pcisim_hca_cq *cq;
	unsigned long number;

	xa_for_each(&hca->tracking.cqs, number, cq)
		kvfree(cq);
	xa_destroy(&hca->tracking.cqs);
}
