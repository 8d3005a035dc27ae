// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives the engine through its registers and judges the ring.
 */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "engine.h"
#include "kselftest.h"
#include "sim.h"

static size_t ring_bytes(const struct engine *engine)
{
	return engine->entries * sizeof(uint64_t);
}

int __engine_attach(struct engine *engine, struct vfio_device *dev, unsigned int entries,
		    const struct engine *shared)
{
	int error;

	memset(engine, 0, sizeof(*engine));
	engine->dev = dev;
	engine->entries = entries;
	engine->iova = ENGINE_IOVA;
	error = __vfio_map_bar(dev);
	if (error)
		return error;
	engine->ring = shared ? shared->ring :
		       mmap(NULL, ring_bytes(engine), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (engine->ring == MAP_FAILED)
		return -errno;
	vfio_bus_master(dev, true);
	return __vfio_dma_map(dev, engine->ring, engine->iova, ring_bytes(engine),
			      DMA_READ_WRITE);
}

static volatile uint32_t *engine_register(struct engine *engine, unsigned int reg)
{
	return engine->dev->bar + PCISIM_ENGINE_OFFSET + reg;
}

uint32_t engine_get(struct engine *engine, unsigned int reg)
{
	return le32toh(*engine_register(engine, reg));
}

void engine_put(struct engine *engine, unsigned int reg, uint32_t value)
{
	*engine_register(engine, reg) = htole32(value);
}

void engine_start(struct engine *engine, unsigned int period, uint32_t control)
{
	engine_put(engine, PCISIM_ENGINE_RING_LOW, engine->iova);
	engine_put(engine, PCISIM_ENGINE_RING_HIGH, engine->iova >> 32);
	engine_put(engine, PCISIM_ENGINE_RING_ENTRIES, engine->entries);
	engine_put(engine, PCISIM_ENGINE_PERIOD, period);
	engine_put(engine, PCISIM_ENGINE_CTRL, control | PCISIM_ENGINE_CTRL_ENABLE);
}

int __engine_stop(struct engine *engine)
{
	engine_put(engine, PCISIM_ENGINE_CTRL, 0);
	return wait_until(!engine_get(engine, PCISIM_ENGINE_STATUS), SOON) ? 0 : -ETIMEDOUT;
}

uint64_t engine_next(struct engine *engine)
{
	uint32_t high, low;

	do {
		high = engine_get(engine, PCISIM_ENGINE_NEXT_HIGH);
		low = engine_get(engine, PCISIM_ENGINE_NEXT_LOW);
	} while (high != engine_get(engine, PCISIM_ENGINE_NEXT_HIGH));
	return (uint64_t)high << 32 | low;
}

/* What can keep an engine from going on. */
static void explain_standstill(struct engine *engine, uint64_t goal)
{
	const char *address = engine->dev->address;

	ksft_print_msg("engine of %s: next %llu, wanted %llu, control 0x%x, status 0x%x\n",
		       address, (unsigned long long)engine_next(engine), (unsigned long long)goal,
		       engine_get(engine, PCISIM_ENGINE_CTRL),
		       engine_get(engine, PCISIM_ENGINE_STATUS));
	ksft_print_msg("ring of %u at 0x%x, period %u\n",
		       engine_get(engine, PCISIM_ENGINE_RING_ENTRIES),
		       engine_get(engine, PCISIM_ENGINE_RING_LOW),
		       engine_get(engine, PCISIM_ENGINE_PERIOD));
	ksft_print_msg("%llu writes, %llu faults, %llu resets; command 0x%x\n",
		       (unsigned long long)sim_counter(address, "dma_writes"),
		       (unsigned long long)sim_counter(address, "dma_faults"),
		       (unsigned long long)sim_counter(address, "resets"),
		       vfio_config_get(engine->dev, PCI_COMMAND, 2));
}

int __engine_progress(struct engine *engine, uint64_t more)
{
	uint64_t goal = engine_next(engine) + more;

	if (wait_until(engine_next(engine) >= goal, LATER))
		return 0;
	explain_standstill(engine, goal);
	return -ETIMEDOUT;
}

bool engine_is_quiet(struct engine *engine)
{
	uint64_t next = engine_next(engine);
	uint64_t *before;
	bool same;

	before = mmap(NULL, ring_bytes(engine), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (before == MAP_FAILED)
		fail("no memory");
	memcpy(before, engine->ring, ring_bytes(engine));
	usleep(50000);
	same = engine_next(engine) == next && !memcmp(before, engine->ring, ring_bytes(engine));
	munmap(before, ring_bytes(engine));
	return same;
}

void engine_clear_ring(struct engine *engine)
{
	memset(engine->ring, 0, ring_bytes(engine));
}

bool engine_ring_holds(struct engine *engine, uint64_t first, uint64_t next)
{
	unsigned int i;

	if (next - first > engine->entries)
		first = next - engine->entries;
	for (i = 0; i < engine->entries; i++) {
		uint64_t seen = le64toh(engine->ring[i]);
		uint64_t expected = first + (i - first) % engine->entries;

		if (expected >= next)
			expected = 0;
		if (seen != expected) {
			fprintf(stderr, "# ring[%u] is %llu, not %llu (%llu to %llu)\n", i,
				(unsigned long long)seen, (unsigned long long)expected,
				(unsigned long long)first, (unsigned long long)next - 1);
			return false;
		}
	}
	return true;
}
