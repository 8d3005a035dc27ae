/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vfio-mig share. The lock order stands at struct vfio_mig.
 */
#ifndef VFIO_MIG_PRIVATE_H
#define VFIO_MIG_PRIVATE_H

#include <linux/kref.h>
#include <linux/vfio_mig.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct file;
struct iov_iter;
struct kiocb;
struct poll_table_struct;
struct seq_file;

/* Upper bound of buffers in a pool, whatever a driver asks for. */
#define VFIO_MIG_MAX_POOL	8U
/* Upper bound of records that vfio_mig_save_blob() queues. */
#define VFIO_MIG_MAX_BLOBS	4U

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

/* stream.c: sessions */

/**
 * struct vfio_mig_parser - where the writer is in the stream
 * @header: header of the current record
 * @header_length: bytes of @header that have arrived
 * @left: bytes of payload that are still missing
 * @skip: the payload is dropped
 * @max_record: &vfio_mig_ops.max_record; constant
 * @known_tags: &vfio_mig_ops.load_tags; constant
 */
struct vfio_mig_parser {
	struct vfio_mig_record_header header;
	size_t header_length;
	u64 left;
	bool skip;
	u64 max_record;
	u32 known_tags;
};

/**
 * struct vfio_mig_stream - one session, that is one data FD
 * @ref: one reference of the device until the session ends, one of the file
 * @mode: what the session does; constant after creation
 * @wait: readers and poll
 * @io_lock: serialises readers or writers; see struct vfio_mig
 * @cursor: bytes of the first ready record that have been read; io_lock
 * @parser: io_lock
 * @bytes: bytes read or written so far; written under io_lock
 * @call_lock: driver ops of the load side, buf_fini, and the end of the session
 * @mig: the device, NULL after the end; written under call_lock
 * @images: records that the driver has applied; call_lock
 * @pool: all buffers of the session; set while it starts, emptied under io_lock
 *	after it ended. Loading uses the first one only.
 * @pool_count: number of buffers in @pool
 * @queue_lock: protects the members below; taken by completions
 * @ready: records that can be read
 * @spare: buffers that save_next() can fill
 * @producing: save_next() owns a buffer
 * @eof: nothing comes after @ready
 * @ended: the driver will not be called any more
 * @released: the file is closed
 * @record_open: the last record is incomplete
 * @status: 0, or why the session can go no further
 * @produce: calls save_next()
 * @priv: the driver's memory
 */
struct vfio_mig_stream {
	struct kref ref;
	enum vfio_mig_stream_mode mode;
	wait_queue_head_t wait;

	struct mutex io_lock; /* readers or writers among themselves */
	size_t cursor;
	struct vfio_mig_parser parser;
	u64 bytes;

	struct mutex call_lock; /* load ops against the end of the session */
	struct vfio_mig *mig;
	u64 images;

	struct vfio_mig_buf *pool[VFIO_MIG_MAX_POOL + VFIO_MIG_MAX_BLOBS];
	unsigned int pool_count;

	spinlock_t queue_lock; /* lists and status, taken by completions */
	struct list_head ready;
	struct list_head spare;
	bool producing;
	bool eof;
	bool ended;
	bool released;
	bool record_open;
	int status;

	struct work_struct produce;

	u8 priv[] __aligned(sizeof(u64));
};

struct file *vfio_mig_stream_start(struct vfio_mig *mig, enum vfio_mig_stream_mode mode);
int vfio_mig_stream_stop(struct vfio_mig *mig);
void vfio_mig_stream_abort(struct vfio_mig *mig);
void vfio_mig_stream_fail(struct vfio_mig_stream *st, int status);
int vfio_mig_stream_add_buf(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
int vfio_mig_stream_status(struct vfio_mig_stream *st);
int vfio_mig_stream_lock_io(struct vfio_mig_stream *st, const struct kiocb *iocb);
void vfio_mig_stream_unlock_io(struct vfio_mig_stream *st);

/* save.c */
int vfio_mig_save_start(struct vfio_mig_stream *st, bool final);
void vfio_mig_save_stop(struct vfio_mig_stream *st, bool abort);
bool vfio_mig_save_complete(struct vfio_mig_stream *st);
void vfio_mig_save_produce(struct work_struct *work);
ssize_t vfio_mig_save_read_iter(struct kiocb *iocb, struct iov_iter *to);
__poll_t vfio_mig_save_poll(struct file *file, struct poll_table_struct *table);

/* load.c */
int vfio_mig_load_start(struct vfio_mig_stream *st);
int vfio_mig_load_finish(struct vfio_mig_stream *st);
void vfio_mig_load_abort(struct vfio_mig_stream *st);
ssize_t vfio_mig_load_write_iter(struct kiocb *iocb, struct iov_iter *from);
__poll_t vfio_mig_load_poll(struct file *file, struct poll_table_struct *table);

/* record.c: the wire format */
void vfio_mig_record_encode(struct vfio_mig_record_header *header, u64 size, u32 flags, u32 tag);
int vfio_mig_record_check(const struct vfio_mig_record_header *header, u64 max_record,
			  u32 known_tags);
bool vfio_mig_record_known(const struct vfio_mig_record_header *header, u32 known_tags);

/* buffer.c */
struct vfio_mig_buf *vfio_mig_buf_alloc(const struct vfio_mig_ops *ops);
void vfio_mig_buf_free(struct vfio_mig_buf *buf);
int vfio_mig_buf_grow(struct vfio_mig_buf *buf, size_t size);
int vfio_mig_buf_prepare(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void vfio_mig_buf_retire(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
size_t vfio_mig_buf_copy_to_iter(const struct vfio_mig_buf *buf, size_t offset,
				 struct iov_iter *to);
size_t vfio_mig_buf_copy_from_iter(struct vfio_mig_buf *buf, size_t offset, size_t length,
				   struct iov_iter *from);

/* debugfs.c */
void vfio_mig_debugfs_init(void);
void vfio_mig_debugfs_exit(void);
void vfio_mig_debugfs_add(struct vfio_mig *mig);
void vfio_mig_debugfs_remove(struct vfio_mig *mig);

/* main.c */
extern struct workqueue_struct *vfio_mig_wq;
extern unsigned int vfio_mig_pool_records;

#endif /* VFIO_MIG_PRIVATE_H */
