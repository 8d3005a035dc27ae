// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BARs of a GPU's memory in config space, against a model of the registers: accesses of
 * every offset and width, sizing, and what clears them.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "harness.h"
#include "gpu.h"
#include "memory.h"
#include "nvgrace.h"
#include "worker.h"

#define SPACE		256
#define BARS		PCI_BASE_ADDRESS_0
#define BARS_END	(PCI_BASE_ADDRESS_5 + 4)

/**
 * struct model - what config space should contain
 * @bytes: as read at first, byte by byte
 * @raw: what was written to each BAR
 * @mask: the bits of each BAR that hold an address, 0 for a BAR that is not there
 * @type: the other bits
 */
struct model {
	uint8_t bytes[SPACE];
	uint64_t raw[3];
	uint64_t mask[3];
	uint64_t type[3];
};

static void model_take(struct model *model, struct vfio_device *dev)
{
	struct nvgrace_region region;
	unsigned int i;

	memset(model, 0, sizeof(*model));
	for (i = 0; i < SPACE; i++)
		model->bytes[i] = vfio_config_get(dev, i, 1);
	for (i = 0; i < 3; i++) {
		nvgrace_region(dev, 2 * i, &region);
		if (!region.size)
			continue;
		model->mask[i] = ~(region.size - 1);
		memcpy(&model->raw[i], model->bytes + BARS + 8 * i, 8);
		model->type[i] = model->raw[i] & 0xf;
	}
}

static uint8_t model_get(const struct model *model, unsigned int at)
{
	unsigned int bar = (at - BARS) / 8;
	uint64_t value;

	if (at < BARS || at >= BARS_END)
		return model->bytes[at];
	value = (model->raw[bar] & model->mask[bar]) | model->type[bar];
	return value >> 8 * ((at - BARS) % 8);
}

static void model_put(struct model *model, unsigned int at, uint8_t byte)
{
	if (at >= BARS && at < BARS_END)
		((uint8_t *)model->raw)[at - BARS] = byte;
}

static bool model_matches(const struct model *model, unsigned int at, const uint8_t *seen,
			  size_t length)
{
	while (length--)
		if (*seen++ != model_get(model, at++))
			return false;
	return true;
}

FIXTURE(config)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct model model;
	uint8_t bytes[SPACE];
	uint32_t seed;
};

FIXTURE_VARIANT(config)
{
	struct gpu_config gpu;
};

FIXTURE_VARIANT_ADD(config, two_bars) {
	.gpu = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE },
};

/* and a real one before it */
FIXTURE_VARIANT_ADD(config, one_bar) {
	.gpu = { .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE },
};

FIXTURE_SETUP(config)
{
	gpu_get(&self->host, &variant->gpu, 1);
	vfio_open(&self->dev, self->host.gpu[0]);
	model_take(&self->model, &self->dev);
	self->seed = 1;
}

FIXTURE_TEARDOWN_PARENT(config)
{
	sim_teardown(_metadata->exit_code);
}

static void fill(struct _test_data_config *self, uint8_t *bytes, size_t length)
{
	while (length--) {
		self->seed = self->seed * 1103515245 + 12345;
		*bytes++ = self->seed >> 16;
	}
}

/* Both sides get the same bytes. */
static void put(struct _test_data_config *self, unsigned int at, size_t length)
{
	uint8_t bytes[SPACE];
	size_t i;

	fill(self, bytes, length);
	vfio_write(&self->dev, self->dev.config + at, bytes, length);
	for (i = 0; i < length; i++)
		model_put(&self->model, at + i, bytes[i]);
}

static bool matches(struct _test_data_config *self, unsigned int at, size_t length)
{
	uint8_t seen[SPACE];

	memset(seen, 0x5a, sizeof(seen));
	vfio_read(&self->dev, self->dev.config + at, seen, length);
	return model_matches(&self->model, at, seen, length);
}

TEST_F(config, reads_of_every_offset_and_width)
{
	static const unsigned int widths[] = { 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 24, 31, 64, SPACE };
	unsigned int at, i, length, wrong = 0;

	put(self, BARS, BARS_END - BARS);
	for (at = 0; at < SPACE; at++) {
		for (i = 0; i < ARRAY_SIZE(widths); i++) {
			length = widths[i] < SPACE - at ? widths[i] : SPACE - at;
			if (!matches(self, at, length) && !wrong++)
				TH_LOG("%u bytes at %#x", length, at);
		}
	}
	EXPECT_EQ(0, wrong);
}

/* From every offset to every other one, over the edges of the BARs on both sides. */
TEST_F(config, writes_of_every_offset_and_width)
{
	unsigned int at, end, wrong = 0;

	for (at = BARS; at < PCI_ROM_ADDRESS; at++) {
		for (end = at + 1; end <= PCI_ROM_ADDRESS; end++) {
			put(self, at, end - at);
			if (!matches(self, 0, PCI_CAPABILITY_LIST) && !wrong++)
				TH_LOG("%u bytes at %#x", end - at, at);
		}
	}
	EXPECT_EQ(0, wrong);
}

TEST_F(config, sizing)
{
	static const uint8_t ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	struct nvgrace_region region;
	uint64_t value;

	nvgrace_region(&self->dev, USEMEM, &region);
	EXPECT_EQ(0, region.size & (region.size - 1));
	vfio_config_put(&self->dev, PCI_BASE_ADDRESS_4, 4, ~0U);
	vfio_config_put(&self->dev, PCI_BASE_ADDRESS_5, 4, ~0U);
	value = vfio_config_get(&self->dev, PCI_BASE_ADDRESS_4, 4);
	value |= (uint64_t)vfio_config_get(&self->dev, PCI_BASE_ADDRESS_5, 4) << 32;
	EXPECT_EQ(PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH, value & 0xf);
	EXPECT_EQ(region.size, -(value & ~0xfULL));

	nvgrace_region(&self->dev, RESMEM, &region);
	vfio_write(&self->dev, self->dev.config + PCI_BASE_ADDRESS_2, ones, sizeof(ones));
	vfio_read(&self->dev, self->dev.config + PCI_BASE_ADDRESS_2, &value, sizeof(value));
	EXPECT_EQ(region.size, -(value & ~0xfULL));
}

/* What is refused as a whole changes nothing. */
TEST_F(config, beyond_the_end)
{
	uint8_t *bytes = calloc(1, 2 * 4096);
	struct nvgrace_region space;

	nvgrace_region(&self->dev, VFIO_PCI_CONFIG_REGION_INDEX, &space);
	ASSERT_GE(4096, space.size);
	put(self, BARS, BARS_END - BARS);
	EXPECT_EQ(-EFAULT, nvgrace_read(&space, BARS, bytes, space.size));
	EXPECT_EQ(-EFAULT, nvgrace_write(&space, BARS, bytes, space.size));
	EXPECT_EQ(-EFAULT, nvgrace_read(&space, space.size - 2, bytes, 4));
	EXPECT_TRUE(matches(self, 0, PCI_CAPABILITY_LIST));
	EXPECT_EQ(0, nvgrace_read(&space, PCI_BASE_ADDRESS_4, bytes, 0));
	EXPECT_EQ(space.size - BARS, nvgrace_read(&space, BARS, bytes, space.size - BARS));
	EXPECT_TRUE(model_matches(&self->model, BARS, bytes, SPACE - BARS));
}

TEST_F(config, memory_that_ends)
{
	uint8_t *edge = memory_edge(4096);
	struct nvgrace_region space;

	nvgrace_region(&self->dev, VFIO_PCI_CONFIG_REGION_INDEX, &space);
	put(self, BARS, BARS_END - BARS);
	EXPECT_EQ(-EFAULT, nvgrace_read(&space, PCI_BASE_ADDRESS_4, edge - 7, 8));
	EXPECT_EQ(-EFAULT, nvgrace_read(&space, PCI_BASE_ADDRESS_5, edge - 4, 8));
	EXPECT_EQ(-EFAULT, nvgrace_write(&space, PCI_BASE_ADDRESS_4, edge - 7, 8));
	EXPECT_EQ(8, nvgrace_read(&space, PCI_BASE_ADDRESS_4, edge - 8, 8));
	EXPECT_TRUE(model_matches(&self->model, PCI_BASE_ADDRESS_4, edge - 8, 8));
}

/* Each piece of a vector continues where the last one ended. */
TEST_F(config, vectors)
{
	uint8_t seen[40];
	struct iovec pieces[] = {
		{ seen, 3 }, { seen + 3, 8 }, { seen + 11, 1 }, { seen + 12, 28 },
	};

	put(self, BARS, BARS_END - BARS);
	EXPECT_EQ(40, preadv(self->dev.device, pieces, 4, self->dev.config + BARS - 1));
	EXPECT_TRUE(model_matches(&self->model, BARS - 1, seen, 40));
}

#define EVEN	0x1111111110000000ULL
#define ODD	0xeeeeeeeee0000000ULL

static long write_alternately(void *argument)
{
	static const uint64_t values[] = { EVEN, ODD };
	struct vfio_device *dev = argument;
	unsigned int i;

	for (i = 0; i < 3000; i++)
		vfio_write(dev, dev->config + PCI_BASE_ADDRESS_4, &values[i % 2], 8);
	return 0;
}

TEST_F(config, no_value_is_torn)
{
	uint64_t mask = self->model.mask[2] & ~0xfULL, value, torn = 0;
	struct worker writers[2];
	unsigned int i;

	vfio_write(&self->dev, self->dev.config + PCI_BASE_ADDRESS_4, &(uint64_t){ EVEN }, 8);
	for (i = 0; i < 2; i++)
		worker_start(&writers[i], write_alternately, &self->dev);
	while (!worker_is_done(&writers[0]) || !worker_is_done(&writers[1])) {
		vfio_read(&self->dev, self->dev.config + PCI_BASE_ADDRESS_4, &value, 8);
		torn += (value & mask) != (EVEN & mask) && (value & mask) != (ODD & mask);
	}
	EXPECT_EQ(0, torn);
	for (i = 0; i < 2; i++)
		worker_join(&writers[i], LATER);
}

TEST_F(config, fresh_for_each_user)
{
	put(self, BARS, BARS_END - BARS);
	vfio_close(&self->dev);
	vfio_open(&self->dev, self->host.gpu[0]);
	EXPECT_EQ(0, vfio_config_get(&self->dev, PCI_BASE_ADDRESS_5, 4));
	EXPECT_EQ(0xc, vfio_config_get(&self->dev, PCI_BASE_ADDRESS_4, 4));
}

/* A guest that suspends and resumes the GPU finds its BARs. */
TEST_F(config, kept_in_d3hot)
{
	put(self, PCI_BASE_ADDRESS_2, 16);
	gpu_set_power(&self->dev, GPU_D3HOT);
	gpu_set_power(&self->dev, GPU_D0);
	EXPECT_TRUE(matches(self, PCI_BASE_ADDRESS_2, 16));
}

FIXTURE(cleared)
{
	struct gpu_host host;
	struct vfio_device dev;
};

FIXTURE_VARIANT(cleared)
{
	enum nvgrace_reset how;
};

FIXTURE_VARIANT_ADD(cleared, vfio) { .how = NVGRACE_RESET_VFIO };
FIXTURE_VARIANT_ADD(cleared, config) { .how = NVGRACE_RESET_CONFIG };
FIXTURE_VARIANT_ADD(cleared, sysfs) { .how = NVGRACE_RESET_SYSFS };
FIXTURE_VARIANT_ADD(cleared, bus) { .how = NVGRACE_RESET_BUS };

FIXTURE_SETUP(cleared)
{
	const struct gpu_config gpu = {
		.kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .port = 1,
	};

	gpu_get(&self->host, &gpu, 1);
	vfio_open(&self->dev, self->host.gpu[0]);
}

FIXTURE_TEARDOWN_PARENT(cleared)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(cleared, by_reset)
{
	unsigned int round;

	for (round = 0; round < 3; round++) {
		vfio_config_put(&self->dev, PCI_BASE_ADDRESS_4, 4, ~0U);
		vfio_config_put(&self->dev, PCI_BASE_ADDRESS_5, 4, ~0U);
		EXPECT_EQ(~0U, vfio_config_get(&self->dev, PCI_BASE_ADDRESS_5, 4));
		nvgrace_reset(&self->dev, variant->how);
		EXPECT_EQ(0, vfio_config_get(&self->dev, PCI_BASE_ADDRESS_5, 4));
		EXPECT_EQ(0xc, vfio_config_get(&self->dev, PCI_BASE_ADDRESS_4, 4));
	}
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
