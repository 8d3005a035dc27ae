// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it takes to save the memory of a GPU: beside a copy of the same memory by memcpy()
 * in the same machine, with one CPU and with all, with hashes and without, and for the time
 * in which the device stands still, against how much of the memory was touched before.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "device.h"
#include "gpu_move.h"
#include "measure.h"

#define RUNS		5
#define MEMORY		(64 * MIB)
#define BLOCKS		(MEMORY / BLOCK)

/**
 * struct gpu_bench - an open GPU, whose memory is full
 * @host: where it is
 * @dev: the GPU
 * @memory: its memory, mapped
 * @buffer: 1 MiB for read()
 */
struct gpu_bench {
	struct gpu_host host;
	struct vfio_device dev;
	unsigned char *memory;
	unsigned char *buffer;
};

static void bench_open(struct gpu_bench *bench)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL, .memory_size = MEMORY, .driver = DRIVER_NVGRACE,
	};

	gpu_prepare();
	gpu_enable_migration(true);
	gpu_get(&bench->host, &config, 1);
	nvgrace_open(&bench->dev, bench->host.gpu[0]);
	gpu_fill(bench->dev.address, 0, MEMORY, 1);
	bench->buffer = speed_memory(MIB);
	bench->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, bench->dev.device,
			     gpu_usemem(&bench->dev));
	if (bench->memory == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
}

static void bench_close(struct gpu_bench *bench)
{
	munmap(bench->memory, MEMORY);
	munmap(bench->buffer, MIB);
	vfio_close(&bench->dev);
	sim_remove_all();
	gpu_enable_migration(false);
}

static void set_threads(unsigned int threads)
{
	file_write_number(NVGRACE_PARAMETER("copy_threads"), threads);
}

/* Bytes in a microsecond, that is MB/s, as everywhere below. */
static double time_memcpy(struct gpu_bench *bench)
{
	unsigned int sum = 0;
	uint64_t start, at;

	gpu_set_power(&bench->dev, GPU_D0);
	/* the mappings are gone with every D3hot */
	for (at = 0; at < MEMORY; at += BLOCK)
		sum += bench->memory[at];
	__asm__ volatile("" : : "r"(sum));
	start = now_us();
	for (at = 0; at < MEMORY; at += MIB) {
		memcpy(bench->buffer, bench->memory + at, MIB);
		/* so that no copy is left out */
		__asm__ volatile("" : : "r"(bench->buffer) : "memory");
	}
	return (double)MEMORY / (now_us() - start);
}

static double time_stop_copy(struct gpu_bench *bench)
{
	uint64_t start;
	int fd;

	gpu_sleep(&bench->dev);
	mig_set_state(&bench->dev, STATE_STOP, NULL);
	start = now_us();
	fd = mig_begin(&bench->dev, STATE_STOP_COPY);
	if (speed_read_to_the_end(fd, bench->buffer) < MEMORY)
		fail("less than the memory");
	start = now_us() - start;
	mig_set_state(&bench->dev, STATE_RUNNING, NULL);
	close(fd);
	return (double)MEMORY / start;
}

static uint64_t read_to_pause(struct gpu_bench *bench, int fd)
{
	uint64_t bytes = 0;
	ssize_t done;

	while ((done = read(fd, bench->buffer, MIB)) > 0)
		bytes += done;
	if (done != -1 || errno != ENOMSG)
		fail("pre-copy ends with %zd: %s", done, strerror(errno));
	return bytes;
}

static double time_first_pass(struct gpu_bench *bench)
{
	uint64_t start = now_us();
	int fd = mig_begin(&bench->dev, STATE_PRE_COPY);

	if (read_to_pause(bench, fd) < MEMORY)
		fail("less than the memory");
	start = now_us() - start;
	mig_set_state(&bench->dev, STATE_RUNNING, NULL);
	close(fd);
	return (double)MEMORY / start;
}

static void touch(struct gpu_bench *bench, unsigned int percent)
{
	unsigned int i, touched = BLOCKS * percent / 100;

	for (i = 0; i < touched; i++)
		bench->memory[(uint64_t)i * BLOCKS / touched * BLOCK + 8]++;
}

/* Milliseconds from STOP_COPY to the end of the data; @bytes are those of it. */
static double time_still(struct gpu_bench *bench, unsigned int percent, uint64_t *bytes)
{
	uint64_t start;
	int fd;

	gpu_set_power(&bench->dev, GPU_D0);
	fd = mig_begin(&bench->dev, STATE_PRE_COPY);
	read_to_pause(bench, fd);
	touch(bench, percent);
	gpu_sleep(&bench->dev);
	start = now_us();
	mig_set_state(&bench->dev, STATE_STOP_COPY, NULL);
	*bytes = speed_read_to_the_end(fd, bench->buffer);
	start = now_us() - start;
	mig_set_state(&bench->dev, STATE_RUNNING, NULL);
	close(fd);
	return start / 1000.0;
}

static void report_speed(struct gpu_bench *bench)
{
	struct series one = { 0 }, all = { 0 }, scaling = { 0 }, copies = { 0 }, hashes = { 0 };
	struct target none = { NO_TARGET };
	unsigned int i;

	for (i = 0; i <= RUNS; i++) {
		double memory = time_memcpy(bench), single, several, hashed;

		set_threads(1);
		single = time_stop_copy(bench);
		set_threads(0);
		several = time_stop_copy(bench);
		gpu_set_power(&bench->dev, GPU_D0);
		hashed = time_first_pass(bench);
		/* the first round is for the caches */
		if (!i)
			continue;
		series_add(&one, single);
		series_add(&all, several);
		series_add(&scaling, several / single);
		series_add(&copies, several / memory);
		series_add(&hashes, several / hashed);
	}
	table_add("64 MiB of a GPU, STOP_COPY by 1 MiB `read()`, one worker", " MB/s", &one, none);
	table_add("the same, a worker for each CPU", " MB/s", &all, none);
	table_add("a worker for each CPU : one worker", "", &scaling, none);
	table_add("a worker for each CPU : `memcpy()` of the same memory", "", &copies, none);
	table_add("without hashes : with hashes (first pass of PRE_COPY)", "", &hashes, none);
}

static void report_shares(struct gpu_bench *bench)
{
	static const unsigned int shares[] = { 0, 1, 10, 50, 100 };
	unsigned int share, i;
	char what[128];

	for (share = 0; share < sizeof(shares) / sizeof(*shares); share++) {
		struct series time = { 0 }, size = { 0 };

		for (i = 0; i < RUNS; i++) {
			uint64_t bytes;

			series_add(&time, time_still(bench, shares[share], &bytes));
			series_add(&size, (double)bytes / MIB);
		}
		snprintf(what, sizeof(what), "STOP_COPY of 64 MiB, %u %% of the blocks touched",
			 shares[share]);
		table_add(what, " ms", &time, (struct target){ NO_TARGET });
		/* blocks, and at most a record's head and header for each 127 of them */
		table_add("the same, what was sent", " MiB", &size,
			  (struct target){ AT_MOST, 0.05 + MEMORY / MIB * shares[share] / 100.0 });
	}
}

void bench_gpu(void)
{
	static struct gpu_bench bench;

	bench_open(&bench);
	report_speed(&bench);
	report_shares(&bench);
	bench_close(&bench);
}
