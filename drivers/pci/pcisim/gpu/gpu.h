/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of pcisim-gpu share.
 *
 * A struct gpu is a function with its memory. All it does is done in its thread, but
 * for debugfs: gpu::lock protects readiness and the list of poisoned pages. The
 * memory itself needs no lock, as it is with memory.
 */
#ifndef PCISIM_GPU_H
#define PCISIM_GPU_H

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/pci_regs.h>
#include <linux/property.h>
#include <linux/types.h>

#include "../pcisim.h"
#include "gpu_abi.h"

enum gpu_setting {
	GPU_DEVICE_ID,
	GPU_MEMORY_SIZE,
	GPU_PROPERTIES,
	GPU_REPORTED_BASE,
	GPU_REPORTED_SIZE,
	GPU_WORKS_CACHED,
	GPU_CXL,
	GPU_CXL_TIMEOUT,
	GPU_INFO_VALID_AFTER,
	GPU_READY_AFTER,
	GPU_NO_SOFT_RESET,
	GPU_BAR2_SIZE,
	GPU_SETTINGS
};

/* The CXL capability comes first if there is one. */
#define GPU_FIRST_CAPABILITY	PCI_CFG_SPACE_SIZE

/* A property that says what is true. */
#define GPU_TRUTH		U64_MAX
/* Milliseconds that never pass. */
#define GPU_NEVER		U32_MAX

/* Values of GPU_WORKS_CACHED: the capability is absent, or says no, or yes. */
enum gpu_works_cached {
	GPU_CACHED_UNKNOWN,
	GPU_CACHED_NO,
	GPU_CACHED_YES,
};

/* What a reset begins anew. */
struct gpu_ready {
	ktime_t since;				/* the reset */
	u32 info_valid_after;			/* milliseconds */
	u32 ready_after;
	bool info_valid;
	bool ready;
};

/* The engine's user sees this in registers that are written, never read. */
struct gpu_engine {
	bool enabled;
	bool error;
	u64 count;
};

struct gpu {
	struct pcisim_function *fn;
	struct resource memory;			/* its part of the module's memory */
	struct property_entry properties[3];
	struct gpu_engine engine;

	struct mutex lock;			/* see the top of this file */
	struct gpu_ready ready;
	unsigned long *poisoned;		/* bit: page */

	/* debugfs; each stands alone */
	u32 info_valid_after;			/* from the next reset on */
	u32 ready_after;
	atomic64_t words;
	atomic64_t state_losses;
};

static inline u64 gpu_memory_size(const struct gpu *gpu)
{
	return resource_size(&gpu->memory);
}

static inline unsigned long gpu_pages(const struct gpu *gpu)
{
	return PHYS_PFN(gpu_memory_size(gpu));
}

static inline u32 gpu_get(const struct gpu *gpu, u32 offset)
{
	return readl(pcisim_function_bar(gpu->fn) + offset);
}

static inline void gpu_set(const struct gpu *gpu, u32 offset, u32 value)
{
	writel(value, pcisim_function_bar(gpu->fn) + offset);
}

/* describe.c */
int gpu_describe(struct pcisim_function *fn);
void gpu_describe_memory(struct gpu *gpu);

/* memory.c */
int gpu_pool_init(u64 base, u64 size);
void gpu_pool_exit(void);
int gpu_memory_init(struct gpu *gpu, u64 size);
void gpu_memory_fini(struct gpu *gpu);
void *gpu_memory_map(const struct gpu *gpu, u64 offset, size_t length);
void gpu_memory_unmap(void *memory);

/* ready.c */
void gpu_ready_reset(struct gpu *gpu);
void gpu_ready_publish(struct gpu *gpu);
void gpu_ready_force(struct gpu *gpu, bool ready);
unsigned int gpu_ready_run(struct gpu *gpu);

/* engine.c */
void gpu_engine_reset(struct gpu *gpu);
unsigned int gpu_engine_run(struct gpu *gpu);

/* debugfs.c */
void gpu_debugfs(struct pcisim_function *fn, struct dentry *dir);

#endif /* PCISIM_GPU_H */
