/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a parser makes of a stream, told by the parser under test and by a second one that
 * shares no line with it.
 */
#ifndef FUZZ_OUTCOME_H
#define FUZZ_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

#define MAX_EVENTS 4096

enum event_kind {
	EVENT_GREETED,
	EVENT_HINTED,
	EVENT_COMPLETE,
};

/**
 * struct event - something that the bytes so far have completed
 * @kind: what
 * @tag: of an image
 * @at: number of bytes so far
 * @value: the hint, or the checksum of the preamble or image
 */
struct event {
	enum event_kind kind;
	uint32_t tag;
	uint64_t at;
	uint64_t value;
};

/**
 * struct outcome - what became of a stream
 * @error: 0, or why it was refused
 * @at: number of bytes until then; all of them if it was not refused
 * @end: 0 if it may end there, or why not
 * @images: complete images that are not optional
 * @bytes: bytes of them
 * @count: number of @events
 * @events: in the order of the stream
 */
struct outcome {
	int error;
	uint64_t at;
	int end;
	uint64_t images;
	uint64_t bytes;
	unsigned int count;
	struct event events[MAX_EVENTS];
};

/**
 * struct rules - what a device can load
 * @max_record: largest image
 * @known_tags: a bit for each kind of image
 */
struct rules {
	uint64_t max_record;
	uint32_t known_tags;
};

/* Ends the program unless something holds that must always hold. */
#define always(condition)	always_or_end((condition), #condition, __FILE__, __LINE__)
void always_or_end(bool holds, const char *condition, const char *file, int line);

void outcome_add(struct outcome *outcome, enum event_kind kind, uint32_t tag, uint64_t at,
		 uint64_t value);
/* Whether both are the same; prints the first difference. */
bool outcome_match(const struct outcome *expected, const struct outcome *seen);

/* The second parser: slow, and for streams that are complete in memory. */
void reference_run(struct outcome *outcome, const struct stream *stream,
		   const struct rules *rules);

/*
 * The parser under test, with its bytes in pieces whose sizes follow from @pieces; NULL:
 * in one piece. What it asks for on the way is checked.
 */
void parser_run(struct outcome *outcome, const struct stream *stream,
		const struct rules *rules, struct chance *pieces);

#endif /* FUZZ_OUTCOME_H */
