/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracking of the pages that VFs write: completion queues, queue pairs, and the
 * trackers that send their reports through them.
 *
 * Only the PF's thread creates, uses and destroys any of them. What VFs write is
 * recorded by their threads, so pcisim_hca_tracking::lock protects which trackers
 * there are, their states and what they have recorded. It is taken inside
 * pcisim_hca_vhca::lock, and inside it nothing is.
 */
#ifndef PCISIM_HCA_TRACKER_H
#define PCISIM_HCA_TRACKER_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

#define HCA_TRACKERS		7
#define HCA_LOG_MAX_SPACE	52
#define HCA_LOG_MIN_MESSAGE	12
#define HCA_LOG_MAX_MESSAGE	16

/* What happens to the next message of a report; once. */
enum pcisim_hca_track_fault {
	HCA_TRACK_FAULT_NONE,
	HCA_TRACK_FAULT_TRACKER,		/* the tracker fails, and says so */
	HCA_TRACK_FAULT_SILENT,			/* the tracker fails, and says nothing */
	HCA_TRACK_FAULT_CQ,			/* an error of the completion queue */
	HCA_TRACK_FAULT_QP,			/* an error of the queue pair */
	HCA_TRACK_FAULT_EVENT,			/* a message that nobody is told of */
	HCA_TRACK_FAULT_ADDRESS,		/* a page that was not asked for */
	HCA_TRACK_FAULTS
};

struct dentry;
struct mlx5_cqe64;
struct pcisim_hca;
struct pcisim_hca_cmd;
struct pcisim_hca_tracker;
struct pcisim_hca_vhca;

struct pcisim_hca_tracking {
	struct xarray cqs;
	struct xarray qps;

	struct mutex lock;			/* see the top of this file */
	struct pcisim_hca_tracker *trackers[HCA_TRACKERS];
	u32 last_id;

	/* debugfs; each stands alone */
	u8 max_ranges;				/* 0: the firmware cannot track */
	u8 log_max_message;
	u8 log_min_page;
	u8 log_max_page;
	bool stall;
	u8 fault;				/* enum pcisim_hca_track_fault */
};

/* cq.c */
u8 pcisim_hca_create_cq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_destroy_cq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
bool pcisim_hca_cq_use(struct pcisim_hca *hca, u32 number, int change);
int pcisim_hca_cq_post(struct pcisim_hca *hca, u32 number, struct mlx5_cqe64 *cqe, u8 opcode);
void pcisim_hca_cq_notify(struct pcisim_hca *hca, u32 number);
void pcisim_hca_cq_fail(struct pcisim_hca *hca, u32 number);
void pcisim_hca_cqs_destroy(struct pcisim_hca *hca);

/* qp.c */
u8 pcisim_hca_create_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_destroy_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_rst2init_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_init2rtr_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_rtr2rts_qp(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
bool pcisim_hca_qp_sends(struct pcisim_hca *hca, u32 number);
bool pcisim_hca_qp_use(struct pcisim_hca *hca, u32 number, int change);
int pcisim_hca_qp_room(struct pcisim_hca *hca, u32 number);
int pcisim_hca_qp_send(struct pcisim_hca *hca, u32 number, const void *message, u32 length,
		       u32 immediate);
u32 pcisim_hca_qp_remote_cq(struct pcisim_hca *hca, u32 number);
void pcisim_hca_qp_fail_remote(struct pcisim_hca *hca, u32 number);
void pcisim_hca_qps_destroy(struct pcisim_hca *hca);

/* tracker.c */
u8 pcisim_hca_create_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_modify_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_query_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_destroy_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
void pcisim_hca_tracking_init(struct pcisim_hca *hca);
void pcisim_hca_trackers_destroy(struct pcisim_hca *hca);
int pcisim_hca_dma_write(struct pcisim_hca_vhca *vhca, u64 iova, const void *from, size_t len);

/* report.c */
unsigned int pcisim_hca_trackers_run(struct pcisim_hca *hca);

/* track_debugfs.c */
void pcisim_hca_track_debugfs(struct pcisim_hca *hca, struct dentry *dir);
void pcisim_hca_touch_debugfs(struct pcisim_hca_vhca *vhca, struct dentry *dir);

#endif /* PCISIM_HCA_TRACKER_H */
