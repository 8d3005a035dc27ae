// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading: what a saving session shows to its users.
 *
 * Bytes come in order and each once, however many readers there are: whoever
 * owns io_lock takes from the front of the ready list, and queued requests are
 * served before later readers.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include <trace/events/vfio_mig.h>

#include "vfio_mig_private.h"

/* Whether the user may have the record: not more than was promised is read at a stretch. */
static bool vfio_mig_read_promised(struct vfio_mig_stream *st, const struct vfio_mig_buf *buf)
{
	struct vfio_mig_save *save = &st->save;

	return save->cursor || save->promised >= buf->prefix_length + buf->length;
}

/* The record to read next, NULL at the end of the data, or why there is none. */
static struct vfio_mig_buf *vfio_mig_read_peek(struct vfio_mig_stream *st)
{
	struct vfio_mig_save *save = &st->save;
	struct vfio_mig_buf *buf;

	lockdep_assert_held(&st->queue_lock);
	if (st->status)
		return ERR_PTR(st->status);
	buf = list_first_entry_or_null(&save->ready, struct vfio_mig_buf, node);
	if (buf)
		return vfio_mig_read_promised(st, buf) ? buf : ERR_PTR(-ENOMSG);
	if (save->eof)
		return NULL;
	return ERR_PTR(save->idle ? -ENOMSG : -EAGAIN);
}

/*
 * The same for a queued request, or for somebody who reads now. -EAGAIN means
 * that the device is at work; it is put to work if it was not.
 */
struct vfio_mig_buf *vfio_mig_read_head(struct vfio_mig_stream *st,
					struct vfio_mig_request *request)
{
	struct vfio_mig_buf *buf;

	guard(spinlock_irqsave)(&st->queue_lock);
	/* The device writes to the request's memory, whatever else happened. */
	if (request && request->buf && request->buf == st->save.filling)
		return ERR_PTR(-EAGAIN);
	buf = vfio_mig_read_peek(st);
	if (buf != ERR_PTR(-EAGAIN)) {
		if (request)
			request->served = true;
		return buf;
	}
	if (request && vfio_mig_direct_waits(st, request))
		vfio_mig_save_kick(st);
	else
		vfio_mig_save_demand(st);
	return buf;
}

/* The same for somebody who may wait. */
struct vfio_mig_buf *vfio_mig_read_wait(struct vfio_mig_stream *st, bool wait)
{
	struct vfio_mig_buf *buf;
	int ret;

	if (!wait)
		return vfio_mig_read_head(st, NULL);
	ret = wait_event_killable(st->wait,
				  (buf = vfio_mig_read_head(st, NULL)) != ERR_PTR(-EAGAIN));
	return ret ? ERR_PTR(ret) : buf;
}

/* Fill in what was left open when the record was queued: its checksum. */
void vfio_mig_read_seal(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct vfio_mig_checksum *checksum = (void *)(buf->prefix +
						      sizeof(struct vfio_mig_record_header));

	if (st->save.cursor || buf->prefix_length != VFIO_MIG_MAX_PREFIX)
		return;
	vfio_mig_record_encode((void *)buf->prefix, sizeof(*checksum), VFIO_MIG_RECORD_OPTIONAL,
			       VFIO_MIG_TAG_CHECKSUM);
	checksum->crc32c = cpu_to_le32(vfio_mig_buf_crc32c(buf));
}

/* @done bytes or an error are what the reader gets. */
void vfio_mig_read_end(struct vfio_mig_stream *st, ssize_t done)
{
	if (done > 0)
		WRITE_ONCE(st->bytes, st->bytes + done);
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		st->save.reading = false;
		vfio_mig_save_kick(st);
	}
	vfio_mig_stream_unlock_io(st);
}

/* Copy what fits of one record, prefix first. Returns bytes, 0 if nothing could be copied. */
static size_t vfio_mig_read_copy(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				 struct iov_iter *to)
{
	size_t cursor = st->save.cursor;
	size_t prefix = buf->prefix_length;
	size_t payload = 0;
	size_t done = 0;

	vfio_mig_read_seal(st, buf);
	if (cursor < prefix)
		done = copy_to_iter(buf->prefix + cursor, prefix - cursor, to);
	if (cursor + done >= prefix)
		payload = vfio_mig_buf_copy_to_iter(buf, cursor + done - prefix, to);
	WRITE_ONCE(st->copied, st->copied + payload);
	if (cursor + done + payload == prefix + buf->length)
		trace_vfio_mig_record(st->name, buf->tag, buf->length, VFIO_MIG_WAY_COPIED);
	vfio_mig_save_advance(st, buf, done + payload);
	return done + payload;
}

/* For somebody who does without it if it is not there: the device is left alone. */
static struct vfio_mig_buf *vfio_mig_read_look(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return vfio_mig_read_peek(st);
}

/* @buf and what else is ready. */
static ssize_t vfio_mig_read_ready(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				   struct iov_iter *to)
{
	ssize_t done = 0;
	size_t copied;

	for (;;) {
		if (IS_ERR_OR_NULL(buf))
			return done ?: PTR_ERR_OR_ZERO(buf);
		copied = vfio_mig_read_copy(st, buf, to);
		if (!copied)
			return done ?: -EFAULT;
		done += copied;
		if (!iov_iter_count(to))
			return done;
		buf = vfio_mig_read_look(st);
	}
}

static ssize_t vfio_mig_read_records(struct vfio_mig_stream *st, struct iov_iter *to, bool wait)
{
	return vfio_mig_read_ready(st, vfio_mig_read_wait(st, wait), to);
}

static ssize_t vfio_mig_read_now(struct vfio_mig_stream *st, struct iov_iter *to, bool wait)
{
	ssize_t ret;

	ret = vfio_mig_async_begin(st, wait);
	if (ret)
		return ret;
	ret = vfio_mig_read_records(st, to, wait);
	vfio_mig_read_end(st, ret);
	return ret;
}

/*
 * Whether an asynchronous request has to be queued: others are queued before it,
 * or the device has to work for it. If not, @done is its result. A reader who
 * holds io_lock may do so for any length of time; nothing is queued behind it.
 */
static bool vfio_mig_read_must_queue(struct vfio_mig_stream *st, struct iov_iter *to,
				     ssize_t *done)
{
	*done = vfio_mig_async_try_begin(st);
	if (*done)
		return *done == -EBUSY;
	*done = vfio_mig_read_ready(st, vfio_mig_read_look(st), to);
	vfio_mig_read_end(st, *done);
	return *done == -EAGAIN;
}

/*
 * A request that cannot be queued waits in place, whatever its submitter said,
 * so that the order stays. Behind a reader who holds io_lock it does so if its
 * submitter can wait.
 */
static ssize_t vfio_mig_read_async(struct vfio_mig_stream *st, struct kiocb *iocb,
				   struct iov_iter *to)
{
	bool wait = vfio_mig_async_may_wait(iocb);
	ssize_t ret;

	if (vfio_mig_read_must_queue(st, to, &ret)) {
		ret = vfio_mig_async_queue(st, iocb, to);
		wait = ret == -ENOMEM;
	} else {
		wait = wait && ret == -EAGAIN;
	}
	return wait ? vfio_mig_read_now(st, to, true) : ret;
}

ssize_t vfio_mig_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vfio_mig_stream *st = iocb->ki_filp->private_data;

	if (!iov_iter_count(to))
		return 0;
	if (vfio_mig_async_wanted(iocb))
		return vfio_mig_read_async(st, iocb, to);
	return vfio_mig_read_now(st, to, vfio_mig_async_may_wait(iocb));
}

/* Serve the first of the queued requests: bytes, an error, or -EAGAIN for not yet. */
ssize_t vfio_mig_read_serve(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	struct vfio_mig_buf *buf;
	ssize_t done = 0;

	lockdep_assert_held(&st->io_lock);
	while (iov_iter_count(&request->iter)) {
		buf = done ? vfio_mig_read_look(st) : vfio_mig_read_head(st, request);
		if (IS_ERR_OR_NULL(buf)) {
			done = done ?: PTR_ERR_OR_ZERO(buf);
			break;
		}
		if (buf == request->buf) {
			done = vfio_mig_direct_finish(st, request);
			break;
		}
		done += vfio_mig_read_copy(st, buf, &request->iter);
	}
	if (done > 0)
		WRITE_ONCE(st->bytes, st->bytes + done);
	return done;
}

__poll_t vfio_mig_read_poll(struct file *file, struct poll_table_struct *table)
{
	struct vfio_mig_stream *st = file->private_data;
	struct vfio_mig_buf *buf;

	poll_wait(file, &st->wait, table);
	guard(spinlock_irqsave)(&st->queue_lock);
	if (st->status)
		return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP;
	buf = vfio_mig_read_peek(st);
	if (!IS_ERR(buf))
		return EPOLLIN | EPOLLRDNORM;
	if (buf == ERR_PTR(-EAGAIN))
		vfio_mig_save_demand(st);
	return 0;
}
