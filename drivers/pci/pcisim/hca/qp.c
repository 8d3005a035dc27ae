// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queue pairs, as far as reports need them: a reliable connection within the adapter,
 * one end of which has a ring of places for messages, and the other end nothing.
 *
 * A driver has to connect them step by step, and to take down what uses something
 * before that: it hears of every mistake.
 */
#include <linux/mlx5/cq.h>
#include <linux/mlx5/qp.h>
#include <linux/slab.h>

#include "hca.h"

#define QP_LIMIT		XA_LIMIT(1, BIT(17) - 1)
#define QP_STRIDE		sizeof(struct mlx5_wqe_data_seg)

enum qp_state {
	QP_RESET,
	QP_INIT,
	QP_RECEIVES,
	QP_SENDS,
};

struct pcisim_hca_qp {
	enum qp_state state;
	u32 pd;
	u32 remote;
	u32 users;
	bool has_ring;
	u8 log_ring;
	u32 cqn;
	u64 record;
	u16 received;
	u32 page_count;
	u64 pages[] __counted_by(page_count);
};

static struct pcisim_hca_qp *qp_find(struct pcisim_hca *hca, u32 number)
{
	return xa_load(&hca->tracking.qps, number);
}

static struct pcisim_hca_qp *qp_new(const struct pcisim_hca_cmd *cmd, u32 pages)
{
	const void *qpc = MLX5_ADDR_OF(create_qp_in, cmd->in, qpc);
	const __be64 *list = MLX5_ADDR_OF(create_qp_in, cmd->in, pas);
	struct pcisim_hca_qp *qp = kvzalloc(struct_size(qp, pages, pages), GFP_KERNEL);

	if (!qp)
		return NULL;
	qp->page_count = pages;
	qp->pd = MLX5_GET(qpc, qpc, pd);
	qp->has_ring = pages;
	qp->log_ring = MLX5_GET(qpc, qpc, log_rq_size);
	qp->cqn = MLX5_GET(qpc, qpc, cqn_rcv);
	qp->record = MLX5_GET64(qpc, qpc, dbr_addr);
	for (u32 i = 0; i < pages; i++)
		qp->pages[i] = be64_to_cpu(list[i]);
	return qp;
}

/* A ring has to have places of one size. Without one, what describes it means nothing. */
static bool qp_geometry_ok(const void *qpc)
{
	if (MLX5_GET(qpc, qpc, st) != MLX5_QP_ST_RC || !MLX5_GET(qpc, qpc, no_sq))
		return false;
	switch (MLX5_GET(qpc, qpc, rq_type)) {
	case MLX5_ZERO_LEN_RQ:
		return true;
	case MLX5_NON_ZERO_RQ:
		return !MLX5_GET(qpc, qpc, log_rq_stride) && !MLX5_GET(qpc, qpc, log_page_size) &&
		       !MLX5_GET(qpc, qpc, page_offset) &&
		       IS_ALIGNED(MLX5_GET64(qpc, qpc, dbr_addr), sizeof(u64));
	default:
		return false;
	}
}

static u32 qp_pages(const void *qpc)
{
	if (MLX5_GET(qpc, qpc, rq_type) == MLX5_ZERO_LEN_RQ)
		return 0;
	return DIV_ROUND_UP(QP_STRIDE << MLX5_GET(qpc, qpc, log_rq_size), MLX5_ADAPTER_PAGE_SIZE);
}

/* Nothing fails behind this. */
static void qp_take_resources(struct pcisim_hca *hca, const struct pcisim_hca_qp *qp, int change)
{
	pcisim_hca_pd_count(hca, qp->pd, change);
	if (qp->has_ring)
		pcisim_hca_cq_use(hca, qp->cqn, change);
}

u8 pcisim_hca_create_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *qpc = MLX5_ADDR_OF(create_qp_in, cmd->in, qpc);
	u32 pages, number;

	if (!qp_geometry_ok(qpc))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_QP_GEOMETRY);
	pages = qp_pages(qpc);
	if (cmd->in_len < MLX5_ST_SZ_BYTES(create_qp_in) + pages * sizeof(__be64))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (!xa_load(&hca->pds, MLX5_GET(qpc, qpc, pd)))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_PD_NUMBER);
	if (pages && !pcisim_hca_cq_use(hca, MLX5_GET(qpc, qpc, cqn_rcv), 0))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_CQ_NUMBER);

	struct pcisim_hca_qp *qp __free(kvfree) = qp_new(cmd, pages);
	if (!qp)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	if (xa_alloc(&hca->tracking.qps, &number, qp, QP_LIMIT, GFP_KERNEL))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_QP_LIMIT);
	qp_take_resources(hca, qp, 1);
	retain_and_null_ptr(qp);
	MLX5_SET(create_qp_out, cmd->out, qpn, number);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_destroy_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 number = MLX5_GET(destroy_qp_in, cmd->in, qpn);
	struct pcisim_hca_qp *qp = qp_find(hca, number);

	if (!qp)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_QP_NUMBER);
	if (qp->users)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_RES_BUSY, HCA_SYND_QP_IN_USE);
	xa_erase(&hca->tracking.qps, number);
	qp_take_resources(hca, qp, -1);
	kvfree(qp);
	return MLX5_CMD_STAT_OK;
}

/* The number is at the same place in the three commands. */
static u8 qp_step(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd, enum qp_state to)
{
	struct pcisim_hca_qp *qp = qp_find(hca, MLX5_GET(rst2init_qp_in, cmd->in, qpn));

	if (!qp)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_QP_NUMBER);
	if (qp->state + 1 != to)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_QP_STATE_ERR, HCA_SYND_QP_STATE);
	qp->state = to;
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_rst2init_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	return qp_step(hca, cmd, QP_INIT);
}

u8 pcisim_hca_init2rtr_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *qpc = MLX5_ADDR_OF(init2rtr_qp_in, cmd->in, qpc);
	u32 remote = MLX5_GET(qpc, qpc, remote_qpn);
	u8 status;

	if (!qp_find(hca, remote))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_QP_REMOTE);
	status = qp_step(hca, cmd, QP_RECEIVES);
	if (!status)
		qp_find(hca, MLX5_GET(init2rtr_qp_in, cmd->in, qpn))->remote = remote;
	return status;
}

u8 pcisim_hca_rtr2rts_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	return qp_step(hca, cmd, QP_SENDS);
}

/* Whether messages can be sent from this one, now. */
bool pcisim_hca_qp_sends(struct pcisim_hca *hca, u32 number)
{
	struct pcisim_hca_qp *qp = qp_find(hca, number);
	struct pcisim_hca_qp *remote = qp ? qp_find(hca, qp->remote) : NULL;

	return remote && qp->state == QP_SENDS && remote->state >= QP_RECEIVES &&
	       remote->has_ring && remote->remote == number;
}

/* Count a tracker that uses the queue pair, or does no longer. */
bool pcisim_hca_qp_use(struct pcisim_hca *hca, u32 number, int change)
{
	struct pcisim_hca_qp *qp = qp_find(hca, number);

	if (qp)
		qp->users += change;
	return qp;
}

/* The next place of a ring: -EAGAIN while the driver has posted none. */
static int qp_next_place(struct pcisim_hca *hca, const struct pcisim_hca_qp *qp,
			 struct mlx5_wqe_data_seg *place)
{
	u32 offset = (qp->received & (BIT(qp->log_ring) - 1)) * QP_STRIDE;
	__be32 record;
	u16 posted;

	if (pcisim_dma_read(hca->fn, qp->record, &record, sizeof(record)))
		return -EIO;
	posted = be32_to_cpu(record) - qp->received;
	if (!posted)
		return -EAGAIN;
	if (posted > BIT(qp->log_ring))
		return -EIO;
	/* The place was written before it was posted. */
	dma_rmb();
	return pcisim_dma_read(hca->fn, qp->pages[offset >> MLX5_ADAPTER_PAGE_SHIFT] +
			       offset % MLX5_ADAPTER_PAGE_SIZE, place, sizeof(*place));
}

/* How long the next message may be, -EAGAIN if the receiver is not ready, or -errno. */
int pcisim_hca_qp_room(struct pcisim_hca *hca, u32 number)
{
	struct mlx5_wqe_data_seg place;
	int ret;

	if (!pcisim_hca_qp_sends(hca, number))
		return -EIO;
	ret = qp_next_place(hca, qp_find(hca, qp_find(hca, number)->remote), &place);
	return ret ?: min_t(u32, be32_to_cpu(place.byte_count), INT_MAX);
}

static int qp_deliver(struct pcisim_hca *hca, const struct mlx5_wqe_data_seg *place,
		      const void *message, u32 length)
{
	struct pcisim_hca_mkey *mkey = pcisim_hca_mkey_find(hca, be32_to_cpu(place->lkey));
	u64 offset;

	if (!mkey || length > be32_to_cpu(place->byte_count) ||
	    !pcisim_hca_mkey_offset(mkey, be64_to_cpu(place->addr), length, &offset))
		return -EIO;
	return pcisim_hca_mkey_write(hca, mkey, offset, message, length);
}

/* Send a message to where pcisim_hca_qp_room() found a place. */
int pcisim_hca_qp_send(struct pcisim_hca *hca, u32 number, const void *message, u32 length,
		       u32 immediate)
{
	struct pcisim_hca_qp *qp = qp_find(hca, qp_find(hca, number)->remote);
	struct mlx5_cqe64 cqe = {
		.immediate = cpu_to_be32(immediate),
		.byte_cnt = cpu_to_be32(length),
		.wqe_counter = cpu_to_be16(qp->received),
	};
	struct mlx5_wqe_data_seg place;
	int ret;

	ret = qp_next_place(hca, qp, &place);
	if (!ret)
		ret = qp_deliver(hca, &place, message, length);
	if (ret)
		return ret;
	qp->received++;
	return pcisim_hca_cq_post(hca, qp->cqn, &cqe, MLX5_CQE_RESP_SEND_IMM);
}

/* The completion queue of the other end, 0 if there is none. */
u32 pcisim_hca_qp_remote_cq(struct pcisim_hca *hca, u32 number)
{
	if (!pcisim_hca_qp_sends(hca, number))
		return 0;
	return qp_find(hca, qp_find(hca, number)->remote)->cqn;
}

/* The other end fails. */
void pcisim_hca_qp_fail_remote(struct pcisim_hca *hca, u32 number)
{
	struct mlx5_eqe eqe = { .type = MLX5_EVENT_TYPE_WQ_CATAS_ERROR };

	if (!pcisim_hca_qp_sends(hca, number))
		return;
	eqe.data.qp_srq.type = MLX5_EVENT_QUEUE_TYPE_QP;
	eqe.data.qp_srq.qp_srq_n = cpu_to_be32(qp_find(hca, number)->remote);
	pcisim_hca_eq_async(hca, &eqe);
}

void pcisim_hca_qps_destroy(struct pcisim_hca *hca)
{
	struct pcisim_hca_qp *qp;
	unsigned long number;

	xa_for_each(&hca->tracking.qps, number, qp)
		kvfree(qp);
	xa_destroy(&hca->tracking.qps);
}
