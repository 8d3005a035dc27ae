// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images on their way out: see image.h for what they are.
 *
 * What goes into an image is planned first, which also tells its size. Pages that have
 * gone out are no longer marked, but only when the image is complete.
 */
#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/find.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "image.h"

/* What of the marked pages, from @next on, goes into an image. */
struct image_plan {
	size_t contents;
	unsigned long next;
	u32 extents;
	u64 size;
};

/* How long an image may be. One page fits, whatever the size of a chunk. */
static u64 image_room(const struct pcisim_hca_vhca *vhca, size_t contents)
{
	u64 least = sizeof(struct image_header) + contents + sizeof(struct image_extent) +
		    HCA_BULK_PAGE;

	return vhca->save_chunks ? max(vhca->chunk_size, least) : U64_MAX;
}

/*
 * Extend @plan, which is empty but for its contents and where it starts, by what fits
 * into @room. Return true if marked pages are left behind.
 */
static bool image_plan(const struct pcisim_hca_vhca *vhca, u64 room, struct image_plan *plan)
{
	const struct pcisim_hca_bulk *bulk = vhca->bulk;
	unsigned long first, end, pages = pcisim_hca_bulk_pages(bulk->size);
	u64 count, left;

	plan->size = sizeof(struct image_header) + plan->contents;
	plan->extents = 0;
	first = plan->next;
	for_each_set_bitrange_from(first, end, bulk->dirty, pages) {
		if (plan->size + sizeof(struct image_extent) >= room)
			return true;
		left = room - plan->size - sizeof(struct image_extent);
		count = end - first;
		if (extent_bytes(bulk->size, first, count) > left)
			count = left >> HCA_BULK_SHIFT;
		if (!count)
			return true;
		plan->next = first + count;
		plan->extents++;
		plan->size += sizeof(struct image_extent) + extent_bytes(bulk->size, first, count);
		if (plan->next < end)
			return true;
	}
	return false;
}

/* The size of the first image of a full state, and of all of them together. */
u64 pcisim_hca_image_full_size(const struct pcisim_hca_vhca *vhca, u64 *total)
{
	size_t contents = pcisim_hca_contents_size(vhca);
	u64 size = vhca->bulk->size;
	u64 overhead = sizeof(struct image_header) + contents +
		       (size ? sizeof(struct image_extent) : 0);
	u64 payload = image_room(vhca, contents) - overhead;

	if (size <= payload) {
		*total = overhead + size;
		return *total;
	}
	payload = round_down(payload, HCA_BULK_PAGE);
	*total = DIV_ROUND_UP_ULL(size, payload) * overhead + size;
	return overhead + payload;
}

static bool image_changed(struct pcisim_hca_vhca *vhca)
{
	struct pcisim_hca_engine_image engine;

	/* What has changed of the contents is not looked for: they go with the last images. */
	if (vhca->level == HCA_SUSPENDED && pcisim_hca_contents_size(vhca))
		return true;
	pcisim_hca_engine_save(vhca, &engine);
	return vhca->bulk->size != vhca->saved_size ||
	       memcmp(&engine, &vhca->saved_engine, sizeof(engine));
}

/* The same for what has changed since the last image, 0 if nothing has. */
u64 pcisim_hca_image_delta_size(struct pcisim_hca_vhca *vhca, u64 *total)
{
	struct image_plan plan = {
		.contents = vhca->level == HCA_SUSPENDED ? pcisim_hca_contents_size(vhca) : 0,
	};
	u64 size, room = image_room(vhca, plan.contents);
	bool more;

	more = image_plan(vhca, room, &plan);
	size = plan.extents || image_changed(vhca) ? plan.size : 0;
	for (*total = size; more; *total += plan.size)
		more = image_plan(vhca, room, &plan);
	return size;
}

/* Writes an image from front to back. The first error sticks. */
struct image_writer {
	struct pcisim_hca *hca;
	const struct pcisim_hca_mkey *mkey;
	void *bounce;				/* for what is not stored */
	u64 offset;
	u32 crc;
	int error;
};

static void image_emit(struct image_writer *writer, const void *from, u64 len)
{
	u64 done, piece;

	for (done = 0; done < len && !writer->error; done += piece) {
		piece = min(len - done, IMAGE_PIECE);
		writer->crc = crc32(writer->crc, from + done, piece);
		writer->error = pcisim_hca_mkey_write(writer->hca, writer->mkey, writer->offset,
						      from + done, piece);
		writer->offset += piece;
		cond_resched();
	}
}

/* Pages of a state that is generated are made only now, and only a piece at a time. */
static void image_emit_generated(struct image_writer *writer, const struct pcisim_hca_bulk *bulk,
				 u64 first, u64 count)
{
	u64 done, piece;

	for (done = 0; done < count && !writer->error; done += piece) {
		piece = min(count - done, IMAGE_PIECE >> HCA_BULK_SHIFT);
		pcisim_hca_generated_fill(bulk, first + done, piece, writer->bounce);
		image_emit(writer, writer->bounce, piece << HCA_BULK_SHIFT);
	}
}

/* The marked pages before @plan->next, as image_plan() has counted them. */
static void image_emit_pages(struct image_writer *writer, const struct pcisim_hca_bulk *bulk,
			     const struct image_plan *plan)
{
	struct image_extent extent;
	unsigned long first, end;

	for_each_set_bitrange(first, end, bulk->dirty, plan->next) {
		extent.first = cpu_to_le32(first);
		extent.pages = cpu_to_le32(end - first);
		image_emit(writer, &extent, sizeof(extent));
		if (bulk->generated)
			image_emit_generated(writer, bulk, first, end - first);
		else
			image_emit(writer, bulk->data + (first << HCA_BULK_SHIFT),
				   extent_bytes(bulk->size, first, end - first));
	}
}

static int image_emit_contents(struct image_writer *writer, const struct pcisim_hca_vhca *vhca,
			       size_t length)
{
	void *contents __free(kvfree) = kvzalloc(length, GFP_KERNEL);

	if (!contents)
		return -ENOMEM;
	pcisim_hca_contents_save(vhca, contents);
	image_emit(writer, contents, length);
	return 0;
}

static void image_fill_header(struct pcisim_hca_vhca *vhca, const struct pcisim_hca_save *save,
			      const struct image_plan *plan, struct image_header *header)
{
	u16 flags = (save->sequence ? IMAGE_INCREMENTAL : 0) | (save->more ? IMAGE_MORE : 0);

	*header = (struct image_header) {
		.magic = cpu_to_le32(IMAGE_MAGIC),
		.version = cpu_to_le16(plan->contents ? IMAGE_VERSION_CONTENTS : IMAGE_VERSION),
		.flags = cpu_to_le16(flags),
		.geometry = cpu_to_le32(IMAGE_GEOMETRY),
		.sequence = cpu_to_le32(save->sequence),
		.stream = cpu_to_le64(save->stream),
		.state_size = cpu_to_le64(vhca->bulk->size),
		.length = cpu_to_le32(plan->size),
		.extents = cpu_to_le32(plan->extents),
		.contents = cpu_to_le32(plan->contents),
	};
	pcisim_hca_engine_save(vhca, &header->engine);
}

/*
 * Write the next image to where @save says. Without @save->partial all that the
 * image should carry must fit.
 */
u8 pcisim_hca_image_save(struct pcisim_hca_vhca *vhca, struct pcisim_hca_cmd *cmd,
			 struct pcisim_hca_save *save)
{
	struct image_writer writer = {
		.hca = vhca->hca,
		.mkey = save->mkey,
		.offset = save->offset,
		.crc = ~0,
	};
	/* What may follow later is no end of a stream. */
	struct image_plan plan = {
		.contents = save->partial ? 0 : pcisim_hca_contents_size(vhca),
	};
	u64 room = image_room(vhca, plan.contents);
	struct image_header header;

	lockdep_assert_held(&vhca->lock);

	void *bounce __free(kvfree) = vhca->generated ? kvmalloc(IMAGE_PIECE, GFP_KERNEL) : NULL;
	if (vhca->generated && !bounce)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	writer.bounce = bounce;

	if (!save->sequence)
		pcisim_hca_bulk_mark(vhca->bulk, 0, vhca->bulk->size);
	save->more = image_plan(vhca, save->partial ? min(room, save->room) : room, &plan);
	if (plan.size > save->room || (save->more && !plan.extents))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_SAVE_SIZE);

	image_fill_header(vhca, save, &plan, &header);
	image_emit(&writer, &header, sizeof(header));
	if (plan.contents && image_emit_contents(&writer, vhca, plan.contents))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	image_emit_pages(&writer, vhca->bulk, &plan);
	header.crc = cpu_to_le32(writer.crc);
	writer.offset = save->offset;
	image_emit(&writer, &header, sizeof(header));
	if (writer.error)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_INT_ERR, HCA_SYND_DMA);

	bitmap_clear(vhca->bulk->dirty, 0, plan.next);
	vhca->saved_engine = header.engine;
	vhca->saved_size = vhca->bulk->size;
	save->length = plan.size;
	return MLX5_CMD_STAT_OK;
}
