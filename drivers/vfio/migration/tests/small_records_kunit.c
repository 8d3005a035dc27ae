// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the parser: preamble, checksum and end, the records that say
 * something about a stream and carry no state.
 */
#include "parsing.h"

static void vfio_mig_test_preamble_bytes(struct kunit *test)
{
	struct vfio_mig_preamble preamble = some_preamble();
	struct parsing *p = test->priv;

	add_preamble(p, 0);
	add_image(p, "x");
	expect_accepted(test, p);
	KUNIT_EXPECT_EQ(test, p->events[0].event, VFIO_MIG_PARSER_GREETED);
	KUNIT_EXPECT_EQ(test, p->events[0].at, 16 + 88);
	KUNIT_EXPECT_MEMEQ(test, &p->parser.preamble, &preamble, sizeof(preamble));
}

struct preamble_case {
	const char *name;
	unsigned int offset;
	u8 value;
	int result;
};

#define DRIVER		offsetof(struct vfio_mig_preamble, driver)
#define FIRMWARE	offsetof(struct vfio_mig_preamble, firmware)

static const struct preamble_case preamble_cases[] = {
	{ "version 0", 0, 0, -EOPNOTSUPP },
	{ "version 2", 0, 2, -EOPNOTSUPP },
	{ "version 0x101", 1, 1, -EOPNOTSUPP },
	{ "version 0x1000001", 3, 1, -EOPNOTSUPP },
	{ "flag 0", 4, 1, 0 },
	{ "flag 1", 4, 2, -EOPNOTSUPP },
	{ "flag 31", 7, 0x80, -EOPNOTSUPP },
	{ "other vendor", 8, 0xff, 0 },
	{ "other device", 11, 0xff, 0 },
	{ "first reserved byte", 12, 1, -EBADMSG },
	{ "last reserved byte", 15, 0x80, -EBADMSG },
	{ "other capabilities", 87, 0xff, 0 },
};

KUNIT_ARRAY_PARAM_DESC(preamble_cases, preamble_cases, name);

/* The parser judges what every reader must; the rest is up to the library. */
static void vfio_mig_test_preamble(struct kunit *test)
{
	const struct preamble_case *param = test->param_value;
	struct parsing *p = test->priv;

	add_preamble(p, 0);
	p->data[16 + param->offset] = param->value;
	expect_at(test, p, p->length, param->result);
}

struct text_case {
	const char *name;
	unsigned int offset;
	unsigned int used;
	int result;
};

static const struct text_case text_cases[] = {
	{ "longest driver", DRIVER, 31, 0 },
	{ "driver without zero", DRIVER, 32, -EBADMSG },
	{ "no firmware", FIRMWARE, 0, 0 },
	{ "longest firmware", FIRMWARE, 31, 0 },
	{ "firmware without zero", FIRMWARE, 32, -EBADMSG },
};

KUNIT_ARRAY_PARAM_DESC(text_cases, text_cases, name);

static void vfio_mig_test_preamble_text(struct kunit *test)
{
	const struct text_case *param = test->param_value;
	struct parsing *p = test->priv;

	add_preamble(p, 0);
	memset(p->data + 16 + param->offset, 0, 32);
	memset(p->data + 16 + param->offset, 'x', param->used);
	expect_at(test, p, p->length, param->result);
}

/* Later versions may append something. */
static void vfio_mig_test_longer_preamble(struct kunit *test)
{
	struct vfio_mig_preamble preamble = some_preamble();
	struct parsing *p = test->priv;
	struct vfio_mig_parser_wish wish;
	static const u8 more[50];

	add_header(p, sizeof(preamble) + sizeof(more), VFIO_MIG_RECORD_OPTIONAL,
		   VFIO_MIG_TAG_PREAMBLE);
	add_bytes(p, &preamble, sizeof(preamble));
	add_bytes(p, more, sizeof(more));
	add_image(p, "x");
	KUNIT_EXPECT_EQ(test, feed(test, p, 16 + sizeof(preamble), 1), 0);
	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_EXPECT_EQ(test, wish.place, VFIO_MIG_PARSER_NOWHERE);
	KUNIT_EXPECT_EQ(test, wish.length, sizeof(more));
	KUNIT_EXPECT_EQ(test, p->count, 0);
	expect_accepted(test, p);
	KUNIT_EXPECT_EQ(test, p->events[0].event, VFIO_MIG_PARSER_GREETED);
	KUNIT_EXPECT_EQ(test, p->events[0].at, 16 + sizeof(preamble) + sizeof(more));
	KUNIT_EXPECT_MEMEQ(test, &p->parser.preamble, &preamble, sizeof(preamble));
}

static void vfio_mig_test_endless_preamble(struct kunit *test)
{
	struct vfio_mig_preamble preamble = some_preamble();
	struct parsing *p = test->priv;
	struct vfio_mig_parser_wish wish;

	add_header(p, U64_MAX, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_PREAMBLE);
	add_bytes(p, &preamble, sizeof(preamble));
	KUNIT_ASSERT_EQ(test, feed_all(test, p), 0);
	vfio_mig_parser_wish(&p->parser, &wish);
	KUNIT_EXPECT_EQ(test, wish.place, VFIO_MIG_PARSER_NOWHERE);
	KUNIT_EXPECT_EQ(test, wish.length, U64_MAX - sizeof(preamble));
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), -EBADMSG);
}

static void vfio_mig_test_two_preambles(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_preamble(p, 0);
	add_preamble(p, 0);
	expect_at(test, p, 16 + 88 + 16, -EBADMSG);
}

/* Whatever comes first. */
static void vfio_mig_test_late_preamble(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_record(p, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG, "", 0);
	add_preamble(p, 0);
	expect_at(test, p, 16 + 16, -EBADMSG);

	begin(p);
	p->length = 0;
	add_hint(p, 1);
	add_preamble(p, 0);
	expect_at(test, p, 16 + 8 + 16, -EBADMSG);

	begin(p);
	p->length = 0;
	add_image(p, "x");
	add_preamble(p, 0);
	expect_at(test, p, 16 + 1 + 16, -EBADMSG);
}

/* Feeds an image with a checksum before it. Returns what verify() says of @crc. */
static int verify(struct kunit *test, struct parsing *p, u32 crc)
{
	KUNIT_ASSERT_EQ(test, feed_all(test, p), 0);
	KUNIT_ASSERT_EQ(test, p->events[p->count - 1].event, VFIO_MIG_PARSER_COMPLETE);
	return vfio_mig_parser_verify(&p->parser, crc);
}

static void vfio_mig_test_checksum(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_checksum(p, 0xe3069283);
	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 0xe3069283), 0);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), 0);
	/* it was for that image only */
	add_image(p, "other");
	KUNIT_EXPECT_EQ(test, verify(test, p, 1), 0);
}

static void vfio_mig_test_wrong_checksum(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_checksum(p, 0xe3069283);
	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 0xe3069282), -EBADMSG);
	for (unsigned int bit = 0; bit < 32; bit++) {
		begin(p);
		KUNIT_EXPECT_EQ(test, verify(test, p, 0xe3069283 ^ BIT(bit)), -EBADMSG);
	}
	begin(p);
	KUNIT_EXPECT_EQ(test, verify(test, p, 0xe3069283), 0);
}

static void vfio_mig_test_no_checksum(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 0), 0);
}

/* A checksum of 0 is one. */
static void vfio_mig_test_zero_checksum(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_checksum(p, 0);
	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 0xe3069283), -EBADMSG);
}

/* What is no image may be in between. */
static void vfio_mig_test_checksum_before_hint(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_checksum(p, 5);
	add_hint(p, 9);
	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 6), -EBADMSG);
}

/* The checksum of an image that is skipped is not that of the next one. */
static void vfio_mig_test_checksum_of_skipped_image(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_checksum(p, 5);
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, 3, "image", 5);
	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 6), 0);
	KUNIT_EXPECT_EQ(test, vfio_mig_parser_finish(&p->parser), 0);
}

/* Nor does anything that is skipped and no image take the place of one. */
static void vfio_mig_test_checksum_before_skipped(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_checksum(p, 5);
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG, "junk", 4);
	add_image(p, "123456789");
	KUNIT_EXPECT_EQ(test, verify(test, p, 6), -EBADMSG);
}

static void vfio_mig_test_checksum_before_end(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_image(p, "one");
	add_checksum(p, 5);
	add_end(p, 1, 3);
	expect_at(test, p, p->length, -EBADMSG);
}

static void vfio_mig_test_checksum_without_image(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_image(p, "x");
	add_checksum(p, 5);
	expect_incomplete(test, p);
}

static void vfio_mig_test_end(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_image(p, "one");
	add_image(p, "image");
	add_end(p, 2, 8);
	expect_accepted(test, p);
	KUNIT_EXPECT_EQ(test, p->count, 2);
}

static void vfio_mig_test_wrong_totals(struct kunit *test)
{
	static const u64 wrong[][2] = {
		{ 0, 0 }, { 0, 3 }, { 2, 3 }, { 1, 0 }, { 1, 2 }, { 1, 4 }, { 3, 1 },
		{ U64_MAX, 3 }, { 1, U64_MAX }, { 1ULL << 32 | 1, 3 }, { 1, 1ULL << 32 | 3 },
	};
	struct parsing *p = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		p->length = 0;
		add_image(p, "one");
		add_end(p, wrong[i][0], wrong[i][1]);
		begin(p);
		expect_at(test, p, p->length, -EBADMSG);
	}
}

/* A reader may know an optional image or not. */
static void vfio_mig_test_totals_without_optional(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_record(p, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_IMAGE, "known", 5);
	add_record(p, VFIO_MIG_RECORD_OPTIONAL, 9, "unknown", 7);
	add_image(p, "one");
	add_end(p, 1, 3);
	expect_accepted(test, p);
	KUNIT_EXPECT_EQ(test, p->image_bytes, 8);
}

static void vfio_mig_test_end_without_image(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_end(p, 0, 0);
	expect_incomplete(test, p);
}

static void vfio_mig_test_announced_end(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_preamble(p, VFIO_MIG_PREAMBLE_END);
	add_image(p, "one");
	expect_incomplete(test, p);
	add_end(p, 1, 3);
	expect_accepted(test, p);
}

static void vfio_mig_test_end_not_announced(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_preamble(p, 0);
	add_image(p, "one");
	expect_accepted(test, p);
	add_end(p, 1, 3);
	expect_accepted(test, p);
}

static const struct header_case behind_end_cases[] = {
	{ "image", 1, 0, VFIO_MIG_TAG_IMAGE },
	{ "size", 8, 1, VFIO_MIG_TAG_STOP_COPY_SIZE },
	{ "preamble", 88, 1, VFIO_MIG_TAG_PREAMBLE },
	{ "checksum", 4, 1, VFIO_MIG_TAG_CHECKSUM },
	{ "end", 16, 1, VFIO_MIG_TAG_END },
	{ "unknown optional", 1, 1, UNKNOWN_TAG },
	{ "unknown optional, empty", 0, 1, UNKNOWN_TAG },
	{ "unknown mandatory", 1, 0, UNKNOWN_TAG },
};

KUNIT_ARRAY_PARAM_DESC(behind_end_cases, behind_end_cases, name);

static void vfio_mig_test_behind_end(struct kunit *test)
{
	const struct header_case *param = test->param_value;
	struct parsing *p = test->priv;

	add_image(p, "one");
	add_end(p, 1, 3);
	add_header(p, param->size, param->flags, param->tag);
	expect_at(test, p, p->length, -EBADMSG);
}

/* Even a part of a header. */
static void vfio_mig_test_byte_behind_end(struct kunit *test)
{
	struct parsing *p = test->priv;

	add_image(p, "one");
	add_end(p, 1, 3);
	add_bytes(p, "", 1);
	expect_incomplete(test, p);
}

static struct kunit_case small_records_cases[] = {
	KUNIT_CASE(vfio_mig_test_preamble_bytes),
	KUNIT_CASE_PARAM(vfio_mig_test_preamble, preamble_cases_gen_params),
	KUNIT_CASE_PARAM(vfio_mig_test_preamble_text, text_cases_gen_params),
	KUNIT_CASE(vfio_mig_test_longer_preamble),
	KUNIT_CASE(vfio_mig_test_endless_preamble),
	KUNIT_CASE(vfio_mig_test_two_preambles),
	KUNIT_CASE(vfio_mig_test_late_preamble),
	KUNIT_CASE(vfio_mig_test_checksum),
	KUNIT_CASE(vfio_mig_test_wrong_checksum),
	KUNIT_CASE(vfio_mig_test_no_checksum),
	KUNIT_CASE(vfio_mig_test_zero_checksum),
	KUNIT_CASE(vfio_mig_test_checksum_before_hint),
	KUNIT_CASE(vfio_mig_test_checksum_of_skipped_image),
	KUNIT_CASE(vfio_mig_test_checksum_before_skipped),
	KUNIT_CASE(vfio_mig_test_checksum_before_end),
	KUNIT_CASE(vfio_mig_test_checksum_without_image),
	KUNIT_CASE(vfio_mig_test_end),
	KUNIT_CASE(vfio_mig_test_wrong_totals),
	KUNIT_CASE(vfio_mig_test_totals_without_optional),
	KUNIT_CASE(vfio_mig_test_end_without_image),
	KUNIT_CASE(vfio_mig_test_announced_end),
	KUNIT_CASE(vfio_mig_test_end_not_announced),
	KUNIT_CASE_PARAM(vfio_mig_test_behind_end, behind_end_cases_gen_params),
	KUNIT_CASE(vfio_mig_test_byte_behind_end),
	{}
};

static struct kunit_suite small_records_suite = {
	.name = "vfio-mig-small-records",
	.init = parsing_init,
	.test_cases = small_records_cases,
};

kunit_test_suite(small_records_suite);
