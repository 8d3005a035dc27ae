// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking by the firmware of a VF: every page that the VF has written by DMA is
 * reported, and reported once.
 *
 * The tests also run with the in-tree driver where it exists, which shows that the
 * simulator's firmware is not shaped to our own. What only ours promises says so.
 */
#include <errno.h>
#include <sys/mman.h>

#include "dirty_vf.h"
#include "iommufd.h"
#include "module.h"

FIXTURE(offer)
{
	struct sim sim;
	struct vfio_device dev;
};

FIXTURE_SETUP(offer)
{
	dirty_get(&self->sim, DRIVER_OURS, &DIRTY_LIMITS);
	vfio_open(&self->dev, self->sim.vf[0]);
}

FIXTURE_TEARDOWN_PARENT(offer)
{
	sim_teardown(_metadata->exit_code);
}

/* The kernel has the bitmaps only together with iommufd. */
TEST_F_TIMEOUT(offer, with_iommufd_only, LIMIT)
{
	uint64_t size = DIRTY_PAGE, word = 0;

	EXPECT_EQ(iommufd_exists(self->dev.address), dirty_exists(&self->dev));
	if (dirty_exists(&self->dev))
		return;
	EXPECT_EQ(-ENOTTY, __dirty_start(&self->dev, &size, &whole, 1));
	EXPECT_EQ(-ENOTTY, __dirty_stop(&self->dev));
	EXPECT_EQ(-ENOTTY, __dirty_report(&self->dev, AREA_IOVA, DIRTY_PAGE, DIRTY_PAGE, &word));
	EXPECT_EQ(0, dirty_trackers(&self->sim));
}

/* Firmware that cannot track, or not in a way that we can use. */
TEST_F_TIMEOUT(offer, with_firmware_only, LIMIT)
{
	struct dirty_limits limits = DIRTY_LIMITS;

	vfio_close(&self->dev);
	limits.max_ranges = 0;
	dirty_get(&self->sim, DRIVER_OURS, &limits);
	vfio_open(&self->dev, self->sim.vf[0]);
	EXPECT_FALSE(dirty_exists(&self->dev));
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->dev));
}

FIXTURE(dirty)
{
	struct tracked_vf vf;
	struct bits expected;
};

FIXTURE_VARIANT(dirty)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(dirty, ours) { .driver = DRIVER_OURS };
FIXTURE_VARIANT_ADD(dirty, in_tree) { .driver = DRIVER_IN_TREE };

FIXTURE_SETUP(dirty)
{
	if (!module_exists(variant->driver))
		SKIP(return, "needs a kernel with MLX5_VFIO_PCI");
	dirty_get(&self->vf.sim, variant->driver, &DIRTY_LIMITS);
	if (!iommufd_exists(self->vf.sim.vf[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	vf_open(&self->vf, variant->driver);
}

FIXTURE_TEARDOWN_PARENT(dirty)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(dirty, written_pages_once, LIMIT)
{
	static const unsigned int pages[] = { 0, 1, 63, 64, 65, 500, 511, 512, 1022, 1023 };
	struct bits none = { { 0 } }, later = { { 0 } };
	unsigned int i;

	/* nobody is told of what was before */
	dirty_touch(&self->vf.dev, PAGE_IOVA(7), 1);
	EXPECT_EQ(DIRTY_PAGE, dirty_start(&self->vf.dev, &whole, 1));
	EXPECT_EQ(1, dirty_trackers(&self->vf.sim));
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		touch_page(&self->vf, &self->expected, pages[i]);
	expect_report(_metadata, &self->vf, &self->expected);
	expect_report(_metadata, &self->vf, &none);
	touch_page(&self->vf, &later, 64);
	touch_page(&self->vf, &later, 900);
	expect_report(_metadata, &self->vf, &later);
	dirty_stop(&self->vf.dev);
	EXPECT_EQ(0, dirty_trackers(&self->vf.sim));
}

/* What was set in the bitmap stays. */
TEST_F_TIMEOUT(dirty, bits_are_added, LIMIT)
{
	struct bits seen = { { 0 } };

	dirty_start(&self->vf.dev, &whole, 1);
	touch_page(&self->vf, &self->expected, 70);
	dirty_mark(seen.words, 3);
	dirty_mark(self->expected.words, 3);
	dirty_report(&self->vf.dev, AREA_IOVA, AREA, DIRTY_PAGE, seen.words);
	EXPECT_TRUE(dirty_match(self->expected.words, seen.words, AREA_PAGES));
}

TEST_F_TIMEOUT(dirty, pages_of_the_engine, LIMIT)
{
	struct engine engine;
	unsigned int i;

	engine_on(&engine, &self->vf);
	dirty_start(&self->vf.dev, &whole, 1);
	for (i = 0; i < 5; i++) {
		uint64_t first = engine_next(&engine);

		engine_start(&engine, 0, 0);
		engine_progress(&engine, 2000);
		engine_stop(&engine);
		self->expected = pages_since(&self->vf, first);
		expect_report(_metadata, &self->vf, &self->expected);
	}
}

/* Reports while the VF writes: nothing gets lost in between. */
TEST_F_TIMEOUT(dirty, reports_of_a_busy_vf, LIMIT)
{
	struct bits sum = { { 0 } };
	struct engine engine;
	unsigned int i;

	engine_on(&engine, &self->vf);
	dirty_start(&self->vf.dev, &whole, 1);
	engine_start(&engine, 0, 0);
	for (i = 0; i < 20; i++)
		dirty_report(&self->vf.dev, AREA_IOVA, AREA, DIRTY_PAGE, sum.words);
	engine_progress(&engine, 100);
	engine_stop(&engine);
	dirty_report(&self->vf.dev, AREA_IOVA, AREA, DIRTY_PAGE, sum.words);
	self->expected = pages_since(&self->vf, 1);
	EXPECT_TRUE(dirty_match(self->expected.words, sum.words, AREA_PAGES));
}

TEST_F_TIMEOUT(dirty, several_ranges, LIMIT)
{
	static const struct dirty_range ranges[] = {
		{ PAGE_IOVA(10), 20 * DIRTY_PAGE },
		{ PAGE_IOVA(300), DIRTY_PAGE },
		{ PAGE_IOVA(1000), 24 * DIRTY_PAGE },
	};
	unsigned int i;

	dirty_start(&self->vf.dev, ranges, ARRAY_SIZE(ranges));
	dirty_touch(&self->vf.dev, AREA_IOVA, AREA_PAGES);
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		uint64_t page, pages = ranges[i].length / DIRTY_PAGE;
		struct bits seen = { { 0 } }, all = { { 0 } };

		for (page = 0; page < pages; page++)
			dirty_mark(all.words, page);
		dirty_report(&self->vf.dev, ranges[i].iova, ranges[i].length, DIRTY_PAGE,
			     seen.words);
		EXPECT_TRUE(dirty_match(all.words, seen.words, AREA_PAGES));
	}
}

/* More than the firmware takes: nothing that was asked for is left out. */
TEST_F_TIMEOUT(dirty, many_ranges, LIMIT)
{
	struct dirty_range ranges[200];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges[i] = (struct dirty_range) { PAGE_IOVA(5 * i + i % 3), DIRTY_PAGE };
	dirty_start(&self->vf.dev, ranges, ARRAY_SIZE(ranges));
	dirty_touch(&self->vf.dev, AREA_IOVA, AREA_PAGES);
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		uint64_t word = 0;

		dirty_report(&self->vf.dev, ranges[i].iova, DIRTY_PAGE, DIRTY_PAGE, &word);
		EXPECT_EQ(1, word) TH_LOG("range %u", i);
	}
}

TEST_F_TIMEOUT(dirty, parts_of_a_range, LIMIT)
{
	struct bits seen = { { 0 } };

	dirty_start(&self->vf.dev, &whole, 1);
	dirty_touch(&self->vf.dev, PAGE_IOVA(100), 3);
	dirty_report(&self->vf.dev, PAGE_IOVA(64), 37 * DIRTY_PAGE, DIRTY_PAGE, seen.words);
	EXPECT_EQ(1ULL << 36, seen.words[0]);
	/* the others are still there */
	dirty_mark(self->expected.words, 101);
	dirty_mark(self->expected.words, 102);
	expect_report(_metadata, &self->vf, &self->expected);
}

/* One bit for 64 KiB. */
TEST_F_TIMEOUT(dirty, coarse_bitmap, LIMIT)
{
	struct bits seen = { { 0 } };

	dirty_start(&self->vf.dev, &whole, 1);
	dirty_touch(&self->vf.dev, PAGE_IOVA(17), 1);
	dirty_touch(&self->vf.dev, PAGE_IOVA(1008), 16);
	dirty_report(&self->vf.dev, AREA_IOVA, AREA, 16 * DIRTY_PAGE, seen.words);
	EXPECT_EQ(1ULL << 1 | 1ULL << 63, seen.words[0]);
	EXPECT_EQ(0, seen.words[1]);
}

/* What is used may differ from what is wanted, and is said. */
TEST_F_TIMEOUT(dirty, page_sizes, LIMIT)
{
	static const struct {
		uint64_t wanted;
		uint64_t used;
	} sizes[] = {
		{ 512, DIRTY_PAGE }, { DIRTY_PAGE, DIRTY_PAGE }, { 64 << 10, 64 << 10 },
		{ HUGE, HUGE }, { 2 * HUGE, HUGE },
	};
	unsigned int i, page;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t size = sizes[i].wanted;
		struct bits seen;

		memset(&self->expected, 0, sizeof(self->expected));
		ASSERT_EQ(0, __dirty_start(&self->vf.dev, &size, &whole, 1));
		EXPECT_EQ(sizes[i].used, size);
		dirty_touch(&self->vf.dev, PAGE_IOVA(600), 1);
		for (page = 0; page < AREA_PAGES; page++)
			if (page / (size / DIRTY_PAGE) == 600 / (size / DIRTY_PAGE))
				dirty_mark(self->expected.words, page);
		seen = report_all(&self->vf);
		EXPECT_TRUE(dirty_match(self->expected.words, seen.words, AREA_PAGES))
			TH_LOG("pages of %llu", (unsigned long long)size);
		dirty_stop(&self->vf.dev);
	}
}

TEST_F_TIMEOUT(dirty, start_and_stop, LIMIT)
{
	uint64_t size = DIRTY_PAGE, word = 0;
	struct bits none = { { 0 } };

	EXPECT_EQ(0, __dirty_stop(&self->vf.dev));
	EXPECT_EQ(-EINVAL, __dirty_report(&self->vf.dev, AREA_IOVA, DIRTY_PAGE, DIRTY_PAGE,
					  &word));
	dirty_start(&self->vf.dev, &whole, 1);
	EXPECT_EQ(-EINVAL, __dirty_start(&self->vf.dev, &size, &whole, 1));
	touch_page(&self->vf, &self->expected, 12);
	expect_report(_metadata, &self->vf, &self->expected);
	dirty_touch(&self->vf.dev, PAGE_IOVA(13), 1);
	dirty_stop(&self->vf.dev);
	EXPECT_EQ(-EINVAL, __dirty_report(&self->vf.dev, AREA_IOVA, DIRTY_PAGE, DIRTY_PAGE,
					  &word));
	EXPECT_EQ(0, word);
	/* a new beginning */
	dirty_start(&self->vf.dev, &whole, 1);
	expect_report(_metadata, &self->vf, &none);
}

TEST_F_TIMEOUT(dirty, many_times, LIMIT)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		dirty_start(&self->vf.dev, &whole, 1);
		touch_page(&self->vf, &self->expected, i);
		expect_report(_metadata, &self->vf, &self->expected);
		dirty_stop(&self->vf.dev);
		memset(&self->expected, 0, sizeof(self->expected));
	}
}

TEST_F_TIMEOUT(dirty, bad_arguments, LIMIT)
{
	static const struct dirty_range overlap[] = {
		{ PAGE_IOVA(0), 8 * DIRTY_PAGE }, { PAGE_IOVA(7), 8 * DIRTY_PAGE },
	};
	struct tracked_vf *vf = &self->vf;
	uint64_t size = DIRTY_PAGE, word = 0;
	struct dirty_range many[300];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct dirty_range) { PAGE_IOVA(2 * i), DIRTY_PAGE };
	EXPECT_EQ(-EINVAL, __dirty_start(&vf->dev, &size, many, 0));
	EXPECT_EQ(-E2BIG, __dirty_start(&vf->dev, &size, many, ARRAY_SIZE(many)));
	EXPECT_EQ(-EFAULT, __dirty_start(&vf->dev, &size, NULL, 1));
	EXPECT_EQ(-EINVAL, __dirty_start(&vf->dev, &size, overlap, ARRAY_SIZE(overlap)));
	EXPECT_EQ(-EINVAL, start_with(vf, DIRTY_PAGE, AREA_IOVA + 1, DIRTY_PAGE));
	EXPECT_EQ(-EINVAL, start_with(vf, DIRTY_PAGE, AREA_IOVA, DIRTY_PAGE + 512));
	EXPECT_EQ(-EOVERFLOW, start_with(vf, DIRTY_PAGE, -DIRTY_PAGE, 2 * DIRTY_PAGE));
	/* more than the firmware's tables can hold */
	EXPECT_EQ(-EOPNOTSUPP, start_with(vf, DIRTY_PAGE, 0, 1ULL << 53));
	EXPECT_EQ(0, dirty_trackers(&vf->sim));

	dirty_start(&vf->dev, &whole, 1);
	EXPECT_EQ(-EINVAL, __dirty_report(&vf->dev, AREA_IOVA, DIRTY_PAGE, 2048, &word));
	EXPECT_EQ(-EINVAL, __dirty_report(&vf->dev, AREA_IOVA, DIRTY_PAGE, 3 * 4096, &word));
	EXPECT_EQ(-EOVERFLOW, __dirty_report(&vf->dev, -DIRTY_PAGE, 2 * DIRTY_PAGE, DIRTY_PAGE,
					     &word));
	touch_page(vf, &self->expected, 1);
	expect_report(_metadata, vf, &self->expected);
}

/* Two reports at once: each page is in one of them. */
TEST_F_TIMEOUT(dirty, two_reports, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct worker worker;
	unsigned int i, page;

	dirty_start(&vf->dev, &whole, 1);
	for (i = 0; i < 10; i++) {
		struct bits seen = { { 0 } };

		dirty_touch(&vf->dev, PAGE_IOVA(i * 100), 90);
		memset(&self->expected, 0, sizeof(self->expected));
		memset(&worker_bits, 0, sizeof(worker_bits));
		for (page = 0; page < 90; page++)
			dirty_mark(self->expected.words, i * 100 + page);
		worker_start(&worker, report_in_worker, &vf->dev);
		dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE, seen.words);
		worker_join(&worker, LATER);
		ASSERT_EQ(0, worker.result);
		for (page = 0; page < AREA_WORDS; page++) {
			EXPECT_EQ(0, seen.words[page] & worker_bits.words[page]);
			seen.words[page] |= worker_bits.words[page];
		}
		EXPECT_TRUE(dirty_match(self->expected.words, seen.words, AREA_PAGES));
	}
}

/* Tracking goes on through a migration; the last report is that of the stopped VF. */
TEST_F_TIMEOUT(dirty, migration_while_tracking, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	struct blob blob = { 0 };
	struct engine engine;
	struct bits sum = { { 0 } };

	engine_on(&engine, vf);
	dirty_start(&vf->dev, &whole, 1);
	engine_start(&engine, 0, 0);
	engine_progress(&engine, 500);
	dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE, sum.words);
	mig_save(&vf->dev, &blob, MIB);
	dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE, sum.words);
	self->expected = pages_since(vf, 1);
	EXPECT_TRUE(dirty_match(self->expected.words, sum.words, AREA_PAGES));
	mig_load(&vf->dev, &blob, MIB);
	mig_set_state(&vf->dev, STATE_RUNNING, NULL);
	engine_progress(&engine, 100);
	engine_stop(&engine);
	dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE, sum.words);
	self->expected = pages_since(vf, 1);
	EXPECT_TRUE(dirty_match(self->expected.words, sum.words, AREA_PAGES));
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

/* VFIO itself lets these pass. */
TEST_F_TIMEOUT(ours, bad_arguments, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	uint64_t word = 0;

	EXPECT_EQ(-EINVAL, start_with(vf, 0, 0, 0));
	EXPECT_EQ(-EINVAL, start_with(vf, 3 * DIRTY_PAGE, 0, 3 * DIRTY_PAGE));
	EXPECT_EQ(-EINVAL, start_with(vf, DIRTY_PAGE, AREA_IOVA, 0));
	EXPECT_EQ(-EINVAL, start_with(vf, DIRTY_PAGE, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, start_with(vf, 1ULL << 63, 0, 1ULL << 63));
	EXPECT_EQ(0, dirty_trackers(&vf->sim));

	ASSERT_EQ(0, start_with(vf, 64 << 10, AREA_IOVA, AREA / 2));
	dirty_touch(&vf->dev, PAGE_IOVA(16), 1);
	/* neither of these takes the page away */
	EXPECT_EQ(-EINVAL, __dirty_report(&vf->dev, PAGE_IOVA(16), 0, DIRTY_PAGE, &word));
	EXPECT_EQ(-EINVAL, __dirty_report(&vf->dev, PAGE_IOVA(16), DIRTY_PAGE, DIRTY_PAGE, &word));
	EXPECT_EQ(-EINVAL, __dirty_report(&vf->dev, PAGE_IOVA(17), 16 * DIRTY_PAGE, DIRTY_PAGE,
					  &word));
	EXPECT_EQ(-EINVAL, __dirty_report(&vf->dev, AREA_IOVA, AREA, 64 << 10, &word));
	EXPECT_EQ(0, word);
	EXPECT_EQ(0, __dirty_report(&vf->dev, PAGE_IOVA(16), 16 * DIRTY_PAGE, DIRTY_PAGE, &word));
	EXPECT_EQ(0xffff, word);
}

/* Ranges that are no whole pages of the firmware are tracked with all around them. */
TEST_F_TIMEOUT(ours, edges_are_tracked, LIMIT)
{
	struct tracked_vf *vf = &self->vf;
	uint64_t word = 0;

	ASSERT_EQ(0, start_with(vf, 512, PAGE_IOVA(5) + 512, DIRTY_PAGE));
	dirty_touch(&vf->dev, PAGE_IOVA(6) + 8, 1);
	EXPECT_EQ(0, __dirty_report(&vf->dev, PAGE_IOVA(5), 2 * DIRTY_PAGE, DIRTY_PAGE, &word));
	EXPECT_EQ(2, word);
}

/* Messages of a page, and more pages than a ring of them holds. */
FIXTURE(overflow)
{
	struct tracked_vf vf;
};

FIXTURE_VARIANT(overflow)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(overflow, ours) { .driver = DRIVER_OURS };
FIXTURE_VARIANT_ADD(overflow, in_tree) { .driver = DRIVER_IN_TREE };

FIXTURE_SETUP(overflow)
{
	struct dirty_limits limits = DIRTY_LIMITS;

	if (!module_exists(variant->driver))
		SKIP(return, "needs a kernel with MLX5_VFIO_PCI");
	limits.log_max_message = 12;
	dirty_get(&self->vf.sim, variant->driver, &limits);
	if (!iommufd_exists(self->vf.sim.vf[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	vf_open(&self->vf, variant->driver);
}

FIXTURE_TEARDOWN_PARENT(overflow)
{
	sim_teardown(_metadata->exit_code);
}

#define MANY_IOVA	0x80000000ULL
/* A message holds 511, ours has places for 16. */
#define MANY_PAGES	9000ULL

TEST_F_TIMEOUT(overflow, nothing_is_lost, 2 * LIMIT)
{
	static const struct dirty_range range = { MANY_IOVA, MANY_PAGES * DIRTY_PAGE };
	static uint64_t expected[MANY_PAGES / 64 + 1], seen[MANY_PAGES / 64 + 1];
	struct tracked_vf *vf = &self->vf;
	unsigned int round;
	uint64_t page;
	void *memory;

	memory = mmap(NULL, range.length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	vfio_dma_map(&vf->dev, memory, MANY_IOVA, range.length, DMA_READ_WRITE);
	dirty_start(&vf->dev, &range, 1);
	for (page = 0; page < MANY_PAGES; page++)
		dirty_mark(expected, page);
	for (round = 0; round < 3; round++) {
		dirty_touch(&vf->dev, MANY_IOVA, MANY_PAGES);
		memset(seen, 0, sizeof(seen));
		dirty_report(&vf->dev, MANY_IOVA, range.length, DIRTY_PAGE, seen);
		EXPECT_TRUE(dirty_match(expected, seen, MANY_PAGES));
	}
	memset(expected, 0, sizeof(expected));
	memset(seen, 0, sizeof(seen));
	dirty_report(&vf->dev, MANY_IOVA, range.length, DIRTY_PAGE, seen);
	EXPECT_TRUE(dirty_match(expected, seen, MANY_PAGES));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
