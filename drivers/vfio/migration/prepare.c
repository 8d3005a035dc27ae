// SPDX-License-Identifier: GPL-2.0-only
/*
 * The session to come.
 *
 * Memory that a device can reach takes time to make. Who asks a running device for
 * the amount of its data is about to migrate it, so what the session will need is
 * made then, and not when the device is to stand still as short as possible. Nobody
 * has an FD of it before it begins; there is one at most.
 */
#include <linux/err.h>
#include <linux/ktime.h>

#include "call.h"
#include "vfio_mig_private.h"

/* If it does not work out, the session makes what it needs when it begins. */
void vfio_mig_prepare(struct vfio_mig *mig)
{
	struct vfio_mig_stream *st;

	lockdep_assert_held(&mig->state_mutex);
	if (mig->prepared || !mig->ops->save_prepare)
		return;
	st = vfio_mig_stream_create(mig, VFIO_MIG_STREAM_STOP_COPY);
	if (IS_ERR(st))
		return;
	if (vfio_mig_call_save_prepare(st))
		vfio_mig_stream_discard(st);
	else
		mig->prepared = st;
}

/* The prepared session as one of this mode, or NULL. One that loads cannot use it. */
struct vfio_mig_stream *vfio_mig_prepared_take(struct vfio_mig *mig,
					       enum vfio_mig_stream_mode mode)
{
	struct vfio_mig_stream *st = mig->prepared;

	lockdep_assert_held(&mig->state_mutex);
	if (mode == VFIO_MIG_STREAM_RESUMING) {
		vfio_mig_prepared_drop(mig);
		return NULL;
	}
	if (!st)
		return NULL;
	mig->prepared = NULL;
	st->mode = mode;
	st->begun = ktime_get_ns();
	return st;
}

void vfio_mig_prepared_drop(struct vfio_mig *mig)
{
	lockdep_assert_held(&mig->state_mutex);
	if (mig->prepared)
		vfio_mig_stream_discard(mig->prepared);
	mig->prepared = NULL;
}
