// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue pairs: the firmware's one sends messages, the driver's one receives them.
 *
 * The driver's one has a ring of slots. When all of them are full, the firmware
 * waits until one is posted again: it was told to retry for ever.
 */
#include <linux/cleanup.h>
#include <linux/mlx5/qp.h>
#include <linux/slab.h>

#include "mlx5mig.h"
#include "tracker.h"

/* Messages go in packets of 4096 bytes, as the InfiniBand encoding of sizes has it. */
#define TRACK_MTU_4096		5
/* How often to retry, 7: without end for a receiver that is not ready. */
#define TRACK_RETRIES		7
/* 4.096 us << 8, about a millisecond */
#define TRACK_ACK_TIMEOUT	8
#define TRACK_USER_INDEX	0xffffff

static void track_qp_fill(struct mlx5mig_tracking *tracking, void *qpc)
{
	MLX5_SET(qpc, qpc, st, MLX5_QP_ST_RC);
	MLX5_SET(qpc, qpc, pm_state, MLX5_QP_PM_MIGRATED);
	MLX5_SET(qpc, qpc, pd, tracking->pdn);
	MLX5_SET(qpc, qpc, uar_page, tracking->uar->index);
	MLX5_SET(qpc, qpc, ts_format, mlx5_get_qp_default_ts(tracking->mdev));
	if (MLX5_CAP_GEN(tracking->mdev, cqe_version) == 1)
		MLX5_SET(qpc, qpc, user_index, TRACK_USER_INDEX);
	MLX5_SET(qpc, qpc, no_sq, 1);
}

/* @page: the ring of slots, NULL for a queue pair without one */
static int track_qp_create(struct mlx5mig_tracking *tracking, struct mlx5mig_track_qp *qp,
			   const struct mlx5mig_track_page *page)
{
	size_t length = MLX5_ST_SZ_BYTES(create_qp_in) + (page ? sizeof(__be64) : 0);
	u32 out[MLX5_ST_SZ_DW(create_qp_out)] = {};
	__be64 *pages;
	void *qpc;
	int ret;

	void *in __free(kfree) = kzalloc(length, GFP_KERNEL_ACCOUNT);
	if (!in)
		return -ENOMEM;
	MLX5_SET(create_qp_in, in, opcode, MLX5_CMD_OP_CREATE_QP);
	qpc = MLX5_ADDR_OF(create_qp_in, in, qpc);
	track_qp_fill(tracking, qpc);
	if (page) {
		MLX5_SET(qpc, qpc, rq_type, MLX5_NON_ZERO_RQ);
		MLX5_SET(qpc, qpc, cqn_rcv, tracking->cq.core.cqn);
		/* strides of 16 bytes */
		MLX5_SET(qpc, qpc, log_rq_stride, 0);
		MLX5_SET(qpc, qpc, log_rq_size, MLX5MIG_TRACK_LOG_SLOTS);
		MLX5_SET64(qpc, qpc, dbr_addr, page->record.dma);
		pages = MLX5_ADDR_OF(create_qp_in, in, pas);
		pages[0] = cpu_to_be64(page->dma);
	} else {
		MLX5_SET(qpc, qpc, rq_type, MLX5_ZERO_LEN_RQ);
	}
	ret = mlx5_cmd_exec(tracking->mdev, in, length, out, sizeof(out));
	qp->qpn = MLX5_GET(create_qp_out, out, qpn);
	return mlx5mig_cmd_error(ret);
}

static int track_qp_destroy(struct mlx5mig_tracking *tracking, struct mlx5mig_track_qp *qp)
{
	u32 in[MLX5_ST_SZ_DW(destroy_qp_in)] = {};

	MLX5_SET(destroy_qp_in, in, opcode, MLX5_CMD_OP_DESTROY_QP);
	MLX5_SET(destroy_qp_in, in, qpn, qp->qpn);
	return mlx5_cmd_exec_in(tracking->mdev, destroy_qp, in);
}

/**
 * mlx5mig_track_host_init() - create the queue pair that receives
 * @tracking: the tracking, which has its completion queue
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_host_init(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_qp *qp = &tracking->host;
	int ret;

	static_assert(sizeof(struct mlx5_wqe_data_seg) == MLX5_SEND_WQE_DS);
	ret = mlx5mig_track_page_init(tracking->mdev, &qp->page);
	if (ret)
		return ret;
	ret = track_qp_create(tracking, qp, &qp->page);
	if (ret)
		mlx5mig_track_page_fini(tracking->mdev, &qp->page);
	return ret;
}

/**
 * mlx5mig_track_host_fini() - destroy the queue pair that receives
 * @tracking: the tracking
 */
void mlx5mig_track_host_fini(struct mlx5mig_tracking *tracking)
{
	/* Else the adapter may still read the ring: never reuse it. */
	if (!track_qp_destroy(tracking, &tracking->host))
		mlx5mig_track_page_fini(tracking->mdev, &tracking->host.page);
}

/**
 * mlx5mig_track_firmware_init() - create the queue pair that sends
 * @tracking: the tracking
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_firmware_init(struct mlx5mig_tracking *tracking)
{
	return track_qp_create(tracking, &tracking->firmware, NULL);
}

/**
 * mlx5mig_track_firmware_fini() - destroy the queue pair that sends
 * @tracking: the tracking, whose firmware object is gone
 */
void mlx5mig_track_firmware_fini(struct mlx5mig_tracking *tracking)
{
	track_qp_destroy(tracking, &tracking->firmware);
}

/**
 * mlx5mig_track_post() - post the next slot of the ring
 * @tracking: the tracking; the message in that slot, if any, was taken
 */
void mlx5mig_track_post(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_memory *memory = &tracking->memory;
	struct mlx5mig_track_qp *qp = &tracking->host;
	unsigned int slot = qp->posted % MLX5MIG_TRACK_SLOTS;
	struct mlx5_wqe_data_seg *ring = qp->page.memory;

	ring[slot] = (struct mlx5_wqe_data_seg) {
		.byte_count = cpu_to_be32(BIT(memory->log_slot)),
		.lkey = cpu_to_be32(memory->mkey),
		.addr = cpu_to_be64((u64)slot << memory->log_slot),
	};
	qp->posted++;
	/* The adapter reads the slot once it sees the new count. */
	dma_wmb();
	WRITE_ONCE(qp->page.record.db[MLX5_RCV_DBR], cpu_to_be32(qp->posted));
}

static int track_qp_to_init(struct mlx5mig_tracking *tracking, struct mlx5mig_track_qp *qp)
{
	u32 in[MLX5_ST_SZ_DW(rst2init_qp_in)] = {};
	void *qpc = MLX5_ADDR_OF(rst2init_qp_in, in, qpc);

	MLX5_SET(rst2init_qp_in, in, opcode, MLX5_CMD_OP_RST2INIT_QP);
	MLX5_SET(rst2init_qp_in, in, qpn, qp->qpn);
	MLX5_SET(qpc, qpc, primary_address_path.vhca_port_num, 1);
	MLX5_SET(qpc, qpc, pm_state, MLX5_QP_PM_MIGRATED);
	MLX5_SET(qpc, qpc, rre, 1);
	MLX5_SET(qpc, qpc, rwe, 1);
	return mlx5_cmd_exec_in(tracking->mdev, rst2init_qp, in);
}

static int track_qp_to_receive(struct mlx5mig_tracking *tracking, struct mlx5mig_track_qp *qp,
			       const struct mlx5mig_track_qp *remote)
{
	u32 in[MLX5_ST_SZ_DW(init2rtr_qp_in)] = {};
	void *qpc = MLX5_ADDR_OF(init2rtr_qp_in, in, qpc);

	MLX5_SET(init2rtr_qp_in, in, opcode, MLX5_CMD_OP_INIT2RTR_QP);
	MLX5_SET(init2rtr_qp_in, in, qpn, qp->qpn);
	MLX5_SET(qpc, qpc, mtu, TRACK_MTU_4096);
	MLX5_SET(qpc, qpc, log_msg_max, MLX5_CAP_GEN(tracking->mdev, log_max_msg));
	MLX5_SET(qpc, qpc, remote_qpn, remote->qpn);
	MLX5_SET(qpc, qpc, primary_address_path.vhca_port_num, 1);
	/* both ends are on this adapter */
	MLX5_SET(qpc, qpc, primary_address_path.fl, 1);
	MLX5_SET(qpc, qpc, min_rnr_nak, 1);
	return mlx5_cmd_exec_in(tracking->mdev, init2rtr_qp, in);
}

static int track_qp_to_send(struct mlx5mig_tracking *tracking, struct mlx5mig_track_qp *qp)
{
	u32 in[MLX5_ST_SZ_DW(rtr2rts_qp_in)] = {};
	void *qpc = MLX5_ADDR_OF(rtr2rts_qp_in, in, qpc);

	MLX5_SET(rtr2rts_qp_in, in, opcode, MLX5_CMD_OP_RTR2RTS_QP);
	MLX5_SET(rtr2rts_qp_in, in, qpn, qp->qpn);
	MLX5_SET(qpc, qpc, retry_count, TRACK_RETRIES);
	MLX5_SET(qpc, qpc, rnr_retry, TRACK_RETRIES);
	MLX5_SET(qpc, qpc, primary_address_path.ack_timeout, TRACK_ACK_TIMEOUT);
	return mlx5_cmd_exec_in(tracking->mdev, rtr2rts_qp, in);
}

/**
 * mlx5mig_track_connect() - let messages flow
 * @tracking: the tracking, which has its queue pairs and memory
 *
 * The driver's queue pair never sends, so it stops where it can receive.
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_connect(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_qp *firmware = &tracking->firmware;
	struct mlx5mig_track_qp *host = &tracking->host;
	int ret;

	ret = track_qp_to_init(tracking, host);
	for (unsigned int i = 0; !ret && i < MLX5MIG_TRACK_SLOTS; i++)
		mlx5mig_track_post(tracking);
	if (!ret)
		ret = track_qp_to_receive(tracking, host, firmware);
	if (!ret)
		ret = track_qp_to_init(tracking, firmware);
	if (!ret)
		ret = track_qp_to_receive(tracking, firmware, host);
	if (!ret)
		ret = track_qp_to_send(tracking, firmware);
	return mlx5mig_cmd_error(ret);
}
