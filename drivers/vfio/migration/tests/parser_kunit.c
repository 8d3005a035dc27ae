// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the parser: headers byte by byte, every cut of a stream, plain
 * records as older drivers write them.
 */
#include "parsing.h"

static void vfio_mig_test_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct vfio_mig_record_header), 16);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_record_header, size), 0);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_record_header, flags), 8);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_record_header, tag), 12);
	KUNIT_EXPECT_EQ(test, sizeof(struct vfio_mig_preamble), 88);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, version), 0);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, flags), 4);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, vendor), 8);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, device), 10);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, reserved), 12);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, driver), 16);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, firmware), 48);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_preamble, capabilities), 80);
	KUNIT_EXPECT_EQ(test, sizeof(struct vfio_mig_checksum), 4);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_checksum, crc32c), 0);
	KUNIT_EXPECT_EQ(test, sizeof(struct vfio_mig_end), 16);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_end, images), 0);
	KUNIT_EXPECT_EQ(test, offsetof(struct vfio_mig_end, bytes), 8);
}

/* Numbers on the wire never change. */
static void vfio_mig_test_numbers(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, VFIO_MIG_RECORD_OPTIONAL, 1);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_TAG_IMAGE, 0);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_TAG_STOP_COPY_SIZE, 1);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_TAG_PREAMBLE, 0x4d494700);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_TAG_CHECKSUM, 0x4d494701);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_TAG_END, 0x4d494702);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_PREAMBLE_END, 1);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_FORMAT_VERSION, 1);
}

/* Each byte of a header counts at its place. */
static void vfio_mig_test_header_bytes(struct kunit *test)
{
	static const u8 header[] = {
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x01, 0x00, 0x00, 0x00,
		0x44, 0x33, 0x22, 0x11,
	};
	struct parsing *p = test->priv;
	struct vfio_mig_parser_wish wish;

	add_bytes(p, header, sizeof(header));
	for (unsigned int i = 0; i < sizeof(header); i++) {
		vfio_mig_parser_wish(&p->parser, &wish);
		KUNIT_EXPECT_EQ(test, wish.place, VFIO_MIG_PARSER_HERE);
		KUNIT_EXPECT_EQ(test, wish.length, sizeof(header) - i);
		KUNIT_EXPECT_EQ(test, vfio_mig_parser_between(&p->parser), !i);
		KUNIT_ASSERT_EQ(test, feed(test, p, 1, 1), 0);
	}
	KUNIT_EXPECT_EQ(test, p->parser.tag, 0x11223344);
	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_EXPECT_EQ(test, wish.place, VFIO_MIG_PARSER_NOWHERE);
	KUNIT_EXPECT_EQ(test, wish.length, 0x0102030405060708);
	KUNIT_EXPECT_FALSE(test, vfio_mig_parser_between(&p->parser));
}

static const struct header_case header_cases[] = {
	{ "image", 1, 0, 0, 0 },
	{ "largest image", MAX_RECORD, 0, 0, 0 },
	{ "optional image", 1, 1, 0, 0 },
	{ "empty image", 0, 0, 0, -EBADMSG },
	{ "empty optional image", 0, 1, 0, -EBADMSG },
	{ "image too large", MAX_RECORD + 1, 0, 0, -EMSGSIZE },
	{ "optional image too large", MAX_RECORD + 1, 1, 0, -EMSGSIZE },
	{ "image of 2^32", 1ULL << 32, 0, 0, -EMSGSIZE },
	{ "image of 2^63", 1ULL << 63, 0, 0, -EMSGSIZE },
	{ "image of 2^64 - 16", U64_MAX - 15, 0, 0, -EMSGSIZE },
	{ "image of 2^64 - 1", U64_MAX, 0, 0, -EMSGSIZE },
	{ "size", 8, 1, 1, 0 },
	{ "mandatory size", 8, 0, 1, 0 },
	{ "size of no bytes", 0, 1, 1, -EBADMSG },
	{ "size of 7 bytes", 7, 1, 1, -EBADMSG },
	{ "size of 9 bytes", 9, 1, 1, -EBADMSG },
	{ "size of 2^64 - 1 bytes", U64_MAX, 1, 1, -EBADMSG },
	{ "unknown optional", 8, 1, 7, 0 },
	{ "unknown optional, empty", 0, 1, 7, 0 },
	{ "unknown optional, endless", U64_MAX, 1, 7, 0 },
	{ "unknown mandatory", 8, 0, 7, -EOPNOTSUPP },
	{ "unknown mandatory, empty", 0, 0, 7, -EOPNOTSUPP },
	{ "last image tag", 8, 0, 31, -EOPNOTSUPP },
	{ "tag beyond the mask", 8, 0, 32, -EOPNOTSUPP },
	{ "tag beyond the mask, optional", 8, 1, 32, 0 },
	{ "tag of 2^31", 8, 0, 1U << 31, -EOPNOTSUPP },
	{ "largest tag", 8, 0, U32_MAX, -EOPNOTSUPP },
	{ "largest tag, optional", 8, 1, U32_MAX, 0 },
	{ "undefined flag", 8, 2, 0, -EBADMSG },
	{ "undefined flag beside optional", 8, 3, 7, -EBADMSG },
	{ "highest flag", 8, 1U << 31, 1, -EBADMSG },
	{ "all flags", 8, U32_MAX, UNKNOWN_TAG, -EBADMSG },
	{ "preamble", 88, 1, VFIO_MIG_TAG_PREAMBLE, 0 },
	{ "mandatory preamble", 88, 0, VFIO_MIG_TAG_PREAMBLE, 0 },
	{ "longer preamble", 89, 1, VFIO_MIG_TAG_PREAMBLE, 0 },
	{ "preamble of 87 bytes", 87, 1, VFIO_MIG_TAG_PREAMBLE, -EBADMSG },
	{ "empty preamble", 0, 1, VFIO_MIG_TAG_PREAMBLE, -EBADMSG },
	{ "checksum", 4, 1, VFIO_MIG_TAG_CHECKSUM, 0 },
	{ "empty checksum", 0, 1, VFIO_MIG_TAG_CHECKSUM, -EBADMSG },
	{ "checksum of 3 bytes", 3, 1, VFIO_MIG_TAG_CHECKSUM, -EBADMSG },
	{ "checksum of 5 bytes", 5, 1, VFIO_MIG_TAG_CHECKSUM, -EBADMSG },
	{ "end", 16, 1, VFIO_MIG_TAG_END, 0 },
	{ "empty end", 0, 1, VFIO_MIG_TAG_END, -EBADMSG },
	{ "end of 15 bytes", 15, 1, VFIO_MIG_TAG_END, -EBADMSG },
	{ "end of 17 bytes", 17, 1, VFIO_MIG_TAG_END, -EBADMSG },
	{ "next tag of the library", 8, 0, VFIO_MIG_TAG_END + 1, -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(header_cases, header_cases, name);

/* A header is judged with its last byte, before any payload. */
static void vfio_mig_test_header(struct kunit *test)
{
	const struct header_case *param = test->param_value;
	struct parsing *p = test->priv;

	add_header(p, param->size, param->flags, param->tag);
	expect_at(test, p, 16, param->result);
}

/* A bit in known_tags, and only that one, makes a tag an image. Tag 1 is the library's. */
static void vfio_mig_test_known_tags(struct kunit *test)
{
	struct parsing *p = test->priv;

	for (u32 tag = 0; tag < 40; tag++) {
		bool image = tag < 32 && tag != VFIO_MIG_TAG_STOP_COPY_SIZE;

		p->length = 0;
		add_record(p, 0, tag, "12345678", 8);
		begin(p);
		p->parser.known_tags = tag < 32 ? BIT(tag) : U32_MAX;
		if (tag == VFIO_MIG_TAG_STOP_COPY_SIZE)
			p->parser.known_tags = U32_MAX;
		KUNIT_EXPECT_EQ(test, feed_all(test, p), tag < 32 ? 0 : -EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, p->image_bytes, image ? 8 : 0);
		KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), image ? 0 : -EBADMSG);
		if (!image || !tag)
			continue;
		begin(p);
		p->parser.known_tags = ~BIT(tag);
		KUNIT_EXPECT_EQ(test, feed_all(test, p), -EOPNOTSUPP);
	}
}

/* All kinds of records, but for the checksum, which somebody has to verify. */
static void add_everything(struct parsing *p)
{
	add_preamble(p, VFIO_MIG_PREAMBLE_END);
	add_hint(p, 77);
	add_image(p, "first image");
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG, "skipped", 7);
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG, "", 0);
	add_image(p, "2");
	add_end(p, 2, 12);
}

/* What add_everything() means, whatever the pieces. */
static void expect_everything(struct kunit *test, struct parsing *p)
{
	static const struct event expected[] = {
		{ VFIO_MIG_PARSER_GREETED, 104, 0 },
		{ VFIO_MIG_PARSER_HINTED, 128, 0 },
		{ VFIO_MIG_PARSER_COMPLETE, 155, VFIO_MIG_TAG_IMAGE },
		{ VFIO_MIG_PARSER_COMPLETE, 211, VFIO_MIG_TAG_IMAGE },
	};

	KUNIT_ASSERT_EQ(test, p->count, ARRAY_SIZE(expected));
	for (unsigned int i = 0; i < p->count; i++) {
		KUNIT_EXPECT_EQ(test, p->events[i].event, expected[i].event);
		KUNIT_EXPECT_EQ(test, p->events[i].at, expected[i].at);
		KUNIT_EXPECT_EQ(test, p->events[i].tag, expected[i].tag);
	}
	KUNIT_EXPECT_EQ(test, p->image_bytes, 12);
	KUNIT_EXPECT_EQ(test, p->parser.largest_image, 77);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), 0);
}

/* Cut once, at every byte. */
static void vfio_mig_test_every_split(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_everything(p);
	for (size_t cut = 0; cut <= p->length; cut++) {
		begin(p);
		KUNIT_ASSERT_EQ(test, feed(test, p, cut, p->length), 0);
		KUNIT_ASSERT_EQ(test, feed_all(test, p), 0);
		expect_everything(test, p);
	}
}

/* Cut into pieces of every size. */
static void vfio_mig_test_every_piece(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_everything(p);
	for (size_t piece = 1; piece <= p->length; piece++) {
		begin(p);
		KUNIT_ASSERT_EQ(test, feed(test, p, p->length, piece), 0);
		expect_everything(test, p);
	}
}

/* A stream that ends early is never complete: its end is announced. */
static void vfio_mig_test_every_truncation(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_everything(p);
	for (size_t length = 0; length < p->length; length++) {
		begin(p);
		KUNIT_ASSERT_EQ(test, feed(test, p, length, p->length), 0);
		KUNIT_EXPECT_EQ_MSG(test, vfio_mig_parser_finish(&p->parser), -EBADMSG,
				    "%zu bytes", length);
	}
}

/* What drivers write that know nothing but records. */
static const u8 plain_stream[] = {
	/* the size, optional */
	0x08, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0x01, 0, 0, 0,
	0x03, 0, 0, 0, 0, 0, 0, 0,
	/* images of three bytes and of one */
	0x03, 0, 0, 0, 0, 0, 0, 0, 0x00, 0, 0, 0, 0x00, 0, 0, 0,
	0xaa, 0xbb, 0xcc,
	0x01, 0, 0, 0, 0, 0, 0, 0, 0x00, 0, 0, 0, 0x00, 0, 0, 0,
	0xdd,
};

static void vfio_mig_test_plain_stream(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_bytes(p, plain_stream, sizeof(plain_stream));
	expect_accepted(test, p);
	KUNIT_ASSERT_EQ(test, p->count, 3);
	KUNIT_EXPECT_EQ(test, p->events[0].event, VFIO_MIG_PARSER_HINTED);
	KUNIT_EXPECT_EQ(test, p->events[1].event, VFIO_MIG_PARSER_COMPLETE);
	KUNIT_EXPECT_EQ(test, p->events[1].at, 43);
	KUNIT_EXPECT_EQ(test, p->events[2].event, VFIO_MIG_PARSER_COMPLETE);
	KUNIT_EXPECT_EQ(test, p->parser.largest_image, 3);
	KUNIT_EXPECT_EQ(test, p->image_bytes, 4);
}

/* A single record without anything around it is the smallest stream. */
static void vfio_mig_test_one_image(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_image(p, "x");
	expect_accepted(test, p);
	KUNIT_EXPECT_EQ(test, p->count, 1);
}

static void vfio_mig_test_empty_stream(struct kunit *test)
{
	struct parsing *p = test->priv;

	expect_incomplete(test, p);
}

/* What is optional is no state. */
static void vfio_mig_test_no_image(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_hint(p, 1);
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG, "junk", 4);
	expect_incomplete(test, p);
}

/* A record that is skipped takes no memory, so it may claim to have any size. */
static void vfio_mig_test_endless_record(struct kunit *test)
{
	struct parsing *p = test->priv;
	struct vfio_mig_parser_wish wish;

	add_header(p, U64_MAX, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG);
	KUNIT_ASSERT_EQ(test, feed_all(test, p), 0);
	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_EXPECT_EQ(test, wish.place, VFIO_MIG_PARSER_NOWHERE);
	KUNIT_EXPECT_EQ(test, wish.length, U64_MAX);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_advance(&p->parser, U64_MAX - 1), 0);
	KUNIT_EXPECT_FALSE(test, vfio_mig_parser_between(&p->parser));
	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_EXPECT_EQ(test, wish.length, 1);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_advance(&p->parser, 1), 0);
	add_image(p, "x");
	expect_accepted(test, p);
}

/* A device without a limit: the sum of all sizes has one. */
static void vfio_mig_test_sum_of_sizes(struct kunit *test)
{
	struct parsing *p = test->priv;
	struct vfio_mig_parser_wish wish;

	vfio_mig_parser_init(&p->parser, U64_MAX, BIT(VFIO_MIG_TAG_IMAGE));
	add_header(p, U64_MAX, 0, VFIO_MIG_TAG_IMAGE);
	KUNIT_ASSERT_EQ(test, feed_all(test, p), 0);
	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_EXPECT_EQ(test, wish.place, VFIO_MIG_PARSER_IMAGE);
	KUNIT_EXPECT_EQ(test, wish.length, U64_MAX);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_advance(&p->parser, U64_MAX),
			VFIO_MIG_PARSER_COMPLETE);
	add_image(p, "x");
	KUNIT_EXPECT_EQ(test, feed_all(test, p), -EBADMSG);
}

/* Any hint is fine, it allocates nothing here. */
static void vfio_mig_test_hints(struct kunit *test)
{
	static const u64 hints[] = { 0, 1, 1ULL << 32, 1ULL << 63, U64_MAX };
	struct parsing *p = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(hints); i++) {
		add_hint(p, hints[i]);
		KUNIT_EXPECT_EQ(test, feed_all(test, p), 0);
		KUNIT_EXPECT_EQ(test, p->events[i].event, VFIO_MIG_PARSER_HINTED);
		KUNIT_EXPECT_EQ(test, p->parser.largest_image, hints[i]);
	}
}

static struct kunit_case parser_cases[] = {
	KUNIT_CASE(vfio_mig_test_layout),
	KUNIT_CASE(vfio_mig_test_numbers),
	KUNIT_CASE(vfio_mig_test_header_bytes),
	KUNIT_CASE_PARAM(vfio_mig_test_header, header_cases_gen_params),
	KUNIT_CASE(vfio_mig_test_known_tags),
	KUNIT_CASE(vfio_mig_test_every_split),
	KUNIT_CASE(vfio_mig_test_every_piece),
	KUNIT_CASE(vfio_mig_test_every_truncation),
	KUNIT_CASE(vfio_mig_test_plain_stream),
	KUNIT_CASE(vfio_mig_test_one_image),
	KUNIT_CASE(vfio_mig_test_empty_stream),
	KUNIT_CASE(vfio_mig_test_no_image),
	KUNIT_CASE(vfio_mig_test_endless_record),
	KUNIT_CASE(vfio_mig_test_sum_of_sizes),
	KUNIT_CASE(vfio_mig_test_hints),
	{}
};

static struct kunit_suite parser_suite = {
	.name = "vfio-mig-parser",
	.init = parsing_init,
	.test_cases = parser_cases,
};

kunit_test_suite(parser_suite);
