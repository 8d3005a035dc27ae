// SPDX-License-Identifier: GPL-2.0-only
/*
 * The completion queue, and what messages say.
 *
 * It has as many entries as there are slots, and a slot is posted again only after
 * its entry was consumed: it cannot overflow. What an entry claims is checked
 * before it is used; what is wrong with one casts doubt on the whole record.
 */
#include <linux/cleanup.h>
#include <linux/mlx5/cq.h>
#include <linux/slab.h>

#include "mlx5mig.h"
#include "tracker.h"

/* Where in the immediate data the state of the firmware's tracker is. */
#define TRACK_STATE_SHIFT	28

static struct mlx5mig_tracking *tracking_of_cq(struct mlx5_core_cq *core)
{
	return container_of(core, struct mlx5mig_tracking, cq.core);
}

/* Context: hard interrupt */
static void track_cq_completed(struct mlx5_core_cq *core, struct mlx5_eqe *eqe)
{
	mlx5mig_tracker_wake(tracking_of_cq(core)->tracker);
}

/* Context: hard interrupt */
static void track_cq_event(struct mlx5_core_cq *core, enum mlx5_event event)
{
	if (event == MLX5_EVENT_TYPE_CQ_ERROR)
		mlx5mig_tracker_lose(tracking_of_cq(core)->tracker);
}

static int track_cq_create(struct mlx5mig_tracking *tracking)
{
	size_t length = MLX5_ST_SZ_BYTES(create_cq_in) + sizeof(__be64);
	struct mlx5mig_track_cq *cq = &tracking->cq;
	struct mlx5_core_dev *mdev = tracking->mdev;
	u32 out[MLX5_ST_SZ_DW(create_cq_out)];
	int vector, eqn, ret;
	__be64 *pages;
	void *cqc;

	vector = raw_smp_processor_id() % mlx5_comp_vectors_max(mdev);
	ret = mlx5_comp_eqn_get(mdev, vector, &eqn);
	if (ret)
		return ret;

	void *in __free(kfree) = kzalloc(length, GFP_KERNEL_ACCOUNT);
	if (!in)
		return -ENOMEM;
	cqc = MLX5_ADDR_OF(create_cq_in, in, cq_context);
	MLX5_SET(cqc, cqc, cqe_sz, CQE_STRIDE_64);
	MLX5_SET(cqc, cqc, log_cq_size, MLX5MIG_TRACK_LOG_SLOTS);
	MLX5_SET(cqc, cqc, c_eqn_or_apu_element, eqn);
	MLX5_SET(cqc, cqc, uar_page, tracking->uar->index);
	MLX5_SET64(cqc, cqc, dbr_addr, cq->page.record.dma);
	pages = MLX5_ADDR_OF(create_cq_in, in, pas);
	pages[0] = cpu_to_be64(cq->page.dma);
	return mlx5_core_create_cq(mdev, &cq->core, in, length, out, sizeof(out));
}

static struct mlx5_cqe64 *track_cqe(struct mlx5mig_track_cq *cq, u32 index)
{
	struct mlx5_cqe64 *entries = cq->page.memory;

	return &entries[index % MLX5MIG_TRACK_SLOTS];
}

static void track_cq_arm(struct mlx5mig_tracking *tracking)
{
	struct mlx5_core_cq *core = &tracking->cq.core;

	mlx5_cq_arm(core, MLX5_CQ_DB_REQ_NOT, tracking->uar->map, core->cons_index);
}

/**
 * mlx5mig_track_cq_init() - create the completion queue
 * @tracking: the tracking
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_cq_init(struct mlx5mig_tracking *tracking)
{
	struct mlx5mig_track_cq *cq = &tracking->cq;
	int ret;

	static_assert(MLX5MIG_TRACK_SLOTS * sizeof(struct mlx5_cqe64) <= MLX5_ADAPTER_PAGE_SIZE);
	ret = mlx5mig_track_page_init(tracking->mdev, &cq->page);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < MLX5MIG_TRACK_SLOTS; i++)
		track_cqe(cq, i)->op_own = MLX5_CQE_INVALID << 4;
	cq->core.cqe_sz = sizeof(struct mlx5_cqe64);
	cq->core.set_ci_db = &cq->page.record.db[0];
	cq->core.arm_db = &cq->page.record.db[1];
	cq->core.comp = track_cq_completed;
	cq->core.event = track_cq_event;
	ret = mlx5mig_cmd_error(track_cq_create(tracking));
	if (ret)
		mlx5mig_track_page_fini(tracking->mdev, &cq->page);
	return ret;
}

/**
 * mlx5mig_track_cq_fini() - destroy the completion queue
 * @tracking: the tracking
 */
void mlx5mig_track_cq_fini(struct mlx5mig_tracking *tracking)
{
	tracking->cq.leaked = mlx5_core_destroy_cq(tracking->mdev, &tracking->cq.core);
	if (!tracking->cq.leaked)
		mlx5mig_track_page_fini(tracking->mdev, &tracking->cq.page);
}

/* The next entry if the adapter has written it, which its owner bit tells. */
static struct mlx5_cqe64 *track_cq_peek(struct mlx5mig_track_cq *cq)
{
	struct mlx5_cqe64 *cqe = track_cqe(cq, cq->core.cons_index);
	u8 pass = cq->core.cons_index >> MLX5MIG_TRACK_LOG_SLOTS & MLX5_CQE_OWNER_MASK;
	u8 own = READ_ONCE(cqe->op_own);

	if (own >> 4 == MLX5_CQE_INVALID || (own & MLX5_CQE_OWNER_MASK) != pass)
		return NULL;
	/* The rest of the entry, and the message, were written before. */
	dma_rmb();
	return cqe;
}

/* Messages fill the slots in their order. */
static bool track_cqe_plausible(struct mlx5mig_tracking *tracking, struct mlx5_cqe64 *cqe,
				const struct mlx5mig_track_message *message)
{
	u32 bytes = be32_to_cpu(cqe->byte_cnt);

	return get_cqe_opcode(cqe) == MLX5_CQE_RESP_SEND_IMM &&
	       be16_to_cpu(cqe->wqe_counter) == (u16)tracking->cq.core.cons_index &&
	       bytes <= message->room && !(bytes % sizeof(__be64));
}

static int track_cqe_read(struct mlx5mig_tracking *tracking, struct mlx5_cqe64 *cqe,
			  struct mlx5mig_track_message *message)
{
	unsigned int slot = tracking->cq.core.cons_index % MLX5MIG_TRACK_SLOTS;
	u32 bytes = be32_to_cpu(cqe->byte_cnt);

	if (!track_cqe_plausible(tracking, cqe, message))
		return -EIO;
	switch (be32_to_cpu(cqe->immediate) >> TRACK_STATE_SHIFT) {
	case MLX5_PAGE_TRACK_STATE_REPORTING:
		message->last = false;
		break;
	case MLX5_PAGE_TRACK_STATE_TRACKING:
		message->last = true;
		break;
	default:
		return -EIO;
	}
	message->count = bytes / sizeof(__be64);
	/* A report makes progress with every message but the last. */
	if (!message->count && !message->last)
		return -EIO;
	memcpy(message->addresses, tracking->memory.slot[slot], bytes);
	return 0;
}

/**
 * mlx5mig_track_receive() - take the next message
 * @tracking: the tracking
 * @message: what it says
 *
 * Return: 0; -EAGAIN if there is none yet, the tracker will be woken then; -EIO if
 * the message makes no sense or the firmware has lost pages.
 */
int mlx5mig_track_receive(struct mlx5mig_tracking *tracking, struct mlx5mig_track_message *message)
{
	struct mlx5mig_track_cq *cq = &tracking->cq;
	struct mlx5_cqe64 *cqe;
	int ret;

	lockdep_assert_held(&tracking->tracker->lock);
	cqe = track_cq_peek(cq);
	if (!cqe) {
		/* Look again after arming: what came before it is not told. */
		WRITE_ONCE(tracking->tracker->woken, false);
		track_cq_arm(tracking);
		cqe = track_cq_peek(cq);
		if (!cqe)
			return -EAGAIN;
	}
	ret = track_cqe_read(tracking, cqe, message);
	if (ret)
		return ret;
	cq->core.cons_index++;
	mlx5_cq_set_ci(&cq->core);
	mlx5mig_track_post(tracking);
	return 0;
}
