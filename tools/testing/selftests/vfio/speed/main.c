// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmarks of migration data. An emulated machine says nothing about absolute speed, so
 * the results are ratios of two ways in the same run, one after the other.
 *
 * With arguments, only the benchmarks of these names run.
 *
 * The table goes to the standard output. The exit status is 0 if every target is met.
 */
#include <string.h>

#include "bench.h"
#include "measure.h"
#include "testdev.h"

struct benchmark {
	const char *name;
	void (*run)(void);
};

static const struct benchmark benchmarks[] = {
	{ "ready", bench_ready },
	{ "session", bench_session },
	{ "direct", bench_direct },
	{ "memory", bench_memory },
	{ "reads", bench_reads_at_once },
	{ "writes", bench_writes_at_once },
	{ "read-path", bench_read_path },
	{ "footprint", bench_footprint },
	{ "blackout", bench_blackout },
};

static bool is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned int i;

	testdev_prepare();
	for (i = 0; i < sizeof(benchmarks) / sizeof(*benchmarks); i++)
		if (is_wanted(benchmarks[i].name, argc, argv))
			benchmarks[i].run();
	return !table_is_good();
}
