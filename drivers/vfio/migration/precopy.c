// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_MIG_GET_PRECOPY_INFO: how much a pre-copy session has to offer.
 *
 * What the user is told is a promise: until it asks again, no more than that is
 * read before -ENOMSG, however fast the device goes on to change. What is
 * queued is counted exactly, and what is not is what the driver estimates.
 */
#include <linux/fs.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "call.h"
#include "vfio_mig_private.h"

static u64 vfio_mig_precopy_queued(struct vfio_mig_stream *st, bool initial)
{
	struct vfio_mig_buf *buf;
	u64 bytes = 0;

	lockdep_assert_held(&st->queue_lock);
	list_for_each_entry(buf, &st->save.ready, node)
		if (buf->initial == initial)
			bytes += buf->prefix_length + buf->length;
	buf = list_first_entry_or_null(&st->save.ready, struct vfio_mig_buf, node);
	if (buf && buf->initial == initial)
		bytes -= st->save.cursor;
	return bytes;
}

/* Every record may carry a checksum, which the driver knows nothing of. */
static u64 vfio_mig_precopy_framed(struct vfio_mig_stream *st, u64 bytes)
{
	u64 records = DIV_ROUND_UP_ULL(bytes, max(st->save.record_size, 1));

	if (!vfio_mig_send_checksum)
		return bytes;
	return bytes + records * (VFIO_MIG_MAX_PREFIX - sizeof(struct vfio_mig_record_header));
}

/*
 * The device was configured anew: what follows is initial data, if the user can
 * be told. Otherwise initial bytes must not grow, so that it counts as dirty.
 */
static void vfio_mig_precopy_reinit(struct vfio_mig_stream *st, struct vfio_precopy_info *info)
{
	if (!st->mig->vdev->precopy_info_v2)
		return;
	st->save.initial = true;
	info->flags |= VFIO_PRECOPY_INFO_REINIT;
}

static void vfio_mig_precopy_fill(struct vfio_mig_stream *st,
				  const struct vfio_mig_estimate *estimate,
				  struct vfio_precopy_info *info)
{
	u64 initial = vfio_mig_precopy_framed(st, estimate->initial_bytes);
	struct vfio_mig_save *save = &st->save;

	guard(spinlock_irqsave)(&st->queue_lock);
	if (estimate->reinit || save->reinit)
		vfio_mig_precopy_reinit(st, info);
	save->reinit = false;
	info->initial_bytes = vfio_mig_precopy_queued(st, true) + (save->initial ? initial : 0);
	info->dirty_bytes = vfio_mig_precopy_queued(st, false) +
			    vfio_mig_precopy_framed(st, estimate->dirty_bytes) +
			    (save->initial ? 0 : initial);
	save->promised = info->initial_bytes + info->dirty_bytes;
	if (estimate->initial_bytes || estimate->dirty_bytes)
		save->idle = false;
}

static int vfio_mig_precopy_ask(struct vfio_mig_stream *st, struct vfio_precopy_info *info)
{
	struct vfio_mig_estimate estimate = {};
	int ret;

	/* The session cannot end meanwhile, so that the device is there. */
	guard(mutex)(&st->call_lock);
	ret = st->mig ? vfio_mig_stream_status(st) : -ENODEV;
	if (ret)
		return ret;
	if (st->mode != VFIO_MIG_STREAM_PRE_COPY)
		return -EINVAL;
	/* In the first version the member is neither input nor output. */
	if (st->mig->vdev->precopy_info_v2)
		info->flags = 0;
	vfio_mig_save_pause(st);
	ret = vfio_mig_stream_status(st);
	if (!ret)
		ret = vfio_mig_call_estimate(st->mig, &estimate);
	if (!ret)
		vfio_mig_precopy_fill(st, &estimate, info);
	vfio_mig_save_unpause(st);
	return ret;
}

/*
 * &file_operations.unlocked_ioctl of a saving session
 *
 * vfio_check_precopy_ioctl() is of no use here: it reads user memory and looks at
 * the device, for which the session would have to be kept from ending meanwhile.
 */
long vfio_mig_precopy_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	size_t size = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct vfio_mig_stream *st = file->private_data;
	void __user *user = (void __user *)arg;
	struct vfio_precopy_info info;
	int ret;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, user, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	ret = vfio_mig_precopy_ask(st, &info);
	if (ret)
		return ret;
	wake_up_all(&st->wait);
	return copy_to_user(user, &info, size) ? -EFAULT : 0;
}
