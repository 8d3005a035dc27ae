// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readiness: the link to the memory and the memory itself have to be trained after
 * power-on and after each reset. What a driver sees of that are two registers of BAR 0
 * or two bits of the CXL capability, never both.
 */
#include "gpu.h"

#define GPU_CXL_RANGE	(GPU_FIRST_CAPABILITY + PCI_DVSEC_CXL_RANGE_SIZE_LOW(0))

static void gpu_publish_range(struct gpu *gpu)
{
	u32 value = 0;

	if (gpu->ready.info_valid)
		value |= PCI_DVSEC_CXL_MEM_INFO_VALID;
	if (gpu->ready.ready)
		value |= PCI_DVSEC_CXL_MEM_ACTIVE;
	/* the other bits are in bytes of their own */
	pcisim_function_set_register(gpu->fn, GPU_CXL_RANGE, 1, value);
}

/* Write to the device's registers what is so. */
void gpu_ready_publish(struct gpu *gpu)
{
	u32 value = gpu->ready.ready ? PCISIM_GPU_READY : 0;

	lockdep_assert_held(&gpu->lock);

	if (pcisim_function_setting(gpu->fn, GPU_CXL)) {
		gpu_publish_range(gpu);
		return;
	}
	gpu_set(gpu, PCISIM_GPU_LINK, value);
	gpu_set(gpu, PCISIM_GPU_TRAINING, value);
}

static bool gpu_ready_passed(const struct gpu_ready *ready, u32 after)
{
	return after != GPU_NEVER && ktime_ms_delta(ktime_get(), ready->since) >= after;
}

/* What becomes ready with time. Memory that is active has a size that is valid. */
static void gpu_ready_update(struct gpu *gpu)
{
	struct gpu_ready *ready = &gpu->ready;

	lockdep_assert_held(&gpu->lock);

	if (gpu_ready_passed(ready, ready->info_valid_after))
		ready->info_valid = true;
	if (ready->info_valid && gpu_ready_passed(ready, ready->ready_after))
		ready->ready = true;
	gpu_ready_publish(gpu);
}

void gpu_ready_reset(struct gpu *gpu)
{
	lockdep_assert_held(&gpu->lock);

	gpu->ready = (struct gpu_ready) {
		.since = ktime_get(),
		.info_valid_after = READ_ONCE(gpu->info_valid_after),
		.ready_after = READ_ONCE(gpu->ready_after),
	};
	gpu_ready_update(gpu);
}

/* For this time, whatever the settings say: ready now, or not before the next reset. */
void gpu_ready_force(struct gpu *gpu, bool ready)
{
	guard(mutex)(&gpu->lock);

	if (ready)
		gpu->ready.info_valid = true;
	else
		gpu->ready.ready_after = GPU_NEVER;
	gpu->ready.ready = ready;
	gpu_ready_publish(gpu);
}

/* Whether nothing changes by itself any more. */
static bool gpu_ready_is_final(const struct gpu_ready *ready)
{
	if (!ready->info_valid)
		return ready->info_valid_after == GPU_NEVER;
	return ready->ready || ready->ready_after == GPU_NEVER;
}

/* Return the microseconds until the next look at the clock, 0 if there is no need. */
unsigned int gpu_ready_run(struct gpu *gpu)
{
	guard(mutex)(&gpu->lock);
	if (!gpu_ready_is_final(&gpu->ready))
		gpu_ready_update(gpu);
	return gpu_ready_is_final(&gpu->ready) ? 0 : USEC_PER_MSEC;
}
