// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each VF's engine writes the numbers 1, 2, 3, ... into a ring in memory, and only
 * then counts up the register that holds the next number.
 *
 * So each number below that register must be in its entry: a number missing or
 * wrong is a gap. What was taken last lives in memory, hence the check goes on
 * across a migration. The pages of a ring are of two kinds, in turn. In a page of
 * the first kind an entry is cleared when its number was taken, and is looked at
 * again later: a number there is a repeat. A page of the second kind is written by
 * nobody but the engine, so nothing but the migration's knowledge of DMA brings
 * its numbers over; they are looked at again as well.
 */
#include <stdbool.h>
#include <stdint.h>

#include "hca_abi.h"

#include "console.h"
#include "engine.h"
#include "io.h"

#define RING_ENTRIES		32768
#define RING_BYTES		(RING_ENTRIES * sizeof(uint64_t))
#define PAGE_ENTRIES		(4096 / sizeof(uint64_t))
/* how many of the entries taken last are looked at again */
#define CHECKED_ENTRIES		8192
#define PERIOD_MICROSECONDS	500

struct engine {
	uint32_t registers;
	uint32_t ring;
	uint64_t taken;
};

static struct engine engines[ENGINES_MAX];
static unsigned int engine_count;

static uint32_t engine_read(const struct engine *engine, unsigned int offset)
{
	return read32(engine->registers + offset);
}

static void engine_write(const struct engine *engine, unsigned int offset, uint32_t value)
{
	write32(engine->registers + offset, value);
}

static uint32_t ring_entry(const struct engine *engine, uint64_t number)
{
	return engine->ring + number % RING_ENTRIES * sizeof(uint64_t);
}

static bool in_cleared_page(uint64_t number)
{
	return number / PAGE_ENTRIES % 2 == 0;
}

static void engine_start(struct engine *engine)
{
	if (engine_read(engine, PCISIM_ENGINE_ID) != PCISIM_ENGINE_MAGIC)
		fail_compare("no engine behind BAR 0", PCISIM_ENGINE_MAGIC,
			     engine_read(engine, PCISIM_ENGINE_ID));
	engine->taken = 0;
	engine_write(engine, PCISIM_ENGINE_RING_LOW, engine->ring);
	engine_write(engine, PCISIM_ENGINE_RING_HIGH, 0);
	engine_write(engine, PCISIM_ENGINE_RING_ENTRIES, RING_ENTRIES);
	engine_write(engine, PCISIM_ENGINE_PERIOD, PERIOD_MICROSECONDS);
	engine_write(engine, PCISIM_ENGINE_CTRL, PCISIM_ENGINE_CTRL_ENABLE);
}

void engines_start(const uint32_t *bars, unsigned int count, uint32_t ring)
{
	engine_count = count;
	for (unsigned int i = 0; i < count; i++) {
		engines[i].registers = bars[i] + PCISIM_ENGINE_OFFSET;
		engines[i].ring = ring + i * RING_BYTES;
		engine_start(&engines[i]);
	}
}

/* The engine may carry into the upper half between the two reads. */
static uint64_t engine_next(const struct engine *engine)
{
	uint32_t high, low;

	do {
		high = engine_read(engine, PCISIM_ENGINE_NEXT_HIGH);
		low = engine_read(engine, PCISIM_ENGINE_NEXT_LOW);
	} while (high != engine_read(engine, PCISIM_ENGINE_NEXT_HIGH));
	return (uint64_t)high << 32 | low;
}

static void take_number(struct engine *engine, uint64_t number)
{
	uint64_t found = read64(ring_entry(engine, number));

	if (found != number)
		fail_compare("wrong number in the ring", number, found);
	if (in_cleared_page(number))
		write64(ring_entry(engine, number), 0);
}

/* Somebody has reset the VF: do what a driver does then, and let the outside know. */
static bool engine_was_reset(struct engine *engine)
{
	if (engine_read(engine, PCISIM_ENGINE_CTRL) & PCISIM_ENGINE_CTRL_ENABLE)
		return false;
	engine_start(engine);
	print("engine was reset\n");
	return true;
}

static uint64_t engine_poll(struct engine *engine)
{
	uint64_t next = engine_next(engine);

	if (next <= engine->taken) {
		if (engine_was_reset(engine))
			return 0;
		fail_compare("the engine went back", engine->taken + 1, next);
	}
	if (next - engine->taken > RING_ENTRIES - CHECKED_ENTRIES)
		fail("the guest is too slow for the engine");
	while (engine->taken + 1 < next) {
		take_number(engine, engine->taken + 1);
		engine->taken++;
	}
	return engine->taken;
}

uint64_t engines_poll(void)
{
	uint64_t lowest = UINT64_MAX;

	for (unsigned int i = 0; i < engine_count; i++) {
		uint64_t taken = engine_poll(&engines[i]);

		if (taken < lowest)
			lowest = taken;
	}
	return lowest;
}

static void check_entry(const struct engine *engine, uint64_t number)
{
	uint64_t found = read64(ring_entry(engine, number));

	if (in_cleared_page(number)) {
		if (found)
			fail_compare("number written again", engine->taken + 1, found);
	} else if (found != number) {
		fail_compare("number lost after it was taken", number, found);
	}
}

static void engine_check(const struct engine *engine)
{
	if (engine_read(engine, PCISIM_ENGINE_STATUS) & PCISIM_ENGINE_STATUS_ERROR)
		fail("the engine reports an error");
	for (unsigned int back = 0; back < CHECKED_ENTRIES && back < engine->taken; back++)
		check_entry(engine, engine->taken - back);
}

void engines_check(void)
{
	for (unsigned int i = 0; i < engine_count; i++)
		engine_check(&engines[i]);
}
