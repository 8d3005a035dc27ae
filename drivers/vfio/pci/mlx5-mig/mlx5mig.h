/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of mlx5-vfio-mig share.
 *
 * A VF has no channel of its own for migration: every command goes through the
 * command interface of its PF, which mlx5_core drives, and names the VF by its
 * VHCA id. So the DMA of images is the PF's as well.
 *
 * Lifetime of the PF. pci_disable_sriov() waits for mlx5mig_remove(), and
 * mlx5_core calls it before it frees struct mlx5_core_dev: the pointer is valid
 * from mlx5mig_init() to mlx5mig_remove(). Whether commands can be issued is
 * another question. mlx5_core announces with DISABLE_VF that it takes the VF out
 * of service; vfio_mig_detach() then waits for the running op, ends the session
 * while commands still work, and lets no op run until ENABLE_VF.
 *
 * Locks, outermost first::
 *
 *	device_lock of the VF (probe, remove)
 *	  PF: devlink lock, intf_state_mutex (mlx5_vf_get_core_dev())
 *	    PF: the VF's notifier chain (held while mlx5mig_pf_event() runs)
 *	      vfio_mig guard
 *	        firmware commands
 *	      mlx5mig_tracker::lock, see tracker.h
 *	        vfio_mig guard
 *
 * An op runs under the guard, or within a session, whose end the guard's holder
 * waits for. So no op may call mlx5_vf_get_core_dev() or change the notifier.
 */
#ifndef MLX5MIG_H
#define MLX5MIG_H

#include <linux/dma-direction.h>
#include <linux/mlx5/device.h>
#include <linux/mlx5/driver.h>
#include <linux/notifier.h>
#include <linux/sizes.h>
#include <linux/vfio_pci_mig.h>
#include <linux/workqueue.h>

#include "tracker.h"

/* SAVE and LOAD take the size of an image as 32 bits, and memory as whole pages. */
#define MLX5MIG_MAX_IMAGE	ALIGN_DOWN((u64)U32_MAX, PAGE_SIZE)

/* Memory that is prepared for an image of which nothing has arrived yet, at most. */
#define MLX5MIG_MAX_PREPARED	SZ_512M

/* Bounds of what is believed of the firmware: a chunk, and all of them together. */
#define MLX5MIG_MAX_CHUNK	SZ_256M
#define MLX5MIG_MAX_STATE	BIT_ULL(40)

struct mlx5mig_session;

/**
 * struct mlx5mig_device - a VF
 * @core: the VFIO side; first
 * @mdev: the PF, NULL if the VF cannot migrate; constant after mlx5mig_init()
 * @vf_id: index of the VF; constant
 * @chunked: the firmware hands out an image in pieces; constant
 * @tells_reinit: the firmware tells that the VF was configured anew; constant
 * @pf_events: tells when the PF takes the VF out of service and back
 * @tracker: dirty tracking
 * @level: what the firmware was last told; vfio_mig guard
 * @tracking: the firmware may be tracking changes of the VF; by turns of the
 *	session that saves, else vfio_mig guard
 * @saving: the session that saves, or NULL; written under the vfio_mig guard,
 *	read under it or within that session
 * @identified: @vhca_id is valid; vfio_mig guard
 * @vhca_id: how commands name the VF. Written under the vfio_mig guard while
 *	there is no session, and may be read within one
 */
struct mlx5mig_device {
	struct vfio_pci_mig_device core;
	struct mlx5_core_dev *mdev;
	int vf_id;
	bool chunked;
	bool tells_reinit;
	struct notifier_block pf_events;
	struct mlx5mig_tracker tracker;
	enum vfio_mig_run_level level;
	bool tracking;
	struct mlx5mig_session *saving;
	bool identified;
	u16 vhca_id;
};

static inline struct mlx5mig_device *to_mlx5mig(struct vfio_mig *mig)
{
	return container_of(mig, struct mlx5mig_device, core.mig);
}

static inline u16 mlx5mig_vport(const struct mlx5mig_device *dev)
{
	return dev->vf_id + 1;
}

/**
 * struct mlx5mig_buffer - memory that the firmware can reach
 * @base: the pages; first
 * @mkey: names the pages in commands
 */
struct mlx5mig_buffer {
	struct vfio_mig_buf base;
	u32 mkey;
};

static inline struct mlx5mig_buffer *to_mlx5mig_buffer(struct vfio_mig_buf *buf)
{
	return container_of(buf, struct mlx5mig_buffer, base);
}

/**
 * struct mlx5mig_mkey - a key that is being made
 * @in: the command
 * @length: bytes of it
 * @addresses: in it, of each page
 */
struct mlx5mig_mkey {
	void *in;
	size_t length;
	__be64 *addresses;
};

/* What kind of image QUERY and SAVE are about. */
#define MLX5MIG_INCREMENTAL	BIT(0)	/* what the last image left over, or has changed since */
#define MLX5MIG_TRACK		BIT(1)	/* SAVE: remember what changes from now on */

/**
 * struct mlx5mig_pending - answer to QUERY
 * @required: bytes of memory that the next SAVE needs, 0 if there is nothing
 * @total: bytes of all images up to the last one
 * @reinit: the VF was configured anew, and not saved since
 */
struct mlx5mig_pending {
	u32 required;
	u64 total;
	bool reinit;
};

/**
 * struct mlx5mig_save - a SAVE command, and what is known of those to come
 * @async: counts the command while it is in flight
 * @work: mlx5_core's part of the command in flight
 * @ask: asks the firmware what comes next, and goes on with that
 * @buf: what the command fills
 * @in: its input, kept for the report of an error
 * @out: its output
 * @flags: MLX5MIG_ flags of the next SAVE
 * @final: the VF is stopped
 * @asks: @required has to be asked for before the next SAVE
 * @exhausted: there is no pre-copy data any more, see precopy.c
 * @reinit_told: the user knows that the VF was configured anew, and it was not
 *	saved since
 * @required: bytes of memory that the next SAVE needs, 0 if nothing is left
 * @left: bytes that are left of the state or, while the VF runs, of the pass
 * @first: how many of them are initial data
 * @announced: size of an image that the stream has announced so far
 *
 * One thing at a time happens of save_begin(), save_next(), @ask, the completion
 * of the command, and estimate(). So there is no lock.
 */
struct mlx5mig_save {
	struct mlx5_async_ctx async;
	struct mlx5_async_work work;
	struct work_struct ask;
	struct vfio_mig_buf *buf;
	u32 in[MLX5_ST_SZ_DW(save_vhca_state_in)];
	u32 out[MLX5_ST_SZ_DW(save_vhca_state_out)];
	u32 flags;
	bool final;
	bool asks;
	bool exhausted;
	bool reinit_told;
	u32 required;
	u64 left;
	u64 first;
	u64 announced;
};

/**
 * struct mlx5mig_session - what belongs to one data FD
 * @dev: the VF; constant
 * @stream: the library's part; constant
 * @pdn: protection domain of the session's buffers; constant
 * @direction: of the DMA; constant after save_begin() or load_begin()
 * @save: the save side
 */
struct mlx5mig_session {
	struct mlx5mig_device *dev;
	struct vfio_mig_stream *stream;
	u32 pdn;
	enum dma_data_direction direction;
	struct mlx5mig_save save;
};

/* capability.c */
bool mlx5mig_can_migrate(struct mlx5mig_device *dev);
int mlx5mig_identify(struct mlx5mig_device *dev);

/* pf.c */
int mlx5mig_pf_watch(struct mlx5mig_device *dev);
void mlx5mig_pf_unwatch(struct mlx5mig_device *dev);

/* level.c */
int mlx5mig_suspend(struct vfio_mig *mig, enum vfio_mig_run_level to);
int mlx5mig_resume(struct vfio_mig *mig, enum vfio_mig_run_level to);
void mlx5mig_reset(struct vfio_mig *mig);

/* session.c */
int mlx5mig_stream_init(struct vfio_mig_stream *st);
void mlx5mig_stream_fini(struct vfio_mig_stream *st);

/* image.c */
u64 mlx5mig_image_bytes(u64 payload, u32 required);
u64 mlx5mig_stream_bytes(const struct mlx5mig_pending *pending);
int mlx5mig_record_size(struct mlx5mig_device *dev, const struct mlx5mig_pending *pending,
			bool final, u64 *size);

/* precopy.c */
int mlx5mig_precopy_query(struct mlx5mig_session *session, struct mlx5mig_pending *pending);
bool mlx5mig_precopy_pauses(struct mlx5mig_session *session);
int mlx5mig_precopy_next(struct mlx5mig_session *session);
void mlx5mig_precopy_saved(struct mlx5mig_session *session);
void mlx5mig_precopy_exhausted(struct mlx5mig_session *session);
void mlx5mig_precopy_end(struct mlx5mig_device *dev);
int mlx5mig_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate);

/* save.c */
void mlx5mig_save_ask(struct work_struct *work);
int mlx5mig_save_prepare(struct vfio_mig_stream *st);
int mlx5mig_save_begin(struct vfio_mig_stream *st, bool final);
void mlx5mig_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void mlx5mig_save_end(struct vfio_mig_stream *st, bool abort);

/* load.c */
int mlx5mig_load_begin(struct vfio_mig_stream *st);
int mlx5mig_expect(struct vfio_mig_stream *st, u64 size);
int mlx5mig_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf);

/* mkey.c */
int mlx5mig_mkey_begin(struct mlx5mig_mkey *mkey, unsigned int pages, u8 page_shift, u64 length,
		       u32 pdn);
int mlx5mig_mkey_create(struct mlx5_core_dev *mdev, struct mlx5mig_mkey *mkey, u32 *key);

/* buffer.c */
int mlx5mig_buf_init(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void mlx5mig_buf_fini(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);

/* command.c */
int mlx5mig_cmd_error(int err);
int mlx5mig_cmd_suspend(struct mlx5mig_device *dev, u16 what);
int mlx5mig_cmd_resume(struct mlx5mig_device *dev, u16 what);
int mlx5mig_cmd_query(struct mlx5mig_device *dev, u32 flags, struct mlx5mig_pending *pending);
int mlx5mig_cmd_load(struct mlx5mig_device *dev, u32 mkey, u32 length);
int mlx5mig_cmd_save(struct mlx5mig_device *dev, struct mlx5mig_save *save,
		     mlx5_async_cbk_t done);
int mlx5mig_cmd_save_result(struct mlx5mig_save *save, int status);
void mlx5mig_cmd_untrack(struct mlx5mig_device *dev);

#endif /* MLX5MIG_H */
