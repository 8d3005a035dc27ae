// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much there is to send.
 *
 * The GPU does not tell what it has written. So the only figure that is true of a
 * running device is all of its memory, with which no client would ever come to the
 * point of stopping it. Instead the memory is compared with what was sent, each time
 * the user asks after the first pass. The answer is true of that moment, and what it
 * names is what the next pass sends.
 *
 * While the function is in D3hot its memory does not change, and is not read again.
 */
#include "migration.h"

#define NVGMIG_ESTIMATE_ENDS	(2 * sizeof(struct vfio_mig_record_header) + \
				 sizeof(struct nvgmig_stream_layout) + \
				 sizeof(struct nvgmig_stream_state))

static unsigned int nvgmig_estimate_left(struct nvgmig_blocks *blocks)
{
	guard(spinlock)(&blocks->lock);
	return blocks->left;
}

static u64 nvgmig_estimate_all(struct nvgmig_device *dev)
{
	struct nvgmig_blocks blocks = {};

	nvgmig_blocks_divide(&blocks, dev);
	return NVGMIG_ESTIMATE_ENDS + nvgmig_blocks_bytes(&blocks, blocks.count);
}

static void nvgmig_estimate_compare(struct nvgmig_session *session)
{
	s64 still = nvgmig_power_still(session->dev->migration);

	if (still != NVGMIG_POWER_RUNS && still == session->save.still_since)
		return;
	nvgmig_scan(session);
	session->save.still_since = still;
}

/* In the first pass, what was sent may have changed since, so all of it counts for later. */
static void nvgmig_estimate_first_pass(struct nvgmig_session *session,
				       struct vfio_mig_estimate *estimate)
{
	estimate->initial_bytes = nvgmig_blocks_bytes(&session->blocks,
						      nvgmig_estimate_left(&session->blocks));
	estimate->stop_copy_bytes = nvgmig_estimate_all(session->dev);
}

static void nvgmig_estimate_changes(struct nvgmig_session *session,
				    struct vfio_mig_estimate *estimate)
{
	nvgmig_estimate_compare(session);
	estimate->dirty_bytes = nvgmig_blocks_bytes(&session->blocks,
						    nvgmig_estimate_left(&session->blocks));
	estimate->stop_copy_bytes = NVGMIG_ESTIMATE_ENDS + estimate->dirty_bytes;
}

/* &vfio_mig_ops.estimate; the team is at work meanwhile only if the device is stopped */
int nvgmig_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate)
{
	struct nvgmig_device *dev = nvgmig_of(mig);
	struct nvgmig_session *session = dev->migration->saving;

	if (!session)
		estimate->stop_copy_bytes = nvgmig_estimate_all(dev);
	else if (session->save.final)
		estimate->stop_copy_bytes = NVGMIG_ESTIMATE_ENDS +
			nvgmig_blocks_bytes(&session->blocks,
					    nvgmig_estimate_left(&session->blocks));
	else if (session->save.first_pass)
		nvgmig_estimate_first_pass(session, estimate);
	else
		nvgmig_estimate_changes(session, estimate);
	return 0;
}
