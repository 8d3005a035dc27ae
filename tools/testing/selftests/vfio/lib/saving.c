// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions of the same state, one after the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "file.h"
#include "saving.h"

#define SEED		21
#define PARAMETERS	"/sys/module/vfio_mig/parameters"

void saving_set_parameter(const char *name, unsigned int value)
{
	file_write_number(path(PARAMETERS "/%s", name), value);
}

static void fill(struct saving *saving, unsigned int seed)
{
	if (saving->config.latency)
		testdev_fill(saving->source->address, saving->config.size, seed);
	else
		sim_bulk_fill(saving->source->address, saving->config.size, seed);
}

static void open_adapter(struct saving *saving)
{
	struct sim_config config = our_pair;

	config.chunk_size = saving->config.record;
	pair_open(&saving->pair, &config);
	saving->driver = DRIVER_OURS;
}

static void open_testdev(struct saving *saving)
{
	const struct testdev_config config = {
		.vfs = 2,
		.drivers = { DRIVER_SAMPLE, DRIVER_SAMPLE },
		.state_size = 64 << 10,
		.save_latency = saving->config.latency,
	};

	testdev_get_host(&saving->host, &config);
	vfio_open(saving->source, saving->host.vf[0]);
	vfio_open(saving->target, saving->host.vf[1]);
	vfio_bus_master(saving->source, true);
	vfio_bus_master(saving->target, true);
	saving->driver = DRIVER_SAMPLE;
}

void saving_prepare(void)
{
	testdev_prepare();
}

static void find_marks(struct saving *saving)
{
	const struct blob *good = &saving->good;
	long at = -1;

	saving->marks = calloc(good->length, sizeof(*saving->marks));
	if (!saving->marks)
		fail("no memory");
	while ((at = blob_find_image(good, at + 1)) >= 0) {
		uint64_t size = blob_record_size(good, at);

		memset(saving->marks + at + sizeof(struct vfio_mig_record_header), true,
		       size < SAVING_MARKS ? size : SAVING_MARKS);
	}
}

void saving_open(struct saving *saving, const struct saving_config *config)
{
	saving->config = *config;
	saving->source = &saving->pair.source;
	saving->target = &saving->pair.target;
	if (config->latency)
		open_testdev(saving);
	else
		open_adapter(saving);
	saving_set_parameter("prefetch", config->prefetch);
	fill(saving, SEED);
	mig_save(saving->source, &saving->good, MIB);
	find_marks(saving);
	saving->fd = mig_begin(saving->source, STATE_STOP_COPY);
}

void saving_reopen(struct saving *saving)
{
	char address[SIM_ADDRESS];

	if (saving->source->device >= 0)
		return;
	snprintf(address, sizeof(address), "%s", saving->source->address);
	sim_bind(address, saving->driver);
	vfio_open(saving->source, address);
	vfio_bus_master(saving->source, true);
}

void saving_teardown(int exit_code)
{
	__file_write_number(PARAMETERS "/prefetch", 1);
	sim_teardown(exit_code);
}

void saving_restart(struct saving *saving)
{
	close(saving->fd);
	mig_set_state(saving->source, STATE_STOP, NULL);
	saving->fd = mig_begin(saving->source, STATE_STOP_COPY);
}

bool saving_arrived(struct saving *saving)
{
	const char *address = saving->target->address;

	if (saving->config.latency)
		return testdev_matches(address, saving->config.size, SEED);
	return sim_bulk_matches(address, saving->config.size, SEED);
}

bool saving_fits(const struct saving *saving, const void *data, size_t length, size_t at)
{
	const unsigned char *seen = data;
	size_t i;

	if (at > saving->good.length || length > saving->good.length - at)
		return false;
	for (i = 0; i < length; i++)
		if (seen[i] != saving->good.data[at + i] && !saving->marks[at + i])
			return false;
	return true;
}

bool saving_is_good(struct saving *saving, const struct blob *blob)
{
	return blob->length == saving->good.length &&
	       saving_fits(saving, blob->data, blob->length, 0) &&
	       !__mig_load(saving->target, blob, MIB) && saving_arrived(saving);
}

void saving_read_ready(struct saving *saving, struct blob *blob)
{
	char piece[1000];
	struct iovec part = { piece, sizeof(piece) };
	ssize_t done;

	while ((done = preadv2(saving->fd, &part, 1, -1, RWF_NOWAIT)) > 0)
		blob_append(blob, piece, done);
	if (!done || errno != EAGAIN)
		fail("nothing to wait for: %zd %s", done, strerror(errno));
}

static int move_state(struct vfio_device *from, struct vfio_device *to)
{
	struct blob blob = { 0 };
	int error = __mig_save(from, &blob, MIB);

	if (!error)
		error = __mig_load(to, &blob, MIB);
	if (!error)
		error = __mig_set_state(to, STATE_RUNNING, NULL);
	blob_free(&blob);
	return error;
}

bool saving_devices_work(struct saving *saving)
{
	if (__mig_set_state(saving->source, STATE_RUNNING, NULL) ||
	    __mig_set_state(saving->target, STATE_RUNNING, NULL))
		return false;
	/* a reset takes the state away */
	fill(saving, SEED);
	return !move_state(saving->source, saving->target) && saving_arrived(saving) &&
	       !move_state(saving->target, saving->source);
}

uint64_t saving_counter(struct saving *saving, const char *name)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/%s",
				     saving->source->address, name));
}

uint64_t saving_image_bytes(const struct blob *blob)
{
	uint64_t sum = 0;
	long at = -1;

	while ((at = blob_find_image(blob, at + 1)) >= 0)
		sum += blob_record_size(blob, at);
	return sum;
}
