// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal in every order: what is in use is refused or waited for, and afterwards
 * everything can be used again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "harness.h"
#include "file.h"
#include "module.h"
#include "pair.h"
#include "worker.h"

FIXTURE(unload)
{
	struct pair pair;
};

/* What other tests have left, and keeps the library. */
static void unload_other_drivers(void)
{
	sim_remove_all();
	module_unload_soon("vfio_mig_sample");
	module_unload_soon("vfio_mig_sample_pf");
	module_unload_soon("nvgrace_vfio_mig");
}

FIXTURE_SETUP(unload)
{
	if (module_state("vfio_mig") == MODULE_BUILT_IN ||
	    module_state(DRIVER_OURS) == MODULE_BUILT_IN)
		SKIP(return, "our modules are built in");
	unload_other_drivers();
	pair_open(&self->pair, &our_pair);
}

FIXTURE_TEARDOWN_PARENT(unload)
{
	sim_remove_all();
}

static bool migrates(struct pair *pair)
{
	struct blob blob = { 0 };
	bool works;

	sim_bulk_fill(pair->source.address, 12345, 6);
	works = !__mig_save(&pair->source, &blob, MIB) &&
		!__mig_load(&pair->target, &blob, MIB) &&
		sim_bulk_matches(pair->target.address, 12345, 6);
	blob_free(&blob);
	return works;
}

TEST_F(unload, refused_while_open)
{
	EXPECT_EQ(-EWOULDBLOCK, __module_unload(DRIVER_OURS));
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("vfio_mig"));
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim"));
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim_hca"));
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("mlx5_core"));
	EXPECT_TRUE(migrates(&self->pair));
}

TEST_F_TIMEOUT(unload, driver_unloads_and_reloads, 60)
{
	struct pair *pair = &self->pair;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(migrates(pair));
		vfio_close(&pair->source);
		vfio_close(&pair->target);
		module_unload_soon(DRIVER_OURS);
		module_unload_soon("vfio_mig");
		EXPECT_FALSE(file_exists("/sys/kernel/debug/vfio-mig"));
		EXPECT_TRUE(file_exists(path("/sys/bus/pci/devices/%s", pair->sim.vf[0])));
		pair_open(pair, &our_pair);
	}
}

/* A dead data FD keeps its module or answers without it. */
TEST_F(unload, data_fd_left_open)
{
	int fd = mig_begin(&self->pair.source, STATE_STOP_COPY);
	char byte;
	int error;

	vfio_close(&self->pair.source);
	vfio_close(&self->pair.target);
	sim_bind(self->pair.sim.vf[0], NULL);
	sim_bind(self->pair.sim.vf[1], NULL);
	error = __module_unload(DRIVER_OURS);
	EXPECT_TRUE(!error || error == -EWOULDBLOCK);
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("vfio_mig"));
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
	EXPECT_EQ(0, __module_unload_soon(DRIVER_OURS));
	EXPECT_EQ(0, __module_unload_soon("vfio_mig"));
	pair_open(&self->pair, &our_pair);
	EXPECT_TRUE(migrates(&self->pair));
}

/* Files of debugfs that stay open answer, or say that the device is gone. */
TEST_F(unload, debugfs_left_open)
{
	int fd = open(path("/sys/kernel/debug/vfio-mig/%s/state", self->pair.sim.vf[0]),
		      O_RDONLY | O_CLOEXEC);
	char text[32];

	ASSERT_LE(0, fd);
	EXPECT_LT(0, read(fd, text, sizeof(text)));
	vfio_close(&self->pair.source);
	sim_bind(self->pair.sim.vf[0], NULL);
	EXPECT_GE(0, pread(fd, text, sizeof(text), 0));
	close(fd);
	fd = open(path("/sys/kernel/debug/pcisim/%s/bulk", self->pair.sim.vf[1]),
		  O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	vfio_close(&self->pair.target);
	sim_remove_all();
	EXPECT_GE(0, pread(fd, text, sizeof(text), 0));
	close(fd);
}

static long switch_off(void *argument)
{
	return __file_write(SIM_HOST "/live", "0");
}

/*
 * The host goes while VFIO has VFs open: that waits, also when a session is open, and ends
 * when the files are closed.
 */
TEST_F_TIMEOUT(unload, host_waits_for_users, 60)
{
	struct pair *pair = &self->pair;
	struct worker worker;
	char byte;
	int fd;

	fd = mig_begin(&pair->source, STATE_STOP_COPY);
	worker_start(&worker, switch_off, NULL);
	usleep(300000);
	EXPECT_FALSE(worker_is_done(&worker));
	vfio_close(&pair->source);
	vfio_close(&pair->target);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, file_read_number(SIM_HOST "/live"));
	EXPECT_FALSE(file_exists(path("/sys/bus/pci/devices/%s", pair->sim.pf)));
	close(fd);
	pair_open(pair, &our_pair);
	EXPECT_TRUE(migrates(pair));
}

/* The PF's driver goes while a VF is in use: waits likewise. */
static long unbind_pf(void *argument)
{
	return __file_write("/sys/bus/pci/drivers/mlx5_core/unbind", argument);
}

TEST_F_TIMEOUT(unload, pf_driver_waits_for_users, 60)
{
	struct pair *pair = &self->pair;
	struct worker worker;

	/* the kernel with lock checks warns when VFs go with their PF's driver */
	if (file_exists("/proc/lockdep"))
		SKIP(return, "unbinding a PF with VFs warns with lockdep");
	worker_start(&worker, unbind_pf, pair->sim.pf);
	usleep(300000);
	EXPECT_FALSE(worker_is_done(&worker));
	vfio_close(&pair->source);
	vfio_close(&pair->target);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	pair_open(pair, &our_pair);
	EXPECT_TRUE(migrates(pair));
}

/* All modules, in the order of their dependencies, and back. */
TEST_F_TIMEOUT(unload, everything_twice, 60)
{
	static const char * const modules[] = {
		DRIVER_OURS, DRIVER_IN_TREE, "nvgrace_vfio_mig", "vfio_mig_sample",
		"vfio_mig_sample_pf", "vfio_mig",
		"pcisim_hca", "pcisim_gpu", "pcisim_testdev", "pcisim", NULL,
	};
	struct pair *pair = &self->pair;
	unsigned int i, turn;

	for (turn = 0; turn < 2; turn++) {
		EXPECT_TRUE(migrates(pair));
		vfio_close(&pair->source);
		vfio_close(&pair->target);
		sim_remove_all();
		for (i = 0; modules[i]; i++) {
			EXPECT_EQ(0, __module_unload_soon(modules[i]))
				TH_LOG("module %u", i);
		}
		EXPECT_FALSE(file_exists(SIM_ROOT));
		EXPECT_FALSE(file_exists("/sys/kernel/debug/pcisim"));
		pair_open(pair, &our_pair);
	}
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
