// SPDX-License-Identifier: GPL-2.0-only
/*
 * A simulated VF through its character device and iommufd: DMA, the pages that it makes
 * dirty, and migration states.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "migration.h"
#include "sim.h"
#include "tracked.h"

/* Too little to go round, enough for some pages. */
#define SOME	4000
#define FEW	1000

/* Seconds; whatever test comes first waits for a host with checkers in its kernel. */
#define LIMIT	120

#define KEEP	IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR

FIXTURE(pcisim_iommufd)
{
	struct tracked vf;
};

FIXTURE_VARIANT(pcisim_iommufd)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(pcisim_iommufd, plain)
{
	.driver = DRIVER_PLAIN,
};

FIXTURE_VARIANT_ADD(pcisim_iommufd, ours)
{
	.driver = DRIVER_OURS,
};

FIXTURE_SETUP(pcisim_iommufd)
{
	struct sim_config config = {
		.vfs = 1,
		.drivers = { variant->driver },
		.state_size = 4096,
		.chunk_size = SIM_CHUNK,
	};
	struct sim sim;

	sim_get(&sim, &config);
	if (!iommufd_exists(sim.vf[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	tracked_open(&self->vf, sim.vf[0]);
}

FIXTURE_TEARDOWN_PARENT(pcisim_iommufd)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(pcisim_iommufd, tracking_is_offered, LIMIT)
{
	uint64_t capabilities;

	iommufd_capabilities(&self->vf.iommufd, &capabilities);
	EXPECT_TRUE(capabilities & IOMMU_HW_CAP_DIRTY_TRACKING);
}

TEST_F_TIMEOUT(pcisim_iommufd, written_pages_are_dirty, LIMIT)
{
	uint64_t writes = sim_counter(self->vf.dev.address, "dma_writes");
	uint64_t first;

	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));
	/* only the device counts */
	memset(self->vf.memory, 0xff, AREA);
	memset(self->vf.memory, 0, AREA);
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));

	tracked_run(&self->vf, SOME);
	EXPECT_TRUE(engine_ring_holds(&self->vf.engine, 1, engine_next(&self->vf.engine)));
	EXPECT_LE(writes + SOME, sim_counter(self->vf.dev.address, "dma_writes"));
	EXPECT_LE(SOME / PAGE_WORDS, count(written(&self->vf, 1)));
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, 0)));
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));

	first = tracked_run(&self->vf, FEW);
	EXPECT_GT(count(written(&self->vf, 1)), count(written(&self->vf, first)));
	EXPECT_TRUE(match(written(&self->vf, first), dirty(&self->vf, 0)));
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));
}

TEST_F_TIMEOUT(pcisim_iommufd, reading_without_clearing, LIMIT)
{
	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	tracked_run(&self->vf, SOME);
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, KEEP)));
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, KEEP)));
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, 0)));
	EXPECT_EQ(0, count(dirty(&self->vf, KEEP)));
}

TEST_F_TIMEOUT(pcisim_iommufd, reading_a_part, LIMIT)
{
	uint64_t iova = ENGINE_IOVA + (RING_PAGE + 2) * PAGE;
	struct pages rest;
	uint64_t bits = 0;

	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	tracked_run(&self->vf, SOME);
	rest = written(&self->vf, 1);
	iommufd_dirty(&self->vf.iommufd, self->vf.table, 0, iova, 3 * PAGE, PAGE, &bits);
	EXPECT_EQ(7, bits);
	rest.bits[0] &= ~(7ULL << (RING_PAGE + 2));
	EXPECT_TRUE(match(rest, dirty(&self->vf, KEEP)));

	/* a coarse bitmap: the ring's first pages have been written, those before not */
	bits = 0;
	iommufd_dirty(&self->vf.iommufd, self->vf.table, 0, ENGINE_IOVA + (RING_PAGE - 4) * PAGE,
		      8 * PAGE, 4 * PAGE, &bits);
	EXPECT_EQ(2, bits);
}

TEST_F_TIMEOUT(pcisim_iommufd, tracking_begins_afresh, LIMIT)
{
	uint64_t first;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		/* iommufd keeps to itself that the IOMMU refuses, but there is nothing to see */
		tracked_run(&self->vf, FEW);
		EXPECT_EQ(0, count(dirty(&self->vf, 0)));
		iommufd_track(&self->vf.iommufd, self->vf.table, true);
		EXPECT_EQ(0, count(dirty(&self->vf, 0)));
		first = tracked_run(&self->vf, FEW);
		EXPECT_TRUE(match(written(&self->vf, first), dirty(&self->vf, KEEP)));
		/* what has not been read is forgotten */
		iommufd_track(&self->vf.iommufd, self->vf.table, false);
		EXPECT_EQ(0, count(dirty(&self->vf, 0)));
	}
}

TEST_F_TIMEOUT(pcisim_iommufd, refused_requests, LIMIT)
{
	struct iommufd *iommufd = &self->vf.iommufd;
	uint32_t other, table = self->vf.table;
	struct pages pages = { 0 };

	/* a table that was not made for it */
	iommufd_table(iommufd, 0, &other);
	EXPECT_EQ(-EOPNOTSUPP, __iommufd_track(iommufd, other, true));
	EXPECT_EQ(-EOPNOTSUPP, __iommufd_dirty(iommufd, other, 0, ENGINE_IOVA, AREA, PAGE,
					       pages.bits));
	EXPECT_EQ(-ENOENT, __iommufd_track(iommufd, 4711, true));
	EXPECT_EQ(-EOPNOTSUPP, __iommufd_table(iommufd, IOMMU_HWPT_ALLOC_NEST_PARENT, &other));

	iommufd_track(iommufd, table, true);
	tracked_run(&self->vf, FEW);
	EXPECT_EQ(-EOPNOTSUPP, __iommufd_dirty(iommufd, table, 2, ENGINE_IOVA, AREA, PAGE,
					       pages.bits));
	EXPECT_EQ(-EINVAL, __iommufd_dirty(iommufd, table, 0, ENGINE_IOVA + 8, AREA, PAGE,
					   pages.bits));
	EXPECT_EQ(-EINVAL, __iommufd_dirty(iommufd, table, 0, ENGINE_IOVA, AREA, 0, pages.bits));
	EXPECT_EQ(0, count(pages));
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, 0)));
}

/* As a migration does it: what is copied late enough is complete. */
TEST_F_TIMEOUT(pcisim_iommufd, copying_while_running, LIMIT)
{
	char *copy = calloc(AREA_PAGES, PAGE);
	unsigned int page, round;

	ASSERT_NE(NULL, copy);
	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	engine_start(&self->vf.engine, 0, 0);
	for (round = 0; round <= 20; round++) {
		struct pages pages;

		if (round == 20)
			engine_stop(&self->vf.engine);
		else
			engine_progress(&self->vf.engine, 200);
		pages = dirty(&self->vf, 0);
		if (round < 20)
			EXPECT_NE(0, count(pages));
		for (page = 0; page < AREA_PAGES; page++)
			if (has_page(&pages, page))
				memcpy(copy + page * PAGE, self->vf.memory + page * PAGE, PAGE);
	}
	EXPECT_EQ(0, memcmp(copy, self->vf.memory, AREA));
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));
	EXPECT_TRUE(engine_ring_holds(&self->vf.engine, 1, engine_next(&self->vf.engine)));
	free(copy);
}

static void expect_fault(struct __test_metadata *_metadata, struct tracked *vf, uint64_t faults)
{
	EXPECT_TRUE(wait_until(engine_get(&vf->engine, PCISIM_ENGINE_STATUS) &
			       PCISIM_ENGINE_STATUS_ERROR, SOON));
	EXPECT_TRUE(engine_is_quiet(&vf->engine));
	EXPECT_LT(faults, sim_counter(vf->dev.address, "dma_faults"));
	engine_stop(&vf->engine);
}

/* The engine goes on without a gap, and nothing of the past is dirty. */
static void expect_recovery(struct __test_metadata *_metadata, struct tracked *vf)
{
	uint64_t first;

	engine_clear_ring(&vf->engine);
	first = tracked_run(vf, FEW);
	EXPECT_TRUE(engine_ring_holds(&vf->engine, first, engine_next(&vf->engine)));
	EXPECT_TRUE(match(written(vf, first), dirty(vf, 0)));
}

TEST_F_TIMEOUT(pcisim_iommufd, unmapping_stops_dma, LIMIT)
{
	uint64_t faults = sim_counter(self->vf.dev.address, "dma_faults");

	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	tracked_start(&self->vf, FEW);
	iommufd_unmap(&self->vf.iommufd, ENGINE_IOVA, AREA);
	expect_fault(_metadata, &self->vf, faults);
	iommufd_map(&self->vf.iommufd, self->vf.memory, ENGINE_IOVA, AREA, READ_WRITE);
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));
	expect_recovery(_metadata, &self->vf);
}

TEST_F_TIMEOUT(pcisim_iommufd, detaching_stops_dma, LIMIT)
{
	uint64_t faults = sim_counter(self->vf.dev.address, "dma_faults");

	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	tracked_start(&self->vf, FEW);
	iommufd_detach(&self->vf.iommufd);
	expect_fault(_metadata, &self->vf, faults);
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, 0)));
	iommufd_attach(&self->vf.iommufd, self->vf.table);
	expect_recovery(_metadata, &self->vf);
}

TEST_F_TIMEOUT(pcisim_iommufd, read_only_pages_stay_clean, LIMIT)
{
	uint64_t faults = sim_counter(self->vf.dev.address, "dma_faults");

	iommufd_unmap(&self->vf.iommufd, ENGINE_IOVA, AREA);
	iommufd_map(&self->vf.iommufd, self->vf.memory, ENGINE_IOVA, AREA, IOMMU_IOAS_MAP_READABLE);
	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	engine_start(&self->vf.engine, 0, 0);
	expect_fault(_metadata, &self->vf, faults);
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));
	EXPECT_EQ(0, count(written(&self->vf, 1)));
	EXPECT_EQ(1, engine_next(&self->vf.engine));
}

TEST_F_TIMEOUT(pcisim_iommufd, migration_states, LIMIT)
{
	uint64_t next;

	if (!strcmp(variant->driver, DRIVER_PLAIN)) {
		EXPECT_EQ(-ENOTTY, __mig_state(&self->vf.dev));
		return;
	}
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->vf.dev));
	iommufd_track(&self->vf.iommufd, self->vf.table, true);
	tracked_start(&self->vf, FEW);
	mig_set_state(&self->vf.dev, STATE_STOP, NULL);
	EXPECT_EQ(STATE_STOP, mig_state(&self->vf.dev));
	EXPECT_TRUE(match(written(&self->vf, 1), dirty(&self->vf, 0)));
	EXPECT_TRUE(engine_is_quiet(&self->vf.engine));
	EXPECT_EQ(0, count(dirty(&self->vf, 0)));

	next = engine_next(&self->vf.engine);
	mig_set_state(&self->vf.dev, STATE_RUNNING, NULL);
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->vf.dev));
	engine_progress(&self->vf.engine, FEW);
	engine_stop(&self->vf.engine);
	EXPECT_TRUE(match(written(&self->vf, next), dirty(&self->vf, 0)));
	EXPECT_TRUE(engine_ring_holds(&self->vf.engine, 1, engine_next(&self->vf.engine)));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
