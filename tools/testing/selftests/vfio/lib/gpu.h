/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated host with GPUs, their memory behind the driver's back, and their engine.
 *
 * As with struct sim a fixture takes over what it finds when the settings are the same,
 * and what a failed test leaves behind is thrown away. A GPU that is taken over has been
 * reset; its memory keeps what it was.
 */
#ifndef LIB_GPU_H
#define LIB_GPU_H

#include <gpu_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim.h"
#include "vfio_device.h"

#define GPU_VENDOR	0x10de
#define GPU_MAX		8
/* Milliseconds that never pass. */
#define GPU_NEVER	UINT32_MAX
#define GPU_MEBI(n)	((uint64_t)(n) << 20)

enum gpu_kind {
	GPU_HOPPER,		/* 2342 */
	GPU_HOPPER_480,		/* 2345 */
	GPU_HOPPER_SKU,		/* 2348 */
	GPU_BLACKWELL,		/* 2941 */
	GPU_BLACKWELL_CXL,	/* 31c2, ready by the CXL capability */
	GPU_KINDS
};

/**
 * struct gpu_traits - what the GPUs of a kind have in common
 * @device: device id
 * @memory_size: bytes of memory, if nothing else is said
 * @works_cached: what the vendor's capability says: 1 no, 2 yes
 * @cxl: has the CXL capability
 * @bar2_size: bytes of BAR 2, 0 if there is none
 */
struct gpu_traits {
	uint16_t device;
	uint64_t memory_size;
	unsigned int works_cached;
	bool cxl;
	uint64_t bar2_size;
};

extern const struct gpu_traits gpu_traits[GPU_KINDS];

/**
 * struct gpu_config - what a fixture wants of one GPU
 * @kind: which one
 * @memory_size: bytes of memory, 0: as usual for its kind
 * @no_properties: firmware does not know of the memory
 * @reports: firmware says what follows instead of the truth
 * @reported_base: physical address
 * @reported_size: bytes; 0: the link is down
 * @info_valid_after: milliseconds from power-on and from each reset until the CXL
 *	capability is valid
 * @ready_after: milliseconds until the GPU is ready, or GPU_NEVER
 * @cxl_timeout: the field of the CXL capability
 * @no_soft_reset: state survives D3hot
 * @port: root port that it is behind, 0: none
 * @driver: what drives it; NULL: nothing
 */
struct gpu_config {
	enum gpu_kind kind;
	uint64_t memory_size;
	bool no_properties;
	bool reports;
	uint64_t reported_base;
	uint64_t reported_size;
	uint64_t info_valid_after;
	uint64_t ready_after;
	unsigned int cxl_timeout;
	bool no_soft_reset;
	unsigned int port;
	const char *driver;
};

/**
 * struct gpu_host - a live host
 * @gpu: PCI addresses
 * @count: number of GPUs
 */
struct gpu_host {
	char gpu[GPU_MAX][SIM_ADDRESS];
	unsigned int count;
};

/* The beginning of a test program, like sim_prepare(). */
void gpu_prepare(void);
/* The model and its memory, as gpu_prepare() does it. */
int __gpu_load(void);
/* A host with these GPUs is live, and bound to their drivers. */
int __gpu_get(struct gpu_host *host, const struct gpu_config *configs, unsigned int count);

/* The memory, behind the driver's back: from and to any offset. */
uint64_t gpu_memory_base(const char *address);
uint64_t gpu_memory_size(const char *address);
int __gpu_write(const char *address, uint64_t offset, const void *data, size_t length);
int __gpu_read(const char *address, uint64_t offset, void *data, size_t length);
/* A pattern that differs in every 8 bytes and with every @seed; multiples of 8. */
void gpu_fill(const char *address, uint64_t offset, uint64_t length, unsigned int seed);
bool gpu_matches(const char *address, uint64_t offset, uint64_t length, unsigned int seed);

/* Until the next reset: ready now, or not at all. */
int __gpu_ready(const char *address, bool ready);
bool gpu_is_ready(const char *address);
/* From the next reset on. */
int __gpu_ready_after(const char *address, uint32_t milliseconds);

/* Whether the kernel is one that handles memory errors. */
bool gpu_can_poison(const char *address);
/* The page has failed; the kernel has told whom it knows of when this returns. */
int __gpu_poison(const char *address, uint64_t offset);
bool gpu_is_poisoned(const char *address, uint64_t offset);

/* PowerState through VFIO, and what it is. 0: D0, 3: D3hot. */
#define GPU_D0		0
#define GPU_D3HOT	3

void gpu_set_power(struct vfio_device *dev, unsigned int state);
unsigned int gpu_power(struct vfio_device *dev);

/* Whether both registers of BAR 0 say that the memory is ready. */
bool gpu_says_ready(struct vfio_device *dev);

/* The engine, through VFIO. Memory of the function is enabled with that. */
uint32_t gpu_engine_get(struct vfio_device *dev, unsigned int reg);
void gpu_engine_put(struct vfio_device *dev, unsigned int reg, uint32_t value);
/* Writes numbers from 1 on to this part of the memory, from now on. */
void gpu_engine_start(struct vfio_device *dev, uint64_t offset, uint64_t length);
int __gpu_engine_stop(struct vfio_device *dev);
uint64_t gpu_engine_count(struct vfio_device *dev);
/* Waits until @more further numbers have been written. */
int __gpu_engine_progress(struct vfio_device *dev, uint64_t more);
/* Whether this part of the memory holds the first @count numbers, and zeroes elsewhere. */
bool gpu_engine_holds(const char *address, uint64_t offset, uint64_t length, uint64_t count);
/* Numbers that the engine has ever written, whatever was reset. */
uint64_t gpu_words(const char *address);
/* Whether the engine writes nothing for some time. */
bool gpu_is_quiet(const char *address);

#define gpu_load()		must(__gpu_load())
#define gpu_get(...)		must(__gpu_get(__VA_ARGS__))
#define gpu_write(...)		must(__gpu_write(__VA_ARGS__))
#define gpu_read(...)		must(__gpu_read(__VA_ARGS__))
#define gpu_ready(...)		must(__gpu_ready(__VA_ARGS__))
#define gpu_ready_after(...)	must(__gpu_ready_after(__VA_ARGS__))
#define gpu_poison(...)		must(__gpu_poison(__VA_ARGS__))
#define gpu_engine_stop(...)	must(__gpu_engine_stop(__VA_ARGS__))
#define gpu_engine_progress(...)	must(__gpu_engine_progress(__VA_ARGS__))

#endif /* LIB_GPU_H */
