/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touches of all kinds of a simulated VF's BAR, and the policy for those that come while it
 * is stopped.
 */
#ifndef LIB_MMIO_H
#define LIB_MMIO_H

#include "file.h"
#include "harness.h"
#include "module.h"
#include "pair.h"
#include "touch.h"

#define MMIO_BLOCK	"/sys/module/vfio_mig/parameters/mmio_block"
/* A part of the BAR that is plain memory. */
#define SCRATCH		0x10000
#define VALUE		0x12345678U
#define OTHER		0x0badcafeU
#define ONES		(~0U)

/* The policy is what it was when the driver was bound. */
static inline void bind_with_policy(struct sim *sim, bool block)
{
	struct sim_config unbound = our_pair;

	unbound.drivers[0] = NULL;
	unbound.drivers[1] = NULL;
	sim_get(sim, &unbound);
	module_load(DRIVER_OURS, NULL);
	file_write_number(MMIO_BLOCK, block);
	sim_get(sim, &our_pair);
	file_write_number(MMIO_BLOCK, 0);
}

/* Leaves the state as users do; an unused session of RESUMING has to be given up first. */
static inline void resume(struct vfio_device *dev, int fd)
{
	if (fd >= 0)
		close(fd);
	mig_set_state(dev, STATE_RUNNING, NULL);
}

static inline uint64_t violations(struct vfio_device *dev)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/mmio_violations",
				     dev->address));
}

static inline uint32_t *scratch(struct vfio_device *dev)
{
	return dev->bar + SCRATCH;
}

/* BAR 0 is the first region. */
static inline uint32_t bar_get(struct vfio_device *dev, unsigned int offset)
{
	uint32_t value;

	vfio_read(dev, offset, &value, sizeof(value));
	return value;
}

static inline void bar_put(struct vfio_device *dev, unsigned int offset, uint32_t value)
{
	vfio_write(dev, offset, &value, sizeof(value));
}

/* Touches of all kinds reach the device. */
static inline void expect_open(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	uint64_t before = violations(dev);
	uint32_t value = 0;

	EXPECT_TRUE(touch_write(scratch(dev), VALUE));
	EXPECT_EQ(VALUE, bar_get(dev, SCRATCH));
	bar_put(dev, SCRATCH, OTHER);
	EXPECT_TRUE(touch_read(scratch(dev), &value));
	EXPECT_EQ(OTHER, value);
	EXPECT_EQ(PCISIM_ENGINE_MAGIC, bar_get(dev, PCISIM_ENGINE_OFFSET));
	EXPECT_EQ(before, violations(dev));
}

/* None does, and each one is counted. */
static inline void expect_blocked(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	uint64_t before = violations(dev);
	uint32_t value = 0;

	EXPECT_FALSE(touch_read(scratch(dev), &value));
	EXPECT_FALSE(touch_write(scratch(dev), VALUE));
	EXPECT_EQ(ONES, bar_get(dev, SCRATCH));
	EXPECT_EQ(ONES, bar_get(dev, PCISIM_ENGINE_OFFSET));
	bar_put(dev, SCRATCH, VALUE);
	EXPECT_EQ(before + 5, violations(dev));
}

#endif /* LIB_MMIO_H */
