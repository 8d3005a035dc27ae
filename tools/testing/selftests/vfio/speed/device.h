/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is measured: two VFs of a simulated test device behind the sample driver.
 */
#ifndef SPEED_DEVICE_H
#define SPEED_DEVICE_H

#include <stdint.h>

#include "migration.h"
#include "testdev.h"

/**
 * struct speed_config - what a benchmark wants
 * @state_size: bytes of the state
 * @record_size: largest record
 * @save_latency: microseconds that the device takes for a record, beside the copying
 * @load_latency: likewise, to apply one
 * @prefetch: records that the library has produced before anybody asks
 */
struct speed_config {
	uint64_t state_size;
	unsigned int record_size;
	unsigned int save_latency;
	unsigned int load_latency;
	unsigned int prefetch;
};

/* As much as the pool takes. */
#define PREFETCH_ALL	8
#define PREFETCH_NONE	0
/* Largest records by default. */
#define RECORD_DEFAULT	(8 << 20)

/**
 * struct speed_device - both VFs, open
 * @config: how they were made
 * @host: where they are
 * @source: to be saved; its memory is filled
 * @target: to be loaded
 */
struct speed_device {
	struct speed_config config;
	struct testdev_host host;
	struct vfio_device source;
	struct vfio_device target;
};

void speed_open(struct speed_device *device, const struct speed_config *config);
void speed_close(struct speed_device *device);

void speed_set_prefetch(unsigned int records);
/* Images that the source's device has produced so far. */
uint64_t speed_saves(const struct speed_device *device);
/* What the library counts for the source, over sessions that are over. */
uint64_t speed_counter(const struct speed_device *device, const char *name);

/* A session with the preamble read already: what follows are the device's records. */
int speed_begin(struct speed_device *device);
void speed_end(struct speed_device *device, int fd);

/* All or nothing: 0 at the end. */
size_t speed_read(int fd, void *data, size_t length);
/* By 1 MiB into the same buffer. Returns bytes. */
uint64_t speed_read_to_the_end(int fd, unsigned char *buffer);

/* Memory that is there, on a page of its own. */
void *speed_memory(size_t size);

#endif /* SPEED_DEVICE_H */
