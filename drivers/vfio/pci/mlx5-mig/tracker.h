/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dirty tracking: the firmware records which pages a VF writes by DMA, and sends
 * their addresses as messages to a queue pair of the driver when it is asked for.
 *
 * struct mlx5mig_tracker belongs to the VF and stays; struct mlx5mig_tracking is
 * everything that exists from START to STOP, in memory and in the firmware.
 *
 * A page that was written is reported, or REPORT fails. Whatever casts doubt on
 * the firmware's record sets @failed, which only the next START clears.
 *
 * Locks::
 *
 *	mlx5mig_tracker::report_lock    one report at a time. Held over accesses to
 *	                                user memory, so only reports take it
 *	  mlx5mig_tracker::lock         @tracking and all in it. Not held while a
 *	                                report waits or touches user memory
 *	    vfio_mig guard              START only
 *	      firmware commands
 *
 * So nothing that ends the tracking, and no change of the migration state, waits
 * for a report. Nobody takes mlx5mig_tracker::lock under the vfio_mig guard.
 */
#ifndef MLX5MIG_TRACKER_H
#define MLX5MIG_TRACKER_H

#include <linux/mlx5/cq.h>
#include <linux/mlx5/device.h>
#include <linux/mlx5/driver.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>

struct iova_bitmap;
struct mlx5mig_device;
struct mlx5mig_tracker;
struct rb_root_cached;
struct vfio_log_ops;

/* As many messages fit between two looks of the driver; more wait in the firmware. */
#define MLX5MIG_TRACK_LOG_SLOTS		4
#define MLX5MIG_TRACK_SLOTS		BIT(MLX5MIG_TRACK_LOG_SLOTS)

/* Size of a message, as far as the firmware leaves a choice, and what is accepted. */
#define MLX5MIG_TRACK_LOG_MESSAGE	16
#define MLX5MIG_TRACK_LOG_MIN_MESSAGE	12
#define MLX5MIG_TRACK_LOG_MAX_MESSAGE	20

/* What pg_track_max_num_range can say at most. */
#define MLX5MIG_TRACK_MAX_RANGES	255

/**
 * struct mlx5mig_track_range - addresses that are tracked, whole pages
 * @start: the first byte
 * @last: the last byte
 */
struct mlx5mig_track_range {
	u64 start;
	u64 last;
};

/**
 * struct mlx5mig_track_ranges - all that is tracked
 * @page_shift: log2 of the size of a page
 * @log_space: log2 of the bytes of all ranges together, rounded up
 * @count: number of ranges
 * @range: ascending, with gaps between them
 */
struct mlx5mig_track_ranges {
	u8 page_shift;
	u8 log_space;
	unsigned int count;
	struct mlx5mig_track_range range[MLX5MIG_TRACK_MAX_RANGES];
};

/**
 * struct mlx5mig_track_page - one page of the adapter's size that it walks round
 * @memory: the page
 * @dma: its address for the PF
 * @record: doorbell record, where the adapter finds how far the driver is
 */
struct mlx5mig_track_page {
	void *memory;
	dma_addr_t dma;
	struct mlx5_db record;
};

/**
 * struct mlx5mig_track_memory - where messages arrive
 * @log_slot: log2 of the size of a slot, which is that of the largest message
 * @slot: the slots
 * @dma: their addresses for the PF
 * @mkey: names them, one behind the other, to the adapter
 */
struct mlx5mig_track_memory {
	u8 log_slot;
	__be64 *slot[MLX5MIG_TRACK_SLOTS];
	dma_addr_t dma[MLX5MIG_TRACK_SLOTS];
	u32 mkey;
};

/**
 * struct mlx5mig_track_cq - completion queue: one entry for each message
 * @core: mlx5_core's part
 * @page: the entries
 * @leaked: the firmware may still use it
 */
struct mlx5mig_track_cq {
	struct mlx5_core_cq core;
	struct mlx5mig_track_page page;
	bool leaked;
};

/**
 * struct mlx5mig_track_qp - a queue pair
 * @qpn: its number
 * @page: the slots that messages may go to next; not in the firmware's queue pair
 * @posted: number of slots posted so far
 */
struct mlx5mig_track_qp {
	u32 qpn;
	struct mlx5mig_track_page page;
	u16 posted;
};

/**
 * struct mlx5mig_tracking - from START to STOP; &mlx5mig_tracker.lock
 * @tracker: the VF's tracker; constant
 * @mdev: the PF; constant
 * @vhca_id: how commands name the VF; constant
 * @ranges: what is tracked; constant
 * @uar: page of doorbell registers
 * @pdn: protection domain
 * @memory: where messages arrive
 * @cq: tells that they have
 * @host: the queue pair that receives them
 * @firmware: the queue pair that sends them
 * @queue_events: errors of the queue pairs, changes of the object
 * @device_events: errors of the PF
 * @object: number of the firmware's tracker
 */
struct mlx5mig_tracking {
	struct mlx5mig_tracker *tracker;
	struct mlx5_core_dev *mdev;
	u16 vhca_id;
	struct mlx5mig_track_ranges ranges;
	struct mlx5_uars_page *uar;
	u32 pdn;
	struct mlx5mig_track_memory memory;
	struct mlx5mig_track_cq cq;
	struct mlx5mig_track_qp host;
	struct mlx5mig_track_qp firmware;
	struct mlx5_nb queue_events;
	struct notifier_block device_events;
	u32 object;
};

/**
 * struct mlx5mig_tracker - dirty tracking of a VF
 * @report_lock: one report at a time
 * @lock: protects everything up to @wait
 * @tracking: what there is while the VF is tracked, or NULL
 * @generation: number of STARTs so far, to tell them apart
 * @detached: the PF has taken the VF out of service
 * @wait: where a report waits for messages
 * @failed: pages may have been lost; lockless
 * @woken: something has happened since a report looked last; lockless
 * @changed: likewise to the firmware's tracker; lockless
 */
struct mlx5mig_tracker {
	struct mutex report_lock; /* one report at a time */
	struct mutex lock; /* the tracking */
	struct mlx5mig_tracking *tracking;
	u64 generation;
	bool detached;
	wait_queue_head_t wait;
	bool failed;
	bool woken;
	bool changed;
};

/**
 * struct mlx5mig_track_message - what a message says
 * @room: bytes that fit behind @addresses
 * @count: number of addresses
 * @last: the report ends with this message
 * @addresses: dirty pages
 */
struct mlx5mig_track_message {
	size_t room;
	unsigned int count;
	bool last;
	__be64 *addresses;
};

extern const struct vfio_log_ops mlx5mig_log_ops;

/* tracker.c */
bool mlx5mig_tracker_supported(struct mlx5mig_device *dev);
void mlx5mig_tracker_init(struct mlx5mig_tracker *tracker);
void mlx5mig_tracker_close(struct mlx5mig_tracker *tracker);
void mlx5mig_tracker_detach(struct mlx5mig_tracker *tracker);
void mlx5mig_tracker_attach(struct mlx5mig_tracker *tracker);
void mlx5mig_tracker_lose(struct mlx5mig_tracker *tracker);
void mlx5mig_tracker_wake(struct mlx5mig_tracker *tracker);

/* tracker_report.c */
int mlx5mig_tracker_report(struct mlx5mig_tracker *tracker, unsigned long iova,
			   unsigned long length, struct iova_bitmap *dirty);

/* tracker_ranges.c */
int mlx5mig_track_plan(struct mlx5mig_tracking *tracking, struct rb_root_cached *requested,
		       u32 count, u64 page_size);
bool mlx5mig_track_covers(const struct mlx5mig_track_ranges *ranges, u64 start, u64 last);

/* tracker_begin.c */
int mlx5mig_tracking_begin(struct mlx5mig_tracking *tracking);
void mlx5mig_tracking_end(struct mlx5mig_tracking *tracking);

/* tracker_memory.c */
int mlx5mig_track_page_init(struct mlx5_core_dev *mdev, struct mlx5mig_track_page *page);
void mlx5mig_track_page_fini(struct mlx5_core_dev *mdev, struct mlx5mig_track_page *page);
int mlx5mig_track_memory_init(struct mlx5mig_tracking *tracking);
void mlx5mig_track_memory_fini(struct mlx5mig_tracking *tracking);

/* tracker_cq.c */
int mlx5mig_track_cq_init(struct mlx5mig_tracking *tracking);
void mlx5mig_track_cq_fini(struct mlx5mig_tracking *tracking);
int mlx5mig_track_receive(struct mlx5mig_tracking *tracking,
			  struct mlx5mig_track_message *message);

/* tracker_qp.c */
int mlx5mig_track_host_init(struct mlx5mig_tracking *tracking);
void mlx5mig_track_host_fini(struct mlx5mig_tracking *tracking);
int mlx5mig_track_firmware_init(struct mlx5mig_tracking *tracking);
void mlx5mig_track_firmware_fini(struct mlx5mig_tracking *tracking);
int mlx5mig_track_connect(struct mlx5mig_tracking *tracking);
void mlx5mig_track_post(struct mlx5mig_tracking *tracking);

/* tracker_event.c */
int mlx5mig_track_watch(struct mlx5mig_tracking *tracking);
void mlx5mig_track_unwatch(struct mlx5mig_tracking *tracking);

/* tracker_object.c */
int mlx5mig_track_object_create(struct mlx5mig_tracking *tracking);
void mlx5mig_track_object_destroy(struct mlx5mig_tracking *tracking);
int mlx5mig_track_object_report(struct mlx5mig_tracking *tracking, u64 start, u64 length);
int mlx5mig_track_object_check(struct mlx5mig_tracking *tracking);

#endif /* MLX5MIG_TRACKER_H */
