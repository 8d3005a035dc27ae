// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every state except ERROR is a pair of a run level and a stream.
 *
 * An arc of the kernel's table changes the run level, the stream, or - only when
 * it enters STOP_COPY from a pre-copy state - both, and then it lowers the
 * level. So two tables replace a chain of cases for each arc.
 */
#include <kunit/visibility.h>

#include "vfio_mig_private.h"

static const struct vfio_mig_pair vfio_mig_pairs[VFIO_DEVICE_STATE_NR] = {
	[VFIO_DEVICE_STATE_ERROR] = { VFIO_MIG_STOPPED, VFIO_MIG_STREAM_NONE },
	[VFIO_DEVICE_STATE_STOP] = { VFIO_MIG_STOPPED, VFIO_MIG_STREAM_NONE },
	[VFIO_DEVICE_STATE_RUNNING] = { VFIO_MIG_RUNNING, VFIO_MIG_STREAM_NONE },
	[VFIO_DEVICE_STATE_STOP_COPY] = { VFIO_MIG_STOPPED, VFIO_MIG_STREAM_STOP_COPY },
	[VFIO_DEVICE_STATE_RESUMING] = { VFIO_MIG_STOPPED, VFIO_MIG_STREAM_RESUMING },
	[VFIO_DEVICE_STATE_RUNNING_P2P] = { VFIO_MIG_QUIESCED, VFIO_MIG_STREAM_NONE },
	[VFIO_DEVICE_STATE_PRE_COPY] = { VFIO_MIG_RUNNING, VFIO_MIG_STREAM_PRE_COPY },
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = { VFIO_MIG_QUIESCED, VFIO_MIG_STREAM_PRE_COPY },
};

static const char * const vfio_mig_state_names[VFIO_DEVICE_STATE_NR] = {
	[VFIO_DEVICE_STATE_ERROR] = "ERROR",
	[VFIO_DEVICE_STATE_STOP] = "STOP",
	[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
	[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
	[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
	[VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
	[VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
};

static const char * const vfio_mig_mode_names[] = {
	[VFIO_MIG_STREAM_NONE] = "none",
	[VFIO_MIG_STREAM_PRE_COPY] = "pre-copy",
	[VFIO_MIG_STREAM_STOP_COPY] = "stop-copy",
	[VFIO_MIG_STREAM_RESUMING] = "resuming",
};

struct vfio_mig_pair vfio_mig_state_pair(enum vfio_device_mig_state state)
{
	return vfio_mig_pairs[state];
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_state_pair);

const char *vfio_mig_state_name(enum vfio_device_mig_state state)
{
	return state < VFIO_DEVICE_STATE_NR ? vfio_mig_state_names[state] : "invalid";
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_state_name);

const char *vfio_mig_mode_name(enum vfio_mig_stream_mode mode)
{
	return vfio_mig_mode_names[mode];
}
