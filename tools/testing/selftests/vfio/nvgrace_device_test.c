// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPUs of all kinds, as firmware describes them: with memory, without, and with memory that
 * cannot be. Beside its memory a GPU offers what it offers with vfio-pci.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "nvgrace.h"
#include "page.h"
#include "touch.h"

#define MIB	(1UL << 20)
#define GIB	(1UL << 30)

FIXTURE(kind)
{
	struct gpu_host host;
	struct vfio_device dev;
	uint64_t usemem;
	uint64_t resmem;
};

FIXTURE_VARIANT(kind)
{
	struct gpu_config gpu;
	uint64_t usemem;
	uint64_t usemem_size;
	uint64_t resmem;
	uint64_t resmem_size;
	int pages;		/* so many more, or less, of all memory and of its last part */
};

FIXTURE_VARIANT_ADD(kind, gh200_120) {
	.gpu = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE, .memory_size = GIB + 640 * MIB },
	.usemem = 512 * MIB,
	.usemem_size = 512 * MIB,
	.resmem = GIB + 128 * MIB,
	.resmem_size = 2 * GIB,
};

/* The size of the BAR is that of the part, not that of all memory. */
FIXTURE_VARIANT_ADD(kind, gh200_480) {
	.gpu = { .kind = GPU_HOPPER_480, .driver = DRIVER_NVGRACE, .memory_size = 2 * GIB },
	.usemem = GIB,
	.usemem_size = GIB,
	.resmem = GIB,
	.resmem_size = 2 * GIB,
	.pages = 1,
};

FIXTURE_VARIANT_ADD(kind, gh200) {
	.gpu = { .kind = GPU_HOPPER_SKU, .driver = DRIVER_NVGRACE, .memory_size = 3 * GIB },
	.usemem = GIB + 512 * MIB,
	.usemem_size = 2 * GIB,
	.resmem = GIB + 512 * MIB,
	.resmem_size = 2 * GIB,
	.pages = -1,
};

FIXTURE_VARIANT_ADD(kind, gb200) {
	.gpu = { .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .memory_size = 80 * MIB },
	.usemem = 80 * MIB,
	.usemem_size = 128 * MIB,
};

/* A page is all, and the size of the BAR. */
FIXTURE_VARIANT_ADD(kind, gb300) {
	.gpu = { .kind = GPU_BLACKWELL_CXL, .driver = DRIVER_NVGRACE },
	.pages = 1,
};

FIXTURE_SETUP(kind)
{
	const int64_t more = variant->pages * (int64_t)PAGE;
	struct gpu_config gpu = variant->gpu;

	touch_prepare();
	self->usemem = variant->usemem + (variant->resmem ? 0 : more);
	self->resmem = variant->resmem + (variant->resmem ? more : 0);
	gpu.memory_size += more;
	gpu_get(&self->host, &gpu, 1);
	nvgrace_open(&self->dev, self->host.gpu[0]);
}

FIXTURE_TEARDOWN_PARENT(kind)
{
	sim_teardown(_metadata->exit_code);
}

static void expect_memory(struct __test_metadata *_metadata, struct vfio_device *dev,
			  unsigned int index, uint64_t length, uint64_t size)
{
	struct nvgrace_region region;
	uint32_t value = 0, *end;

	nvgrace_region(dev, index, &region);
	EXPECT_EQ(1, region.areas);
	EXPECT_EQ(length, region.length);
	EXPECT_EQ(size, region.size);
	end = nvgrace_map(&region, length - PAGE, PAGE, PAGE);
	EXPECT_TRUE(touch_write(&end[PAGE / 4 - 1], index + 7));
	EXPECT_TRUE(touch_read(&end[PAGE / 4 - 1], &value));
	EXPECT_EQ(index + 7, value);
	/* it is the memory, not something beside it */
	gpu_read(dev->address, length - 4 + (index == RESMEM ?
		 gpu_memory_size(dev->address) - length : 0), &value, 4);
	EXPECT_EQ(index + 7, value);
}

TEST_F(kind, memory)
{
	struct nvgrace_region region;

	expect_memory(_metadata, &self->dev, USEMEM, self->usemem,
		      variant->usemem_size ?: PAGE);
	if (variant->resmem) {
		expect_memory(_metadata, &self->dev, RESMEM, self->resmem,
			      variant->resmem_size);
		return;
	}
	nvgrace_region(&self->dev, RESMEM, &region);
	EXPECT_EQ(0, region.areas);
	EXPECT_EQ(gpu_traits[variant->gpu.kind].bar2_size, region.size);
}

/* So many bytes of a region as dma-buf: 0 or -errno. */
static int export_region(struct vfio_device *dev, unsigned int index, uint64_t offset,
			 uint64_t length)
{
	struct {
		struct vfio_device_feature_dma_buf head;
		struct vfio_region_dma_range range;
	} wanted = {
		.head = { .region_index = index, .nr_ranges = 1 },
		.range = { .offset = offset, .length = length },
	};
	int fd = __vfio_feature(dev, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF,
				&wanted, sizeof(wanted));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* What BAR 0 can, the memory can, up to its end. */
TEST_F(kind, dma_buf)
{
	int expected = export_region(&self->dev, 0, 0, PAGE);

	EXPECT_EQ(expected, export_region(&self->dev, USEMEM, 0, PAGE));
	EXPECT_EQ(expected, export_region(&self->dev, USEMEM, self->usemem - PAGE, PAGE));
	if (variant->resmem)
		EXPECT_EQ(expected, export_region(&self->dev, RESMEM, self->resmem - PAGE, PAGE));
	if (expected)
		return;
	EXPECT_EQ(-EINVAL, export_region(&self->dev, USEMEM, self->usemem, PAGE));
	EXPECT_EQ(-EINVAL, export_region(&self->dev, USEMEM, self->usemem - PAGE, 2 * PAGE));
	/* and again by the next user */
	vfio_close(&self->dev);
	vfio_open(&self->dev, self->host.gpu[0]);
	EXPECT_EQ(0, export_region(&self->dev, USEMEM, 0, PAGE));
}

FIXTURE(plain)
{
	struct gpu_host host;
	struct vfio_device dev;
};

FIXTURE_VARIANT(plain)
{
	struct gpu_config gpu;
};

FIXTURE_VARIANT_ADD(plain, no_properties) {
	.gpu = { .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .no_properties = true },
};

FIXTURE_VARIANT_ADD(plain, no_link) {
	.gpu = {
		.kind = GPU_HOPPER,
		.driver = DRIVER_NVGRACE,
		.reports = true,
		.reported_base = 0x100000000,
	},
};

/* Without memory nobody waits for it. */
FIXTURE_VARIANT_ADD(plain, never_ready) {
	.gpu = {
		.kind = GPU_BLACKWELL,
		.driver = DRIVER_NVGRACE,
		.no_properties = true,
		.ready_after = GPU_NEVER,
	},
};

FIXTURE_SETUP(plain)
{
	touch_prepare();
	gpu_get(&self->host, &variant->gpu, 1);
	nvgrace_open(&self->dev, self->host.gpu[0]);
}

FIXTURE_TEARDOWN_PARENT(plain)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(plain, no_memory)
{
	uint64_t bar2 = gpu_traits[variant->gpu.kind].bar2_size;
	struct nvgrace_region region;
	uint32_t value;

	EXPECT_STREQ("", nvgrace_debugfs(&self->dev, "memory"));
	nvgrace_region(&self->dev, USEMEM, &region);
	EXPECT_EQ(0, region.size);
	EXPECT_EQ(0, region.areas);
	EXPECT_EQ(-EINVAL, nvgrace_read(&region, 0, &value, 4));
	EXPECT_EQ(MAP_FAILED, __nvgrace_map(&region, 0, PAGE, PAGE));
	vfio_config_put(&self->dev, PCI_BASE_ADDRESS_4, 4, ~0U);
	EXPECT_EQ(0, vfio_config_get(&self->dev, PCI_BASE_ADDRESS_4, 4));
	nvgrace_region(&self->dev, RESMEM, &region);
	EXPECT_EQ(bar2, region.size);
	EXPECT_EQ(0, region.areas);
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
	EXPECT_EQ(PCISIM_GPU_MAGIC,
		  gpu_engine_get(&self->dev, PCISIM_GPU_ID));
}

TEST_F(plain, as_with_vfio_pci)
{
	static const unsigned int features[] = {
		VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
		VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, VFIO_DEVICE_FEATURE_BUS_MASTER,
		VFIO_DEVICE_FEATURE_DMA_BUF, VFIO_DEVICE_FEATURE_MIGRATION,
	};
	int ours[ARRAY_SIZE(features)], export;
	struct nvgrace_region region, again;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		ours[i] = __vfio_feature(&self->dev, features[i] | VFIO_DEVICE_FEATURE_PROBE,
					 NULL, 0);
	export = export_region(&self->dev, 0, 0, PAGE);
	nvgrace_region(&self->dev, 0, &region);
	vfio_close(&self->dev);

	sim_bind(self->host.gpu[0], DRIVER_PLAIN);
	vfio_open(&self->dev, self->host.gpu[0]);
	for (i = 0; i < ARRAY_SIZE(features); i++)
		EXPECT_EQ(__vfio_feature(&self->dev, features[i] | VFIO_DEVICE_FEATURE_PROBE,
					 NULL, 0), ours[i]) TH_LOG("feature %u", features[i]);
	EXPECT_EQ(export_region(&self->dev, 0, 0, PAGE), export);
	nvgrace_region(&self->dev, 0, &again);
	EXPECT_EQ(again.size, region.size);
	EXPECT_EQ(again.flags, region.flags);
	EXPECT_EQ(again.areas, region.areas);
}

/* Firmware that contradicts itself, or describes what cannot be */
FIXTURE(refused)
{
	struct gpu_host host;
};

FIXTURE_VARIANT(refused)
{
	enum gpu_kind kind;
	uint64_t base;
	uint64_t size;
};

FIXTURE_VARIANT_ADD(refused, crooked_base) {
	.kind = GPU_BLACKWELL,
	.base = 0x100000800,
	.size = 64 * MIB,
};

FIXTURE_VARIANT_ADD(refused, less_than_a_page) {
	.kind = GPU_BLACKWELL,
	.base = 0x100000000,
	.size = 4095,
};

FIXTURE_VARIANT_ADD(refused, wraps_around) {
	.kind = GPU_BLACKWELL,
	.base = 0xfffffffffff00000,
	.size = 64 * MIB,
};

FIXTURE_VARIANT_ADD(refused, larger_than_a_region) {
	.kind = GPU_BLACKWELL,
	.base = 0x100000000,
	.size = 1025 * GIB,
};

FIXTURE_VARIANT_ADD(refused, no_block_is_left) {
	.kind = GPU_HOPPER,
	.base = 0x100000000,
	.size = GIB + 512 * MIB - 4096,
};

FIXTURE_VARIANT_ADD(refused, only_resmem) {
	.kind = GPU_HOPPER,
	.base = 0x100000000,
	.size = GIB,
};

FIXTURE_VARIANT_ADD(refused, nothing_but_a_page) {
	.kind = GPU_HOPPER,
	.base = 0x100000000,
	.size = 4096,
};

FIXTURE_SETUP(refused)
{
	const struct gpu_config gpu = {
		.kind = variant->kind,
		.reports = true,
		.reported_base = variant->base,
		.reported_size = variant->size,
	};

	gpu_get(&self->host, &gpu, 1);
}

FIXTURE_TEARDOWN_PARENT(refused)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(refused, by_probe)
{
	char driver[32];

	EXPECT_GT(0, __sim_bind(self->host.gpu[0], DRIVER_NVGRACE));
	sim_driver(self->host.gpu[0], driver, sizeof(driver));
	EXPECT_STREQ("", driver);
	/* vfio-pci has no objections */
	sim_bind(self->host.gpu[0], DRIVER_PLAIN);
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
