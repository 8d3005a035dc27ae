// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets of a GPU with coherent memory, of every kind: mappings go and come back, the memory
 * is not touched before it is ready, and nothing gets in each other's way. And what else ends
 * the use of a device: the driver that is unbound while the memory is mapped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "nvgrace.h"
#include "page.h"
#include "touch.h"
#include "worker.h"

#define MIB		(1UL << 20)

FIXTURE(reset)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
	char *map;
};

FIXTURE_VARIANT(reset)
{
	enum nvgrace_reset how;
};

FIXTURE_VARIANT_ADD(reset, vfio) { .how = NVGRACE_RESET_VFIO };
FIXTURE_VARIANT_ADD(reset, config) { .how = NVGRACE_RESET_CONFIG };
FIXTURE_VARIANT_ADD(reset, sysfs) { .how = NVGRACE_RESET_SYSFS };
FIXTURE_VARIANT_ADD(reset, bus) { .how = NVGRACE_RESET_BUS };

FIXTURE_SETUP(reset)
{
	const struct gpu_config gpu = {
		.kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .port = 1,
	};

	touch_prepare();
	gpu_get(&self->host, &gpu, 1);
	file_write_number(NVGRACE_TIMEOUT, 1);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	nvgrace_region(&self->dev, USEMEM, &self->region);
	self->map = nvgrace_map(&self->region, 0, 16 * MIB, huge_page());
}

FIXTURE_TEARDOWN_PARENT(reset)
{
	__file_write_number(NVGRACE_TIMEOUT, NVGRACE_TIMEOUT_DEFAULT);
	sim_teardown(_metadata->exit_code);
}

/* What is mapped is not touched until the device is ready, and then it is what it was. */
TEST_F(reset, mappings_go_and_come_back)
{
	uint64_t resets = sim_counter(self->dev.address, "resets");
	uint32_t *where = (uint32_t *)(self->map + 3 * MIB), value = 0;

	ASSERT_TRUE(touch_write(where, 0xabcd));
	gpu_ready_after(self->dev.address, GPU_NEVER);
	nvgrace_reset(&self->dev, variant->how);
	EXPECT_EQ(resets + 1, sim_counter(self->dev.address, "resets"));
	nvgrace_enable(&self->dev, true);
	EXPECT_FALSE(touch_read(where, &value));
	EXPECT_EQ(-ETIMEDOUT, nvgrace_read(&self->region, 0, &value, 4));
	gpu_ready(self->dev.address, true);
	ASSERT_TRUE(touch_read(where, &value));
	EXPECT_EQ(0xabcd, value);
	EXPECT_EQ(4, nvgrace_read(&self->region, 3 * MIB, &value, 4));
	EXPECT_EQ(0xabcd, value);
}

TEST_F(reset, while_memory_is_disabled)
{
	uint32_t *where = (uint32_t *)self->map, value = 0;

	ASSERT_TRUE(touch_write(where, 0x1234));
	nvgrace_enable(&self->dev, false);
	nvgrace_reset(&self->dev, variant->how);
	EXPECT_FALSE(touch_read(where, &value));
	nvgrace_enable(&self->dev, true);
	ASSERT_TRUE(touch_read(where, &value));
	EXPECT_EQ(0x1234, value);
}

/* While the device is reset again and again. */
struct storm {
	struct nvgrace_region *region;
	char *map;
	bool over;
};

static bool is_over(struct storm *storm)
{
	return __atomic_load_n(&storm->over, __ATOMIC_SEQ_CST);
}

static bool is_expected(long result, long length)
{
	return result == length || result == -EIO || result == -ETIMEDOUT;
}

/* All return how many results were none of those that can be. */
static long read_and_write(void *argument)
{
	struct storm *storm = argument;
	long wrong = 0;
	char bytes[100];

	while (!is_over(storm)) {
		wrong += !is_expected(nvgrace_read(storm->region, 5000, bytes, 100), 100);
		wrong += !is_expected(nvgrace_write(storm->region, 70000, bytes, 100), 100);
	}
	return wrong;
}

/* Into and out of the region itself: the kernel faults in the middle of it. */
static long read_into_mapping(void *argument)
{
	struct storm *storm = argument;
	long wrong = 0;

	while (!is_over(storm)) {
		long result = nvgrace_read(storm->region, 0, storm->map + 8 * MIB, PAGE);

		wrong += result != -EFAULT && !is_expected(result, PAGE);
		result = nvgrace_write(storm->region, MIB, storm->map + 9 * MIB, PAGE);
		wrong += result != -EFAULT && !is_expected(result, PAGE);
	}
	return wrong;
}

static long touch_pages(void *argument)
{
	struct storm *storm = argument;
	uint32_t value;
	size_t at = 0;

	while (!is_over(storm)) {
		touch_read((uint32_t *)(storm->map + at), &value);
		touch_write((uint32_t *)(storm->map + at + 64), value);
		at = (at + 37 * PAGE) % (8 * MIB);
	}
	return 0;
}

static long configure(void *argument)
{
	struct storm *storm = argument;
	struct vfio_device *dev = storm->region->dev;

	while (!is_over(storm)) {
		vfio_config_put(dev, PCI_BASE_ADDRESS_4, 4, 0x10000000);
		vfio_config_get(dev, PCI_BASE_ADDRESS_3, 4);
		nvgrace_enable(dev, false);
		nvgrace_enable(dev, true);
	}
	return 0;
}

#define ROUNDS	12

TEST_F(reset, storm)
{
	static long (*const acts[])(void *argument) = {
		read_and_write, read_into_mapping, touch_pages, configure,
	};
	struct storm storm = { .region = &self->region, .map = self->map };
	struct worker workers[ARRAY_SIZE(acts)];
	unsigned int i, done = 0;

	for (i = 0; i < ARRAY_SIZE(acts); i++)
		worker_start(&workers[i], acts[i], &storm);
	for (i = 0; i < ROUNDS; i++) {
		/* one by the bus or of the function answers EAGAIN or EBUSY to whom is late */
		done += !__nvgrace_reset(&self->dev, variant->how);
		usleep(2000);
	}
	__atomic_store_n(&storm.over, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		worker_join(&workers[i], 3 * LATER);
		EXPECT_EQ(0, workers[i].result) TH_LOG("act %u", i);
	}
	/* and it works afterwards */
	while (!done && i++ < 1000)
		done += !__nvgrace_reset(&self->dev, variant->how);
	EXPECT_LT(0, done);
	nvgrace_enable(&self->dev, true);
	EXPECT_TRUE(touch_write((uint32_t *)self->map, 1));
}

static long take_driver_away(void *argument)
{
	struct vfio_device *dev = argument;

	return __file_write(path("/sys/bus/pci/devices/%s/driver/unbind", dev->address),
			    dev->address);
}

/* A mapping keeps the device with its user, who can go on with it. */
TEST_F(reset, unbound_while_mapped)
{
	struct worker worker;
	char driver[32];
	uint32_t value;

	ASSERT_TRUE(touch_write((uint32_t *)self->map, 0x4711));
	worker_start(&worker, take_driver_away, &self->dev);
	vfio_close(&self->dev);
	ASSERT_TRUE(touch_read((uint32_t *)(self->map + 2 * MIB), &value));
	ASSERT_TRUE(touch_read((uint32_t *)self->map, &value));
	EXPECT_EQ(0x4711, value);
	EXPECT_FALSE(worker_is_done(&worker));
	ASSERT_EQ(0, munmap(self->map, 16 * MIB));
	worker_join(&worker, 2 * LATER);
	EXPECT_EQ(0, worker.result);
	sim_driver(self->dev.address, driver, sizeof(driver));
	EXPECT_STREQ("", driver);
	/* and back */
	sim_bind(self->dev.address, DRIVER_NVGRACE);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	self->map = nvgrace_map(&self->region, 0, 16 * MIB, PAGE);
	ASSERT_TRUE(touch_read((uint32_t *)self->map, &value));
	EXPECT_EQ(0x4711, value);
}

/* Who has to own which devices before a reset of the bus can be read. */
TEST(reset_set)
{
	static const struct gpu_config gpus[] = {
		{ .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .port = 1 },
		{ .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .port = 1 },
		{ .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .port = 2 },
		{ .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE },
	};
	struct vfio_device dev;
	struct gpu_host host;
	char expected[64];
	unsigned int i;

	gpu_get(&host, gpus, ARRAY_SIZE(gpus));
	for (i = 0; i < ARRAY_SIZE(gpus); i++) {
		snprintf(dev.address, sizeof(dev.address), "%s", host.gpu[i]);
		if (gpus[i].port == 1)
			snprintf(expected, sizeof(expected), "%s\n%s", host.gpu[0], host.gpu[1]);
		else
			snprintf(expected, sizeof(expected), "%s", i == 2 ? host.gpu[2] : "");
		EXPECT_STREQ(expected, nvgrace_debugfs(&dev, "reset_set"));
	}
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
