// SPDX-License-Identifier: GPL-2.0-only
/*
 * Direct save: the device writes a record into the memory of the request that
 * waits for it, behind room for the header.
 *
 * That is possible when the driver can do it at all, the memory has room for any
 * record of the session, and the payload's part of it is contiguous for the
 * device: whole pages, but for its two ends.
 */
#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <trace/events/vfio_mig.h>

#include "vfio_mig_private.h"

#define VFIO_MIG_DIRECT_HEADER	sizeof(struct vfio_mig_record_header)

/* Whether the payload goes on in this piece of memory without a gap for the device. */
static bool vfio_mig_direct_joins(const struct vfio_mig_buf *buf, unsigned int begin)
{
	return !buf->nr_pages || (!begin && PAGE_ALIGNED(buf->offset + buf->size));
}

static void vfio_mig_direct_append(struct vfio_mig_buf *buf, struct page *page,
				   unsigned int begin, unsigned int end)
{
	if (!buf->nr_pages)
		buf->offset = begin;
	buf->size += end - begin;
	for (; begin < end; begin = 0, end -= min(end, PAGE_SIZE))
		buf->pages[buf->nr_pages++] = page++;
}

/* The part of the request's memory from @skip bytes on, as a list of pages. */
static bool vfio_mig_direct_fill(struct vfio_mig_buf *buf, const struct vfio_mig_request *request,
				 size_t skip)
{
	for (unsigned int i = 0; i < request->segments; i++) {
		const struct bio_vec *vec = &request->vec[i];
		unsigned int begin = vec->bv_offset + skip;
		unsigned int end = vec->bv_offset + vec->bv_len;

		if (begin >= end) {
			skip = begin - end;
			continue;
		}
		skip = 0;
		if (!vfio_mig_direct_joins(buf, offset_in_page(begin)))
			return false;
		vfio_mig_direct_append(buf, vec->bv_page + (begin >> PAGE_SHIFT),
				       offset_in_page(begin),
				       end - round_down(begin, PAGE_SIZE));
	}
	return buf->nr_pages;
}

static struct vfio_mig_buf *vfio_mig_direct_buf(const struct vfio_mig_ops *ops,
						struct vfio_mig_request *request)
{
	struct vfio_mig_buf *buf = vfio_mig_buf_alloc(ops);

	if (!buf)
		return NULL;
	buf->request = request;
	if (!vfio_mig_buf_reserve(buf, request->nr_pages) &&
	    vfio_mig_direct_fill(buf, request, VFIO_MIG_DIRECT_HEADER) &&
	    IS_ALIGNED(buf->offset, ops->direct_align))
		return buf;
	vfio_mig_buf_free(buf);
	return NULL;
}

static bool vfio_mig_direct_fits(struct vfio_mig_stream *st,
				 const struct vfio_mig_request *request)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return iov_iter_count(&request->iter) >= VFIO_MIG_DIRECT_HEADER + st->save.record_size;
}

/* Give a new request a buffer of its own if it is good for one. */
void vfio_mig_direct_prepare(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	const struct vfio_mig_ops *ops;

	if (!vfio_mig_stream_saves(st) || !vfio_mig_direct_fits(st, request))
		return;
	guard(mutex)(&st->call_lock);
	if (!st->mig)
		return;
	ops = st->mig->ops;
	if (ops->direct_align)
		request->buf = vfio_mig_direct_buf(ops, request);
}

/* Whether the request's memory still has to be filled. Records may have grown since. */
bool vfio_mig_direct_waits(const struct vfio_mig_stream *st,
			   const struct vfio_mig_request *request)
{
	lockdep_assert_held(&st->queue_lock);
	return request->buf && !request->served && request->buf->size >= st->save.record_size;
}

/* The record is complete: add its header. Returns bytes in the request's memory. */
ssize_t vfio_mig_direct_finish(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	struct vfio_mig_buf *buf = request->buf;
	size_t done = buf->prefix_length + buf->length;
	size_t copied;

	/* The request has room for it, and its pages are there. */
	copied = copy_to_iter(buf->prefix, buf->prefix_length, &request->iter);
	WARN_ON_ONCE(copied != buf->prefix_length);
	WRITE_ONCE(st->direct, st->direct + buf->length);
	trace_vfio_mig_record(st->name, buf->tag, buf->length, VFIO_MIG_WAY_DIRECT);
	vfio_mig_save_advance(st, buf, done);
	return done;
}

/*
 * Before the request's pages are given back. The session has not ended, as its
 * end waits for all requests.
 */
void vfio_mig_direct_free(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	if (!request->buf)
		return;
	/* It may hold a record that nobody read, as the session failed meanwhile. */
	scoped_guard(spinlock_irqsave, &st->queue_lock)
		list_del_init(&request->buf->node);
	if (request->buf->ready)
		vfio_mig_buf_retire(st, request->buf);
	vfio_mig_buf_free(request->buf);
}
