// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving while the VF runs.
 *
 * The first SAVE makes the firmware remember what changes from then on, and each
 * later one fetches that. It happens in passes: the first one is the whole state,
 * a later one what a user who asked for it was told. Between passes the session
 * is idle, however fast the VF goes on to change.
 *
 * When the firmware does not track the VF (status BAD_RES_STATE), which it may
 * refuse or stop to do at any time, pre-copy data is exhausted: the session stays
 * idle, what was read is still good, and the final image is a full one. The same
 * goes for a VF that does not start DMA any more (PRE_COPY_P2P), but for a session
 * that begins there: it fetches nothing more, as not all firmware can track it
 * then. That is not kept against it when it runs again.
 */
#include "mlx5mig.h"

/* Whether a SAVE would build on the one before. */
static bool mlx5mig_precopy_builds(const struct mlx5mig_save *save)
{
	return save->flags & MLX5MIG_INCREMENTAL && !save->exhausted;
}

/**
 * mlx5mig_precopy_exhausted() - the firmware does not track the VF any more
 * @session: a saving session
 *
 * Context: any.
 */
void mlx5mig_precopy_exhausted(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;

	/* The first SAVE was to begin it, and did not. */
	if (!(save->flags & MLX5MIG_INCREMENTAL))
		session->dev->tracking = false;
	save->exhausted = true;
}

/**
 * mlx5mig_precopy_query() - what is to be saved, on top of what was
 * @session: a saving session without a SAVE under way
 * @pending: the answer: of what changed, or of all if nothing can build on that
 *
 * Return: 0 or -errno.
 */
int mlx5mig_precopy_query(struct mlx5mig_session *session, struct mlx5mig_pending *pending)
{
	int ret;

	if (mlx5mig_precopy_builds(&session->save)) {
		ret = mlx5mig_cmd_query(session->dev, MLX5MIG_INCREMENTAL, pending);
		if (ret != -ESTALE)
			return ret;
		mlx5mig_precopy_exhausted(session);
	}
	ret = mlx5mig_cmd_query(session->dev, 0, pending);
	/* There is no such thing as an empty state. */
	return ret ?: pending->required ? 0 : -EIO;
}

/**
 * mlx5mig_precopy_pauses() - whether nothing can be saved at the moment
 * @session: a session whose VF is not stopped
 *
 * Return: whether.
 */
bool mlx5mig_precopy_pauses(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;

	return save->exhausted ||
	       (mlx5mig_precopy_builds(save) && session->dev->level != VFIO_MIG_RUNNING);
}

/**
 * mlx5mig_precopy_next() - find out how the pass goes on
 * @session: a session whose VF is not stopped
 *
 * A VF that was configured anew ends the pass: the user has to be told first.
 *
 * Return: 0 or -errno.
 */
int mlx5mig_precopy_next(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;
	struct mlx5mig_pending pending;
	int ret;

	if (mlx5mig_precopy_pauses(session))
		return 0;
	ret = mlx5mig_cmd_query(session->dev, MLX5MIG_INCREMENTAL, &pending);
	if (ret == -ESTALE) {
		mlx5mig_precopy_exhausted(session);
		return 0;
	}
	if (!ret && (!pending.reinit || save->reinit_told))
		save->required = pending.required;
	return ret;
}

/**
 * mlx5mig_precopy_saved() - an image was saved while the VF was not stopped
 * @session: the session, whose counters are up to date
 *
 * In one piece an image has everything. Of chunks only the firmware knows what
 * is left, which the VF has changed meanwhile.
 *
 * Context: any.
 */
void mlx5mig_precopy_saved(struct mlx5mig_session *session)
{
	struct mlx5mig_save *save = &session->save;

	save->flags = MLX5MIG_INCREMENTAL | MLX5MIG_TRACK;
	save->reinit_told = false;
	save->required = 0;
	if (!session->dev->chunked) {
		save->left = 0;
		save->first = 0;
	}
	save->asks = save->left;
}

/**
 * mlx5mig_precopy_end() - make sure that the firmware does not track the VF
 * @dev: the VF
 *
 * A VF that is stopped cannot be told. It is tried again when it is started, which
 * may have ended it as well.
 *
 * Context: vfio_mig guard.
 */
void mlx5mig_precopy_end(struct mlx5mig_device *dev)
{
	lockdep_assert_held(&dev->core.mig.state_mutex);
	if (dev->saving || !dev->tracking || dev->level == VFIO_MIG_STOPPED)
		return;
	mlx5mig_cmd_untrack(dev);
	dev->tracking = false;
}

/* Records that do not fit are left for later; the buffers grow before the next one. */
static void mlx5mig_precopy_make_room(struct mlx5mig_session *session,
				      const struct mlx5mig_pending *pending)
{
	u64 size;

	if (!pending->required ||
	    mlx5mig_record_size(session->dev, pending, false, &size))
		return;
	/* Without more memory it all comes with the final image. */
	vfio_mig_save_buffers(session->stream, size, 1);
}

/* The next pass is what the user is told. */
static void mlx5mig_precopy_plan(struct mlx5mig_session *session,
				 const struct mlx5mig_pending *pending,
				 struct vfio_mig_estimate *estimate)
{
	struct mlx5mig_save *save = &session->save;
	u64 bytes = mlx5mig_image_bytes(pending->total, pending->required);

	if (mlx5mig_precopy_builds(save)) {
		estimate->reinit = pending->reinit && !save->reinit_told;
		save->reinit_told |= estimate->reinit;
	}
	if (estimate->reinit || !(save->flags & MLX5MIG_INCREMENTAL))
		save->first = pending->total;
	save->first = min(save->first, pending->total);
	save->left = pending->total;
	save->required = pending->required;
	save->asks = false;
	estimate->initial_bytes = mlx5mig_image_bytes(save->first, pending->required);
	estimate->dirty_bytes = bytes - min(bytes, estimate->initial_bytes);
	mlx5mig_precopy_make_room(session, pending);
}

static int mlx5mig_precopy_estimate(struct mlx5mig_session *session,
				    struct vfio_mig_estimate *estimate)
{
	struct mlx5mig_pending pending;
	int ret;

	ret = mlx5mig_precopy_query(session, &pending);
	if (ret)
		return ret;
	estimate->stop_copy_bytes = mlx5mig_stream_bytes(&pending);
	if (!mlx5mig_precopy_pauses(session))
		mlx5mig_precopy_plan(session, &pending, estimate);
	return 0;
}

/*
 * &vfio_mig_ops.estimate
 *
 * Not called while the session saves a stopped VF, when the firmware would only
 * tell what is left of the image.
 */
int mlx5mig_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate)
{
	struct mlx5mig_device *dev = to_mlx5mig(mig);
	struct mlx5mig_pending pending;
	int ret;

	if (dev->saving)
		return mlx5mig_precopy_estimate(dev->saving, estimate);
	lockdep_assert_held(&mig->state_mutex);
	ret = mlx5mig_identify(dev);
	if (!ret)
		ret = mlx5mig_cmd_query(dev, 0, &pending);
	if (!ret)
		estimate->stop_copy_bytes = mlx5mig_stream_bytes(&pending);
	return ret;
}
