// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving: the device fills buffers.
 *
 * A buffer goes round: spare -> save_next() -> ready -> reader -> spare. One is
 * with the driver at a time, so that the next record is produced while earlier
 * ones are read. The number of buffers bounds the memory, however large the
 * state is. A request that waits for data may bring a buffer of its own.
 */
#include <kunit/visibility.h>

#include "call.h"
#include "vfio_mig_private.h"

/* A new buffer of the session's pool, with room for @size bytes. */
struct vfio_mig_buf *vfio_mig_save_new_buf(struct vfio_mig_stream *st, size_t size)
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

static int vfio_mig_save_add_spare(struct vfio_mig_stream *st, size_t size)
{
	struct vfio_mig_buf *buf = vfio_mig_save_new_buf(st, size);
	int ret;

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	ret = vfio_mig_buf_prepare(st, buf);
	if (ret)
		return ret;
	guard(spinlock_irqsave)(&st->queue_lock);
	list_add_tail(&buf->node, &st->save.spare);
	return 0;
}

static unsigned int vfio_mig_save_count(struct vfio_mig_stream *st)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < st->pool_count; i++)
		count += st->pool[i]->ready;
	return count;
}

/**
 * vfio_mig_save_buffers() - provide the buffers of a saving session
 * @st: the session
 * @size: bytes that each holds at least
 * @count: how many of them, cut to what the module parameter pool_records allows
 *
 * When a pre-copy session goes on to STOP_COPY this may be called again. Buffers
 * that are there count, and grow before they are filled the next time.
 *
 * Context: in &vfio_mig_ops.save_prepare or &vfio_mig_ops.save_begin. To have the
 * buffers of a pre-copy session grow also in its &vfio_mig_ops.estimate, with a
 * @count of 1.
 * Return: 0 or -errno.
 */
int vfio_mig_save_buffers(struct vfio_mig_stream *st, size_t size, unsigned int count)
{
	unsigned int have = vfio_mig_save_count(st);

	scoped_guard(spinlock_irqsave, &st->queue_lock)
		st->save.record_size = max(st->save.record_size, size);
	count = min(count, vfio_mig_pool_records);
	for (; have < count; have++) {
		int ret = vfio_mig_save_add_spare(st, size);

		if (ret)
			return ret;
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_buffers, "VFIO_MIG");

/**
 * vfio_mig_save_expect() - tell how much the session will produce
 * @st: the session
 * @bytes: of records with their headers, at least what is then pushed
 *
 * Spares the user's question for it a call of &vfio_mig_ops.estimate.
 *
 * Context: in &vfio_mig_ops.save_begin.
 */
void vfio_mig_save_expect(struct vfio_mig_stream *st, u64 bytes)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	st->save.expected = bytes + VFIO_MIG_OWN_RECORDS;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_expect, "VFIO_MIG");

/* The checksum is put in when somebody begins to read. */
static unsigned int vfio_mig_save_prefix(const struct vfio_mig_buf *buf, bool checksum)
{
	if (!checksum || buf->request)
		return sizeof(struct vfio_mig_record_header);
	return VFIO_MIG_MAX_PREFIX;
}

static void vfio_mig_save_queue(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, u32 tag,
				u32 flags, size_t length)
{
	struct vfio_mig_save *save = &st->save;
	bool image = tag < 32 && tag != VFIO_MIG_TAG_STOP_COPY_SIZE;
	unsigned int prefix = vfio_mig_save_prefix(buf, image && vfio_mig_send_checksum);

	lockdep_assert_held(&st->queue_lock);
	buf->prefix_length = prefix;
	vfio_mig_record_encode((void *)(buf->prefix + prefix) -
			       sizeof(struct vfio_mig_record_header), length, flags, tag);
	buf->tag = tag;
	buf->length = length;
	buf->initial = save->initial;
	if (image && !(flags & VFIO_MIG_RECORD_OPTIONAL)) {
		save->images++;
		save->image_bytes += length;
	}
	list_add_tail(&buf->node, &save->ready);
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

/*
 * The buffer to fill next: that of the first request if nothing comes before
 * it, else one of the pool.
 */
static struct vfio_mig_buf *vfio_mig_save_choose(struct vfio_mig_stream *st)
{
	struct vfio_mig_save *save = &st->save;
	struct vfio_mig_request *request;
	struct vfio_mig_buf *buf;

	request = list_first_entry_or_null(&st->requests, struct vfio_mig_request, node);
	if (request && vfio_mig_direct_waits(st, request) && !save->reading &&
	    list_empty(&save->ready))
		return request->buf;
	buf = list_first_entry_or_null(&save->spare, struct vfio_mig_buf, node);
	if (!buf || save->produced >= max(save->ahead, save->wanted))
		return NULL;
	list_del_init(&buf->node);
	return buf;
}

/* Have the driver produce the next record, if it is time for it. */
void vfio_mig_save_kick(struct vfio_mig_stream *st)
{
	struct vfio_mig_save *save = &st->save;

	lockdep_assert_held(&st->queue_lock);
	if (save->filling || save->paused || save->eof || save->idle || st->status)
		return;
	save->filling = vfio_mig_save_choose(st);
	if (save->filling)
		queue_work(vfio_mig_wq, &save->produce);
}

/* Somebody waits for data and brings no buffer. */
void vfio_mig_save_demand(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->queue_lock);
	st->save.ahead = vfio_mig_prefetch;
	st->save.wanted = 1;
	vfio_mig_save_kick(st);
}

/* The driver has given its buffer back, unused if it is not in the ready list. */
static void vfio_mig_save_give_back(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				    bool unused)
{
	lockdep_assert_held(&st->queue_lock);
	st->save.filling = NULL;
	if (unused && !buf->request)
		list_add_tail(&buf->node, &st->save.spare);
	vfio_mig_async_kick(st);
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
		vfio_mig_save_queue(st, buf, tag, flags, length);
		st->save.produced++;
		st->save.wanted = 0;
		vfio_mig_save_give_back(st, buf, false);
		vfio_mig_save_kick(st);
	}
	wake_up_all(&st->wait);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_push, "VFIO_MIG");

static void vfio_mig_save_queue_end(struct vfio_mig_stream *st)
{
	struct vfio_mig_save *save = &st->save;
	struct vfio_mig_end end = {
		.images = cpu_to_le64(save->images),
		.bytes = cpu_to_le64(save->image_bytes),
	};

	lockdep_assert_held(&st->queue_lock);
	if (!save->end)
		return;
	vfio_mig_buf_write(save->end, 0, &end, sizeof(end));
	vfio_mig_save_queue(st, save->end, VFIO_MIG_TAG_END, VFIO_MIG_RECORD_OPTIONAL,
			    sizeof(end));
}

/**
 * vfio_mig_save_eof() - the device has no more data
 * @st: the session
 * @buf: the buffer that &vfio_mig_ops.save_next was called with, unused
 *
 * Only after save_begin() was called with final set.
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_save_eof(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		WARN_ON_ONCE(st->mode != VFIO_MIG_STREAM_STOP_COPY);
		vfio_mig_save_queue_end(st);
		st->save.eof = true;
		vfio_mig_save_give_back(st, buf, true);
	}
	wake_up_all(&st->wait);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_eof, "VFIO_MIG");

/**
 * vfio_mig_save_idle() - the device has nothing new at the moment
 * @st: a pre-copy session
 * @buf: the buffer that &vfio_mig_ops.save_next was called with, unused
 *
 * Readers get -ENOMSG until vfio_mig_save_more(), or until the user asks for the
 * amount of data and &vfio_mig_ops.estimate finds some.
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_save_idle(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		WARN_ON_ONCE(st->mode != VFIO_MIG_STREAM_PRE_COPY);
		st->save.idle = true;
		st->save.initial = false;
		vfio_mig_save_give_back(st, buf, true);
	}
	wake_up_all(&st->wait);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_idle, "VFIO_MIG");

/**
 * vfio_mig_save_more() - the device has something new after all
 * @st: a session; nothing happens if it was not idle
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_save_more(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	st->save.idle = false;
	vfio_mig_save_kick(st);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_more, "VFIO_MIG");

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
		if (!st->status)
			st->status = error;
		vfio_mig_save_give_back(st, buf, true);
	}
	wake_up_all(&st->wait);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_save_fail, "VFIO_MIG");

/* Pages that a reader was lent are replaced, and a buffer that is too small grows. */
static int vfio_mig_save_refit(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	size_t size;
	int ret;

	scoped_guard(spinlock_irqsave, &st->queue_lock)
		size = st->save.record_size;
	if (!buf->request && (buf->lent || buf->size < size)) {
		vfio_mig_buf_retire(st, buf);
		vfio_mig_buf_renew(buf);
		ret = vfio_mig_buf_grow(buf, size);
		if (ret)
			return ret;
	}
	return vfio_mig_buf_prepare(st, buf);
}

void vfio_mig_save_produce(struct work_struct *work)
{
	struct vfio_mig_stream *st = container_of(work, struct vfio_mig_stream, save.produce);
	struct vfio_mig_buf *buf;
	int ret;

	scoped_guard(spinlock_irqsave, &st->queue_lock)
		buf = st->save.filling;
	ret = vfio_mig_save_refit(st, buf);
	if (ret)
		vfio_mig_save_fail(st, buf, ret);
	else
		vfio_mig_call_save_next(st, buf);
}

static bool vfio_mig_save_resting(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return !st->save.filling;
}

/*
 * On return the driver has nothing to do, until unpaused. Waits for the device.
 * What the driver is then asked is serialised by call_lock.
 */
void vfio_mig_save_pause(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->call_lock);
	scoped_guard(spinlock_irqsave, &st->queue_lock)
		st->save.paused++;
	wait_event(st->wait, vfio_mig_save_resting(st));
}

void vfio_mig_save_unpause(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	st->save.paused--;
	vfio_mig_save_kick(st);
}

static int vfio_mig_save_begin(struct vfio_mig_stream *st, bool final)
{
	int ret = vfio_mig_call_save_begin(st, final);

	if (!ret && !vfio_mig_save_count(st)) {
		WARN_ONCE(1, "driver bug: save_begin() provided no buffer\n");
		ret = -EINVAL;
	}
	return ret;
}

int vfio_mig_save_start(struct vfio_mig_stream *st, bool final)
{
	int ret;

	st->save.ahead = vfio_mig_prefetch;
	st->save.promised = U64_MAX;
	st->save.initial = !final;
	ret = vfio_mig_preamble_queue(st);
	if (!ret)
		ret = vfio_mig_save_begin(st, final);
	if (ret)
		return ret;
	guard(spinlock_irqsave)(&st->queue_lock);
	vfio_mig_save_kick(st);
	return 0;
}

/* A pre-copy session becomes a stop-copy one. What was queued before stays. */
int vfio_mig_save_finalize(struct vfio_mig_stream *st)
{
	int ret;

	guard(mutex)(&st->call_lock);
	vfio_mig_save_pause(st);
	ret = vfio_mig_save_begin(st, true);
	if (!ret) {
		guard(spinlock_irqsave)(&st->queue_lock);
		WRITE_ONCE(st->mode, VFIO_MIG_STREAM_STOP_COPY);
		st->save.promised = U64_MAX;
		st->save.initial = false;
		st->save.idle = false;
	}
	vfio_mig_save_unpause(st);
	wake_up_all(&st->wait);
	return ret;
}

/* On return the driver is idle and stays so. */
void vfio_mig_save_stop(struct vfio_mig_stream *st, bool abort)
{
	disable_work_sync(&st->save.produce);
	vfio_mig_call_save_end(st, abort);
	scoped_guard(spinlock_irqsave, &st->queue_lock)
		st->save.filling = NULL;
	wake_up_all(&st->wait);
}

/* Whether the reader has seen everything. */
bool vfio_mig_save_complete(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return st->save.eof && list_empty(&st->save.ready) && !st->status;
}

/* @done bytes of the first ready record have been read; at its end its buffer is free again. */
void vfio_mig_save_advance(struct vfio_mig_stream *st, struct vfio_mig_buf *buf, size_t done)
{
	struct vfio_mig_save *save = &st->save;

	guard(spinlock_irqsave)(&st->queue_lock);
	save->cursor += done;
	if (save->promised != U64_MAX)
		save->promised -= min(save->promised, done);
	if (save->cursor < buf->prefix_length + buf->length)
		return;
	save->cursor = 0;
	list_del_init(&buf->node);
	if (!buf->ready)
		return;
	save->produced--;
	if (!buf->request)
		list_add_tail(&buf->node, &save->spare);
	vfio_mig_save_kick(st);
}
