// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmarks of migration data. An emulated machine says nothing about absolute speed, so
 * the results are ratios of two ways in the same run, one after the other.
 *
 * The table goes to the standard output. The exit status is 0 if every target is met.
 */
#include "bench.h"
#include "measure.h"
#include "testdev.h"

int main(void)
{
	testdev_prepare();
	bench_ready();
	bench_session();
	bench_direct();
	bench_memory();
	bench_reads_at_once();
	bench_writes_at_once();
	return !table_is_good();
}
