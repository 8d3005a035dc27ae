// SPDX-License-Identifier: GPL-2.0-only
/*
 * The regions of a GPU's memory: what the user is told of them, mappings, huge pages, read()
 * and write() up to the end of the memory and beyond, and memory-enable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "nvgrace.h"
#include "page.h"
#include "touch.h"
#include "worker.h"

#define MIB	(1UL << 20)
#define GIB	(1UL << 30)

FIXTURE(memory)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
	uint64_t length;
};

FIXTURE_VARIANT(memory)
{
	struct gpu_config gpu;
	unsigned int index;
	uint64_t start;		/* of the region in the memory */
	uint64_t length;
	uint64_t size;
	unsigned int pages;	/* so many more of all memory and of the region */
};

FIXTURE_VARIANT_ADD(memory, odd) {
	.gpu = {
		.kind = GPU_BLACKWELL,
		.driver = DRIVER_NVGRACE,
		.memory_size = 48 * MIB,
	},
	.index = USEMEM,
	.length = 48 * MIB,
	.pages = 3,
	.size = 64 * MIB,
};

FIXTURE_VARIANT_ADD(memory, cxl) {
	.gpu = { .kind = GPU_BLACKWELL_CXL, .driver = DRIVER_NVGRACE, .memory_size = 64 * MIB },
	.index = USEMEM,
	.length = 64 * MIB,
	.size = 64 * MIB,
};

FIXTURE_VARIANT_ADD(memory, usemem) {
	.gpu = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE, .memory_size = GIB + 640 * MIB },
	.index = USEMEM,
	.length = 512 * MIB,
	.size = 512 * MIB,
};

FIXTURE_VARIANT_ADD(memory, resmem) {
	.gpu = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE, .memory_size = GIB + 640 * MIB },
	.index = RESMEM,
	.start = 512 * MIB,
	.length = GIB + 128 * MIB,
	.size = 2 * GIB,
};

FIXTURE_SETUP(memory)
{
	struct gpu_config gpu = variant->gpu;

	touch_prepare();
	gpu.memory_size += variant->pages * PAGE;
	self->length = variant->length + variant->pages * PAGE;
	gpu_get(&self->host, &gpu, 1);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	nvgrace_region(&self->dev, variant->index, &self->region);
}

FIXTURE_TEARDOWN_PARENT(memory)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(memory, region_info)
{
	EXPECT_EQ(variant->size, self->region.size);
	EXPECT_EQ(1, self->region.areas);
	EXPECT_EQ(self->length, self->region.length);
	EXPECT_EQ(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		  VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS, self->region.flags);
}

TEST_F(memory, debugfs)
{
	char line[128];

	snprintf(line, sizeof(line), "%s %u %#llx %#llx %#llx %s",
		 variant->index == USEMEM ? "usemem" : "resmem", variant->index,
		 (unsigned long long)(gpu_memory_base(self->dev.address) + variant->start),
		 (unsigned long long)self->length, (unsigned long long)variant->size,
		 variant->index == USEMEM ? "cached" : "write-combined");
	EXPECT_NE(NULL, strstr(nvgrace_debugfs(&self->dev, "memory"), line)) TH_LOG("%s", line);
}

static const uint64_t places[] = { 0, 4096, 65536, 5 * MIB + 40, 17 * MIB - 4 };

/* What one mapping writes is seen by another one and by read(), and the other way round. */
TEST_F(memory, mappings)
{
	uint64_t end = self->length - 4;
	char *one = nvgrace_map(&self->region, 0, 32 * MIB, PAGE);
	char *two = nvgrace_map(&self->region, 0, 32 * MIB, huge_page());
	char *last = nvgrace_map(&self->region, self->length - PAGE, PAGE, PAGE);
	uint32_t value, i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		ASSERT_TRUE(touch_write((uint32_t *)(one + places[i]), i + 77));
		ASSERT_TRUE(touch_read((uint32_t *)(two + places[i]), &value));
		EXPECT_EQ(i + 77, value);
		EXPECT_EQ(4, nvgrace_read(&self->region, places[i], &value, 4));
		EXPECT_EQ(i + 77, value);
		value = ~i;
		EXPECT_EQ(4, nvgrace_write(&self->region, places[i], &value, 4));
		ASSERT_TRUE(touch_read((uint32_t *)(one + places[i]), &value));
		EXPECT_EQ(~i, value);
	}
	ASSERT_TRUE(touch_write((uint32_t *)(last + PAGE - 4), 0x600d));
	EXPECT_EQ(4, nvgrace_read(&self->region, end, &value, 4));
	EXPECT_EQ(0x600d, value);
}

/* The region is the right part of the memory. The simulator looks before the driver maps it. */
TEST_F(memory, is_that_of_the_device)
{
	char *first = nvgrace_map(&self->region, 0, PAGE, PAGE);
	char *last = nvgrace_map(&self->region, self->length - PAGE, PAGE, PAGE);
	uint32_t value = 0x12345678;

	gpu_write(self->dev.address, variant->start + 8, &value, 4);
	ASSERT_TRUE(touch_read((uint32_t *)(first + 8), &value));
	EXPECT_EQ(0x12345678, value);
	ASSERT_TRUE(touch_write((uint32_t *)(last + 16), 0x87654321));
	gpu_read(self->dev.address, variant->start + self->length - PAGE + 16, &value, 4);
	EXPECT_EQ(0x87654321, value);
}

TEST_F(memory, huge_pages)
{
	uint64_t base = gpu_memory_base(self->dev.address) + variant->start;
	size_t length = huge_page() < 32 * MIB ? 32 * MIB : huge_page();
	bool room = length <= self->length;
	char *aligned, *crooked;
	long few, many;

	/* where there is no room for one, there is none */
	length = room ? length : 32 * MIB;
	aligned = nvgrace_map(&self->region, 0, length, huge_page());
	crooked = nvgrace_map(&self->region, PAGE, length - PAGE, huge_page());
	few = touch_faults(aligned, length, PAGE);
	many = touch_faults(crooked, length - PAGE, PAGE);
	EXPECT_LE(length / PAGE - 1, many);
	if (!room) {
		EXPECT_LE(length / PAGE, few);
		return;
	}
	ASSERT_EQ(0, base % huge_page());
	/* other faults of the process may be among them */
	EXPECT_GT(length / PAGE / 16, few);
	EXPECT_LE(length / huge_page(), few);
}

TEST_F(memory, no_private_mapping)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				   self->dev.device, self->region.offset));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(memory, no_mapping_beyond_the_end)
{
	EXPECT_EQ(MAP_FAILED, __nvgrace_map(&self->region, self->length, PAGE, PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, __nvgrace_map(&self->region, self->length - PAGE, 2 * PAGE, PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, __nvgrace_map(&self->region, self->region.size, PAGE, PAGE));
	EXPECT_EQ(EINVAL, errno);
}

static void pattern(uint8_t *bytes, size_t length, uint32_t seed)
{
	while (length--) {
		seed = seed * 1103515245 + 12345;
		*bytes++ = seed >> 16;
	}
}

#define AROUND	(3 * PAGE)	/* on both sides of an edge */

/* Pieces of every kind around an edge, against an array. */
static void expect_pieces(struct __test_metadata *_metadata, struct nvgrace_region *region,
			  uint64_t edge, uint64_t readable)
{
	const size_t lengths[] = { 1, 2, 3, 4, 7, 8, 100, PAGE, PAGE + 1, 2 * PAGE + 5 };
	uint8_t *model = malloc(2 * AROUND), *bytes = malloc(2 * AROUND);
	uint64_t start = edge < AROUND ? 0 : edge - AROUND;
	uint64_t room = start + 2 * AROUND > region->size ? region->size - start : 2 * AROUND;
	size_t at, i, wrong = 0;

	pattern(model, room, 9);
	ASSERT_EQ(room, nvgrace_write(region, start, model, room));
	for (i = 0; i < ARRAY_SIZE(lengths) * 12; i++) {
		size_t length = lengths[i % ARRAY_SIZE(lengths)];

		at = (i * 997) % (room - length);
		pattern(bytes, length, i);
		EXPECT_EQ(length, nvgrace_write(region, start + at, bytes, length));
		memcpy(model + at, bytes, length);
		at = (i * 1499) % (room - length);
		memset(bytes, 0x55, length);
		EXPECT_EQ(length, nvgrace_read(region, start + at, bytes, length));
		for (size_t j = 0; j < length; j++)
			wrong += bytes[j] != (start + at + j < readable ? model[at + j] : 0xff);
	}
	EXPECT_EQ(0, wrong) TH_LOG("around %#llx", (unsigned long long)edge);
	free(model);
	free(bytes);
}

TEST_F(memory, read_and_write)
{
	expect_pieces(_metadata, &self->region, 0, self->length);
	expect_pieces(_metadata, &self->region, 20 * MIB, self->length);
	expect_pieces(_metadata, &self->region, self->length, self->length);
	expect_pieces(_metadata, &self->region, variant->size, self->length);
}

TEST_F(memory, beyond_the_region)
{
	uint8_t bytes[16] = "";

	EXPECT_EQ(-EINVAL, nvgrace_read(&self->region, variant->size, bytes, 1));
	EXPECT_EQ(-EINVAL, nvgrace_write(&self->region, variant->size, bytes, 1));
	EXPECT_EQ(-EINVAL, nvgrace_read(&self->region, variant->size + GIB, bytes, 1));
	EXPECT_EQ(3, nvgrace_read(&self->region, variant->size - 3, bytes, 16));
	EXPECT_EQ(3, nvgrace_write(&self->region, variant->size - 3, bytes, 16));
	EXPECT_EQ(0, nvgrace_read(&self->region, variant->size - 3, bytes, 0));
}

/* Each piece of a vector continues where the last one ended, on both sides of the end. */
TEST_F(memory, vectors)
{
	uint8_t seen[64], expected[64];
	struct iovec pieces[] = {
		{ seen, 10 }, { seen + 10, 30 }, { seen + 40, 4 }, { seen + 44, 20 },
	};
	uint64_t at = self->length - 20;
	size_t there = variant->size - at < 64 ? variant->size - at : 64;

	pattern(expected, sizeof(expected), 3);
	EXPECT_EQ(there, nvgrace_write(&self->region, at, expected, sizeof(expected)));
	memset(expected + 20, 0xff, sizeof(expected) - 20);
	EXPECT_EQ(there, preadv(self->dev.device, pieces, 4, self->region.offset + at));
	EXPECT_EQ(0, memcmp(seen, expected, there));
}

/* The kernel takes data for one region out of a mapping of the same one. */
TEST_F(memory, mapping_as_buffer)
{
	char *map = nvgrace_map(&self->region, 0, 4 * MIB, PAGE);
	uint8_t seen[256], expected[256];

	pattern(expected, sizeof(expected), 5);
	ASSERT_EQ(256, nvgrace_write(&self->region, MIB, expected, 256));
	EXPECT_EQ(256, nvgrace_read(&self->region, MIB, map + 2 * MIB, 256));
	EXPECT_EQ(256, nvgrace_write(&self->region, 3 * MIB + 1, map + 2 * MIB, 256));
	EXPECT_EQ(256, nvgrace_read(&self->region, 3 * MIB + 1, seen, 256));
	EXPECT_EQ(0, memcmp(seen, expected, 256));
}

/* Of a piece that lies beside memory, what came before is done. */
TEST_F(memory, memory_that_ends)
{
	char *room = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	munmap(room + 2 * PAGE, PAGE);
	EXPECT_EQ(2 * PAGE, nvgrace_read(&self->region, 0, room, 3 * PAGE));
	EXPECT_EQ(2 * PAGE, nvgrace_write(&self->region, 0, room, 3 * PAGE));
	EXPECT_EQ(-EFAULT, nvgrace_read(&self->region, 0, room + 2 * PAGE, 1));
	EXPECT_EQ(-EFAULT, nvgrace_write(&self->region, 0, room + 2 * PAGE, 1));
}

TEST_F(memory, enable)
{
	char *map = nvgrace_map(&self->region, 0, 4 * MIB, huge_page());
	uint32_t value = 5;

	ASSERT_TRUE(touch_write((uint32_t *)(map + MIB), 0x11));
	nvgrace_enable(&self->dev, false);
	EXPECT_FALSE(touch_read((uint32_t *)(map + MIB), &value));
	EXPECT_FALSE(touch_write((uint32_t *)(map + 3 * MIB), 1));
	EXPECT_EQ(-EIO, nvgrace_read(&self->region, MIB, &value, 4));
	EXPECT_EQ(-EIO, nvgrace_write(&self->region, MIB, &value, 4));
	EXPECT_EQ(-EIO, nvgrace_read(&self->region, variant->size - 4, &value, 4));
	nvgrace_enable(&self->dev, true);
	ASSERT_TRUE(touch_read((uint32_t *)(map + MIB), &value));
	EXPECT_EQ(0x11, value);
	EXPECT_EQ(4, nvgrace_read(&self->region, MIB, &value, 4));
	EXPECT_EQ(0x11, value);
}

TEST_F(memory, d3hot)
{
	char *map = nvgrace_map(&self->region, 0, 4 * MIB, huge_page());
	uint32_t value = 5;

	ASSERT_TRUE(touch_write((uint32_t *)(map + MIB), 0x22));
	gpu_set_power(&self->dev, GPU_D3HOT);
	EXPECT_FALSE(touch_read((uint32_t *)(map + MIB), &value));
	EXPECT_EQ(-EIO, nvgrace_read(&self->region, MIB, &value, 4));
	gpu_set_power(&self->dev, GPU_D0);
	nvgrace_enable(&self->dev, true);
	ASSERT_TRUE(touch_read((uint32_t *)(map + MIB), &value));
	EXPECT_EQ(0x22, value);
}

static int low_power(struct vfio_device *dev, uint32_t feature)
{
	return __vfio_feature(dev, VFIO_DEVICE_FEATURE_SET | feature, NULL, 0);
}

TEST_F(memory, low_power)
{
	char *map = nvgrace_map(&self->region, 0, 4 * MIB, huge_page());
	uint32_t value = 5;

	ASSERT_TRUE(touch_write((uint32_t *)(map + MIB), 0x33));
	ASSERT_EQ(0, low_power(&self->dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY));
	EXPECT_FALSE(touch_read((uint32_t *)(map + MIB), &value));
	ASSERT_EQ(0, low_power(&self->dev, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT));
	nvgrace_enable(&self->dev, true);
	ASSERT_TRUE(touch_read((uint32_t *)(map + MIB), &value));
	EXPECT_EQ(0x33, value);
}

/* An ioeventfd would go to what is behind the region. */
TEST_F(memory, no_ioeventfd)
{
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = self->region.offset,
		.fd = -1,
	};

	EXPECT_EQ(-1, ioctl(self->dev.device, VFIO_DEVICE_IOEVENTFD, &request));
	EXPECT_EQ(ENOTTY, errno);
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
