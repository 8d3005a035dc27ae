/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parser of migration data.
 *
 * It decides where the next bytes of a stream go and judges what has arrived.
 * It sees headers and small records only, never an image; it allocates nothing
 * and calls nothing, so that it can be built and fuzzed in user space as well.
 */
#ifndef VFIO_MIG_PARSER_H
#define VFIO_MIG_PARSER_H

#include <linux/types.h>
#include <uapi/linux/vfio_mig.h>

/**
 * enum vfio_mig_parser_place - where the next bytes of a stream go
 * @VFIO_MIG_PARSER_HERE: to &vfio_mig_parser_wish.to
 * @VFIO_MIG_PARSER_IMAGE: to the end of the image
 * @VFIO_MIG_PARSER_NOWHERE: they are dropped
 */
enum vfio_mig_parser_place {
	VFIO_MIG_PARSER_HERE,
	VFIO_MIG_PARSER_IMAGE,
	VFIO_MIG_PARSER_NOWHERE,
};

/**
 * struct vfio_mig_parser_wish - what the parser wants next
 * @place: where the bytes go
 * @to: for VFIO_MIG_PARSER_HERE, where exactly
 * @length: how many bytes, at least 1
 */
struct vfio_mig_parser_wish {
	enum vfio_mig_parser_place place;
	void *to;
	u64 length;
};

/**
 * enum vfio_mig_parser_event - what the bytes that arrived have completed
 * @VFIO_MIG_PARSER_NOTHING: nothing that needs attention
 * @VFIO_MIG_PARSER_GREETED: &vfio_mig_parser.preamble has arrived
 * @VFIO_MIG_PARSER_HINTED: &vfio_mig_parser.largest_image has arrived
 * @VFIO_MIG_PARSER_COMPLETE: an image, whose tag is &vfio_mig_parser.tag
 */
enum vfio_mig_parser_event {
	VFIO_MIG_PARSER_NOTHING,
	VFIO_MIG_PARSER_GREETED,
	VFIO_MIG_PARSER_HINTED,
	VFIO_MIG_PARSER_COMPLETE,
};

/**
 * struct vfio_mig_parser - where in a stream we are
 * @max_record: largest image that the device can load, in bytes
 * @known_tags: BIT(tag) for each kind of image that the device knows
 * @header: header of the current record
 * @small: payload of the current record, if it is one of the library's own
 * @have: bytes of @header that have arrived
 * @done: bytes of payload that have arrived
 * @size: bytes of payload of the current record
 * @tag: tag of the current record
 * @place: what becomes of its payload
 * @preamble: what the stream says of itself; all zero if nothing
 * @largest_image: size of the largest image according to the stream, or 0
 * @checksum: expected checksum of the next image
 * @checked: @checksum is set
 * @started: a record has begun before
 * @ended: the end record has arrived
 * @images: mandatory images that are complete
 * @bytes: bytes of their payload
 */
struct vfio_mig_parser {
	u64 max_record;
	u32 known_tags;

	struct vfio_mig_record_header header;
	union {
		struct vfio_mig_preamble preamble;
		struct vfio_mig_checksum checksum;
		struct vfio_mig_end end;
		__le64 largest_image;
	} small;
	unsigned int have;
	u64 done;
	u64 size;
	u32 tag;
	enum vfio_mig_parser_place place;

	struct vfio_mig_preamble preamble;
	u64 largest_image;
	u32 checksum;
	bool checked;
	bool started;
	bool ended;
	u64 images;
	u64 bytes;
};

void vfio_mig_parser_init(struct vfio_mig_parser *parser, u64 max_record, u32 known_tags);
void vfio_mig_parser_wish(struct vfio_mig_parser *parser, struct vfio_mig_parser_wish *wish);
int vfio_mig_parser_advance(struct vfio_mig_parser *parser, u64 length);
int vfio_mig_parser_verify(struct vfio_mig_parser *parser, u32 crc);
bool vfio_mig_parser_is_telling(const struct vfio_mig_parser *parser);
bool vfio_mig_parser_announces_end(const struct vfio_mig_parser *parser);
bool vfio_mig_parser_between(const struct vfio_mig_parser *parser);
int vfio_mig_parser_finish(const struct vfio_mig_parser *parser);

#endif /* VFIO_MIG_PARSER_H */
