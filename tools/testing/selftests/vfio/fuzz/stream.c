// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generator of valid and of damaged streams.
 *
 * It takes a stream for what it claims to be and never looks behind its end: what it
 * damages may have been damaged before.
 */
#include <endian.h>
#include <linux/vfio_mig.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "stream.h"

#define HEADER		sizeof(struct vfio_mig_record_header)
#define MAX_IMAGE	256

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

uint64_t chance_seed(void)
{
	const char *given = getenv("VFIO_MIG_SEED");
	uint32_t seed;

	if (given)
		return strtoull(given, NULL, 0);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();
	return seed;
}

struct chance chance_of(uint64_t seed, uint64_t number)
{
	struct chance chance = { .state = seed };

	chance.state = chance_next(&chance) + number;
	return chance;
}

uint64_t chance_next(struct chance *chance)
{
	uint64_t mixed = chance->state += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed ^ mixed >> 31;
}

uint64_t chance_below(struct chance *chance, uint64_t limit)
{
	return chance_next(chance) % limit;
}

bool chance_once_in(struct chance *chance, uint64_t times)
{
	return !chance_below(chance, times);
}

/* The reflected polynomial of CRC-32C. */
#define POLYNOMIAL 0x82f63b78

uint32_t stream_crc32c(const void *data, size_t length)
{
	const unsigned char *byte = data;
	uint32_t crc = ~0U;
	unsigned int bit;

	for (; length; byte++, length--) {
		crc ^= *byte;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return ~crc;
}

/* Makes room for @length bytes at @at and copies @data there, as far as all that fits. */
static void insert(struct stream *stream, size_t at, const void *data, size_t length)
{
	size_t end = stream->length + length;

	if (end > stream->room)
		return;
	memmove(stream->data + at + length, stream->data + at, stream->length - at);
	memcpy(stream->data + at, data, length);
	stream->length = end;
}

static void drop(struct stream *stream, size_t at, size_t length)
{
	stream->length -= length;
	memmove(stream->data + at, stream->data + at + length, stream->length - at);
}

static void insert_record(struct stream *stream, size_t at, uint32_t flags, uint32_t tag,
			  const void *payload, size_t size)
{
	struct vfio_mig_record_header header = {
		.size = htole64(size),
		.flags = htole32(flags),
		.tag = htole32(tag),
	};
	unsigned char record[HEADER + MAX_IMAGE];

	memcpy(record, &header, HEADER);
	memcpy(record + HEADER, payload, size);
	insert(stream, at, record, HEADER + size);
}

static void append_record(struct stream *stream, uint32_t flags, uint32_t tag,
			  const void *payload, size_t size)
{
	insert_record(stream, stream->length, flags, tag, payload, size);
}

static void append_preamble(struct stream *stream, uint32_t flags)
{
	struct vfio_mig_preamble preamble = {
		.version = htole32(VFIO_MIG_FORMAT_VERSION),
		.flags = htole32(flags),
		.vendor = htole16(0x15b3),
		.device = htole16(0x101e),
		.driver = "driver",
		.firmware = "1.2.3",
		.capabilities = htole64(5),
	};

	append_record(stream, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_PREAMBLE, &preamble,
		      sizeof(preamble));
}

static size_t fill(unsigned char *bytes, size_t most, struct chance *chance)
{
	size_t i, size = chance_once_in(chance, 4) ? 1 + chance_below(chance, most) :
			 1 + chance_below(chance, 16);

	for (i = 0; i < size; i++)
		bytes[i] = chance_next(chance);
	return size;
}

void stream_make(struct stream *stream, struct chance *chance)
{
	bool greets = !chance_once_in(chance, 3), sums = chance_once_in(chance, 2);
	unsigned int images = 1 + chance_below(chance, 4);
	unsigned char payload[MAX_IMAGE] = { 0 };
	struct vfio_mig_checksum checksum = { 0 };
	struct vfio_mig_end end = { 0 };
	__le64 hint = htole64(MAX_IMAGE);

	stream->length = 0;
	if (greets)
		append_preamble(stream, VFIO_MIG_PREAMBLE_END);
	if (chance_once_in(chance, 2))
		append_record(stream, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_STOP_COPY_SIZE,
			      &hint, sizeof(hint));
	while (images--) {
		if (sums)
			append_record(stream, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_CHECKSUM,
				      &checksum, sizeof(checksum));
		append_record(stream, 0, VFIO_MIG_TAG_IMAGE, payload,
			      fill(payload, MAX_IMAGE, chance));
		if (chance_once_in(chance, 8))
			append_record(stream, VFIO_MIG_RECORD_OPTIONAL, 0x7f000001, payload,
				      chance_below(chance, 32));
	}
	if (greets)
		append_record(stream, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_END, &end,
			      sizeof(end));
	stream_mend(stream);
}

/* A record as it stands in a stream; @size is what is left of the payload. */
struct record {
	size_t at;
	uint32_t flags;
	uint32_t tag;
	size_t size;
};

static bool read_record(const struct stream *stream, size_t at, struct record *record)
{
	struct vfio_mig_record_header header;
	uint64_t size;

	if (stream->length < HEADER || at > stream->length - HEADER)
		return false;
	memcpy(&header, stream->data + at, HEADER);
	size = le64toh(header.size);
	record->at = at;
	record->flags = le32toh(header.flags);
	record->tag = le32toh(header.tag);
	record->size = stream->length - at - HEADER;
	if (size < record->size)
		record->size = size;
	return true;
}

static size_t record_end(const struct record *record)
{
	return record->at + HEADER + record->size;
}

/* One of the records; false if there is none. */
static bool choose_record(const struct stream *stream, struct chance *chance,
			  struct record *chosen)
{
	struct record record;
	unsigned int seen = 0;
	size_t at = 0;

	while (read_record(stream, at, &record)) {
		if (chance_once_in(chance, ++seen))
			*chosen = record;
		at = record_end(&record);
	}
	return seen;
}

void stream_mend(struct stream *stream)
{
	struct vfio_mig_checksum checksum;
	struct vfio_mig_end end;
	uint64_t images = 0, bytes = 0;
	struct record record;
	size_t at = 0, sum_at = 0;

	for (; read_record(stream, at, &record); at = record_end(&record)) {
		unsigned char *payload = stream->data + at + HEADER;

		if (record.tag == VFIO_MIG_TAG_CHECKSUM && record.size == sizeof(checksum)) {
			sum_at = at + HEADER;
		} else if (record.tag == VFIO_MIG_TAG_IMAGE) {
			images += !record.flags;
			bytes += record.flags ? 0 : record.size;
			checksum.crc32c = htole32(stream_crc32c(payload, record.size));
			if (sum_at)
				memcpy(stream->data + sum_at, &checksum, sizeof(checksum));
			sum_at = 0;
		} else if (record.tag == VFIO_MIG_TAG_END && record.size == sizeof(end)) {
			end.images = htole64(images);
			end.bytes = htole64(bytes);
			memcpy(payload, &end, sizeof(end));
		}
	}
}

static void flip_bit(struct stream *stream, size_t at, size_t length, struct chance *chance)
{
	if (length)
		stream->data[at + chance_below(chance, length)] ^= 1 << chance_below(chance, 8);
}

static void put_size(struct stream *stream, const struct record *record, struct chance *chance)
{
	static const uint64_t sizes[] = {
		0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 87, 88, 89, 255, 256, 257, 65535, 65536,
		65537, 1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL - 16, ~0ULL - 15, ~0ULL,
	};
	__le64 size = htole64(sizes[chance_below(chance, ARRAY_SIZE(sizes))]);

	if (chance_once_in(chance, 4))
		size = htole64(record->size + chance_below(chance, 3) - 1);
	memcpy(stream->data + record->at, &size, sizeof(size));
}

static void put_flags(struct stream *stream, const struct record *record, struct chance *chance)
{
	__le32 flags = htole32(chance_once_in(chance, 2) ? chance_below(chance, 4) :
			       1U << chance_below(chance, 32));

	memcpy(stream->data + record->at + 8, &flags, sizeof(flags));
}

static uint32_t some_tag(struct chance *chance)
{
	static const uint32_t tags[] = {
		0, 1, 2, 3, 31, 32, 33, 64, 0x4d4946ff, VFIO_MIG_TAG_PREAMBLE,
		VFIO_MIG_TAG_CHECKSUM, VFIO_MIG_TAG_END, 0x4d494703, 0x7f000001, ~0U,
	};

	return tags[chance_below(chance, ARRAY_SIZE(tags))];
}

static void put_tag(struct stream *stream, const struct record *record, struct chance *chance)
{
	__le32 tag = htole32(some_tag(chance));

	memcpy(stream->data + record->at + 12, &tag, sizeof(tag));
}

static void put_number(struct stream *stream, const struct record *record, struct chance *chance)
{
	static const unsigned char numbers[] = { 0, 1, 2, 0x7f, 0x80, 0xff };
	size_t most = record->size < 88 ? record->size : 88;

	if (most)
		stream->data[record->at + HEADER + chance_below(chance, most)] =
			numbers[chance_below(chance, ARRAY_SIZE(numbers))];
}

static void insert_some(struct stream *stream, const struct record *record,
			struct chance *chance)
{
	unsigned char payload[MAX_IMAGE] = { 0 };
	size_t size = chance_once_in(chance, 3) ? 0 : fill(payload, 128, chance);

	insert_record(stream, record->at, chance_below(chance, 2), some_tag(chance), payload,
		      size);
}

/* Copies a record to where another one begins, or to the end; @moves: it is not left behind. */
static void repeat_record(struct stream *stream, const struct record *record, bool moves,
			  struct chance *chance)
{
	size_t length = HEADER + record->size;
	unsigned char *copy = malloc(length);
	struct record other = { 0 };

	if (!copy)
		abort();
	memcpy(copy, stream->data + record->at, length);
	if (moves)
		drop(stream, record->at, length);
	choose_record(stream, chance, &other);
	insert(stream, chance_once_in(chance, 4) ? stream->length : other.at, copy, length);
	free(copy);
}

static void damage_record(struct stream *stream, const struct record *record,
			  struct chance *chance)
{
	switch (chance_below(chance, 9)) {
	case 0:
		return put_size(stream, record, chance);
	case 1:
		return put_flags(stream, record, chance);
	case 2:
		return put_tag(stream, record, chance);
	case 3:
		return put_number(stream, record, chance);
	case 4:
		return insert_some(stream, record, chance);
	case 5:
		return repeat_record(stream, record, false, chance);
	case 6:
		return repeat_record(stream, record, true, chance);
	case 7:
		return drop(stream, record->at, HEADER + record->size);
	default:
		return flip_bit(stream, record->at, HEADER, chance);
	}
}

/* Damage that knows nothing of records. */
static void damage_bytes(struct stream *stream, struct chance *chance)
{
	unsigned char noise[32];
	size_t at = chance_below(chance, stream->length);

	switch (chance_below(chance, 4)) {
	case 0:
		stream->length = at;
		return;
	case 1:
		return insert(stream, at, noise, fill(noise, sizeof(noise), chance));
	case 2:
		return drop(stream, at, 1 + chance_below(chance, stream->length - at));
	default:
		return flip_bit(stream, 0, stream->length, chance);
	}
}

void stream_damage(struct stream *stream, struct chance *chance)
{
	unsigned int places = 1 + chance_below(chance, 4);
	struct record record;

	while (places-- && stream->length) {
		if (chance_once_in(chance, 4) || !choose_record(stream, chance, &record))
			damage_bytes(stream, chance);
		else
			damage_record(stream, &record, chance);
	}
	if (chance_once_in(chance, 2))
		stream_mend(stream);
}
