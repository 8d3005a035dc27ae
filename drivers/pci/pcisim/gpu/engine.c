// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine: writes numbers to the memory while it is enabled and the function awake.
 *
 * Its registers are plain memory of the BAR. What the user may write is read afresh in
 * every run, as writes cannot be observed; what is the device's is written back in
 * every run. A batch is short and written in one go, with config space locked, so that
 * nothing comes after the write that puts the function to sleep.
 */
#include <linux/minmax.h>
#include <linux/overflow.h>

#include "gpu.h"

#define ENGINE_WORD	sizeof(__le64)

/* Numbers from @first on, in one piece of the memory. */
struct engine_batch {
	struct gpu *gpu;
	__le64 *to;
	u64 first;
	u32 words;
};

static u32 engine_get(const struct gpu *gpu, u32 offset)
{
	return gpu_get(gpu, PCISIM_GPU_ENGINE + offset);
}

static u64 engine_get64(const struct gpu *gpu, u32 offset)
{
	return (u64)engine_get(gpu, offset + 4) << 32 | engine_get(gpu, offset);
}

static void engine_set(const struct gpu *gpu, u32 offset, u32 value)
{
	gpu_set(gpu, PCISIM_GPU_ENGINE + offset, value);
}

/* The registers that belong to the device. */
static void engine_publish(const struct gpu *gpu)
{
	const struct gpu_engine *engine = &gpu->engine;
	u32 status = 0;

	if (engine->error)
		status = PCISIM_GPU_STATUS_ERROR;
	else if (engine->enabled)
		status = PCISIM_GPU_STATUS_ACTIVE;

	engine_set(gpu, PCISIM_GPU_ID, PCISIM_GPU_MAGIC);
	engine_set(gpu, PCISIM_GPU_COUNT_LOW, lower_32_bits(engine->count));
	engine_set(gpu, PCISIM_GPU_COUNT_HIGH, upper_32_bits(engine->count));
	engine_set(gpu, PCISIM_GPU_STATUS, status);
}

static bool engine_makes_sense(const struct gpu *gpu, u64 start, u64 length, u32 batch)
{
	u64 end;

	return length && IS_ALIGNED(start | length, ENGINE_WORD) &&
	       !check_add_overflow(start, length, &end) && end <= gpu_memory_size(gpu) &&
	       batch && batch <= PCISIM_GPU_MAX_BATCH;
}

/* Counts with config space locked, too: a sleeping function has counted all that it wrote. */
static void engine_write(void *data)
{
	const struct engine_batch *batch = data;

	for (u32 i = 0; i < batch->words; i++)
		WRITE_ONCE(batch->to[i], cpu_to_le64(batch->first + i));
	atomic64_add(batch->words, &batch->gpu->words);
}

/* One batch, which ends early at the end of the range. */
static void engine_step(struct gpu *gpu)
{
	u64 length = engine_get64(gpu, PCISIM_GPU_LENGTH_LOW);
	u64 start = engine_get64(gpu, PCISIM_GPU_START_LOW);
	struct gpu_engine *engine = &gpu->engine;
	struct engine_batch batch = {
		.gpu = gpu,
		.words = engine_get(gpu, PCISIM_GPU_BATCH),
		.first = engine->count + 1,
	};
	u64 position;

	engine->error = !engine_makes_sense(gpu, start, length, batch.words);
	if (engine->error)
		return;

	position = engine->count % (length / ENGINE_WORD);
	batch.words = min(batch.words, length / ENGINE_WORD - position);
	batch.to = gpu_memory_map(gpu, start + position * ENGINE_WORD,
				  batch.words * ENGINE_WORD);
	if (!batch.to)
		return;
	if (pcisim_function_while_awake(gpu->fn, engine_write, &batch))
		engine->count += batch.words;
	gpu_memory_unmap(batch.to);
}

/* Return the microseconds until the next look at the registers. */
unsigned int gpu_engine_run(struct gpu *gpu)
{
	bool enabled = engine_get(gpu, PCISIM_GPU_CONTROL) & PCISIM_GPU_CONTROL_ENABLE;
	struct gpu_engine *engine = &gpu->engine;

	if (enabled && !engine->enabled)
		engine->count = 0;
	engine->enabled = enabled;
	engine->error = enabled && engine->error;
	if (enabled && !engine->error)
		engine_step(gpu);
	engine_publish(gpu);
	if (!enabled || engine->error)
		return PCISIM_GPU_MAX_PERIOD;
	return clamp(engine_get(gpu, PCISIM_GPU_PERIOD), 1, PCISIM_GPU_MAX_PERIOD);
}

void gpu_engine_reset(struct gpu *gpu)
{
	gpu->engine = (struct gpu_engine) { };
	engine_publish(gpu);
}
