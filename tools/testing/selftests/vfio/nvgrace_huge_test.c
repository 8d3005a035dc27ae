// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GPU's memory in pages of 1 GiB: one fault maps so much where address, memory and size
 * of the mapping allow it, else it is smaller pages, and it is always the right memory.
 *
 * How large a page is, is seen by the faults that it takes to touch what it covers.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "nvgrace.h"
#include "touch.h"

#define PAGE		4096UL
#define MIB		(1UL << 20)
#define GIB		(1UL << 30)
#define HUGE_PAGE	(2 * MIB)
/* Other faults of the process may be among those that are counted. */
#define FEW		8

FIXTURE(huge)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
};

FIXTURE_VARIANT(huge)
{
	struct gpu_config gpu;
	unsigned int index;
	uint64_t start;		/* of the region in the memory */
	uint64_t length;
};

FIXTURE_VARIANT_ADD(huge, usemem) {
	.gpu = { .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .memory_size = 2 * GIB },
	.index = USEMEM,
	.length = 2 * GIB,
};

FIXTURE_VARIANT_ADD(huge, resmem) {
	.gpu = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE, .memory_size = 3 * GIB + 4 * MIB },
	.index = RESMEM,
	.start = 2 * GIB,
	.length = GIB + 4 * MIB,
};

FIXTURE_SETUP(huge)
{
	touch_prepare();
	gpu_get(&self->host, &variant->gpu, 1);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	nvgrace_region(&self->dev, variant->index, &self->region);
	ASSERT_EQ(variant->length, self->region.length);
	ASSERT_EQ(0, (gpu_memory_base(self->dev.address) + variant->start) % GIB);
}

FIXTURE_TEARDOWN_PARENT(huge)
{
	sim_teardown(_metadata->exit_code);
}

/* Touches a byte of each huge page in a GiB, returns how many faults that took. */
static long faults_of_gibibyte(const char *map)
{
	return touch_faults(map, GIB, HUGE_PAGE);
}

static bool is_one_page(const char *map)
{
	long faults = faults_of_gibibyte(map);

	return faults >= 1 && faults < FEW && faults_of_gibibyte(map) < FEW;
}

TEST_F(huge, one_fault)
{
	char *map = nvgrace_map(&self->region, 0, variant->length, GIB);
	uint64_t at;

	for (at = 0; at + GIB <= variant->length; at += GIB)
		EXPECT_TRUE(is_one_page(map + at)) TH_LOG("at %#llx", (unsigned long long)at);
}

static void expect_smaller(struct __test_metadata *_metadata, const char *map)
{
	long faults = faults_of_gibibyte(map);

	EXPECT_LE(GIB / HUGE_PAGE, faults) TH_LOG("%ld faults", faults);
	EXPECT_GT(GIB / HUGE_PAGE + FEW, faults) TH_LOG("%ld faults", faults);
}

/* The mapping begins where it should not, or ends too early; huge pages are left. */
TEST_F(huge, does_not_fit)
{
	char *room = mmap(NULL, 3 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *map = (char *)(((uintptr_t)room + GIB - 1) & ~(GIB - 1)) + HUGE_PAGE;

	ASSERT_NE(MAP_FAILED, room);
	/* an address that is no multiple of a GiB */
	ASSERT_EQ(map, mmap(map, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    self->dev.device, self->region.offset));
	expect_smaller(_metadata, map);
	munmap(room, 3 * GIB);
	/* a mapping that ends a page before the end of the GiB; its last part is small pages */
	map = nvgrace_map(&self->region, 0, GIB - PAGE, GIB);
	EXPECT_LE(GIB / HUGE_PAGE, faults_of_gibibyte(map));
	munmap(map, GIB - PAGE);
}

/* Memory that begins elsewhere in its GiB than the mapping does. */
TEST_F(huge, other_part_of_the_memory)
{
	char *map = nvgrace_map(&self->region, HUGE_PAGE, GIB, GIB);

	expect_smaller(_metadata, map);
}

/* Words at the beginning, at the edges of smaller pages, and at the end. */
static const uint64_t places[] = {
	0, PAGE - 4, PAGE, HUGE_PAGE - 4, HUGE_PAGE, 512 * MIB,
	GIB - HUGE_PAGE, GIB - PAGE, GIB - 4,
};

TEST_F(huge, is_the_right_memory)
{
	char *map = nvgrace_map(&self->region, 0, variant->length, GIB);
	uint32_t value, seen;
	uint64_t at, i;

	for (at = 0; at + GIB <= variant->length; at += GIB)
		ASSERT_TRUE(is_one_page(map + at));
	for (i = 0; i < ARRAY_SIZE(places) * (variant->length / GIB); i++) {
		at = i / ARRAY_SIZE(places) * GIB + places[i % ARRAY_SIZE(places)];
		value = 0xabcd0000 + i;
		ASSERT_TRUE(touch_write((uint32_t *)(map + at), value));
		gpu_read(self->dev.address, variant->start + at, &seen, 4);
		EXPECT_EQ(value, seen) TH_LOG("at %#llx", (unsigned long long)at);
		EXPECT_EQ(4, nvgrace_read(&self->region, at, &seen, 4));
		EXPECT_EQ(value, seen);
		value = ~value;
		EXPECT_EQ(4, nvgrace_write(&self->region, at, &value, 4));
		ASSERT_TRUE(touch_read((uint32_t *)(map + at), &seen));
		EXPECT_EQ(value, seen);
	}
	/* all at once: none was in place of another one */
	for (i = 0; i < ARRAY_SIZE(places) * (variant->length / GIB); i++) {
		at = i / ARRAY_SIZE(places) * GIB + places[i % ARRAY_SIZE(places)];
		ASSERT_TRUE(touch_read((uint32_t *)(map + at), &seen));
		EXPECT_EQ(~(0xabcd0000 + (uint32_t)i), seen);
	}
}

TEST_F(huge, is_taken_away)
{
	static const enum nvgrace_reset resets[] = {
		NVGRACE_RESET_VFIO, NVGRACE_RESET_CONFIG, NVGRACE_RESET_SYSFS,
	};
	char *map = nvgrace_map(&self->region, 0, GIB, GIB);
	uint32_t *middle = (uint32_t *)(map + 512 * MIB);
	uint32_t value, i;

	ASSERT_TRUE(touch_write(middle, 0x5eed));
	EXPECT_GT(FEW, faults_of_gibibyte(map));
	nvgrace_enable(&self->dev, false);
	EXPECT_FALSE(touch_read((uint32_t *)map, &value));
	EXPECT_FALSE(touch_read((uint32_t *)(map + GIB - PAGE), &value));
	nvgrace_enable(&self->dev, true);
	EXPECT_TRUE(is_one_page(map));
	/* after each of these it takes a fault again */
	for (i = 0; i < ARRAY_SIZE(resets); i++) {
		nvgrace_reset(&self->dev, resets[i]);
		nvgrace_enable(&self->dev, true);
		EXPECT_TRUE(is_one_page(map)) TH_LOG("reset %u", i);
		ASSERT_TRUE(touch_read(middle, &value));
		EXPECT_EQ(0x5eed, value);
	}
}

/* What a mapping of a GiB has left between two places where it was cut. */
static void expect_rest(struct __test_metadata *_metadata, char *map, size_t from, size_t to)
{
	uint32_t value;

	ASSERT_TRUE(touch_read((uint32_t *)(map + 512 * MIB), &value));
	EXPECT_EQ(0x7, value);
	ASSERT_TRUE(touch_read((uint32_t *)(map + from), &value));
	EXPECT_EQ(0x8, value);
	ASSERT_TRUE(touch_read((uint32_t *)(map + to - 4), &value));
	EXPECT_EQ(0x9, value);
}

/* Who has mapped it takes parts of it away, and the rest goes on. */
TEST_F(huge, cut)
{
	const size_t from = HUGE_PAGE + PAGE, to = GIB - PAGE;
	char *map = nvgrace_map(&self->region, 0, GIB, GIB);

	ASSERT_TRUE(touch_write((uint32_t *)(map + 512 * MIB), 0x7));
	ASSERT_TRUE(touch_write((uint32_t *)(map + from), 0x8));
	ASSERT_TRUE(touch_write((uint32_t *)(map + to - 4), 0x9));
	ASSERT_TRUE(faults_of_gibibyte(map) < FEW);
	ASSERT_EQ(0, munmap(map, from));
	expect_rest(_metadata, map, from, to);
	ASSERT_EQ(0, munmap(map + to, PAGE));
	expect_rest(_metadata, map, from, to);
}

/* The same with permissions: what may not be written in its middle is still there. */
TEST_F(huge, partly_read_only)
{
	char *map = nvgrace_map(&self->region, 0, GIB, GIB);
	const size_t at = 512 * MIB;

	ASSERT_TRUE(touch_write((uint32_t *)(map + at), 0x7));
	ASSERT_TRUE(touch_write((uint32_t *)map, 0x8));
	ASSERT_TRUE(touch_write((uint32_t *)(map + GIB - 4), 0x9));
	ASSERT_EQ(0, mprotect(map + at, PAGE, PROT_READ));
	expect_rest(_metadata, map, 0, GIB);
	ASSERT_EQ(0, mprotect(map + at, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_TRUE(touch_write((uint32_t *)(map + at), 0x7));
	expect_rest(_metadata, map, 0, GIB);
}

/* A process that has inherited it. */
TEST_F(huge, inherited)
{
	char *map = nvgrace_map(&self->region, 0, GIB, GIB);
	uint32_t value;
	int status;
	pid_t child;

	ASSERT_TRUE(touch_write((uint32_t *)(map + 512 * MIB), 0x9));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		if (!touch_read((uint32_t *)(map + 512 * MIB), &value) || value != 0x9 ||
		    !touch_write((uint32_t *)(map + GIB - 4), 0xa))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_TRUE(touch_read((uint32_t *)(map + GIB - 4), &value));
	EXPECT_EQ(0xa, value);
	nvgrace_enable(&self->dev, false);
	EXPECT_FALSE(touch_read((uint32_t *)(map + 512 * MIB), &value));
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
