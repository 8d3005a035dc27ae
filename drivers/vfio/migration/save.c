// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving: the device fills buffers, the reader empties them.
 *
 * A buffer goes round: spare -> save_next() -> ready -> reader -> spare. One is
 * with the driver at a time, so that the next record is produced while earlier
 * ones are read. The number of buffers bounds the memory, however large the
 * state is.
 */
#include <linux/poll.h>
#include <linux/uio.h>

#include "vfio_mig_private.h"

/* A new buffer of the session's pool, with room for @size bytes. */
static struct vfio_mig_buf *vfio_mig_save_new_buf(struct vfio_mig_stream *st, size_t size)
{
	struct vfio_mig_buf *buf = vfio_mig_buf_alloc(st->mig->ops);
	int ret;

	if (!buf)
		return ERR_PTR(-ENOMEM);
	ret = vfio_mig_buf_grow(buf, size);
	if (!ret)
		ret = vfio_mig_stream_add_buf(st, buf);
	if (ret) {
		vfio_mig_buf_free(buf);
		return ERR_PTR(ret);
	}
	return buf;
}

/**
 * vfio_mig_save_buffers() - provide the buffers of a saving session
 * @st: the session
 * @size: bytes that each holds at least
 * @count: how many of them, cut to what the module parameter pool_records allows
 *
 * Context: in &vfio_mig_ops.save_begin.
 * Return: 0 or -errno.
 */
int vfio_mig_save_buffers(struct vfio_mig_stream *st, size_t size, unsigned int count)
{
	count = min(count, vfio_mig_pool_records);
	for (unsigned int i = 0; i < count; i++) {
		struct vfio_mig_buf *buf = vfio_mig_save_new_buf(st, size);
		int ret;

		if (IS_ERR(buf))
			return PTR_ERR(buf);
		ret = vfio_mig_buf_prepare(st, buf);
		if (ret)
			return ret;
		list_add_tail(&buf->node, &st->spare);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_buffers, "VFIO_MIG");

static void vfio_mig_save_queue(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, u32 tag,
				u32 flags, size_t length)
{
	lockdep_assert_held(&st->queue_lock);
	vfio_mig_record_encode(&buf->header, length, flags, tag);
	buf->length = length;
	list_add_tail(&buf->node, &st->ready);
}

/**
 * vfio_mig_save_blob() - queue a small record from kernel memory
 * @st: the session
 * @tag: VFIO_MIG_TAG_ value
 * @flags: VFIO_MIG_RECORD_ flags
 * @data: payload
 * @length: bytes of payload, at least 1
 *
 * Context: in &vfio_mig_ops.save_begin.
 * Return: 0 or -errno.
 */
int vfio_mig_save_blob(struct vfio_mig_stream *st, u32 tag, u32 flags, const void *data,
		       size_t length)
{
	struct vfio_mig_buf *buf;

	if (WARN_ON_ONCE(!length))
		return -EINVAL;
	buf = vfio_mig_save_new_buf(st, length);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	vfio_mig_buf_write(buf, 0, data, length);
	guard(spinlock_irqsave)(&st->queue_lock);
	vfio_mig_save_queue(st, buf, tag, flags, length);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_blob, "VFIO_MIG");

/* The driver is done with a buffer: let readers look, and have the next one filled. */
static void vfio_mig_save_advance(struct vfio_mig_stream *st)
{
	wake_up_all(&st->wait);
	queue_work(vfio_mig_wq, &st->produce);
}

/**
 * vfio_mig_save_push() - a record is complete
 * @st: the session
 * @buf: the buffer that &vfio_mig_ops.save_next was called with
 * @tag: VFIO_MIG_TAG_ value
 * @flags: VFIO_MIG_RECORD_ flags
 * @length: bytes of payload in @buf, at least 1
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_save_push(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, u32 tag, u32 flags,
			size_t length)
{
	if (WARN_ON_ONCE(!length || length > vfio_mig_buf_capacity(buf))) {
		vfio_mig_save_fail(st, buf, -EIO);
		return;
	}
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		st->producing = false;
		vfio_mig_save_queue(st, buf, tag, flags, length);
	}
	vfio_mig_save_advance(st);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_push, "VFIO_MIG");

/**
 * vfio_mig_save_eof() - the device has no more data
 * @st: the session
 * @buf: the buffer that &vfio_mig_ops.save_next was called with, unused
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_save_eof(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		st->producing = false;
		st->eof = true;
		list_add_tail(&buf->node, &st->spare);
	}
	wake_up_all(&st->wait);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_eof, "VFIO_MIG");

/**
 * vfio_mig_save_fail() - a record could not be produced
 * @st: the session
 * @buf: the buffer that &vfio_mig_ops.save_next was called with
 * @error: -errno but not -EAGAIN, which read() returns from now on
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_save_fail(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, int error)
{
	/* Readers take -EAGAIN for "nothing yet". */
	if (WARN_ON_ONCE(error >= 0 || error == -EAGAIN))
		error = -EIO;
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		st->producing = false;
		list_add_tail(&buf->node, &st->spare);
	}
	vfio_mig_stream_fail(st, error);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_fail, "VFIO_MIG");

static struct vfio_mig_buf *vfio_mig_save_take_spare(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf;

	guard(spinlock_irqsave)(&st->queue_lock);
	if (st->status || st->eof || st->producing)
		return NULL;
	buf = list_first_entry_or_null(&st->spare, struct vfio_mig_buf, node);
	if (!buf)
		return NULL;
	list_del_init(&buf->node);
	st->producing = true;
	return buf;
}

void vfio_mig_save_produce(struct work_struct *work)
{
	struct vfio_mig_stream *st = container_of(work, struct vfio_mig_stream, produce);
	struct vfio_mig_buf *buf = vfio_mig_save_take_spare(st);

	if (buf)
		st->mig->ops->save_next(st, buf);
}

int vfio_mig_save_start(struct vfio_mig_stream *st, bool final)
{
	const struct vfio_mig_ops *ops = st->mig->ops;
	int ret;

	ret = ops->save_begin(st, final);
	if (!ret && list_empty(&st->spare)) {
		WARN_ONCE(1, "driver bug: save_begin() provided no buffer\n");
		ret = -EINVAL;
	}
	if (ret)
		return ret;
	queue_work(vfio_mig_wq, &st->produce);
	return 0;
}

/* On return the driver is idle and stays so. */
void vfio_mig_save_stop(struct vfio_mig_stream *st, bool abort)
{
	disable_work_sync(&st->produce);
	st->mig->ops->save_end(st, abort);
}

/* Whether the reader has seen everything. */
bool vfio_mig_save_complete(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return st->eof && list_empty(&st->ready) && !st->status;
}

/* The record to read next, NULL at the end of the data, or why there is none. */
static struct vfio_mig_buf *vfio_mig_save_head(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf;

	guard(spinlock_irqsave)(&st->queue_lock);
	if (st->status)
		return ERR_PTR(st->status);
	buf = list_first_entry_or_null(&st->ready, struct vfio_mig_buf, node);
	if (buf || st->eof)
		return buf;
	return ERR_PTR(-EAGAIN);
}

static struct vfio_mig_buf *vfio_mig_save_wait_head(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf;
	int ret;

	ret = wait_event_interruptible(st->wait,
				       (buf = vfio_mig_save_head(st)) != ERR_PTR(-EAGAIN));
	return ret ? ERR_PTR(ret) : buf;
}

/* A record was read to its end: its buffer can be filled again. */
static void vfio_mig_save_recycle(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		list_del_init(&buf->node);
		if (buf->ready)
			list_add_tail(&buf->node, &st->spare);
	}
	st->cursor = 0;
	queue_work(vfio_mig_wq, &st->produce);
}

/* Copy what fits of one record, header first. Returns bytes, 0 if nothing could be copied. */
static size_t vfio_mig_save_copy(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				 struct iov_iter *to)
{
	size_t header = sizeof(buf->header);
	size_t done = 0;

	if (st->cursor < header)
		done = copy_to_iter((void *)&buf->header + st->cursor, header - st->cursor, to);
	if (st->cursor + done >= header)
		done += vfio_mig_buf_copy_to_iter(buf, st->cursor + done - header, to);
	st->cursor += done;
	if (st->cursor == header + buf->length)
		vfio_mig_save_recycle(st, buf);
	return done;
}

static ssize_t vfio_mig_save_read(struct vfio_mig_stream *st, struct iov_iter *to, bool wait)
{
	struct vfio_mig_buf *buf;
	ssize_t done = 0;
	size_t copied;

	while (iov_iter_count(to)) {
		buf = wait && !done ? vfio_mig_save_wait_head(st) : vfio_mig_save_head(st);
		if (IS_ERR_OR_NULL(buf))
			return done ?: PTR_ERR_OR_ZERO(buf);
		copied = vfio_mig_save_copy(st, buf, to);
		if (!copied)
			return done ?: -EFAULT;
		done += copied;
	}
	return done;
}

ssize_t vfio_mig_save_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vfio_mig_stream *st = iocb->ki_filp->private_data;
	bool wait = !(iocb->ki_flags & IOCB_NOWAIT) && !(iocb->ki_filp->f_flags & O_NONBLOCK);
	ssize_t ret;

	ret = vfio_mig_stream_lock_io(st, iocb);
	if (ret)
		return ret;
	ret = vfio_mig_save_read(st, to, wait);
	if (ret > 0)
		WRITE_ONCE(st->bytes, st->bytes + ret);
	vfio_mig_stream_unlock_io(st);
	return ret;
}

__poll_t vfio_mig_save_poll(struct file *file, struct poll_table_struct *table)
{
	struct vfio_mig_stream *st = file->private_data;

	poll_wait(file, &st->wait, table);
	guard(spinlock_irqsave)(&st->queue_lock);
	if (st->status)
		return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP;
	if (st->eof || !list_empty(&st->ready))
		return EPOLLIN | EPOLLRDNORM;
	return 0;
}
