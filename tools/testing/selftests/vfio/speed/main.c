// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmarks of migration data. An emulated machine says nothing about absolute speed, so
 * the results are ratios of two ways in the same run, one after the other.
 *
 * With arguments, only the benchmarks of these names run. Without, all that the stock
 * kernel can run.
 *
 * The table goes to the standard output. The exit status is 0 if every target is met.
 */
#include <stdbool.h>
#include <string.h>

#include "bench.h"
#include "measure.h"
#include "testdev.h"

/**
 * struct benchmark - what can be asked for
 * @name: how
 * @run: adds its rows to the table
 * @iommufd: the kernel must have IOMMUFD
 */
struct benchmark {
	const char *name;
	void (*run)(void);
	bool iommufd;
};

static const struct benchmark benchmarks[] = {
	{ .name = "ready", .run = bench_ready },
	{ .name = "session", .run = bench_session },
	{ .name = "direct", .run = bench_direct },
	{ .name = "memory", .run = bench_memory },
	{ .name = "reads", .run = bench_reads_at_once },
	{ .name = "writes", .run = bench_writes_at_once },
	{ .name = "read-path", .run = bench_read_path },
	{ .name = "footprint", .run = bench_footprint },
	{ .name = "blackout", .run = bench_blackout },
	{ .name = "gpu", .run = bench_gpu },
	{ .name = "dirty", .run = bench_dirty, .iommufd = true },
};

static bool is_wanted(const struct benchmark *benchmark, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], benchmark->name))
			return true;
	return argc == 1 && !benchmark->iommufd;
}

int main(int argc, char **argv)
{
	unsigned int i;

	testdev_prepare();
	for (i = 0; i < sizeof(benchmarks) / sizeof(*benchmarks); i++)
		if (is_wanted(&benchmarks[i], argc, argv))
			benchmarks[i].run();
	return !table_is_good();
}
