// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice() from a data FD: the pages of the pool go to the pipe by reference.
 *
 * Whoever drains the pipe may take its time, so pages that were lent are
 * replaced before the device fills their buffer again.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pipe_fs_i.h>
#include <linux/splice.h>
#include <trace/events/vfio_mig.h>

#include "fault.h"
#include "vfio_mig_private.h"

static void vfio_mig_splice_put(struct splice_pipe_desc *pieces, unsigned int i)
{
	put_page(pieces->pages[i]);
}

static void vfio_mig_splice_add(struct splice_pipe_desc *pieces, struct page *page,
				unsigned int offset, unsigned int length)
{
	pieces->pages[pieces->nr_pages] = page;
	pieces->partial[pieces->nr_pages].offset = offset;
	pieces->partial[pieces->nr_pages].len = length;
	pieces->nr_pages++;
}

/* The rest of what precedes the payload, in a page of its own. Returns bytes or -errno. */
static ssize_t vfio_mig_splice_prefix(struct splice_pipe_desc *pieces,
				      const struct vfio_mig_buf *buf, size_t cursor, size_t length)
{
	size_t part = min(length, buf->prefix_length - cursor);
	struct page *page;

	if (vfio_mig_fault_alloc())
		return -ENOMEM;
	page = alloc_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	memcpy_to_page(page, 0, buf->prefix + cursor, part);
	vfio_mig_splice_add(pieces, page, 0, part);
	return part;
}

/* Pages of the payload from @offset on. Returns bytes. */
static size_t vfio_mig_splice_payload(struct splice_pipe_desc *pieces, struct vfio_mig_buf *buf,
				      size_t offset, size_t length)
{
	size_t done = 0;

	length = min(length, buf->length - offset);
	while (done < length && pieces->nr_pages < pieces->nr_pages_max) {
		size_t in_page = offset_in_page(offset + done);
		size_t part = min(length - done, PAGE_SIZE - in_page);
		struct page *page = buf->pages[(offset + done) >> PAGE_SHIFT];

		get_page(page);
		vfio_mig_splice_add(pieces, page, in_page, part);
		done += part;
	}
	if (done)
		buf->lent = true;
	return done;
}

/* Pieces of one record, from where the last reader stopped. */
static int vfio_mig_splice_collect(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				   struct splice_pipe_desc *pieces, size_t length)
{
	size_t cursor = st->save.cursor;
	ssize_t done;

	vfio_mig_read_seal(st, buf);
	if (cursor < buf->prefix_length) {
		done = vfio_mig_splice_prefix(pieces, buf, cursor, length);
		if (done < 0)
			return done;
		cursor += done;
		length -= done;
	}
	if (length && cursor >= buf->prefix_length)
		vfio_mig_splice_payload(pieces, buf, cursor - buf->prefix_length, length);
	return 0;
}

static void vfio_mig_splice_account(struct vfio_mig_stream *st, struct vfio_mig_buf *buf,
				    size_t done)
{
	size_t cursor = st->save.cursor;
	size_t prefix = buf->prefix_length - min(cursor, buf->prefix_length);

	WRITE_ONCE(st->spliced, st->spliced + done - min(done, prefix));
	if (cursor + done == buf->prefix_length + buf->length)
		trace_vfio_mig_record(st->name, buf->tag, buf->length, VFIO_MIG_WAY_SPLICED);
}

static ssize_t vfio_mig_splice_record(struct vfio_mig_stream *st, struct pipe_inode_info *pipe,
				      size_t length, bool wait)
{
	struct partial_page partial[PIPE_DEF_BUFFERS];
	struct page *pages[PIPE_DEF_BUFFERS];
	struct splice_pipe_desc pieces = {
		.pages = pages,
		.partial = partial,
		.nr_pages_max = ARRAY_SIZE(pages),
		.ops = &nosteal_pipe_buf_ops,
		.spd_release = vfio_mig_splice_put,
	};
	struct vfio_mig_buf *buf;
	ssize_t ret;

	buf = vfio_mig_read_wait(st, wait);
	if (IS_ERR_OR_NULL(buf))
		return PTR_ERR_OR_ZERO(buf);
	ret = vfio_mig_splice_collect(st, buf, &pieces, length);
	if (ret)
		return ret;
	ret = splice_to_pipe(pipe, &pieces);
	if (ret <= 0)
		return ret;
	vfio_mig_splice_account(st, buf, ret);
	vfio_mig_save_advance(st, buf, ret);
	return ret;
}

/* &file_operations.splice_read; moves bytes of one record at a time. */
ssize_t vfio_mig_splice_read(struct file *file, loff_t *position, struct pipe_inode_info *pipe,
			     size_t length, unsigned int flags)
{
	struct vfio_mig_stream *st = file->private_data;
	bool wait = !(file->f_flags & O_NONBLOCK) && !(flags & SPLICE_F_NONBLOCK);
	ssize_t ret;

	if (!length)
		return 0;
	ret = vfio_mig_async_begin(st, wait);
	if (ret)
		return ret;
	ret = vfio_mig_splice_record(st, pipe, length, wait);
	vfio_mig_read_end(st, ret);
	return ret;
}
