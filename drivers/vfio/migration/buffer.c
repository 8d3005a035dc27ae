// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of records: an array of single pages, charged to the user's cgroup.
 *
 * Pages are zeroed once, so that a device which reports more bytes than it
 * wrote shows the user nothing of the kernel's memory.
 */
#include <linux/crc32.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "call.h"
#include "fault.h"
#include "vfio_mig_private.h"

struct vfio_mig_buf *vfio_mig_buf_alloc(const struct vfio_mig_ops *ops)
{
	size_t size = max(ops->buf_size, sizeof(struct vfio_mig_buf));
	struct vfio_mig_buf *buf;

	if (vfio_mig_fault_alloc())
		return NULL;
	buf = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (buf)
		INIT_LIST_HEAD(&buf->node);
	return buf;
}

void vfio_mig_buf_free(struct vfio_mig_buf *buf)
{
	if (!buf)
		return;
	/* The pages of a request are not ours. */
	for (unsigned int i = 0; !buf->request && i < buf->nr_pages; i++)
		__free_page(buf->pages[i]);
	kvfree(buf->pages);
	kfree(buf);
}

/* Room for pointers grows by doubling, as a stream may bring far less than it claims. */
int vfio_mig_buf_reserve(struct vfio_mig_buf *buf, unsigned int nr_pages)
{
	unsigned int max_pages = max3(nr_pages, 2 * buf->max_pages, 16U);
	struct page **pages;

	if (nr_pages <= buf->max_pages)
		return 0;
	if (vfio_mig_fault_alloc())
		return -ENOMEM;
	pages = kvrealloc(buf->pages, array_size(max_pages, sizeof(*pages)),
			  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!pages)
		return -ENOMEM;
	buf->pages = pages;
	buf->max_pages = max_pages;
	return 0;
}

/* Make room for @size bytes. What was there stays; on error nothing is lost. */
int vfio_mig_buf_grow(struct vfio_mig_buf *buf, size_t size)
{
	unsigned long wanted = DIV_ROUND_UP(size, PAGE_SIZE);
	int ret;

	if (wanted > UINT_MAX / 2)
		return -EMSGSIZE;
	ret = vfio_mig_buf_reserve(buf, wanted);
	if (ret)
		return ret;
	while (buf->nr_pages < wanted) {
		unsigned long filled;

		if (vfio_mig_fault_alloc())
			return -ENOMEM;
		filled = alloc_pages_bulk(GFP_KERNEL_ACCOUNT | __GFP_ZERO, wanted - buf->nr_pages,
					  buf->pages + buf->nr_pages);
		if (!filled)
			return -ENOMEM;
		buf->nr_pages += filled;
		buf->size = (size_t)buf->nr_pages << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

/*
 * Keep the pages that nobody else holds. The others stay with whoever was lent
 * them; vfio_mig_buf_grow() replaces them.
 */
void vfio_mig_buf_renew(struct vfio_mig_buf *buf)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < buf->nr_pages; i++) {
		struct page *page = buf->pages[i];

		buf->pages[i] = NULL;
		if (page_count(page) == 1)
			buf->pages[kept++] = page;
		else
			put_page(page);
	}
	buf->nr_pages = kept;
	buf->size = (size_t)kept << PAGE_SHIFT;
	buf->lent = false;
}

/* Hand the buffer to the driver for use by the device. */
int vfio_mig_buf_prepare(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	int ret;

	if (buf->ready)
		return 0;
	ret = vfio_mig_call_buf_init(st, buf);
	if (ret)
		return ret;
	buf->ready = true;
	return 0;
}

void vfio_mig_buf_retire(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	if (!buf->ready)
		return;
	buf->ready = false;
	vfio_mig_call_buf_fini(st, buf);
}

/* Copy payload from @offset on; returns what fitted. */
size_t vfio_mig_buf_copy_to_iter(const struct vfio_mig_buf *buf, size_t offset,
				 struct iov_iter *to)
{
	size_t done = 0;

	while (offset < buf->length && iov_iter_count(to)) {
		size_t in_page = offset_in_page(offset);
		size_t part = min(buf->length - offset, PAGE_SIZE - in_page);
		size_t wanted = min(part, iov_iter_count(to));
		size_t copied = copy_page_to_iter(buf->pages[offset >> PAGE_SHIFT], in_page,
						  wanted, to);

		done += copied;
		offset += copied;
		if (copied < wanted)
			break;
	}
	return done;
}

/* Copy up to @length bytes of payload to @offset, for which there is room. */
size_t vfio_mig_buf_copy_from_iter(struct vfio_mig_buf *buf, size_t offset, size_t length,
				   struct iov_iter *from)
{
	size_t done = 0;

	while (done < length) {
		size_t in_page = offset_in_page(offset);
		size_t wanted = min(length - done, PAGE_SIZE - in_page);
		size_t copied = copy_page_from_iter(buf->pages[offset >> PAGE_SHIFT], in_page,
						    wanted, from);

		done += copied;
		offset += copied;
		if (copied < wanted)
			break;
	}
	return done;
}

/* Checksum of the payload as the stream carries it. */
u32 vfio_mig_buf_crc32c(const struct vfio_mig_buf *buf)
{
	size_t left = buf->length;
	u32 crc = ~0;

	for (unsigned int i = 0; left; i++) {
		size_t part = min(left, PAGE_SIZE);
		void *data = kmap_local_page(buf->pages[i]);

		crc = crc32c(crc, data, part);
		kunmap_local(data);
		left -= part;
	}
	return ~crc;
}

/**
 * vfio_mig_buf_capacity() - how many bytes a buffer holds
 * @buf: the buffer
 *
 * Context: any.
 * Return: bytes.
 */
size_t vfio_mig_buf_capacity(const struct vfio_mig_buf *buf)
{
	return buf->size;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_capacity, "VFIO_MIG");

/**
 * vfio_mig_buf_map() - map the memory of a buffer for DMA
 * @buf: a buffer that is not mapped
 * @dev: the device that does the DMA; for a VF whose PF moves its state that is
 *	the PF
 * @dir: direction of the DMA
 *
 * The result is in &vfio_mig_buf.sgt. For use in &vfio_mig_ops.buf_init.
 *
 * Context: process context, may sleep.
 * Return: 0 or -errno.
 */
int vfio_mig_buf_map(struct vfio_mig_buf *buf, struct device *dev, enum dma_data_direction dir)
{
	size_t segment = min(dma_get_max_seg_size(dev), dma_max_mapping_size(dev));
	int ret;

	ret = sg_alloc_table_from_pages_segment(&buf->sgt, buf->pages, buf->nr_pages,
						buf->offset, buf->size, segment,
						GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	ret = dma_map_sgtable(dev, &buf->sgt, dir, 0);
	if (ret) {
		sg_free_table(&buf->sgt);
		return ret;
	}
	buf->dma_dev = dev;
	buf->dma_dir = dir;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_map, "VFIO_MIG");

/**
 * vfio_mig_buf_unmap() - undo vfio_mig_buf_map()
 * @buf: the buffer; nothing happens if it is not mapped
 *
 * Context: process context.
 */
void vfio_mig_buf_unmap(struct vfio_mig_buf *buf)
{
	if (!buf->dma_dev)
		return;
	dma_unmap_sgtable(buf->dma_dev, &buf->sgt, buf->dma_dir, 0);
	sg_free_table(&buf->sgt);
	buf->dma_dev = NULL;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_unmap, "VFIO_MIG");

/**
 * vfio_mig_buf_sync_for_cpu() - make what the device wrote visible to the CPU
 * @buf: a mapped buffer
 *
 * Context: any, also hard interrupt.
 */
void vfio_mig_buf_sync_for_cpu(struct vfio_mig_buf *buf)
{
	dma_sync_sgtable_for_cpu(buf->dma_dev, &buf->sgt, buf->dma_dir);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_sync_for_cpu, "VFIO_MIG");

/**
 * vfio_mig_buf_sync_for_device() - make what the CPU wrote visible to the device
 * @buf: a mapped buffer
 *
 * Context: any.
 */
void vfio_mig_buf_sync_for_device(struct vfio_mig_buf *buf)
{
	dma_sync_sgtable_for_device(buf->dma_dev, &buf->sgt, buf->dma_dir);
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_sync_for_device, "VFIO_MIG");

/**
 * vfio_mig_buf_read() - copy payload out of a buffer
 * @buf: the buffer
 * @offset: where to begin
 * @to: kernel memory
 * @length: bytes wanted
 *
 * Context: any.
 * Return: bytes copied, less than @length where the payload ends.
 */
size_t vfio_mig_buf_read(const struct vfio_mig_buf *buf, size_t offset, void *to, size_t length)
{
	size_t done = 0;

	if (offset >= buf->length)
		return 0;
	length = min(length, buf->length - offset);
	offset += buf->offset;
	while (done < length) {
		size_t part = min(length - done, PAGE_SIZE - offset_in_page(offset));

		memcpy_from_page(to + done, buf->pages[offset >> PAGE_SHIFT],
				 offset_in_page(offset), part);
		done += part;
		offset += part;
	}
	return done;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_read, "VFIO_MIG");

/**
 * vfio_mig_buf_write() - copy payload into a buffer
 * @buf: the buffer
 * @offset: where to begin
 * @from: kernel memory
 * @length: bytes to copy
 *
 * Context: any.
 * Return: bytes copied, less than @length where the buffer ends.
 */
size_t vfio_mig_buf_write(struct vfio_mig_buf *buf, size_t offset, const void *from, size_t length)
{
	size_t capacity = vfio_mig_buf_capacity(buf);
	size_t done = 0;

	if (offset >= capacity)
		return 0;
	length = min(length, capacity - offset);
	offset += buf->offset;
	while (done < length) {
		size_t part = min(length - done, PAGE_SIZE - offset_in_page(offset));

		memcpy_to_page(buf->pages[offset >> PAGE_SHIFT], offset_in_page(offset),
			       from + done, part);
		done += part;
		offset += part;
	}
	return done;
}
EXPORT_SYMBOL_NS_GPL(vfio_mig_buf_write, "VFIO_MIG");
