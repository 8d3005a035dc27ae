// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest: it starts the engines of its VFs once, then writes memory and checks
 * the engines' sequences for ever, and says so on the serial port. If it has a GPU, that
 * one takes the place of the engines.
 *
 * It does not know that it is migrated. Each report is one line, "sequence <lowest
 * last number> ok, memory pass <passes> ok"; the first thing wrong is reported as
 * "failed: <what>" and ends the guest. It starts with "engines started: <count>",
 * and an engine that was reset by somebody else is started again, which is said
 * with "engine was reset". With a GPU it is "GPU started", and "GPU was reset".
 */
#include "console.h"
#include "engine.h"
#include "gpu.h"
#include "layout.h"
#include "memory.h"
#include "pci.h"
#include "timer.h"

#define VENDOR_MELLANOX		0x15b3
#define DEVICE_CONNECTX_VF	0x101e

#define NUMBERS_A_REPORT	400
#define STEPS_A_REPORT		40

static bool has_gpu;

static void report(uint64_t sequence, uint32_t passes)
{
	print("sequence ");
	print_number(sequence);
	print(" ok, memory pass ");
	print_number(passes);
	print(" ok\n");
}

static void start_engines(void)
{
	uint32_t bars[ENGINES_MAX];
	unsigned int count = pci_map_functions(VENDOR_MELLANOX, DEVICE_CONNECTX_VF, bars,
					       ENGINES_MAX);

	if (!count)
		fail("neither a ConnectX virtual function nor a GPU on PCI bus 0");
	engines_start(bars, count, RINGS_ADDRESS);
	print("engines started: ");
	print_number(count);
	print("\n");
}

static void start(void)
{
	memory_start();
	timer_start();
	has_gpu = gpu_start();
	if (has_gpu)
		print("GPU started\n");
	else
		start_engines();
}

int main(void)
{
	uint64_t reported = 0, wanted;

	start();
	wanted = has_gpu ? STEPS_A_REPORT : NUMBERS_A_REPORT;
	for (;;) {
		uint32_t passes = memory_write_pages();
		uint64_t sequence = has_gpu ? gpu_step() : engines_poll();

		/* after a reset of an engine */
		if (sequence < reported)
			reported = 0;
		if (sequence - reported >= wanted) {
			engines_check();
			report(sequence, passes);
			reported = sequence;
		}
		timer_wait();
	}
}
