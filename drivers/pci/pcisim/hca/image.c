// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image: how a VHCA's state travels, or a part of it.
 *
 * A stream begins with image 0 and goes on with incremental ones. Every image
 * carries the engine and some pages of the bulk state; as long as marked pages
 * were left behind it says that more follow, and the target collects them in a
 * shadow. So what a target takes over is always the state of one moment.
 *
 * An image is checked completely, its checksum first, before any of it applies:
 * a LOAD that fails changes nothing.
 */
#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/find.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "hca.h"

#define IMAGE_MAGIC		0x61636876
#define IMAGE_VERSION		1
/* what source and target must have in common: BAR pages and vectors of a VF */
#define IMAGE_GEOMETRY		((HCA_BAR_SIZE >> 12) << 16 | HCA_MSIX_VECTORS)

#define IMAGE_INCREMENTAL	BIT(0)
#define IMAGE_MORE		BIT(1)

struct image_header {
	__le32 magic;
	__le16 version;
	__le16 flags;
	__le32 geometry;
	__le32 sequence;
	__le64 stream;				/* the same in all images of a stream */
	__le64 state_size;
	__le32 length;				/* of the image */
	__le32 extents;				/* each with its pages behind it */
	__le32 crc;				/* of the image with 0 here */
	__le32 reserved;
	struct pcisim_hca_engine_image engine;
};

static_assert(sizeof(struct image_header) == 88);

/* Ascending, and only the last page of the state may be short: always aligned. */
struct image_extent {
	__le32 first;
	__le32 pages;
};

#define IMAGE_MIN_ROOM							\
	(sizeof(struct image_header) + sizeof(struct image_extent) + HCA_BULK_PAGE)

/* What of the marked pages, from @next on, goes into an image. */
struct image_plan {
	unsigned long next;
	u32 extents;
	u64 size;
};

/* Bytes copied between two chances for others to run. */
#define IMAGE_PIECE		SZ_256K

static u64 extent_bytes(u64 state_size, u64 first, u64 pages)
{
	return min((first + pages) << HCA_BULK_SHIFT, state_size) - (first << HCA_BULK_SHIFT);
}

/* How long an image may be. One page fits, whatever the size of a chunk. */
static u64 image_room(const struct pcisim_hca_vhca *vhca)
{
	return vhca->save_chunks ? max(vhca->chunk_size, IMAGE_MIN_ROOM) : U64_MAX;
}

/*
 * Extend @plan, which is empty but for where it starts, by what fits into
 * @room. Return true if marked pages are left behind.
 */
static bool image_plan(const struct pcisim_hca_vhca *vhca, u64 room, struct image_plan *plan)
{
	const struct pcisim_hca_bulk *bulk = vhca->bulk;
	unsigned long first, end, pages = pcisim_hca_bulk_pages(bulk->size);
	u64 count, left;

	plan->size = sizeof(struct image_header);
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
	u64 size = vhca->bulk->size;
	u64 overhead = sizeof(struct image_header) + (size ? sizeof(struct image_extent) : 0);
	u64 payload = image_room(vhca) - overhead;

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

	pcisim_hca_engine_save(vhca, &engine);
	return vhca->bulk->size != vhca->saved_size ||
	       memcmp(&engine, &vhca->saved_engine, sizeof(engine));
}

/* The same for what has changed since the last image, 0 if nothing has. */
u64 pcisim_hca_image_delta_size(struct pcisim_hca_vhca *vhca, u64 *total)
{
	struct image_plan plan = {};
	bool more;
	u64 size;

	more = image_plan(vhca, image_room(vhca), &plan);
	size = plan.extents || image_changed(vhca) ? plan.size : 0;
	for (*total = size; more; *total += plan.size)
		more = image_plan(vhca, image_room(vhca), &plan);
	return size;
}

/* Writes an image from front to back. The first error sticks. */
struct image_writer {
	struct pcisim_hca *hca;
	const struct pcisim_hca_mkey *mkey;
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
		image_emit(writer, bulk->data + (first << HCA_BULK_SHIFT),
			   extent_bytes(bulk->size, first, end - first));
	}
}

static void image_fill_header(struct pcisim_hca_vhca *vhca, const struct pcisim_hca_save *save,
			      const struct image_plan *plan, struct image_header *header)
{
	u16 flags = (save->sequence ? IMAGE_INCREMENTAL : 0) | (save->more ? IMAGE_MORE : 0);

	*header = (struct image_header) {
		.magic = cpu_to_le32(IMAGE_MAGIC),
		.version = cpu_to_le16(IMAGE_VERSION),
		.flags = cpu_to_le16(flags),
		.geometry = cpu_to_le32(IMAGE_GEOMETRY),
		.sequence = cpu_to_le32(save->sequence),
		.stream = cpu_to_le64(save->stream),
		.state_size = cpu_to_le64(vhca->bulk->size),
		.length = cpu_to_le32(plan->size),
		.extents = cpu_to_le32(plan->extents),
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
	u64 room = image_room(vhca);
	struct image_header header;
	struct image_plan plan = {};

	lockdep_assert_held(&vhca->lock);

	if (!save->sequence)
		pcisim_hca_bulk_mark(vhca->bulk, 0, vhca->bulk->size);
	save->more = image_plan(vhca, save->partial ? min(room, save->room) : room, &plan);
	if (plan.size > save->room || (save->more && !plan.extents))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_SAVE_SIZE);

	image_fill_header(vhca, save, &plan, &header);
	image_emit(&writer, &header, sizeof(header));
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

static u32 image_crc(const struct image_header *header, u32 length)
{
	struct image_header copy = *header;
	const void *image = header;
	u32 crc, done, piece;

	copy.crc = 0;
	crc = crc32(~0, &copy, sizeof(copy));
	for (done = sizeof(copy); done < length; done += piece) {
		piece = min(length - done, IMAGE_PIECE);
		crc = crc32(crc, image + done, piece);
		cond_resched();
	}
	return crc;
}

static bool image_extents_ok(const struct image_header *header, u32 length)
{
	u64 state_size = le64_to_cpu(header->state_size);
	u64 pages = pcisim_hca_bulk_pages(state_size);
	u64 offset = sizeof(*header), next = 0;
	const struct image_extent *extent;
	u64 first, count;

	for (u32 i = 0; i < le32_to_cpu(header->extents); i++) {
		if (length - offset < sizeof(*extent))
			return false;
		extent = (const void *)header + offset;
		first = le32_to_cpu(extent->first);
		count = le32_to_cpu(extent->pages);
		offset += sizeof(*extent);
		if (!count || first < next || first >= pages || count > pages - first ||
		    extent_bytes(state_size, first, count) > length - offset)
			return false;
		offset += extent_bytes(state_size, first, count);
		next = first + count;
	}
	return offset == length;
}

/* 0 or the reason why this is no image of ours. */
static u32 image_verify(const struct image_header *header, u32 length)
{
	if (length < sizeof(*header))
		return HCA_SYND_IMAGE_LENGTH;
	if (le32_to_cpu(header->magic) != IMAGE_MAGIC)
		return HCA_SYND_IMAGE_MAGIC;
	if (le16_to_cpu(header->version) != IMAGE_VERSION)
		return HCA_SYND_IMAGE_VERSION;
	if (le32_to_cpu(header->length) != length)
		return HCA_SYND_IMAGE_LENGTH;
	if (le32_to_cpu(header->crc) != image_crc(header, length))
		return HCA_SYND_IMAGE_CRC;
	if (le32_to_cpu(header->geometry) != IMAGE_GEOMETRY)
		return HCA_SYND_IMAGE_GEOMETRY;
	if (le64_to_cpu(header->state_size) > HCA_MAX_STATE)
		return HCA_SYND_IMAGE_STATE_SIZE;
	if (!image_extents_ok(header, length))
		return HCA_SYND_IMAGE_EXTENT;
	return 0;
}

/* 0 or the reason why this is not the next image of the stream. */
static u32 image_verify_order(const struct pcisim_hca_vhca *vhca,
			      const struct image_header *header)
{
	bool incremental = le16_to_cpu(header->flags) & IMAGE_INCREMENTAL;
	u32 sequence = le32_to_cpu(header->sequence);

	if (incremental != !!sequence)
		return HCA_SYND_LOAD_ORDER;
	/* A full state starts over, whatever has been loaded before. */
	if (!sequence)
		return 0;
	if (sequence != vhca->load_sequence)
		return HCA_SYND_LOAD_ORDER;
	if (le64_to_cpu(header->stream) != vhca->load_stream)
		return HCA_SYND_LOAD_STREAM;
	return 0;
}

/*
 * The bulk state that the image goes to: a new one for a full state, a shadow
 * while more is to come, and otherwise what is there, as nothing can fail after
 * this. NULL if there is no memory.
 */
static struct pcisim_hca_bulk **image_target(struct pcisim_hca_vhca *vhca,
					     const struct image_header *header)
{
	bool more = le16_to_cpu(header->flags) & IMAGE_MORE;
	u64 size = le64_to_cpu(header->state_size);
	struct pcisim_hca_bulk **target, *fresh;

	if (!header->sequence || (more && !vhca->shadow)) {
		fresh = pcisim_hca_bulk_alloc(header->sequence ? vhca->bulk->size : size,
					      max(size, vhca->state_size));
		if (!fresh)
			return NULL;
		if (header->sequence)
			memcpy(fresh->data, vhca->bulk->data, vhca->bulk->size);
		pcisim_hca_bulk_free(vhca->shadow);
		vhca->shadow = fresh;
	}
	target = vhca->shadow ? &vhca->shadow : &vhca->bulk;
	return pcisim_hca_bulk_resize(target, size, vhca->state_size) ? NULL : target;
}

static void image_apply_pages(struct pcisim_hca_bulk *bulk, const struct image_header *header)
{
	const void *from = header + 1;
	const struct image_extent *extent;
	u64 first, bytes, done, piece;

	for (u32 i = 0; i < le32_to_cpu(header->extents); i++) {
		extent = from;
		first = le32_to_cpu(extent->first);
		bytes = extent_bytes(bulk->size, first, le32_to_cpu(extent->pages));
		from += sizeof(*extent);
		for (done = 0; done < bytes; done += piece) {
			piece = min(bytes - done, IMAGE_PIECE);
			memcpy(bulk->data + (first << HCA_BULK_SHIFT) + done, from + done, piece);
			cond_resched();
		}
		from += bytes;
	}
}

/* Verify an image that nobody else can change any more, and take it over. */
u8 pcisim_hca_image_load(struct pcisim_hca_vhca *vhca, struct pcisim_hca_cmd *cmd,
			 const void *image, u32 length)
{
	const struct image_header *header = image;
	struct pcisim_hca_bulk **target;
	u32 reason;

	lockdep_assert_held(&vhca->lock);

	reason = image_verify(header, length) ?: image_verify_order(vhca, header);
	if (reason)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, reason);
	target = image_target(vhca, header);
	if (!target)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);

	image_apply_pages(*target, header);
	vhca->load_stream = le64_to_cpu(header->stream);
	vhca->load_sequence = le32_to_cpu(header->sequence) + 1;
	if (le16_to_cpu(header->flags) & IMAGE_MORE)
		return MLX5_CMD_STAT_OK;

	if (vhca->shadow) {
		swap(vhca->bulk, vhca->shadow);
		pcisim_hca_bulk_free(vhca->shadow);
		vhca->shadow = NULL;
	}
	pcisim_hca_engine_load(vhca, &header->engine);
	return MLX5_CMD_STAT_OK;
}
