// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a report of the pages takes that a VF has written by DMA, with our driver and with
 * the kernel's own. Only kernels with IOMMUFD have such reports.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "adapters.h"
#include "bench.h"
#include "device.h"
#include "dirty.h"
#include "file.h"
#include "measure.h"
#include "migration.h"

#define ROUNDS		5
#define AREA_IOVA	0x40000000ULL
#define AREA		(1024 * MIB)
#define AREA_PAGES	(AREA / DIRTY_PAGE)
/* The same memory again and again, as only addresses matter. */
#define MEMORY		(16 * MIB)
/* Of so many pages one is dirty, in a sparse bitmap. */
#define SPARSE		256

enum { EMPTY, SPARSELY, FULL, FILLS };

/**
 * struct fill - how much of the area is dirty
 * @name: in the table
 * @step: every how many pages, 0 for none
 * @us: what a report took in each round, for each driver
 */
struct fill {
	const char *name;
	unsigned int step;
	struct series us[ADAPTER_DRIVERS];
};

static struct fill fills[FILLS] = {
	[EMPTY] = { .name = "no page dirty" },
	[SPARSELY] = { .name = "a page of 256 dirty", .step = SPARSE },
	[FULL] = { .name = "all pages dirty", .step = 1 },
};

static void map_area(struct vfio_device *vf, void *memory)
{
	uint64_t offset;

	for (offset = 0; offset < AREA; offset += MEMORY)
		vfio_dma_map(vf, memory, AREA_IOVA + offset, MEMORY, DMA_READ_WRITE);
}

static void touch(struct vfio_device *vf, unsigned int step)
{
	uint64_t page;

	if (step == 1)
		dirty_touch(vf, AREA_IOVA, AREA_PAGES);
	for (page = 0; step > 1 && page < AREA_PAGES; page += step)
		dirty_touch(vf, AREA_IOVA + page * DIRTY_PAGE, 1);
}

static void verify(const uint64_t *bits, unsigned int step)
{
	uint64_t page;

	for (page = 0; page < AREA_PAGES; page++)
		if (dirty_bit(bits, page) != (step && !(page % step)))
			fail("page %llu is reported wrongly", (unsigned long long)page);
}

static void measure_fill(struct vfio_device *vf, struct fill *fill, enum adapter_driver driver,
			 uint64_t *bits)
{
	uint64_t start;

	memset(bits, 0, AREA_PAGES / 8);
	touch(vf, fill->step);
	start = now_us();
	dirty_report(vf, AREA_IOVA, AREA, DIRTY_PAGE, bits);
	series_add(&fill->us[driver], now_us() - start);
	verify(bits, fill->step);
}

static void measure_driver(const struct adapters *adapters, enum adapter_driver driver,
			   void *memory, uint64_t *bits)
{
	static const struct dirty_range area = { AREA_IOVA, AREA };
	struct vfio_device vf;
	unsigned int i;

	adapters_bind(adapters, driver, 1);
	vfio_open(&vf, adapters->source.vf[0]);
	vfio_bus_master(&vf, true);
	map_area(&vf, memory);
	dirty_start(&vf, &area, 1);
	for (i = 0; i < FILLS; i++)
		measure_fill(&vf, &fills[i], driver, bits);
	dirty_stop(&vf);
	vfio_close(&vf);
}

static void report_fill(const struct fill *fill)
{
	struct series ratio = { 0 };
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		series_add(&ratio, fill->us[OURS].values[i] / fill->us[IN_TREE].values[i]);
	table_add(path("report of 1 GiB, %s : the in-tree driver's", fill->name), "", &ratio,
		  (struct target){ NO_TARGET });
	table_add("the same, ours", " us", &fill->us[OURS],
		  (struct target){ NO_TARGET });
	table_add("the same, in-tree driver", " us", &fill->us[IN_TREE],
		  (struct target){ NO_TARGET });
}

void bench_dirty(void)
{
	void *memory = speed_memory(MEMORY);
	uint64_t *bits = speed_memory(AREA_PAGES / 8);
	struct adapters adapters;
	unsigned int i;

	adapters_make(&adapters, SIM_CHUNK);
	for (i = 0; i < ROUNDS; i++) {
		measure_driver(&adapters, IN_TREE, memory, bits);
		measure_driver(&adapters, OURS, memory, bits);
	}
	adapters_remove();
	munmap(bits, AREA_PAGES / 8);
	munmap(memory, MEMORY);
	for (i = 0; i < FILLS; i++)
		report_fill(&fills[i]);
}
