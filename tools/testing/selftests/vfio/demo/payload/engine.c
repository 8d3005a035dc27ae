// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VF's engine writes the numbers 1, 2, 3, ... into a ring in memory, and only
 * then counts up the register that holds the next number.
 *
 * So each number below that register must be in its entry: a number missing or
 * wrong is a gap. An entry is cleared when its number was taken, and is looked at
 * again later: a number there is a repeat. What was taken last lives in memory,
 * hence the check goes on across a migration.
 */
#include <stdint.h>

#include "hca_abi.h"

#include "console.h"
#include "engine.h"
#include "io.h"

#define RING_ENTRIES		32768
/* how many of the entries taken last are looked at again */
#define CHECKED_ENTRIES		4096
#define PERIOD_MICROSECONDS	500

static struct {
	uint32_t registers;
	uint32_t ring;
	uint64_t taken;
} engine;

static uint32_t engine_read(unsigned int offset)
{
	return read32(engine.registers + offset);
}

static void engine_write(unsigned int offset, uint32_t value)
{
	write32(engine.registers + offset, value);
}

static uint32_t ring_entry(uint64_t number)
{
	return engine.ring + number % RING_ENTRIES * sizeof(uint64_t);
}

void engine_start(uint32_t bar, uint32_t ring)
{
	engine.registers = bar + PCISIM_ENGINE_OFFSET;
	engine.ring = ring;
	if (engine_read(PCISIM_ENGINE_ID) != PCISIM_ENGINE_MAGIC)
		fail_compare("no engine behind BAR 0", PCISIM_ENGINE_MAGIC,
			     engine_read(PCISIM_ENGINE_ID));
	engine_write(PCISIM_ENGINE_RING_LOW, ring);
	engine_write(PCISIM_ENGINE_RING_HIGH, 0);
	engine_write(PCISIM_ENGINE_RING_ENTRIES, RING_ENTRIES);
	engine_write(PCISIM_ENGINE_PERIOD, PERIOD_MICROSECONDS);
	engine_write(PCISIM_ENGINE_CTRL, PCISIM_ENGINE_CTRL_ENABLE);
}

/* The engine may carry into the upper half between the two reads. */
static uint64_t engine_next(void)
{
	uint32_t high, low;

	do {
		high = engine_read(PCISIM_ENGINE_NEXT_HIGH);
		low = engine_read(PCISIM_ENGINE_NEXT_LOW);
	} while (high != engine_read(PCISIM_ENGINE_NEXT_HIGH));
	return (uint64_t)high << 32 | low;
}

static void take_number(uint64_t number)
{
	uint64_t found = read64(ring_entry(number));

	if (found != number)
		fail_compare("wrong number in the ring", number, found);
	write64(ring_entry(number), 0);
}

uint64_t engine_poll(void)
{
	uint64_t next = engine_next();

	if (next <= engine.taken)
		fail_compare("the engine went back", engine.taken + 1, next);
	if (next - engine.taken > RING_ENTRIES - CHECKED_ENTRIES)
		fail("the guest is too slow for the engine");
	while (engine.taken + 1 < next) {
		take_number(engine.taken + 1);
		engine.taken++;
	}
	return engine.taken;
}

void engine_check(void)
{
	if (engine_read(PCISIM_ENGINE_STATUS) & PCISIM_ENGINE_STATUS_ERROR)
		fail("the engine reports an error");
	for (unsigned int back = 0; back < CHECKED_ENTRIES && back < engine.taken; back++) {
		uint64_t found = read64(ring_entry(engine.taken - back));

		if (found)
			fail_compare("number written again", engine.taken + 1, found);
	}
}
