// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration test device as the user of a VF sees it, with vfio-pci and with the
 * sample driver: copies, interrupts, memory, errors, resets.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "harness.h"
#include "file.h"
#include "testdev.h"

#define MEMORY (300 << 10)

FIXTURE(vf)
{
	struct testdev_host host;
	struct vfio_device dev;
	struct testdev_user user;
};

FIXTURE_VARIANT(vf)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(vf, vfio_pci) { .driver = DRIVER_PLAIN };
FIXTURE_VARIANT_ADD(vf, sample) { .driver = DRIVER_SAMPLE };

FIXTURE_SETUP(vf)
{
	const struct testdev_config config = {
		.vfs = 2,
		.drivers = { variant->driver, variant->driver },
		.state_size = MEMORY,
	};

	testdev_get_host(&self->host, &config);
	vfio_open(&self->dev, self->host.vf[0]);
	testdev_attach(&self->user, &self->dev, NULL);
}

FIXTURE_TEARDOWN_PARENT(vf)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(vf, identity)
{
	EXPECT_EQ(TESTDEV_VENDOR, vfio_config_get(&self->dev, PCI_VENDOR_ID, 2));
	EXPECT_EQ(TESTDEV_VF_MAGIC, testdev_get(&self->user, TESTDEV_VF_ID));
	EXPECT_EQ(MEMORY, testdev_get64(&self->user, TESTDEV_VF_MEMORY_SIZE));
	EXPECT_EQ(TESTDEV_VF_STATUS_IDLE, testdev_get(&self->user, TESTDEV_VF_STATUS));
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
}

static void random_bytes(unsigned char *to, size_t length, unsigned int seed)
{
	void *pattern = testdev_pattern(length, seed);

	memcpy(to, pattern, length);
	free(pattern);
}

/* One copy from and to any alignment, and nothing written beside it. */
static void expect_copy(struct __test_metadata *_metadata, struct testdev_user *user,
			unsigned int from, unsigned int to, uint32_t length)
{
	size_t i;

	random_bytes(user->source, TESTDEV_AREA, length);
	memset(user->destination, 0xee, TESTDEV_AREA);
	testdev_put64(user, TESTDEV_VF_SOURCE, TESTDEV_IOVA + from);
	testdev_put64(user, TESTDEV_VF_DESTINATION, TESTDEV_IOVA + TESTDEV_AREA + to);
	testdev_put(user, TESTDEV_VF_LENGTH, length);
	testdev_put(user, TESTDEV_VF_COUNT, 1);
	testdev_put(user, TESTDEV_VF_COMMAND, TESTDEV_VF_COMMAND_COPY);
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(user));
	EXPECT_EQ(0, memcmp(user->destination + to, user->source + from, length));
	for (i = 0; i < TESTDEV_AREA; i++)
		if ((i < to || i >= (size_t)to + length) && user->destination[i] != 0xee)
			break;
	EXPECT_EQ(TESTDEV_AREA, i) TH_LOG("%u bytes from %u to %u", length, from, to);
}

TEST_F_TIMEOUT(vf, copy, 60)
{
	static const uint32_t lengths[] = { 0, 1, 7, 4096, 4097, 65536, 300001, 3 << 20 };
	uint64_t before = sim_counter(self->dev.address, "copies");
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		expect_copy(_metadata, &self->user, i * 3, i * 4095, lengths[i]);
	EXPECT_EQ(ARRAY_SIZE(lengths), testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
	EXPECT_EQ(ARRAY_SIZE(lengths), sim_counter(self->dev.address, "copies") - before);
}

TEST_F(vf, many_copies)
{
	random_bytes(self->user.source, 1000, 5);
	testdev_start_copy(&self->user, 1000, 5000);
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(&self->user));
	EXPECT_EQ(5000, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
	EXPECT_EQ(0, testdev_get(&self->user, TESTDEV_VF_REMAINING));
	EXPECT_EQ(0, memcmp(self->user.source, self->user.destination, 1000));
}

TEST_F(vf, no_copies)
{
	testdev_start_copy(&self->user, 1000, 0);
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(&self->user));
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
}

TEST_F(vf, stopped_early)
{
	uint64_t completed;

	testdev_start_copy(&self->user, 4096, ~0U);
	testdev_progress(&self->user, 10);
	EXPECT_EQ(TESTDEV_VF_STATUS_BUSY, testdev_get(&self->user, TESTDEV_VF_STATUS));
	testdev_put(&self->user, TESTDEV_VF_COMMAND, 0);
	EXPECT_TRUE(wait_until(testdev_get(&self->user, TESTDEV_VF_STATUS) ==
			       TESTDEV_VF_STATUS_STOPPED, SOON));
	completed = testdev_get64(&self->user, TESTDEV_VF_COMPLETED);
	EXPECT_EQ(~0U - completed, testdev_get(&self->user, TESTDEV_VF_REMAINING));
	EXPECT_TRUE(testdev_is_quiet(&self->user));
	expect_copy(_metadata, &self->user, 0, 0, 100);
	EXPECT_EQ(completed + 1, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
}

static bool is_raised(int eventfd)
{
	struct pollfd wanted = { .fd = eventfd, .events = POLLIN };

	return poll(&wanted, 1, SOON) == 1;
}

static uint64_t take_events(int eventfd)
{
	uint64_t count = 0;

	return read(eventfd, &count, sizeof(count)) < 0 ? 0 : count;
}

TEST_F(vf, interrupts)
{
	int eventfds[TESTDEV_VF_VECTORS];
	unsigned int i, other;

	for (i = 0; i < TESTDEV_VF_VECTORS; i++)
		eventfds[i] = eventfd(0, EFD_NONBLOCK);
	vfio_msix(&self->dev, eventfds, TESTDEV_VF_VECTORS);
	for (i = 0; i < TESTDEV_VF_VECTORS; i++) {
		testdev_put(&self->user, TESTDEV_VF_ARGUMENT, i);
		testdev_put(&self->user, TESTDEV_VF_COMMAND, TESTDEV_VF_COMMAND_RAISE);
		EXPECT_TRUE(is_raised(eventfds[i]));
		EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(&self->user));
		for (other = 0; other < TESTDEV_VF_VECTORS; other++)
			EXPECT_EQ(other == i, take_events(eventfds[other]));
	}
	/* a copy raises one only if it is wanted */
	testdev_put(&self->user, TESTDEV_VF_VECTOR, 2);
	testdev_start_copy(&self->user, 100, 3);
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(&self->user));
	usleep(50000);
	EXPECT_EQ(0, take_events(eventfds[2]));
	testdev_put(&self->user, TESTDEV_VF_CONTROL, TESTDEV_VF_CONTROL_INTERRUPT);
	testdev_start_copy(&self->user, 100, 3);
	EXPECT_TRUE(is_raised(eventfds[2]));
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_get(&self->user, TESTDEV_VF_STATUS));
	EXPECT_EQ(6, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
	usleep(50000);
	EXPECT_EQ(1, take_events(eventfds[2]));
}

TEST_F(vf, fill)
{
	unsigned char *expected = testdev_pattern(MEMORY, 9);
	unsigned char *seen = calloc(1, MEMORY);

	testdev_start_fill(&self->user, 0, MEMORY, 9);
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(&self->user));
	EXPECT_TRUE(testdev_matches(self->dev.address, MEMORY, 9));
	/* a part of it, with odd ends */
	testdev_start_fill(&self->user, 4097, 10001, 10);
	EXPECT_EQ(TESTDEV_VF_STATUS_DONE, testdev_wait(&self->user));
	memcpy(expected + 4097, (unsigned char *)testdev_pattern(MEMORY, 10) + 4097, 10001);
	testdev_read(self->dev.address, 0, seen, MEMORY);
	EXPECT_EQ(0, memcmp(expected, seen, MEMORY));
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
}

static void expect_error(struct __test_metadata *_metadata, struct testdev_user *user,
			 uint32_t command)
{
	testdev_put(user, TESTDEV_VF_COMMAND, command);
	EXPECT_EQ(TESTDEV_VF_STATUS_ERROR, testdev_wait(user)) TH_LOG("command %u", command);
}

TEST_F(vf, wrong_commands)
{
	expect_error(_metadata, &self->user, 4);
	expect_error(_metadata, &self->user, ~0U);
	testdev_put(&self->user, TESTDEV_VF_ARGUMENT, TESTDEV_VF_VECTORS);
	expect_error(_metadata, &self->user, TESTDEV_VF_COMMAND_RAISE);
	testdev_put64(&self->user, TESTDEV_VF_OFFSET, MEMORY - 1);
	testdev_put(&self->user, TESTDEV_VF_LENGTH, 2);
	expect_error(_metadata, &self->user, TESTDEV_VF_COMMAND_FILL);
	testdev_put64(&self->user, TESTDEV_VF_OFFSET, ~0ULL);
	expect_error(_metadata, &self->user, TESTDEV_VF_COMMAND_FILL);
	testdev_put(&self->user, TESTDEV_VF_COUNT, 1);
	testdev_put64(&self->user, TESTDEV_VF_SOURCE, ~0ULL);
	testdev_put64(&self->user, TESTDEV_VF_DESTINATION, TESTDEV_IOVA);
	expect_error(_metadata, &self->user, TESTDEV_VF_COMMAND_COPY);
	/* not mapped: behind the area */
	testdev_put64(&self->user, TESTDEV_VF_SOURCE, TESTDEV_IOVA + 2 * TESTDEV_AREA);
	expect_error(_metadata, &self->user, TESTDEV_VF_COMMAND_COPY);
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
	EXPECT_LT(0, sim_counter(self->dev.address, "dma_faults"));
	expect_copy(_metadata, &self->user, 0, 0, 4096);
}

TEST_F(vf, reset)
{
	testdev_fill(self->dev.address, 2 * MEMORY, 3);
	testdev_put(&self->user, TESTDEV_VF_CONTROL, TESTDEV_VF_CONTROL_INTERRUPT);
	testdev_start_copy(&self->user, 100000, ~0U);
	testdev_progress(&self->user, 5);
	vfio_reset(&self->dev);
	vfio_bus_master(&self->dev, true);
	EXPECT_TRUE(testdev_is_quiet(&self->user));
	EXPECT_EQ(TESTDEV_VF_MAGIC, testdev_get(&self->user, TESTDEV_VF_ID));
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_COMPLETED));
	EXPECT_EQ(0, testdev_get(&self->user, TESTDEV_VF_COMMAND));
	EXPECT_EQ(TESTDEV_VF_STATUS_IDLE, testdev_get(&self->user, TESTDEV_VF_STATUS));
	EXPECT_EQ(0, testdev_get(&self->user, TESTDEV_VF_CONTROL));
	EXPECT_EQ(0, testdev_get64(&self->user, TESTDEV_VF_SOURCE));
	EXPECT_EQ(MEMORY, testdev_size(self->dev.address));
	EXPECT_EQ(MEMORY, testdev_get64(&self->user, TESTDEV_VF_MEMORY_SIZE));
	testdev_fill(self->dev.address, MEMORY, 4);
	vfio_reset(&self->dev);
	EXPECT_FALSE(testdev_matches(self->dev.address, MEMORY, 4));
}

/* A device that is no bus master neither reads nor writes, and goes on later. */
TEST_F(vf, bus_master)
{
	testdev_start_copy(&self->user, 4096, ~0U);
	testdev_progress(&self->user, 5);
	vfio_bus_master(&self->dev, false);
	usleep(50000);
	EXPECT_TRUE(testdev_is_quiet(&self->user));
	vfio_bus_master(&self->dev, true);
	testdev_progress(&self->user, 5);
}

TEST_F(vf, vfs_are_independent)
{
	struct testdev_user second_user;
	struct vfio_device second;

	vfio_open(&second, self->host.vf[1]);
	testdev_attach(&second_user, &second, NULL);
	testdev_start_copy(&self->user, 4096, ~0U);
	testdev_progress(&self->user, 5);
	testdev_fill(self->dev.address, MEMORY, 7);
	EXPECT_EQ(0, testdev_get64(&second_user, TESTDEV_VF_COMPLETED));
	EXPECT_FALSE(testdev_matches(second.address, MEMORY, 7));
	vfio_reset(&second);
	testdev_progress(&self->user, 5);
	EXPECT_TRUE(testdev_matches(self->dev.address, MEMORY, 7));
}

TEST_F(vf, migration_is_the_drivers)
{
	bool plain = !strcmp(variant->driver, DRIVER_PLAIN);
	uint64_t flags;

	EXPECT_EQ(plain ? -ENOTTY : 0, __mig_flags(&self->dev, &flags));
}

int main(int argc, char **argv)
{
	testdev_prepare();
	return test_harness_run(argc, argv);
}
