// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of migration data, see parser.h.
 *
 * The stream comes from somewhere else and is not trusted: no number in it is
 * used before it was compared with a bound. There is no recursion and no loop.
 * After an error the parser must not be used any more.
 */
#include <kunit/visibility.h>
#include <linux/bitops.h>
#include <linux/byteorder/generic.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "parser.h"

static_assert(sizeof(struct vfio_mig_record_header) == 16);
static_assert(sizeof(struct vfio_mig_preamble) == 88);
static_assert(sizeof(struct vfio_mig_checksum) == 4);
static_assert(sizeof(struct vfio_mig_end) == 16);

#define VFIO_MIG_PREAMBLE_FLAGS	VFIO_MIG_PREAMBLE_END

/* Start at the beginning of a stream. */
void vfio_mig_parser_init(struct vfio_mig_parser *parser, u64 max_record, u32 known_tags)
{
	memset(parser, 0, sizeof(*parser));
	parser->max_record = max_record;
	parser->known_tags = known_tags;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_init);

static bool vfio_mig_parser_in_header(const struct vfio_mig_parser *parser)
{
	return parser->have < sizeof(parser->header);
}

/* Ask for what comes next. There is always something: a stream has no end of its own. */
void vfio_mig_parser_wish(struct vfio_mig_parser *parser, struct vfio_mig_parser_wish *wish)
{
	if (vfio_mig_parser_in_header(parser)) {
		wish->place = VFIO_MIG_PARSER_HERE;
		wish->to = (u8 *)&parser->header + parser->have;
		wish->length = sizeof(parser->header) - parser->have;
		return;
	}
	wish->place = parser->place;
	wish->to = NULL;
	wish->length = parser->size - parser->done;
	if (parser->place != VFIO_MIG_PARSER_HERE)
		return;
	/* A preamble may be longer than what is known of it. */
	if (parser->done < sizeof(parser->small)) {
		wish->to = (u8 *)&parser->small + parser->done;
		wish->length = min(wish->length, sizeof(parser->small) - parser->done);
	} else {
		wish->place = VFIO_MIG_PARSER_NOWHERE;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_wish);

static bool vfio_mig_parser_known(const struct vfio_mig_parser *parser)
{
	return parser->tag < 32 && (parser->known_tags & BIT(parser->tag));
}

static int vfio_mig_parser_open_small(struct vfio_mig_parser *parser, bool size_fits)
{
	memset(&parser->small, 0, sizeof(parser->small));
	parser->place = VFIO_MIG_PARSER_HERE;
	return size_fits ? 0 : -EBADMSG;
}

static int vfio_mig_parser_open_image(struct vfio_mig_parser *parser, bool optional)
{
	parser->place = VFIO_MIG_PARSER_IMAGE;
	if (!vfio_mig_parser_known(parser)) {
		parser->place = VFIO_MIG_PARSER_NOWHERE;
		return optional ? 0 : -EOPNOTSUPP;
	}
	if (!parser->size)
		return -EBADMSG;
	return parser->size > parser->max_record ? -EMSGSIZE : 0;
}

/* The header is complete: decide what to do with the payload. */
static int vfio_mig_parser_open(struct vfio_mig_parser *parser)
{
	u32 flags = le32_to_cpu(parser->header.flags);
	bool first = !parser->started;

	parser->size = le64_to_cpu(parser->header.size);
	parser->tag = le32_to_cpu(parser->header.tag);
	parser->done = 0;
	parser->started = true;
	if ((flags & ~VFIO_MIG_RECORD_OPTIONAL) || parser->ended)
		return -EBADMSG;
	switch (parser->tag) {
	case VFIO_MIG_TAG_STOP_COPY_SIZE:
		return vfio_mig_parser_open_small(parser, parser->size == sizeof(__le64));
	case VFIO_MIG_TAG_PREAMBLE:
		return vfio_mig_parser_open_small(parser, first && parser->size >=
						  sizeof(struct vfio_mig_preamble));
	case VFIO_MIG_TAG_CHECKSUM:
		return vfio_mig_parser_open_small(parser, parser->size ==
						  sizeof(struct vfio_mig_checksum));
	case VFIO_MIG_TAG_END:
		return vfio_mig_parser_open_small(parser, parser->size ==
						  sizeof(struct vfio_mig_end));
	default:
		return vfio_mig_parser_open_image(parser, flags & VFIO_MIG_RECORD_OPTIONAL);
	}
}

static bool vfio_mig_parser_is_text(const u8 *text, size_t size)
{
	return strnlen((const char *)text, size) < size;
}

static int vfio_mig_parser_greeted(struct vfio_mig_parser *parser)
{
	const struct vfio_mig_preamble *preamble = &parser->small.preamble;

	if (le32_to_cpu(preamble->version) != VFIO_MIG_FORMAT_VERSION ||
	    (le32_to_cpu(preamble->flags) & ~VFIO_MIG_PREAMBLE_FLAGS))
		return -EOPNOTSUPP;
	if (preamble->reserved ||
	    !vfio_mig_parser_is_text(preamble->driver, sizeof(preamble->driver)) ||
	    !vfio_mig_parser_is_text(preamble->firmware, sizeof(preamble->firmware)))
		return -EBADMSG;
	parser->preamble = *preamble;
	return VFIO_MIG_PARSER_GREETED;
}

static int vfio_mig_parser_totals(struct vfio_mig_parser *parser)
{
	const struct vfio_mig_end *end = &parser->small.end;

	parser->ended = true;
	if (parser->checked || le64_to_cpu(end->images) != parser->images ||
	    le64_to_cpu(end->bytes) != parser->bytes)
		return -EBADMSG;
	return VFIO_MIG_PARSER_NOTHING;
}

/* Optional images do not count: readers may or may not know them. */
static int vfio_mig_parser_complete(struct vfio_mig_parser *parser)
{
	if (parser->header.flags & cpu_to_le32(VFIO_MIG_RECORD_OPTIONAL))
		return VFIO_MIG_PARSER_COMPLETE;
	parser->images++;
	if (check_add_overflow(parser->bytes, parser->size, &parser->bytes))
		return -EBADMSG;
	return VFIO_MIG_PARSER_COMPLETE;
}

/* The payload is complete. */
static int vfio_mig_parser_close(struct vfio_mig_parser *parser)
{
	parser->have = 0;
	if (parser->place == VFIO_MIG_PARSER_IMAGE)
		return vfio_mig_parser_complete(parser);
	if (parser->place == VFIO_MIG_PARSER_NOWHERE) {
		/* A checksum was for this image. Other tags are no images. */
		if (parser->tag < 32)
			parser->checked = false;
		return VFIO_MIG_PARSER_NOTHING;
	}
	switch (parser->tag) {
	case VFIO_MIG_TAG_PREAMBLE:
		return vfio_mig_parser_greeted(parser);
	case VFIO_MIG_TAG_CHECKSUM:
		parser->checksum = le32_to_cpu(parser->small.checksum.crc32c);
		parser->checked = true;
		return VFIO_MIG_PARSER_NOTHING;
	case VFIO_MIG_TAG_END:
		return vfio_mig_parser_totals(parser);
	default:
		parser->largest_image = le64_to_cpu(parser->small.largest_image);
		return VFIO_MIG_PARSER_HINTED;
	}
}

/*
 * @length bytes, at most what was wished for, have arrived where they belong.
 * Returns an event, or -EBADMSG for what makes no sense, -EOPNOTSUPP for what is
 * mandatory and unknown, -EMSGSIZE for an image that is too large.
 */
int vfio_mig_parser_advance(struct vfio_mig_parser *parser, u64 length)
{
	int ret;

	if (vfio_mig_parser_in_header(parser)) {
		parser->have += length;
		if (vfio_mig_parser_in_header(parser))
			return VFIO_MIG_PARSER_NOTHING;
		ret = vfio_mig_parser_open(parser);
		if (ret)
			return ret;
	} else {
		parser->done += length;
	}
	if (parser->done < parser->size)
		return VFIO_MIG_PARSER_NOTHING;
	return vfio_mig_parser_close(parser);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_advance);

/* The image that is complete has this checksum. */
int vfio_mig_parser_verify(struct vfio_mig_parser *parser, u32 crc)
{
	bool wrong = parser->checked && parser->checksum != crc;

	parser->checked = false;
	return wrong ? -EBADMSG : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_verify);

/* Whether what comes next is of a small record that is about more than the next image. */
bool vfio_mig_parser_is_telling(const struct vfio_mig_parser *parser)
{
	return !vfio_mig_parser_in_header(parser) && parser->place == VFIO_MIG_PARSER_HERE &&
	       parser->tag != VFIO_MIG_TAG_CHECKSUM;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_is_telling);

/* Whether the stream has said that an end record comes. */
bool vfio_mig_parser_announces_end(const struct vfio_mig_parser *parser)
{
	return le32_to_cpu(parser->preamble.flags) & VFIO_MIG_PREAMBLE_END;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_announces_end);

/* Whether no record is incomplete. */
bool vfio_mig_parser_between(const struct vfio_mig_parser *parser)
{
	return !parser->have;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_between);

/* Whether the stream may end here. */
int vfio_mig_parser_finish(const struct vfio_mig_parser *parser)
{
	if (!vfio_mig_parser_between(parser) || !parser->images || parser->checked)
		return -EBADMSG;
	return vfio_mig_parser_announces_end(parser) && !parser->ended ? -EBADMSG : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_parser_finish);
