// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile and broken data on the FD of RESUMING. It is refused at the write() that
 * completes the offence, at the latest when RESUMING ends, and never costs more than a
 * reset: after each test a complete migration still works.
 */
#include <errno.h>

#include "harness.h"
#include "memory.h"
#include "pair.h"

#define BULK_SIZE	50000
#define UNKNOWN_TAG	0x7f000001
#define GIB		(1UL << 30)

/* A target in RESUMING, and data that a source delivered. */
struct loading {
	struct pair pair;
	struct blob good;
	int fd;
};

FIXTURE(stream)
{
	struct loading loading;
};

FIXTURE_SETUP(stream)
{
	struct pair *pair = &self->loading.pair;

	pair_open(pair, &our_pair);
	sim_bulk_fill(pair->source.address, BULK_SIZE, 11);
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 5);
	mig_save(&pair->source, &self->loading.good, MIB);
	self->loading.fd = mig_begin(&pair->target, STATE_RESUMING);
}

/* Ends each test: the device is as good as before. */
static void expect_good_migration(struct __test_metadata *_metadata,
				  struct loading *loading)
{
	struct pair *pair = &loading->pair;
	uint64_t next = engine_next(&pair->from);

	close(loading->fd);
	vfio_reset(&pair->target);
	ASSERT_EQ(STATE_RUNNING, mig_state(&pair->target));
	engine_clear_ring(&pair->to);
	ASSERT_EQ(0, __mig_load(&pair->target, &loading->good, 32768));
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, BULK_SIZE, 11));
	vfio_bus_master(&pair->target, true);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	engine_progress(&pair->to, 5);
	engine_stop(&pair->to);
	EXPECT_TRUE(engine_ring_holds(&pair->to, next, engine_next(&pair->to)));
}

FIXTURE_TEARDOWN_PARENT(stream)
{
	sim_teardown(_metadata->exit_code);
}

static int load(struct loading *loading, const struct blob *blob)
{
	return __stream_write(loading->fd, blob->data, blob->length, 4096);
}

/* What was written is no complete state: only a reset leaves RESUMING. */
static void expect_stuck(struct __test_metadata *_metadata, struct loading *loading,
			 int error)
{
	struct vfio_device *target = &loading->pair.target;
	int seen = __mig_set_state(target, STATE_STOP, NULL);

	if (error)
		EXPECT_EQ(error, seen);
	EXPECT_GT(0, seen);
	EXPECT_EQ(STATE_RESUMING, mig_state(target));
	EXPECT_GT(0, __mig_set_state(target, STATE_RUNNING, NULL));
	EXPECT_EQ(STATE_RESUMING, mig_state(target));
}

static void restart(struct __test_metadata *_metadata, struct loading *loading)
{
	close(loading->fd);
	vfio_reset(&loading->pair.target);
	EXPECT_EQ(STATE_RUNNING, mig_state(&loading->pair.target));
	loading->fd = mig_begin(&loading->pair.target, STATE_RESUMING);
}

/* The writer sees the error once; then the session is over for good. */
static void expect_refused(struct __test_metadata *_metadata, struct loading *loading,
			   const struct blob *blob, int error)
{
	int seen = load(loading, blob);

	EXPECT_EQ(error, seen) TH_LOG("%s", strerror(-seen));
	EXPECT_GT(0, __stream_write(loading->fd, loading->good.data, loading->good.length, 4096));
	expect_stuck(_metadata, loading, 0);
}

/* No data are not a state. */
TEST_F(stream, nothing_written)
{
	EXPECT_EQ(0, write(self->loading.fd, "", 0));
	expect_stuck(_metadata, &self->loading, -EBADMSG);
	expect_good_migration(_metadata, &self->loading);
}

/* A session that was given up before anything came through changed nothing. */
TEST_F(stream, nothing_written_and_closed)
{
	close(self->loading.fd);
	mig_set_state(&self->loading.pair.target, STATE_STOP, NULL);
	mig_set_state(&self->loading.pair.target, STATE_RUNNING, NULL);
	self->loading.fd = mig_begin(&self->loading.pair.target, STATE_RESUMING);
	expect_good_migration(_metadata, &self->loading);
}

TEST_F(stream, garbage)
{
	struct blob blob = { 0 };
	unsigned int i, seed = 1;

	for (i = 0; i < 4; i++) {
		unsigned char noise[4096];
		unsigned int at;

		for (at = 0; at < sizeof(noise); at++)
			noise[at] = i ? rand_r(&seed) : 0xff;
		blob.length = 0;
		blob_append(&blob, noise, sizeof(noise));
		EXPECT_GT(0, load(&self->loading, &blob));
		expect_stuck(_metadata, &self->loading, 0);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

TEST_F_TIMEOUT(stream, truncated, 90)
{
	long image = blob_find_image(&self->loading.good, 0);
	size_t cuts[] = {
		1, 8, 15, image + 1, image + 15, image + 16, image + 17,
		image + 16 + 64, image + 16 + BULK_SIZE / 2, self->loading.good.length - 1,
	};
	unsigned int i;

	ASSERT_LE(0, image);
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		stream_write(self->loading.fd, self->loading.good.data, cuts[i], 4096);
		expect_stuck(_metadata, &self->loading, -EBADMSG);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

/* Only what is optional arrived, and no state. */
TEST_F(stream, no_image)
{
	long image = blob_find_image(&self->loading.good, 0);

	if (image <= 0) {
		struct blob blob = { 0 };

		blob_header(&blob, 4, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG);
		blob_append(&blob, "junk", 4);
		ASSERT_EQ(0, load(&self->loading, &blob));
	} else {
		stream_write(self->loading.fd, self->loading.good.data, image, 4096);
	}
	expect_stuck(_metadata, &self->loading, 0);
	expect_good_migration(_metadata, &self->loading);
}

TEST_F(stream, unknown_mandatory_tag)
{
	struct blob blob = { 0 };

	blob_header(&blob, 4, 0, UNKNOWN_TAG);
	blob_append(&blob, "junk", 4);
	expect_refused(_metadata, &self->loading, &blob, -EOPNOTSUPP);
	expect_good_migration(_metadata, &self->loading);
}

static size_t next_record(const struct blob *blob, size_t header)
{
	return header + sizeof(struct vfio_mig_record_header) + blob_record_size(blob, header);
}

static size_t last_record(const struct blob *blob)
{
	size_t header = 0;

	while (next_record(blob, header) < blob->length)
		header = next_record(blob, header);
	return header;
}

TEST_F(stream, unknown_optional_tag)
{
	const struct blob *good = &self->loading.good;
	size_t first = next_record(good, 0);
	size_t last = last_record(good);
	static char junk[100000];
	struct blob blob = { 0 };
	unsigned int i;

	/* of any size, between the first record and the last, which have their places */
	blob_append(&blob, good->data, first);
	for (i = 0; i < 4; i++) {
		static const unsigned int sizes[] = { 0, 1, 4097, sizeof(junk) };

		blob_header(&blob, sizes[i], VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG + i);
		blob_append(&blob, junk, sizes[i]);
	}
	blob_append(&blob, good->data + first, last - first);
	blob_header(&blob, 5, VFIO_MIG_RECORD_OPTIONAL, ~0U);
	blob_append(&blob, junk, 5);
	blob_append(&blob, good->data + last, good->length - last);
	EXPECT_EQ(0, load(&self->loading, &blob));
	EXPECT_EQ(0, __mig_set_state(&self->loading.pair.target, STATE_STOP, NULL));
	EXPECT_TRUE(sim_bulk_matches(self->loading.pair.target.address, BULK_SIZE, 11));
	expect_good_migration(_metadata, &self->loading);
}

TEST_F_TIMEOUT(stream, undefined_flags, 60)
{
	static const uint32_t flags[] = { 0x2, 0x80000000, 0x100, ~0U, ~1U };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct blob blob = { 0 };

		blob_header(&blob, 8, flags[i], UNKNOWN_TAG);
		blob_append(&blob, "12345678", 8);
		expect_refused(_metadata, &self->loading, &blob, -EBADMSG);
		blob_free(&blob);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

TEST_F(stream, empty_image)
{
	struct blob blob = { 0 };

	blob_header(&blob, 0, 0, VFIO_MIG_TAG_IMAGE);
	expect_refused(_metadata, &self->loading, &blob, -EBADMSG);
	expect_good_migration(_metadata, &self->loading);
}

TEST_F_TIMEOUT(stream, oversized_claims, 60)
{
	static const uint64_t sizes[] = {
		1ULL << 32, (1ULL << 32) + 1, 1ULL << 62, 1ULL << 63, ~0ULL - 15, ~0ULL,
	};
	uint64_t before = memory_available();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct blob blob = { 0 };

		blob_header(&blob, sizes[i], 0, VFIO_MIG_TAG_IMAGE);
		blob_append(&blob, "12345678", 8);
		expect_refused(_metadata, &self->loading, &blob, -EMSGSIZE);
		blob_free(&blob);
		restart(_metadata, &self->loading);
	}
	EXPECT_GT(32L << 20, (long)(before - memory_available()));
	expect_good_migration(_metadata, &self->loading);
}

/* A claim that could be true costs memory only as bytes arrive. */
TEST_F(stream, claims_allocate_nothing)
{
	uint64_t before = memory_available();
	struct blob blob = { 0 };
	char payload[100] = "";

	blob_header(&blob, GIB, 0, VFIO_MIG_TAG_IMAGE);
	blob_append(&blob, payload, sizeof(payload));
	EXPECT_EQ(0, load(&self->loading, &blob));
	EXPECT_GT(32L << 20, (long)(before - memory_available()));
	expect_stuck(_metadata, &self->loading, -EBADMSG);
	EXPECT_GT(32L << 20, (long)(before - memory_available()));
	expect_good_migration(_metadata, &self->loading);
}

/* Nor do a hint and what is skipped. */
TEST_F(stream, hints_allocate_nothing)
{
	static const uint64_t hints[] = { 0, GIB, 1ULL << 63, ~0ULL };
	uint64_t before = memory_available();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hints); i++) {
		struct blob blob = { 0 };

		blob_header(&blob, 8, VFIO_MIG_RECORD_OPTIONAL, VFIO_MIG_TAG_STOP_COPY_SIZE);
		blob_append(&blob, &hints[i], 8);
		EXPECT_EQ(0, load(&self->loading, &blob))
			TH_LOG("hint %u", i);
		EXPECT_GT(32L << 20, (long)(before - memory_available()));
		blob_free(&blob);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

TEST_F(stream, endless_optional_record)
{
	uint64_t before = memory_available();
	struct blob blob = { 0 };
	unsigned int i;

	blob_header(&blob, ~0ULL, VFIO_MIG_RECORD_OPTIONAL, UNKNOWN_TAG);
	for (i = 0; i < 16; i++) {
		static char junk[MIB];

		blob_append(&blob, junk, sizeof(junk));
	}
	load(&self->loading, &blob);
	EXPECT_GT(8L << 20, (long)(before - memory_available()) - (long)blob.room);
	expect_stuck(_metadata, &self->loading, 0);
	expect_good_migration(_metadata, &self->loading);
}

/* A record of the right kind and the wrong size. */
TEST_F_TIMEOUT(stream, wrong_hint_size, 60)
{
	static const uint64_t sizes[] = { 0, 1, 7, 9, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct blob blob = { 0 };
		char payload[4096] = "";

		blob_header(&blob, sizes[i], VFIO_MIG_RECORD_OPTIONAL,
			    VFIO_MIG_TAG_STOP_COPY_SIZE);
		blob_append(&blob, payload, sizes[i]);
		expect_refused(_metadata, &self->loading, &blob, -EBADMSG);
		blob_free(&blob);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

/* The firmware refuses the image; the writer of its last byte learns it. */
TEST_F_TIMEOUT(stream, corrupt_image, 90)
{
	long image = blob_find_image(&self->loading.good, 0);
	size_t size = blob_record_size(&self->loading.good, image);
	size_t at[] = { 0, 1, 4, 8, 12, 16, 24, 32, 63, 64, 100, size / 2, size - 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct blob blob;
		int error;

		blob_copy(&blob, &self->loading.good);
		blob.data[image + 16 + at[i]] ^= 0x10;
		error = load(&self->loading, &blob);
		EXPECT_EQ(-EINVAL, error) TH_LOG("byte %zu", at[i]);
		expect_stuck(_metadata, &self->loading, 0);
		blob_free(&blob);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

/* An image that says it is longer or shorter than it is. */
TEST_F(stream, wrong_image_size)
{
	static const int differences[] = { -1, -8, 8 };
	long image = blob_find_image(&self->loading.good, 0);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct blob blob = { 0 };
		uint64_t size = blob_record_size(&self->loading.good, image) + differences[i];

		blob_header(&blob, size, 0, VFIO_MIG_TAG_IMAGE);
		blob_append(&blob, self->loading.good.data + image + 16, size - 8);
		blob_append(&blob, "12345678", 8);
		EXPECT_EQ(-EINVAL, load(&self->loading, &blob));
		expect_stuck(_metadata, &self->loading, 0);
		blob_free(&blob);
		restart(_metadata, &self->loading);
	}
	expect_good_migration(_metadata, &self->loading);
}

TEST_F(stream, image_twice)
{
	struct blob blob;

	/* the second begins anew: accepted or refused, but not mixed up */
	blob_copy(&blob, &self->loading.good);
	blob_append(&blob, self->loading.good.data, self->loading.good.length);
	if (!load(&self->loading, &blob)) {
		EXPECT_EQ(0, __mig_set_state(&self->loading.pair.target, STATE_STOP, NULL));
		EXPECT_TRUE(sim_bulk_matches(self->loading.pair.target.address, BULK_SIZE, 11));
	} else {
		expect_stuck(_metadata, &self->loading, 0);
	}
	expect_good_migration(_metadata, &self->loading);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
