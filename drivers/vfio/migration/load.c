// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading: a parser cuts the writer's bytes into records and has the driver
 * apply each one when it is complete.
 *
 * The stream comes from somewhere else and is not trusted. Memory is allocated
 * for bytes that have arrived, never for a size that a header claims. The write
 * that completes a record returns what became of it, as a failure at
 * RESUMING -> STOP comes too late for the sender. An error stays.
 */
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/uio.h>

#include "vfio_mig_private.h"

/* Bytes taken from the writer at a time. */
#define VFIO_MIG_LOAD_STEP	SZ_1M

static struct vfio_mig_buf *vfio_mig_load_buf(struct vfio_mig_stream *st)
{
	return st->pool[0];
}

static void vfio_mig_load_set_open(struct vfio_mig_stream *st, bool open)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	st->record_open = open;
}

/* Apply a complete record. */
static int vfio_mig_load_apply(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf = vfio_mig_load_buf(st);
	int ret;

	guard(mutex)(&st->call_lock);
	ret = vfio_mig_stream_status(st);
	if (!ret)
		ret = vfio_mig_buf_prepare(st, buf);
	if (!ret)
		ret = st->mig->ops->load_record(st, le32_to_cpu(st->parser.header.tag), buf);
	if (!ret)
		st->images++;
	return ret;
}

static int vfio_mig_load_close_record(struct vfio_mig_stream *st)
{
	int ret = st->parser.skip ? 0 : vfio_mig_load_apply(st);

	vfio_mig_load_buf(st)->length = 0;
	st->parser.header_length = 0;
	if (ret)
		vfio_mig_stream_fail(st, ret);
	else
		vfio_mig_load_set_open(st, false);
	return ret;
}

/* The header is complete: decide what to do with the payload. */
static int vfio_mig_load_open_record(struct vfio_mig_stream *st)
{
	struct vfio_mig_parser *parser = &st->parser;
	int ret;

	ret = vfio_mig_record_check(&parser->header, parser->max_record, parser->known_tags);
	if (ret) {
		vfio_mig_stream_fail(st, ret);
		return ret;
	}
	parser->skip = !vfio_mig_record_known(&parser->header, parser->known_tags);
	parser->left = le64_to_cpu(parser->header.size);
	return parser->left ? 0 : vfio_mig_load_close_record(st);
}

static ssize_t vfio_mig_load_header(struct vfio_mig_stream *st, struct iov_iter *from)
{
	struct vfio_mig_parser *parser = &st->parser;
	size_t copied;
	int ret;

	copied = copy_from_iter((void *)&parser->header + parser->header_length,
				sizeof(parser->header) - parser->header_length, from);
	if (!copied)
		return -EFAULT;
	parser->header_length += copied;
	vfio_mig_load_set_open(st, true);
	if (parser->header_length < sizeof(parser->header))
		return copied;
	ret = vfio_mig_load_open_record(st);
	return ret ?: copied;
}

/* A buffer that the device knows cannot grow. */
static int vfio_mig_load_make_room(struct vfio_mig_stream *st, size_t length)
{
	struct vfio_mig_buf *buf = vfio_mig_load_buf(st);

	if (length <= vfio_mig_buf_capacity(buf))
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
	return copied ?: -EFAULT;
}

static ssize_t vfio_mig_load_payload(struct vfio_mig_stream *st, struct iov_iter *from)
{
	struct vfio_mig_parser *parser = &st->parser;
	size_t wanted = min(parser->left, iov_iter_count(from));
	ssize_t taken = wanted;
	int ret;

	if (parser->skip)
		iov_iter_advance(from, wanted);
	else
		taken = vfio_mig_load_keep(st, from, wanted);
	if (taken < 0)
		return taken;
	parser->left -= taken;
	if (parser->left)
		return taken;
	ret = vfio_mig_load_close_record(st);
	return ret ?: taken;
}

static ssize_t vfio_mig_load_write(struct vfio_mig_stream *st, struct iov_iter *from)
{
	ssize_t done = 0;
	ssize_t taken;
	int status;

	do {
		status = vfio_mig_stream_status(st);
		if (status)
			return status;
		if (!iov_iter_count(from))
			return done;
		if (st->parser.header_length < sizeof(st->parser.header))
			taken = vfio_mig_load_header(st, from);
		else
			taken = vfio_mig_load_payload(st, from);
		if (taken > 0)
			done += taken;
	} while (taken > 0);

	/* What ends the stream is told at once, anything else at the next write. */
	return vfio_mig_stream_status(st) ?: (done ?: taken);
}

ssize_t vfio_mig_load_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vfio_mig_stream *st = iocb->ki_filp->private_data;
	ssize_t ret;

	ret = vfio_mig_stream_lock_io(st, iocb);
	if (ret)
		return ret;
	ret = vfio_mig_load_write(st, from);
	if (ret > 0)
		WRITE_ONCE(st->bytes, st->bytes + ret);
	vfio_mig_stream_unlock_io(st);
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

	st->parser.max_record = ops->max_record;
	st->parser.known_tags = ops->load_tags;
	buf = vfio_mig_buf_alloc(ops);
	if (!buf)
		return -ENOMEM;
	vfio_mig_stream_add_buf(st, buf);
	return ops->load_begin ? ops->load_begin(st) : 0;
}

static int vfio_mig_load_verdict(struct vfio_mig_stream *st)
{
	const struct vfio_mig_ops *ops = st->mig->ops;
	bool open, unused;
	int status, ret;

	lockdep_assert_held(&st->call_lock);
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		status = st->status;
		open = st->record_open;
		/* The file was closed before anything was written: nothing has changed. */
		unused = st->released && !st->bytes;
	}
	if (status)
		return status;
	if (!unused && (open || !st->images))
		return -EBADMSG;
	ret = ops->load_end ? ops->load_end(st, unused) : 0;
	return unused ? 0 : ret;
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
	vfio_mig_stream_fail(st, ret ?: -ENODEV);
	return ret;
}

/* Drop what was loaded. The lock waits for the record that is being applied. */
void vfio_mig_load_abort(struct vfio_mig_stream *st)
{
	const struct vfio_mig_ops *ops = st->mig->ops;

	guard(mutex)(&st->call_lock);
	if (ops->load_end)
		ops->load_end(st, true);
}
