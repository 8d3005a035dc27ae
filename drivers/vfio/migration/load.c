// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading: the writer's bytes become images, which the driver applies.
 *
 * The stream comes from somewhere else and is not trusted. Memory is allocated
 * for bytes that have arrived, never for a size that a header claims. The write
 * that completes a record returns what became of it, as a failure at
 * RESUMING -> STOP comes too late for the sender. An error stays.
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

static struct vfio_mig_buf *vfio_mig_load_buf(struct vfio_mig_stream *st)
{
	return st->pool[0];
}

/**
 * vfio_mig_load_reserve() - have memory for a record before it comes
 * @st: a loading session
 * @size: bytes of the record
 *
 * The memory goes through &vfio_mig_ops.buf_init at once. How large a size of
 * which nothing has arrived yet may be is up to the driver.
 *
 * Context: in &vfio_mig_ops.load_begin or &vfio_mig_ops.expect.
 * Return: 0 or -errno; a record can be loaded either way.
 */
int vfio_mig_load_reserve(struct vfio_mig_stream *st, size_t size)
{
	struct vfio_mig_buf *buf = vfio_mig_load_buf(st);
	int ret;

	lockdep_assert_held(&st->call_lock);
	if (size > buf->size) {
		vfio_mig_buf_retire(st, buf);
		ret = vfio_mig_buf_grow(buf, size);
		if (ret)
			return ret;
	}
	return buf->size ? vfio_mig_buf_prepare(st, buf) : 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_load_reserve, "VFIO_MIG");

static int vfio_mig_load_verify(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	if (!st->parser.checked)
		return 0;
	return vfio_mig_parser_verify(&st->parser, vfio_mig_buf_crc32c(buf));
}

/* Apply a complete image. */
static int vfio_mig_load_apply(struct vfio_mig_stream *st, const char **reason)
{
	struct vfio_mig_buf *buf = vfio_mig_load_buf(st);
	int ret;

	ret = vfio_mig_load_verify(st, buf);
	if (ret) {
		*reason = "wrong checksum";
		return ret;
	}
	ret = vfio_mig_buf_prepare(st, buf);
	if (ret)
		return ret;
	trace_vfio_mig_record(st->name, st->parser.tag, buf->length, VFIO_MIG_WAY_LOADED);
	ret = vfio_mig_call_load_record(st, st->parser.tag, buf);
	buf->length = 0;
	/* For the worker it would mean to come again. */
	return ret == -EAGAIN ? -EIO : ret;
}

static int vfio_mig_load_expect(struct vfio_mig_stream *st)
{
	u64 size = st->parser.largest_image;

	return size <= st->parser.max_record ? vfio_mig_call_expect(st, size) : 0;
}

/* What the parser found complete concerns the driver. */
static int vfio_mig_load_event(struct vfio_mig_stream *st, int event, const char **reason)
{
	int ret;

	guard(mutex)(&st->call_lock);
	ret = vfio_mig_stream_status(st);
	if (ret)
		return ret;
	switch (event) {
	case VFIO_MIG_PARSER_GREETED:
		return vfio_mig_preamble_check(st, reason);
	case VFIO_MIG_PARSER_HINTED:
		return vfio_mig_load_expect(st);
	case VFIO_MIG_PARSER_COMPLETE:
		return vfio_mig_load_apply(st, reason);
	default:
		return 0;
	}
}

/* Only now, when the driver has applied it, the stream could end with what arrived. */
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

/* A buffer that the device knows cannot grow. */
static int vfio_mig_load_make_room(struct vfio_mig_stream *st, size_t length)
{
	struct vfio_mig_buf *buf = vfio_mig_load_buf(st);

	if (length <= buf->size)
		return 0;
	scoped_guard(mutex, &st->call_lock) {
		if (!st->mig)
			return -ENODEV;
		vfio_mig_buf_retire(st, buf);
	}
	return vfio_mig_buf_grow(buf, length);
}

static ssize_t vfio_mig_load_keep(struct vfio_mig_stream *st, struct iov_iter *from, size_t wanted)
{
	struct vfio_mig_buf *buf = vfio_mig_load_buf(st);
	size_t copied;
	int ret;

	wanted = min(wanted, VFIO_MIG_LOAD_STEP);
	ret = vfio_mig_load_make_room(st, buf->length + wanted);
	if (ret)
		return ret;
	copied = vfio_mig_buf_copy_from_iter(buf, buf->length, wanted, from);
	buf->length += copied;
	WRITE_ONCE(st->copied, st->copied + copied);
	return copied;
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
		taken = copy_from_iter(wish.to, taken, from);
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

/* Whether all of it is the inside of an image, so that the driver has nothing to do yet. */
static bool vfio_mig_load_is_inside(struct vfio_mig_stream *st, const struct iov_iter *from)
{
	struct vfio_mig_parser_wish wish;

	vfio_mig_parser_wish(&st->parser, &wish);
	return wish.place != VFIO_MIG_PARSER_HERE && iov_iter_count(from) < wish.length;
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
	struct vfio_mig_buf *buf;

	vfio_mig_parser_init(&st->parser, ops->max_record, ops->load_tags);
	st->verdict = -EBADMSG;
	buf = vfio_mig_buf_alloc(ops);
	if (!buf)
		return -ENOMEM;
	vfio_mig_stream_add_buf(st, buf);
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
