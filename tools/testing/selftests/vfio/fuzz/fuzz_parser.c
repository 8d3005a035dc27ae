// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target of libFuzzer: the parser against the reference.
 *
 * An input is 8 bytes of circumstances and a stream. All zero is a device with the most
 * common properties.
 */
#include <string.h>

#include "libfuzzer.h"
#include "outcome.h"

#define CIRCUMSTANCES	8
#define MAX_RECORD	65536

/* Other kinds of images are rare and long ones need long streams: neither is the default. */
static void read_circumstances(const uint8_t *data, struct rules *rules, struct chance *pieces)
{
	uint32_t tags, most, seed;

	memcpy(&tags, data, 4);
	most = data[4] | data[5] << 8;
	seed = data[6] | data[7] << 8;
	rules->known_tags = tags ^ 1;
	rules->max_record = most ?: MAX_RECORD;
	pieces->state = seed;
}

int fuzz_try(const uint8_t *data, size_t size)
{
	static struct outcome expected, seen;
	struct stream stream;
	struct chance pieces;
	struct rules rules;

	if (size < CIRCUMSTANCES)
		return 0;
	read_circumstances(data, &rules, &pieces);
	stream.data = (unsigned char *)data + CIRCUMSTANCES;
	stream.length = size - CIRCUMSTANCES;
	stream.room = stream.length;
	reference_run(&expected, &stream, &rules);
	parser_run(&seen, &stream, &rules, NULL);
	always(outcome_match(&expected, &seen));
	parser_run(&seen, &stream, &rules, &pieces);
	always(outcome_match(&expected, &seen));
	return 0;
}

/* Half of the inputs change as records do, which blind changes rarely manage. */
size_t fuzz_change(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
	struct chance chance = { .state = seed };
	struct stream stream = { .data = data + CIRCUMSTANCES };

	if (size < CIRCUMSTANCES || chance_once_in(&chance, 2))
		return fuzz_change_blindly(data, size, room);
	stream.length = size - CIRCUMSTANCES;
	stream.room = room - CIRCUMSTANCES;
	if (!stream.length)
		stream_make(&stream, &chance);
	else
		stream_damage(&stream, &chance);
	return CIRCUMSTANCES + stream.length;
}
