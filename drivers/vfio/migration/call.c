// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call from the library into a driver.
 *
 * Here an operation that a driver left out is one that succeeds, and what
 * struct vfio_mig_ops promises about locks is checked. An injected fault takes
 * the place of the call, as if the driver had given up at once; an operation
 * that must not fail has none.
 */
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <trace/events/vfio_mig.h>

#include "call.h"
#include "fault.h"
#include "vfio_mig_private.h"

/* Call the driver, trace it, and yield the result. */
#define VFIO_MIG_TRACED(mig, op, call) ({				\
	const struct vfio_mig *traced = (mig);				\
	u64 begin = ktime_get_ns();					\
	int result = (call);						\
									\
	trace_vfio_mig_op(traced, op, result, ktime_get_ns() - begin);	\
	result;								\
})

/* The same for an operation that may fail. */
#define VFIO_MIG_CALL(mig, op, call) \
	VFIO_MIG_TRACED(mig, op, vfio_mig_fault_op() ? -EIO : (call))

/* The same for an operation that returns nothing. */
#define VFIO_MIG_CALL_VOID(mig, op, call) \
	VFIO_MIG_TRACED(mig, op, ({ call; 0; }))

int vfio_mig_call_suspend(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	lockdep_assert_held(&mig->state_mutex);
	return VFIO_MIG_CALL(mig, "suspend", mig->ops->suspend(mig, to));
}

int vfio_mig_call_resume(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	lockdep_assert_held(&mig->state_mutex);
	return VFIO_MIG_CALL(mig, "resume", mig->ops->resume(mig, to));
}

/* The result does not matter, see &vfio_mig_ops.resume. */
void vfio_mig_call_resume_after_reset(struct vfio_mig *mig)
{
	lockdep_assert_held(&mig->state_mutex);
	VFIO_MIG_TRACED(mig, "resume", mig->ops->resume(mig, VFIO_MIG_RUNNING));
}

/* Under state_mutex or, in a pre-copy session, its call_lock. */
int vfio_mig_call_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate)
{
	return VFIO_MIG_CALL(mig, "estimate", mig->ops->estimate(mig, estimate));
}

int vfio_mig_call_describe(struct vfio_mig *mig, struct vfio_mig_preamble *preamble)
{
	lockdep_assert_held(&mig->state_mutex);
	if (!mig->ops->describe)
		return 0;
	return VFIO_MIG_CALL(mig, "describe", mig->ops->describe(mig, preamble));
}

void vfio_mig_call_reset(struct vfio_mig *mig)
{
	lockdep_assert_held(&mig->state_mutex);
	if (mig->ops->reset)
		VFIO_MIG_CALL_VOID(mig, "reset", mig->ops->reset(mig));
}

int vfio_mig_call_stream_init(struct vfio_mig_stream *st)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	if (!mig->ops->stream_init)
		return 0;
	return VFIO_MIG_CALL(mig, "stream_init", mig->ops->stream_init(st));
}

void vfio_mig_call_stream_fini(struct vfio_mig_stream *st)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	if (mig->ops->stream_fini)
		VFIO_MIG_CALL_VOID(mig, "stream_fini", mig->ops->stream_fini(st));
}

/* While saving, a buffer is prepared and retired in more than one context. */
static void vfio_mig_assert_buf_context(struct vfio_mig_stream *st)
{
	if (st->mode == VFIO_MIG_STREAM_RESUMING)
		lockdep_assert_held(&st->call_lock);
}

int vfio_mig_call_buf_init(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct vfio_mig *mig = st->mig;

	vfio_mig_assert_buf_context(st);
	if (!mig->ops->buf_init)
		return 0;
	return VFIO_MIG_CALL(mig, "buf_init", mig->ops->buf_init(st, buf));
}

void vfio_mig_call_buf_fini(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct vfio_mig *mig = st->mig;

	vfio_mig_assert_buf_context(st);
	if (mig->ops->buf_fini)
		VFIO_MIG_CALL_VOID(mig, "buf_fini", mig->ops->buf_fini(st, buf));
}

int vfio_mig_call_save_prepare(struct vfio_mig_stream *st)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	return VFIO_MIG_CALL(mig, "save_prepare", mig->ops->save_prepare(st));
}

int vfio_mig_call_save_begin(struct vfio_mig_stream *st, bool final)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	return VFIO_MIG_CALL(mig, "save_begin", mig->ops->save_begin(st, final));
}

void vfio_mig_call_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_not_held(&mig->state_mutex);
	lockdep_assert_not_held(&st->call_lock);
	if (vfio_mig_fault_op())
		vfio_mig_save_fail(st, buf, -EIO);
	else
		VFIO_MIG_CALL_VOID(mig, "save_next", mig->ops->save_next(st, buf));
}

void vfio_mig_call_save_end(struct vfio_mig_stream *st, bool abort)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	VFIO_MIG_CALL_VOID(mig, "save_end", mig->ops->save_end(st, abort));
}

int vfio_mig_call_load_begin(struct vfio_mig_stream *st)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	if (!mig->ops->load_begin)
		return 0;
	return VFIO_MIG_CALL(mig, "load_begin", mig->ops->load_begin(st));
}

static void vfio_mig_assert_load_context(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->call_lock);
	lockdep_assert_not_held(&st->mig->state_mutex);
}

/* Why the device cannot load the stream, or NULL. */
const char *vfio_mig_call_accept(struct vfio_mig_stream *st,
				 const struct vfio_mig_preamble *preamble)
{
	struct vfio_mig *mig = st->mig;
	const char *reason = NULL;

	vfio_mig_assert_load_context(st);
	if (!mig->ops->accept)
		return NULL;
	if (vfio_mig_fault_op())
		return "injected fault";
	VFIO_MIG_TRACED(mig, "accept", ({
		reason = mig->ops->accept(st, preamble);
		reason ? -EOPNOTSUPP : 0;
	}));
	return reason;
}

int vfio_mig_call_expect(struct vfio_mig_stream *st, u64 size)
{
	struct vfio_mig *mig = st->mig;

	vfio_mig_assert_load_context(st);
	if (!mig->ops->expect)
		return 0;
	return VFIO_MIG_CALL(mig, "expect", mig->ops->expect(st, size));
}

int vfio_mig_call_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf)
{
	struct vfio_mig *mig = st->mig;

	vfio_mig_assert_load_context(st);
	return VFIO_MIG_CALL(mig, "load_record", mig->ops->load_record(st, tag, buf));
}

int vfio_mig_call_load_end(struct vfio_mig_stream *st, bool abort)
{
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&mig->state_mutex);
	lockdep_assert_held(&st->call_lock);
	if (!mig->ops->load_end)
		return 0;
	if (abort)
		return VFIO_MIG_TRACED(mig, "load_end", mig->ops->load_end(st, abort));
	return VFIO_MIG_CALL(mig, "load_end", mig->ops->load_end(st, abort));
}
