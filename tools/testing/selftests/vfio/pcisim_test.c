// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcisim as a PCI device: what enumeration sees, config space, BARs, and function level
 * reset. The VF is driven by plain vfio-pci.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "harness.h"
#include "engine.h"
#include "file.h"
#include "sim.h"
#include "vfio_device.h"

#define BAR_SIZE	(1 << 20)
#define MSIX_TABLE	0x80000

static const struct sim_config config = {
	.vfs = 2,
	.drivers = { DRIVER_PLAIN, DRIVER_PLAIN },
	.state_size = 4096,
	.chunk_size = SIM_CHUNK,
};

static const char *device_file(const char *address, const char *name)
{
	return path("/sys/bus/pci/devices/%s/%s", address, name);
}

static uint64_t device_number(const char *address, const char *name)
{
	return file_read_number(device_file(address, name));
}

static uint64_t bar_size(const char *address)
{
	unsigned long long start, end, flags;
	char text[4096];

	file_read(device_file(address, "resource"), text, sizeof(text));
	if (sscanf(text, "%llx %llx %llx", &start, &end, &flags) != 3 || !start)
		return 0;
	return end - start + 1;
}

/* Config space through sysfs, which the kernel does not virtualise. */
static uint32_t raw_config(const char *address, unsigned int at, unsigned int width)
{
	int fd = open(device_file(address, "config"), O_RDONLY | O_CLOEXEC);
	uint32_t value = 0;

	if (fd < 0 || pread(fd, &value, width, at) != (ssize_t)width)
		fail("config space of %s at 0x%x", address, at);
	close(fd);
	return value;
}

static void raw_config_put(const char *address, unsigned int at, unsigned int width,
			   uint32_t value)
{
	int fd = open(device_file(address, "config"), O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, &value, width, at) != (ssize_t)width)
		fail("config space of %s at 0x%x", address, at);
	close(fd);
}

static unsigned int raw_capability(const char *address, uint8_t id)
{
	unsigned int at = raw_config(address, PCI_CAPABILITY_LIST, 1), left = 48;

	while (at && left-- && raw_config(address, at, 1) != id)
		at = raw_config(address, at + 1, 1);
	return at;
}

static unsigned int raw_extended_capability(const char *address, uint16_t id)
{
	unsigned int at = 0x100, left = 64;

	while (at && left-- && raw_config(address, at, 2) != id)
		at = raw_config(address, at + 2, 2) >> 4;
	return at;
}

FIXTURE(pcisim)
{
	struct sim sim;
};

FIXTURE_SETUP(pcisim)
{
	sim_get(&self->sim, &config);
}

FIXTURE_TEARDOWN_PARENT(pcisim)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(pcisim, enumeration)
{
	const char *pf = self->sim.pf, *vf = self->sim.vf[0];
	unsigned int sriov = raw_extended_capability(pf, PCI_EXT_CAP_ID_SRIOV);
	char domain[16];

	file_read(SIM_HOST "/domain", domain, sizeof(domain));
	ASSERT_EQ(0, strncmp(pf, domain, strlen(domain)));
	ASSERT_LE(0x10000, strtoul(domain, NULL, 16));

	EXPECT_EQ(SIM_VENDOR, device_number(pf, "vendor"));
	EXPECT_EQ(SIM_PF_DEVICE, device_number(pf, "device"));
	EXPECT_EQ(0x020000, device_number(pf, "class"));
	EXPECT_EQ(BAR_SIZE, bar_size(pf));
	EXPECT_NE(0, raw_capability(pf, PCI_CAP_ID_EXP));
	EXPECT_NE(0, raw_capability(pf, PCI_CAP_ID_MSIX));
	ASSERT_NE(0, sriov);
	EXPECT_EQ(SIM_MAX_VFS, raw_config(pf, sriov + PCI_SRIOV_TOTAL_VF, 2));
	EXPECT_EQ(SIM_MAX_VFS, device_number(pf, "sriov_totalvfs"));
	EXPECT_EQ(SIM_VF_DEVICE, raw_config(pf, sriov + PCI_SRIOV_VF_DID, 2));
	EXPECT_EQ(2, raw_config(pf, sriov + PCI_SRIOV_NUM_VF, 2));

	EXPECT_EQ(SIM_VENDOR, device_number(vf, "vendor"));
	EXPECT_EQ(SIM_VF_DEVICE, device_number(vf, "device"));
	EXPECT_EQ(0x020000, device_number(vf, "class"));
	EXPECT_EQ(BAR_SIZE, bar_size(vf));
	EXPECT_NE(0, raw_capability(vf, PCI_CAP_ID_EXP));
	EXPECT_NE(0, raw_capability(vf, PCI_CAP_ID_MSIX));
	EXPECT_STREQ(pf + strlen(pf) - 1, "0");
	EXPECT_STREQ(vf + strlen(vf) - 1, "1");
}

TEST_F(pcisim, every_function_has_its_iommu_group)
{
	char pf[16], first[16], second[16];

	link_name(device_file(self->sim.pf, "iommu_group"), pf, sizeof(pf));
	link_name(device_file(self->sim.vf[0], "iommu_group"), first, sizeof(first));
	link_name(device_file(self->sim.vf[1], "iommu_group"), second, sizeof(second));
	EXPECT_STRNE(pf, first);
	EXPECT_STRNE(pf, second);
	EXPECT_STRNE(first, second);
}

TEST_F(pcisim, read_only_bits_stay)
{
	const char *vf = self->sim.vf[0];
	unsigned int exp = raw_capability(vf, PCI_CAP_ID_EXP);
	unsigned int msix = raw_capability(vf, PCI_CAP_ID_MSIX);
	unsigned int at[] = { PCI_VENDOR_ID, PCI_CLASS_REVISION, PCI_CAPABILITY_LIST, exp,
			      exp + PCI_EXP_DEVCAP };
	uint32_t before;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		before = raw_config(vf, at[i], 4);
		raw_config_put(vf, at[i], 4, ~before);
		EXPECT_EQ(before, raw_config(vf, at[i], 4));
	}
	/* the size of the table, beside bits that may change */
	before = raw_config(vf, msix + PCI_MSIX_FLAGS, 2);
	raw_config_put(vf, msix + PCI_MSIX_FLAGS, 2, before ^ PCI_MSIX_FLAGS_QSIZE);
	EXPECT_EQ(before, raw_config(vf, msix + PCI_MSIX_FLAGS, 2));
	EXPECT_EQ(MSIX_TABLE, raw_config(vf, msix + PCI_MSIX_TABLE, 4));
}

TEST_F(pcisim, bar_sizing)
{
	const struct sim_config alone = {
		.state_size = config.state_size,
		.chunk_size = config.chunk_size,
		.no_pf_driver = true,
	};
	const char *pf = self->sim.pf;
	uint32_t low, high;
	uint64_t mask;

	/* nobody may use the BAR meanwhile */
	sim_get(&self->sim, &alone);
	low = raw_config(pf, PCI_BASE_ADDRESS_0, 4);
	high = raw_config(pf, PCI_BASE_ADDRESS_1, 4);
	raw_config_put(pf, PCI_BASE_ADDRESS_0, 4, ~0U);
	mask = raw_config(pf, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK;
	if (low & PCI_BASE_ADDRESS_MEM_TYPE_64) {
		raw_config_put(pf, PCI_BASE_ADDRESS_1, 4, ~0U);
		mask |= (uint64_t)raw_config(pf, PCI_BASE_ADDRESS_1, 4) << 32;
	} else {
		mask |= ~0ULL << 32;
	}
	raw_config_put(pf, PCI_BASE_ADDRESS_0, 4, low);
	raw_config_put(pf, PCI_BASE_ADDRESS_1, 4, high);
	EXPECT_EQ(BAR_SIZE, ~mask + 1);
	EXPECT_EQ(low, raw_config(pf, PCI_BASE_ADDRESS_0, 4));
	EXPECT_EQ(high, raw_config(pf, PCI_BASE_ADDRESS_1, 4));
	EXPECT_EQ(0, raw_config(pf, PCI_BASE_ADDRESS_5, 4));
}

FIXTURE(pcisim_vf)
{
	struct sim sim;
	struct vfio_device dev;
	struct engine engine;
};

FIXTURE_SETUP(pcisim_vf)
{
	sim_get(&self->sim, &config);
	vfio_open(&self->dev, self->sim.vf[0]);
	engine_attach(&self->engine, &self->dev, 1024, NULL);
}

FIXTURE_TEARDOWN_PARENT(pcisim_vf)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(pcisim_vf, config_accesses_of_any_width)
{
	struct vfio_device *dev = &self->dev;
	unsigned char all[64], part[8];
	unsigned int at, width;

	for (at = 0; at < sizeof(all); at++)
		all[at] = vfio_config_get(dev, at, 1);
	for (width = 1; width <= 8; width++)
		for (at = 0; at + width <= sizeof(all); at++) {
			memset(part, 0x5a, sizeof(part));
			ASSERT_EQ(0, __vfio_read(dev, dev->config + at, part, width));
			EXPECT_EQ(0, memcmp(all + at, part, width))
				TH_LOG("%u bytes at 0x%x", width, at);
		}
	/* a write that begins before and ends behind the interrupt line */
	memcpy(part, all + PCI_INTERRUPT_LINE - 1, 3);
	part[1] = 0x37;
	ASSERT_EQ(0, __vfio_write(dev, dev->config + PCI_INTERRUPT_LINE - 1, part, 3));
	EXPECT_EQ(0x37, vfio_config_get(dev, PCI_INTERRUPT_LINE, 1));
	EXPECT_EQ(all[PCI_INTERRUPT_PIN], vfio_config_get(dev, PCI_INTERRUPT_PIN, 1));
}

TEST_F(pcisim_vf, bar_by_mapping_and_by_file)
{
	struct vfio_device *dev = &self->dev;
	struct vfio_region_info bar;
	volatile uint32_t *word;
	uint32_t value;
	uint16_t half;

	vfio_region(dev, VFIO_PCI_BAR0_REGION_INDEX, &bar);
	ASSERT_EQ(BAR_SIZE, bar.size);
	ASSERT_EQ(BAR_SIZE, dev->bar_size);
	vfio_read(dev, bar.offset + PCISIM_ENGINE_OFFSET + PCISIM_ENGINE_ID, &value, 4);
	EXPECT_EQ(PCISIM_ENGINE_MAGIC, value);
	EXPECT_EQ(PCISIM_ENGINE_MAGIC, engine_get(&self->engine, PCISIM_ENGINE_ID));

	/* a register of the idle engine, in both directions */
	word = dev->bar + PCISIM_ENGINE_OFFSET + PCISIM_ENGINE_RING_HIGH;
	value = 0x11223344;
	vfio_write(dev, bar.offset + PCISIM_ENGINE_OFFSET + PCISIM_ENGINE_RING_HIGH, &value, 4);
	EXPECT_EQ(0x11223344, *word);
	*word = 0xa5a51234;
	vfio_read(dev, bar.offset + PCISIM_ENGINE_OFFSET + PCISIM_ENGINE_RING_HIGH, &value, 4);
	EXPECT_EQ(0xa5a51234, value);
	vfio_read(dev, bar.offset + PCISIM_ENGINE_OFFSET + PCISIM_ENGINE_RING_HIGH + 2, &half, 2);
	EXPECT_EQ(0xa5a5, half);

	EXPECT_NE(0, __vfio_read(dev, bar.offset + bar.size, &value, 4));
}

/* The engine runs; after a reset nothing of it is left. */
static void expect_cleared(struct __test_metadata *_metadata, struct engine *engine)
{
	EXPECT_EQ(0, engine_get(engine, PCISIM_ENGINE_CTRL));
	EXPECT_EQ(0, engine_get(engine, PCISIM_ENGINE_RING_LOW));
	EXPECT_EQ(0, engine_get(engine, PCISIM_ENGINE_RING_ENTRIES));
	EXPECT_EQ(0, engine_get(engine, PCISIM_ENGINE_STATUS));
	EXPECT_EQ(1, engine_next(engine));
	EXPECT_EQ(PCISIM_ENGINE_MAGIC, engine_get(engine, PCISIM_ENGINE_ID));
	EXPECT_TRUE(engine_is_quiet(engine));

	/* and it works again, from the first number */
	engine_clear_ring(engine);
	vfio_bus_master(engine->dev, true);
	engine_start(engine, ENGINE_PERIOD, 0);
	engine_progress(engine, 10);
	engine_stop(engine);
	EXPECT_TRUE(engine_ring_holds(engine, 1, engine_next(engine)));
}

TEST_F(pcisim_vf, reset_by_ioctl)
{
	uint64_t resets = sim_counter(self->dev.address, "resets");

	engine_start(&self->engine, ENGINE_PERIOD, 0);
	engine_progress(&self->engine, 10);
	vfio_reset(&self->dev);
	EXPECT_LT(resets, sim_counter(self->dev.address, "resets"));
	expect_cleared(_metadata, &self->engine);
}

TEST_F(pcisim_vf, reset_by_config_write)
{
	unsigned int exp = vfio_find_capability(&self->dev, PCI_CAP_ID_EXP);
	uint64_t resets = sim_counter(self->dev.address, "resets");
	uint16_t control;

	ASSERT_NE(0, exp);
	ASSERT_TRUE(vfio_config_get(&self->dev, exp + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	engine_start(&self->engine, ENGINE_PERIOD, 0);
	engine_progress(&self->engine, 10);
	control = vfio_config_get(&self->dev, exp + PCI_EXP_DEVCTL, 2);
	vfio_config_put(&self->dev, exp + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
	EXPECT_LT(resets, sim_counter(self->dev.address, "resets"));
	EXPECT_FALSE(vfio_config_get(&self->dev, exp + PCI_EXP_DEVCTL, 2) &
		     PCI_EXP_DEVCTL_BCR_FLR);
	expect_cleared(_metadata, &self->engine);
}

TEST_F(pcisim_vf, reset_is_private)
{
	struct vfio_device other;
	struct engine engine;

	vfio_open(&other, self->sim.vf[1]);
	engine_attach(&engine, &other, 1024, NULL);
	engine_start(&engine, ENGINE_PERIOD, 0);
	engine_progress(&engine, 10);
	vfio_reset(&self->dev);
	engine_progress(&engine, 10);
	engine_stop(&engine);
	EXPECT_TRUE(engine_ring_holds(&engine, 1, engine_next(&engine)));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
