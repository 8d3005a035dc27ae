// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration side of a device: its state, its lock, reset, and the loss and
 * return of its firmware.
 *
 * After every arc, failed or not, the state is exact: the old one, the new one,
 * or ERROR when a failed arc could not be undone.
 */
#include <linux/ktime.h>
#include <trace/events/vfio_mig.h>

#include "call.h"
#include "histogram.h"
#include "vfio_mig_private.h"

static bool vfio_mig_ops_complete(const struct vfio_mig_ops *ops)
{
	return ops->suspend && ops->resume && ops->save_begin && ops->save_next &&
	       ops->save_end && ops->load_record && ops->estimate && ops->max_record &&
	       !ops->buf_init == !ops->buf_fini;
}

/**
 * vfio_mig_init() - make a device migratable
 * @mig: zeroed memory that lives as long as @vdev
 * @vdev: the device
 * @ops: the driver's operations
 *
 * Context: process context, in &vfio_device_ops.init.
 * Return: 0, or -EINVAL if the driver left out a required operation.
 */
int vfio_mig_init(struct vfio_mig *mig, struct vfio_device *vdev, const struct vfio_mig_ops *ops)
{
	if (WARN_ON_ONCE(!vfio_mig_ops_complete(ops)))
		return -EINVAL;
	mutex_init(&mig->state_mutex);
	spin_lock_init(&mig->reset_lock);
	mig->vdev = vdev;
	mig->state = VFIO_DEVICE_STATE_RUNNING;
	mig->ops = ops;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_init, "VFIO_MIG");

/**
 * vfio_mig_fini() - undo vfio_mig_init()
 * @mig: nothing happens if it was never initialised
 *
 * Context: process context, in &vfio_device_ops.release.
 */
void vfio_mig_fini(struct vfio_mig *mig)
{
	if (!mig->ops)
		return;
	mutex_destroy(&mig->state_mutex);
	mig->ops = NULL;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_fini, "VFIO_MIG");

/**
 * vfio_mig_register() - publish what users may look at
 * @mig: an initialised device that is registered with VFIO
 *
 * Context: process context.
 */
void vfio_mig_register(struct vfio_mig *mig)
{
	vfio_mig_debugfs_add(mig);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_register, "VFIO_MIG");

/**
 * vfio_mig_unregister() - undo vfio_mig_register()
 * @mig: the device
 *
 * Context: process context.
 */
void vfio_mig_unregister(struct vfio_mig *mig)
{
	vfio_mig_debugfs_remove(mig);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_unregister, "VFIO_MIG");

static void vfio_mig_block_mmio(struct vfio_mig *mig, bool block)
{
	if (mig->block_mmio)
		mig->block_mmio(mig, block);
}

static void vfio_mig_reset_locked(struct vfio_mig *mig)
{
	lockdep_assert_held(&mig->state_mutex);
	vfio_mig_stream_abort(mig);
	vfio_mig_block_mmio(mig, false);
	mig->state = VFIO_DEVICE_STATE_RUNNING;
	if (!mig->detached)
		vfio_mig_call_reset(mig);
}

/*
 * The reset began or ended while an arc was under way, which may have stopped the
 * device again after it. If not, the device runs and refuses to be started.
 */
static void vfio_mig_deferred_reset(struct vfio_mig *mig)
{
	vfio_mig_stream_abort(mig);
	if (!mig->detached)
		vfio_mig_call_resume_after_reset(mig);
	vfio_mig_reset_locked(mig);
}

/**
 * vfio_mig_lock() - take the state lock; use guard(vfio_mig)(mig)
 * @mig: the device
 *
 * Context: process context, may sleep; not under the device's memory_lock.
 */
void vfio_mig_lock(struct vfio_mig *mig)
{
	mutex_lock(&mig->state_mutex);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_lock, "VFIO_MIG");

/* Under reset_lock a reset either sees the mutex free or leaves its mark in time. */
static bool vfio_mig_try_unlock(struct vfio_mig *mig)
{
	guard(spinlock)(&mig->reset_lock);
	if (mig->deferred_reset) {
		mig->deferred_reset = false;
		return false;
	}
	mutex_unlock(&mig->state_mutex);
	return true;
}

/**
 * vfio_mig_unlock() - release the state lock after the resets that came meanwhile
 * @mig: the device
 *
 * Context: process context, may sleep.
 */
void vfio_mig_unlock(struct vfio_mig *mig)
{
	while (!vfio_mig_try_unlock(mig))
		vfio_mig_deferred_reset(mig);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_unlock, "VFIO_MIG");

/**
 * vfio_mig_reset_prepare() - the device is about to be reset
 * @mig: the device
 *
 * No arc begins until vfio_mig_reset_done(), and users of the data FD are told
 * that the session is over, not what becomes of commands that the reset meets.
 *
 * Context: process context; the device's memory_lock may be held for write.
 */
void vfio_mig_reset_prepare(struct vfio_mig *mig)
{
	guard(spinlock)(&mig->reset_lock);
	mig->resetting = true;
	/* An arc that is under way may stop the device after it was reset. */
	mig->interrupted = mutex_is_locked(&mig->state_mutex);
	if (mig->stream)
		vfio_mig_stream_fail(mig->stream, -ENODEV, NULL);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_reset_prepare, "VFIO_MIG");

/**
 * vfio_mig_reset_done() - the device was reset
 * @mig: the device
 *
 * The state is RUNNING and the session over when the state lock is free the next
 * time: on return, unless somebody owns it now. Users of the data FD are woken
 * at once.
 *
 * Context: process context; the device's memory_lock may be held for write.
 */
void vfio_mig_reset_done(struct vfio_mig *mig)
{
	bool interrupted;

	scoped_guard(spinlock, &mig->reset_lock) {
		mig->resetting = false;
		interrupted = mig->interrupted;
		mig->interrupted = false;
		/* The device runs, whoever owns state_mutex and for how long. */
		vfio_mig_block_mmio(mig, false);
		if (mig->stream)
			vfio_mig_stream_fail(mig->stream, -ENODEV, NULL);
		if (!mutex_trylock(&mig->state_mutex)) {
			mig->deferred_reset = true;
			return;
		}
	}
	if (interrupted)
		vfio_mig_deferred_reset(mig);
	else
		vfio_mig_reset_locked(mig);
	vfio_mig_unlock(mig);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_reset_done, "VFIO_MIG");

/**
 * vfio_mig_open() - a user opened the device, which runs after the core's reset
 * @mig: the device
 *
 * Context: process context.
 */
void vfio_mig_open(struct vfio_mig *mig)
{
	guard(vfio_mig)(mig);
	vfio_mig_block_mmio(mig, false);
	mig->state = VFIO_DEVICE_STATE_RUNNING;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_open, "VFIO_MIG");

/**
 * vfio_mig_close() - the last user is gone
 * @mig: the device
 *
 * Data FDs may stay open; they answer -ENODEV.
 *
 * Context: process context.
 */
void vfio_mig_close(struct vfio_mig *mig)
{
	guard(vfio_mig)(mig);
	vfio_mig_stream_abort(mig);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_close, "VFIO_MIG");

/**
 * vfio_mig_detach() - the device's firmware goes out of reach
 * @mig: the device
 *
 * Ends the session and refuses new ones in one step. What the device was while
 * it did not run is lost: such a state becomes ERROR, which a reset ends.
 *
 * Context: process context. No operation runs after it returned.
 */
void vfio_mig_detach(struct vfio_mig *mig)
{
	guard(vfio_mig)(mig);
	mig->detached = true;
	vfio_mig_stream_abort(mig);
	if (vfio_mig_state_pair(mig->state).level == VFIO_MIG_RUNNING)
		mig->state = VFIO_DEVICE_STATE_RUNNING;
	else
		mig->state = VFIO_DEVICE_STATE_ERROR;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_detach, "VFIO_MIG");

/**
 * vfio_mig_attach() - the device's firmware can be reached again
 * @mig: the device
 *
 * Context: process context.
 */
void vfio_mig_attach(struct vfio_mig *mig)
{
	guard(vfio_mig)(mig);
	mig->detached = false;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_attach, "VFIO_MIG");

static struct file *vfio_mig_change_stream(struct vfio_mig *mig, enum vfio_mig_stream_mode from,
					   enum vfio_mig_stream_mode to)
{
	if (from == to)
		return NULL;
	if (to == VFIO_MIG_STREAM_NONE)
		return ERR_PTR(vfio_mig_stream_stop(mig));
	if (from == VFIO_MIG_STREAM_PRE_COPY)
		return ERR_PTR(vfio_mig_stream_finalize(mig));
	return vfio_mig_stream_start(mig, to);
}

static int vfio_mig_call_level(struct vfio_mig *mig, enum vfio_mig_run_level from,
			       enum vfio_mig_run_level to)
{
	if (to < from)
		return vfio_mig_call_suspend(mig, to);
	return vfio_mig_call_resume(mig, to);
}

static bool vfio_mig_is_running(enum vfio_mig_run_level from, enum vfio_mig_run_level to,
				int failure)
{
	return (failure ? from : to) != VFIO_MIG_STOPPED;
}

/* In a pre-copy session the driver does one thing at a time. */
static int vfio_mig_move_level(struct vfio_mig *mig, enum vfio_mig_run_level from,
			       enum vfio_mig_run_level to)
{
	struct vfio_mig_stream *st = mig->stream;
	int ret;

	if (!st || st->mode != VFIO_MIG_STREAM_PRE_COPY)
		return vfio_mig_call_level(mig, from, to);
	guard(mutex)(&st->call_lock);
	vfio_mig_save_pause(st);
	ret = vfio_mig_call_level(mig, from, to);
	vfio_mig_save_unpause(st);
	return ret;
}

/*
 * Touches are blocked from before the device is asked to stop until it is started.
 * That is not done under call_lock: it takes memory_lock, under which a reset
 * takes call_lock.
 */
static int vfio_mig_change_level(struct vfio_mig *mig, enum vfio_mig_run_level from,
				 enum vfio_mig_run_level to)
{
	int ret;

	if (from == to)
		return 0;
	if (to == VFIO_MIG_STOPPED)
		vfio_mig_block_mmio(mig, true);
	ret = vfio_mig_move_level(mig, from, to);
	if (vfio_mig_is_running(from, to, ret))
		vfio_mig_block_mmio(mig, false);
	return ret;
}

/* The old state cannot be restored; only a reset helps. */
static void vfio_mig_lose_state(struct vfio_mig *mig)
{
	vfio_mig_stream_abort(mig);
	mig->state = VFIO_DEVICE_STATE_ERROR;
}

/* One arc: lower the level, then change the stream; or change the stream; or raise the level. */
static struct file *vfio_mig_step(struct vfio_mig *mig, enum vfio_device_mig_state next)
{
	struct vfio_mig_pair from = vfio_mig_state_pair(mig->state);
	struct vfio_mig_pair to = vfio_mig_state_pair(next);
	bool lowers = to.level < from.level;
	struct file *file;
	int ret;

	ret = vfio_mig_change_level(mig, from.level, to.level);
	if (ret)
		return ERR_PTR(ret);

	file = vfio_mig_change_stream(mig, from.stream, to.stream);
	if (!IS_ERR(file)) {
		mig->state = next;
		return file;
	}
	if (lowers && vfio_mig_change_level(mig, to.level, from.level))
		vfio_mig_lose_state(mig);
	return file;
}

static struct file *vfio_mig_observed_step(struct vfio_mig *mig, enum vfio_device_mig_state next)
{
	enum vfio_device_mig_state from = mig->state;
	u64 begun = ktime_get_ns();
	struct file *file;
	u64 duration;

	trace_vfio_mig_arc_begin(mig, from, next);
	file = vfio_mig_step(mig, next);
	duration = ktime_get_ns() - begun;
	vfio_mig_histogram_add(mig, from, next, duration);
	trace_vfio_mig_arc_end(mig, from, next, PTR_ERR_OR_ZERO(file), duration);
	return file;
}

static bool vfio_mig_resetting(struct vfio_mig *mig)
{
	guard(spinlock)(&mig->reset_lock);
	return mig->resetting;
}

static struct file *vfio_mig_walk(struct vfio_mig *mig, enum vfio_device_mig_state state)
{
	enum vfio_device_mig_state next;
	struct file *file = NULL;
	int ret;

	/* The kernel's table must not be asked about ERROR; only a reset ends it. */
	if (mig->state == VFIO_DEVICE_STATE_ERROR)
		return ERR_PTR(-EINVAL);
	while (mig->state != state) {
		ret = vfio_mig_get_next_state(mig->vdev, mig->state, state, &next);
		if (ret)
			return ERR_PTR(ret);
		if (mig->detached)
			return ERR_PTR(-ENODEV);
		if (vfio_mig_resetting(mig))
			return ERR_PTR(-EBUSY);
		file = vfio_mig_observed_step(mig, next);
		if (IS_ERR(file))
			break;
	}
	return file;
}

/**
 * vfio_mig_set_state() - &vfio_migration_ops.migration_set_state
 * @mig: the device
 * @state: state to go to, by any number of arcs
 *
 * The data FD of a pre-copy session stays when it goes on to STOP_COPY.
 *
 * Context: process context, may sleep for as long as the device takes.
 * Return: the data FD's file if @state transfers data and was not left, which
 * the caller owns; NULL; or an error: -EINVAL for a forbidden arc, which touches
 * nothing, -ENODEV when the firmware is out of reach, -EBUSY while the device is
 * being reset, -ENOMEM, or what the driver returned.
 */
struct file *vfio_mig_set_state(struct vfio_mig *mig, enum vfio_device_mig_state state)
{
	struct file *file;

	guard(vfio_mig)(mig);
	file = vfio_mig_walk(mig, state);
	if (IS_ERR(file)) {
		mig->errors++;
		mig->last_error = PTR_ERR(file);
		mig->last_reason = mig->stream ? mig->stream->reason : NULL;
		mig->last_error_from = mig->state;
		mig->last_error_to = state;
	}
	return file;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_set_state, "VFIO_MIG");

/**
 * vfio_mig_get_state() - &vfio_migration_ops.migration_get_state
 * @mig: the device
 * @state: where to put the state
 *
 * Context: process context.
 * Return: 0.
 */
int vfio_mig_get_state(struct vfio_mig *mig, enum vfio_device_mig_state *state)
{
	guard(vfio_mig)(mig);
	*state = mig->state;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_get_state, "VFIO_MIG");

static int vfio_mig_estimate_precopy(struct vfio_mig_stream *st,
				     struct vfio_mig_estimate *estimate)
{
	int ret;

	guard(mutex)(&st->call_lock);
	vfio_mig_save_pause(st);
	ret = vfio_mig_call_estimate(st->mig, estimate);
	/* The user hears of it when it asks for the amount of pre-copy data. */
	st->save.reinit |= !ret && estimate->reinit;
	vfio_mig_save_unpause(st);
	return ret;
}

static int vfio_mig_estimate_stop_copy(struct vfio_mig *mig, u64 *bytes)
{
	struct vfio_mig_estimate estimate = {};
	struct vfio_mig_stream *st = mig->stream;
	int ret;

	if (st && st->mode == VFIO_MIG_STREAM_STOP_COPY && st->save.expected) {
		*bytes = st->save.expected;
		return 0;
	}
	if (st && st->mode == VFIO_MIG_STREAM_PRE_COPY)
		ret = vfio_mig_estimate_precopy(st, &estimate);
	else
		ret = vfio_mig_call_estimate(mig, &estimate);
	*bytes = estimate.stop_copy_bytes + VFIO_MIG_OWN_RECORDS;
	return ret;
}

/**
 * vfio_mig_get_data_size() - &vfio_migration_ops.migration_get_data_size
 * @mig: the device
 * @stop_copy_bytes: where to put the estimate, in bytes, never 0
 *
 * Context: process context.
 * Return: 0, -ENODEV when the firmware is out of reach, -EIO in ERROR, or what
 * the driver returned.
 */
int vfio_mig_get_data_size(struct vfio_mig *mig, unsigned long *stop_copy_bytes)
{
	u64 bytes;
	int ret;

	guard(vfio_mig)(mig);
	if (mig->detached)
		return -ENODEV;
	if (mig->state == VFIO_DEVICE_STATE_ERROR)
		return -EIO;
	ret = vfio_mig_estimate_stop_copy(mig, &bytes);
	if (ret)
		return ret;
	*stop_copy_bytes = bytes;
	if (mig->state == VFIO_DEVICE_STATE_RUNNING)
		vfio_mig_prepare(mig);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_get_data_size, "VFIO_MIG");
