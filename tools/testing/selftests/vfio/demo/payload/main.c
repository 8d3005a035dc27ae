// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of the demo: it starts the engine of its VF once, then writes memory
 * and checks the engine's sequence for ever, and says so on the serial port.
 *
 * It does not know that it is migrated. Each report is one line, "sequence <last
 * number> ok, memory pass <passes> ok"; the first thing wrong is reported as
 * "failed: <what>" and ends the guest.
 */
#include "console.h"
#include "engine.h"
#include "layout.h"
#include "memory.h"
#include "pci.h"
#include "timer.h"

#define VENDOR_MELLANOX		0x15b3
#define DEVICE_CONNECTX_VF	0x101e

#define NUMBERS_A_REPORT	400

static void report(uint64_t sequence, uint32_t passes)
{
	print("sequence ");
	print_number(sequence);
	print(" ok, memory pass ");
	print_number(passes);
	print(" ok\n");
}

int main(void)
{
	uint32_t bar = pci_map_function(VENDOR_MELLANOX, DEVICE_CONNECTX_VF);
	uint64_t reported = 0;

	if (!bar)
		fail("no ConnectX virtual function on PCI bus 0");
	timer_start();
	engine_start(bar, RING_ADDRESS);
	print("engine started, BAR 0 at ");
	print_hex(bar);
	print("\n");
	for (;;) {
		uint32_t passes = memory_write_pages();
		uint64_t sequence = engine_poll();

		if (sequence - reported >= NUMBERS_A_REPORT) {
			engine_check();
			report(sequence, passes);
			reported = sequence;
		}
		timer_wait();
	}
}
