// SPDX-License-Identifier: GPL-2.0-only
/*
 * A simulated GPU's power state and engine, as the owner of the device reaches them, and
 * what the engine has left in the memory.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"

/* Microseconds between batches, which are a page each. */
#define PERIOD	1000

static unsigned int power_register(struct vfio_device *dev)
{
	unsigned int at = vfio_find_capability(dev, PCI_CAP_ID_PM);

	if (!at)
		fail("%s has no power states", dev->address);
	return at + PCI_PM_CTRL;
}

void gpu_set_power(struct vfio_device *dev, unsigned int state)
{
	unsigned int at = power_register(dev);
	uint32_t control = vfio_config_get(dev, at, 2);

	vfio_config_put(dev, at, 2, (control & ~PCI_PM_CTRL_STATE_MASK) | state);
}

unsigned int gpu_power(struct vfio_device *dev)
{
	return vfio_config_get(dev, power_register(dev), 2) & PCI_PM_CTRL_STATE_MASK;
}

static void enable_memory(struct vfio_device *dev)
{
	uint32_t command = vfio_config_get(dev, PCI_COMMAND, 2);

	if (!(command & PCI_COMMAND_MEMORY))
		vfio_config_put(dev, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
}

/* BAR 0 is the first region. */
static uint32_t get_register(struct vfio_device *dev, unsigned int offset)
{
	uint32_t value;

	enable_memory(dev);
	vfio_read(dev, offset, &value, sizeof(value));
	return le32toh(value);
}

bool gpu_says_ready(struct vfio_device *dev)
{
	return get_register(dev, PCISIM_GPU_LINK) == PCISIM_GPU_READY &&
	       get_register(dev, PCISIM_GPU_TRAINING) == PCISIM_GPU_READY;
}

uint32_t gpu_engine_get(struct vfio_device *dev, unsigned int reg)
{
	return get_register(dev, PCISIM_GPU_ENGINE + reg);
}

void gpu_engine_put(struct vfio_device *dev, unsigned int reg, uint32_t value)
{
	enable_memory(dev);
	value = htole32(value);
	vfio_write(dev, PCISIM_GPU_ENGINE + reg, &value, sizeof(value));
}

void gpu_engine_start(struct vfio_device *dev, uint64_t offset, uint64_t length)
{
	gpu_engine_put(dev, PCISIM_GPU_START_LOW, offset);
	gpu_engine_put(dev, PCISIM_GPU_START_HIGH, offset >> 32);
	gpu_engine_put(dev, PCISIM_GPU_LENGTH_LOW, length);
	gpu_engine_put(dev, PCISIM_GPU_LENGTH_HIGH, length >> 32);
	gpu_engine_put(dev, PCISIM_GPU_PERIOD, PERIOD);
	gpu_engine_put(dev, PCISIM_GPU_BATCH, PCISIM_GPU_MAX_BATCH);
	gpu_engine_put(dev, PCISIM_GPU_CONTROL, PCISIM_GPU_CONTROL_ENABLE);
}

int __gpu_engine_stop(struct vfio_device *dev)
{
	gpu_engine_put(dev, PCISIM_GPU_CONTROL, 0);
	return wait_until(!gpu_engine_get(dev, PCISIM_GPU_STATUS), LATER) ? 0 : -ETIMEDOUT;
}

uint64_t gpu_engine_count(struct vfio_device *dev)
{
	uint32_t high, low;

	do {
		high = gpu_engine_get(dev, PCISIM_GPU_COUNT_HIGH);
		low = gpu_engine_get(dev, PCISIM_GPU_COUNT_LOW);
	} while (high != gpu_engine_get(dev, PCISIM_GPU_COUNT_HIGH));
	return (uint64_t)high << 32 | low;
}

int __gpu_engine_progress(struct vfio_device *dev, uint64_t more)
{
	uint64_t goal = gpu_words(dev->address) + more;

	return wait_until(gpu_words(dev->address) >= goal, LATER) ? 0 : -ETIMEDOUT;
}

bool gpu_engine_holds(const char *address, uint64_t offset, uint64_t length, uint64_t count)
{
	uint64_t words = length / 8, *seen = malloc(length), i;
	bool holds = true;

	if (!seen)
		fail("no memory");
	gpu_read(address, offset, seen, length);
	for (i = 0; holds && i < words; i++) {
		/* the last number that goes there and has been written */
		uint64_t number = i < count ? i + 1 + (count - 1 - i) / words * words : 0;

		holds = le64toh(seen[i]) == number;
		if (!holds)
			fprintf(stderr, "# word %llu is %llu, not %llu of %llu\n",
				(unsigned long long)i, (unsigned long long)le64toh(seen[i]),
				(unsigned long long)number, (unsigned long long)count);
	}
	free(seen);
	return holds;
}

uint64_t gpu_words(const char *address)
{
	return sim_counter(address, "words");
}

bool gpu_is_quiet(const char *address)
{
	uint64_t words = gpu_words(address);

	usleep(50000);
	return gpu_words(address) == words;
}
