/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio-mig: migration for VFIO variant drivers.
 *
 * The library owns the state machine, the data FDs, record framing and parsing,
 * memory limits, and the order of reset, close and loss of the device. A driver
 * supplies struct vfio_mig_ops. See Documentation/driver-api/vfio-migration.rst.
 */
#ifndef LINUX_VFIO_MIG_H
#define LINUX_VFIO_MIG_H

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <uapi/linux/vfio_mig.h>

struct dentry;
struct device;
struct page;
struct vfio_mig;
struct vfio_mig_request;
struct vfio_mig_stream;

/**
 * enum vfio_mig_run_level - how much of the device runs
 * @VFIO_MIG_STOPPED: the device state is frozen
 * @VFIO_MIG_QUIESCED: the device starts no DMA, what others start at it is served
 * @VFIO_MIG_RUNNING: normal operation
 */
enum vfio_mig_run_level {
	VFIO_MIG_STOPPED,
	VFIO_MIG_QUIESCED,
	VFIO_MIG_RUNNING,
};

/* A checksum record, and the header of the image that it is about. */
#define VFIO_MIG_MAX_PREFIX	(2 * sizeof(struct vfio_mig_record_header) + \
				 sizeof(struct vfio_mig_checksum))

/**
 * struct vfio_mig_buf - memory of one record
 * @pages: the pages, in the order of the payload
 * @nr_pages: number of valid entries in @pages
 * @max_pages: number of entries that @pages has room for; library only
 * @offset: where the payload begins in the first page
 * @size: bytes of payload that fit
 * @length: bytes of payload
 * @sgt: scatter list over @pages while the buffer is mapped
 * @dma_dev: device that the buffer is mapped for, or NULL
 * @dma_dir: direction of that mapping
 * @ready: library only: went through buf_init, so it can be used again
 * @lent: library only: others hold references to pages
 * @initial: library only: part of the initial data of a pre-copy session
 * @request: library only: the reader whose pages these are, or NULL
 * @tag: library only: what the record is
 * @prefix: library only: what precedes the payload in the stream
 * @prefix_length: library only: bytes of it
 * @node: library only: the list that the buffer is in
 *
 * Owned by the library. A driver may use it between the call that passes it in
 * and the one that ends the use: vfio_mig_save_push() and its siblings, or the
 * return from load_record(). A driver that needs more members embeds this
 * structure first in its own and says how large that is in
 * &vfio_mig_ops.buf_size.
 *
 * With &vfio_mig_ops.direct_align the pages may be a user's, who can look at
 * them and change them at any time: what the device or the driver writes there
 * must not be read back.
 */
struct vfio_mig_buf {
	struct page **pages;
	unsigned int nr_pages;
	unsigned int max_pages;
	unsigned int offset;
	size_t size;
	size_t length;
	struct sg_table sgt;
	struct device *dma_dev;
	enum dma_data_direction dma_dir;
	bool ready;
	bool lent;
	bool initial;
	struct vfio_mig_request *request;
	u32 tag;
	u8 prefix[VFIO_MIG_MAX_PREFIX] __aligned(8);
	unsigned int prefix_length;
	struct list_head node;
};

/**
 * struct vfio_mig_estimate - how much data the device expects to produce
 * @initial_bytes: in a pre-copy session, initial data not passed on yet
 * @dirty_bytes: in a pre-copy session, what has changed since it was passed on
 * @stop_copy_bytes: upper estimate of what STOP_COPY will produce
 * @reinit: in a pre-copy session, the device was configured anew: what follows
 *	counts as initial data again. True once for each time.
 *
 * All are payload with record headers. What was passed to vfio_mig_save_push()
 * is not part of it.
 */
struct vfio_mig_estimate {
	u64 initial_bytes;
	u64 dirty_bytes;
	u64 stop_copy_bytes;
	bool reinit;
};

/**
 * enum vfio_mig_mmio_policy - what touches of the BARs do while the device is stopped
 * @VFIO_MIG_MMIO_PASS: they reach the device, which can bear them
 * @VFIO_MIG_MMIO_BLOCK: a mapping faults with SIGBUS, read() sees ones, write()
 *	is dropped. Config space and the expansion ROM go on working.
 */
enum vfio_mig_mmio_policy {
	VFIO_MIG_MMIO_PASS,
	VFIO_MIG_MMIO_BLOCK,
};

/**
 * struct vfio_mig_ops - what a driver supplies
 *
 * All members run in process context and may sleep, but must not touch user
 * memory. Where no other lock is named the caller holds the vfio_mig guard. None
 * is called after vfio_mig_detach() returned, until vfio_mig_attach().
 */
struct vfio_mig_ops {
	/** @max_record: largest payload of a record that the device can load, in bytes */
	u64 max_record;
	/** @load_tags: BIT(tag) for each tag that @load_record understands */
	u32 load_tags;
	/** @buf_size: size of the driver's buffer structure, 0 for struct vfio_mig_buf */
	size_t buf_size;
	/** @stream_size: size of the memory behind vfio_mig_stream_priv(), or 0 */
	size_t stream_size;
	/**
	 * @direct_align: the device can save into buffers whose payload begins
	 * at a multiple of this many bytes, so that a reader's own pages can be
	 * such a buffer. A power of two up to the page size, or 0: never.
	 */
	unsigned int direct_align;
	/**
	 * @load_overlaps: apply a record while the next one arrives, if the stream
	 * announces an end record. Takes a second buffer; worth it for a device
	 * that works on a record by itself.
	 */
	bool load_overlaps;
	/** @mmio_policy: touches of the BARs while the device is stopped */
	enum vfio_mig_mmio_policy mmio_policy;

	/**
	 * @describe: Fill in &vfio_mig_preamble.firmware and
	 * &vfio_mig_preamble.capabilities of the stream that a saving session
	 * begins with. Optional.
	 * Return: 0, or -errno which ends the session.
	 */
	int (*describe)(struct vfio_mig *mig, struct vfio_mig_preamble *preamble);

	/**
	 * @accept: Whether a stream that begins with @preamble can be loaded.
	 * The library has compared the name of the driver and the ids of the
	 * device. Optional.
	 * Context: as for @load_record.
	 * Return: NULL, or why not, in a few words; write() fails with
	 * -EOPNOTSUPP then.
	 */
	const char *(*accept)(struct vfio_mig_stream *st,
			      const struct vfio_mig_preamble *preamble);

	/**
	 * @expect: The stream says that its largest image has @size bytes, which
	 * is at most @max_record. Get ready for it, e.g. with
	 * vfio_mig_load_reserve(). It is a claim of whoever wrote the stream.
	 * Optional.
	 * Context: as for @load_record.
	 * Return: 0, or -errno which fails the stream.
	 */
	int (*expect)(struct vfio_mig_stream *st, u64 size);

	/**
	 * @suspend: Lower the run level.
	 * VFIO_MIG_QUIESCED: on return the device has no DMA of its own
	 * outstanding and starts none. VFIO_MIG_STOPPED: on return the device
	 * state does not change any more. Only VFIO_MIG_STOPPED is asked for
	 * without VFIO_MIGRATION_P2P.
	 * Return: 0, or -errno with the run level unchanged.
	 */
	int (*suspend)(struct vfio_mig *mig, enum vfio_mig_run_level to);

	/**
	 * @resume: Raise the run level. Also called, to VFIO_MIG_RUNNING and
	 * with the result ignored, after a reset that came in the middle of an
	 * arc; the device may run already.
	 * Return: 0, or -errno with the run level unchanged.
	 */
	int (*resume)(struct vfio_mig *mig, enum vfio_mig_run_level to);

	/**
	 * @stream_init: A session begins. Allocate what it needs as a whole.
	 * Optional.
	 * Return: 0 or -errno; on error no other stream op follows.
	 */
	int (*stream_init)(struct vfio_mig_stream *st);

	/**
	 * @stream_fini: The session is over and its buffers have gone through
	 * @buf_fini. Undo @stream_init. Optional.
	 */
	void (*stream_fini)(struct vfio_mig_stream *st);

	/**
	 * @save_prepare: The user has asked how much data there is, while the
	 * device ran: a migration may be near. Provide buffers for it with
	 * vfio_mig_save_buffers(), so that it finds them when the device is to
	 * stand still as short as possible. They belong to the next session that
	 * saves. If none begins before the device is reset, closed, detached or
	 * made to load, @buf_fini and @stream_fini are all that follows. Optional.
	 * Return: 0, or -errno, of which the user does not hear.
	 */
	int (*save_prepare)(struct vfio_mig_stream *st);

	/**
	 * @save_begin: Get ready to save. Provide buffers with
	 * vfio_mig_save_buffers(), queue what has to come first with
	 * vfio_mig_save_blob(). @final: the device is stopped, the data ends
	 * with vfio_mig_save_eof(); else the session is a pre-copy one. When
	 * such a session goes on to STOP_COPY this is called again, with @final
	 * and without an @save_next under way; what was queued before stays.
	 * Return: 0, or -errno which ends the session if it was the first call.
	 * @save_end is not called after a first call that failed.
	 */
	int (*save_begin)(struct vfio_mig_stream *st, bool final);

	/**
	 * @save_next: Start to produce one record into @buf.
	 * Must not wait for the device. Ends with exactly one call of
	 * vfio_mig_save_push(), vfio_mig_save_eof(), vfio_mig_save_idle() or
	 * vfio_mig_save_fail(), now or later, from any context, but within a
	 * bounded time. The next call comes after that. Not under way during
	 * @suspend, @resume, @save_begin and, in a pre-copy session, @estimate.
	 * Context: a worker, no lock held.
	 */
	void (*save_next)(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);

	/**
	 * @save_end: Saving is over, @abort tells whether before the end of the
	 * data. On return what @save_next started has ended and will call
	 * nothing any more. Cannot fail.
	 */
	void (*save_end)(struct vfio_mig_stream *st, bool abort);

	/**
	 * @load_begin: Get ready to load, e.g. with vfio_mig_load_reserve(). Optional.
	 * Return: 0, or -errno which ends the session; @load_end is not called
	 * then.
	 */
	int (*load_begin)(struct vfio_mig_stream *st);

	/**
	 * @load_record: Apply one complete record.
	 * @buf went through @buf_init; it holds &vfio_mig_buf.length bytes, at
	 * least 1 and at most @max_record.
	 * Context: the writer's context, or with @load_overlaps a worker, serialised
	 * with all other ops of the stream. The vfio_mig guard is NOT held.
	 * Return: 0, or -errno, which write() returns and which fails the
	 * stream. With @load_overlaps a later write() may be the one that returns it,
	 * at the latest that of the end record.
	 */
	int (*load_record)(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf);

	/**
	 * @load_end: Loading is over. @abort: the data is incomplete or wrong,
	 * drop everything; the result is ignored. Optional.
	 * Return: 0, or -errno if the state is not usable.
	 */
	int (*load_end)(struct vfio_mig_stream *st, bool abort);

	/**
	 * @buf_init: Make a buffer usable by the device, e.g. with
	 * vfio_mig_buf_map(). Its size is fixed until @buf_fini. Optional.
	 * Context: as for the op that needs the buffer.
	 */
	int (*buf_init)(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);

	/** @buf_fini: Undo @buf_init. The device does not use the buffer. */
	void (*buf_fini)(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);

	/**
	 * @estimate: Tell how much data to expect. Called in every state but
	 * ERROR; not in STOP_COPY once vfio_mig_save_expect() was told.
	 * Return: 0 or -errno.
	 */
	int (*estimate)(struct vfio_mig *mig, struct vfio_mig_estimate *estimate);

	/** @reset: The device was reset and runs, its sessions are over. Optional. */
	void (*reset)(struct vfio_mig *mig);
};

/**
 * struct vfio_mig_memory_ops - what a driver tells of the memory in its regions
 * @count: How many parts of regions are memory, at most VFIO_MIG_MAX_MEMORIES. Does
 *	not change while the device is open.
 * @describe: Fill in one of them, which is zeroed; numbers are little endian. Its
 *	contents do not change while the device is open.
 * @poison: List what of them must not be touched: fill in at most @room ranges,
 *	which are zeroed, likewise. Optional.
 *	Return: number of ranges that there are, which may be more.
 *
 * Shown to users in the info region. All run in process context without a lock, may
 * sleep, and are called only while the device is open. In a device that cannot
 * migrate nothing else of struct vfio_mig is set.
 */
struct vfio_mig_memory_ops {
	unsigned int (*count)(struct vfio_mig *mig);
	void (*describe)(struct vfio_mig *mig, unsigned int index,
			 struct vfio_mig_memory *memory);
	unsigned int (*poison)(struct vfio_mig *mig, struct vfio_mig_poison *ranges,
			       unsigned int room);
};

/* Regions that a PCI device can have memory in, several parts in some. */
#define VFIO_MIG_MAX_MEMORIES	16U

/* The kinds of arcs in the kernel's table, over all sets of flags. */
#define VFIO_MIG_ARCS		18
/* From less than a microsecond to 8 seconds and more. */
#define VFIO_MIG_ARC_BUCKETS	25

/**
 * struct vfio_mig_arc_times - how long arcs of one kind took
 * @count: number of arcs, failed ones as well
 * @total: sum of their durations in ns
 * @longest: the longest one in ns
 * @buckets: number of arcs of less than 2^n us that are not in the bucket before;
 *	the last one has no limit
 */
struct vfio_mig_arc_times {
	u64 count;
	u64 total;
	u64 longest;
	u32 buckets[VFIO_MIG_ARC_BUCKETS];
};

/**
 * struct vfio_mig - migration side of a VFIO device
 * @vdev: the device; constant
 * @ops: the driver's operations; constant, NULL if the device cannot migrate
 * @memory_ops: what the driver tells of memory, or NULL; set before the device is
 *	registered, constant from then on, also if the device cannot migrate
 * @vendor: PCI vendor id, for the preamble; constant
 * @device: PCI device id, likewise
 * @block_mmio: keeps the user's touches from the device, or lets them pass
 *	again, or NULL; constant. Blocking takes the device's memory_lock. Letting
 *	them pass takes no lock and may be done under @reset_lock.
 * @state_mutex: protects everything up to @reset_lock. Taken only through the
 *	guard, whose release runs a deferred reset.
 * @state: state as the uAPI names it
 * @stream: the open session, or NULL
 * @prepared: a session that may begin, or NULL
 * @detached: the device's firmware is out of reach
 * @errors: number of failed arcs and sessions
 * @last_error: -errno of the last one
 * @last_error_from: state at that time
 * @last_error_to: state that was asked for
 * @last_reason: more about it, or NULL; a constant text. A driver that failed the
 *	session itself may set it in &vfio_mig_ops.save_end.
 * @bytes_saved: payload and headers that users read, over all sessions
 * @bytes_loaded: likewise, that users wrote
 * @sessions: number of sessions so far
 * @arcs: durations of arcs, in the order of histogram.c
 * @reset_lock: protects the three members below, and @stream against a reset
 * @resetting: the device is being reset
 * @interrupted: somebody owned @state_mutex when that began
 * @deferred_reset: a reset came while somebody owned @state_mutex
 * @bytes_copied: payload that the CPU copied to or from users
 * @bytes_direct: payload that the device wrote into users' memory
 * @bytes_spliced: payload that users were lent
 * @last_syndrome: what vfio_mig_report_syndrome() was told last, or 0
 * @debugfs: directory of the device
 *
 * Lock order, outermost first::
 *
 *	vfio_mig::state_mutex
 *	  stream call_lock (mutex): driver ops of the session against its end
 *	    stream queue_lock (irq): lists of buffers and requests, status
 *	  vfio_mig::reset_lock
 *	    stream queue_lock
 *	stream io_lock (mutex): readers and writers among themselves
 *	  user memory (mmap_lock, the device's memory_lock)
 *	  stream call_lock
 *
 * A reset holds the device's memory_lock and may come at any time: it only ever
 * tries state_mutex, and nobody holds state_mutex or call_lock while touching
 * user memory. What ends a session, and the worker that serves queued requests,
 * which the end waits for, never take io_lock, except by trylock.
 */
struct vfio_mig {
	struct vfio_device *vdev;
	const struct vfio_mig_ops *ops;
	const struct vfio_mig_memory_ops *memory_ops;
	u16 vendor;
	u16 device;
	void (*block_mmio)(struct vfio_mig *mig, bool block);

	struct mutex state_mutex; /* state and session */
	enum vfio_device_mig_state state;
	struct vfio_mig_stream *stream;
	struct vfio_mig_stream *prepared;
	bool detached;
	u64 errors;
	int last_error;
	enum vfio_device_mig_state last_error_from;
	enum vfio_device_mig_state last_error_to;
	const char *last_reason;
	u64 bytes_saved;
	u64 bytes_loaded;
	u64 sessions;
	struct vfio_mig_arc_times arcs[VFIO_MIG_ARCS];

	spinlock_t reset_lock; /* a reset against the owner of state_mutex */
	bool resetting;
	bool interrupted;
	bool deferred_reset;

	atomic64_t bytes_copied;
	atomic64_t bytes_direct;
	atomic64_t bytes_spliced;
	u32 last_syndrome;

	struct dentry *debugfs;
};

int vfio_mig_init(struct vfio_mig *mig, struct vfio_device *vdev, const struct vfio_mig_ops *ops);
void vfio_mig_fini(struct vfio_mig *mig);
void vfio_mig_register(struct vfio_mig *mig);
void vfio_mig_unregister(struct vfio_mig *mig);
void vfio_mig_open(struct vfio_mig *mig);
void vfio_mig_close(struct vfio_mig *mig);
void vfio_mig_reset_prepare(struct vfio_mig *mig);
void vfio_mig_reset_done(struct vfio_mig *mig);
void vfio_mig_detach(struct vfio_mig *mig);
void vfio_mig_attach(struct vfio_mig *mig);

struct file *vfio_mig_set_state(struct vfio_mig *mig, enum vfio_device_mig_state state);
int vfio_mig_get_state(struct vfio_mig *mig, enum vfio_device_mig_state *state);
int vfio_mig_get_data_size(struct vfio_mig *mig, unsigned long *stop_copy_bytes);
void vfio_mig_report_syndrome(struct vfio_mig *mig, u32 syndrome);

void vfio_mig_lock(struct vfio_mig *mig);
void vfio_mig_unlock(struct vfio_mig *mig);
DEFINE_GUARD(vfio_mig, struct vfio_mig *, vfio_mig_lock(_T), vfio_mig_unlock(_T))

/* Sessions */
struct vfio_mig *vfio_mig_stream_device(const struct vfio_mig_stream *st);
void *vfio_mig_stream_priv(struct vfio_mig_stream *st);

/* Saving */

/* What a driver asks for in vfio_mig_save_buffers() when the device does not care. */
#define VFIO_MIG_RECORD_SIZE	(8UL << 20)

int vfio_mig_save_buffers(struct vfio_mig_stream *st, size_t size, unsigned int count);
int vfio_mig_save_blob(struct vfio_mig_stream *st, u32 tag, u32 flags, const void *data,
		       size_t length);
void vfio_mig_save_push(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, u32 tag, u32 flags,
			size_t length);
void vfio_mig_save_eof(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void vfio_mig_save_idle(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void vfio_mig_save_more(struct vfio_mig_stream *st);
void vfio_mig_save_expect(struct vfio_mig_stream *st, u64 bytes);
void vfio_mig_save_fail(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, int error);

/* Loading */
int vfio_mig_load_reserve(struct vfio_mig_stream *st, size_t size, unsigned int count);

/* Buffers */
size_t vfio_mig_buf_capacity(const struct vfio_mig_buf *buf);
int vfio_mig_buf_map(struct vfio_mig_buf *buf, struct device *dev, enum dma_data_direction dir);
void vfio_mig_buf_unmap(struct vfio_mig_buf *buf);
void vfio_mig_buf_sync_for_cpu(struct vfio_mig_buf *buf);
void vfio_mig_buf_sync_for_device(struct vfio_mig_buf *buf);
size_t vfio_mig_buf_read(const struct vfio_mig_buf *buf, size_t offset, void *to, size_t length);
size_t vfio_mig_buf_write(struct vfio_mig_buf *buf, size_t offset, const void *from, size_t length);

#endif /* LINUX_VFIO_MIG_H */
