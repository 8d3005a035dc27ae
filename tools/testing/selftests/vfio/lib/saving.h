/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source in STOP_COPY whose data is wanted, a target to judge it, and what the session
 * before delivered. Two sessions of the same state differ only in what marks a session,
 * near the start of each image.
 */
#ifndef LIB_SAVING_H
#define LIB_SAVING_H

#include <stdbool.h>
#include <stddef.h>

#include "pair.h"
#include "testdev.h"

/* Bytes of an image that may differ between sessions. */
#define SAVING_MARKS 128

/**
 * struct saving_config - what a test wants to save
 * @size: bytes of state
 * @record: bytes of it in one record
 * @prefetch: records that the device produces before anybody reads
 * @latency: microseconds that the device takes for a record. 0: a VF of the adapter with
 *	our driver for it; else one of the test device, which has records of up to
 *	TESTDEV_RECORD bytes whatever @record says
 */
struct saving_config {
	size_t size;
	size_t record;
	unsigned int prefetch;
	unsigned int latency;
};

#define TESTDEV_RECORD	(8 * MIB)

/* Some records, the last one short. */
static const struct saving_config small_saving __attribute__((unused)) = {
	.size = 300 << 10,
	.record = 64 << 10,
	.prefetch = 1,
};

/**
 * struct saving - a source and a target
 * @source: the source, in STOP_COPY
 * @target: the target
 * @driver: what drives both
 * @config: how it was made
 * @good: the data of a session before
 * @marks: for each byte of it whether it may differ
 * @fd: the data FD
 * @pair: memory of the devices; tests use @source and @target
 * @host: likewise
 */
struct saving {
	struct vfio_device *source;
	struct vfio_device *target;
	const char *driver;
	struct saving_config config;
	struct blob good;
	bool *marks;
	int fd;
	struct pair pair;
	struct testdev_host host;
};

/* The beginning of a test program, like sim_prepare(). */
void saving_prepare(void);
void saving_open(struct saving *saving, const struct saving_config *config);
/* The end of a test with this exit code, in the parent. */
void saving_teardown(int exit_code);

/* The source that a test has closed is open again, with its driver. */
void saving_reopen(struct saving *saving);
/* A new session of the same state; the FD of the one before is closed. */
void saving_restart(struct saving *saving);
/* Whether this is the whole stream, each byte once. Leaves the target in STOP. */
bool saving_is_good(struct saving *saving, const struct blob *blob);
/* The target holds the state of the source. */
bool saving_arrived(struct saving *saving);
/* Whether these bytes can stand there in the stream. */
bool saving_fits(const struct saving *saving, const void *data, size_t length, size_t at);
/* Reads what is there without waiting for the device. */
void saving_read_ready(struct saving *saving, struct blob *blob);
/* Both devices can migrate in both directions, whatever was done to them. */
bool saving_devices_work(struct saving *saving);

/* What debugfs counts for the source. */
uint64_t saving_counter(struct saving *saving, const char *name);
/* Payload of the images of a stream. */
uint64_t saving_image_bytes(const struct blob *blob);

/* Module parameters of vfio-mig. */
void saving_set_parameter(const char *name, unsigned int value);

#endif /* LIB_SAVING_H */
