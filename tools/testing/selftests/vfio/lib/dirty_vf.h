/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VF whose DMA is tracked, with an area of memory that it can write to.
 *
 * The engine's numbers only increase, and touched pages are known: so the tests know
 * exactly which pages a report has to contain.
 */
#ifndef LIB_DIRTY_VF_H
#define LIB_DIRTY_VF_H

#include <endian.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "dirty.h"
#include "engine.h"
#include "migration.h"
#include "worker.h"

#define AREA_IOVA	0x40000000ULL
#define AREA_PAGES	1024ULL
#define AREA		(AREA_PAGES * DIRTY_PAGE)
#define AREA_WORDS	(AREA_PAGES / 64)

#define PAGE_IOVA(page)	(AREA_IOVA + (page) * DIRTY_PAGE)
#define HUGE		(2 * MIB)

/* Seconds; a kernel with checkers is slow. */
#define LIMIT		60

static const struct dirty_range whole __attribute__((unused)) = {
	.iova = AREA_IOVA,
	.length = AREA,
};

/* A bit for each page of the area. */
struct bits {
	uint64_t words[AREA_WORDS];
};

/**
 * struct tracked_vf - an open VF
 * @sim: its host
 * @dev: the VF
 * @memory: the area, at AREA_IOVA
 * @ours: it is driven by our own driver
 */
struct tracked_vf {
	struct sim sim;
	struct vfio_device dev;
	void *memory;
	bool ours;
};

static inline void vf_open(struct tracked_vf *vf, const char *driver)
{
	vfio_open(&vf->dev, vf->sim.vf[0]);
	vfio_bus_master(&vf->dev, true);
	vf->ours = !strcmp(driver, DRIVER_OURS);
	vf->memory = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vf->memory == MAP_FAILED)
		fail("no memory");
	vfio_dma_map(&vf->dev, vf->memory, AREA_IOVA, AREA, DMA_READ_WRITE);
}

static inline void touch_page(struct tracked_vf *vf, struct bits *expected, uint64_t page)
{
	dirty_touch(&vf->dev, PAGE_IOVA(page), 1);
	dirty_mark(expected->words, page);
}

static inline struct bits report_all(struct tracked_vf *vf)
{
	struct bits bits = { { 0 } };

	dirty_report(&vf->dev, AREA_IOVA, AREA, DIRTY_PAGE, bits.words);
	return bits;
}

static inline void expect_report(struct __test_metadata *_metadata, struct tracked_vf *vf,
				 const struct bits *expected)
{
	struct bits seen = report_all(vf);

	EXPECT_TRUE(dirty_match(expected->words, seen.words, AREA_PAGES));
}

/* The engine's numbers tell which pages of its ring were written since some number. */
static inline struct bits pages_since(struct tracked_vf *vf, uint64_t first)
{
	const uint64_t *words = vf->memory;
	struct bits bits = { { 0 } };
	unsigned int i;

	for (i = 0; i < AREA / sizeof(*words); i++)
		if (le64toh(words[i]) >= first)
			dirty_mark(bits.words, i * sizeof(*words) / DIRTY_PAGE);
	return bits;
}

static inline void engine_on(struct engine *engine, struct tracked_vf *vf)
{
	vfio_map_bar(&vf->dev);
	*engine = (struct engine) {
		.dev = &vf->dev,
		.ring = vf->memory,
		.entries = PCISIM_ENGINE_MAX_ENTRIES,
		.iova = AREA_IOVA,
	};
}

static inline int start_with(struct tracked_vf *vf, uint64_t size, uint64_t iova, uint64_t length)
{
	const struct dirty_range range = { iova, length };

	return __dirty_start(&vf->dev, &size, &range, 1);
}

/* What report_in_worker() has been told of. */
static struct bits worker_bits __attribute__((unused));

static inline long report_in_worker(void *argument)
{
	return __dirty_report(argument, AREA_IOVA, AREA, DIRTY_PAGE, worker_bits.words);
}

static inline void start_stalled_report(struct tracked_vf *vf, struct worker *worker)
{
	dirty_stall(&vf->sim, true);
	worker_start(worker, report_in_worker, &vf->dev);
	usleep(300000);
	if (worker_is_done(worker))
		fail("the report does not wait: %ld", worker->result);
}

static inline void expect_restart(struct __test_metadata *_metadata, struct tracked_vf *vf)
{
	struct bits expected = { { 0 } };

	EXPECT_EQ(0, __dirty_stop(&vf->dev));
	EXPECT_EQ(0, dirty_trackers(&vf->sim));
	dirty_start(&vf->dev, &whole, 1);
	touch_page(vf, &expected, 9);
	expect_report(_metadata, vf, &expected);
	dirty_stop(&vf->dev);
}

#endif /* LIB_DIRTY_VF_H */
