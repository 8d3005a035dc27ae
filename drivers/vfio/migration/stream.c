// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session: the data FD, its buffers, and its end.
 *
 * The device and the file hold a reference each. The device lets go first when
 * the state machine leaves the session, or at reset, close or loss of the
 * device; from then on no driver code is reached through the file, which
 * answers -ENODEV for as long as it stays open.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <trace/events/vfio_mig.h>

#include "call.h"
#include "fault.h"
#include "vfio_mig_private.h"

/**
 * vfio_mig_stream_device() - the device of a session
 * @st: a session that has not ended
 *
 * Context: any.
 * Return: the device.
 */
struct vfio_mig *vfio_mig_stream_device(const struct vfio_mig_stream *st)
{
	return st->mig;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_stream_device, "VFIO_MIG");

/**
 * vfio_mig_stream_priv() - the driver's memory of a session
 * @st: the session
 *
 * Context: any.
 * Return: &vfio_mig_ops.stream_size bytes, zeroed when the session began.
 */
void *vfio_mig_stream_priv(struct vfio_mig_stream *st)
{
	return st->priv;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_stream_priv, "VFIO_MIG");

/* The pool is what bounds the memory of a session. */
int vfio_mig_stream_add_buf(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	if (st->pool_count == ARRAY_SIZE(st->pool))
		return -ENOSPC;
	st->pool[st->pool_count++] = buf;
	return 0;
}

void vfio_mig_stream_free_bufs(struct vfio_mig_stream *st)
{
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		INIT_LIST_HEAD(&st->save.ready);
		INIT_LIST_HEAD(&st->save.spare);
		INIT_LIST_HEAD(&st->load.ready);
		INIT_LIST_HEAD(&st->load.spare);
	}
	st->load.filling = NULL;
	while (st->pool_count)
		vfio_mig_buf_free(st->pool[--st->pool_count]);
}

static void vfio_mig_stream_destroy(struct kref *ref)
{
	struct vfio_mig_stream *st = container_of(ref, struct vfio_mig_stream, ref);

	vfio_mig_stream_free_bufs(st);
	mutex_destroy(&st->call_lock);
	mutex_destroy(&st->io_lock);
	kfree(st);
}

static struct vfio_mig_stream *vfio_mig_stream_alloc(struct vfio_mig *mig,
						     enum vfio_mig_stream_mode mode)
{
	struct vfio_mig_stream *st;

	if (vfio_mig_fault_alloc())
		return NULL;
	st = kzalloc(sizeof(*st) + mig->ops->stream_size, GFP_KERNEL_ACCOUNT);
	if (!st)
		return NULL;
	kref_init(&st->ref);
	strscpy(st->name, dev_name(mig->vdev->dev));
	st->mode = mode;
	st->mig = mig;
	st->begun = ktime_get_ns();
	init_waitqueue_head(&st->wait);
	mutex_init(&st->io_lock);
	mutex_init(&st->call_lock);
	spin_lock_init(&st->queue_lock);
	INIT_LIST_HEAD(&st->save.ready);
	INIT_LIST_HEAD(&st->save.spare);
	INIT_LIST_HEAD(&st->load.ready);
	INIT_LIST_HEAD(&st->load.spare);
	INIT_LIST_HEAD(&st->requests);
	INIT_WORK(&st->save.produce, vfio_mig_save_produce);
	INIT_WORK(&st->load.apply, vfio_mig_apply_ready);
	INIT_WORK(&st->serve, vfio_mig_async_serve);
	return st;
}

/* Why the session can go no further; the first reason stays. */
void vfio_mig_stream_fail(struct vfio_mig_stream *st, int status, const char *reason)
{
	scoped_guard(spinlock_irqsave, &st->queue_lock) {
		if (!st->status) {
			st->status = status;
			st->reason = reason;
		}
		vfio_mig_async_kick(st);
	}
	wake_up_all(&st->wait);
}

int vfio_mig_stream_status(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return st->status;
}

int vfio_mig_stream_lock_io(struct vfio_mig_stream *st, bool wait)
{
	if (!wait)
		return mutex_trylock(&st->io_lock) ? 0 : -EAGAIN;
	return mutex_lock_killable(&st->io_lock);
}

/*
 * Whoever is last to use the buffers of a session that ended frees them. If the
 * end falls between the test and the unlock they stay until the file is closed.
 * The worker gave up if it came meanwhile, so it is called again.
 */
void vfio_mig_stream_unlock_io(struct vfio_mig_stream *st)
{
	bool ended;

	scoped_guard(spinlock_irqsave, &st->queue_lock)
		ended = st->ended;
	if (ended)
		vfio_mig_stream_free_bufs(st);
	guard(spinlock_irqsave)(&st->queue_lock);
	mutex_unlock(&st->io_lock);
	vfio_mig_async_kick(st);
}

static int vfio_mig_stream_release(struct inode *inode, struct file *file)
{
	struct vfio_mig_stream *st = file->private_data;

	scoped_guard(spinlock_irqsave, &st->queue_lock)
		st->released = true;
	kref_put(&st->ref, vfio_mig_stream_destroy);
	return 0;
}

static const struct file_operations vfio_mig_save_fops = {
	.owner = THIS_MODULE,
	.read_iter = vfio_mig_read_iter,
	.splice_read = vfio_mig_splice_read,
	.poll = vfio_mig_read_poll,
	.unlocked_ioctl = vfio_mig_precopy_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = vfio_mig_fdinfo_show,
	.release = vfio_mig_stream_release,
};

static const struct file_operations vfio_mig_load_fops = {
	.owner = THIS_MODULE,
	.write_iter = vfio_mig_load_write_iter,
	.splice_write = iter_file_splice_write,
	.poll = vfio_mig_load_poll,
	.show_fdinfo = vfio_mig_fdinfo_show,
	.release = vfio_mig_stream_release,
};

static struct file *vfio_mig_stream_file(struct vfio_mig_stream *st)
{
	bool saves = vfio_mig_stream_saves(st);
	struct file *file;

	file = anon_inode_getfile("vfio-mig", saves ? &vfio_mig_save_fops : &vfio_mig_load_fops,
				  st, saves ? O_RDONLY : O_WRONLY);
	if (IS_ERR(file))
		return file;
	kref_get(&st->ref);
	stream_open(file->f_inode, file);
	file->f_mode |= FMODE_NOWAIT;
	return file;
}

/* Give the driver back what it holds: the last calls into it. */
static void vfio_mig_stream_retire(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->call_lock);
	for (unsigned int i = 0; i < st->pool_count; i++)
		vfio_mig_buf_retire(st, st->pool[i]);
	vfio_mig_call_stream_fini(st);
	st->mig = NULL;
}

/* A session that the device does not know of yet. */
struct vfio_mig_stream *vfio_mig_stream_create(struct vfio_mig *mig,
					       enum vfio_mig_stream_mode mode)
{
	struct vfio_mig_stream *st = vfio_mig_stream_alloc(mig, mode);
	int ret;

	if (!st)
		return ERR_PTR(-ENOMEM);
	ret = vfio_mig_call_stream_init(st);
	if (!ret)
		return st;
	kref_put(&st->ref, vfio_mig_stream_destroy);
	return ERR_PTR(ret);
}

/* Undo vfio_mig_stream_create(). */
void vfio_mig_stream_discard(struct vfio_mig_stream *st)
{
	scoped_guard(mutex, &st->call_lock)
		vfio_mig_stream_retire(st);
	kref_put(&st->ref, vfio_mig_stream_destroy);
}

static int vfio_mig_stream_begin(struct vfio_mig_stream *st)
{
	if (vfio_mig_stream_saves(st))
		return vfio_mig_save_start(st, st->mode == VFIO_MIG_STREAM_STOP_COPY);
	return vfio_mig_load_start(st);
}

/* No record is read, written, produced or applied after this. */
static void vfio_mig_stream_detach(struct vfio_mig_stream *st)
{
	scoped_guard(mutex, &st->call_lock)
		vfio_mig_stream_retire(st);
	scoped_guard(spinlock_irqsave, &st->queue_lock)
		st->ended = true;
	if (mutex_trylock(&st->io_lock))
		vfio_mig_stream_unlock_io(st);
	kref_put(&st->ref, vfio_mig_stream_destroy);
}

static void vfio_mig_stream_account(struct vfio_mig *mig, struct vfio_mig_stream *st)
{
	int status = vfio_mig_stream_status(st);

	if (status && status != -ENODEV) {
		mig->errors++;
		mig->last_error = status;
		mig->last_reason = st->reason;
		mig->last_error_from = mig->state;
		mig->last_error_to = mig->state;
	}
	if (vfio_mig_stream_saves(st))
		mig->bytes_saved += READ_ONCE(st->bytes);
	else
		mig->bytes_loaded += READ_ONCE(st->bytes);
	atomic64_add(READ_ONCE(st->copied), &mig->bytes_copied);
	atomic64_add(READ_ONCE(st->direct), &mig->bytes_direct);
	atomic64_add(READ_ONCE(st->spliced), &mig->bytes_spliced);
	trace_vfio_mig_session_end(st->name, vfio_mig_mode_name(st->mode), status,
				   READ_ONCE(st->bytes));
}

/*
 * End the session. Queued requests are answered before this returns; nothing
 * here waits for somebody who touches user memory.
 */
static void vfio_mig_stream_end(struct vfio_mig *mig, bool abort)
{
	struct vfio_mig_stream *st = mig->stream;

	vfio_mig_stream_account(mig, st);
	scoped_guard(spinlock, &mig->reset_lock)
		mig->stream = NULL;
	scoped_guard(spinlock_irqsave, &st->queue_lock)
		st->status = -ENODEV;
	wake_up_all(&st->wait);

	if (vfio_mig_stream_saves(st)) {
		/* After somebody who asks how much there is. */
		guard(mutex)(&st->call_lock);
		vfio_mig_save_stop(st, abort);
	}
	vfio_mig_async_stop(st);
	vfio_mig_apply_stop(st);
	if (!vfio_mig_stream_saves(st) && abort)
		vfio_mig_load_abort(st);
	vfio_mig_stream_detach(st);
}

/* Enter a state that transfers data. The caller owns the file. */
struct file *vfio_mig_stream_start(struct vfio_mig *mig, enum vfio_mig_stream_mode mode)
{
	struct vfio_mig_stream *st;
	struct file *file;
	int ret;

	lockdep_assert_held(&mig->state_mutex);
	st = vfio_mig_prepared_take(mig, mode) ?: vfio_mig_stream_create(mig, mode);
	if (IS_ERR(st))
		return ERR_CAST(st);
	ret = vfio_mig_stream_begin(st);
	if (ret) {
		vfio_mig_stream_discard(st);
		return ERR_PTR(ret);
	}
	scoped_guard(spinlock, &mig->reset_lock) {
		mig->stream = st;
		if (mig->resetting)
			vfio_mig_stream_fail(st, -ENODEV, NULL);
	}
	trace_vfio_mig_session_begin(st->name, vfio_mig_mode_name(mode));
	file = vfio_mig_stream_file(st);
	if (IS_ERR(file)) {
		vfio_mig_stream_end(mig, true);
		return file;
	}
	mig->sessions++;
	return file;
}

/* A pre-copy session goes on to STOP_COPY, or stays what it is on error. */
int vfio_mig_stream_finalize(struct vfio_mig *mig)
{
	lockdep_assert_held(&mig->state_mutex);
	return vfio_mig_save_finalize(mig->stream);
}

/* Leave a state that transfers data; fails only if what was loaded is no good. */
int vfio_mig_stream_stop(struct vfio_mig *mig)
{
	struct vfio_mig_stream *st = mig->stream;
	bool abort = false;
	int ret = 0;

	lockdep_assert_held(&mig->state_mutex);
	if (vfio_mig_stream_saves(st))
		abort = !vfio_mig_save_complete(st);
	else
		ret = vfio_mig_load_finish(st);
	if (!ret)
		vfio_mig_stream_end(mig, abort);
	return ret;
}

/* End the session and the prepared one, if there are any, in whatever state. Cannot fail. */
void vfio_mig_stream_abort(struct vfio_mig *mig)
{
	lockdep_assert_held(&mig->state_mutex);
	vfio_mig_prepared_drop(mig);
	if (mig->stream)
		vfio_mig_stream_end(mig, true);
}
