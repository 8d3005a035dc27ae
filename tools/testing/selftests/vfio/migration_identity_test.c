// SPDX-License-Identifier: GPL-2.0-only
/*
 * The info region: what it says about the driver, that it can be read in any piece and
 * nothing else be done with it, and that only devices that can migrate have one.
 */
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "harness.h"
#include "file.h"
#include "info.h"
#include "pair.h"

#define PAGE 4096

FIXTURE(identity)
{
	struct sim sim;
	struct vfio_device dev;
	struct vfio_region_info region;
	struct vfio_mig_info info;
};

FIXTURE_SETUP(identity)
{
	sim_get(&self->sim, &our_pair);
	vfio_open(&self->dev, self->sim.vf[0]);
	ASSERT_EQ(1, vfio_find_info(&self->dev, &self->region));
	vfio_info(&self->dev, &self->info);
}

FIXTURE_TEARDOWN_PARENT(identity)
{
	sim_teardown(_metadata->exit_code);
}

static bool is_zero(const void *data, size_t length)
{
	const unsigned char *bytes = data;

	return !length || (!bytes[0] && !memcmp(bytes, bytes + 1, length - 1));
}

/* What modinfo would print, or the kernel's release. */
static void driver_version(char *version, size_t room)
{
	struct utsname kernel;

	if (__file_read("/sys/module/" DRIVER_OURS "/version", version, room) > 0)
		return;
	uname(&kernel);
	snprintf(version, room, "%s", kernel.release);
}

TEST_F(identity, names_the_driver)
{
	const char *driver = (const char *)self->info.driver;
	const char *version = (const char *)self->info.driver_version;
	char expected[PATH_ROOM];

	ASSERT_GT(sizeof(self->info.driver), strnlen(driver, sizeof(self->info.driver)));
	EXPECT_STREQ("mlx5-vfio-mig", driver);
	EXPECT_TRUE(is_zero(driver + strlen(driver), sizeof(self->info.driver) - strlen(driver)));

	driver_version(expected, sizeof(expected));
	ASSERT_GT(sizeof(self->info.driver_version),
		  strnlen(version, sizeof(self->info.driver_version)));
	EXPECT_STREQ(expected, version);
	EXPECT_TRUE(is_zero(version + strlen(version),
			    sizeof(self->info.driver_version) - strlen(version)));
}

TEST_F(identity, tells_the_capabilities)
{
	uint64_t stream = VFIO_MIG_INFO_PREAMBLE | VFIO_MIG_INFO_CHECKSUM | VFIO_MIG_INFO_END;
	uint64_t capabilities = le64toh(self->info.capabilities), flags;

	EXPECT_EQ(sizeof(self->info), le32toh(self->info.size));
	EXPECT_EQ(VFIO_MIG_FORMAT_VERSION, le32toh(self->info.format));
	EXPECT_EQ(0, self->info.reserved);
	mig_flags(&self->dev, &flags);
	EXPECT_EQ(flags, le64toh(self->info.migration_flags));
	EXPECT_EQ(stream, capabilities & ~VFIO_MIG_INFO_DIRECT);
}

/* A VF has registers only. */
TEST_F(identity, tells_of_no_memory)
{
	EXPECT_EQ(0, self->info.memory_count);
	EXPECT_EQ(0, self->info.poison_count);
	EXPECT_TRUE(is_zero(&self->info.memory_offset,
			    sizeof(self->info) - offsetof(struct vfio_mig_info, memory_offset)));
}

/* What was there first has not moved. */
TEST_F(identity, layout)
{
	EXPECT_EQ(32, offsetof(struct vfio_mig_info, driver));
	EXPECT_EQ(128, offsetof(struct vfio_mig_info, memory_offset));
	EXPECT_EQ(160, sizeof(struct vfio_mig_info));
}

TEST_F(identity, region_is_read_only)
{
	unsigned char zeroes[sizeof(self->info)] = { 0 };
	struct vfio_mig_info after;

	EXPECT_EQ(sizeof(self->info), self->region.size);
	EXPECT_EQ(VFIO_REGION_INFO_FLAG_READ,
		  self->region.flags & ~VFIO_REGION_INFO_FLAG_CAPS);
	EXPECT_EQ(-EINVAL, __vfio_write(&self->dev, self->region.offset, zeroes, 1));
	EXPECT_EQ(-EINVAL, __vfio_write(&self->dev, self->region.offset, zeroes, sizeof(zeroes)));
	EXPECT_EQ(-EINVAL, __vfio_write(&self->dev, self->region.offset + sizeof(zeroes), zeroes,
					1));
	vfio_info(&self->dev, &after);
	EXPECT_EQ(0, memcmp(&self->info, &after, sizeof(after)));
}

TEST_F(identity, cannot_be_mapped)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->dev.device,
				   self->region.offset));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self->dev.device,
				   self->region.offset));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(identity, every_piece)
{
	const unsigned char *whole = (const void *)&self->info;
	unsigned char piece[sizeof(self->info) + 2];
	size_t offset, length, expected;

	for (offset = 0; offset <= sizeof(self->info); offset++) {
		for (length = 1; length <= sizeof(self->info) + 1; length++) {
			expected = sizeof(self->info) - offset;
			if (expected > length)
				expected = length;
			memset(piece, 0xa5, sizeof(piece));
			ASSERT_EQ(expected, pread(self->dev.device, piece, length,
						  self->region.offset + offset))
				TH_LOG("%zu bytes at %zu", length, offset);
			ASSERT_EQ(0, memcmp(piece, whole + offset, expected));
			ASSERT_EQ(0xa5, piece[expected]);
		}
	}
}

TEST_F(identity, ends)
{
	/* up to the last byte that belongs to the region's index */
	static const uint64_t beyond[] = {
		0, 1, 7, PAGE, 1 << 30, (1ULL << 40) - 1 - sizeof(struct vfio_mig_info),
	};
	char byte = 0x5a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(beyond); i++)
		EXPECT_EQ(0, pread(self->dev.device, &byte, 1,
				   self->region.offset + self->region.size + beyond[i]))
			TH_LOG("%llu bytes behind the end", (unsigned long long)beyond[i]);
	EXPECT_EQ(0x5a, byte);
	EXPECT_EQ(0, pread(self->dev.device, &byte, 0, self->region.offset));
}

TEST_F(identity, bad_buffer)
{
	char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(-1, pread(self->dev.device, page, PAGE, self->region.offset));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(identity, same_in_every_state)
{
	static const uint32_t states[] = {
		STATE_RUNNING_P2P, STATE_STOP, STATE_STOP_COPY, STATE_RESUMING,
	};
	struct vfio_mig_info now;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		fd = mig_begin(&self->dev, states[i]);
		vfio_info(&self->dev, &now);
		EXPECT_EQ(0, memcmp(&self->info, &now, sizeof(now)));
		if (fd >= 0)
			close(fd);
	}
	vfio_reset(&self->dev);
	vfio_info(&self->dev, &now);
	EXPECT_EQ(0, memcmp(&self->info, &now, sizeof(now)));
}

TEST_F(identity, one_for_each_open)
{
	unsigned int i, regions = vfio_regions(&self->dev);
	struct vfio_region_info region;
	struct vfio_mig_info now;

	for (i = 0; i < 3; i++) {
		vfio_close(&self->dev);
		vfio_open(&self->dev, self->sim.vf[0]);
		EXPECT_EQ(regions, vfio_regions(&self->dev));
		EXPECT_EQ(1, vfio_find_info(&self->dev, &region));
		EXPECT_EQ(self->region.index, region.index);
		vfio_info(&self->dev, &now);
		EXPECT_EQ(0, memcmp(&self->info, &now, sizeof(now)));
	}
}

FIXTURE(no_identity)
{
	struct sim sim;
	struct vfio_device dev;
};

FIXTURE_VARIANT(no_identity)
{
	const char *driver;
	bool no_migration;
	bool not_migratable;
};

FIXTURE_VARIANT_ADD(no_identity, plain_driver) { .driver = DRIVER_PLAIN };
FIXTURE_VARIANT_ADD(no_identity, pf_cannot) { .driver = DRIVER_OURS, .no_migration = true };
FIXTURE_VARIANT_ADD(no_identity, vf_may_not) { .driver = DRIVER_OURS, .not_migratable = true };

FIXTURE_SETUP(no_identity)
{
	struct sim_config config = our_pair;

	config.drivers[0] = variant->driver;
	config.no_migration = variant->no_migration;
	config.not_migratable = variant->not_migratable;
	sim_get(&self->sim, &config);
	vfio_open(&self->dev, self->sim.vf[0]);
}

FIXTURE_TEARDOWN_PARENT(no_identity)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(no_identity, has_no_info_region)
{
	struct vfio_region_info region;
	char byte;

	EXPECT_EQ(0, vfio_find_info(&self->dev, &region));
	EXPECT_EQ(VFIO_PCI_NUM_REGIONS, vfio_regions(&self->dev));
	EXPECT_EQ(-1, pread(self->dev.device, &byte, 1, (uint64_t)VFIO_PCI_NUM_REGIONS << 40));
	EXPECT_EQ(EINVAL, errno);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
