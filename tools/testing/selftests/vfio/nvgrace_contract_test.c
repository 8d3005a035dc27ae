// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a GPU can migrate: what its engines hold cannot be saved, so that there must be
 * nothing. Everything else about states works whatever the function does.
 */
#include <poll.h>
#include <stdio.h>

#include "harness.h"
#include "gpu_move.h"

/* More than is produced ahead of a reader. */
#define MEMORY		(48 * MIB)
#define SMALL		(2 * MIB)

#define SYNDROME_NOT_D3HOT	1
#define SYNDROME_NO_SOFT_RESET	2
#define SYNDROME_WRITTEN	3

static struct gpu_config gpu_of(uint64_t memory_size)
{
	return (struct gpu_config) {
		.kind = GPU_BLACKWELL,
		.memory_size = memory_size,
		.driver = DRIVER_NVGRACE,
	};
}

static void open_one(struct gpu_host *host, struct vfio_device *dev,
		     const struct gpu_config *config)
{
	gpu_get(host, config, 1);
	nvgrace_open(dev, host->gpu[0]);
}

/* Nothing can be read of the session, which can be left. */
static void expect_busy(struct __test_metadata *_metadata, struct vfio_device *dev, int fd,
			uint32_t syndrome)
{
	struct blob blob = { 0 };
	char byte, error[128];

	/* what is no data of the device may come before */
	EXPECT_EQ(-EBUSY, __stream_read(fd, &blob, MIB));
	EXPECT_EQ(-1, blob_find_tag(&blob, 0, TAG_BLOCKS));
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(STATE_STOP_COPY, mig_state(dev));
	EXPECT_EQ(syndrome, gpu_last_syndrome(dev));
	mig_set_state(dev, STATE_STOP, NULL);
	mig_set_state(dev, STATE_RUNNING, NULL);
	close(fd);
	blob_free(&blob);
	gpu_last_error(dev, error, sizeof(error));
	EXPECT_NE(NULL, strstr(error, syndrome == SYNDROME_WRITTEN ? "power state was written" :
			       syndrome == SYNDROME_NO_SOFT_RESET ? "No_Soft_Reset" :
			       "not in D3hot"))
		TH_LOG("%s", error);
	EXPECT_EQ(0, strncmp(error, "-16 STOP_COPY", strlen("-16 STOP_COPY")))
		TH_LOG("%s", error);
}

static void expect_saved(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	struct blob blob = { 0 };

	mig_save(dev, &blob, MIB);
	EXPECT_EQ(1, tally_from(&blob, 0).states);
	mig_set_state(dev, STATE_RUNNING, NULL);
	blob_free(&blob);
}

FIXTURE(contract)
{
	struct gpu_host host;
	struct vfio_device dev;
};

FIXTURE_SETUP(contract)
{
	const struct gpu_config config = gpu_of(SMALL);

	gpu_enable_migration(true);
	open_one(&self->host, &self->dev, &config);
}

FIXTURE_TEARDOWN_PARENT(contract)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(contract, flags)
{
	uint64_t flags;

	mig_flags(&self->dev, &flags);
	EXPECT_EQ(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY, flags);
}

TEST_F(contract, d0_is_busy)
{
	int fd = mig_begin(&self->dev, STATE_STOP_COPY);

	expect_busy(_metadata, &self->dev, fd, SYNDROME_NOT_D3HOT);
	/* and once it is asleep nothing of that is left */
	gpu_sleep(&self->dev);
	expect_saved(_metadata, &self->dev);
}

TEST_F(contract, d0_is_busy_after_pre_copy)
{
	int fd = mig_begin(&self->dev, STATE_PRE_COPY);
	struct blob blob = { 0 };

	EXPECT_EQ(-ENOMSG, __stream_read(fd, &blob, MIB));
	EXPECT_EQ(SMALL / BLOCK, tally_from(&blob, 0).contents + tally_from(&blob, 0).zeroes);
	mig_set_state(&self->dev, STATE_STOP_COPY, NULL);
	expect_busy(_metadata, &self->dev, fd, SYNDROME_NOT_D3HOT);
	blob_free(&blob);
}

TEST_F(contract, d3hot_is_saved)
{
	gpu_sleep(&self->dev);
	expect_saved(_metadata, &self->dev);
	EXPECT_EQ(GPU_D3HOT, gpu_power(&self->dev));
	/* again, and from the beginning to the end in one go */
	expect_saved(_metadata, &self->dev);
}

TEST_F(contract, d3hot_through_pre_copy)
{
	struct blob blob = { 0 };
	int fd;

	gpu_sleep(&self->dev);
	fd = mig_begin(&self->dev, STATE_PRE_COPY);
	EXPECT_EQ(-ENOMSG, __stream_read(fd, &blob, MIB));
	mig_set_state(&self->dev, STATE_STOP_COPY, NULL);
	stream_read(fd, &blob, MIB);
	EXPECT_EQ(1, tally_from(&blob, 0).states);
	EXPECT_EQ(SMALL / BLOCK, tally_from(&blob, 0).contents + tally_from(&blob, 0).zeroes);
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	close(fd);
	blob_free(&blob);
}

TEST_F(contract, asleep_too_late)
{
	int fd;

	mig_set_state(&self->dev, STATE_STOP, NULL);
	gpu_sleep(&self->dev);
	fd = mig_begin(&self->dev, STATE_STOP_COPY);
	expect_busy(_metadata, &self->dev, fd, SYNDROME_NOT_D3HOT);
	expect_saved(_metadata, &self->dev);
}

TEST_F(contract, woken_meanwhile)
{
	int fd;

	gpu_sleep(&self->dev);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	gpu_set_power(&self->dev, GPU_D0);
	gpu_sleep(&self->dev);
	fd = mig_begin(&self->dev, STATE_STOP_COPY);
	expect_busy(_metadata, &self->dev, fd, SYNDROME_WRITTEN);
	expect_saved(_metadata, &self->dev);
}

TEST_F(contract, awake_since_the_stop)
{
	int fd;

	gpu_sleep(&self->dev);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	gpu_set_power(&self->dev, GPU_D0);
	fd = mig_begin(&self->dev, STATE_STOP_COPY);
	expect_busy(_metadata, &self->dev, fd, SYNDROME_NOT_D3HOT);
}

/* A guest that is stopped and continued, and one whose migration is given up. */
TEST_F(contract, stop_and_continue)
{
	static const uint32_t states[] = {
		STATE_RUNNING_P2P, STATE_STOP, STATE_STOP_COPY, STATE_PRE_COPY, STATE_PRE_COPY_P2P,
	};
	unsigned int i;
	int fd;

	gpu_engine_start(&self->dev, 0, BLOCK);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		fd = mig_begin(&self->dev, states[i]);
		mig_set_state(&self->dev, STATE_RUNNING, NULL);
		if (fd >= 0)
			close(fd);
		gpu_engine_progress(&self->dev, 100);
	}
	gpu_engine_stop(&self->dev);
	EXPECT_TRUE(gpu_is_quiet(self->dev.address));
}

TEST_F(contract, data_size_in_every_state)
{
	static const uint32_t states[] = {
		STATE_RUNNING, STATE_RUNNING_P2P, STATE_STOP, STATE_STOP_COPY, STATE_PRE_COPY,
	};
	uint64_t size;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		fd = -1;
		if (states[i] != STATE_RUNNING)
			fd = mig_begin(&self->dev, states[i]);
		mig_data_size(&self->dev, &size);
		EXPECT_LE(SMALL, size) TH_LOG("%s", state_name(states[i]));
		EXPECT_GE(SMALL + MIB, size) TH_LOG("%s", state_name(states[i]));
		mig_set_state(&self->dev, STATE_RUNNING, NULL);
		if (fd >= 0)
			close(fd);
	}
}

/* A reset in each state */

FIXTURE(reset)
{
	struct gpu_host host;
	struct vfio_device dev;
};

FIXTURE_VARIANT(reset)
{
	uint32_t state;
	unsigned int power;
};

FIXTURE_VARIANT_ADD(reset, p2p) { .state = STATE_RUNNING_P2P };
FIXTURE_VARIANT_ADD(reset, stop) { .state = STATE_STOP };
FIXTURE_VARIANT_ADD(reset, stop_copy) { .state = STATE_STOP_COPY };
FIXTURE_VARIANT_ADD(reset, stop_copy_asleep) { .state = STATE_STOP_COPY, .power = GPU_D3HOT };
FIXTURE_VARIANT_ADD(reset, pre_copy) { .state = STATE_PRE_COPY };
FIXTURE_VARIANT_ADD(reset, pre_copy_asleep) { .state = STATE_PRE_COPY, .power = GPU_D3HOT };
FIXTURE_VARIANT_ADD(reset, pre_copy_p2p) { .state = STATE_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(reset, resuming) { .state = STATE_RESUMING };

FIXTURE_SETUP(reset)
{
	const struct gpu_config config = gpu_of(SMALL);

	gpu_enable_migration(true);
	open_one(&self->host, &self->dev, &config);
	if (variant->power == GPU_D3HOT)
		gpu_sleep(&self->dev);
}

FIXTURE_TEARDOWN_PARENT(reset)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(reset, ends_everything)
{
	int fd = mig_begin(&self->dev, variant->state);
	char byte = 0;

	vfio_reset(&self->dev);
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->dev));
	EXPECT_EQ(GPU_D0, gpu_power(&self->dev));
	if (fd >= 0) {
		EXPECT_EQ(-1, variant->state == STATE_RESUMING ? write(fd, &byte, 1) :
								 read(fd, &byte, 1));
		EXPECT_EQ(ENODEV, errno);
		EXPECT_EQ(POLLERR | POLLHUP, stream_events(fd) & (POLLERR | POLLHUP));
		close(fd);
	}
	/* what was known of the state before is not used again */
	fd = mig_begin(&self->dev, STATE_STOP_COPY);
	expect_busy(_metadata, &self->dev, fd, SYNDROME_NOT_D3HOT);
	gpu_sleep(&self->dev);
	expect_saved(_metadata, &self->dev);
}

/* Other GPUs */

FIXTURE(gpu)
{
	struct gpu_host host;
	struct vfio_device dev;
};

FIXTURE_SETUP(gpu)
{
	gpu_enable_migration(true);
}

FIXTURE_TEARDOWN_PARENT(gpu)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(gpu, keeps_state_in_d3hot)
{
	struct gpu_config config = gpu_of(SMALL);
	int fd;

	config.no_soft_reset = true;
	open_one(&self->host, &self->dev, &config);
	gpu_sleep(&self->dev);
	fd = mig_begin(&self->dev, STATE_STOP_COPY);
	expect_busy(_metadata, &self->dev, fd, SYNDROME_NO_SOFT_RESET);
}

/* Woken when much of it was read already: the end is not reached. */
TEST_F(gpu, woken_while_saved)
{
	struct gpu_config config = gpu_of(MEMORY);
	struct blob blob = { 0 };
	char first[4096];
	size_t have = 0;
	ssize_t done;
	int fd;

	open_one(&self->host, &self->dev, &config);
	gpu_fill(self->dev.address, 0, MEMORY, 1);
	gpu_sleep(&self->dev);
	fd = mig_begin(&self->dev, STATE_STOP_COPY);
	while (have < sizeof(first)) {
		done = read(fd, first + have, sizeof(first) - have);
		ASSERT_LT(0, done);
		have += done;
	}
	gpu_set_power(&self->dev, GPU_D0);
	gpu_sleep(&self->dev);
	EXPECT_EQ(-EBUSY, __stream_read(fd, &blob, MIB));
	/* the driver may have looked just when it was awake */
	EXPECT_TRUE(gpu_last_syndrome(&self->dev) == SYNDROME_WRITTEN ||
		    gpu_last_syndrome(&self->dev) == SYNDROME_NOT_D3HOT);
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	close(fd);
	expect_saved(_metadata, &self->dev);
	blob_free(&blob);
}

TEST_F(gpu, off_by_default)
{
	struct gpu_config config = gpu_of(SMALL);
	uint64_t flags;

	gpu_enable_migration(false);
	/* nothing is taken over that was bound before */
	sim_remove_all();
	open_one(&self->host, &self->dev, &config);
	EXPECT_EQ(-ENOTTY, __mig_flags(&self->dev, &flags));
	EXPECT_EQ(-ENOTTY, __mig_state(&self->dev));
	vfio_close(&self->dev);
	sim_remove_all();
	gpu_enable_migration(true);
}

TEST_F(gpu, without_memory)
{
	struct gpu_config config = gpu_of(SMALL);
	uint64_t flags;

	config.no_properties = true;
	open_one(&self->host, &self->dev, &config);
	EXPECT_EQ(-ENOTTY, __mig_flags(&self->dev, &flags));
}

int main(int argc, char **argv)
{
	return gpu_move_main(argc, argv, test_harness_run);
}
