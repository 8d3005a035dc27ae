// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware whose sizes make no sense, and our driver: an error and the old state, or the
 * whole data, and a complete migration afterwards.
 */
#include <errno.h>
#include <poll.h>

#include "harness.h"
#include "firmware.h"

FIXTURE(sizes)
{
	struct pair pair;
};

/* Whether the state comes in chunks. */
FIXTURE_VARIANT(sizes)
{
	bool chunks;
};

FIXTURE_VARIANT_ADD(sizes, chunks)
{
	.chunks = true,
};

FIXTURE_VARIANT_ADD(sizes, whole)
{
	.chunks = false,
};

FIXTURE_SETUP(sizes)
{
	firmware_pair_open(&self->pair, variant->chunks);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
}

FIXTURE_TEARDOWN_PARENT(sizes)
{
	sim_teardown(_metadata->exit_code);
}

/* What a reader gets from a stopped source. */
static int read_all(struct __test_metadata *_metadata, struct vfio_device *dev,
		    struct blob *blob)
{
	int fd = mig_begin(dev, STATE_STOP_COPY);
	int error = __stream_read(fd, blob, MIB);

	EXPECT_EQ(STATE_STOP_COPY, mig_state(dev));
	EXPECT_TRUE(error >= 0 || stream_events(fd) & POLLERR);
	close(fd);
	return error;
}

/* A size that is needed but cannot be. */
TEST_F(sizes, impossible_required_size)
{
	static const uint32_t sizes[] = { 0, 0xffffffff, 0xfffff001 };
	struct vfio_device *dev = &self->pair.source;
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		firmware_wrong(&self->pair.sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REQUIRED,
			       sizes[i]);
		EXPECT_EQ(-EIO, __mig_set_state(dev, STATE_STOP_COPY, NULL))
			TH_LOG("%#x", sizes[i]);
		EXPECT_TRUE(firmware_fault_is_over(&self->pair.sim));
		EXPECT_EQ(STATE_STOP, mig_state(dev));
	}
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

/* The whole state, or an error, but never a part of it that looks like the whole. */
static void expect_whole_or_error(struct __test_metadata *_metadata, struct pair *pair)
{
	struct vfio_device *dev = &pair->source;
	struct blob blob = { 0 };
	int error;
	int fd = -1;

	error = __mig_set_state(dev, STATE_STOP_COPY, &fd);
	EXPECT_TRUE(!error || error == -EIO || error == -ENOMEM) TH_LOG("%d", error);
	EXPECT_TRUE(firmware_fault_is_over(&pair->sim));
	EXPECT_EQ(error ? STATE_STOP : STATE_STOP_COPY, mig_state(dev));
	if (!error) {
		error = __stream_read(fd, &blob, MIB);
		EXPECT_TRUE(error >= 0 || error == -EIO) TH_LOG("%d", error);
		EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
		close(fd);
		if (error >= 0) {
			EXPECT_EQ(0, __mig_load(&pair->target, &blob, MIB));
			EXPECT_TRUE(sim_bulk_matches(pair->target.address, FIRMWARE_BULK, 2));
			mig_set_state(&pair->target, STATE_RUNNING, NULL);
		}
	}
	blob_free(&blob);
}

TEST_F(sizes, wrong_amounts)
{
	static const uint64_t amounts[] = {
		0, 1, 4096, 1ULL << 32, 1ULL << 63, ~0ULL - 1,
	};
	unsigned int i;

	for (i = 0; i < sizeof(amounts) / sizeof(*amounts); i++) {
		firmware_wrong(&self->pair.sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REMAINING,
			       amounts[i]);
		expect_whole_or_error(_metadata, &self->pair);
	}
	/* too small for the image */
	firmware_wrong(&self->pair.sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REQUIRED, 1);
	expect_whole_or_error(_metadata, &self->pair);
	firmware_wrong(&self->pair.sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REQUIRED, 64);
	expect_whole_or_error(_metadata, &self->pair);
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

TEST_F(sizes, wrong_image_size)
{
	static const uint32_t sizes[] = { 0, 1 << 30, 0xffffffff };
	struct vfio_device *dev = &self->pair.source;
	struct blob blob = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		firmware_wrong(&self->pair.sim, SIM_SAVE_VHCA, FIRMWARE_ACTUAL, sizes[i]);
		EXPECT_EQ(-EIO, read_all(_metadata, dev, &blob)) TH_LOG("%#x", sizes[i]);
		EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
	}
	EXPECT_TRUE(firmware_pair_recovers(&self->pair));
}

FIXTURE(chunked)
{
	struct pair pair;
};

FIXTURE_SETUP(chunked)
{
	firmware_pair_open(&self->pair, true);
	sim_bulk_fill(self->pair.source.address, 2 * SIM_CHUNK, 2);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
}

FIXTURE_TEARDOWN_PARENT(chunked)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(chunked, next_is_huge)
{
	struct blob blob = { 0 };

	firmware_wrong(&self->pair.sim, SIM_SAVE_VHCA, FIRMWARE_NEXT, 0xffffffff);
	EXPECT_EQ(-EIO, read_all(_metadata, &self->pair.source, &blob));
	EXPECT_TRUE(firmware_pair_recovers(&self->pair));
}

/*
 * Firmware that forgets about the rest: nobody but itself can know, so the end of the
 * data is only an end. What counts is that both devices can be used again.
 */
TEST_F(chunked, next_is_nothing)
{
	struct blob blob = { 0 };
	int error;

	firmware_wrong(&self->pair.sim, SIM_SAVE_VHCA, FIRMWARE_NEXT, 0);
	error = read_all(_metadata, &self->pair.source, &blob);
	EXPECT_TRUE(error >= 0 || error == -EIO) TH_LOG("%d", error);
	EXPECT_GT(2 * SIM_CHUNK, blob.length);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
	__mig_load(&self->pair.target, &blob, MIB);
	EXPECT_TRUE(firmware_pair_recovers(&self->pair));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
