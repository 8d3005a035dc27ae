// SPDX-License-Identifier: GPL-2.0-only
/*
 * Touches of a device's BAR while it is stopped, with the policy to block them: none reaches
 * the device, each is counted, and everything works again when it runs.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "mmio.h"

FIXTURE(stopped)
{
	struct sim sim;
	struct vfio_device dev;
	int fd;
};

FIXTURE_VARIANT(stopped)
{
	uint32_t state;
};

FIXTURE_VARIANT_ADD(stopped, stop) { .state = STATE_STOP };
FIXTURE_VARIANT_ADD(stopped, stop_copy) { .state = STATE_STOP_COPY };
FIXTURE_VARIANT_ADD(stopped, resuming) { .state = STATE_RESUMING };

FIXTURE_SETUP(stopped)
{
	touch_prepare();
	bind_with_policy(&self->sim, true);
	vfio_open(&self->dev, self->sim.vf[0]);
	vfio_map_bar(&self->dev);
	expect_open(_metadata, &self->dev);
	self->fd = mig_begin(&self->dev, variant->state);
}

FIXTURE_TEARDOWN_PARENT(stopped)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(stopped, until_resumed)
{
	uint32_t value;

	expect_blocked(_metadata, &self->dev);
	expect_blocked(_metadata, &self->dev);
	resume(&self->dev, self->fd);
	/* what was written meanwhile is lost */
	EXPECT_TRUE(touch_read(scratch(&self->dev), &value));
	EXPECT_EQ(OTHER, value);
	expect_open(_metadata, &self->dev);
}

TEST_F(stopped, until_quiesced)
{
	expect_blocked(_metadata, &self->dev);
	if (self->fd >= 0)
		close(self->fd);
	mig_set_state(&self->dev, STATE_RUNNING_P2P, NULL);
	expect_open(_metadata, &self->dev);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	expect_blocked(_metadata, &self->dev);
}

TEST_F(stopped, until_reset)
{
	vfio_reset(&self->dev);
	vfio_bus_master(&self->dev, true);
	expect_open(_metadata, &self->dev);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	expect_blocked(_metadata, &self->dev);
}

TEST_F(stopped, until_reset_by_config_write)
{
	unsigned int exp = vfio_find_capability(&self->dev, PCI_CAP_ID_EXP);
	uint32_t control = vfio_config_get(&self->dev, exp + PCI_EXP_DEVCTL, 2);

	vfio_config_put(&self->dev, exp + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
	expect_open(_metadata, &self->dev);
}

TEST_F(stopped, until_reset_by_sysfs)
{
	file_write(path("/sys/bus/pci/devices/%s/reset", self->dev.address), "1");
	expect_open(_metadata, &self->dev);
}

TEST_F(stopped, until_reopened)
{
	expect_blocked(_metadata, &self->dev);
	vfio_close(&self->dev);
	vfio_open(&self->dev, self->sim.vf[0]);
	vfio_map_bar(&self->dev);
	expect_open(_metadata, &self->dev);
}

TEST_F(stopped, config_space_works)
{
	uint64_t before = violations(&self->dev);

	EXPECT_EQ(SIM_VENDOR, vfio_config_get(&self->dev, PCI_VENDOR_ID, 2));
	vfio_bus_master(&self->dev, false);
	EXPECT_FALSE(vfio_config_get(&self->dev, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	vfio_bus_master(&self->dev, true);
	EXPECT_TRUE(vfio_config_get(&self->dev, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	EXPECT_EQ(before, violations(&self->dev));
}

TEST_F(stopped, mapped_meanwhile)
{
	uint32_t value;

	vfio_close(&self->dev);
	vfio_open(&self->dev, self->sim.vf[0]);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	vfio_map_bar(&self->dev);
	EXPECT_FALSE(touch_read(scratch(&self->dev), &value));
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	expect_open(_metadata, &self->dev);
}

TEST_F(stopped, no_buffer_for_the_kernel)
{
	uint64_t before = violations(&self->dev);
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, write(ends[1], scratch(&self->dev), 4));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(4, write(ends[1], "abcd", 4));
	EXPECT_EQ(-1, read(ends[0], scratch(&self->dev), 4));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_LE(before + 2, violations(&self->dev));
	resume(&self->dev, self->fd);
	EXPECT_EQ(4, write(ends[1], scratch(&self->dev), 4));
}

TEST_F(stopped, other_process)
{
	int status = 0;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		__atomic_store_n(scratch(&self->dev), VALUE, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	resume(&self->dev, self->fd);
	EXPECT_EQ(OTHER, bar_get(&self->dev, SCRATCH));
}

/* Arcs that fail leave the device, and so the policy, where it was. */
FIXTURE(failing)
{
	struct sim sim;
	struct vfio_device dev;
};

FIXTURE_SETUP(failing)
{
	touch_prepare();
	bind_with_policy(&self->sim, true);
	vfio_open(&self->dev, self->sim.vf[0]);
	vfio_map_bar(&self->dev);
}

FIXTURE_TEARDOWN_PARENT(failing)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(failing, to_stop)
{
	mig_set_state(&self->dev, STATE_RUNNING_P2P, NULL);
	sim_fail(&self->sim, SIM_SUSPEND_VHCA, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_set_state(&self->dev, STATE_STOP, NULL));
	EXPECT_EQ(STATE_RUNNING_P2P, mig_state(&self->dev));
	expect_open(_metadata, &self->dev);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	expect_blocked(_metadata, &self->dev);
}

TEST_F(failing, to_run)
{
	mig_set_state(&self->dev, STATE_STOP, NULL);
	sim_fail(&self->sim, SIM_RESUME_VHCA, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_set_state(&self->dev, STATE_RUNNING, NULL));
	EXPECT_EQ(STATE_STOP, mig_state(&self->dev));
	expect_blocked(_metadata, &self->dev);
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	expect_open(_metadata, &self->dev);
}

TEST_F(failing, to_save)
{
	int fd;

	sim_fail(&self->sim, SIM_ALLOC_PD, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_set_state(&self->dev, STATE_STOP_COPY, &fd));
	EXPECT_EQ(STATE_STOP, mig_state(&self->dev));
	expect_blocked(_metadata, &self->dev);
	vfio_reset(&self->dev);
	vfio_bus_master(&self->dev, true);
	expect_open(_metadata, &self->dev);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
