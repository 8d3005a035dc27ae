/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vfio-mig share. The lock order stands at struct vfio_mig.
 */
#ifndef VFIO_MIG_PRIVATE_H
#define VFIO_MIG_PRIVATE_H

#include <linux/kref.h>
#include <linux/uio.h>
#include <linux/vfio_mig.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "parser.h"

struct file;
struct kiocb;
struct pipe_inode_info;
struct poll_table_struct;
struct seq_file;
struct user_struct;

/* Upper bound of buffers in a pool, whatever a driver asks for. */
#define VFIO_MIG_MAX_POOL	8U
/* Upper bound of records that do not come from the pool: preamble, end, the driver's. */
#define VFIO_MIG_MAX_BLOBS	6U

/* The preamble and the end record, which the driver knows nothing of. */
#define VFIO_MIG_OWN_RECORDS	(2 * sizeof(struct vfio_mig_record_header) +	\
				 sizeof(struct vfio_mig_preamble) +		\
				 sizeof(struct vfio_mig_end))

/* state.c: states as pairs */

enum vfio_mig_stream_mode {
	VFIO_MIG_STREAM_NONE,
	VFIO_MIG_STREAM_PRE_COPY,
	VFIO_MIG_STREAM_STOP_COPY,
	VFIO_MIG_STREAM_RESUMING,
};

/**
 * struct vfio_mig_pair - a state, taken apart
 * @level: how much of the device runs
 * @stream: what the session does
 */
struct vfio_mig_pair {
	enum vfio_mig_run_level level;
	enum vfio_mig_stream_mode stream;
};

struct vfio_mig_pair vfio_mig_state_pair(enum vfio_device_mig_state state);
const char *vfio_mig_state_name(enum vfio_device_mig_state state);
const char *vfio_mig_mode_name(enum vfio_mig_stream_mode mode);

/* stream.c: sessions */

/**
 * struct vfio_mig_save - saving side of a session
 * @cursor: bytes of the first ready record that have been read; io_lock
 * @record_size: bytes that a buffer of the pool has to hold; set in save_begin()
 * @end: buffer of the end record, or NULL; constant after the start
 * @ready: records that can be read
 * @spare: buffers of the pool that save_next() can fill
 * @filling: the buffer that save_next() has, or NULL
 * @produced: records in @ready that came from save_next()
 * @ahead: how many of them are produced before a reader waits for one
 * @wanted: 1 if a reader waits for one, else 0
 * @paused: number of those who keep save_next() from being called
 * @reading: somebody reads who is not a queued request
 * @initial: what is produced counts as initial data
 * @reinit: the device was configured anew, and the user has not been told yet;
 *	call_lock
 * @idle: the device has nothing new
 * @eof: nothing comes after @ready
 * @promised: bytes that the user was told to expect, U64_MAX if not told
 * @expected: bytes to expect in all, or 0 if not known
 * @images: mandatory images so far
 * @image_bytes: their payload
 * @produce: has the driver fill @filling
 *
 * Protected by queue_lock, but for what says otherwise.
 */
struct vfio_mig_save {
	size_t cursor;
	size_t record_size;
	struct vfio_mig_buf *end;
	struct list_head ready;
	struct list_head spare;
	struct vfio_mig_buf *filling;
	unsigned int produced;
	unsigned int ahead;
	unsigned int wanted;
	unsigned int paused;
	bool reading;
	bool initial;
	bool reinit;
	bool idle;
	bool eof;
	u64 promised;
	u64 expected;
	u64 images;
	u64 image_bytes;
	struct work_struct produce;
};

/**
 * struct vfio_mig_load - loading side of a session
 * @overlaps: an image is applied while the next one arrives; constant after the start
 * @filling: the buffer that an image arrives in, or NULL; io_lock
 * @ready: complete images, in the order of the stream; the first one stays there until it
 *	is applied; queue_lock, removed from under call_lock
 * @spare: buffers to fill; queue_lock
 * @apply: has the driver apply @ready
 */
struct vfio_mig_load {
	bool overlaps;
	struct vfio_mig_buf *filling;
	struct list_head ready;
	struct list_head spare;
	struct work_struct apply;
};

/**
 * struct vfio_mig_stream - one session, that is one data FD
 * @ref: one reference of the device until the session ends, one of the file
 * @name: of the device, which the session may outlive; constant
 * @mode: what the session does; queue_lock, changed under state_mutex
 * @wait: readers, writers and poll
 * @io_lock: serialises readers or writers; see struct vfio_mig
 * @parser: loading side; io_lock
 * @bytes: bytes read or written so far; written under io_lock
 * @copied: payload that the CPU copied; likewise
 * @direct: payload that the device wrote into readers' memory; likewise
 * @spliced: payload that readers were lent; likewise
 * @begun: when the session began, in ns of the monotonic clock; constant
 * @call_lock: driver ops of the session against its end
 * @mig: the device, NULL after the end; written under call_lock
 * @pool: all buffers of the session; added to while save_begin() runs, emptied
 *	under io_lock after the end
 * @pool_count: number of buffers in @pool
 * @queue_lock: protects the members below; taken by completions
 * @save: saving side
 * @load: loading side
 * @requests: queued requests in the order of their arrival
 * @request_count: number of them
 * @serving: the worker owns io_lock
 * @ended: the driver will not be called any more
 * @released: the file is closed
 * @status: 0, or why the session can go no further
 * @reason: more about @status, or NULL; a constant text
 * @verdict: loading side: 0 if the stream may end here, else why not
 * @serve: serves @requests
 * @priv: the driver's memory
 */
struct vfio_mig_stream {
	struct kref ref;
	char name[48];
	enum vfio_mig_stream_mode mode;
	wait_queue_head_t wait;

	struct mutex io_lock; /* readers or writers among themselves */
	struct vfio_mig_parser parser;
	u64 bytes;
	u64 copied;
	u64 direct;
	u64 spliced;
	u64 begun;

	struct mutex call_lock; /* driver ops against the end of the session */
	struct vfio_mig *mig;

	struct vfio_mig_buf *pool[VFIO_MIG_MAX_POOL + VFIO_MIG_MAX_BLOBS];
	unsigned int pool_count;

	spinlock_t queue_lock; /* lists and status, taken by completions */
	struct vfio_mig_save save;
	struct vfio_mig_load load;
	struct list_head requests;
	unsigned int request_count;
	bool serving;
	bool ended;
	bool released;
	int status;
	const char *reason;
	int verdict;

	struct work_struct serve;

	u8 priv[] __aligned(sizeof(u64));
};

static inline bool vfio_mig_stream_saves(const struct vfio_mig_stream *st)
{
	return READ_ONCE(st->mode) != VFIO_MIG_STREAM_RESUMING;
}

struct vfio_mig_stream *vfio_mig_stream_create(struct vfio_mig *mig,
					       enum vfio_mig_stream_mode mode);
void vfio_mig_stream_discard(struct vfio_mig_stream *st);
struct file *vfio_mig_stream_start(struct vfio_mig *mig, enum vfio_mig_stream_mode mode);
int vfio_mig_stream_finalize(struct vfio_mig *mig);
int vfio_mig_stream_stop(struct vfio_mig *mig);
void vfio_mig_stream_abort(struct vfio_mig *mig);
void vfio_mig_stream_fail(struct vfio_mig_stream *st, int status, const char *reason);
int vfio_mig_stream_add_buf(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
int vfio_mig_stream_status(struct vfio_mig_stream *st);
int vfio_mig_stream_lock_io(struct vfio_mig_stream *st, bool wait);
void vfio_mig_stream_unlock_io(struct vfio_mig_stream *st);
void vfio_mig_stream_free_bufs(struct vfio_mig_stream *st);

/* prepare.c: the session to come */
void vfio_mig_prepare(struct vfio_mig *mig);
struct vfio_mig_stream *vfio_mig_prepared_take(struct vfio_mig *mig,
					       enum vfio_mig_stream_mode mode);
void vfio_mig_prepared_drop(struct vfio_mig *mig);

/* async.c: requests that wait for the device */

/**
 * struct vfio_mig_request - an asynchronous read or write
 * @node: in &vfio_mig_stream.requests
 * @iocb: who asked; completed exactly once
 * @user: whose locked memory the pages count as, or NULL
 * @vec: the memory
 * @segments: number of entries in @vec
 * @nr_pages: number of pages in @vec
 * @pinned: the pages in @vec are pinned
 * @iter: over @vec, from where the next byte goes
 * @buf: for save_next() to fill, if the memory is good for that, or NULL
 * @served: it has a result, or some of it; not for save_next() from then on;
 *	queue_lock
 * @queued: when it was queued, in ns of the monotonic clock
 */
struct vfio_mig_request {
	struct list_head node;
	struct kiocb *iocb;
	struct user_struct *user;
	struct bio_vec *vec;
	unsigned int segments;
	unsigned int nr_pages;
	bool pinned;
	struct iov_iter iter;
	struct vfio_mig_buf *buf;
	bool served;
	u64 queued;
};

bool vfio_mig_async_wanted(struct kiocb *iocb);
bool vfio_mig_async_may_wait(const struct kiocb *iocb);
int vfio_mig_async_begin(struct vfio_mig_stream *st, bool wait);
int vfio_mig_async_try_begin(struct vfio_mig_stream *st);
int vfio_mig_async_queue(struct vfio_mig_stream *st, struct kiocb *iocb, struct iov_iter *iter);
void vfio_mig_async_serve(struct work_struct *work);
void vfio_mig_async_kick(struct vfio_mig_stream *st);
void vfio_mig_async_stop(struct vfio_mig_stream *st);

/* direct.c: saving into a request's own memory */
bool vfio_mig_direct_waits(const struct vfio_mig_stream *st,
			   const struct vfio_mig_request *request);
void vfio_mig_direct_prepare(struct vfio_mig_stream *st, struct vfio_mig_request *request);
ssize_t vfio_mig_direct_finish(struct vfio_mig_stream *st, struct vfio_mig_request *request);
void vfio_mig_direct_free(struct vfio_mig_stream *st, struct vfio_mig_request *request);

/* save.c: what the driver produces */
struct vfio_mig_buf *vfio_mig_save_new_buf(struct vfio_mig_stream *st, size_t size);
int vfio_mig_save_start(struct vfio_mig_stream *st, bool final);
int vfio_mig_save_finalize(struct vfio_mig_stream *st);
void vfio_mig_save_stop(struct vfio_mig_stream *st, bool abort);
bool vfio_mig_save_complete(struct vfio_mig_stream *st);
void vfio_mig_save_produce(struct work_struct *work);
void vfio_mig_save_kick(struct vfio_mig_stream *st);
void vfio_mig_save_demand(struct vfio_mig_stream *st);
void vfio_mig_save_pause(struct vfio_mig_stream *st);
void vfio_mig_save_unpause(struct vfio_mig_stream *st);
void vfio_mig_save_advance(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, size_t done);

/* read.c: what readers see of it */
struct vfio_mig_buf *vfio_mig_read_head(struct vfio_mig_stream *st,
					struct vfio_mig_request *request);
struct vfio_mig_buf *vfio_mig_read_wait(struct vfio_mig_stream *st, bool wait);
void vfio_mig_read_end(struct vfio_mig_stream *st, ssize_t done);
void vfio_mig_read_seal(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
ssize_t vfio_mig_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t vfio_mig_read_serve(struct vfio_mig_stream *st, struct vfio_mig_request *request);
__poll_t vfio_mig_read_poll(struct file *file, struct poll_table_struct *table);

/* splice.c */
ssize_t vfio_mig_splice_read(struct file *file, loff_t *position, struct pipe_inode_info *pipe,
			     size_t length, unsigned int flags);

/* precopy.c */
long vfio_mig_precopy_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* preamble.c */
int vfio_mig_preamble_queue(struct vfio_mig_stream *st);
int vfio_mig_preamble_check(struct vfio_mig_stream *st, const char **reason);

/* fdinfo.c */
void vfio_mig_fdinfo_show(struct seq_file *seq, struct file *file);

/* load.c */
int vfio_mig_load_start(struct vfio_mig_stream *st);
int vfio_mig_load_finish(struct vfio_mig_stream *st);
void vfio_mig_load_abort(struct vfio_mig_stream *st);
ssize_t vfio_mig_load_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t vfio_mig_load_serve(struct vfio_mig_stream *st, struct vfio_mig_request *request);
__poll_t vfio_mig_load_poll(struct file *file, struct poll_table_struct *table);

/* apply.c: complete images go to the driver */
int vfio_mig_apply_start(struct vfio_mig_stream *st);
struct vfio_mig_buf *vfio_mig_apply_look(struct vfio_mig_stream *st);
struct vfio_mig_buf *vfio_mig_apply_get_buf(struct vfio_mig_stream *st);
int vfio_mig_apply_filled(struct vfio_mig_stream *st, const char **reason);
int vfio_mig_apply_wait(struct vfio_mig_stream *st);
void vfio_mig_apply_ready(struct work_struct *work);
void vfio_mig_apply_stop(struct vfio_mig_stream *st);

/* record.c: the wire format */
void vfio_mig_record_encode(struct vfio_mig_record_header *header, u64 size, u32 flags, u32 tag);

/* buffer.c */
struct vfio_mig_buf *vfio_mig_buf_alloc(const struct vfio_mig_ops *ops);
void vfio_mig_buf_free(struct vfio_mig_buf *buf);
int vfio_mig_buf_reserve(struct vfio_mig_buf *buf, unsigned int nr_pages);
int vfio_mig_buf_grow(struct vfio_mig_buf *buf, size_t size);
void vfio_mig_buf_renew(struct vfio_mig_buf *buf);
int vfio_mig_buf_prepare(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void vfio_mig_buf_retire(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
size_t vfio_mig_buf_copy_to_iter(const struct vfio_mig_buf *buf, size_t offset,
				 struct iov_iter *to);
size_t vfio_mig_buf_copy_from_iter(struct vfio_mig_buf *buf, size_t offset, size_t length,
				   struct iov_iter *from);
u32 vfio_mig_buf_crc32c(const struct vfio_mig_buf *buf);

/* debugfs.c */
void vfio_mig_debugfs_init(void);
void vfio_mig_debugfs_exit(void);
void vfio_mig_debugfs_add(struct vfio_mig *mig);
void vfio_mig_debugfs_remove(struct vfio_mig *mig);

/* main.c */
extern struct workqueue_struct *vfio_mig_wq;
extern unsigned int vfio_mig_pool_records;
extern unsigned int vfio_mig_prefetch;
extern bool vfio_mig_send_preamble;
extern bool vfio_mig_send_checksum;

#endif /* VFIO_MIG_PRIVATE_H */
