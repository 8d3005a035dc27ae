// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation fails once of what a GPU's driver does outside of migration: the answer is
 * success or that there is no memory, and the next try works. migration_fault_test does the
 * same to its migration.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "fault.h"
#include "gpu.h"
#include "nvgrace.h"
#include "page.h"
#include "touch.h"

#define MIB		(1UL << 20)
/* Room for a huge page. */
#define MEMORY		(huge_page() > 4 * MIB ? huge_page() : 4 * MIB)
/* More than a page of any size. */
#define PIECE		((64 << 10) + 100)
/* More allocations than anything makes. */
#define MOST		3000

FIXTURE(faults)
{
	struct gpu_host host;
	const char *address;
	struct vfio_device dev;
	struct nvgrace_region region;
	struct fault fault;
};

/**
 * struct attempt - what is done again and again
 * @name: what it is
 * @prepare: makes the device what it is to begin with
 * @make: does it, returns 0 or -errno
 * @places: it allocates memory
 */
struct attempt {
	const char *name;
	void (*prepare)(struct _test_data_faults *self);
	int (*make)(struct _test_data_faults *self);
	bool places;
};

static void reopen(struct _test_data_faults *self)
{
	if (self->dev.device >= 0)
		vfio_close(&self->dev);
	nvgrace_open(&self->dev, self->address);
	nvgrace_region(&self->dev, USEMEM, &self->region);
}

FIXTURE_SETUP(faults)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL, .memory_size = MEMORY, .driver = DRIVER_NVGRACE,
	};

	if (!fault_exists())
		SKIP(return, "needs a kernel and a library with fault injection");
	touch_prepare();
	gpu_get(&self->host, &config, 1);
	self->address = self->host.gpu[0];
	self->dev.device = -1;
	reopen(self);
	fault_open(&self->fault, FAULT_KERNEL);
}

FIXTURE_TEARDOWN_PARENT(faults)
{
	fault_restore();
	sim_teardown(_metadata->exit_code);
}

/* The device can be opened, and has its memory. */
static void expect_use(struct _test_data_faults *self, const struct attempt *attempt,
		       unsigned int n)
{
	uint32_t value = 0, *map;

	reopen(self);
	map = nvgrace_map(&self->region, MEMORY - PAGE, PAGE, PAGE);
	if (!touch_write(map, n) || nvgrace_read(&self->region, MEMORY - PAGE, &value, 4) != 4 ||
	    value != n)
		fail("after %s, place %u: no memory", attempt->name, n);
	munmap(map, PAGE);
}

/* Returns whether there are so many places. */
static bool try_once(struct _test_data_faults *self, const struct attempt *attempt,
		     unsigned int n)
{
	int error;
	bool hit;

	attempt->prepare(self);
	fault_arm(&self->fault, n);
	error = attempt->make(self);
	hit = fault_disarm(&self->fault);
	if (error && !(hit && error == -ENOMEM))
		fail("%s, place %u%s: %s", attempt->name, n, hit ? "" : " (none)",
		     strerror(-error));
	expect_use(self, attempt, n);
	return hit;
}

static void try_all(struct _test_data_faults *self, const struct attempt *attempt)
{
	unsigned int n = 1;

	while (try_once(self, attempt, n))
		if (++n > MOST)
			fail("%s: no end of places", attempt->name);
	ksft_print_msg("%s: %u places\n", attempt->name, n - 1);
	if (n == 1 && attempt->places)
		fail("%s comes by no place", attempt->name);
}

static void close_it(struct _test_data_faults *self)
{
	vfio_close(&self->dev);
}

static int open_it(struct _test_data_faults *self)
{
	return __vfio_open(&self->dev, self->address);
}

static int close_again(struct _test_data_faults *self)
{
	vfio_close(&self->dev);
	return 0;
}

TEST_F_TIMEOUT(faults, open_and_close, 240)
{
	static const struct attempt open = { "open", close_it, open_it, true };
	static const struct attempt close = { "close", reopen, close_again, false };

	try_all(self, &open);
	try_all(self, &close);
}

static int read_memory(struct _test_data_faults *self)
{
	char bytes[PIECE];
	long done = nvgrace_read(&self->region, 2 * PAGE - 50, bytes, sizeof(bytes));

	return done < 0 ? done : done == sizeof(bytes) ? 0 : -ENODATA;
}

static int write_memory(struct _test_data_faults *self)
{
	char bytes[PIECE] = "";
	long done = nvgrace_write(&self->region, 2 * PAGE - 50, bytes, sizeof(bytes));

	return done < 0 ? done : done == sizeof(bytes) ? 0 : -ENODATA;
}

/* The first access since the device was opened. */
TEST_F_TIMEOUT(faults, access, 240)
{
	static const struct attempt read = { "read", reopen, read_memory, true };
	static const struct attempt write = { "write", reopen, write_memory, true };

	try_all(self, &read);
	try_all(self, &write);
}

/* A fault without memory is taken again by the kernel: the touch succeeds. */
static int map_and_touch(struct nvgrace_region *region, size_t length, size_t align)
{
	void *map = __nvgrace_map(region, 0, length, align);
	uint32_t value;
	bool there;

	if (map == MAP_FAILED)
		return -errno;
	there = touch_read(map, &value) && touch_read(map + length - 4, &value);
	munmap(map, length);
	return there ? 0 : -EFAULT;
}

static int map_pages(struct _test_data_faults *self)
{
	return map_and_touch(&self->region, MIB, PAGE);
}

static int map_huge_page(struct _test_data_faults *self)
{
	return map_and_touch(&self->region, huge_page(), huge_page());
}

TEST_F_TIMEOUT(faults, mappings, 240)
{
	static const struct attempt pages = { "pages", reopen, map_pages, true };
	static const struct attempt huge_page = { "huge page", reopen, map_huge_page, true };

	try_all(self, &pages);
	try_all(self, &huge_page);
}

static int get_region_info(struct _test_data_faults *self)
{
	struct nvgrace_region region;
	int error = __nvgrace_region(&self->dev, USEMEM, &region);

	return error ?: region.length == MEMORY ? 0 : -ENODATA;
}

/* All of config space, with the virtual BAR in it, and the BAR by itself. */
static int access_config(struct _test_data_faults *self)
{
	unsigned char space[256];
	uint32_t address = 0x10000000;
	int error = __vfio_read(&self->dev, self->dev.config, space, sizeof(space));

	return error ?: __vfio_write(&self->dev, self->dev.config + PCI_BASE_ADDRESS_4, &address,
				     sizeof(address));
}

TEST_F_TIMEOUT(faults, information, 240)
{
	static const struct attempt info = { "region info", reopen, get_region_info, true };
	static const struct attempt config = { "config space", reopen, access_config, false };

	try_all(self, &info);
	try_all(self, &config);
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
