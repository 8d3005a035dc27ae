// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a simulated VF starts by itself: DMA through the IOMMU, and interrupts.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "harness.h"
#include "engine.h"
#include "sim.h"
#include "vfio_device.h"

static const struct sim_config config = {
	.vfs = 2,
	.drivers = { DRIVER_PLAIN, DRIVER_PLAIN },
	.state_size = 4096,
	.chunk_size = SIM_CHUNK,
};

FIXTURE(pcisim_dma)
{
	struct sim sim;
	struct vfio_device dev;
	struct engine engine;
};

FIXTURE_VARIANT(pcisim_dma)
{
	unsigned int entries;
	unsigned int period;
};

FIXTURE_VARIANT_ADD(pcisim_dma, one_page)
{
	.entries = 512,
	.period = ENGINE_PERIOD,
};

FIXTURE_VARIANT_ADD(pcisim_dma, many_pages)
{
	.entries = 65536,
	.period = 0,
};

FIXTURE_SETUP(pcisim_dma)
{
	sim_get(&self->sim, &config);
	vfio_open(&self->dev, self->sim.vf[0]);
	engine_attach(&self->engine, &self->dev, variant->entries, NULL);
}

FIXTURE_TEARDOWN_PARENT(pcisim_dma)
{
	sim_teardown(_metadata->exit_code);
}

static void start(struct engine *engine, unsigned int period)
{
	engine_start(engine, period, 0);
	engine_progress(engine, 100);
}

TEST_F(pcisim_dma, ring_is_gapless)
{
	uint64_t writes = sim_counter(self->dev.address, "dma_writes");
	uint64_t next;

	EXPECT_EQ(1, engine_next(&self->engine));
	start(&self->engine, variant->period);
	EXPECT_TRUE(engine_get(&self->engine, PCISIM_ENGINE_STATUS) &
		    PCISIM_ENGINE_STATUS_ACTIVE);
	engine_stop(&self->engine);
	next = engine_next(&self->engine);
	EXPECT_TRUE(engine_ring_holds(&self->engine, 1, next));
	EXPECT_LT(writes, sim_counter(self->dev.address, "dma_writes"));
	EXPECT_TRUE(engine_is_quiet(&self->engine));

	/* a second start goes on */
	start(&self->engine, variant->period);
	engine_stop(&self->engine);
	EXPECT_LT(next, engine_next(&self->engine));
	EXPECT_TRUE(engine_ring_holds(&self->engine, 1, engine_next(&self->engine)));
}

TEST_F(pcisim_dma, ring_wraps)
{
	self->engine.entries = 64;
	engine_start(&self->engine, 0, 0);
	engine_progress(&self->engine, 1000);
	engine_stop(&self->engine);
	EXPECT_TRUE(engine_ring_holds(&self->engine, 1, engine_next(&self->engine)));
}

/* Waits for the error, then shows that the engine goes on without a gap. */
static void expect_fault_and_recovery(struct __test_metadata *_metadata, struct engine *engine,
				      uint64_t good_iova)
{
	uint64_t next;

	EXPECT_TRUE(wait_until(engine_get(engine, PCISIM_ENGINE_STATUS) &
			       PCISIM_ENGINE_STATUS_ERROR, SOON));
	next = engine_next(engine);
	EXPECT_TRUE(engine_is_quiet(engine));
	engine_stop(engine);
	engine_clear_ring(engine);
	engine->iova = good_iova;
	start(engine, ENGINE_PERIOD);
	EXPECT_FALSE(engine_get(engine, PCISIM_ENGINE_STATUS) & PCISIM_ENGINE_STATUS_ERROR);
	engine_stop(engine);
	EXPECT_TRUE(engine_ring_holds(engine, next, engine_next(engine)));
}

TEST_F(pcisim_dma, unmapped_address_faults)
{
	uint64_t faults = sim_counter(self->dev.address, "dma_faults");

	self->engine.iova = 0xdead000;
	engine_start(&self->engine, variant->period, 0);
	expect_fault_and_recovery(_metadata, &self->engine, ENGINE_IOVA);
	EXPECT_LT(faults, sim_counter(self->dev.address, "dma_faults"));
}

TEST_F(pcisim_dma, read_only_mapping_faults)
{
	uint64_t faults = sim_counter(self->dev.address, "dma_faults");
	size_t size = variant->entries * sizeof(uint64_t);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, memory);
	vfio_dma_map(&self->dev, memory, 0x40000000, size, VFIO_DMA_MAP_FLAG_READ);
	self->engine.iova = 0x40000000;
	engine_start(&self->engine, variant->period, 0);
	expect_fault_and_recovery(_metadata, &self->engine, ENGINE_IOVA);
	EXPECT_LT(faults, sim_counter(self->dev.address, "dma_faults"));
	EXPECT_EQ(0, *(uint64_t *)memory);
	EXPECT_EQ(0, ((uint64_t *)memory)[1]);
}

TEST_F(pcisim_dma, unmapping_stops_dma)
{
	size_t size = variant->entries * sizeof(uint64_t);

	start(&self->engine, variant->period);
	vfio_dma_unmap(&self->dev, ENGINE_IOVA, size);
	EXPECT_TRUE(wait_until(engine_get(&self->engine, PCISIM_ENGINE_STATUS) &
			       PCISIM_ENGINE_STATUS_ERROR, SOON));
	EXPECT_TRUE(engine_is_quiet(&self->engine));
	vfio_dma_map(&self->dev, self->engine.ring, ENGINE_IOVA, size, DMA_READ_WRITE);
	expect_fault_and_recovery(_metadata, &self->engine, ENGINE_IOVA);
}

TEST_F(pcisim_dma, mapping_is_private)
{
	struct vfio_device other;
	struct engine engine;

	/* the address is mapped for the first VF only */
	vfio_open(&other, self->sim.vf[1]);
	engine_attach(&engine, &other, variant->entries, NULL);
	vfio_dma_unmap(&other, ENGINE_IOVA, variant->entries * sizeof(uint64_t));
	engine_start(&engine, variant->period, 0);
	EXPECT_TRUE(wait_until(engine_get(&engine, PCISIM_ENGINE_STATUS) &
			       PCISIM_ENGINE_STATUS_ERROR, SOON));
	EXPECT_TRUE(engine_ring_holds(&self->engine, 1, 1));
}

TEST_F(pcisim_dma, no_dma_without_bus_master)
{
	uint64_t next;

	start(&self->engine, variant->period);
	vfio_bus_master(&self->dev, false);
	/* what is under way when the bit changes may still end */
	usleep(20000);
	EXPECT_TRUE(engine_is_quiet(&self->engine));
	engine_stop(&self->engine);
	next = engine_next(&self->engine);
	engine_clear_ring(&self->engine);
	vfio_bus_master(&self->dev, true);
	start(&self->engine, variant->period);
	engine_stop(&self->engine);
	EXPECT_TRUE(engine_ring_holds(&self->engine, next, engine_next(&self->engine)));
}

TEST_F(pcisim_dma, nonsense_registers)
{
	static const unsigned int entries[] = { 0, 3, 1000, 2 * PCISIM_ENGINE_MAX_ENTRIES, ~0U };
	unsigned int i, good = self->engine.entries;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		self->engine.entries = entries[i];
		engine_start(&self->engine, variant->period, 0);
		EXPECT_TRUE(wait_until(engine_get(&self->engine, PCISIM_ENGINE_STATUS) &
				       PCISIM_ENGINE_STATUS_ERROR, SOON))
			TH_LOG("%u entries", entries[i]);
		engine_stop(&self->engine);
		EXPECT_FALSE(engine_get(&self->engine, PCISIM_ENGINE_STATUS));
	}
	self->engine.entries = good;
	self->engine.iova += 4;
	engine_start(&self->engine, variant->period, 0);
	expect_fault_and_recovery(_metadata, &self->engine, ENGINE_IOVA);
}

static bool interrupt_arrives(int eventfd, int milliseconds)
{
	struct pollfd wanted = { .fd = eventfd, .events = POLLIN };
	uint64_t count;

	return poll(&wanted, 1, milliseconds) == 1 && read(eventfd, &count, 8) == 8 && count;
}

TEST_F(pcisim_dma, interrupt)
{
	uint64_t interrupts = sim_counter(self->dev.address, "interrupts");
	int eventfds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };

	ASSERT_LE(0, eventfds[0]);
	ASSERT_LE(0, eventfds[1]);
	vfio_msix(&self->dev, eventfds, 2);
	engine_put(&self->engine, PCISIM_ENGINE_VECTOR, 1);
	engine_start(&self->engine, variant->period, PCISIM_ENGINE_CTRL_INTERRUPT);
	EXPECT_TRUE(interrupt_arrives(eventfds[1], SOON));
	EXPECT_TRUE(interrupt_arrives(eventfds[1], SOON));
	engine_stop(&self->engine);
	interrupt_arrives(eventfds[1], 20);
	EXPECT_FALSE(interrupt_arrives(eventfds[1], 20));
	EXPECT_FALSE(interrupt_arrives(eventfds[0], 0));
	EXPECT_LT(interrupts, sim_counter(self->dev.address, "interrupts"));
	EXPECT_TRUE(engine_ring_holds(&self->engine, 1, engine_next(&self->engine)));

	/* the other vector, then none */
	engine_put(&self->engine, PCISIM_ENGINE_VECTOR, 0);
	engine_start(&self->engine, variant->period, PCISIM_ENGINE_CTRL_INTERRUPT);
	EXPECT_TRUE(interrupt_arrives(eventfds[0], SOON));
	vfio_msix(&self->dev, NULL, 0);
	interrupt_arrives(eventfds[0], 20);
	EXPECT_FALSE(interrupt_arrives(eventfds[0], 20));
	engine_stop(&self->engine);
}

TEST_F(pcisim_dma, masked_function_raises_nothing)
{
	unsigned int msix = vfio_find_capability(&self->dev, PCI_CAP_ID_MSIX);
	int eventfds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };

	ASSERT_NE(0, msix);
	/* a vector that does not exist is no reason to stop */
	vfio_msix(&self->dev, eventfds, 2);
	engine_put(&self->engine, PCISIM_ENGINE_VECTOR, 4711);
	engine_start(&self->engine, variant->period, PCISIM_ENGINE_CTRL_INTERRUPT);
	EXPECT_FALSE(interrupt_arrives(eventfds[0], 50));
	EXPECT_FALSE(interrupt_arrives(eventfds[1], 0));
	engine_put(&self->engine, PCISIM_ENGINE_CTRL, 0);
	EXPECT_TRUE(wait_until(!engine_get(&self->engine, PCISIM_ENGINE_STATUS), SOON));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}
