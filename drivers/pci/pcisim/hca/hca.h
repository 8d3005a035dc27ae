/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of pcisim-hca share.
 *
 * A struct pcisim_hca is the firmware as the driver of one function sees it. A struct
 * pcisim_hca_vhca is a VF in the eyes of the PF: its engine, its bulk state, and what
 * its own driver has made in the firmware, which is all that migrates.
 *
 * Lock order:
 *   pcisim_hca::lock of a PF   which VHCAs exist and which functions are enabled;
 *                              held for a whole command, so that no VHCA goes away
 *                              under it
 *     pcisim_hca_vhca::lock    everything that a reset of the VF changes, and all of
 *                              the firmware that its driver sees; held over the VF's
 *                              DMA, so that a SUSPEND waits for it
 *       pcisim_hca::lock of a VF   adds nothing, but is taken by the same code
 *       pcisim_hca_tracking::lock  what the VFs have written, see tracker.h
 *
 * Fields without a lock are constant or belong to the thread of the PF, in which
 * doorbell, run and reset take turns. Commands that take time wait in the table of
 * cmdq.c, not in the thread.
 */
#ifndef PCISIM_HCA_H
#define PCISIM_HCA_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/mlx5/device.h>
#include <linux/mlx5/mlx5_ifc.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "../pcisim.h"
#include "fault.h"
#include "hca_abi.h"
#include "timing.h"
#include "tracker.h"

#define HCA_MAX_VFS		7
#define HCA_MSIX_VECTORS	8
#define HCA_BAR_SIZE		SZ_1M
/* init segment, UAR pages and engine lie below, the pending bits above */
#define HCA_MSIX_TABLE		SZ_512K

/* EQ numbers have 8 bits; this many is what the capabilities announce. */
#define HCA_MAX_EQS		64
#define HCA_LOG_MAX_EQ_SIZE	16
#define HCA_LOG_MAX_PD		16

/* A UAR is a page of the BAR: behind init segment and engine, before the MSI-X table. */
#define HCA_FIRST_UAR		0x10
#define HCA_UARS		(HCA_MSIX_TABLE / MLX5_ADAPTER_PAGE_SIZE)

#define HCA_MAX_STATE		SZ_1G
#define HCA_MAX_GENERATED	(64ULL * SZ_1G)
/* with more than enough for what describes the state in it */
#define HCA_MAX_IMAGE		(HCA_MAX_STATE + HCA_MAX_STATE / 256)
#define HCA_MIN_CHUNK		SZ_4K
#define HCA_MAX_CHUNK		SZ_64M

/* Enough for a migration buffer of twice the largest state. */
#define HCA_MKEY_MAX_PAGES	(2 * (HCA_MAX_STATE >> MLX5_ADAPTER_PAGE_SHIFT))
#define HCA_MAX_IN		(MLX5_ST_SZ_BYTES(create_mkey_in) + \
				 HCA_MKEY_MAX_PAGES * sizeof(__be64))
#define HCA_MAX_OUT		MLX5_ST_SZ_BYTES(query_hca_cap_out)

enum pcisim_hca_setting {
	HCA_STATE_SIZE,
	HCA_MIGRATION,
	HCA_MIGRATABLE,
	HCA_CHUNK_SIZE,
	HCA_MULTI_LOAD,
	HCA_TRACKING_STATE,
	HCA_MIGRATION_STATE,
	HCA_GENERATED_SIZE,
	HCA_SETTINGS
};

/* One number for each place that fails a command, for the driver's log. */
enum pcisim_hca_syndrome {
	HCA_SYND_INJECTED = 0x500001,
	HCA_SYND_OPCODE,
	HCA_SYND_IN_LENGTH,
	HCA_SYND_NOT_ENABLED,
	HCA_SYND_FUNCTION_ID,
	HCA_SYND_CAP_TYPE,
	HCA_SYND_ISSI,
	HCA_SYND_QUERY_PAGES,
	HCA_SYND_REGISTER,

	HCA_SYND_EQ_GEOMETRY = 0x500101,
	HCA_SYND_EQ_VECTOR,
	HCA_SYND_EQ_SECOND_CMD_EQ,
	HCA_SYND_EQ_LIMIT,
	HCA_SYND_EQ_NUMBER,
	HCA_SYND_UAR_LIMIT,
	HCA_SYND_UAR_NUMBER,
	HCA_SYND_PD_LIMIT,
	HCA_SYND_PD_NUMBER,
	HCA_SYND_PD_IN_USE,
	HCA_SYND_MKEY_MODE,
	HCA_SYND_MKEY_LENGTH,
	HCA_SYND_MKEY_LIMIT,
	HCA_SYND_MKEY_NUMBER,
	HCA_SYND_MKEY_TOO_SHORT,
	HCA_SYND_DMA,
	HCA_SYND_CQ_GEOMETRY,
	HCA_SYND_CQ_LIMIT,
	HCA_SYND_CQ_NUMBER,
	HCA_SYND_CQ_IN_USE,
	HCA_SYND_QP_GEOMETRY,
	HCA_SYND_QP_LIMIT,
	HCA_SYND_QP_NUMBER,
	HCA_SYND_QP_IN_USE,
	HCA_SYND_QP_STATE,
	HCA_SYND_QP_REMOTE,
	HCA_SYND_OBJECT_TYPE,
	HCA_SYND_TRACKER_NUMBER,
	HCA_SYND_TRACKER_LIMIT,
	HCA_SYND_TRACKER_RANGE,
	HCA_SYND_TRACKER_BUSY,
	HCA_SYND_TRACKER_STATE,
	HCA_SYND_MKEY_ALIGNMENT,

	HCA_SYND_VHCA_ID = 0x500201,
	HCA_SYND_VHCA_NOT_ENABLED,
	HCA_SYND_OP_MOD,
	HCA_SYND_SUSPEND_LEVEL,
	HCA_SYND_RESUME_LEVEL,
	HCA_SYND_CHUNK_MODE,
	HCA_SYND_NOT_TRACKED,
	HCA_SYND_SAVE_RUNNING,
	HCA_SYND_SAVE_SUSPENDED,
	HCA_SYND_SAVE_SIZE,
	HCA_SYND_LOAD_RUNNING,
	HCA_SYND_LOAD_SIZE,
	HCA_SYND_LOAD_ORDER,
	HCA_SYND_LOAD_STREAM,
	HCA_SYND_NO_MEMORY,
	HCA_SYND_VHCA_RESET,

	HCA_SYND_IMAGE_MAGIC = 0x500301,
	HCA_SYND_IMAGE_VERSION,
	HCA_SYND_IMAGE_GEOMETRY,
	HCA_SYND_IMAGE_LENGTH,
	HCA_SYND_IMAGE_CRC,
	HCA_SYND_IMAGE_STATE_SIZE,
	HCA_SYND_IMAGE_EXTENT,
	HCA_SYND_IMAGE_CONTENTS,
	HCA_SYND_IMAGE_GENERATED,
};

/* A command on its way through the firmware; both buffers are 8-byte aligned. */
struct pcisim_hca_cmd {
	const void *in;
	u32 in_len;
	void *out;
	u32 out_len;
	u32 syndrome;
	u16 vhca;				/* that it names, or 0 */
	unsigned int generation;		/* of that VHCA when the command came */
	u64 busy_ns;				/* result: time from its effect to its answer */
	bool lost;				/* result: nobody gets to see the answer */
};

struct pcisim_hca_cmdq;
struct pcisim_hca_eq;
struct pcisim_hca_mkey;

struct pcisim_hca {
	struct pcisim_function *fn;
	struct pcisim_hca_vhca *vhca;		/* whose it is; NULL: the PF's */
	u32 health_counter;
	struct pcisim_hca_cmdq *cmdq;

	struct pcisim_hca_eq *eqs[HCA_MAX_EQS];
	struct pcisim_hca_eq *cmd_eq;
	DECLARE_BITMAP(uars, HCA_UARS);
	struct xarray pds;
	struct xarray mkeys;
	u64 mkey_pages;
	struct pcisim_hca_tracking tracking;

	struct mutex lock;			/* see the top of this file */
	struct pcisim_hca_vhca *vhcas[HCA_MAX_VFS];
	unsigned long enabled;			/* bit: function id; VFs look without lock */
	atomic_t generations;			/* given to VHCAs so far */

	/* debugfs; each stands alone */
	atomic_t commands;
	atomic_t unknown_commands;
	bool strict_tracking;			/* begins only while a VF runs */
	struct pcisim_hca_fault fault;
	struct pcisim_hca_timing timing;
};

/* The part of the state that an engine has; also how an image carries it. */
struct pcisim_hca_engine_image {
	__le64 ring;
	__le64 next;
	__le32 entries;
	__le32 period;
	__le32 ctrl;
	__le32 status;
	__le32 vector;
	__le32 reserved;
};

/* The bulk state and what of it the next image has to carry. */
struct pcisim_hca_bulk {
	u64 size;
	u64 room;				/* bytes that it can have, never less than size */
	bool generated;				/* not stored, see generated.c */
	void *data;				/* the bytes, or the version of each page */
	unsigned long *dirty;			/* bit: page */
};

#define HCA_BULK_SHIFT		12
#define HCA_BULK_PAGE		BIT(HCA_BULK_SHIFT)

struct pcisim_hca_engine {
	u64 next;
	bool active;
	bool error;
	ktime_t due;
};

enum pcisim_hca_level {
	HCA_RUNNING,
	HCA_INITIATOR_SUSPENDED,
	HCA_SUSPENDED,
};

/* Who writes to the doorbell register of a VF. */
enum pcisim_hca_ringer {
	HCA_RINGER_UNKNOWN,
	HCA_RINGER_HEARD,			/* known when the thread runs next */
	HCA_RINGER_KERNEL,			/* each write is reported */
	HCA_RINGER_OTHER,			/* writes have to be looked for */
};

enum pcisim_hca_save_mode {
	HCA_SAVE_NONE,
	HCA_SAVE_TRACKING,			/* what changes goes into the next image */
	HCA_SAVE_DRAINING,			/* suspended, further chunks to come */
};

struct pcisim_hca_vhca {
	struct pcisim_hca *hca;			/* the PF's */
	struct pcisim_hca *own;			/* what the VF's own driver talks to */
	struct pcisim_function *fn;
	u64 state_size;				/* of the bulk state after a reset */
	bool generated;				/* the bulk state is */
	u64 chunk_size;				/* of an image, 0 without chunk mode */
	unsigned int generation;		/* a new one for each reset; read locklessly */

	struct mutex lock;			/* see the top of this file */
	enum pcisim_hca_level level;
	struct pcisim_hca_engine engine;
	struct pcisim_hca_bulk *bulk;
	enum pcisim_hca_ringer ringer;
	u32 rung;				/* slots that the kernel has rung for */
	bool interrupts_lost;			/* may have been, with the source */

	enum pcisim_hca_save_mode save_mode;
	bool save_chunks;			/* the driver's last query wanted chunks */
	bool reconfigured;			/* since the last image went out */
	u64 save_stream;
	u32 save_sequence;
	u64 saved_size;				/* with saved_engine: what went out last */
	struct pcisim_hca_engine_image saved_engine;

	u64 load_stream;
	u32 load_sequence;
	struct pcisim_hca_bulk *shadow;		/* of a state that came in parts so far */

	atomic_t saves;
	atomic_t loads;
};

/* One image on its way out. */
struct pcisim_hca_save {
	u64 stream;
	u32 sequence;				/* 0 starts a stream with a full state */
	const struct pcisim_hca_mkey *mkey;	/* where it goes to */
	u64 offset;				/* in @mkey */
	u64 room;
	bool partial;				/* what does not fit may follow later */
	u32 length;				/* result */
	bool more;				/* result: the state is not complete yet */
};

/* What the driver of a VF has made in the firmware: see contents.c. */
struct pcisim_hca_contents {
	u64 queue;				/* address of its command queue */
	u32 doorbell;				/* slots that were rung for, and not taken yet */
	bool enabled;
	DECLARE_BITMAP(uars, HCA_UARS);
	struct pcisim_hca_eq *eqs[HCA_MAX_EQS];
};

/* Opcode, op_mod, status and syndrome have the same place in every command. */
static inline u16 pcisim_hca_opcode(const struct pcisim_hca_cmd *cmd)
{
	return MLX5_GET(suspend_vhca_in, cmd->in, opcode);
}

static inline u16 pcisim_hca_op_mod(const struct pcisim_hca_cmd *cmd)
{
	return MLX5_GET(suspend_vhca_in, cmd->in, op_mod);
}

static inline u8 pcisim_hca_fail(struct pcisim_hca_cmd *cmd, u8 status,
				 enum pcisim_hca_syndrome syndrome)
{
	cmd->syndrome = syndrome;
	return status;
}

/* main.c */
struct pcisim_hca_vhca *pcisim_hca_vhca_find(struct pcisim_hca *hca, unsigned int id);

/* iseg.c */
void pcisim_hca_iseg_init(struct pcisim_hca *hca);
unsigned int pcisim_hca_iseg_queue_size(const struct pcisim_hca *hca);
u64 pcisim_hca_iseg_queue(struct pcisim_hca *hca);
void pcisim_hca_iseg_set_queue(struct pcisim_hca *hca, u64 address);
u32 pcisim_hca_iseg_doorbell(struct pcisim_hca *hca);
void pcisim_hca_iseg_set_doorbell(struct pcisim_hca *hca, u32 value);
void pcisim_hca_iseg_tick(struct pcisim_hca *hca);

/* cmdq.c */
int pcisim_hca_cmdq_init(struct pcisim_hca *hca);
void pcisim_hca_cmdq_fini(struct pcisim_hca *hca);
void pcisim_hca_doorbell(struct pcisim_hca *hca, u32 value);
unsigned int pcisim_hca_cmdq_run(struct pcisim_hca *hca);
void pcisim_hca_cmdq_forget(struct pcisim_hca *hca);

/* dispatch.c */
void pcisim_hca_arrive(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
void pcisim_hca_dispatch(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);

/* caps.c */
u8 pcisim_hca_query_hca_cap(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_set_hca_cap(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);

/* eq.c */
u8 pcisim_hca_create_eq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_destroy_eq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
bool pcisim_hca_eq_exists(const struct pcisim_hca *hca, unsigned int number);
void pcisim_hca_eq_post(struct pcisim_hca *hca, unsigned int number, struct mlx5_eqe *eqe);
void pcisim_hca_eq_async(struct pcisim_hca *hca, struct mlx5_eqe *eqe);
void pcisim_hca_eq_complete(struct pcisim_hca *hca, unsigned int slot);
void pcisim_hca_eqs_destroy(struct pcisim_hca *hca);
void pcisim_hca_eqs_raise(struct pcisim_hca *hca);
size_t pcisim_hca_eqs_size(const struct pcisim_hca *hca);
void pcisim_hca_eqs_save(const struct pcisim_hca *hca, void *to);
int pcisim_hca_eqs_parse(struct pcisim_hca_eq **eqs, const void *from, size_t length);
void pcisim_hca_eqs_take(struct pcisim_hca *hca, struct pcisim_hca_eq **eqs);
void pcisim_hca_eqs_free(struct pcisim_hca_eq **eqs);

/* objects.c */
u8 pcisim_hca_alloc_uar(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_dealloc_uar(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_alloc_pd(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_dealloc_pd(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
void pcisim_hca_pd_count(struct pcisim_hca *hca, u32 pd, int change);
u8 pcisim_hca_create_mkey(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_destroy_mkey(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
struct pcisim_hca_mkey *pcisim_hca_mkey_find(struct pcisim_hca *hca, u32 key);
bool pcisim_hca_mkey_offset(const struct pcisim_hca_mkey *mkey, u64 address, u64 len,
			    u64 *offset);
int pcisim_hca_mkey_read(struct pcisim_hca *hca, const struct pcisim_hca_mkey *mkey,
			 u64 offset, void *to, size_t len);
int pcisim_hca_mkey_write(struct pcisim_hca *hca, const struct pcisim_hca_mkey *mkey,
			  u64 offset, const void *from, size_t len);
void pcisim_hca_objects_init(struct pcisim_hca *hca);
void pcisim_hca_objects_destroy(struct pcisim_hca *hca);

/* vhca.c */
u8 pcisim_hca_suspend_vhca(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_resume_vhca(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_query_vhca_migration_state(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_save_vhca_state(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
u8 pcisim_hca_load_vhca_state(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
void pcisim_hca_vhca_reset(struct pcisim_hca_vhca *vhca);

/* image.c */
u64 pcisim_hca_image_full_size(const struct pcisim_hca_vhca *vhca, u64 *total);
u64 pcisim_hca_image_delta_size(struct pcisim_hca_vhca *vhca, u64 *total);
u8 pcisim_hca_image_save(struct pcisim_hca_vhca *vhca, struct pcisim_hca_cmd *cmd,
			 struct pcisim_hca_save *save);

/* image_load.c */
u8 pcisim_hca_image_load(struct pcisim_hca_vhca *vhca, struct pcisim_hca_cmd *cmd,
			 const void *image, u32 length);

/* contents.c */
size_t pcisim_hca_contents_size(const struct pcisim_hca_vhca *vhca);
void pcisim_hca_contents_save(const struct pcisim_hca_vhca *vhca, void *to);
struct pcisim_hca_contents *pcisim_hca_contents_parse(const void *from, size_t length);
void pcisim_hca_contents_take(struct pcisim_hca_vhca *vhca,
			      struct pcisim_hca_contents *contents);
void pcisim_hca_contents_free(struct pcisim_hca_contents *contents);

DEFINE_FREE(pcisim_hca_contents, struct pcisim_hca_contents *, pcisim_hca_contents_free(_T))

/* bulk.c */
struct pcisim_hca_bulk *pcisim_hca_bulk_alloc(u64 size, u64 room, bool generated);
void pcisim_hca_bulk_free(struct pcisim_hca_bulk *bulk);
bool pcisim_hca_bulk_size_ok(u64 size, bool generated);
void pcisim_hca_bulk_copy(struct pcisim_hca_bulk *to, const struct pcisim_hca_bulk *from);
int pcisim_hca_bulk_resize(struct pcisim_hca_bulk **bulk, u64 size, u64 room);
void pcisim_hca_bulk_reset(struct pcisim_hca_bulk **bulk, u64 size);
void pcisim_hca_bulk_mark(struct pcisim_hca_bulk *bulk, u64 offset, u64 len);

DEFINE_FREE(pcisim_hca_bulk, struct pcisim_hca_bulk *, pcisim_hca_bulk_free(_T))

static inline unsigned long pcisim_hca_bulk_pages(u64 size)
{
	return DIV_ROUND_UP_ULL(size, HCA_BULK_PAGE);
}

/* generated.c */
void pcisim_hca_generated_change(struct pcisim_hca_bulk *bulk, u64 first, u64 count, u32 version);
void pcisim_hca_generated_fill(const struct pcisim_hca_bulk *bulk, u64 first, u64 count, void *to);
bool pcisim_hca_generated_ok(u64 first, u64 count, const void *from);
void pcisim_hca_generated_take(struct pcisim_hca_bulk *bulk, u64 first, u64 count,
			       const void *from);
void pcisim_hca_generated_debugfs(struct pcisim_hca_vhca *vhca, struct dentry *dir);

/* engine.c */
unsigned int pcisim_hca_engine_run(struct pcisim_hca_vhca *vhca);
void pcisim_hca_engine_reset(struct pcisim_hca_vhca *vhca);
void pcisim_hca_engine_resume(struct pcisim_hca_vhca *vhca);
void pcisim_hca_engine_save(struct pcisim_hca_vhca *vhca,
			    struct pcisim_hca_engine_image *image);
void pcisim_hca_engine_load(struct pcisim_hca_vhca *vhca,
			    const struct pcisim_hca_engine_image *image);

/* own.c */
int pcisim_hca_own_init(struct pcisim_hca_vhca *vhca);
void pcisim_hca_own_fini(struct pcisim_hca_vhca *vhca);
void pcisim_hca_own_reset(struct pcisim_hca_vhca *vhca);
void pcisim_hca_own_doorbell(struct pcisim_hca_vhca *vhca, u32 value);
unsigned int pcisim_hca_own_run(struct pcisim_hca_vhca *vhca);
void pcisim_hca_own_resume(struct pcisim_hca_vhca *vhca);
int pcisim_hca_write(struct pcisim_hca *hca, u64 address, const void *from, size_t len);

/* debugfs.c */
void pcisim_hca_debugfs(struct pcisim_hca *hca, struct dentry *dir);
void pcisim_hca_vhca_debugfs(struct pcisim_hca_vhca *vhca, struct dentry *dir);

#endif /* PCISIM_HCA_H */
