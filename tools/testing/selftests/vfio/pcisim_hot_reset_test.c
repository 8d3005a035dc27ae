// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions behind a simulated root port, and the reset of their bus: through config space
 * of the port, and through the hot reset of plain vfio-pci, by groups and by iommufd.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "hot_reset.h"
#include "raw_config.h"
#include "testdev.h"

#define DEVICES		"/sys/bus/pci/devices"
#define PORT_SLOT	31	/* of port 1 */
#define FUNCTIONS	3
/* Two behind one port, one behind another. */
static const unsigned int ports[FUNCTIONS] = { 1, 1, 2 };
static const unsigned int slots[FUNCTIONS] = { 0, 1, 0 };

FIXTURE(pcisim_hot_reset)
{
	char function[FUNCTIONS][SIM_ADDRESS];
	char port[SIM_ADDRESS];
	struct vfio_device dev[FUNCTIONS];
};

static void put(unsigned int function, const char *name, uint64_t value)
{
	file_write_number(path(SIM_HOST "/testdev.%u/%s", function, name), value);
}

static void make_host(void)
{
	unsigned int i;

	sim_remove_all();
	if (mkdir(SIM_HOST, 0755))
		fail("cannot make a host");
	for (i = 0; i < FUNCTIONS; i++) {
		if (mkdir(path(SIM_HOST "/testdev.%u", i), 0755))
			fail("cannot make a function");
		put(i, "total_vfs", 0);
		put(i, "slot", 8 + i);
		put(i, "port", ports[i]);
		put(i, "slot", slots[i]);
	}
	file_write(SIM_HOST "/live", "1");
}

FIXTURE_SETUP(pcisim_hot_reset)
{
	char domain[12];
	unsigned int i;

	make_host();
	file_read(SIM_HOST "/domain", domain, sizeof(domain));
	snprintf(self->port, sizeof(self->port), "%s:00:%02x.0", domain, PORT_SLOT);
	for (i = 0; i < FUNCTIONS; i++) {
		file_read(path(SIM_HOST "/testdev.%u/address", i), self->function[i],
			  sizeof(self->function[i]));
		sim_bind(self->function[i], DRIVER_PLAIN);
	}
}

FIXTURE_TEARDOWN_PARENT(pcisim_hot_reset)
{
	sim_remove_all();
}

static uint64_t resets(const char *address)
{
	return sim_counter(address, "resets");
}

static uint32_t device_id(struct vfio_device *dev)
{
	uint32_t id;

	vfio_bus_master(dev, true);
	vfio_read(dev, TESTDEV_PF_ID, &id, sizeof(id));
	return id;
}

static void expect_works(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	EXPECT_EQ(TESTDEV_VENDOR, vfio_config_get(dev, PCI_VENDOR_ID, 2));
	EXPECT_EQ(TESTDEV_PF_MAGIC, device_id(dev));
	EXPECT_EQ(0, __vfio_reset(dev));
	EXPECT_EQ(TESTDEV_PF_MAGIC, device_id(dev));
}

TEST_F(pcisim_hot_reset, topology)
{
	char address[SIM_ADDRESS], one[16], two[16];
	unsigned int i;

	for (i = 0; i < FUNCTIONS; i++) {
		snprintf(address, sizeof(address), "%.*s:%02x:00.%u",
			 (int)strcspn(self->port, ":"), self->port, ports[i], slots[i]);
		EXPECT_STREQ(address, self->function[i]);
		EXPECT_TRUE(file_exists(path(DEVICES "/%s", address)));
	}
	EXPECT_EQ(0x060400, file_read_number(path(DEVICES "/%s/class", self->port)));
	EXPECT_EQ(1, raw_config_get(self->port, PCI_SECONDARY_BUS, 1));
	EXPECT_NE(0, raw_find_capability(self->port, PCI_CAP_ID_EXP));
	EXPECT_EQ(PCI_EXT_CAP_ID_ACS, raw_config_get(self->port, 0x100, 2));
	link_name(path(DEVICES "/%s/iommu_group", self->function[0]), one, sizeof(one));
	link_name(path(DEVICES "/%s/iommu_group", self->function[1]), two, sizeof(two));
	EXPECT_STRNE(one, two);
}

static int go_live_with(unsigned int function, const char *name, uint64_t value)
{
	int error = __file_write(SIM_HOST "/live", "0");

	if (!error)
		error = __file_write_number(path(SIM_HOST "/testdev.%u/%s", function, name), value);
	return error ?: __file_write(SIM_HOST "/live", "1");
}

TEST_F(pcisim_hot_reset, refused_settings)
{
	EXPECT_EQ(-EBUSY, __file_write(SIM_HOST "/testdev.0/port", "0"));
	EXPECT_EQ(-EINVAL, go_live_with(0, "port", 9));
	EXPECT_EQ(-EEXIST, go_live_with(1, "slot", 0));
	EXPECT_EQ(-EINVAL, go_live_with(1, "slot", 8));
	put(1, "slot", 1);
	EXPECT_EQ(-EINVAL, go_live_with(0, "total_vfs", 1));
	put(0, "total_vfs", 0);
	/* where the port itself is */
	put(2, "slot", PORT_SLOT);
	EXPECT_EQ(-EEXIST, go_live_with(2, "port", 0));
	EXPECT_EQ(0, go_live_with(2, "slot", 0));
}

/* As software without VFIO does it; the functions do not answer meanwhile. */
TEST_F(pcisim_hot_reset, bridge_control)
{
	uint64_t before[FUNCTIONS];
	uint32_t control = raw_config_get(self->port, PCI_BRIDGE_CONTROL, 2);
	unsigned int i;

	for (i = 0; i < FUNCTIONS; i++) {
		sim_bind(self->function[i], NULL);
		before[i] = resets(self->function[i]);
		raw_config_put(self->function[i], PCI_INTERRUPT_LINE, 1, 5);
	}
	raw_config_put(self->port, PCI_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_CTL_BUS_RESET);
	EXPECT_EQ(~0U, raw_config_get(self->function[0], PCI_VENDOR_ID, 4));
	EXPECT_EQ(~0U, raw_config_get(self->function[1], PCI_VENDOR_ID, 4));
	EXPECT_EQ(TESTDEV_VENDOR, raw_config_get(self->function[2], PCI_VENDOR_ID, 2));
	raw_config_put(self->port, PCI_BRIDGE_CONTROL, 2, control);
	for (i = 0; i < FUNCTIONS; i++) {
		const char *function = self->function[i];

		EXPECT_TRUE(wait_until(raw_config_get(function, PCI_VENDOR_ID, 2) ==
				       TESTDEV_VENDOR, LATER));
		EXPECT_EQ(before[i] + (ports[i] == 1), resets(function));
		EXPECT_EQ(ports[i] == 1 ? 0 : 5, raw_config_get(function, PCI_INTERRUPT_LINE, 1));
	}
}

static void open_groups(struct vfio_device *dev, char (*function)[SIM_ADDRESS])
{
	unsigned int i;

	for (i = 0; i < FUNCTIONS; i++)
		vfio_open(&dev[i], function[i]);
}

TEST_F(pcisim_hot_reset, groups)
{
	struct vfio_device *both[] = { &self->dev[0], &self->dev[1] };
	uint64_t before[FUNCTIONS];
	struct hot_reset info;
	unsigned int i;

	open_groups(self->dev, self->function);
	hot_reset_info(&self->dev[0], &info);
	EXPECT_EQ(2, info.count);
	EXPECT_EQ(0, info.flags);
	EXPECT_NE(NULL, hot_reset_find(&info, self->function[0]));
	EXPECT_NE(NULL, hot_reset_find(&info, self->function[1]));
	EXPECT_EQ(NULL, hot_reset_find(&info, self->function[2]));

	for (i = 0; i < FUNCTIONS; i++)
		before[i] = resets(self->function[i]);
	hot_reset(&self->dev[1], both, 2);
	for (i = 0; i < FUNCTIONS; i++) {
		EXPECT_EQ(before[i] + (ports[i] == 1), resets(self->function[i]));
		expect_works(_metadata, &self->dev[i]);
	}
}

/* Without the group of each of them nothing is reset. */
TEST_F(pcisim_hot_reset, not_all_groups)
{
	struct vfio_device *wrong[] = { &self->dev[0], &self->dev[2] };
	uint64_t before;

	open_groups(self->dev, self->function);
	before = resets(self->function[0]);
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], wrong, 1));
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], wrong, 2));
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], NULL, 0));
	/* nor when a function has another driver, or none */
	vfio_close(&self->dev[1]);
	sim_bind(self->function[1], NULL);
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], wrong, 1));
	EXPECT_EQ(before, resets(self->function[0]));
	expect_works(_metadata, &self->dev[0]);
}

/* On the root bus there is nothing to reset. */
TEST_F(pcisim_hot_reset, no_port)
{
	struct hot_reset info;

	ASSERT_EQ(0, go_live_with(2, "port", 0));
	file_read(SIM_HOST "/testdev.2/address", self->function[2], sizeof(self->function[2]));
	sim_bind(self->function[2], DRIVER_PLAIN);
	vfio_open(&self->dev[0], self->function[2]);
	EXPECT_EQ(-ENODEV, __hot_reset_info(&self->dev[0], &info));
	expect_works(_metadata, &self->dev[0]);
}

TEST_F(pcisim_hot_reset, one_context)
{
	struct iommufd owner;
	struct hot_reset info;
	uint64_t before;
	uint32_t id;

	if (!iommufd_exists(self->function[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	iommufd_open(&owner, &self->dev[0], self->function[0]);
	before = resets(self->function[1]);
	/* the other one belongs to nobody yet, so it is not ours */
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], NULL, 0));

	id = hot_reset_join(&self->dev[1], self->function[1], &owner);
	hot_reset_info(&self->dev[0], &info);
	EXPECT_EQ(2, info.count);
	EXPECT_EQ(VFIO_PCI_HOT_RESET_FLAG_DEV_ID | VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED,
		  info.flags);
	EXPECT_EQ(owner.device, hot_reset_find(&info, self->function[0])->devid);
	EXPECT_EQ(id, hot_reset_find(&info, self->function[1])->devid);

	before = resets(self->function[1]);
	hot_reset(&self->dev[0], NULL, 0);
	EXPECT_EQ(before + 1, resets(self->function[1]));
	expect_works(_metadata, &self->dev[0]);
	expect_works(_metadata, &self->dev[1]);
}

TEST_F(pcisim_hot_reset, two_contexts)
{
	struct iommufd owner, other;
	struct hot_reset info;
	uint64_t before;

	if (!iommufd_exists(self->function[0]))
		SKIP(return, "needs a kernel with IOMMUFD");
	iommufd_open(&owner, &self->dev[0], self->function[0]);
	iommufd_open(&other, &self->dev[1], self->function[1]);
	hot_reset_info(&self->dev[0], &info);
	EXPECT_EQ(VFIO_PCI_HOT_RESET_FLAG_DEV_ID, info.flags);
	EXPECT_EQ(VFIO_PCI_DEVID_NOT_OWNED, hot_reset_find(&info, self->function[1])->devid);
	before = resets(self->function[1]);
	EXPECT_EQ(-EINVAL, __hot_reset(&self->dev[0], NULL, 0));
	EXPECT_EQ(before, resets(self->function[1]));
	expect_works(_metadata, &self->dev[0]);
	expect_works(_metadata, &self->dev[1]);
}

FIXTURE(pcisim_hot_reset_gpu)
{
	struct gpu_host host;
	struct vfio_device dev[2];
};

/* Of the kinds whose bus may be reset. */
FIXTURE_SETUP(pcisim_hot_reset_gpu)
{
	const struct gpu_config configs[] = {
		{ .kind = GPU_BLACKWELL, .port = 1, .driver = DRIVER_PLAIN },
		{ .kind = GPU_BLACKWELL_CXL, .port = 1, .driver = DRIVER_PLAIN },
	};
	unsigned int i;

	gpu_get(&self->host, configs, 2);
	for (i = 0; i < 2; i++)
		vfio_open(&self->dev[i], self->host.gpu[i]);
}

FIXTURE_TEARDOWN_PARENT(pcisim_hot_reset_gpu)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(pcisim_hot_reset_gpu, takes_all_state)
{
	struct vfio_device *both[] = { &self->dev[0], &self->dev[1] };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		gpu_fill(self->host.gpu[i], GPU_MEBI(2), 65536, i);
		gpu_ready_after(self->host.gpu[i], GPU_NEVER);
		gpu_engine_start(&self->dev[i], 0, GPU_MEBI(1));
		gpu_engine_progress(&self->dev[i], 1000);
	}
	hot_reset(&self->dev[0], both, 2);
	for (i = 0; i < 2; i++) {
		const char *gpu = self->host.gpu[i];

		EXPECT_TRUE(gpu_is_quiet(gpu));
		EXPECT_FALSE(gpu_is_ready(gpu));
		EXPECT_EQ(0, gpu_engine_get(&self->dev[i], PCISIM_GPU_CONTROL));
		EXPECT_TRUE(gpu_matches(gpu, GPU_MEBI(2), 65536, i));
		gpu_engine_start(&self->dev[i], 0, GPU_MEBI(1));
		gpu_engine_progress(&self->dev[i], 1000);
		gpu_engine_stop(&self->dev[i]);
	}
}

/* The kernel knows that the older GPUs do not survive it. */
TEST_F(pcisim_hot_reset_gpu, older_kinds_have_none)
{
	const struct gpu_config config = {
		.kind = GPU_HOPPER, .port = 1, .driver = DRIVER_PLAIN
	};
	struct hot_reset info;

	vfio_close(&self->dev[0]);
	vfio_close(&self->dev[1]);
	gpu_get(&self->host, &config, 1);
	vfio_open(&self->dev[0], self->host.gpu[0]);
	EXPECT_EQ(-ENODEV, __hot_reset_info(&self->dev[0], &info));
}

int main(int argc, char **argv)
{
	testdev_prepare();
	gpu_prepare();
	return test_harness_run(argc, argv);
}
