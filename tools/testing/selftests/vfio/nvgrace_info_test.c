// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the info region tells of a GPU's memory: all that a program needs to give it to a
 * guest, whatever the ids of the device, and which of it has failed.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "harness.h"
#include "gpu_move.h"
#include "info.h"
#include "page.h"

#define GIB	(1024 * MIB)
#define ROOM	8192

FIXTURE(memory)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct vfio_region_info region;
	unsigned char bytes[ROOM];
	struct vfio_mig_info info;
	uint64_t usemem;
};

FIXTURE_VARIANT(memory)
{
	enum gpu_kind kind;
	uint64_t size;
	bool migration;
	unsigned int count;
	uint64_t resmem;
	uint64_t usemem;	/* 0: a page, which is all of the memory */
};

FIXTURE_VARIANT_ADD(memory, hopper) {
	.kind = GPU_HOPPER, .migration = true, .count = 2,
	.resmem = GIB + 128 * MIB, .usemem = 512 * MIB,
};

FIXTURE_VARIANT_ADD(memory, blackwell) {
	.kind = GPU_BLACKWELL, .size = 80 * MIB, .migration = true, .count = 1,
	.usemem = 80 * MIB,
};

FIXTURE_VARIANT_ADD(memory, blackwell_small) {
	.kind = GPU_BLACKWELL_CXL, .migration = true, .count = 1,
};

/* Memory is memory, also of a device that cannot migrate. */
FIXTURE_VARIANT_ADD(memory, no_migration) {
	.kind = GPU_BLACKWELL, .size = 80 * MIB, .count = 1, .usemem = 80 * MIB,
};

static void read_info(struct vfio_device *dev, const struct vfio_region_info *region,
		      unsigned char *bytes)
{
	if (region->size > ROOM)
		fail("%llu bytes of info", (unsigned long long)region->size);
	memset(bytes, 0xa5, ROOM);
	vfio_read(dev, region->offset, bytes, region->size);
}

FIXTURE_SETUP(memory)
{
	const struct gpu_config config = {
		.kind = variant->kind,
		.memory_size = variant->usemem ? variant->size : PAGE,
		.driver = DRIVER_NVGRACE,
	};

	self->usemem = variant->usemem ?: PAGE;
	/* a device that was bound before is as it was then */
	sim_remove_all();
	gpu_enable_migration(variant->migration);
	gpu_get(&self->host, &config, 1);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	ASSERT_EQ(1, vfio_find_info(&self->dev, &self->region));
	read_info(&self->dev, &self->region, self->bytes);
	memcpy(&self->info, self->bytes, sizeof(self->info));
}

FIXTURE_TEARDOWN_PARENT(memory)
{
	sim_remove_all();
	gpu_enable_migration(true);
}

static struct vfio_mig_memory memory_at(const unsigned char *bytes,
					const struct vfio_mig_info *info, unsigned int index)
{
	size_t at = le32toh(info->memory_offset) + index * le32toh(info->memory_size);
	struct vfio_mig_memory memory;

	if (at + sizeof(memory) > ROOM)
		fail("memory %u is at %zu", index, at);
	memcpy(&memory, bytes + at, sizeof(memory));
	return memory;
}

static void expect_memory(struct __test_metadata *_metadata, struct vfio_device *dev,
			  const struct vfio_mig_memory *memory, unsigned int region,
			  uint32_t flags, uint64_t length)
{
	struct vfio_region_info info;
	uint64_t alignment = le64toh(memory->alignment);

	EXPECT_EQ(region, le32toh(memory->region));
	EXPECT_EQ(flags, le32toh(memory->flags));
	EXPECT_EQ(0, le64toh(memory->offset));
	EXPECT_EQ(length, le64toh(memory->length));
	EXPECT_EQ(length >= huge_page(), alignment >= huge_page());
	EXPECT_TRUE(alignment >= huge_page() || alignment == PAGE);
	EXPECT_EQ(0, alignment & (alignment - 1));
	/* the simulated machine has one node or does not tell */
	EXPECT_TRUE(le32toh(memory->node) == VFIO_MIG_NO_NODE || !memory->node);
	EXPECT_EQ(0, memory->reserved);
	vfio_region(dev, region, &info);
	EXPECT_LE(length, info.size);
}

TEST_F(memory, is_described)
{
	struct vfio_mig_memory memory;

	EXPECT_LE(sizeof(self->info), le32toh(self->info.size));
	EXPECT_STREQ("nvgrace-vfio-mig", (const char *)self->info.driver);
	EXPECT_EQ(variant->migration, !!self->info.migration_flags);
	EXPECT_EQ(variant->migration, !!self->info.capabilities);
	EXPECT_LE(sizeof(memory), le32toh(self->info.memory_size));
	ASSERT_EQ(variant->count, le32toh(self->info.memory_count));
	memory = memory_at(self->bytes, &self->info, variant->count - 1);
	expect_memory(_metadata, &self->dev, &memory, USEMEM, VFIO_MIG_MEMORY_CACHED,
		      self->usemem);
	if (variant->count == 1)
		return;
	memory = memory_at(self->bytes, &self->info, 0);
	expect_memory(_metadata, &self->dev, &memory, RESMEM, VFIO_MIG_MEMORY_WRITE_COMBINED,
		      variant->resmem);
}

TEST_F(memory, region_is_read_only)
{
	char byte = 0;

	EXPECT_EQ(-EINVAL, __vfio_write(&self->dev, self->region.offset, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->dev.device,
				   self->region.offset));
	/* and it ends where it says */
	EXPECT_EQ(0, pread(self->dev.device, &byte, 1,
			   self->region.offset + self->region.size));
}

/* Without the list of failed pages it is the same at any time. */
TEST_F(memory, stays_the_same)
{
	unsigned char now[ROOM];
	unsigned int i;

	gpu_sleep(&self->dev);
	for (i = 0; i < self->region.size; i += 16)
		vfio_read(&self->dev, self->region.offset + i, now + i,
			  self->region.size - i < 16 ? self->region.size - i : 16);
	EXPECT_EQ(0, memcmp(now, self->bytes, self->region.size));
	vfio_reset(&self->dev);
	read_info(&self->dev, &self->region, now);
	EXPECT_EQ(0, memcmp(now, self->bytes, self->region.size));
}

static struct vfio_mig_poison poison_at(const unsigned char *bytes, unsigned int index)
{
	struct vfio_mig_poison poison;
	struct vfio_mig_info info;

	memcpy(&info, bytes, sizeof(info));
	memcpy(&poison, bytes + le32toh(info.poison_offset) + index * le32toh(info.poison_size),
	       sizeof(poison));
	return poison;
}

static uint32_t poison_count(const unsigned char *bytes)
{
	struct vfio_mig_info info;

	memcpy(&info, bytes, sizeof(info));
	return le32toh(info.poison_count);
}

TEST_F(memory, failed_pages_are_listed)
{
	const uint64_t first = self->usemem / 2, second = self->usemem - PAGE;
	unsigned char now[ROOM];
	struct vfio_mig_poison poison;

	if (!gpu_can_poison(self->dev.address))
		SKIP(return, "the kernel does not handle memory errors");
	if (!variant->usemem)
		return;
	EXPECT_EQ(0, poison_count(self->bytes));
	/* somebody has it mapped, or the kernel tells nobody */
	ASSERT_NE(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->dev.device,
				   gpu_usemem(&self->dev)));
	gpu_poison(self->dev.address, second);
	gpu_poison(self->dev.address, first);
	gpu_poison(self->dev.address, first + PAGE);
	read_info(&self->dev, &self->region, now);
	ASSERT_EQ(2, poison_count(now));
	poison = poison_at(now, 0);
	EXPECT_EQ(USEMEM, le32toh(poison.region));
	EXPECT_EQ(first, le64toh(poison.offset));
	EXPECT_EQ(2 * PAGE, le64toh(poison.length));
	poison = poison_at(now, 1);
	EXPECT_EQ(second, le64toh(poison.offset));
	EXPECT_EQ(PAGE, le64toh(poison.length));
}

int main(int argc, char **argv)
{
	return gpu_move_main(argc, argv, test_harness_run);
}
