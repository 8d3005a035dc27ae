/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the parser share: streams are written record by record, fed
 * in pieces, and what the parser says is kept. The parser may ask for bytes
 * only where they belong, which each feeding checks.
 */
#ifndef VFIO_MIG_PARSING_H
#define VFIO_MIG_PARSING_H

#include <kunit/test.h>
#include <linux/byteorder/generic.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "../parser.h"

#define MAX_RECORD	1000
#define MAX_EVENTS	16
#define UNKNOWN_TAG	0x7f000001

/**
 * struct event - what the parser said, and when
 * @event: event, or error
 * @at: bytes that had arrived
 * @tag: of a complete image
 */
struct event {
	int event;
	size_t at;
	u32 tag;
};

/**
 * struct parsing - a stream and what the parser makes of it
 * @parser: the parser
 * @data: the stream
 * @length: bytes of @data
 * @at: bytes of @data that were fed
 * @events: all that was not VFIO_MIG_PARSER_NOTHING
 * @count: number of @events
 * @image_bytes: bytes that went into images
 */
struct parsing {
	struct vfio_mig_parser parser;
	u8 data[SZ_1K];
	size_t length;
	size_t at;
	struct event events[MAX_EVENTS];
	unsigned int count;
	u64 image_bytes;
};

static inline void begin(struct parsing *p)
{
	memset(&p->parser, 0xa5, sizeof(p->parser));
	vfio_mig_parser_init(&p->parser, MAX_RECORD, BIT(VFIO_MIG_TAG_IMAGE));
	p->at = 0;
	p->count = 0;
	p->image_bytes = 0;
}

static inline int parsing_init(struct kunit *test)
{
	struct parsing *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	begin(p);
	test->priv = p;
	return 0;
}

static inline void add_bytes(struct parsing *p, const void *data, size_t length)
{
	memcpy(p->data + p->length, data, length);
	p->length += length;
}

static inline void add_header(struct parsing *p, u64 size, u32 flags, u32 tag)
{
	struct vfio_mig_record_header header = {
		.size = cpu_to_le64(size),
		.flags = cpu_to_le32(flags),
		.tag = cpu_to_le32(tag),
	};

	add_bytes(p, &header, sizeof(header));
}

static inline void add_record(struct parsing *p, u32 flags, u32 tag, const void *payload,
			      size_t size)
{
	add_header(p, size, flags, tag);
	add_bytes(p, payload, size);
}

static inline void add_image(struct parsing *p, const char *payload)
{
	add_record(p, 0, VFIO_MIG_TAG_IMAGE, payload, strlen(payload));
}

static inline void add_hint(struct parsing *p, u64 largest)
{
	__le64 payload = cpu_to_le64(largest);

	add_record(p, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_STOP_COPY_SIZE, &payload,
		   sizeof(payload));
}

static inline struct vfio_mig_preamble some_preamble(void)
{
	return (struct vfio_mig_preamble) {
		.version = cpu_to_le32(VFIO_MIG_FORMAT_VERSION),
		.vendor = cpu_to_le16(0x15b3),
		.device = cpu_to_le16(0x101e),
		.driver = "driver",
		.firmware = "22.1.3",
		.capabilities = cpu_to_le64(0x123456789),
	};
}

static inline void add_preamble(struct parsing *p, u32 flags)
{
	struct vfio_mig_preamble preamble = some_preamble();

	preamble.flags = cpu_to_le32(flags);
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_PREAMBLE, &preamble,
		   sizeof(preamble));
}

static inline void add_checksum(struct parsing *p, u32 crc)
{
	struct vfio_mig_checksum checksum = { .crc32c = cpu_to_le32(crc) };

	add_record(p, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_CHECKSUM, &checksum,
		   sizeof(checksum));
}

static inline void add_end(struct parsing *p, u64 images, u64 bytes)
{
	struct vfio_mig_end end = {
		.images = cpu_to_le64(images),
		.bytes = cpu_to_le64(bytes),
	};

	add_record(p, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_END, &end, sizeof(end));
}

/* Where a parser may write to: its header or its small record, and nowhere else. */
static inline bool is_inside(const struct vfio_mig_parser *parser,
			     const struct vfio_mig_parser_wish *wish)
{
	const void *end = wish->to + wish->length;

	return (wish->to >= (void *)&parser->header && end <= (void *)(&parser->header + 1)) ||
	       (wish->to >= (void *)&parser->small && end <= (void *)(&parser->small + 1));
}

/* Feeds at most @most bytes at once. Returns how many. */
static inline size_t supply(struct kunit *test, struct parsing *p, size_t most)
{
	struct vfio_mig_parser_wish wish;

	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_ASSERT_GT(test, wish.length, 0);
	most = min(most, wish.length);
	if (wish.place == VFIO_MIG_PARSER_HERE) {
		KUNIT_ASSERT_TRUE(test, is_inside(&p->parser, &wish));
		memcpy(wish.to, p->data + p->at, most);
	} else if (wish.place == VFIO_MIG_PARSER_IMAGE) {
		p->image_bytes += most;
	}
	p->at += most;
	return most;
}

/* Feeds @length bytes, and at most @most at once, up to an error, which is returned. */
static inline int feed(struct kunit *test, struct parsing *p, size_t length, size_t most)
{
	size_t until = p->at + length;
	int event = 0;

	while (p->at < until && event >= 0) {
		event = vfio_mig_parser_advance(&p->parser,
						supply(test, p, min(most, until - p->at)));
		if (event == VFIO_MIG_PARSER_NOTHING)
			continue;
		KUNIT_ASSERT_LT(test, p->count, MAX_EVENTS);
		p->events[p->count++] = (struct event) {
			.event = event,
			.at = p->at,
			.tag = event == VFIO_MIG_PARSER_COMPLETE ? p->parser.tag : 0,
		};
	}
	return min(event, 0);
}

/* Feeds all that is left. */
static inline int feed_all(struct kunit *test, struct parsing *p)
{
	return feed(test, p, p->length - p->at, p->length);
}

/* The whole stream is fine up to its end. */
static inline void expect_accepted(struct kunit *test, struct parsing *p)
{
	KUNIT_EXPECT_EQ(test, feed_all(test, p), 0);
	KUNIT_EXPECT_TRUE(test, vfio_mig_parser_between(&p->parser));
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), 0);
}

/* Nothing is refused, but the stream may not end there. */
static inline void expect_incomplete(struct kunit *test, struct parsing *p)
{
	KUNIT_EXPECT_EQ(test, feed_all(test, p), 0);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), -EBADMSG);
}

/* With byte @at comes @error, if that is not 0, and nothing before. */
static inline void expect_at(struct kunit *test, struct parsing *p, size_t at, int error)
{
	KUNIT_EXPECT_EQ(test, feed(test, p, at - 1, 1), 0);
	KUNIT_EXPECT_EQ(test, feed(test, p, 1, 1), error);
}

/**
 * struct header_case - a header, and what the parser says of it
 * @name: what it is about
 * @size: bytes of payload
 * @flags: flags
 * @tag: tag
 * @result: 0 or the error
 */
struct header_case {
	const char *name;
	u64 size;
	u32 flags;
	u32 tag;
	int result;
};

#endif /* VFIO_MIG_PARSING_H */
