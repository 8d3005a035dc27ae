// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of a VF: writes increasing numbers to a ring in memory by DMA.
 *
 * Its user sees the registers of hca_abi.h, which are plain memory of the BAR:
 * what the user may write is read afresh in every run, what is the device's is
 * written back in every run. The next number moves only after the DMA of the
 * one before it has succeeded, so a number is never lost and never used twice.
 */
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>

#include "hca.h"

#define ENGINE_POLL_US		USEC_PER_MSEC
/* without bus mastering nobody uses the VF */
#define ENGINE_IDLE_POLL_US	(10 * USEC_PER_MSEC)

/* Entries written at most in each run. */
#define ENGINE_BATCH		64

struct engine_registers {
	u64 ring;
	u32 entries;
	u32 period;
	u32 ctrl;
	u32 vector;
};

static u32 engine_get(const struct pcisim_hca_vhca *vhca, u32 offset)
{
	return readl(pcisim_function_bar(vhca->fn) + PCISIM_ENGINE_OFFSET + offset);
}

static void engine_set(const struct pcisim_hca_vhca *vhca, u32 offset, u32 value)
{
	writel(value, pcisim_function_bar(vhca->fn) + PCISIM_ENGINE_OFFSET + offset);
}

/* A user enables the engine last: if it is enabled here, the rest is what the user wrote. */
static void engine_read(const struct pcisim_hca_vhca *vhca, struct engine_registers *regs)
{
	regs->ctrl = engine_get(vhca, PCISIM_ENGINE_CTRL);
	regs->ring = engine_get(vhca, PCISIM_ENGINE_RING_LOW) |
		     (u64)engine_get(vhca, PCISIM_ENGINE_RING_HIGH) << 32;
	regs->entries = engine_get(vhca, PCISIM_ENGINE_RING_ENTRIES);
	regs->period = engine_get(vhca, PCISIM_ENGINE_PERIOD);
	regs->vector = engine_get(vhca, PCISIM_ENGINE_VECTOR);
}

static u32 engine_status(const struct pcisim_hca_engine *engine)
{
	return (engine->active ? PCISIM_ENGINE_STATUS_ACTIVE : 0) |
	       (engine->error ? PCISIM_ENGINE_STATUS_ERROR : 0);
}

/* The registers that belong to the device. */
static void engine_publish(const struct pcisim_hca_vhca *vhca)
{
	const struct pcisim_hca_engine *engine = &vhca->engine;

	engine_set(vhca, PCISIM_ENGINE_ID, PCISIM_ENGINE_MAGIC);
	engine_set(vhca, PCISIM_ENGINE_STATUS, engine_status(engine));
	engine_set(vhca, PCISIM_ENGINE_NEXT_LOW, lower_32_bits(engine->next));
	engine_set(vhca, PCISIM_ENGINE_NEXT_HIGH, upper_32_bits(engine->next));
}

static bool engine_sane(const struct engine_registers *regs)
{
	u64 end;

	return is_power_of_2(regs->entries) && regs->entries <= PCISIM_ENGINE_MAX_ENTRIES &&
	       IS_ALIGNED(regs->ring, sizeof(__le64)) &&
	       !check_add_overflow(regs->ring, regs->entries * sizeof(__le64), &end) &&
	       (!(regs->ctrl & PCISIM_ENGINE_CTRL_INTERRUPT) || regs->vector < HCA_MSIX_VECTORS);
}

/* How many entries this run owes; time that cannot be made up for is forgotten. */
static u32 engine_entries_due(struct pcisim_hca_engine *engine,
			      const struct engine_registers *regs)
{
	u32 batch = min(regs->entries, ENGINE_BATCH);
	ktime_t now = ktime_get();
	u64 due;

	if (!regs->period)
		return batch;
	if (ktime_before(now, engine->due))
		return 0;
	due = div_u64(ktime_us_delta(now, engine->due), regs->period) + 1;
	if (due > batch) {
		engine->due = ktime_add_us(now, regs->period);
		return batch;
	}
	engine->due = ktime_add_us(engine->due, due * regs->period);
	return due;
}

/* One write a number, so that it is seen completely or not at all. Return true if any was. */
static bool engine_write(struct pcisim_hca_vhca *vhca, const struct engine_registers *regs,
			 u32 count)
{
	struct pcisim_hca_engine *engine = &vhca->engine;
	bool wrote = false;
	__le64 entry;
	u64 index;
	int ret;

	lockdep_assert_held(&vhca->lock);

	for (; count; count--, engine->next++, wrote = true) {
		entry = cpu_to_le64(engine->next);
		index = engine->next & (regs->entries - 1);
		ret = pcisim_hca_dma_write(vhca, regs->ring + index * sizeof(entry), &entry,
					   sizeof(entry));
		if (ret) {
			/* Not being a bus master is no fault, just a pause. */
			engine->error = ret != -EIO;
			break;
		}
	}
	return wrote;
}

static void engine_work(struct pcisim_hca_vhca *vhca, const struct engine_registers *regs)
{
	struct pcisim_hca_engine *engine = &vhca->engine;
	bool wrote;

	if (!engine->active)
		engine->due = ktime_get();
	if (!engine_sane(regs))
		engine->error = true;
	engine->active = !engine->error;
	if (engine->error)
		return;

	wrote = engine_write(vhca, regs, engine_entries_due(engine, regs));
	engine->active = !engine->error;
	if (wrote && regs->ctrl & PCISIM_ENGINE_CTRL_INTERRUPT) {
		/* The user who takes the interrupt finds the number up to date. */
		engine_publish(vhca);
		pcisim_msix_raise(vhca->fn, regs->vector);
	}
}

/* Return the microseconds until the next look at the registers. */
unsigned int pcisim_hca_engine_run(struct pcisim_hca_vhca *vhca)
{
	struct engine_registers regs;

	guard(mutex)(&vhca->lock);
	engine_read(vhca, &regs);
	if (!(regs.ctrl & PCISIM_ENGINE_CTRL_ENABLE)) {
		vhca->engine.active = false;
		vhca->engine.error = false;
	} else if (vhca->level == HCA_RUNNING && pcisim_function_bus_master(vhca->fn)) {
		engine_work(vhca, &regs);
	}
	engine_publish(vhca);
	return pcisim_function_bus_master(vhca->fn) ? ENGINE_POLL_US : ENGINE_IDLE_POLL_US;
}

/* Entries that were not written while the VF was suspended are not owed. */
void pcisim_hca_engine_resume(struct pcisim_hca_vhca *vhca)
{
	lockdep_assert_held(&vhca->lock);

	vhca->engine.due = ktime_get();
}

void pcisim_hca_engine_save(struct pcisim_hca_vhca *vhca,
			    struct pcisim_hca_engine_image *image)
{
	struct engine_registers regs;

	lockdep_assert_held(&vhca->lock);

	engine_read(vhca, &regs);
	*image = (struct pcisim_hca_engine_image) {
		.ring = cpu_to_le64(regs.ring),
		.next = cpu_to_le64(vhca->engine.next),
		.entries = cpu_to_le32(regs.entries),
		.period = cpu_to_le32(regs.period),
		.ctrl = cpu_to_le32(regs.ctrl),
		.status = cpu_to_le32(engine_status(&vhca->engine)),
		.vector = cpu_to_le32(regs.vector),
	};
}

/* Nothing to check: a run looks at the registers as if a user had set them. */
void pcisim_hca_engine_load(struct pcisim_hca_vhca *vhca,
			    const struct pcisim_hca_engine_image *image)
{
	u64 ring = le64_to_cpu(image->ring);
	u32 status = le32_to_cpu(image->status);

	lockdep_assert_held(&vhca->lock);

	engine_set(vhca, PCISIM_ENGINE_RING_LOW, lower_32_bits(ring));
	engine_set(vhca, PCISIM_ENGINE_RING_HIGH, upper_32_bits(ring));
	engine_set(vhca, PCISIM_ENGINE_RING_ENTRIES, le32_to_cpu(image->entries));
	engine_set(vhca, PCISIM_ENGINE_PERIOD, le32_to_cpu(image->period));
	engine_set(vhca, PCISIM_ENGINE_VECTOR, le32_to_cpu(image->vector));
	engine_set(vhca, PCISIM_ENGINE_CTRL, le32_to_cpu(image->ctrl));
	vhca->engine.next = le64_to_cpu(image->next);
	vhca->engine.active = status & PCISIM_ENGINE_STATUS_ACTIVE;
	vhca->engine.error = status & PCISIM_ENGINE_STATUS_ERROR;
	engine_publish(vhca);
}

/* Off, all registers zero but the device's own. */
void pcisim_hca_engine_reset(struct pcisim_hca_vhca *vhca)
{
	static const struct pcisim_hca_engine_image off = { .next = cpu_to_le64(1) };

	pcisim_hca_engine_load(vhca, &off);
}
