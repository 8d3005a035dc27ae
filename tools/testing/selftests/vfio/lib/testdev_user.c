// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives a VF of the migration test device through its registers.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "testdev.h"

int __testdev_attach(struct testdev_user *user, struct vfio_device *dev,
		     const struct testdev_user *shared)
{
	int error;

	user->dev = dev;
	error = __vfio_map_bar(dev);
	if (error)
		return error;
	user->source = shared ? shared->source :
		       mmap(NULL, 2 * TESTDEV_AREA, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (user->source == MAP_FAILED)
		return -errno;
	user->destination = user->source + TESTDEV_AREA;
	vfio_bus_master(dev, true);
	return __vfio_dma_map(dev, user->source, TESTDEV_IOVA, 2 * TESTDEV_AREA, DMA_READ_WRITE);
}

static volatile void *testdev_register(struct testdev_user *user, unsigned int reg)
{
	return user->dev->bar + reg;
}

uint32_t testdev_get(struct testdev_user *user, unsigned int reg)
{
	return le32toh(*(volatile uint32_t *)testdev_register(user, reg));
}

uint64_t testdev_get64(struct testdev_user *user, unsigned int reg)
{
	return le64toh(*(volatile uint64_t *)testdev_register(user, reg));
}

void testdev_put(struct testdev_user *user, unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)testdev_register(user, reg) = htole32(value);
}

void testdev_put64(struct testdev_user *user, unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)testdev_register(user, reg) = htole64(value);
}

void testdev_start_copy(struct testdev_user *user, uint32_t length, uint32_t count)
{
	testdev_put64(user, TESTDEV_VF_SOURCE, TESTDEV_IOVA);
	testdev_put64(user, TESTDEV_VF_DESTINATION, TESTDEV_IOVA + TESTDEV_AREA);
	testdev_put(user, TESTDEV_VF_LENGTH, length);
	testdev_put(user, TESTDEV_VF_COUNT, count);
	testdev_put(user, TESTDEV_VF_COMMAND, TESTDEV_VF_COMMAND_COPY);
}

void testdev_start_fill(struct testdev_user *user, uint64_t offset, uint32_t length,
			uint32_t seed)
{
	testdev_put64(user, TESTDEV_VF_OFFSET, offset);
	testdev_put(user, TESTDEV_VF_LENGTH, length);
	testdev_put(user, TESTDEV_VF_ARGUMENT, seed);
	testdev_put(user, TESTDEV_VF_COMMAND, TESTDEV_VF_COMMAND_FILL);
}

int __testdev_wait(struct testdev_user *user)
{
	if (!wait_until(!testdev_get(user, TESTDEV_VF_COMMAND), LATER))
		return -ETIMEDOUT;
	return testdev_get(user, TESTDEV_VF_STATUS);
}

int __testdev_progress(struct testdev_user *user, uint64_t more)
{
	uint64_t goal = testdev_get64(user, TESTDEV_VF_COMPLETED) + more;

	return wait_until(testdev_get64(user, TESTDEV_VF_COMPLETED) >= goal, LATER) ?
	       0 : -ETIMEDOUT;
}

bool testdev_is_quiet(struct testdev_user *user)
{
	uint64_t copies = sim_counter(user->dev->address, "copies");
	uint64_t completed = testdev_get64(user, TESTDEV_VF_COMPLETED);

	usleep(50000);
	return sim_counter(user->dev->address, "copies") == copies &&
	       testdev_get64(user, TESTDEV_VF_COMPLETED) == completed;
}
