/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dirty tracking by the device itself: which pages it has written by DMA. And the
 * simulator's side of it: DMA to pages of one's choice, limits and faults.
 */
#ifndef LIB_DIRTY_H
#define LIB_DIRTY_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "sim.h"
#include "vfio_device.h"

#define DIRTY_PAGE	4096ULL

/**
 * struct dirty_range - addresses to track, as VFIO takes them
 * @iova: the first one
 * @length: number of them
 */
struct dirty_range {
	uint64_t iova;
	uint64_t length;
};

_Static_assert(sizeof(struct dirty_range) ==
	       sizeof(struct vfio_device_feature_dma_logging_range), "layout");

/**
 * struct dirty_limits - what the simulated firmware tells of itself
 * @max_ranges: number of ranges, 0 if it cannot track at all
 * @log_max_message: size of a message
 * @log_min_page: smallest page
 * @log_max_page: largest page
 */
struct dirty_limits {
	unsigned int max_ranges;
	unsigned int log_max_message;
	unsigned int log_min_page;
	unsigned int log_max_page;
};

#define DIRTY_LIMITS ((struct dirty_limits) { 128, 16, 12, 21 })

/* Whether the device offers it. */
bool dirty_exists(struct vfio_device *dev);
/* @page_size: what is wanted; gets what is used */
int __dirty_start(struct vfio_device *dev, uint64_t *page_size, const struct dirty_range *ranges,
		  unsigned int count);
int __dirty_stop(struct vfio_device *dev);
/* Adds a bit for each page of @page_size bytes from @iova on. */
int __dirty_report(struct vfio_device *dev, uint64_t iova, uint64_t length, uint64_t page_size,
		   uint64_t *bits);

#define dirty_stop(...)		must(__dirty_stop(__VA_ARGS__))
#define dirty_report(...)	must(__dirty_report(__VA_ARGS__))
/* Starts with pages of 4 KiB. */
#define dirty_start(dev, ranges, count) ({					\
	uint64_t __size = DIRTY_PAGE;						\
										\
	must(__dirty_start(dev, &__size, ranges, count));			\
	__size;									\
})

static inline bool dirty_bit(const uint64_t *bits, uint64_t page)
{
	return bits[page / 64] >> page % 64 & 1;
}

static inline void dirty_mark(uint64_t *bits, uint64_t page)
{
	bits[page / 64] |= 1ULL << page % 64;
}

/* Whether both are the same; prints the first difference. */
bool dirty_match(const uint64_t *expected, const uint64_t *seen, uint64_t pages);

/* The VF writes to so many pages by DMA, at once. */
int __dirty_touch(struct vfio_device *dev, uint64_t iova, uint64_t pages);
/* A host with these limits, whose VF is driven by @driver. */
int __dirty_get(struct sim *sim, const char *driver, const struct dirty_limits *limits);
/* What goes wrong with the next message of a report; "none" */
int __dirty_fault(const struct sim *sim, const char *what);
/* Reports make no progress. */
int __dirty_stall(const struct sim *sim, bool on);
/* The firmware's tracker of the first VF fails now. */
int __dirty_fail(const struct sim *sim);
/* Number of trackers in the firmware. */
uint64_t dirty_trackers(const struct sim *sim);

#define dirty_touch(...)	must(__dirty_touch(__VA_ARGS__))
#define dirty_get(...)		must(__dirty_get(__VA_ARGS__))
#define dirty_fault(...)	must(__dirty_fault(__VA_ARGS__))
#define dirty_stall(...)	must(__dirty_stall(__VA_ARGS__))
#define dirty_fail(...)		must(__dirty_fail(__VA_ARGS__))

#endif /* LIB_DIRTY_H */
