// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making and removing simulated hosts: limits of every setting, what is refused while a
 * host is live, and what may happen in any order.
 */
#include <errno.h>
#include <sys/stat.h>

#include "harness.h"
#include "file.h"
#include "module.h"
#include "sim.h"

#define HOST	SIM_ROOT "/configfs-test"
#define HCA	HOST "/hca.0"

FIXTURE(configfs)
{
	int unused;
};

FIXTURE_SETUP(configfs)
{
	sim_load();
	sim_remove_all();
	ASSERT_EQ(0, mkdir(HOST, 0755));
	ASSERT_EQ(0, mkdir(HCA, 0755));
}

FIXTURE_TEARDOWN_PARENT(configfs)
{
	sim_remove_all();
}

static int make(const char *name)
{
	return mkdir(name, 0755) ? -errno : 0;
}

static int discard(const char *name)
{
	return rmdir(name) ? -errno : 0;
}

static int read_error(const char *name)
{
	char text[64];
	int result = __file_read(name, text, sizeof(text));

	return result < 0 ? result : 0;
}

TEST_F(configfs, defaults)
{
	EXPECT_EQ(0, file_read_number(HOST "/live"));
	EXPECT_EQ(0, file_read_number(HCA "/slot"));
	EXPECT_EQ(SIM_MAX_VFS, file_read_number(HCA "/total_vfs"));
	EXPECT_EQ(1 << 20, file_read_number(HCA "/state_size"));
	EXPECT_EQ(8 << 20, file_read_number(HCA "/chunk_size"));
	EXPECT_EQ(1, file_read_number(HCA "/migration"));
	EXPECT_EQ(1, file_read_number(HCA "/migratable"));
	EXPECT_EQ(-ENODEV, read_error(HOST "/domain"));
	EXPECT_EQ(-ENODEV, read_error(HCA "/address"));
}

FIXTURE(setting)
{
	int unused;
};

FIXTURE_VARIANT(setting)
{
	const char *name;
	const char *good[4];
	const char *bad[8];
};

FIXTURE_VARIANT_ADD(setting, live)
{
	.name = HOST "/live",
	.good = { "0" },
	.bad = { "2", "-1", "x", "" },
};

FIXTURE_VARIANT_ADD(setting, slot)
{
	.name = HCA "/slot",
	.good = { "0", "31", "7" },
	.bad = { "32", "-1", "x", "0x", "4294967296", "18446744073709551616" },
};

FIXTURE_VARIANT_ADD(setting, total_vfs)
{
	.name = HCA "/total_vfs",
	.good = { "0", "7", "1" },
	.bad = { "8", "-1", "x", "4294967296", "4294967297", "1 2" },
};

FIXTURE_VARIANT_ADD(setting, state_size)
{
	.name = HCA "/state_size",
	.good = { "0", "1073741824", "4095" },
	.bad = { "1073741825", "-1", "x", "18446744073709551615", "18446744073709551616" },
};

FIXTURE_VARIANT_ADD(setting, generated_size)
{
	.name = HCA "/generated_size",
	.good = { "0", "4096", "68719476736" },
	.bad = { "1", "4095", "6000", "68719480832", "-4096", "x", "18446744073709547520" },
};

FIXTURE_VARIANT_ADD(setting, chunk_size)
{
	.name = HCA "/chunk_size",
	.good = { "0", "4096", "67108864" },
	.bad = { "1", "4095", "67108865", "-1", "x", "18446744073709551615" },
};

FIXTURE_VARIANT_ADD(setting, migration)
{
	.name = HCA "/migration",
	.good = { "0", "1" },
	.bad = { "2", "-1", "x", "18446744073709551615" },
};

FIXTURE_VARIANT_ADD(setting, migratable)
{
	.name = HCA "/migratable",
	.good = { "0", "1" },
	.bad = { "2", "-1", "x", "18446744073709551615" },
};

FIXTURE_SETUP(setting)
{
	configfs_setup(_metadata, NULL, NULL);
}

FIXTURE_TEARDOWN_PARENT(setting)
{
	sim_remove_all();
}

TEST_F(setting, range)
{
	uint64_t before, seen;
	unsigned int i;

	for (i = 0; i < 4 && variant->good[i]; i++) {
		EXPECT_EQ(0, __file_write(variant->name, variant->good[i]))
			TH_LOG("%s", variant->good[i]);
		EXPECT_EQ(strtoull(variant->good[i], NULL, 0), file_read_number(variant->name));
	}
	before = file_read_number(variant->name);
	for (i = 0; i < 8 && variant->bad[i]; i++) {
		int error = __file_write(variant->name, variant->bad[i]);

		/* an empty write does not reach the attribute */
		if (variant->bad[i][0])
			EXPECT_TRUE(error == -EINVAL || error == -ERANGE)
				TH_LOG("'%s': %d", variant->bad[i], error);
		seen = file_read_number(variant->name);
		EXPECT_EQ(before, seen);
	}
}

TEST_F(setting, refused_while_live)
{
	uint64_t before = file_read_number(variant->name);

	if (!strcmp(variant->name, HOST "/live"))
		return;
	file_write(HOST "/live", "1");
	EXPECT_EQ(-EBUSY, __file_write(variant->name, variant->good[0]));
	EXPECT_EQ(before, file_read_number(variant->name));
	/* an impossible value is no better */
	EXPECT_GT(0, __file_write(variant->name, variant->bad[0]));
	EXPECT_EQ(before, file_read_number(variant->name));
	file_write(HOST "/live", "0");
	EXPECT_EQ(0, __file_write(variant->name, variant->good[0]));
}

TEST_F(configfs, structure_is_frozen_while_live)
{
	file_write(HOST "/live", "1");
	EXPECT_EQ(-EBUSY, make(HOST "/hca.1"));
	EXPECT_EQ(-EBUSY, discard(HCA));
	EXPECT_GT(0, discard(HOST));
	EXPECT_EQ(1, file_read_number(HOST "/live"));
	EXPECT_EQ(0, __file_write(HOST "/live", "1"));
	file_write(HOST "/live", "0");
	EXPECT_EQ(0, make(HOST "/hca.1"));
	EXPECT_EQ(0, discard(HOST "/hca.1"));
	EXPECT_EQ(0, discard(HCA));
	EXPECT_EQ(0, discard(HOST));
}

TEST_F(configfs, names)
{
	EXPECT_GT(0, make(HOST "/no-such-model.0"));
	EXPECT_GT(0, make(HOST "/hca"));
	EXPECT_GT(0, make(HOST "/hca."));
	EXPECT_GT(0, make(HOST "/.0"));
	EXPECT_GT(0, make(HOST "/hca.x"));
	EXPECT_EQ(-ENOENT, make(HOST "/nonesuch.0"));
	EXPECT_EQ(-EEXIST, make(HCA));
}

TEST_F(configfs, slots)
{
	ASSERT_EQ(0, make(HOST "/hca.1"));
	EXPECT_EQ(1, file_read_number(HOST "/hca.1/slot"));
	/* one slot for two is found out at the latest when going live */
	if (!__file_write(HOST "/hca.1/slot", "0")) {
		EXPECT_GT(0, __file_write(HOST "/live", "1"));
		EXPECT_EQ(0, file_read_number(HOST "/live"));
		EXPECT_EQ(-ENODEV, read_error(HOST "/domain"));
	}
	file_write(HOST "/hca.1/slot", "5");
	file_write(HOST "/live", "1");
	EXPECT_EQ(-EBUSY, discard(HOST "/hca.1"));
	file_write(HOST "/live", "0");
	EXPECT_EQ(0, discard(HOST "/hca.1"));
}

TEST_F(configfs, addresses)
{
	char domain[16], first[SIM_ADDRESS], second[SIM_ADDRESS];

	ASSERT_EQ(0, make(HOST "/hca.1"));
	file_write(HOST "/hca.1/slot", "9");
	file_write(HOST "/live", "1");
	file_read(HOST "/domain", domain, sizeof(domain));
	file_read(HCA "/address", first, sizeof(first));
	file_read(HOST "/hca.1/address", second, sizeof(second));
	EXPECT_STREQ(path("%s:00:00.0", domain), first);
	EXPECT_STREQ(path("%s:00:09.0", domain), second);
	EXPECT_TRUE(file_exists(path("/sys/bus/pci/devices/%s", first)));
	EXPECT_TRUE(file_exists(path("/sys/bus/pci/devices/%s", second)));
	file_write(HOST "/live", "0");
	EXPECT_FALSE(file_exists(path("/sys/bus/pci/devices/%s", first)));
	EXPECT_EQ(-ENODEV, read_error(HOST "/domain"));
	EXPECT_EQ(-ENODEV, read_error(HCA "/address"));
}

TEST_F(configfs, total_vfs_reaches_the_device)
{
	char address[SIM_ADDRESS];

	file_write(HCA "/total_vfs", "3");
	file_write(HOST "/live", "1");
	file_read(HCA "/address", address, sizeof(address));
	EXPECT_EQ(3, file_read_number(path("/sys/bus/pci/devices/%s/sriov_totalvfs", address)));
	file_write(HOST "/live", "0");
	file_write(HCA "/total_vfs", "0");
	file_write(HOST "/live", "1");
	EXPECT_FALSE(file_exists(path("/sys/bus/pci/devices/%s/sriov_numvfs", address)));
}

static void go_live_and_back(struct __test_metadata *_metadata)
{
	char address[SIM_ADDRESS];

	file_write(HOST "/live", "1");
	EXPECT_EQ(1, file_read_number(HOST "/live"));
	file_read(HCA "/address", address, sizeof(address));
	ASSERT_TRUE(file_exists(path("/sys/bus/pci/devices/%s", address)));
	file_write(HOST "/live", "0");
	EXPECT_EQ(0, file_read_number(HOST "/live"));
	ASSERT_FALSE(file_exists(path("/sys/bus/pci/devices/%s", address)));
}

TEST_F(configfs, live_twice)
{
	go_live_and_back(_metadata);
	go_live_and_back(_metadata);
	/* off twice is fine */
	EXPECT_EQ(0, __file_write(HOST "/live", "0"));
}

TEST_F_TIMEOUT(configfs, live_ten_times, 120)
{
	for (unsigned int i = 0; i < 10; i++)
		go_live_and_back(_metadata);
}

TEST_F(configfs, two_hosts)
{
	char first[16], second[16];

	ASSERT_EQ(0, make(SIM_ROOT "/second"));
	ASSERT_EQ(0, make(SIM_ROOT "/second/hca.0"));
	file_write(HOST "/live", "1");
	file_write(SIM_ROOT "/second/live", "1");
	file_read(HOST "/domain", first, sizeof(first));
	file_read(SIM_ROOT "/second/domain", second, sizeof(second));
	EXPECT_STRNE(first, second);
	file_write(HOST "/live", "0");
	EXPECT_EQ(1, file_read_number(SIM_ROOT "/second/live"));
	EXPECT_TRUE(file_exists(path("/sys/bus/pci/devices/%s:00:00.0", second)));
	sim_remove_host(SIM_ROOT "/second");
}

TEST_F(configfs, domain_of_choice)
{
	char domain[16];

	EXPECT_EQ(-EINVAL, __file_write(HOST "/domain", "10000"));
	EXPECT_EQ(-EINVAL, __file_write(HOST "/domain", "-1"));
	EXPECT_EQ(-EINVAL, __file_write(HOST "/domain", "none"));
	file_write(HOST "/domain", "c0de");
	EXPECT_EQ(-ENODEV, read_error(HOST "/domain"));
	file_write(HOST "/live", "1");
	file_read(HOST "/domain", domain, sizeof(domain));
	EXPECT_STREQ("c0de", domain);
	file_read(HCA "/address", domain, sizeof(domain));
	EXPECT_STREQ("c0de:00:00.0", domain);
	EXPECT_EQ(-EBUSY, __file_write(HOST "/domain", "c0df"));

	ASSERT_EQ(0, make(SIM_ROOT "/second"));
	ASSERT_EQ(0, make(SIM_ROOT "/second/hca.0"));
	file_write(SIM_ROOT "/second/domain", "c0de");
	EXPECT_EQ(-EEXIST, __file_write(SIM_ROOT "/second/live", "1"));
	file_write(SIM_ROOT "/second/domain", "0");
	file_write(SIM_ROOT "/second/live", "1");
	sim_remove_host(SIM_ROOT "/second");
}

TEST_F(configfs, modules_are_pinned)
{
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim"));
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim_hca"));
	file_write(HOST "/live", "1");
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim"));
	EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim_hca"));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
