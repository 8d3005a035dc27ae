/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine of a simulated VF: it writes 1, 2, 3... to a ring in memory. What
 * has been written tells whether a device went on where it had stopped.
 */
#ifndef LIB_ENGINE_H
#define LIB_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "hca_abi.h"
#include "vfio_device.h"

/**
 * struct engine - access to the engine of an open VF
 * @dev: the VF
 * @ring: where the engine writes to
 * @entries: number of entries of @ring
 * @iova: the device's address of @ring
 */
struct engine {
	struct vfio_device *dev;
	uint64_t *ring;
	unsigned int entries;
	uint64_t iova;
};

#define ENGINE_IOVA	0x10000000ULL
#define ENGINE_PERIOD	200

/*
 * Maps BAR and ring, lets the VF be bus master. The ring is fresh memory unless
 * @shared is another engine, whose ring is used at the same address.
 */
int __engine_attach(struct engine *engine, struct vfio_device *dev, unsigned int entries,
		    const struct engine *shared);

uint32_t engine_get(struct engine *engine, unsigned int reg);
void engine_put(struct engine *engine, unsigned int reg, uint32_t value);
/* Programs the ring and starts. @control: PCISIM_ENGINE_CTRL_ bits beside enable. */
void engine_start(struct engine *engine, unsigned int period, uint32_t control);
/* Disables and waits until it is idle. */
int __engine_stop(struct engine *engine);
/* The number that is written next. */
uint64_t engine_next(struct engine *engine);
/* Waits until @more further numbers have been written. */
int __engine_progress(struct engine *engine, uint64_t more);
/* Whether the engine writes nothing for some time. */
bool engine_is_quiet(struct engine *engine);
void engine_clear_ring(struct engine *engine);
/*
 * The ring of an idle engine holds @first up to @next - 1, or as many as fit, and
 * nothing else. Returns whether, and prints what is wrong.
 */
bool engine_ring_holds(struct engine *engine, uint64_t first, uint64_t next);

#define engine_attach(...)	must(__engine_attach(__VA_ARGS__))
#define engine_stop(...)	must(__engine_stop(__VA_ARGS__))
#define engine_progress(...)	must(__engine_progress(__VA_ARGS__))

#endif /* LIB_ENGINE_H */
