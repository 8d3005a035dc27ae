// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leads the parser under test through a stream, as the library does, and checks at each
 * step what it asks for.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "parser.h"

/**
 * struct walk - where the parser is in a stream
 * @parser: allocated, so that the sanitizer sees what is next to it
 * @rules: what the device can load
 * @outcome: what the parser has said
 * @image: the current image as far as it has arrived
 * @length: bytes of @image
 * @room: bytes that fit into @image
 */
struct walk {
	struct vfio_mig_parser *parser;
	const struct rules *rules;
	struct outcome *outcome;
	unsigned char *image;
	size_t length;
	size_t room;
};

static bool is_inside(const void *start, size_t size, const void *to, uint64_t length)
{
	uintptr_t offset = (uintptr_t)to - (uintptr_t)start;

	return (uintptr_t)to >= (uintptr_t)start && length <= size && offset <= size - length;
}

/* Puts the bytes where the parser wants them. Returns how many. */
static size_t walk_supply(struct walk *walk, const unsigned char *data, size_t length)
{
	struct vfio_mig_parser *parser = walk->parser;
	struct vfio_mig_parser_wish wish;

	vfio_mig_parser_wish(parser, &wish);
	always(wish.length > 0);
	switch (wish.place) {
	case VFIO_MIG_PARSER_HERE:
		always(is_inside(&parser->header, sizeof(parser->header), wish.to, wish.length) ||
		       is_inside(&parser->small, sizeof(parser->small), wish.to, wish.length));
		length = length < wish.length ? length : wish.length;
		memcpy(wish.to, data, length);
		return length;
	case VFIO_MIG_PARSER_IMAGE:
		always(walk->length + wish.length <= walk->rules->max_record);
		length = length < wish.length ? length : wish.length;
		always(walk->length + length <= walk->room);
		memcpy(walk->image + walk->length, data, length);
		walk->length += length;
		return length;
	case VFIO_MIG_PARSER_NOWHERE:
		return length < wish.length ? length : wish.length;
	}
	always(false);
	return 0;
}

static int walk_complete(struct walk *walk, uint64_t at)
{
	struct vfio_mig_parser *parser = walk->parser;
	uint32_t crc = stream_crc32c(walk->image, walk->length);

	always(parser->tag < 32 && walk->rules->known_tags >> parser->tag & 1);
	always(walk->length == parser->size);
	always(walk->length > 0);
	outcome_add(walk->outcome, EVENT_COMPLETE, parser->tag, at, crc);
	walk->length = 0;
	return vfio_mig_parser_verify(parser, crc);
}

static int walk_event(struct walk *walk, int event, uint64_t at)
{
	struct vfio_mig_parser *parser = walk->parser;

	if (event != VFIO_MIG_PARSER_NOTHING)
		always(event < 0 || vfio_mig_parser_between(parser));
	switch (event) {
	case VFIO_MIG_PARSER_NOTHING:
		return 0;
	case VFIO_MIG_PARSER_GREETED:
		outcome_add(walk->outcome, EVENT_GREETED, 0, at,
			    stream_crc32c(&parser->preamble, sizeof(parser->preamble)));
		return 0;
	case VFIO_MIG_PARSER_HINTED:
		outcome_add(walk->outcome, EVENT_HINTED, 0, at, parser->largest_image);
		return 0;
	case VFIO_MIG_PARSER_COMPLETE:
		return walk_complete(walk, at);
	}
	always(event == -EBADMSG || event == -EOPNOTSUPP || event == -EMSGSIZE);
	return event;
}

static int walk_piece(struct walk *walk, const unsigned char *data, size_t length)
{
	while (length) {
		size_t taken = walk_supply(walk, data, length);
		int event = vfio_mig_parser_advance(walk->parser, taken);

		walk->outcome->at += taken;
		event = walk_event(walk, event, walk->outcome->at);
		if (event)
			return event;
		data += taken;
		length -= taken;
	}
	return 0;
}

/* Mostly short ones: what matters is where records are cut. */
static size_t piece_size(struct chance *pieces, size_t left)
{
	size_t size;

	if (!pieces)
		return left;
	size = 1 + chance_below(pieces, chance_once_in(pieces, 4) ? 512 : 24);
	return size < left ? size : left;
}

/* Behind the end record there is nothing. */
static void walk_beyond(struct walk *walk)
{
	struct vfio_mig_record_header header = { .flags = htole32(VFIO_MIG_RECORD_OPTIONAL),
						 .tag = htole32(~0U) };

	if (walk->outcome->end || !walk->parser->ended)
		return;
	always(walk_piece(walk, (unsigned char *)&header, sizeof(header)) == -EBADMSG);
	walk->outcome->at -= sizeof(header);
}

void parser_run(struct outcome *outcome, const struct stream *stream,
		const struct rules *rules, struct chance *pieces)
{
	struct walk walk = {
		.parser = malloc(sizeof(*walk.parser)),
		.rules = rules,
		.outcome = outcome,
		.image = malloc(stream->length + 1),
		.room = stream->length,
	};
	size_t size;

	always(walk.parser && walk.image);
	memset(walk.parser, 0xa5, sizeof(*walk.parser));
	vfio_mig_parser_init(walk.parser, rules->max_record, rules->known_tags);
	outcome->error = 0;
	outcome->at = 0;
	outcome->count = 0;
	outcome->end = 0;
	while (!outcome->error && outcome->at < stream->length) {
		size = piece_size(pieces, stream->length - outcome->at);
		outcome->error = walk_piece(&walk, stream->data + outcome->at, size);
	}
	outcome->images = walk.parser->images;
	outcome->bytes = walk.parser->bytes;
	if (!outcome->error) {
		outcome->end = vfio_mig_parser_finish(walk.parser);
		walk_beyond(&walk);
	}
	free(walk.image);
	free(walk.parser);
}
