// SPDX-License-Identifier: GPL-2.0-only
/*
 * The unmodified mlx5_core on the simulated adapter: probe, SR-IOV, unbind and
 * unload, without one error in the kernel log.
 */
#include <errno.h>

#include "harness.h"
#include "file.h"
#include "module.h"
#include "sim.h"

#define PCI_DRIVER	"/sys/bus/pci/drivers/mlx5_core"

static const struct sim_config config = {
	.state_size = 4096,
	.chunk_size = SIM_CHUNK,
};

FIXTURE(mlx5_core)
{
	struct sim sim;
	int log;
};

FIXTURE_SETUP(mlx5_core)
{
	self->log = kmsg_open();
	sim_get(&self->sim, &config);
}

FIXTURE_TEARDOWN_PARENT(mlx5_core)
{
	sim_teardown(_metadata->exit_code);
}

static void expect_clean_log(struct __test_metadata *_metadata, int log, const char *address)
{
	char first[256] = "";
	int errors = kmsg_count(log, 3, address, first, sizeof(first));

	EXPECT_EQ(0, errors) TH_LOG("%s", first);
}

static bool is_bound(const char *address)
{
	char driver[32];

	return !__sim_driver(address, driver, sizeof(driver)) && !strcmp(driver, "mlx5_core");
}

static unsigned int count_vfs(const struct sim *sim)
{
	unsigned int i, count = 0;

	for (i = 0; i < SIM_MAX_VFS; i++)
		count += file_exists(path("/sys/bus/pci/devices/%s/virtfn%u", sim->pf, i));
	return count;
}

TEST_F(mlx5_core, probe)
{
	uint64_t commands, unknown;
	int log = kmsg_open();

	/* a fresh one, whatever the tests before did */
	sim_remove_all();
	sim_get(&self->sim, &config);
	EXPECT_TRUE(is_bound(self->sim.pf));
	commands = sim_counter(self->sim.pf, "commands");
	unknown = sim_counter(self->sim.pf, "unknown_commands");
	EXPECT_LE(10, commands);
	EXPECT_EQ(0, unknown);
	expect_clean_log(_metadata, log, self->sim.pf);
	EXPECT_NE(0, kmsg_count(self->log, 7, "firmware version", NULL, 0));
}

TEST_F(mlx5_core, health_is_good)
{
	/* the driver looks at the health counter every two to three seconds */
	sleep(12);
	expect_clean_log(_metadata, self->log, self->sim.pf);
}

TEST_F_TIMEOUT(mlx5_core, four_vfs_twenty_times, 120)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		sim_enable_vfs(&self->sim, 4);
		ASSERT_EQ(4, count_vfs(&self->sim));
		sim_enable_vfs(&self->sim, 0);
		ASSERT_EQ(0, count_vfs(&self->sim));
	}
	expect_clean_log(_metadata, self->log, self->sim.pf);
	EXPECT_EQ(0, sim_counter(self->sim.pf, "unknown_commands"));
}

static int write_numvfs(const struct sim *sim, const char *number)
{
	return __file_write(path("/sys/bus/pci/devices/%s/sriov_numvfs", sim->pf), number);
}

TEST_F(mlx5_core, every_number_of_vfs)
{
	unsigned int i;

	for (i = 1; i <= SIM_MAX_VFS; i += 2) {
		sim_enable_vfs(&self->sim, i);
		EXPECT_EQ(i, count_vfs(&self->sim));
	}
	EXPECT_EQ(-EBUSY, write_numvfs(&self->sim, "1"));
	sim_enable_vfs(&self->sim, 0);
	EXPECT_EQ(-ERANGE, write_numvfs(&self->sim, "8"));
	expect_clean_log(_metadata, self->log, self->sim.pf);
}

TEST_F_TIMEOUT(mlx5_core, unbind_and_bind, 60)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		file_write(PCI_DRIVER "/unbind", self->sim.pf);
		EXPECT_FALSE(is_bound(self->sim.pf));
		file_write(PCI_DRIVER "/bind", self->sim.pf);
		ASSERT_TRUE(is_bound(self->sim.pf));
	}
	sim_enable_vfs(&self->sim, 4);
	EXPECT_EQ(4, count_vfs(&self->sim));
	expect_clean_log(_metadata, self->log, self->sim.pf);
}

TEST_F_TIMEOUT(mlx5_core, unload_and_load, 120)
{
	unsigned int i;

	if (module_state("mlx5_core") == MODULE_BUILT_IN)
		SKIP(return, "mlx5_core is built in");
	module_unload_soon(DRIVER_OURS);
	module_unload_soon(DRIVER_IN_TREE);
	module_unload_soon("mlx5_ib");
	for (i = 0; i < 3; i++) {
		sim_enable_vfs(&self->sim, 2);
		sim_enable_vfs(&self->sim, 0);
		module_unload("mlx5_core");
		EXPECT_FALSE(file_exists(PCI_DRIVER));
		module_load("mlx5_core", NULL);
		ASSERT_TRUE(is_bound(self->sim.pf));
	}
	expect_clean_log(_metadata, self->log, self->sim.pf);
}

TEST_F(mlx5_core, vfs_are_alike)
{
	unsigned int i;

	sim_enable_vfs(&self->sim, 4);
	for (i = 0; i < 4; i++) {
		const char *vf = self->sim.vf[i];

		EXPECT_EQ(self->sim.pf[strlen(self->sim.pf) - 1] + i + 1, vf[strlen(vf) - 1]);
		EXPECT_EQ(SIM_VF_DEVICE,
			  file_read_number(path("/sys/bus/pci/devices/%s/device", vf)));
		EXPECT_FALSE(is_bound(vf));
	}
	EXPECT_EQ(0, sim_counter(self->sim.pf, "unknown_commands"));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
