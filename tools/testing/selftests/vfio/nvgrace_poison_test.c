// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a GPU's memory with uncorrectable errors: who has them mapped is told, nobody
 * touches them again, and the host goes on.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "memory.h"
#include "nvgrace.h"
#include "page.h"

#define MIB		(1UL << 20)
#define GIB		(1UL << 30)
#define BAD		(5 * MIB + 3 * PAGE)

/*
 * Every SIGBUS of the process. It comes out of a touch, which is then left, or as news of
 * an error, at any time.
 */
static volatile sig_atomic_t bus_errors;
static volatile int last_code;
static void *volatile last_address;
static volatile sig_atomic_t touching;
static sigjmp_buf refused;

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	bus_errors++;
	last_code = info->si_code;
	last_address = info->si_addr;
	if (!touching || info->si_code == BUS_MCEERR_AO)
		return;
	touching = 0;
	siglongjmp(refused, 1);
}

/* 0, or the code of the SIGBUS */
static int touch(volatile uint32_t *where)
{
	if (sigsetjmp(refused, 1))
		return last_code;
	touching = 1;
	(void)*where;
	touching = 0;
	return 0;
}

FIXTURE(poison)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
	char *map;
	size_t length;		/* of the mapping: room for a huge page, if the memory has that */
};

FIXTURE_VARIANT(poison)
{
	struct gpu_config gpu;
	unsigned int index;
	uint64_t start;		/* of the region in the memory */
	const char *name;
};

FIXTURE_VARIANT_ADD(poison, usemem) {
	.gpu = { .kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE },
	.index = USEMEM,
	.name = "usemem",
};

FIXTURE_VARIANT_ADD(poison, resmem) {
	.gpu = {
		.kind = GPU_HOPPER,
		.driver = DRIVER_NVGRACE,
		.memory_size = GIB + 640 * MIB,
	},
	.index = RESMEM,
	.start = 512 * MIB,
	.name = "resmem",
};

static void handle_bus_errors(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGBUS, &action, NULL))
		fail("cannot catch SIGBUS");
}

static void open_region(const char *address, struct vfio_device *dev, unsigned int index,
			struct nvgrace_region *region)
{
	nvgrace_open(dev, address);
	nvgrace_region(dev, index, region);
}

/* The list of errors begins empty when the driver is bound. */
static void open_fresh(const char *address, struct vfio_device *dev, unsigned int index,
		       struct nvgrace_region *region)
{
	sim_bind(address, NULL);
	sim_bind(address, DRIVER_NVGRACE);
	open_region(address, dev, index, region);
}

static void map_region(struct _test_data_poison *self)
{
	self->length = huge_page() > 16 * MIB && huge_page() <= self->region.length ?
		       huge_page() : 16 * MIB;
	self->map = nvgrace_map(&self->region, 0, self->length, huge_page());
}

FIXTURE_SETUP(poison)
{
	handle_bus_errors();
	gpu_get(&self->host, &variant->gpu, 1);
	if (!gpu_can_poison(self->host.gpu[0]))
		SKIP(return, "the kernel does not handle memory errors");
	open_fresh(self->host.gpu[0], &self->dev, variant->index, &self->region);
	map_region(self);
}

FIXTURE_TEARDOWN_PARENT(poison)
{
	sim_teardown(_metadata->exit_code);
}

static bool is_listed(struct _test_data_poison *self, const char *name, uint64_t offset,
		      uint64_t physical)
{
	char line[128];

	snprintf(line, sizeof(line), "%s 0x%llx 0x%llx", name, (unsigned long long)offset,
		 (unsigned long long)physical);
	return strstr(nvgrace_debugfs(&self->dev, "poison"), line);
}

/* Returns when the page has no mapping any more. */
static void poison(struct _test_data_poison *self,
		   const struct _fixture_variant_poison *variant, uint64_t offset)
{
	gpu_poison(self->dev.address, variant->start + offset);
	if (!is_listed(self, variant->name, offset,
		       gpu_memory_base(self->dev.address) + variant->start + offset))
		fail("not listed: %s", nvgrace_debugfs(&self->dev, "poison"));
	if (!wait_until(touch((uint32_t *)(self->map + offset)), LATER))
		fail("still mapped");
}

TEST_F(poison, users_are_told)
{
	ASSERT_EQ(0, touch((uint32_t *)(self->map + BAD)));
	ASSERT_EQ(0, bus_errors);
	gpu_poison(self->dev.address, variant->start + BAD);
	ASSERT_TRUE(wait_until(bus_errors, LATER));
	EXPECT_EQ(self->map + BAD, last_address);
	EXPECT_TRUE(last_code == BUS_MCEERR_AO || last_code == BUS_MCEERR_AR);
}

TEST_F(poison, page_is_gone)
{
	unsigned int i;

	/* a huge page before */
	ASSERT_EQ(0, touch((uint32_t *)(self->map + BAD - PAGE)));
	poison(self, variant, BAD);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + BAD)));
		EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + BAD + PAGE - 4)));
		EXPECT_EQ(0, touch((uint32_t *)(self->map + BAD - 4)));
		EXPECT_EQ(0, touch((uint32_t *)(self->map + BAD + PAGE)));
		EXPECT_EQ(0, touch((uint32_t *)self->map));
	}
}

TEST_F(poison, new_mapping)
{
	char *other, *page;

	poison(self, variant, BAD);
	other = nvgrace_map(&self->region, 0, self->length, huge_page());
	page = nvgrace_map(&self->region, BAD, PAGE, PAGE);
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(other + BAD)));
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)page));
	EXPECT_EQ(0, touch((uint32_t *)(other + BAD + PAGE)));
}

TEST_F(poison, read_and_write)
{
	char *bytes = calloc(4, PAGE);

	poison(self, variant, BAD);
	EXPECT_EQ(-EHWPOISON, nvgrace_read(&self->region, BAD, bytes, 1));
	EXPECT_EQ(-EHWPOISON, nvgrace_read(&self->region, BAD + PAGE - 1, bytes, 1));
	EXPECT_EQ(-EHWPOISON, nvgrace_write(&self->region, BAD + 100, bytes, 8));
	/* what comes before the page is done */
	EXPECT_EQ(PAGE + 5, nvgrace_read(&self->region, BAD - PAGE - 5, bytes, 4 * PAGE));
	EXPECT_EQ(5, nvgrace_write(&self->region, BAD - 5, bytes, 4 * PAGE));
	EXPECT_EQ(PAGE, nvgrace_read(&self->region, BAD + PAGE, bytes, PAGE));
	free(bytes);
}

/* What the kernel does for the user with a mapping meets the same end. */
TEST_F(poison, as_buffer)
{
	poison(self, variant, BAD);
	EXPECT_EQ(-EFAULT, nvgrace_read(&self->region, 0, self->map + BAD, 8));
	EXPECT_EQ(-EFAULT, nvgrace_write(&self->region, 0, self->map + BAD, 8));
	EXPECT_EQ(8, nvgrace_read(&self->region, 0, self->map + BAD + PAGE, 8));
}

/* Any mapping of the device is enough for the driver to hear of it. */
TEST_F(poison, other_mapping)
{
	munmap(self->map, self->length);
	self->map = nvgrace_map(&self->region, 0, PAGE, PAGE);
	gpu_poison(self->dev.address, variant->start + BAD);
	EXPECT_EQ(0, bus_errors);
	EXPECT_EQ(0, touch((uint32_t *)self->map));
	self->map = nvgrace_map(&self->region, 0, self->length, huge_page());
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + BAD)));
}

TEST_F(poison, several_pages)
{
	const uint64_t pages[] = { 0, PAGE, 2 * PAGE, 16 * MIB - PAGE, 2 * MIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		poison(self, variant, pages[i]);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + pages[i])));
	EXPECT_EQ(0, touch((uint32_t *)(self->map + 3 * PAGE)));
	/* again: known already */
	gpu_poison(self->dev.address, variant->start + PAGE);
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + PAGE)));
}

TEST_F(poison, remembered)
{
	uint64_t physical = gpu_memory_base(self->dev.address) + variant->start + BAD;

	poison(self, variant, BAD);
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + BAD)));
	munmap(self->map, self->length);
	vfio_close(&self->dev);
	open_region(self->host.gpu[0], &self->dev, variant->index, &self->region);
	map_region(self);
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + BAD)));
	EXPECT_EQ(0, touch((uint32_t *)(self->map + BAD - PAGE)));
	EXPECT_TRUE(is_listed(self, variant->name, BAD, physical));

	munmap(self->map, self->length);
	vfio_close(&self->dev);
	open_fresh(self->host.gpu[0], &self->dev, variant->index, &self->region);
	map_region(self);
	EXPECT_FALSE(is_listed(self, variant->name, BAD, physical));
	EXPECT_EQ(0, touch((uint32_t *)(self->map + BAD)));
}

/*
 * A process that has the page mapped, does nothing, and wants to know early, as virtual machine
 * monitors do. It is the only one that the kernel finds.
 */
TEST_F(poison, other_process)
{
	int ready[2], status = 0;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		touch((uint32_t *)(self->map + BAD));
		signal(SIGBUS, SIG_DFL);
		if (prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	munmap(self->map, self->length);
	gpu_poison(self->dev.address, variant->start + BAD);
	EXPECT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, LATER));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	EXPECT_EQ(0, bus_errors);
	self->map = nvgrace_map(&self->region, 0, self->length, huge_page());
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(self->map + BAD)));
}

FIXTURE(gibibytes)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
	char *map;
};

FIXTURE_SETUP(gibibytes)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL, .driver = DRIVER_NVGRACE, .memory_size = 2 * GIB,
	};

	handle_bus_errors();
	gpu_get(&self->host, &config, 1);
	if (!gpu_can_poison(self->host.gpu[0]))
		SKIP(return, "the kernel does not handle memory errors");
	open_fresh(self->host.gpu[0], &self->dev, USEMEM, &self->region);
	self->map = nvgrace_map(&self->region, 0, 2 * GIB, GIB);
}

FIXTURE_TEARDOWN_PARENT(gibibytes)
{
	sim_teardown(_metadata->exit_code);
}

#define MIDDLE	(512 * MIB)

/* Faults that it takes to touch so much of the map in such steps; the bad page is left out. */
static long faults_of_touching(char *map, size_t from, size_t length, size_t step)
{
	long before = memory_faults();
	size_t at;

	for (at = from; at < from + length; at += step)
		if (at != MIDDLE && touch((uint32_t *)(map + at)))
			fail("SIGBUS at %#zx", at);
	return memory_faults() - before;
}

/* What was mapped at once is mapped in smaller parts, down to the pages around the bad one. */
TEST_F(gibibytes, bad_page_in_one)
{
	char *map = self->map;

	EXPECT_GT(8, faults_of_touching(map, 0, 2 * GIB, huge_page()));
	gpu_poison(self->dev.address, MIDDLE);
	ASSERT_TRUE(wait_until(touch((uint32_t *)(map + MIDDLE)), LATER));
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(map + MIDDLE)));
	EXPECT_LE(GIB / huge_page() - 1, faults_of_touching(map, 0, GIB, huge_page()));
	EXPECT_LE(huge_page() / PAGE - 1, faults_of_touching(map, MIDDLE, huge_page(), PAGE));
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(map + MIDDLE + PAGE - 4)));
	EXPECT_EQ(0, touch((uint32_t *)(map + MIDDLE - 4)));
	EXPECT_EQ(0, touch((uint32_t *)(map + MIDDLE + PAGE)));
	/* the other one is as it was, also when it is mapped anew */
	EXPECT_GT(8, faults_of_touching(map, GIB, GIB, huge_page()));
	nvgrace_enable(&self->dev, false);
	nvgrace_enable(&self->dev, true);
	EXPECT_GT(8, faults_of_touching(map, GIB, GIB, huge_page()));
	EXPECT_EQ(BUS_MCEERR_AR, touch((uint32_t *)(map + MIDDLE)));
	EXPECT_LE(GIB / huge_page() - 1, faults_of_touching(map, 0, GIB, huge_page()));
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
