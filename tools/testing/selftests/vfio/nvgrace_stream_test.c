// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration data of a GPU that nobody has saved like that: what makes no sense is refused by
 * the write that completes it, nothing is written behind the memory, and the device can be
 * used after a reset.
 */
#include <stdio.h>

#include "harness.h"
#include "gpu_move.h"

/* The last block is a short one. */
#define BLOCKS		5
#define MEMORY		(4 * BLOCK + SHORT_BLOCK)
#define SEED		3

FIXTURE(stream)
{
	struct gpu_host host;
	struct vfio_device source;
	struct vfio_device target;
	struct blob good;
	struct blob blob;
};

FIXTURE_SETUP(stream)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL, .memory_size = MEMORY, .driver = DRIVER_NVGRACE,
	};
	const struct gpu_config configs[] = { config, config };

	gpu_enable_migration(true);
	gpu_get(&self->host, configs, 2);
	nvgrace_open(&self->source, self->host.gpu[0]);
	nvgrace_open(&self->target, self->host.gpu[1]);
	gpu_fill(self->source.address, 0, MEMORY, SEED);
	gpu_sleep(&self->source);
	mig_save(&self->source, &self->good, MIB);
	blob_copy(&self->blob, &self->good);
}

FIXTURE_TEARDOWN_PARENT(stream)
{
	sim_teardown(_metadata->exit_code);
}

/* Writes all of it to a fresh device. Returns what that gives, or what leaving RESUMING gives. */
static int load(struct vfio_device *dev, const struct blob *blob)
{
	int fd = mig_begin(dev, STATE_RESUMING);
	int error = __stream_write(fd, blob->data, blob->length, MIB);

	if (!error)
		error = __mig_set_state(dev, STATE_STOP, NULL);
	vfio_reset(dev);
	close(fd);
	return error;
}

static void expect_usable(struct __test_metadata *_metadata, struct vfio_device *dev,
			  const struct blob *good)
{
	EXPECT_EQ(0, load(dev, good));
	EXPECT_TRUE(gpu_matches(dev->address, 0, MEMORY, SEED));
}

static unsigned char *payload_of(struct blob *blob, uint32_t tag)
{
	long at = blob_find_tag(blob, 0, tag);

	if (at < 0)
		fail("no record with tag %u", tag);
	return blob->data + at + RECORD_HEADER;
}

/* Numbers in the records, and what another value of them gives */

struct change {
	const char *what;
	uint32_t tag;
	unsigned int offset;
	uint32_t value;
	int error;
};

static const struct change changes[] = {
	{ "version", TAG_LAYOUT, 0, 2, -EOPNOTSUPP },
	{ "block size", TAG_LAYOUT, 4, 4096, -EINVAL },
	{ "memories", TAG_LAYOUT, 8, 2, -EINVAL },
	{ "reserved", TAG_LAYOUT, 12, 1, -EINVAL },
	{ "region", TAG_LAYOUT, 16, 2, -EINVAL },
	{ "reserved of a memory", TAG_LAYOUT, 20, 1, -EINVAL },
	{ "length", TAG_LAYOUT, 24, BLOCKS * BLOCK + 4096, -EINVAL },
	{ "length, high", TAG_LAYOUT, 28, 1, -EINVAL },
	{ "absent memory", TAG_LAYOUT, 40, 4096, -EINVAL },

	{ "memory", TAG_BLOCKS, HEAD_MEMORY, 1, -EINVAL },
	{ "memory, large", TAG_BLOCKS, HEAD_MEMORY, ~0U, -EINVAL },
	{ "first", TAG_BLOCKS, HEAD_FIRST, 1, -EINVAL },
	{ "first, large", TAG_BLOCKS, HEAD_FIRST, ~0U, -EINVAL },
	{ "first, behind the end", TAG_BLOCKS, HEAD_FIRST, BLOCKS, -EINVAL },
	{ "window, empty", TAG_BLOCKS, HEAD_WINDOW, 0, -EINVAL },
	{ "window, behind the end", TAG_BLOCKS, HEAD_WINDOW, BLOCKS + 1, -EINVAL },
	{ "window, large", TAG_BLOCKS, HEAD_WINDOW, ~0U, -EINVAL },
	{ "window, without the last", TAG_BLOCKS, HEAD_WINDOW, BLOCKS - 1, -EBADMSG },
	{ "count, one less", TAG_BLOCKS, HEAD_COUNT, BLOCKS - 1, -EBADMSG },
	{ "count, one more", TAG_BLOCKS, HEAD_COUNT, BLOCKS + 1, -EBADMSG },
	{ "count, more than fit", TAG_BLOCKS, HEAD_COUNT, 128, -EBADMSG },
	{ "count, large", TAG_BLOCKS, HEAD_COUNT, ~0U, -EBADMSG },
	{ "zero and contents", TAG_BLOCKS, HEAD_ZERO, 1, -EBADMSG },
	{ "zero outside", TAG_BLOCKS, HEAD_ZERO, 1 << BLOCKS, -EBADMSG },
	{ "zero outside, last", TAG_BLOCKS, HEAD_ZERO + 124, 1U << 31, -EBADMSG },
	{ "twice", TAG_BLOCKS, HEAD_BLOCK, 2 | 2 << 16, -EBADMSG },
	{ "block outside", TAG_BLOCKS, HEAD_BLOCK, BLOCKS, -EBADMSG },
	{ "block outside, large", TAG_BLOCKS, HEAD_BLOCK, 0xffff, -EBADMSG },
	{ "block without contents", TAG_BLOCKS, HEAD_BLOCK + 252, 1 << 8, -EBADMSG },
	{ "reserved of blocks", TAG_BLOCKS, HEAD_RESERVED, 1 << 16, -EBADMSG },
	{ "reserved of blocks, last", TAG_BLOCKS, HEAD - 4, 1U << 31, -EBADMSG },

	{ "bar of an absent memory", TAG_STATE, 8, 1, -EBADMSG },
};

TEST_F(stream, numbers_that_make_no_sense)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *change = &changes[i];
		unsigned char *number = payload_of(&self->blob, change->tag) + change->offset;
		uint32_t before = get_le32(number);

		ASSERT_NE(before, change->value) TH_LOG("%s", change->what);
		put_le32(number, change->value);
		EXPECT_EQ(change->error, load(&self->target, &self->blob))
			TH_LOG("%s", change->what);
		put_le32(number, before);
	}
	expect_usable(_metadata, &self->target, &self->blob);
}

/* Ends after each record, and inside each. */
TEST_F(stream, truncated)
{
	struct blob part = { 0 };
	size_t at, length, cut;

	for (at = 0; at < self->good.length; at += length) {
		length = RECORD_HEADER + blob_record_size(&self->good, at);
		for (cut = 1; cut <= length; cut += length - 1) {
			if (at + cut == self->good.length)
				continue;
			part.length = 0;
			blob_append(&part, self->good.data, at + cut);
			EXPECT_EQ(-EBADMSG, load(&self->target, &part))
				TH_LOG("%zu bytes", at + cut);
		}
	}
	expect_usable(_metadata, &self->target, &self->good);
	blob_free(&part);
}

/* From here on streams are put together from records, without preamble and end. */

static void append_record(struct blob *to, struct blob *from, uint32_t tag)
{
	long at = blob_find_tag(from, 0, tag);

	if (at < 0)
		fail("no record with tag %u", tag);
	blob_append(to, from->data + at, RECORD_HEADER + blob_record_size(from, at));
}

static void expect_records(struct __test_metadata *_metadata, struct vfio_device *dev,
			   struct blob *good, const uint32_t *tags, unsigned int count,
			   int expected)
{
	struct blob blob = { 0 };
	unsigned int i;

	for (i = 0; i < count; i++)
		append_record(&blob, good, tags[i]);
	EXPECT_EQ(expected, load(dev, &blob))
		TH_LOG("%u records, the first with tag %u", count, tags[0]);
	blob_free(&blob);
}

#define EXPECT_RECORDS(expected, ...) do {						\
	const uint32_t __tags[] = { __VA_ARGS__ };					\
											\
	expect_records(_metadata, &self->target, &self->good, __tags,			\
		       ARRAY_SIZE(__tags), expected);					\
} while (0)

TEST_F(stream, order)
{
	EXPECT_RECORDS(0, TAG_LAYOUT, TAG_BLOCKS, TAG_STATE);
	EXPECT_RECORDS(0, TAG_LAYOUT, TAG_BLOCKS, TAG_BLOCKS, TAG_STATE);
	EXPECT_RECORDS(-EBADMSG, TAG_BLOCKS, TAG_LAYOUT, TAG_STATE);
	EXPECT_RECORDS(-EBADMSG, TAG_STATE);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT, TAG_BLOCKS);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT, TAG_STATE);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT, TAG_LAYOUT, TAG_BLOCKS, TAG_STATE);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT, TAG_BLOCKS, TAG_STATE, TAG_STATE);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT, TAG_BLOCKS, TAG_STATE, TAG_BLOCKS);
	EXPECT_RECORDS(-EBADMSG, TAG_LAYOUT, TAG_BLOCKS, TAG_STATE, TAG_LAYOUT);
	expect_usable(_metadata, &self->target, &self->good);
}

TEST_F(stream, sizes_of_records)
{
	static const struct {
		uint32_t tag;
		uint64_t size;
		int error;
	} records[] = {
		{ TAG_LAYOUT, 47, -EBADMSG },
		{ TAG_LAYOUT, 49, -EBADMSG },
		{ TAG_BLOCKS, 1, -EBADMSG },
		{ TAG_BLOCKS, HEAD - 1, -EBADMSG },
		{ TAG_BLOCKS, HEAD + BLOCKS * BLOCK - 1, -EBADMSG },
		{ TAG_BLOCKS, HEAD + BLOCKS * BLOCK + 1, -EBADMSG },
		{ TAG_BLOCKS, HEAD + 127 * BLOCK + 1, -EMSGSIZE },
		{ TAG_BLOCKS, ~0ULL, -EMSGSIZE },
		{ TAG_STATE, 15, -EBADMSG },
		{ TAG_STATE, 17, -EBADMSG },
		/* an image of the library's own kind, and one that nobody knows */
		{ VFIO_MIG_TAG_IMAGE, 16, -EOPNOTSUPP },
		{ 5, 16, -EOPNOTSUPP },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(records); i++) {
		uint64_t size = records[i].size;
		struct blob blob = { 0 };
		unsigned char *zeroes = calloc(1, 2 * MIB);

		if (records[i].tag == TAG_BLOCKS || records[i].tag == TAG_STATE)
			append_record(&blob, &self->good, TAG_LAYOUT);
		if (records[i].tag == TAG_STATE)
			append_record(&blob, &self->good, TAG_BLOCKS);
		blob_header(&blob, size, 0, records[i].tag);
		if (size < 2 * MIB)
			blob_append(&blob, zeroes, size);
		EXPECT_EQ(records[i].error, load(&self->target, &blob))
			TH_LOG("tag %u, %llu bytes", records[i].tag, (unsigned long long)size);
		blob_free(&blob);
		free(zeroes);
	}
	expect_usable(_metadata, &self->target, &self->good);
}

/* What comes later counts, also zeroes after contents. */
TEST_F(stream, later_records_win)
{
	struct blob blob = { 0 };
	unsigned char head[HEAD] = { 0 };
	unsigned char *contents = malloc(MEMORY);

	append_record(&blob, &self->good, TAG_LAYOUT);
	append_record(&blob, &self->good, TAG_BLOCKS);
	put_le32(head + HEAD_WINDOW, BLOCKS);
	put_le32(head + HEAD_ZERO, 1 << 1 | 1 << (BLOCKS - 1));
	blob_header(&blob, HEAD, 0, TAG_BLOCKS);
	blob_append(&blob, head, HEAD);
	append_record(&blob, &self->good, TAG_STATE);
	EXPECT_EQ(0, load(&self->target, &blob));

	EXPECT_TRUE(gpu_matches(self->target.address, 0, BLOCK, SEED));
	EXPECT_TRUE(gpu_matches(self->target.address, 2 * BLOCK, 2 * BLOCK, SEED));
	gpu_read(self->target.address, 0, contents, MEMORY);
	EXPECT_TRUE(!contents[BLOCK] && !memcmp(contents + BLOCK, contents + BLOCK + 1, BLOCK - 1));
	EXPECT_TRUE(!contents[4 * BLOCK] &&
		    !memcmp(contents + 4 * BLOCK, contents + 4 * BLOCK + 1, SHORT_BLOCK - 1));
	blob_free(&blob);
	free(contents);
}

/* The padding of a short block is not memory. */
TEST_F(stream, padding_is_ignored)
{
	unsigned char *head = payload_of(&self->blob, TAG_BLOCKS);
	unsigned int i;

	for (i = 0; i < BLOCKS; i++) {
		unsigned char *number = head + HEAD_BLOCK + 2 * i;

		if (number[0] == BLOCKS - 1 && !number[1])
			memset(head + HEAD + i * BLOCK + SHORT_BLOCK, 0xee, BLOCK - SHORT_BLOCK);
	}
	/* there is none where pages are as large as blocks */
	EXPECT_EQ(SHORT_BLOCK < BLOCK,
		  !!memcmp(self->blob.data, self->good.data, self->good.length));
	expect_usable(_metadata, &self->target, &self->blob);
}

int main(int argc, char **argv)
{
	return gpu_move_main(argc, argv, test_harness_run);
}
