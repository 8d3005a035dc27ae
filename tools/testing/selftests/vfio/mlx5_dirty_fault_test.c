// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking by the firmware of a VF, and what comes in between: a report that may
 * have lost a page fails, and so do all later ones until tracking starts anew. Nothing
 * waits without a limit.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "dirty_vf.h"
#include "file.h"
#include "iommufd.h"
#include "module.h"

/* Milliseconds after which a report has given up for sure. */
#define GIVEN_UP	60000

FIXTURE(dirty_fault)
{
	struct tracked_vf vf;
	struct bits expected;
};

FIXTURE_VARIANT(dirty_fault)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(dirty_fault, ours) { .driver = DRIVER_OURS };
FIXTURE_VARIANT_ADD(dirty_fault, in_tree) { .driver = DRIVER_IN_TREE };

FIXTURE_SETUP(dirty_fault)
{
	if (!module_exists(variant->driver))
		SKIP(return, "needs a kernel with MLX5_VFIO_PCI");
	dirty_get(&self->vf.sim, variant->driver, &DIRTY_LIMITS);
	if (!iommufd_exists(self->vf.sim.vf[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	vf_open(&self->vf, variant->driver);
}

FIXTURE_TEARDOWN_PARENT(dirty_fault)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(dirty_fault, closed_while_tracking, LIMIT)
{
	struct bits none = { { 0 } };

	dirty_start(&self->vf.dev, &whole, 1);
	dirty_touch(&self->vf.dev, PAGE_IOVA(3), 1);
	vfio_close(&self->vf.dev);
	EXPECT_TRUE(wait_until(!dirty_trackers(&self->vf.sim), SOON));
	vf_open(&self->vf, variant->driver);
	dirty_start(&self->vf.dev, &whole, 1);
	expect_report(_metadata, &self->vf, &none);
}

/* A reset may have taken the record: nothing is claimed until the next start. */
TEST_F_TIMEOUT(dirty_fault, reset_while_tracking, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct bits seen = { { 0 } };

	dirty_start(&vf->dev, &whole, 1);
	dirty_touch(&vf->dev, PAGE_IOVA(3), 1);
	vfio_reset(&vf->dev);
	vfio_bus_master(&vf->dev, true);
	if (vf->ours) {
		EXPECT_EQ(-EIO, __dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE,
					       seen.words));
		EXPECT_EQ(-EIO, __dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE,
					       seen.words));
	}
	dirty_stop(&vf->dev);
	dirty_start(&vf->dev, &whole, 1);
	touch_page(vf, &self->expected, 5);
	expect_report(_metadata, vf, &self->expected);
}

TEST_F_TIMEOUT(dirty_fault, failed_tracker, LIMIT)
{
	struct tracked_vf *vf = &self->vf;

	dirty_start(&vf->dev, &whole, 1);
	dirty_fail(&vf->sim);
	EXPECT_GT(0, report_in_worker(&vf->dev));
	EXPECT_GT(0, report_in_worker(&vf->dev));
	expect_restart(_metadata, vf);
}

/* Pages may have been lost with the report: no later one succeeds. */
TEST_F_TIMEOUT(dirty_fault, faults_in_a_report, 2 * LIMIT)
{
	static const struct {
		const char *fault;
		bool ours;
	} faults[] = {
		{ "tracker", false }, { "cq", false }, { "qp", false }, { "silent", true },
		{ "address", true },
	};
	struct tracked_vf *vf = &self->vf;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (faults[i].ours && !vf->ours)
			continue;
		dirty_start(&vf->dev, &whole, 1);
		dirty_touch(&vf->dev, PAGE_IOVA(100), 3);
		dirty_fault(&vf->sim, faults[i].fault);
		EXPECT_EQ(-EIO, report_in_worker(&vf->dev)) TH_LOG("%s", faults[i].fault);
		EXPECT_EQ(-EIO, report_in_worker(&vf->dev)) TH_LOG("%s", faults[i].fault);
		expect_restart(_metadata, vf);
	}
}

/* Firmware commands of a start and of a report; numbers of the interface. */
TEST_F_TIMEOUT(dirty_fault, failed_commands, LIMIT)
{
	static const unsigned int starting[] = {
		SIM_ALLOC_PD, SIM_CREATE_MKEY, 0x400, 0x500, 0x502, 0x503, 0x504, 0xa00,
	};
	struct tracked_vf *vf = &self->vf;
	uint64_t size = DIRTY_PAGE;
	unsigned int i, round;

	for (i = 0; i < ARRAY_SIZE(starting); i++) {
		for (round = 0; round < 2; round++) {
			sim_fail(&vf->sim, starting[i], SIM_STATUS_INTERNAL, 1);
			EXPECT_GT(0, __dirty_start(&vf->dev, &size, &whole, 1))
				TH_LOG("opcode %#x", starting[i]);
			EXPECT_EQ(0, dirty_trackers(&vf->sim));
		}
	}
	expect_restart(_metadata, vf);
	dirty_start(&vf->dev, &whole, 1);
	sim_fail(&vf->sim, 0xa01, SIM_STATUS_INTERNAL, 1);
	EXPECT_GT(0, report_in_worker(&vf->dev));
	expect_restart(_metadata, vf);
}

/* What only our driver promises. */
FIXTURE(ours)
{
	struct tracked_vf vf;
	struct bits expected;
};

FIXTURE_SETUP(ours)
{
	dirty_get(&self->vf.sim, DRIVER_OURS, &DIRTY_LIMITS);
	if (!iommufd_exists(self->vf.sim.vf[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	vf_open(&self->vf, DRIVER_OURS);
}

FIXTURE_TEARDOWN_PARENT(ours)
{
	sim_teardown(_metadata->exit_code);
}

/* A message that the firmware tells nobody of is found all the same. */
TEST_F_TIMEOUT(ours, lost_event, LIMIT)
{
	struct tracked_vf *vf = &self->vf;

	dirty_start(&vf->dev, &whole, 1);
	touch_page(vf, &self->expected, 100);
	dirty_fault(&vf->sim, "event");
	expect_report(_metadata, vf, &self->expected);
}

/* The state is changed while a report waits for the firmware. */
TEST_F_TIMEOUT(ours, report_blocks_no_state_change, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct blob blob = { 0 };
	struct worker worker;

	dirty_start(&vf->dev, &whole, 1);
	start_stalled_report(vf, &worker);
	mig_save(&vf->dev, &blob, MIB);
	mig_set_state(&vf->dev, STATE_RUNNING, NULL);
	EXPECT_FALSE(worker_is_done(&worker));
	dirty_stall(&vf->sim, false);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
}

TEST_F_TIMEOUT(ours, stop_ends_a_report, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct worker worker;

	dirty_start(&vf->dev, &whole, 1);
	start_stalled_report(vf, &worker);
	dirty_stop(&vf->dev);
	worker_join(&worker, SOON);
	EXPECT_EQ(-EIO, worker.result);
	dirty_stall(&vf->sim, false);
	dirty_start(&vf->dev, &whole, 1);
	touch_page(vf, &self->expected, 5);
	expect_report(_metadata, vf, &self->expected);
}

TEST_F_TIMEOUT(ours, reset_ends_a_report, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct worker worker;

	dirty_start(&vf->dev, &whole, 1);
	start_stalled_report(vf, &worker);
	vfio_reset(&vf->dev);
	worker_join(&worker, SOON);
	EXPECT_EQ(-EIO, worker.result);
}

/* The pages that a killed process was told of count as lost. */
TEST_F_TIMEOUT(ours, reporter_is_killed, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct bits seen = { { 0 } };
	pid_t child;
	int status;

	dirty_start(&vf->dev, &whole, 1);
	dirty_stall(&vf->sim, true);
	child = fork();
	if (!child)
		_exit(-report_in_worker(&vf->dev));
	usleep(300000);
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, SOON));
	dirty_stall(&vf->sim, false);
	EXPECT_EQ(-EIO, __dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE, seen.words));
	dirty_stop(&vf->dev);
	dirty_start(&vf->dev, &whole, 1);
	touch_page(vf, &self->expected, 5);
	expect_report(_metadata, vf, &self->expected);
}

TEST_F_TIMEOUT(ours, gives_up, 2 * LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct worker worker;

	dirty_start(&vf->dev, &whole, 1);
	start_stalled_report(vf, &worker);
	worker_join(&worker, GIVEN_UP);
	EXPECT_EQ(-ETIMEDOUT, worker.result);
	dirty_stall(&vf->sim, false);
	EXPECT_EQ(-EIO, report_in_worker(&vf->dev));
	EXPECT_EQ(0, __dirty_stop(&vf->dev));
}

/* The PF starts anew: the record is gone with its firmware, and a report ends. */
TEST_F_TIMEOUT(ours, pf_reload, 2 * LIMIT)
{
	static const char devlink[] = "/usr/sbin/devlink";
	struct tracked_vf *vf = &self->vf;
	struct worker worker;

	ASSERT_TRUE(file_exists(devlink));
	dirty_start(&vf->dev, &whole, 1);
	start_stalled_report(vf, &worker);
	EXPECT_EQ(0, system(path("%s dev reload pci/%s >/dev/null", devlink, vf->sim.pf)));
	worker_join(&worker, LATER);
	EXPECT_TRUE(worker.result == -ENODEV || worker.result == -EIO)
		TH_LOG("%ld", worker.result);
	EXPECT_EQ(-EINVAL, report_in_worker(&vf->dev));
	dirty_stall(&vf->sim, false);
	expect_restart(_metadata, vf);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
