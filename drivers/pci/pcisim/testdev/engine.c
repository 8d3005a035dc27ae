// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of a VF: carries out the commands of its user.
 *
 * The registers are plain memory of the BAR. What the user may write is read
 * afresh in every run, as writes cannot be observed; what is the device's is
 * written back in every run. A long command is done in pieces, one a run, so
 * that the VF can be stopped in the middle and go on elsewhere: a copy counts
 * only when its last byte has arrived, and then exactly once.
 */
#include <linux/minmax.h>
#include <linux/overflow.h>

#include "testdev.h"

#define ENGINE_POLL_US		USEC_PER_MSEC
/* without bus mastering nobody uses the VF */
#define ENGINE_IDLE_POLL_US	(10 * USEC_PER_MSEC)
#define ENGINE_BUSY_POLL_US	50

/* Bytes, and copies, that one run does at most. */
#define ENGINE_BYTES		SZ_256K
#define ENGINE_COPIES		64

static u32 engine_get(const struct testdev_vf *vf, u32 offset)
{
	return readl(pcisim_function_bar(vf->fn) + offset);
}

static u64 engine_get64(const struct testdev_vf *vf, u32 offset)
{
	return readq(pcisim_function_bar(vf->fn) + offset);
}

static void engine_set(const struct testdev_vf *vf, u32 offset, u32 value)
{
	writel(value, pcisim_function_bar(vf->fn) + offset);
}

static void engine_set64(const struct testdev_vf *vf, u32 offset, u64 value)
{
	writeq(value, pcisim_function_bar(vf->fn) + offset);
}

/* The registers that belong to the device. */
static void engine_publish(const struct testdev_vf *vf)
{
	engine_set(vf, TESTDEV_VF_ID, TESTDEV_VF_MAGIC);
	engine_set(vf, TESTDEV_VF_STATUS, vf->engine.status);
	engine_set(vf, TESTDEV_VF_REMAINING, vf->engine.remaining);
	engine_set64(vf, TESTDEV_VF_COMPLETED, vf->engine.completed);
	engine_set64(vf, TESTDEV_VF_MEMORY_SIZE, vf->memory.size);
}

/* The user who sees an empty command, or takes the interrupt, finds the results there. */
static void engine_finish(struct testdev_vf *vf, u32 status)
{
	vf->engine.command = 0;
	vf->engine.status = status;
	engine_publish(vf);
	engine_set(vf, TESTDEV_VF_COMMAND, 0);
	if (engine_get(vf, TESTDEV_VF_CONTROL) & TESTDEV_VF_CONTROL_INTERRUPT)
		pcisim_msix_raise(vf->fn, engine_get(vf, TESTDEV_VF_VECTOR));
}

static bool engine_copy_makes_sense(const struct testdev_vf *vf)
{
	u32 length = engine_get(vf, TESTDEV_VF_LENGTH);
	u64 end;

	return !check_add_overflow(engine_get64(vf, TESTDEV_VF_SOURCE), length, &end) &&
	       !check_add_overflow(engine_get64(vf, TESTDEV_VF_DESTINATION), length, &end);
}

/* One piece of a copy of @length bytes. Return 0 or -errno. */
static int engine_copy_piece(struct testdev_vf *vf, u32 length, u32 piece)
{
	struct testdev_engine *engine = &vf->engine;
	u64 from = engine_get64(vf, TESTDEV_VF_SOURCE) + engine->position;
	u64 to = engine_get64(vf, TESTDEV_VF_DESTINATION) + engine->position;
	int ret;

	ret = pcisim_dma_read(vf->fn, from, vf->bounce, piece);
	if (!ret)
		ret = pcisim_dma_write(vf->fn, to, vf->bounce, piece);
	if (ret)
		return ret;
	engine->position += piece;
	if (engine->position < length)
		return 0;
	engine->position = 0;
	engine->remaining--;
	engine->completed++;
	atomic64_inc(&vf->copies);
	return 0;
}

static void engine_copy(struct testdev_vf *vf)
{
	struct testdev_engine *engine = &vf->engine;
	u32 length = engine_get(vf, TESTDEV_VF_LENGTH);
	u32 goal = engine->remaining - min(engine->remaining, ENGINE_COPIES);
	u32 budget = ENGINE_BYTES;
	u32 piece;
	int ret;

	if (!engine_copy_makes_sense(vf)) {
		engine_finish(vf, TESTDEV_VF_STATUS_ERROR);
		return;
	}
	for (; engine->remaining > goal && budget; budget -= piece) {
		/* The user may have made the copy shorter. */
		piece = engine->position < length ?
			min3(length - engine->position, budget, (u32)TESTDEV_PIECE) : 0;
		ret = engine_copy_piece(vf, length, piece);
		/* Not being a bus master is no fault, just a pause. */
		if (ret == -EIO)
			return;
		if (ret) {
			engine_finish(vf, TESTDEV_VF_STATUS_ERROR);
			return;
		}
	}
	if (!engine->remaining)
		engine_finish(vf, TESTDEV_VF_STATUS_DONE);
}

static void engine_fill(struct testdev_vf *vf)
{
	struct testdev_engine *engine = &vf->engine;
	u64 offset = engine_get64(vf, TESTDEV_VF_OFFSET);
	u32 length = engine_get(vf, TESTDEV_VF_LENGTH);
	u32 piece;

	if (offset > vf->memory.size || length > vf->memory.size - offset) {
		engine_finish(vf, TESTDEV_VF_STATUS_ERROR);
		return;
	}
	if (engine->position < length) {
		piece = min_t(u32, length - engine->position, ENGINE_BYTES);
		testdev_memory_fill(&vf->memory, offset + engine->position, piece,
				    engine_get(vf, TESTDEV_VF_ARGUMENT));
		engine->position += piece;
	}
	if (engine->position >= length)
		engine_finish(vf, TESTDEV_VF_STATUS_DONE);
}

static void engine_raise(struct testdev_vf *vf)
{
	u32 vector = engine_get(vf, TESTDEV_VF_ARGUMENT);

	/* Whether anybody listens is not the device's business. */
	if (vector < TESTDEV_VF_VECTORS)
		pcisim_msix_raise(vf->fn, vector);
	engine_finish(vf, vector < TESTDEV_VF_VECTORS ? TESTDEV_VF_STATUS_DONE :
							TESTDEV_VF_STATUS_ERROR);
}

static void engine_start(struct testdev_vf *vf, u32 command)
{
	struct testdev_engine *engine = &vf->engine;

	engine->command = command;
	engine->status = TESTDEV_VF_STATUS_BUSY;
	engine->position = 0;
	engine->remaining = command == TESTDEV_VF_COMMAND_COPY ?
			    engine_get(vf, TESTDEV_VF_COUNT) : 0;
}

static void engine_work(struct testdev_vf *vf)
{
	switch (vf->engine.command) {
	case TESTDEV_VF_COMMAND_COPY:
		engine_copy(vf);
		break;
	case TESTDEV_VF_COMMAND_RAISE:
		engine_raise(vf);
		break;
	case TESTDEV_VF_COMMAND_FILL:
		engine_fill(vf);
		break;
	default:
		engine_finish(vf, TESTDEV_VF_STATUS_ERROR);
	}
}

static void engine_step(struct testdev_vf *vf)
{
	u32 command = engine_get(vf, TESTDEV_VF_COMMAND);

	lockdep_assert_held(&vf->lock);

	if (vf->engine.command && !command)
		engine_finish(vf, TESTDEV_VF_STATUS_STOPPED);
	else if (!vf->engine.command && command)
		engine_start(vf, command);
	if (vf->engine.command)
		engine_work(vf);
}

/* Return the microseconds until the next look at the registers. */
unsigned int testdev_engine_run(struct testdev_vf *vf)
{
	bool master = pcisim_function_bus_master(vf->fn);

	guard(mutex)(&vf->lock);
	if (master && vf->level == TESTDEV_LEVEL_RUNNING)
		engine_step(vf);
	engine_publish(vf);
	if (!master)
		return ENGINE_IDLE_POLL_US;
	return vf->engine.command && vf->level == TESTDEV_LEVEL_RUNNING ? ENGINE_BUSY_POLL_US :
									  ENGINE_POLL_US;
}

void testdev_engine_save(struct testdev_vf *vf, struct testdev_engine_image *image)
{
	lockdep_assert_held(&vf->lock);

	*image = (struct testdev_engine_image) {
		.source = cpu_to_le64(engine_get64(vf, TESTDEV_VF_SOURCE)),
		.destination = cpu_to_le64(engine_get64(vf, TESTDEV_VF_DESTINATION)),
		.offset = cpu_to_le64(engine_get64(vf, TESTDEV_VF_OFFSET)),
		.completed = cpu_to_le64(vf->engine.completed),
		.length = cpu_to_le32(engine_get(vf, TESTDEV_VF_LENGTH)),
		.count = cpu_to_le32(engine_get(vf, TESTDEV_VF_COUNT)),
		.argument = cpu_to_le32(engine_get(vf, TESTDEV_VF_ARGUMENT)),
		.control = cpu_to_le32(engine_get(vf, TESTDEV_VF_CONTROL)),
		.vector = cpu_to_le32(engine_get(vf, TESTDEV_VF_VECTOR)),
		.command = cpu_to_le32(engine_get(vf, TESTDEV_VF_COMMAND)),
		.running = cpu_to_le32(vf->engine.command),
		.status = cpu_to_le32(vf->engine.status),
		.remaining = cpu_to_le32(vf->engine.remaining),
		.position = cpu_to_le32(vf->engine.position),
	};
}

/* What the user could have set is not checked: a run does that. */
void testdev_engine_load(struct testdev_vf *vf, const struct testdev_engine_image *image)
{
	lockdep_assert_held(&vf->lock);

	engine_set64(vf, TESTDEV_VF_SOURCE, le64_to_cpu(image->source));
	engine_set64(vf, TESTDEV_VF_DESTINATION, le64_to_cpu(image->destination));
	engine_set64(vf, TESTDEV_VF_OFFSET, le64_to_cpu(image->offset));
	engine_set(vf, TESTDEV_VF_LENGTH, le32_to_cpu(image->length));
	engine_set(vf, TESTDEV_VF_COUNT, le32_to_cpu(image->count));
	engine_set(vf, TESTDEV_VF_ARGUMENT, le32_to_cpu(image->argument));
	engine_set(vf, TESTDEV_VF_CONTROL, le32_to_cpu(image->control));
	engine_set(vf, TESTDEV_VF_VECTOR, le32_to_cpu(image->vector));
	engine_set(vf, TESTDEV_VF_COMMAND, le32_to_cpu(image->command));
	vf->engine = (struct testdev_engine) {
		.command = le32_to_cpu(image->running),
		.status = le32_to_cpu(image->status),
		.remaining = le32_to_cpu(image->remaining),
		.position = le32_to_cpu(image->position),
		.completed = le64_to_cpu(image->completed),
	};
	engine_publish(vf);
}

void testdev_engine_reset(struct testdev_vf *vf)
{
	static const struct testdev_engine_image off;

	testdev_engine_load(vf, &off);
}
