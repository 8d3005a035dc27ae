// SPDX-License-Identifier: GPL-2.0-only
/*
 * The preamble of a stream: who wrote it, and whether it can be loaded here.
 *
 * A stream without one is taken as it is, as other drivers write none.
 */
#include <linux/err.h>
#include <linux/string.h>

#include "call.h"
#include "vfio_mig_private.h"

static int vfio_mig_preamble_fill(struct vfio_mig *mig, struct vfio_mig_preamble *preamble)
{
	int ret;

	preamble->version = cpu_to_le32(VFIO_MIG_FORMAT_VERSION);
	preamble->flags = cpu_to_le32(VFIO_MIG_PREAMBLE_END);
	preamble->vendor = cpu_to_le16(mig->vendor);
	preamble->device = cpu_to_le16(mig->device);
	strscpy((char *)preamble->driver, mig->vdev->ops->name, sizeof(preamble->driver));
	ret = vfio_mig_call_describe(mig, preamble);
	/* Whatever the driver left there, it is text. */
	preamble->firmware[sizeof(preamble->firmware) - 1] = 0;
	return ret;
}

/* The end record has its memory from the beginning: the end may come in an interrupt. */
static int vfio_mig_preamble_reserve_end(struct vfio_mig_stream *st)
{
	struct vfio_mig_buf *buf = vfio_mig_save_new_buf(st, sizeof(struct vfio_mig_end));

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	st->save.end = buf;
	return 0;
}

/* Begin a saving session with a preamble. */
int vfio_mig_preamble_queue(struct vfio_mig_stream *st)
{
	struct vfio_mig_preamble preamble = {};
	int ret;

	if (!vfio_mig_send_preamble)
		return 0;
	ret = vfio_mig_preamble_fill(st->mig, &preamble);
	if (!ret)
		ret = vfio_mig_preamble_reserve_end(st);
	if (ret)
		return ret;
	return vfio_mig_save_blob(st, VFIO_MIG_TAG_PREAMBLE, VFIO_MIG_RECORD_OPTIONAL, &preamble,
				  sizeof(preamble));
}

/*
 * Whether this device can load what begins like that; @reason tells why not. The
 * parser has checked that the texts end.
 */
int vfio_mig_preamble_check(struct vfio_mig_stream *st, const char **reason)
{
	const struct vfio_mig_preamble *preamble = &st->parser.preamble;
	struct vfio_mig *mig = st->mig;

	lockdep_assert_held(&st->call_lock);
	if (strcmp((const char *)preamble->driver, mig->vdev->ops->name))
		*reason = "the stream was written by another driver";
	else if (le16_to_cpu(preamble->vendor) != mig->vendor ||
		 le16_to_cpu(preamble->device) != mig->device)
		*reason = "the stream is of another device";
	else
		*reason = vfio_mig_call_accept(st, preamble);
	return *reason ? -EOPNOTSUPP : 0;
}
