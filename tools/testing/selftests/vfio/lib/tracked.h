/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated VF behind iommufd, the engine's ring in the middle of mapped memory, and
 * the pages that the VF makes dirty.
 *
 * The engine's numbers only increase, so the memory itself tells which pages have been
 * written since some number was next. That is what bitmaps are compared with.
 */
#ifndef LIB_TRACKED_H
#define LIB_TRACKED_H

#include <endian.h>
#include <stdio.h>
#include <sys/mman.h>

#include "engine.h"
#include "iommufd.h"

#define PAGE		4096UL
#define PAGE_WORDS	(PAGE / sizeof(uint64_t))
#define READ_WRITE	(IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

/* The ring has pages around it that nobody writes, and shares its first and last one. */
#define AREA_PAGES	160
#define AREA		(AREA_PAGES * PAGE)
#define RING_OFFSET	(16 * PAGE + 256)
#define RING_PAGE	(RING_OFFSET / PAGE)

/**
 * struct tracked - an open VF
 * @dev: the VF
 * @iommufd: its IOMMU context
 * @engine: its engine, which nothing has been written by
 * @memory: the area, at ENGINE_IOVA
 * @table: identifier of its page table, which can track
 */
struct tracked {
	struct vfio_device dev;
	struct iommufd iommufd;
	struct engine engine;
	void *memory;
	uint32_t table;
};

struct pages {
	uint64_t bits[(AREA_PAGES + 63) / 64];
};

static inline void tracked_open(struct tracked *vf, const char *address)
{
	iommufd_open(&vf->iommufd, &vf->dev, address);
	vf->memory = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vf->memory == MAP_FAILED)
		fail("no memory");
	iommufd_map(&vf->iommufd, vf->memory, ENGINE_IOVA, AREA, READ_WRITE);
	iommufd_table(&vf->iommufd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &vf->table);
	iommufd_attach(&vf->iommufd, vf->table);
	vfio_map_bar(&vf->dev);
	vfio_bus_master(&vf->dev, true);
	vf->engine = (struct engine) {
		.dev = &vf->dev,
		.ring = vf->memory + RING_OFFSET,
		.entries = PCISIM_ENGINE_MAX_ENTRIES,
		.iova = ENGINE_IOVA + RING_OFFSET,
	};
}

/* Starts the engine, as fast as it can, and waits for @more numbers. Returns the first one. */
static inline uint64_t tracked_start(struct tracked *vf, uint64_t more)
{
	uint64_t first = engine_next(&vf->engine);

	engine_start(&vf->engine, 0, 0);
	engine_progress(&vf->engine, more);
	return first;
}

static inline uint64_t tracked_run(struct tracked *vf, uint64_t more)
{
	uint64_t first = tracked_start(vf, more);

	engine_stop(&vf->engine);
	return first;
}

/* What the IOMMU says. @flags: IOMMU_HWPT_GET_DIRTY_BITMAP_ */
static inline struct pages dirty(struct tracked *vf, uint32_t flags)
{
	struct pages pages = { 0 };

	iommufd_dirty(&vf->iommufd, vf->table, flags, ENGINE_IOVA, AREA, PAGE, pages.bits);
	return pages;
}

/* What the memory says: the pages that hold a number that is not below @first. */
static inline struct pages written(struct tracked *vf, uint64_t first)
{
	const uint64_t *words = vf->memory;
	struct pages pages = { 0 };
	unsigned int i;

	for (i = 0; i < AREA / sizeof(*words); i++)
		if (le64toh(words[i]) >= first)
			pages.bits[i / PAGE_WORDS / 64] |= 1ULL << i / PAGE_WORDS % 64;
	return pages;
}

static inline bool has_page(const struct pages *pages, unsigned int page)
{
	return pages->bits[page / 64] >> page % 64 & 1;
}

static inline unsigned int count(struct pages pages)
{
	unsigned int page, sum = 0;

	for (page = 0; page < AREA_PAGES; page++)
		sum += has_page(&pages, page);
	return sum;
}

/* Whether both are the same; prints the first difference. */
static inline bool match(struct pages expected, struct pages seen)
{
	unsigned int page;

	for (page = 0; page < AREA_PAGES; page++) {
		if (has_page(&expected, page) != has_page(&seen, page)) {
			fprintf(stderr, "# page %u is %s (%u pages, not %u)\n", page,
				has_page(&seen, page) ? "dirty" : "clean", count(seen),
				count(expected));
			return false;
		}
	}
	return true;
}

#endif /* LIB_TRACKED_H */
