// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete VFIO driver with live migration, to be read.
 *
 * The device is in <uapi/linux/migration_testdev.h>. As in most devices the physical
 * function (PF) moves the state of its virtual functions (VFs), so each operation here
 * is a command to the driver of the PF, see vms.h. All the rest is in vfio-mig.
 */
#include <linux/kmemleak.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vfio_pci_mig.h>
#include <uapi/linux/migration_testdev.h>

#include "vms.h"

struct vms_device {
	struct vfio_pci_mig_device core;
	struct vms_channel *channel;	/* to the PF */
	struct vms_session *saving;	/* under the vfio_mig guard */
};

/* What belongs to one data FD. save_next() and the end of its command take turns. */
struct vms_session {
	struct vfio_mig_stream *stream;
	struct vfio_mig_buf *buf;	/* that the command fills */
	struct vms_command save;
	u32 record_size;		/* 0 if this session does not save */
	u64 first_pass;			/* bytes that are left of it */
	bool final;			/* the VF is stopped */
	bool pause;			/* nothing to save for now, or any more */
	bool incomplete;		/* loading: images are missing */
};

static struct vms_device *to_vms(struct vfio_mig *mig)
{
	return container_of(mig, struct vms_device, core.mig);
}

static struct vms_device *vms_of(struct vfio_mig_stream *st)
{
	return to_vms(vfio_mig_stream_device(st));
}

/* Library and device number the levels alike. */
static_assert(TESTDEV_LEVEL_STOPPED == (int)VFIO_MIG_STOPPED &&
	      TESTDEV_LEVEL_QUIESCED == (int)VFIO_MIG_QUIESCED &&
	      TESTDEV_LEVEL_RUNNING == (int)VFIO_MIG_RUNNING);

static int vms_change_level(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	return vms_set_level(to_vms(mig)->channel, to);
}

/* Buffers are mapped for the PF, which does the DMA. */
static int vms_buf_init(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct vms_session *session = vfio_mig_stream_priv(st);

	return vfio_mig_buf_map(buf, vms_channel_device(vms_of(st)->channel),
				session->record_size ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
}

/* The device may use the memory of a command that was given up: then nobody else does. */
static void vms_buf_fini(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	if (!vms_channel_is_using(vms_of(st)->channel, &buf->sgt)) {
		vfio_mig_buf_unmap(buf);
		return;
	}
	for (unsigned int i = 0; i < buf->nr_pages; i++)
		get_page(buf->pages[i]);
	kmemleak_not_leak(buf->sgt.sgl);
}

/* Bytes of the stream that the device would produce */
static int vms_stream_bytes(struct vms_device *dev, u32 flags, u32 record_size, u64 *bytes)
{
	u32 images;
	int ret = vms_query(dev->channel, flags, record_size, &images, bytes);

	*bytes += images * (u64)sizeof(struct vfio_mig_record_header);
	return ret;
}

/* For a pre-copy session, and again, with @final, when that goes on to STOP_COPY. */
static int vms_save_begin(struct vfio_mig_stream *st, bool final)
{
	struct vms_session *session = vfio_mig_stream_priv(st);
	struct vms_device *dev = vms_of(st);
	u64 bytes;
	int ret = session->record_size ? 0 : vms_track(dev->channel, true);

	if (!ret)
		ret = vms_stream_bytes(dev, final ? TESTDEV_FINAL : 0,
				       session->record_size ?: vms_record_size(), &bytes);
	if (ret)
		return ret;
	if (!session->record_size)
		session->record_size = clamp_t(u64, PAGE_ALIGN(bytes), TESTDEV_MIN_IMAGE,
					       vms_record_size());
	session->stream = st;
	session->first_pass = final ? 0 : bytes;
	session->final = final;
	session->pause = !bytes;
	if (final)
		vfio_mig_save_expect(st, bytes);
	/* The device fills one while the user reads the other. */
	ret = vfio_mig_save_buffers(st, session->record_size, 2);
	dev->saving = ret ? dev->saving : session;
	return ret;
}

/* Context: hard interrupt. When the buffer has been passed on, save_next() may run. */
static void vms_saved(struct vms_command *save)
{
	struct vms_session *session = container_of(save, struct vms_session, save);
	u64 bytes = save->length + sizeof(struct vfio_mig_record_header);
	bool first = session->first_pass;

	if (save->result || save->length > session->record_size) {
		vfio_mig_save_fail(session->stream, session->buf, save->result ?: -EIO);
	} else if (!save->length) {
		vfio_mig_save_idle(session->stream, session->buf);
	} else {
		session->first_pass -= min(session->first_pass, bytes);
		session->pause = !save->images || (first && !session->first_pass);
		vfio_mig_buf_sync_for_cpu(session->buf);
		vfio_mig_save_push(session->stream, session->buf, VFIO_MIG_TAG_IMAGE, 0,
				   save->length);
	}
}

static void vms_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct vms_session *session = vfio_mig_stream_priv(st);
	bool pause = session->pause;
	int ret;

	session->pause = pause && session->final;
	if (session->pause) {
		vfio_mig_save_eof(st, buf);
	} else if (pause) {
		vfio_mig_save_idle(st, buf);
	} else {
		vfio_mig_buf_sync_for_device(buf);
		session->buf = buf;
		session->save = (struct vms_command) {
			.argument = session->final ? TESTDEV_FINAL : 0,
			.length = session->record_size,
			.sgt = &buf->sgt,
			.done = vms_saved,
		};
		ret = vms_save(vms_of(st)->channel, &session->save);
		if (ret)
			vfio_mig_save_fail(st, buf, ret);
	}
}

static void vms_save_end(struct vfio_mig_stream *st, bool abort)
{
	vms_drain(vms_of(st)->channel);
	vms_track(vms_of(st)->channel, false);
	vms_of(st)->saving = NULL;
}

static int vms_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate)
{
	struct vms_session *session = to_vms(mig)->saving;
	u32 size = session ? session->record_size : vms_record_size();
	u64 dirty;
	int ret;

	ret = vms_stream_bytes(to_vms(mig), TESTDEV_FINAL | (session ? 0 : TESTDEV_ALL), size,
			       &estimate->stop_copy_bytes);
	if (ret || !session)
		return ret;
	ret = vms_stream_bytes(to_vms(mig), 0, size, &dirty);
	estimate->initial_bytes = min(dirty, session->first_pass);
	estimate->dirty_bytes = dirty - estimate->initial_bytes;
	return ret;
}

/* The device checks the image, the library has checked what is around it. */
static int vms_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf)
{
	struct vms_session *session = vfio_mig_stream_priv(st);

	vfio_mig_buf_sync_for_device(buf);
	return vms_load(vms_of(st)->channel, &buf->sgt, buf->length, &session->incomplete);
}

static int vms_load_end(struct vfio_mig_stream *st, bool abort)
{
	struct vms_session *session = vfio_mig_stream_priv(st);

	return session->incomplete && !abort ? -EBADMSG : 0;
}

/* Images can be loaded by devices with the same major version of the firmware. */
static int vms_describe(struct vfio_mig *mig, struct vfio_mig_preamble *preamble)
{
	u32 version = vms_channel_firmware(to_vms(mig)->channel);

	preamble->capabilities = cpu_to_le64(version);
	scnprintf(preamble->firmware, sizeof(preamble->firmware), "%u.%u", version >> 16,
		  version & 0xffff);
	return 0;
}

static const char *vms_accept(struct vfio_mig_stream *st,
			      const struct vfio_mig_preamble *preamble)
{
	u64 version = vms_channel_firmware(vms_of(st)->channel);

	return le64_to_cpu(preamble->capabilities) >> 16 == version >> 16 ?
	       NULL : "the firmware has another major version";
}

static const struct vfio_mig_ops vms_mig_ops = {
	.max_record = TESTDEV_MAX_IMAGE,
	.load_tags = BIT(VFIO_MIG_TAG_IMAGE),
	.stream_size = sizeof(struct vms_session),
	.direct_align = 1,
	.describe = vms_describe,
	.accept = vms_accept,
	.suspend = vms_change_level,
	.resume = vms_change_level,
	.buf_init = vms_buf_init,
	.buf_fini = vms_buf_fini,
	.save_begin = vms_save_begin,
	.save_next = vms_save_next,
	.save_end = vms_save_end,
	.load_record = vms_load_record,
	.load_end = vms_load_end,
	.estimate = vms_estimate,
};

static int vms_init(struct vfio_device *vdev)
{
	int ret = vfio_pci_core_init_dev(vdev);

	if (ret)
		return ret;
	ret = vfio_pci_mig_init(to_vfio_pci_mig(vdev), &vms_mig_ops, VFIO_MIGRATION_STOP_COPY |
				VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY);
	if (ret)
		vfio_pci_core_release_dev(vdev);
	return ret;
}

static const struct vfio_device_ops vms_vfio_ops = {
	.name = "vfio-mig-sample",
	.init = vms_init,
	VFIO_PCI_MIG_DEVICE_OPS,
};

static int vms_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vms_device *dev;
	int ret;

	dev = vfio_alloc_device(vms_device, core.core.vdev, &pdev->dev, &vms_vfio_ops);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	dev->channel = devm_vms_channel(pdev);
	ret = PTR_ERR_OR_ZERO(dev->channel) ?: vfio_pci_mig_register(&dev->core);
	if (ret)
		vfio_put_device(&dev->core.core.vdev);
	return ret;
}

static void vms_remove(struct pci_dev *pdev)
{
	struct vms_device *dev = pci_get_drvdata(pdev);

	vfio_pci_mig_unregister(&dev->core);
	vfio_put_device(&dev->core.core.vdev);
}

static const struct pci_device_id vms_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(TESTDEV_VENDOR, TESTDEV_VF_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, vms_ids);

static struct pci_driver vms_vf_driver = {
	.name = "vfio-mig-sample",
	.id_table = vms_ids,
	.probe = vms_probe,
	.remove = vms_remove,
	.err_handler = &vfio_pci_mig_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(vms_vf_driver);

MODULE_IMPORT_NS("VFIO_MIG");
MODULE_DESCRIPTION("Sample VFIO driver with live migration");
MODULE_LICENSE("GPL");
