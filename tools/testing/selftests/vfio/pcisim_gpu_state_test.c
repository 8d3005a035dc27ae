// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of the simulated GPU: its engine, what D3hot and resets take from it and what
 * they leave, and pages of its memory that have failed. Plain vfio-pci drives it.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness.h"
#include "gpu.h"
#include "page.h"

/* Of the memory, for the engine. */
#define START		GPU_MEBI(1)
#define LENGTH		GPU_MEBI(1)
#define SOME		2000
#define SCRATCH		0x12345678U

FIXTURE(pcisim_gpu_state)
{
	struct gpu_host host;
	struct vfio_device dev;
	const char *gpu;
};

static void open_gpu(struct gpu_host *host, struct vfio_device *dev, bool no_soft_reset)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL,
		.driver = DRIVER_PLAIN,
		.no_soft_reset = no_soft_reset,
	};

	gpu_get(host, &config, 1);
	vfio_open(dev, host->gpu[0]);
	gpu_fill(host->gpu[0], START - 4096, LENGTH + 8192, 0);
}

FIXTURE_SETUP(pcisim_gpu_state)
{
	self->gpu = self->host.gpu[0];
	open_gpu(&self->host, &self->dev, false);
}

FIXTURE_TEARDOWN_PARENT(pcisim_gpu_state)
{
	sim_teardown(_metadata->exit_code);
}

static void expect_memory_around(struct __test_metadata *_metadata, const char *gpu)
{
	EXPECT_TRUE(gpu_matches(gpu, START - 4096, 4096, 0));
	EXPECT_TRUE(gpu_matches(gpu, START + LENGTH, 4096, 0));
}

static void clear_range(const char *gpu, uint64_t length)
{
	void *zeroes = calloc(1, length);

	gpu_write(gpu, START, zeroes, length);
	free(zeroes);
}

/* More numbers than fit, so that it begins again in front. */
TEST_F(pcisim_gpu_state, engine)
{
	const uint64_t length = 8 * 700;
	uint64_t count;

	clear_range(self->gpu, length);
	EXPECT_EQ(PCISIM_GPU_MAGIC, gpu_engine_get(&self->dev, PCISIM_GPU_ID));
	gpu_engine_start(&self->dev, START, length);
	gpu_engine_progress(&self->dev, SOME);
	gpu_engine_stop(&self->dev);
	count = gpu_engine_count(&self->dev);
	EXPECT_LE(SOME, count);
	EXPECT_TRUE(gpu_engine_holds(self->gpu, START, length, count));
	EXPECT_TRUE(gpu_matches(self->gpu, START + length, LENGTH - length, 0));
	expect_memory_around(_metadata, self->gpu);
	EXPECT_TRUE(gpu_is_quiet(self->gpu));
}

static void expect_engine_error(struct __test_metadata *_metadata, struct vfio_device *dev,
				uint64_t start, uint64_t length)
{
	gpu_engine_start(dev, start, length);
	EXPECT_TRUE(wait_until(gpu_engine_get(dev, PCISIM_GPU_STATUS) ==
			       PCISIM_GPU_STATUS_ERROR, LATER));
	gpu_engine_stop(dev);
}

TEST_F(pcisim_gpu_state, engine_refuses)
{
	uint64_t words = gpu_words(self->gpu), size = gpu_memory_size(self->gpu);

	expect_engine_error(_metadata, &self->dev, START, 0);
	expect_engine_error(_metadata, &self->dev, START + 4, LENGTH);
	expect_engine_error(_metadata, &self->dev, START, LENGTH + 4);
	expect_engine_error(_metadata, &self->dev, size - 8, 16);
	expect_engine_error(_metadata, &self->dev, size, 8);
	expect_engine_error(_metadata, &self->dev, -8ULL, 16);
	EXPECT_EQ(words, gpu_words(self->gpu));
	gpu_engine_start(&self->dev, size - 8, 8);
	gpu_engine_progress(&self->dev, 3);
	gpu_engine_stop(&self->dev);
}

static uint64_t words_before;

/* The engine has written numbers, and registers have values to lose. */
static void make_state(struct vfio_device *dev)
{
	clear_range(dev->address, LENGTH);
	words_before = gpu_words(dev->address);
	gpu_engine_put(dev, PCISIM_GPU_SCRATCH(0), SCRATCH);
	gpu_engine_put(dev, PCISIM_GPU_SCRATCH(3), SCRATCH);
	gpu_engine_start(dev, START, LENGTH);
	gpu_engine_progress(dev, SOME);
}

static void expect_no_state(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	unsigned int reg;

	EXPECT_EQ(PCISIM_GPU_MAGIC, gpu_engine_get(dev, PCISIM_GPU_ID));
	for (reg = PCISIM_GPU_CONTROL; reg <= PCISIM_GPU_SCRATCH(3); reg += 4)
		EXPECT_EQ(0, gpu_engine_get(dev, reg)) TH_LOG("register 0x%x", reg);
}

/* What had been written when the engine stopped, and nothing else, is in the memory. */
static void expect_stopped(struct __test_metadata *_metadata, const char *gpu, uint64_t words)
{
	EXPECT_TRUE(gpu_is_quiet(gpu));
	EXPECT_EQ(words, gpu_words(gpu));
	EXPECT_TRUE(gpu_engine_holds(gpu, START, LENGTH, words - words_before));
	expect_memory_around(_metadata, gpu);
}

static void expect_engine_works(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	clear_range(dev->address, LENGTH);
	gpu_engine_start(dev, START, LENGTH);
	gpu_engine_progress(dev, SOME);
	gpu_engine_stop(dev);
	EXPECT_TRUE(gpu_engine_holds(dev->address, START, LENGTH, gpu_engine_count(dev)));
}

TEST_F(pcisim_gpu_state, d3hot_takes_the_state)
{
	uint64_t losses = sim_counter(self->gpu, "state_losses"), words;
	uint64_t resets = sim_counter(self->gpu, "resets");

	make_state(&self->dev);
	gpu_set_power(&self->dev, GPU_D3HOT);
	words = gpu_words(self->gpu);
	EXPECT_EQ(GPU_D3HOT, gpu_power(&self->dev));
	EXPECT_TRUE(gpu_is_ready(self->gpu));
	expect_stopped(_metadata, self->gpu, words);

	gpu_set_power(&self->dev, GPU_D0);
	EXPECT_EQ(GPU_D0, gpu_power(&self->dev));
	EXPECT_EQ(losses + 1, sim_counter(self->gpu, "state_losses"));
	EXPECT_EQ(resets, sim_counter(self->gpu, "resets"));
	expect_no_state(_metadata, &self->dev);
	expect_stopped(_metadata, self->gpu, words);
	EXPECT_TRUE(gpu_says_ready(&self->dev));
	expect_engine_works(_metadata, &self->dev);
}

TEST_F(pcisim_gpu_state, d3hot_keeps_a_gpu_not_ready)
{
	gpu_ready_after(self->gpu, GPU_NEVER);
	vfio_reset(&self->dev);
	gpu_set_power(&self->dev, GPU_D3HOT);
	gpu_set_power(&self->dev, GPU_D0);
	EXPECT_FALSE(gpu_says_ready(&self->dev));
}

TEST_F(pcisim_gpu_state, no_soft_reset_keeps_the_state)
{
	uint64_t words;

	vfio_close(&self->dev);
	open_gpu(&self->host, &self->dev, true);
	make_state(&self->dev);
	gpu_set_power(&self->dev, GPU_D3HOT);
	words = gpu_words(self->gpu);
	expect_stopped(_metadata, self->gpu, words);

	gpu_set_power(&self->dev, GPU_D0);
	gpu_engine_progress(&self->dev, SOME);
	EXPECT_EQ(SCRATCH, gpu_engine_get(&self->dev, PCISIM_GPU_SCRATCH(0)));
	gpu_engine_stop(&self->dev);
	EXPECT_EQ(gpu_words(self->gpu) - words_before, gpu_engine_count(&self->dev));
	EXPECT_EQ(0, sim_counter(self->gpu, "state_losses"));
}

TEST_F(pcisim_gpu_state, reset_takes_the_state)
{
	uint64_t losses = sim_counter(self->gpu, "state_losses");
	uint64_t words;

	make_state(&self->dev);
	gpu_ready_after(self->gpu, GPU_NEVER);
	vfio_reset(&self->dev);
	words = gpu_words(self->gpu);
	EXPECT_FALSE(gpu_is_ready(self->gpu));
	expect_no_state(_metadata, &self->dev);
	expect_stopped(_metadata, self->gpu, words);
	EXPECT_EQ(losses, sim_counter(self->gpu, "state_losses"));
	gpu_ready(self->gpu, true);
	expect_engine_works(_metadata, &self->dev);
}

TEST_F(pcisim_gpu_state, poisoned_pages)
{
	uint64_t last = gpu_memory_size(self->gpu) - 1;

	if (!gpu_can_poison(self->gpu))
		SKIP(return, "the kernel does not handle memory errors");
	EXPECT_FALSE(gpu_is_poisoned(self->gpu, START));
	gpu_poison(self->gpu, START + 3 * PAGE + 57);
	gpu_poison(self->gpu, last);
	EXPECT_TRUE(gpu_is_poisoned(self->gpu, START + 3 * PAGE + 57));
	EXPECT_TRUE(gpu_is_poisoned(self->gpu, START + 3 * PAGE));
	EXPECT_FALSE(gpu_is_poisoned(self->gpu, START + 2 * PAGE));
	EXPECT_TRUE(gpu_is_poisoned(self->gpu, last));
	EXPECT_FALSE(gpu_is_poisoned(self->gpu, START));
	EXPECT_FALSE(gpu_is_poisoned(self->gpu, last - PAGE));
	EXPECT_EQ(-EINVAL, __gpu_poison(self->gpu, last + 1));
	/* a reset replaces them, D3hot does not */
	gpu_set_power(&self->dev, GPU_D3HOT);
	gpu_set_power(&self->dev, GPU_D0);
	EXPECT_TRUE(gpu_is_poisoned(self->gpu, last));
	vfio_reset(&self->dev);
	EXPECT_FALSE(gpu_is_poisoned(self->gpu, START + 3 * PAGE + 57));
	EXPECT_FALSE(gpu_is_poisoned(self->gpu, last));
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
