// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long arcs take: for each kind of arc, how many there were, in buckets that
 * double in width. The table lists every arc that the kernel's own table has for
 * some set of migration flags; a request of several arcs counts as those.
 */
#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/time64.h>

#include "histogram.h"
#include "vfio_mig_private.h"

static const struct {
	enum vfio_device_mig_state from;
	enum vfio_device_mig_state to;
} vfio_mig_arcs[] = {
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P },
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_PRE_COPY },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_PRE_COPY_P2P },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING_P2P },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RESUMING },
	{ VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_RUNNING },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_STOP_COPY },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_PRE_COPY },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_RUNNING_P2P },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY },
};

static_assert(ARRAY_SIZE(vfio_mig_arcs) == VFIO_MIG_ARCS);

static struct vfio_mig_arc_times *vfio_mig_arc_times(struct vfio_mig *mig,
						     enum vfio_device_mig_state from,
						     enum vfio_device_mig_state to)
{
	for (unsigned int i = 0; i < VFIO_MIG_ARCS; i++)
		if (vfio_mig_arcs[i].from == from && vfio_mig_arcs[i].to == to)
			return &mig->arcs[i];
	return NULL;
}

/* Bucket 0 is less than a microsecond, each further one ends at twice the time. */
static unsigned int vfio_mig_bucket(u64 ns)
{
	return min(fls64(div_u64(ns, NSEC_PER_USEC)), VFIO_MIG_ARC_BUCKETS - 1);
}

/* An arc took @ns, whatever came of it. */
void vfio_mig_histogram_add(struct vfio_mig *mig, enum vfio_device_mig_state from,
			    enum vfio_device_mig_state to, u64 ns)
{
	struct vfio_mig_arc_times *times = vfio_mig_arc_times(mig, from, to);

	lockdep_assert_held(&mig->state_mutex);
	if (WARN_ON_ONCE(!times))
		return;
	times->count++;
	times->total += ns;
	times->longest = max(times->longest, ns);
	times->buckets[vfio_mig_bucket(ns)]++;
}

static void vfio_mig_histogram_show_buckets(struct seq_file *seq, const u32 *buckets)
{
	for (unsigned int i = 0; i < VFIO_MIG_ARC_BUCKETS - 1; i++)
		if (buckets[i])
			seq_printf(seq, " <%lu:%u", BIT(i), buckets[i]);
	if (buckets[VFIO_MIG_ARC_BUCKETS - 1])
		seq_printf(seq, " more:%u", buckets[VFIO_MIG_ARC_BUCKETS - 1]);
}

/* A line for each kind of arc that happened; times in microseconds. */
void vfio_mig_histogram_show(struct vfio_mig *mig, struct seq_file *seq)
{
	lockdep_assert_held(&mig->state_mutex);
	for (unsigned int i = 0; i < VFIO_MIG_ARCS; i++) {
		const struct vfio_mig_arc_times *times = &mig->arcs[i];

		if (!times->count)
			continue;
		seq_printf(seq, "%s -> %s count=%llu total=%llu max=%llu",
			   vfio_mig_state_name(vfio_mig_arcs[i].from),
			   vfio_mig_state_name(vfio_mig_arcs[i].to), times->count,
			   div_u64(times->total, NSEC_PER_USEC),
			   div_u64(times->longest, NSEC_PER_USEC));
		vfio_mig_histogram_show_buckets(seq, times->buckets);
		seq_putc(seq, '\n');
	}
}
