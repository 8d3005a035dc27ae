// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading: the writer's bytes become images, which the driver applies (apply.c).
 *
 * The stream comes from somewhere else and is not trusted. Memory is allocated
 * for bytes that have arrived, never for a size that a header claims. What became
 * of a record a write tells, as a failure at RESUMING -> STOP comes too late for
 * the sender. An error stays.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <trace/events/vfio_mig.h>

#include "call.h"
#include "vfio_mig_private.h"

/* Bytes taken from the writer at a time. */
#define VFIO_MIG_LOAD_STEP	SZ_1M

static int vfio_mig_load_expect(struct vfio_mig_stream *st)
{
	u64 size = st->parser.largest_image;

	return size <= st->parser.max_record ? vfio_mig_call_expect(st, size) : 0;
}

/* What the stream says of itself concerns the driver. */
static int vfio_mig_load_hear(struct vfio_mig_stream *st, int event, const char **reason)
{
	int ret;

	guard(mutex)(&st->call_lock);
	ret = vfio_mig_stream_status(st);
	if (ret)
		return ret;
	if (event == VFIO_MIG_PARSER_GREETED)
		return vfio_mig_preamble_check(st, reason);
	return vfio_mig_load_expect(st);
}

/* The parser found something complete. */
static int vfio_mig_load_event(struct vfio_mig_stream *st, int event, const char **reason)
{
	if (event == VFIO_MIG_PARSER_COMPLETE)
		return vfio_mig_apply_filled(st, reason);
	return vfio_mig_load_hear(st, event, reason);
}

/*
 * Only now the stream could end with what arrived: the driver has applied it, or an
 * end record is still to come, for which all has to be applied.
 */
static void vfio_mig_load_publish(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	st->verdict = vfio_mig_parser_finish(&st->parser);
}

/* @length bytes have arrived where the parser wanted them. */
static int vfio_mig_load_advance(struct vfio_mig_stream *st, u64 length)
{
	int ret = vfio_mig_parser_advance(&st->parser, length);
	const char *reason = ret < 0 ? "malformed stream" : NULL;

	if (ret > VFIO_MIG_PARSER_NOTHING)
		ret = vfio_mig_load_event(st, ret, &reason);
	if (ret)
		vfio_mig_stream_fail(st, ret, reason);
	else
		vfio_mig_load_publish(st);
	return ret;
}

/*
 * A buffer that the device knows cannot grow. Only what happens under call_lock
 * makes it known, and to this one nothing happens but the end of the session.
 */
static int vfio_mig_load_make_room(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				   size_t length)
{
	if (length <= buf->size)
		return 0;
	if (READ_ONCE(buf->ready)) {
		guard(mutex)(&st->call_lock);
		if (!st->mig)
			return -ENODEV;
		vfio_mig_buf_retire(st, buf);
	}
	return vfio_mig_buf_grow(buf, length);
}

static ssize_t vfio_mig_load_keep(struct vfio_mig_stream *st, struct iov_iter *from, size_t wanted)
{
	struct vfio_mig_buf *buf = vfio_mig_apply_get_buf(st);
	size_t copied;
	int ret;

	wanted = min(wanted, VFIO_MIG_LOAD_STEP);
	ret = vfio_mig_load_make_room(st, buf, buf->length + wanted);
	if (ret)
		return ret;
	copied = vfio_mig_buf_copy_from_iter(buf, buf->length, wanted, from);
	buf->length += copied;
	WRITE_ONCE(st->copied, st->copied + copied);
	return copied;
}

/* All but checksums is about the device as it is when what came before is applied. */
static int vfio_mig_load_small(struct vfio_mig_stream *st, const struct vfio_mig_parser_wish *wish,
			       struct iov_iter *from)
{
	size_t wanted = min(wish->length, iov_iter_count(from));
	int ret;

	if (vfio_mig_parser_is_telling(&st->parser)) {
		ret = vfio_mig_apply_wait(st);
		if (ret)
			return ret;
	}
	return copy_from_iter(wish->to, wanted, from);
}

/* Put the next bytes where the parser wants them. Returns bytes or -errno. */
static ssize_t vfio_mig_load_take(struct vfio_mig_stream *st, struct iov_iter *from)
{
	struct vfio_mig_parser_wish wish;
	ssize_t taken;
	int ret;

	vfio_mig_parser_wish(&st->parser, &wish);
	taken = min(wish.length, iov_iter_count(from));
	if (wish.place == VFIO_MIG_PARSER_NOWHERE)
		iov_iter_advance(from, taken);
	else if (wish.place == VFIO_MIG_PARSER_HERE)
		taken = vfio_mig_load_small(st, &wish, from);
	else
		taken = vfio_mig_load_keep(st, from, taken);
	if (!taken)
		return -EFAULT;
	if (taken < 0)
		return taken;
	ret = vfio_mig_load_advance(st, taken);
	return ret ?: taken;
}

static ssize_t vfio_mig_load_bytes(struct vfio_mig_stream *st, struct iov_iter *from)
{
	ssize_t done = 0;
	ssize_t taken = 0;
	int status;

	lockdep_assert_held(&st->io_lock);
	do {
		status = vfio_mig_stream_status(st);
		if (status)
			return status;
		if (!iov_iter_count(from))
			break;
		taken = vfio_mig_load_take(st, from);
		if (taken > 0)
			done += taken;
	} while (taken > 0);

	/* What ends the stream is told at once, anything else at the next write. */
	status = vfio_mig_stream_status(st);
	if (status)
		return status;
	WRITE_ONCE(st->bytes, st->bytes + done);
	return done ?: taken;
}

static ssize_t vfio_mig_load_now(struct vfio_mig_stream *st, struct iov_iter *from, bool wait)
{
	ssize_t ret;

	ret = vfio_mig_async_begin(st, wait);
	if (ret)
		return ret;
	ret = vfio_mig_load_bytes(st, from);
	vfio_mig_stream_unlock_io(st);
	return ret;
}

/* Whether it fits into what is there, without a word to the driver. */
static bool vfio_mig_load_has_room(struct vfio_mig_stream *st, size_t length)
{
	struct vfio_mig_buf *buf = vfio_mig_apply_look(st);

	return buf && (!READ_ONCE(buf->ready) || length <= buf->size - buf->length);
}

/* Whether all of it is the inside of an image, so that the driver has nothing to do yet. */
static bool vfio_mig_load_is_inside(struct vfio_mig_stream *st, const struct iov_iter *from)
{
	struct vfio_mig_parser_wish wish;
	size_t length = iov_iter_count(from);

	vfio_mig_parser_wish(&st->parser, &wish);
	if (length >= wish.length)
		return false;
	if (wish.place == VFIO_MIG_PARSER_IMAGE)
		return vfio_mig_load_has_room(st, length);
	return wish.place == VFIO_MIG_PARSER_NOWHERE;
}

/*
 * Whether an asynchronous request has to be queued: others are queued before it,
 * or the driver has to work for it. If not, @done is its result. Requests go as
 * a whole one way or the other: a short write would leave a gap before the next.
 */
static bool vfio_mig_load_must_queue(struct vfio_mig_stream *st, struct iov_iter *from,
				     ssize_t *done)
{
	bool inside;

	*done = vfio_mig_async_try_begin(st);
	if (*done)
		return *done == -EBUSY;
	inside = vfio_mig_load_is_inside(st, from);
	if (inside)
		*done = vfio_mig_load_bytes(st, from);
	vfio_mig_stream_unlock_io(st);
	return !inside;
}

/*
 * What cannot be queued waits in place, whatever its submitter said: the order has
 * to stay. Behind a writer who holds io_lock it does so if its submitter can wait.
 */
static ssize_t vfio_mig_load_async(struct vfio_mig_stream *st, struct kiocb *iocb,
				   struct iov_iter *from)
{
	bool wait = vfio_mig_async_may_wait(iocb);
	ssize_t ret;

	if (vfio_mig_load_must_queue(st, from, &ret)) {
		ret = vfio_mig_async_queue(st, iocb, from);
		wait = ret == -ENOMEM;
	} else {
		wait = wait && ret == -EAGAIN;
	}
	return wait ? vfio_mig_load_now(st, from, true) : ret;
}

ssize_t vfio_mig_load_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vfio_mig_stream *st = iocb->ki_filp->private_data;

	if (vfio_mig_async_wanted(iocb) && iov_iter_count(from))
		return vfio_mig_load_async(st, iocb, from);
	return vfio_mig_load_now(st, from, vfio_mig_async_may_wait(iocb));
}

/* Serve the first of the queued requests. A short write would leave a gap before the next. */
ssize_t vfio_mig_load_serve(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	ssize_t ret = vfio_mig_load_bytes(st, &request->iter);

	if (iov_iter_count(&request->iter))
		vfio_mig_stream_fail(st, ret < 0 ? ret : -ENOMEM, "write cut short");
	return ret;
}

__poll_t vfio_mig_load_poll(struct file *file, struct poll_table_struct *table)
{
	struct vfio_mig_stream *st = file->private_data;

	poll_wait(file, &st->wait, table);
	if (vfio_mig_stream_status(st))
		return EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP;
	return EPOLLOUT | EPOLLWRNORM;
}

int vfio_mig_load_start(struct vfio_mig_stream *st)
{
	const struct vfio_mig_ops *ops = st->mig->ops;
	int ret;

	vfio_mig_parser_init(&st->parser, ops->max_record, ops->load_tags);
	st->verdict = -EBADMSG;
	ret = vfio_mig_apply_start(st);
	if (ret)
		return ret;
	guard(mutex)(&st->call_lock);
	return vfio_mig_call_load_begin(st);
}

/* A session whose file was closed before anything was written has changed nothing. */
static int vfio_mig_load_verdict(struct vfio_mig_stream *st)
{
	bool unused;
	int ret;

	lockdep_assert_held(&st->call_lock);
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		ret = st->status ?: st->verdict;
		unused = !st->status && st->released && !st->bytes;
	}
	if (unused) {
		vfio_mig_call_load_end(st, true);
		return 0;
	}
	return ret ?: vfio_mig_call_load_end(st, false);
}

/*
 * Whether what was loaded makes a usable device. Either way nothing is loaded
 * after this, also by a writer that is under way.
 */
int vfio_mig_load_finish(struct vfio_mig_stream *st)
{
	int ret;

	guard(mutex)(&st->call_lock);
	ret = vfio_mig_load_verdict(st);
	vfio_mig_stream_fail(st, ret ?: -ENODEV, ret == -EBADMSG ? "incomplete stream" : NULL);
	return ret;
}

/* Drop what was loaded. The lock waits for the record that is being applied. */
void vfio_mig_load_abort(struct vfio_mig_stream *st)
{
	guard(mutex)(&st->call_lock);
	vfio_mig_call_load_end(st, true);
}
