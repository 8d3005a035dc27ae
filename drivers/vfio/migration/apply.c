// SPDX-License-Identifier: GPL-2.0-only
/*
 * Applying: complete images go to the driver.
 *
 * The write that completes an image waits until the driver has applied it, and tells what
 * became of it. A driver may ask for more: that it works on one image while the next
 * one arrives. Then a failure is told by a later write. The last one is that of the end
 * record, so this is done only in a stream that announces one.
 *
 * A buffer goes round: spare -> filled by writers -> ready -> applied -> spare.
 */
#include <trace/events/vfio_mig.h>

#include "call.h"
#include "vfio_mig_private.h"

/**
 * vfio_mig_load_reserve() - have memory for records before they come
 * @st: a loading session
 * @size: bytes of a record
 * @count: for how many of them; more than one only with &vfio_mig_ops.load_overlaps
 *
 * The memory goes through &vfio_mig_ops.buf_init at once. How large a size of
 * which nothing has arrived yet may be is up to the driver.
 *
 * Context: in &vfio_mig_ops.load_begin or &vfio_mig_ops.expect.
 * Return: 0 or -errno; records can be loaded either way.
 */
int vfio_mig_load_reserve(struct vfio_mig_stream *st, size_t size, unsigned int count)
{
	lockdep_assert_held(&st->call_lock);
	for (unsigned int i = 0; i < min(count, st->pool_count); i++) {
		struct vfio_mig_buf *buf = st->pool[i];
		int ret = 0;

		if (size > buf->size) {
			vfio_mig_buf_retire(st, buf);
			ret = vfio_mig_buf_grow(buf, size);
		}
		if (!ret && buf->size)
			ret = vfio_mig_buf_prepare(st, buf);
		if (ret)
			return ret;
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_load_reserve, "VFIO_MIG");

static int vfio_mig_apply_verify(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	if (!st->parser.checked)
		return 0;
	return vfio_mig_parser_verify(&st->parser, vfio_mig_buf_crc32c(buf));
}

static int vfio_mig_apply_buf(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	int ret;

	lockdep_assert_held(&st->call_lock);
	ret = vfio_mig_stream_status(st);
	if (!ret)
		ret = vfio_mig_buf_prepare(st, buf);
	if (ret)
		return ret;
	trace_vfio_mig_record(st->name, buf->tag, buf->length, VFIO_MIG_WAY_LOADED);
	ret = vfio_mig_call_load_record(st, buf->tag, buf);
	/* For the worker that serves requests it would mean to come again. */
	return ret == -EAGAIN ? -EIO : ret;
}

/* In front: what the device knows already is filled first. */
static void vfio_mig_apply_give_back(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	buf->length = 0;
	list_move(&buf->node, &st->load.spare);
}

static struct vfio_mig_buf *vfio_mig_apply_peek(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return list_first_entry_or_null(&st->load.ready, struct vfio_mig_buf, node);
}

/*
 * Apply the first of the complete images. Whoever has to wait for that does it himself if
 * nobody is at it yet, so that no worker waits for another one.
 */
static bool vfio_mig_apply_first(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf;
	int ret;

	guard(mutex)(&st->call_lock);
	buf = vfio_mig_apply_peek(st);
	if (!buf)
		return false;
	ret = vfio_mig_apply_buf(st, buf);
	if (ret)
		vfio_mig_stream_fail(st, ret, NULL);
	vfio_mig_apply_give_back(st, buf);
	return true;
}

/* Behind the writer. */
void vfio_mig_apply_ready(struct work_struct *work)
{
	struct vfio_mig_stream *st = container_of(work, struct vfio_mig_stream, load.apply);

	while (vfio_mig_apply_first(st))
		;
}

/* An image is complete: it goes to the driver, now or behind the writer. */
int vfio_mig_apply_filled(struct vfio_mig_stream *st, const char **reason)
{
	struct vfio_mig_buf *buf = st->load.filling;
	int ret;

	lockdep_assert_held(&st->io_lock);
	ret = vfio_mig_apply_verify(st, buf);
	if (ret) {
		*reason = "wrong checksum";
		return ret;
	}
	buf->tag = st->parser.tag;
	st->load.filling = NULL;
	if (st->load.overlaps && vfio_mig_parser_announces_end(&st->parser)) {
		guard(spinlock_irqsave)(&st->queue_lock);
		list_add_tail(&buf->node, &st->load.ready);
		queue_work(vfio_mig_wq, &st->load.apply);
		return 0;
	}
	scoped_guard(mutex, &st->call_lock)
		ret = vfio_mig_apply_buf(st, buf);
	vfio_mig_apply_give_back(st, buf);
	return ret;
}

/* The buffer that the image arrives in or would arrive in; NULL: the driver has all of them. */
struct vfio_mig_buf *vfio_mig_apply_look(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->io_lock);
	if (st->load.filling)
		return st->load.filling;
	guard(spinlock_irqsave)(&st->queue_lock);
	return list_first_entry_or_null(&st->load.spare, struct vfio_mig_buf, node);
}

/* The buffer that the image arrives in. Waits for the driver if it has all of them. */
struct vfio_mig_buf *vfio_mig_apply_get_buf(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf;

	while (!(buf = vfio_mig_apply_look(st)))
		vfio_mig_apply_first(st);
	scoped_guard(spinlock_irqsave, &st->queue_lock)
		list_del_init(&buf->node);
	st->load.filling = buf;
	return buf;
}

/* On return all images that are complete are applied, or the session has failed. */
int vfio_mig_apply_wait(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->io_lock);
	while (vfio_mig_apply_first(st))
		;
	return vfio_mig_stream_status(st);
}

int vfio_mig_apply_start(struct vfio_mig_stream *st)
{
	const struct vfio_mig_ops *ops = st->mig->ops;

	st->load.overlaps = ops->load_overlaps;
	for (unsigned int i = 0; i < 1 + ops->load_overlaps; i++) {
		struct vfio_mig_buf *buf = vfio_mig_buf_alloc(ops);

		if (!buf)
			return -ENOMEM;
		vfio_mig_stream_add_buf(st, buf);
		list_add_tail(&buf->node, &st->load.spare);
	}
	return 0;
}

/* The session has a status: nothing is applied any more. Waits for what is being applied. */
void vfio_mig_apply_stop(struct vfio_mig_stream *st)
{
	disable_work_sync(&st->load.apply);
}
