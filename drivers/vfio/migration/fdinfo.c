// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/<pid>/fdinfo/<fd> says of a data FD, also when its session is over.
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/seq_file.h>

#include "vfio_mig_private.h"

struct vfio_mig_fdinfo {
	const char *state;
	const char *reason;
	enum vfio_mig_stream_mode mode;
	int status;
	bool complete;
	u64 expected;
};

static bool vfio_mig_fdinfo_complete(const struct vfio_mig_stream *st)
{
	return st->save.eof && list_empty(&st->save.ready);
}

static const char *vfio_mig_fdinfo_state(const struct vfio_mig_stream *st)
{
	if (st->ended || st->status == -ENODEV)
		return "ended";
	if (st->status)
		return "failed";
	if (vfio_mig_fdinfo_complete(st))
		return "complete";
	return st->save.idle ? "idle" : "active";
}

static void vfio_mig_fdinfo_look(struct vfio_mig_stream *st, struct vfio_mig_fdinfo *info)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	info->state = vfio_mig_fdinfo_state(st);
	info->reason = st->reason;
	info->mode = st->mode;
	info->status = st->status;
	info->complete = vfio_mig_fdinfo_complete(st);
	info->expected = st->save.expected;
}

static void vfio_mig_fdinfo_left(struct seq_file *seq, const struct vfio_mig_fdinfo *info,
				 u64 bytes)
{
	if (info->complete)
		seq_puts(seq, "vfio-mig-bytes-left:\t0\n");
	else if (info->expected && info->expected >= bytes)
		seq_printf(seq, "vfio-mig-bytes-left:\t%llu\n", info->expected - bytes);
	else
		seq_puts(seq, "vfio-mig-bytes-left:\tunknown\n");
}

/* &file_operations.show_fdinfo */
void vfio_mig_fdinfo_show(struct seq_file *seq, struct file *file)
{
	struct vfio_mig_stream *st = file->private_data;
	u64 bytes = READ_ONCE(st->bytes);
	struct vfio_mig_fdinfo info;
	u64 ms;

	vfio_mig_fdinfo_look(st, &info);
	ms = div_u64(ktime_get_ns() - st->begun, NSEC_PER_MSEC);
	seq_printf(seq, "vfio-mig-state:\t%s\n", info.state);
	seq_printf(seq, "vfio-mig-mode:\t%s\n", vfio_mig_mode_name(info.mode));
	seq_printf(seq, "vfio-mig-bytes:\t%llu\n", bytes);
	vfio_mig_fdinfo_left(seq, &info, bytes);
	seq_printf(seq, "vfio-mig-rate:\t%llu\n",
		   mul_u64_u64_div_u64(bytes, MSEC_PER_SEC, max(ms, 1)));
	seq_printf(seq, "vfio-mig-error:\t%d\n", info.status);
	seq_printf(seq, "vfio-mig-reason:\t%s\n", info.reason ?: "none");
}
