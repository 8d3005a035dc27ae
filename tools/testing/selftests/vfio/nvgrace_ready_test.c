// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPUs that are not ready: after power-on, after a reset, for a time or for ever. Who touches
 * the memory waits, within the bound, without a lock that others need, and can be killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "module.h"
#include "nvgrace.h"
#include "page.h"
#include "touch.h"
#include "worker.h"

#define LONG	300	/* seconds; longer than a test may take */

static void set_timeout(unsigned int seconds)
{
	file_write_number(NVGRACE_TIMEOUT, seconds);
}

FIXTURE(ready)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
	uint32_t *map;
};

FIXTURE_VARIANT(ready)
{
	struct gpu_config gpu;
	unsigned int shortest;	/* seconds that a wait in vain takes */
};

FIXTURE_VARIANT_ADD(ready, registers) {
	.gpu = { .kind = GPU_HOPPER },
	.shortest = 2,
};

FIXTURE_VARIANT_ADD(ready, cxl) {
	.gpu = { .kind = GPU_BLACKWELL_CXL, .cxl_timeout = 0 },
	.shortest = 1,
};

FIXTURE_SETUP(ready)
{
	touch_prepare();
	module_load(DRIVER_NVGRACE, NULL);
	set_timeout(2);
	gpu_get(&self->host, &variant->gpu, 1);
	self->dev.device = -1;
	snprintf(self->dev.address, sizeof(self->dev.address), "%s", self->host.gpu[0]);
}

FIXTURE_TEARDOWN_PARENT(ready)
{
	__file_write_number(NVGRACE_TIMEOUT, NVGRACE_TIMEOUT_DEFAULT);
	sim_teardown(_metadata->exit_code);
}

/* The device is open and mapped, and what touched it before has found it ready. */
static void open_device(struct _test_data_ready *self)
{
	uint32_t value;

	sim_bind(self->host.gpu[0], DRIVER_NVGRACE);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	nvgrace_region(&self->dev, USEMEM, &self->region);
	self->map = nvgrace_map(&self->region, 0, 1 << 20, PAGE);
	if (!touch_read(self->map, &value))
		fail("cannot touch the memory");
}

/* The device has been reset and is not ready until it is told. */
static void reset_to_not_ready(struct _test_data_ready *self)
{
	gpu_ready_after(self->dev.address, GPU_NEVER);
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
	gpu_ready_after(self->dev.address, 0);
}

static bool seen(struct _test_data_ready *self, const char *what)
{
	return !strcmp(nvgrace_debugfs(&self->dev, "ready"), what);
}

TEST_F(ready, probe_gives_up)
{
	uint64_t begun;

	gpu_ready(self->dev.address, false);
	begun = now_us();
	EXPECT_GT(0, __sim_bind(self->dev.address, DRIVER_NVGRACE));
	EXPECT_LE(variant->shortest * 1000000, now_us() - begun);
	/* and the device is as before */
	gpu_ready(self->dev.address, true);
	open_device(self);
}

TEST_F(ready, first_touch_asks)
{
	uint32_t value;

	open_device(self);
	EXPECT_TRUE(seen(self, "ready"));
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
	EXPECT_TRUE(seen(self, "unknown"));
	EXPECT_TRUE(touch_read(self->map, &value));
	EXPECT_TRUE(seen(self, "ready"));
}

static long read_word(void *argument)
{
	uint32_t value;

	return nvgrace_read(argument, 64, &value, 4);
}

static long write_word(void *argument)
{
	uint32_t value = 1;

	return nvgrace_write(argument, 64, &value, 4);
}

static long touch_word(void *argument)
{
	uint32_t value;

	return touch_read(argument, &value) ? 4 : -EFAULT;
}

#define WAYS	4

/* Starts all ways to touch the memory. */
static void start_all(struct nvgrace_region *region, uint32_t *map, struct worker *workers)
{
	worker_start(&workers[0], read_word, region);
	worker_start(&workers[1], write_word, region);
	worker_start(&workers[2], touch_word, map);
	worker_start(&workers[3], touch_word, map + 7 * PAGE / 4);
}

TEST_F(ready, touches_give_up)
{
	struct worker workers[WAYS];
	unsigned int i;
	uint64_t begun;

	open_device(self);
	reset_to_not_ready(self);
	begun = now_us();
	start_all(&self->region, self->map, workers);
	for (i = 0; i < WAYS; i++) {
		worker_join(&workers[i], LATER + 10000);
		EXPECT_EQ(i < 2 ? -ETIMEDOUT : -EFAULT, workers[i].result) TH_LOG("worker %u", i);
	}
	EXPECT_LE(variant->shortest * 1000000, now_us() - begun);
	EXPECT_TRUE(seen(self, "given up"));
	/* nobody waits any more: it would be for longer than this test may take */
	set_timeout(LONG);
	EXPECT_EQ(-ETIMEDOUT, read_word(&self->region));
	EXPECT_EQ(-EFAULT, touch_word(self->map));
	/* but everybody looks */
	gpu_ready(self->dev.address, true);
	EXPECT_EQ(4, touch_word(self->map));
	EXPECT_EQ(4, read_word(&self->region));
	EXPECT_TRUE(seen(self, "ready"));
}

/* A reset makes it worth while to wait again. */
TEST_F(ready, reset_after_giving_up)
{
	open_device(self);
	reset_to_not_ready(self);
	EXPECT_EQ(-ETIMEDOUT, read_word(&self->region));
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
	EXPECT_EQ(4, read_word(&self->region));
	EXPECT_EQ(4, touch_word(self->map));
}

/* Without memory-enable there is nothing to wait for. */
TEST_F(ready, disabled_memory_does_not_wait)
{
	set_timeout(LONG);
	open_device(self);
	reset_to_not_ready(self);
	nvgrace_enable(&self->dev, false);
	EXPECT_EQ(-EIO, read_word(&self->region));
	EXPECT_EQ(-EFAULT, touch_word(self->map));
}

/*
 * These wait for as long as the driver does; the registers have that in a module parameter,
 * the CXL capability has 256 s.
 */
FIXTURE(waiting)
{
	struct gpu_host host;
	struct vfio_device dev;
	struct nvgrace_region region;
	uint32_t *map;
};

FIXTURE_VARIANT(waiting)
{
	struct gpu_config gpu;
};

FIXTURE_VARIANT_ADD(waiting, registers) {
	.gpu = { .kind = GPU_HOPPER, .driver = DRIVER_NVGRACE },
};

FIXTURE_VARIANT_ADD(waiting, cxl) {
	.gpu = { .kind = GPU_BLACKWELL_CXL, .cxl_timeout = 4, .driver = DRIVER_NVGRACE },
};

FIXTURE_SETUP(waiting)
{
	touch_prepare();
	module_load(DRIVER_NVGRACE, NULL);
	gpu_get(&self->host, &variant->gpu, 1);
	set_timeout(LONG);
	nvgrace_open(&self->dev, self->host.gpu[0]);
	nvgrace_region(&self->dev, USEMEM, &self->region);
	self->map = nvgrace_map(&self->region, 0, 1 << 20, PAGE);
	gpu_ready_after(self->dev.address, GPU_NEVER);
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
}

FIXTURE_TEARDOWN_PARENT(waiting)
{
	__file_write_number(NVGRACE_TIMEOUT, NVGRACE_TIMEOUT_DEFAULT);
	sim_teardown(_metadata->exit_code);
}

TEST_F(waiting, until_ready)
{
	struct worker workers[WAYS];
	unsigned int i;

	gpu_ready_after(self->dev.address, 600);
	vfio_reset(&self->dev);
	nvgrace_enable(&self->dev, true);
	start_all(&self->region, self->map, workers);
	for (i = 0; i < WAYS; i++) {
		worker_join(&workers[i], LATER);
		EXPECT_EQ(4, workers[i].result) TH_LOG("worker %u", i);
	}
	EXPECT_TRUE(gpu_is_ready(self->dev.address));
}

TEST_F(waiting, in_probe)
{
	munmap(self->map, 1 << 20);
	vfio_close(&self->dev);
	sim_bind(self->dev.address, NULL);
	gpu_ready_after(self->dev.address, 700);
	file_write(path("/sys/bus/pci/devices/%s/reset", self->dev.address), "1");
	sim_bind(self->dev.address, DRIVER_NVGRACE);
	EXPECT_TRUE(gpu_is_ready(self->dev.address));
}

static char task_state(pid_t task)
{
	char text[512], *end;

	if (__file_read(path("/proc/%d/stat", task), text, sizeof(text)) < 0)
		return 0;
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* A waiting thread with the number of its task */
struct sleeper {
	struct worker worker;
	long (*run)(void *argument);
	void *argument;
	pid_t task;
};

static long run_sleeper(void *argument)
{
	struct sleeper *sleeper = argument;

	__atomic_store_n(&sleeper->task, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	return sleeper->run(sleeper->argument);
}

/* Returns when the thread sleeps in the kernel and only a signal that kills can wake it. */
static void start_sleeper(struct sleeper *sleeper, long (*run)(void *argument), void *argument)
{
	sleeper->run = run;
	sleeper->argument = argument;
	sleeper->task = 0;
	worker_start(&sleeper->worker, run_sleeper, sleeper);
	if (!wait_until(__atomic_load_n(&sleeper->task, __ATOMIC_SEQ_CST) &&
			task_state(sleeper->task) == 'D', LATER))
		fail("nothing waits");
}

/* The address space, the device, and its config space can be used by others. */
TEST_F(waiting, in_a_fault_blocks_nobody)
{
	struct sleeper sleeper;
	void *room;

	start_sleeper(&sleeper, touch_word, self->map);
	room = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	EXPECT_EQ(0, mprotect(room, PAGE, PROT_READ));
	EXPECT_EQ(0, munmap(room, PAGE));
	nvgrace_enable(&self->dev, false);
	nvgrace_enable(&self->dev, true);
	EXPECT_FALSE(worker_is_done(&sleeper.worker));
	gpu_ready(self->dev.address, true);
	worker_join(&sleeper.worker, LATER);
	EXPECT_EQ(4, sleeper.worker.result);
}

TEST_F(waiting, in_read_blocks_nobody)
{
	struct sleeper sleeper;

	start_sleeper(&sleeper, read_word, &self->region);
	nvgrace_enable(&self->dev, false);
	nvgrace_enable(&self->dev, true);
	EXPECT_FALSE(worker_is_done(&sleeper.worker));
	gpu_ready(self->dev.address, true);
	worker_join(&sleeper.worker, LATER);
	EXPECT_EQ(4, sleeper.worker.result);
}

TEST_F(waiting, over_a_reset)
{
	struct sleeper reader, toucher;

	start_sleeper(&reader, read_word, &self->region);
	start_sleeper(&toucher, touch_word, self->map);
	vfio_reset(&self->dev);
	file_write(path("/sys/bus/pci/devices/%s/reset", self->dev.address), "1");
	EXPECT_FALSE(worker_is_done(&reader.worker));
	EXPECT_FALSE(worker_is_done(&toucher.worker));
	gpu_ready(self->dev.address, true);
	worker_join(&reader.worker, LATER);
	worker_join(&toucher.worker, LATER);
	EXPECT_EQ(4, reader.worker.result);
	EXPECT_EQ(4, toucher.worker.result);
}

/* The mapping may go while somebody waits to touch it. */
TEST_F(waiting, unmapped_meanwhile)
{
	struct sleeper sleeper;

	start_sleeper(&sleeper, touch_word, self->map);
	/* something else is there then */
	ASSERT_EQ(self->map, mmap(self->map, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	gpu_ready(self->dev.address, true);
	worker_join(&sleeper.worker, LATER);
	EXPECT_EQ(4, sleeper.worker.result);
}

static void expect_killed(struct __test_metadata *_metadata, long (*run)(void *argument),
			  void *argument)
{
	pid_t child = fork();
	int status = 0;

	ASSERT_LE(0, child);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(argument);
		_exit(0);
	}
	EXPECT_TRUE(wait_until(task_state(child) == 'D', LATER));
	kill(child, SIGKILL);
	EXPECT_TRUE(wait_until(waitpid(child, &status, WNOHANG) == child, LATER));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(waiting, can_be_killed)
{
	expect_killed(_metadata, read_word, &self->region);
	expect_killed(_metadata, touch_word, self->map);
}

struct pipe_write {
	int end;
	const void *from;
};

static long write_to_pipe(void *argument)
{
	const struct pipe_write *request = argument;

	return write(request->end, request->from, 4);
}

/* The kernel touches the mapping for the user's sake, and waits like the user. */
TEST_F(waiting, as_buffer_of_the_kernel)
{
	struct pipe_write request = { .from = self->map };
	struct sleeper sleeper;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	request.end = ends[1];
	start_sleeper(&sleeper, write_to_pipe, &request);
	EXPECT_FALSE(worker_is_done(&sleeper.worker));
	gpu_ready(self->dev.address, true);
	worker_join(&sleeper.worker, LATER);
	EXPECT_EQ(4, sleeper.worker.result);
}

static const unsigned int wrong_timeouts[] = { 0, 301, 100000 };

TEST(timeout_is_bounded)
{
	unsigned int i;

	module_load(DRIVER_NVGRACE, NULL);
	for (i = 0; i < ARRAY_SIZE(wrong_timeouts); i++)
		EXPECT_EQ(-EINVAL, __file_write_number(NVGRACE_TIMEOUT, wrong_timeouts[i]));
	EXPECT_EQ(NVGRACE_TIMEOUT_DEFAULT, file_read_number(NVGRACE_TIMEOUT));
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}
