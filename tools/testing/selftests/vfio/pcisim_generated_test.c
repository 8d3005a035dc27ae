// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bulk state that the simulated adapter generates instead of storing it: what it is
 * made of, how it changes and travels, and that nothing else is taken for it.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "firmware.h"
#include "two.h"

#define PAGE	4096
#define PAGES	48
#define SIZE	(PAGES * PAGE)
/* Of a record with an image that has all pages: where they begin. */
#define IMAGE	16
#define FIRST	(IMAGE + 88 + 8)

FIXTURE(generated)
{
	struct pair pair;
	struct vfio_device *source;
	struct vfio_device *target;
	struct blob blob;
};

static void open_generated(struct pair *pair)
{
	struct sim_config config = our_pair;

	config.generated_size = SIZE;
	pair_open(pair, &config);
	firmware_calm(&pair->sim);
}

FIXTURE_SETUP(generated)
{
	self->source = &self->pair.source;
	self->target = &self->pair.target;
	open_generated(&self->pair);
}

FIXTURE_TEARDOWN_PARENT(generated)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(generated, bytes)
{
	const char *vf = self->source->address;
	unsigned char all[2 * PAGE], part[100];

	EXPECT_TRUE(sim_bulk_versions(vf, "0 48 0"));
	EXPECT_TRUE(sim_bulk_matches(vf, SIZE, 0));
	sim_bulk_change(vf, 0, PAGES, 77);
	EXPECT_TRUE(sim_bulk_matches(vf, SIZE, 77));
	sim_bulk_change(vf, 3, 2, 4000000000U);
	EXPECT_TRUE(sim_bulk_versions(vf, "0 3 77\n3 2 4000000000\n5 43 77"));
	EXPECT_FALSE(sim_bulk_matches(vf, SIZE, 77));
	/* from any byte on, and not beyond the end */
	sim_bulk_read(vf, 2 * PAGE, all, sizeof(all));
	sim_bulk_read(vf, 3 * PAGE - 51, part, sizeof(part));
	EXPECT_EQ(0, memcmp(all + PAGE - 51, part, sizeof(part)));
	EXPECT_EQ(0, __sim_bulk_read(vf, SIZE - 1, part, 1));
	EXPECT_EQ(-ENODATA, __sim_bulk_read(vf, SIZE - 1, part, 2));
}

TEST_F(generated, changes_that_make_no_sense)
{
	static const struct {
		uint64_t first;
		uint64_t pages;
	} cases[] = {
		{ 0, PAGES + 1 }, { PAGES, 1 }, { PAGES + 1, 0 }, { 1, ~0ULL }, { ~0ULL, 1 },
	};
	const char *vf = self->source->address;
	unsigned char byte = 1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_EQ(-EINVAL, __sim_bulk_change(vf, cases[i].first, cases[i].pages, 1))
			TH_LOG("case %u", i);
	EXPECT_EQ(0, __sim_bulk_change(vf, PAGES, 0, 1));
	EXPECT_EQ(-EOPNOTSUPP, __sim_bulk_write(vf, 0, &byte, 1));
	EXPECT_EQ(-EINVAL, __sim_bulk_resize(vf, SIZE + 1));
	EXPECT_TRUE(sim_bulk_versions(vf, "0 48 0"));
}

TEST_F(generated, size)
{
	const char *vf = self->source->address;

	sim_bulk_change(vf, 0, PAGES, 1);
	sim_bulk_resize(vf, SIZE + 2 * PAGE);
	EXPECT_TRUE(sim_bulk_versions(vf, "0 48 1\n48 2 0"));
	sim_bulk_resize(vf, PAGE);
	EXPECT_TRUE(sim_bulk_versions(vf, "0 1 1"));
	sim_bulk_resize(vf, 2 * PAGE);
	EXPECT_TRUE(sim_bulk_versions(vf, "0 1 1\n1 1 0"));
	vfio_reset(self->source);
	EXPECT_TRUE(sim_bulk_versions(vf, "0 48 0"));
	EXPECT_EQ(SIZE, sim_bulk_size(vf));
}

TEST_F(generated, travels)
{
	sim_bulk_change(self->source->address, 0, PAGES, 1);
	sim_bulk_change(self->source->address, 7, 1, 2);
	mig_save(self->source, &self->blob, MIB);
	EXPECT_LT(SIZE, self->blob.length);
	mig_load(self->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_versions(self->target->address, "0 7 1\n7 1 2\n8 40 1"));
}

/* What has changed since, and no more. */
TEST_F(generated, changes_travel)
{
	int fd = mig_begin(self->source, STATE_PRE_COPY);

	EXPECT_LT(SIZE, read_to_pause(_metadata, fd, &self->blob));
	sim_bulk_change(self->source->address, 0, 1, 5);
	sim_bulk_change(self->source->address, 20, 2, 6);
	EXPECT_LT(3 * PAGE, precopy_info(fd).dirty_bytes);
	mig_set_state(self->source, STATE_STOP_COPY, NULL);
	EXPECT_EQ(0, __stream_read(fd, &self->blob, MIB));
	EXPECT_GT(SIZE + 4 * PAGE, self->blob.length);
	close(fd);
	mig_load(self->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_versions(self->target->address,
				      "0 1 5\n1 19 0\n20 2 6\n22 26 0"));
}

/* One byte is enough, wherever it is and whatever the checksum says. */
TEST_F(generated, wrong_bytes)
{
	static const unsigned int at[] = { 0, 4, 7, 8, PAGE, 17 * PAGE + 1234, SIZE - 1 };
	unsigned char *record;
	unsigned int i;

	sim_bulk_change(self->source->address, 0, PAGES, 1);
	mig_save(self->source, &self->blob, MIB);
	record = self->blob.data + blob_find_image(&self->blob, 0);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		record[FIRST + at[i]] ^= 0x10;
		firmware_seal(record + IMAGE);
		EXPECT_EQ(-EINVAL, __mig_load(self->target, &self->blob, MIB))
			TH_LOG("byte %u", at[i]);
		record[FIRST + at[i]] ^= 0x10;
		EXPECT_TRUE(sim_bulk_versions(self->target->address, "0 48 0"));
		vfio_reset(self->target);
	}
	firmware_seal(record + IMAGE);
	mig_load(self->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_versions(self->target->address, "0 48 1"));
}

/* The bytes are those of a state that is stored: to the firmware they are the same. */
TEST_F(generated, or_stored)
{
	struct sim_config config = our_pair;
	struct pair *pair = &self->pair;

	sim_bulk_change(self->source->address, 0, PAGES, 123);
	mig_save(self->source, &self->blob, MIB);
	vfio_close(self->source);
	vfio_close(self->target);
	pair_open(pair, &config);
	mig_load(self->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(self->target->address, SIZE, 123));
	blob_free(&self->blob);
	sim_bulk_fill(self->source->address, SIZE, 124);
	mig_save(self->source, &self->blob, MIB);
	vfio_close(self->source);
	vfio_close(self->target);
	open_generated(pair);
	mig_load(self->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_versions(self->target->address, "0 48 124"));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
