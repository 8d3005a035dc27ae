// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test devices with the settings of a benchmark, and of the modules that serve them.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"
#include "file.h"

#define LIBRARY		"/sys/module/vfio_mig/parameters"
#define SAMPLE		"/sys/module/vfio_mig_sample_pf/parameters"

void *speed_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		fail("no memory for %zu bytes", size);
	return memory;
}

void speed_set_prefetch(unsigned int records)
{
	file_write_number(LIBRARY "/prefetch", records);
}

static void set_record_size(unsigned int size)
{
	if (size != RECORD_DEFAULT || file_exists(SAMPLE "/record_size"))
		file_write_number(SAMPLE "/record_size", size);
}

uint64_t speed_saves(const struct speed_device *device)
{
	return sim_counter(device->source.address, "saves");
}

uint64_t speed_counter(const struct speed_device *device, const char *name)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/%s", device->source.address,
				     name));
}

void speed_open(struct speed_device *device, const struct speed_config *config)
{
	const struct testdev_config wanted = {
		.vfs = 2,
		.drivers = { DRIVER_SAMPLE, DRIVER_SAMPLE },
		.state_size = config->state_size,
		.save_latency = config->save_latency,
		.load_latency = config->load_latency,
	};

	memset(device, 0, sizeof(*device));
	device->config = *config;
	speed_set_prefetch(config->prefetch);
	set_record_size(config->record_size);
	testdev_get_host(&device->host, &wanted);
	vfio_open(&device->source, device->host.vf[0]);
	vfio_open(&device->target, device->host.vf[1]);
	testdev_fill(device->source.address, config->state_size, 1);
	mig_set_state(&device->source, STATE_STOP, NULL);
}

void speed_close(struct speed_device *device)
{
	vfio_close(&device->source);
	vfio_close(&device->target);
	speed_set_prefetch(PREFETCH_ALL);
	set_record_size(RECORD_DEFAULT);
}

size_t speed_read(int fd, void *data, size_t length)
{
	size_t done = 0;
	ssize_t now = 1;

	while (done < length && now > 0) {
		now = read(fd, data + done, length - done);
		if (now > 0)
			done += now;
	}
	if (now < 0 || (done && done < length))
		fail("read: %s", now ? strerror(errno) : "the end");
	return done;
}

uint64_t speed_read_to_the_end(int fd, unsigned char *buffer)
{
	uint64_t bytes = 0;
	ssize_t done;

	while ((done = read(fd, buffer, MIB)) > 0)
		bytes += done;
	if (done)
		fail("read: %s", strerror(errno));
	return bytes;
}

int speed_begin(struct speed_device *device)
{
	struct vfio_mig_record_header header;
	struct vfio_mig_preamble preamble;
	int fd = mig_begin(&device->source, STATE_STOP_COPY);

	/* not a byte more, as whoever waits for data has the device at work */
	speed_read(fd, &header, sizeof(header));
	if (le32toh(header.tag) != VFIO_MIG_TAG_PREAMBLE ||
	    le64toh(header.size) != sizeof(preamble))
		fail("the stream does not begin with a preamble");
	speed_read(fd, &preamble, sizeof(preamble));
	return fd;
}

void speed_end(struct speed_device *device, int fd)
{
	mig_set_state(&device->source, STATE_STOP, NULL);
	close(fd);
}
