// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPUs that are reset together, through the bus that they share: whoever owns all of them
 * may do it, and then all of them run, whatever state they were in, and their data FDs are
 * over.
 */
#include <errno.h>
#include <unistd.h>

#include "harness.h"
#include "gpu_move.h"
#include "hot_reset.h"

#define GPUS	2

FIXTURE(hot_reset)
{
	struct gpu_host host;
	struct vfio_device dev[GPUS];
	struct vfio_device *all[GPUS];
	int fd[GPUS];
};

/* The states of both before the reset; those that transfer data have an FD. */
FIXTURE_VARIANT(hot_reset)
{
	uint32_t states[GPUS];
};

FIXTURE_VARIANT_ADD(hot_reset, run) { { STATE_RUNNING, STATE_RUNNING } };
FIXTURE_VARIANT_ADD(hot_reset, stop) { { STATE_STOP, STATE_RUNNING_P2P } };
FIXTURE_VARIANT_ADD(hot_reset, save) { { STATE_STOP_COPY, STATE_PRE_COPY } };
FIXTURE_VARIANT_ADD(hot_reset, load) { { STATE_PRE_COPY_P2P, STATE_RESUMING } };

FIXTURE_SETUP(hot_reset)
{
	const struct gpu_config configs[GPUS] = {
		{ .kind = GPU_BLACKWELL, .port = 1, .driver = DRIVER_NVGRACE },
		{ .kind = GPU_BLACKWELL, .port = 1, .driver = DRIVER_NVGRACE },
	};
	unsigned int i;

	gpu_enable_migration(true);
	gpu_get(&self->host, configs, GPUS);
	for (i = 0; i < GPUS; i++)
		self->all[i] = &self->dev[i];
}

FIXTURE_TEARDOWN_PARENT(hot_reset)
{
	sim_teardown(_metadata->exit_code);
}

static bool has_fd(uint32_t state)
{
	return state != STATE_RUNNING && state != STATE_RUNNING_P2P && state != STATE_STOP;
}

static void enter(struct vfio_device *dev, uint32_t state, int *fd)
{
	*fd = -1;
	if (state != STATE_RUNNING)
		mig_set_state(dev, state, fd);
	if (has_fd(state) != (*fd >= 0))
		fail("wrong FD");
}

static void expect_over(struct __test_metadata *_metadata, struct vfio_device *dev,
			uint32_t state, int fd)
{
	char byte = 0;

	EXPECT_EQ(STATE_RUNNING, mig_state(dev));
	if (fd < 0)
		return;
	EXPECT_EQ(-1, state == STATE_RESUMING ? write(fd, &byte, 1) : read(fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
}

static void expect_moves(struct __test_metadata *_metadata, struct vfio_device *from,
			 struct vfio_device *to)
{
	struct blob blob = { 0 };

	nvgrace_enable(from, true);
	gpu_fill(from->address, 0, BLOCK, 9);
	gpu_sleep(from);
	mig_save(from, &blob, MIB);
	mig_load(to, &blob, MIB);
	EXPECT_TRUE(gpu_matches(to->address, 0, BLOCK, 9));
	blob_free(&blob);
}

TEST_F(hot_reset, groups)
{
	unsigned int i;

	for (i = 0; i < GPUS; i++) {
		nvgrace_open(&self->dev[i], self->host.gpu[i]);
		enter(&self->dev[i], variant->states[i], &self->fd[i]);
	}
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], self->all, 1));
	for (i = 0; i < GPUS; i++)
		EXPECT_EQ(variant->states[i], mig_state(&self->dev[i]));
	hot_reset(&self->dev[0], self->all, GPUS);
	for (i = 0; i < GPUS; i++)
		expect_over(_metadata, &self->dev[i], variant->states[i], self->fd[i]);
	expect_moves(_metadata, &self->dev[0], &self->dev[1]);
}

TEST_F(hot_reset, one_context)
{
	struct iommufd owner;
	unsigned int i;

	if (!iommufd_exists(self->host.gpu[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	iommufd_open(&owner, &self->dev[0], self->host.gpu[0]);
	EXPECT_NE(0, hot_reset_join(&self->dev[1], self->host.gpu[1], &owner));
	for (i = 0; i < GPUS; i++)
		enter(&self->dev[i], variant->states[i], &self->fd[i]);
	hot_reset(&self->dev[1], NULL, 0);
	for (i = 0; i < GPUS; i++)
		expect_over(_metadata, &self->dev[i], variant->states[i], self->fd[i]);
	expect_moves(_metadata, &self->dev[0], &self->dev[1]);
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
