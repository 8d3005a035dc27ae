// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's parser, compiled for user space, against a second one, with hostile streams
 * from a generator whose seed is printed and can be given (VFIO_MIG_SEED). Needs no device.
 */
#include "fuzz/outcome.h"
#include "harness.h"

#define STREAMS		100000

TEST(parser_agrees_with_a_second_one)
{
	static const struct rules small = { .max_record = 256, .known_tags = 1 };
	static struct outcome expected, seen;
	static unsigned char data[4096];
	struct stream stream = { .data = data, .room = sizeof(data) };
	unsigned int number, refused = 0, cut = 0;
	uint64_t seed = chance_seed();

	TH_LOG("VFIO_MIG_SEED=%llu", (unsigned long long)seed);
	for (number = 0; number < STREAMS; number++) {
		struct chance chance = chance_of(seed, number);

		stream_make(&stream, &chance);
		stream_damage(&stream, &chance);
		reference_run(&expected, &stream, &small);
		parser_run(&seen, &stream, &small, &chance);
		ASSERT_TRUE(outcome_match(&expected, &seen))
			TH_LOG("stream %u", number);
		refused += !!seen.error;
		cut += !seen.error && seen.end;
	}
	TH_LOG("%u streams through the parser in user space: %u refused, %u incomplete, %u fine",
	       STREAMS, refused, cut, STREAMS - refused - cut);
	/* all kinds of ends are there in numbers */
	EXPECT_LT(STREAMS / 4, refused);
	EXPECT_LT(STREAMS / 100, cut);
	EXPECT_LT(STREAMS / 100, STREAMS - refused - cut);
}

TEST_HARNESS_MAIN
