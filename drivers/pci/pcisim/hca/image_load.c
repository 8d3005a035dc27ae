// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images on their way in: see image.h for what they are.
 *
 * An image is checked completely, its checksum first, before any of it applies:
 * a LOAD that fails changes nothing.
 */
#include <linux/align.h>
#include <linux/crc32.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "image.h"

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
	u64 offset = sizeof(*header) + le32_to_cpu(header->contents), next = 0;
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

/* Only in an image of the version that has them. */
static bool image_contents_ok(const struct image_header *header, u32 length)
{
	u32 contents = le32_to_cpu(header->contents);

	return contents <= length - sizeof(*header) && IS_ALIGNED(contents, sizeof(__le64)) &&
	       !contents == (le16_to_cpu(header->version) == IMAGE_VERSION);
}

/* Whether these are pages as a generated state has them. */
static bool image_pages_ok(const struct image_header *header)
{
	u64 state_size = le64_to_cpu(header->state_size), first, count, done, piece;
	const void *from = (const void *)(header + 1) + le32_to_cpu(header->contents);
	const struct image_extent *extent;

	for (u32 i = 0; i < le32_to_cpu(header->extents); i++) {
		extent = from;
		first = le32_to_cpu(extent->first);
		count = le32_to_cpu(extent->pages);
		from += sizeof(*extent);
		for (done = 0; done < count; done += piece) {
			piece = min(count - done, IMAGE_PIECE >> HCA_BULK_SHIFT);
			if (!pcisim_hca_generated_ok(first + done, piece,
						     from + (done << HCA_BULK_SHIFT)))
				return false;
			cond_resched();
		}
		from += extent_bytes(state_size, first, count);
	}
	return true;
}

/* 0 or the reason why this is no image of ours. */
static u32 image_verify(const struct pcisim_hca_vhca *vhca, const struct image_header *header,
			u32 length)
{
	if (length < sizeof(*header))
		return HCA_SYND_IMAGE_LENGTH;
	if (le32_to_cpu(header->magic) != IMAGE_MAGIC)
		return HCA_SYND_IMAGE_MAGIC;
	if (le16_to_cpu(header->version) != IMAGE_VERSION &&
	    le16_to_cpu(header->version) != IMAGE_VERSION_CONTENTS)
		return HCA_SYND_IMAGE_VERSION;
	if (le32_to_cpu(header->length) != length)
		return HCA_SYND_IMAGE_LENGTH;
	if (le32_to_cpu(header->crc) != image_crc(header, length))
		return HCA_SYND_IMAGE_CRC;
	if (le32_to_cpu(header->geometry) != IMAGE_GEOMETRY)
		return HCA_SYND_IMAGE_GEOMETRY;
	if (!pcisim_hca_bulk_size_ok(le64_to_cpu(header->state_size), vhca->generated))
		return HCA_SYND_IMAGE_STATE_SIZE;
	if (!image_contents_ok(header, length))
		return HCA_SYND_IMAGE_CONTENTS;
	if (!image_extents_ok(header, length))
		return HCA_SYND_IMAGE_EXTENT;
	if (vhca->generated && !image_pages_ok(header))
		return HCA_SYND_IMAGE_GENERATED;
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
					      max(size, vhca->state_size), vhca->generated);
		if (!fresh)
			return NULL;
		if (header->sequence)
			pcisim_hca_bulk_copy(fresh, vhca->bulk);
		pcisim_hca_bulk_free(vhca->shadow);
		vhca->shadow = fresh;
	}
	target = vhca->shadow ? &vhca->shadow : &vhca->bulk;
	return pcisim_hca_bulk_resize(target, size, vhca->state_size) ? NULL : target;
}

static void image_apply_piece(struct pcisim_hca_bulk *bulk, u64 offset, const void *from, u64 len)
{
	if (bulk->generated)
		pcisim_hca_generated_take(bulk, offset >> HCA_BULK_SHIFT, len >> HCA_BULK_SHIFT,
					  from);
	else
		memcpy(bulk->data + offset, from, len);
}

static void image_apply_pages(struct pcisim_hca_bulk *bulk, const struct image_header *header)
{
	const void *from = (const void *)(header + 1) + le32_to_cpu(header->contents);
	const struct image_extent *extent;
	u64 first, bytes, done, piece;

	for (u32 i = 0; i < le32_to_cpu(header->extents); i++) {
		extent = from;
		first = le32_to_cpu(extent->first);
		bytes = extent_bytes(bulk->size, first, le32_to_cpu(extent->pages));
		from += sizeof(*extent);
		for (done = 0; done < bytes; done += piece) {
			piece = min(bytes - done, IMAGE_PIECE);
			image_apply_piece(bulk, (first << HCA_BULK_SHIFT) + done, from + done,
					  piece);
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

	reason = image_verify(vhca, header, length) ?: image_verify_order(vhca, header);
	if (reason)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, reason);

	struct pcisim_hca_contents *contents __free(pcisim_hca_contents) =
		pcisim_hca_contents_parse(header + 1, le32_to_cpu(header->contents));
	if (contents == ERR_PTR(-EINVAL))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR,
				       HCA_SYND_IMAGE_CONTENTS);
	target = IS_ERR(contents) ? NULL : image_target(vhca, header);
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
	pcisim_hca_contents_take(vhca, contents);
	return MLX5_CMD_STAT_OK;
}
