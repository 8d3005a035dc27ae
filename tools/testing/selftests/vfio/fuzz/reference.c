// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second parser, written from the description of the format alone.
 *
 * The whole stream lies before it, so it needs no state between bytes and says plainly
 * what a stream may look like.
 */
#include <errno.h>
#include <string.h>

#include "outcome.h"

enum {
	TAG_HINT = 1,
	LAST_IMAGE_TAG = 31,
	TAG_PREAMBLE = 0x4d494700,
	TAG_CHECKSUM = 0x4d494701,
	TAG_END = 0x4d494702,
};

/**
 * struct reading - where the reference is in a stream
 * @outcome: what it has found
 * @rules: what the device can load
 * @data: the stream
 * @at: offset of the current record
 * @size: bytes of its payload, as it says
 * @flags: its flags
 * @tag: its tag
 * @end_announced: the preamble says that there is an end record
 * @end_seen: there was one
 * @sum_pending: a checksum waits for its image
 * @sum: that checksum
 */
struct reading {
	struct outcome *outcome;
	const struct rules *rules;
	const unsigned char *data;
	size_t at;
	uint64_t size;
	uint64_t flags;
	uint64_t tag;
	bool end_announced;
	bool end_seen;
	bool sum_pending;
	uint64_t sum;
};

static uint64_t little(const unsigned char *bytes, unsigned int count)
{
	uint64_t number = 0;

	while (count--)
		number = number * 256 + bytes[count];
	return number;
}

static bool is_loadable(const struct reading *in)
{
	return in->tag <= LAST_IMAGE_TAG && in->tag != TAG_HINT &&
	       in->rules->known_tags >> in->tag & 1;
}

/* What can be said before the payload is there. */
static int judge_header(const struct reading *in)
{
	if (in->flags > 1 || in->end_seen)
		return -EBADMSG;
	if (in->tag == TAG_PREAMBLE)
		return in->at || in->size < 88 ? -EBADMSG : 0;
	if (in->tag == TAG_HINT)
		return in->size != 8 ? -EBADMSG : 0;
	if (in->tag == TAG_CHECKSUM)
		return in->size != 4 ? -EBADMSG : 0;
	if (in->tag == TAG_END)
		return in->size != 16 ? -EBADMSG : 0;
	if (!is_loadable(in))
		return in->flags ? 0 : -EOPNOTSUPP;
	if (in->size == 0)
		return -EBADMSG;
	return in->size > in->rules->max_record ? -EMSGSIZE : 0;
}

static int take_preamble(struct reading *in, const unsigned char *payload, uint64_t at)
{
	if (little(payload, 4) != 1 || little(payload + 4, 4) > 1)
		return -EOPNOTSUPP;
	if (little(payload + 12, 4) || !memchr(payload + 16, 0, 32) ||
	    !memchr(payload + 48, 0, 32))
		return -EBADMSG;
	in->end_announced = payload[4];
	outcome_add(in->outcome, EVENT_GREETED, 0, at, stream_crc32c(payload, 88));
	return 0;
}

static int take_end(struct reading *in, const unsigned char *payload)
{
	in->end_seen = true;
	return !in->sum_pending && little(payload, 8) == in->outcome->images &&
	       little(payload + 8, 8) == in->outcome->bytes ? 0 : -EBADMSG;
}

static int take_image(struct reading *in, const unsigned char *payload, uint64_t at)
{
	uint32_t sum = stream_crc32c(payload, in->size);
	bool wrong = in->sum_pending && in->sum != sum;

	in->sum_pending = false;
	if (!in->flags) {
		in->outcome->images++;
		in->outcome->bytes += in->size;
	}
	outcome_add(in->outcome, EVENT_COMPLETE, in->tag, at, sum);
	return wrong ? -EBADMSG : 0;
}

static int take_payload(struct reading *in, const unsigned char *payload, uint64_t at)
{
	switch (in->tag) {
	case TAG_PREAMBLE:
		return take_preamble(in, payload, at);
	case TAG_HINT:
		outcome_add(in->outcome, EVENT_HINTED, 0, at, little(payload, 8));
		return 0;
	case TAG_CHECKSUM:
		in->sum_pending = true;
		in->sum = little(payload, 4);
		return 0;
	case TAG_END:
		return take_end(in, payload);
	}
	if (is_loadable(in))
		return take_image(in, payload, at);
	if (in->tag <= LAST_IMAGE_TAG)
		in->sum_pending = false;
	return 0;
}

/* The record at the current offset. Returns whether another one may follow. */
static bool take_record(struct reading *in, size_t left)
{
	const unsigned char *header = in->data + in->at;

	if (left < 16)
		return false;
	in->size = little(header, 8);
	in->flags = little(header + 8, 4);
	in->tag = little(header + 12, 4);
	in->outcome->at = in->at + 16;
	in->outcome->error = judge_header(in);
	if (in->outcome->error || left - 16 < in->size)
		return false;
	in->outcome->at += in->size;
	in->outcome->error = take_payload(in, header + 16, in->outcome->at);
	if (in->outcome->error)
		return false;
	in->at = in->outcome->at;
	return true;
}

void reference_run(struct outcome *outcome, const struct stream *stream,
		   const struct rules *rules)
{
	struct reading in = { .outcome = outcome, .rules = rules, .data = stream->data };
	bool cut;

	outcome->error = 0;
	outcome->images = 0;
	outcome->bytes = 0;
	outcome->count = 0;
	outcome->end = 0;
	while (take_record(&in, stream->length - in.at))
		;
	if (outcome->error)
		return;
	cut = in.at != stream->length;
	outcome->at = stream->length;
	if (cut || !outcome->images || in.sum_pending || (in.end_announced && !in.end_seen))
		outcome->end = -EBADMSG;
}
