// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking through the VFIO device, and what the simulator shows of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dirty.h"
#include "file.h"

#define TRACKING "/sys/kernel/debug/pcisim/%s/tracking/%s"

bool dirty_exists(struct vfio_device *dev)
{
	return !__vfio_feature(dev, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			       VFIO_DEVICE_FEATURE_DMA_LOGGING_START, NULL, 0);
}

int __dirty_start(struct vfio_device *dev, uint64_t *page_size, const struct dirty_range *ranges,
		  unsigned int count)
{
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = *page_size,
		.num_ranges = count,
		.ranges = (uintptr_t)ranges,
	};
	int error = __vfio_feature(dev, VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &control,
				   sizeof(control));

	*page_size = control.page_size;
	return error;
}

int __dirty_stop(struct vfio_device *dev)
{
	return __vfio_feature(dev, VFIO_DEVICE_FEATURE_SET |
			      VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
}

int __dirty_report(struct vfio_device *dev, uint64_t iova, uint64_t length, uint64_t page_size,
		   uint64_t *bits)
{
	struct vfio_device_feature_dma_logging_report report = {
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.bitmap = (uintptr_t)bits,
	};

	return __vfio_feature(dev, VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &report, sizeof(report));
}

bool dirty_match(const uint64_t *expected, const uint64_t *seen, uint64_t pages)
{
	uint64_t page;

	for (page = 0; page < pages; page++) {
		if (dirty_bit(expected, page) != dirty_bit(seen, page)) {
			fprintf(stderr, "# page %llu of %llu is %s\n", (unsigned long long)page,
				(unsigned long long)pages,
				dirty_bit(seen, page) ? "dirty" : "clean");
			return false;
		}
	}
	return true;
}

int __dirty_touch(struct vfio_device *dev, uint64_t iova, uint64_t pages)
{
	char text[48];

	snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)iova,
		 (unsigned long long)pages);
	return __file_write(path("/sys/kernel/debug/pcisim/%s/touch", dev->address), text);
}

static int put_limit(const struct sim *sim, const char *name, unsigned int value)
{
	return __file_write_number(path(TRACKING, sim->pf, name), value);
}

static int put_limits(const struct sim *sim, const struct dirty_limits *limits)
{
	int error = put_limit(sim, "max_ranges", limits->max_ranges);

	if (!error)
		error = put_limit(sim, "log_max_message", limits->log_max_message);
	if (!error)
		error = put_limit(sim, "log_min_page", limits->log_min_page);
	if (!error)
		error = put_limit(sim, "log_max_page", limits->log_max_page);
	return error;
}

static bool limit_is(const struct sim *sim, const char *name, unsigned int value)
{
	return sim_counter(sim->pf, path("tracking/%s", name)) == value;
}

static bool limits_are(const struct sim *sim, const struct dirty_limits *limits)
{
	return limit_is(sim, "max_ranges", limits->max_ranges) &&
	       limit_is(sim, "log_max_message", limits->log_max_message) &&
	       limit_is(sim, "log_min_page", limits->log_min_page) &&
	       limit_is(sim, "log_max_page", limits->log_max_page);
}

/* The driver of the PF learns the limits when it is bound. */
int __dirty_get(struct sim *sim, const char *driver, const struct dirty_limits *limits)
{
	struct sim_config config = {
		.vfs = 1,
		.drivers = { driver },
		.state_size = 64 << 10,
		.chunk_size = SIM_CHUNK,
	};
	int error = __sim_get(sim, &config);

	if (!error && !limits_are(sim, limits)) {
		config.no_pf_driver = true;
		error = __sim_get(sim, &config);
		if (!error)
			error = put_limits(sim, limits);
		config.no_pf_driver = false;
		if (!error)
			error = __sim_get(sim, &config);
	}
	if (!error)
		error = __dirty_stall(sim, false);
	return error ?: __dirty_fault(sim, "none");
}

int __dirty_fault(const struct sim *sim, const char *what)
{
	return __file_write(path(TRACKING, sim->pf, "fault"), what);
}

int __dirty_stall(const struct sim *sim, bool on)
{
	return __file_write(path(TRACKING, sim->pf, "stall"), on ? "Y" : "N");
}

int __dirty_fail(const struct sim *sim)
{
	return __file_write(path(TRACKING, sim->pf, "fail"), "1");
}

uint64_t dirty_trackers(const struct sim *sim)
{
	return sim_counter(sim->pf, "tracking/trackers");
}
