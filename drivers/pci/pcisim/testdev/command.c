// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of the PF: from the doorbell to the status in the block.
 *
 * A command waits for as long as the settings say that it takes, while those of
 * other VFs go on. It ends exactly once, when it is carried out or when the VF
 * is reset, and then the device is through with the PF's memory.
 */
#include <linux/bitops.h>
#include <linux/minmax.h>

#include "testdev.h"

static void __iomem *command_block(const struct testdev *pf, unsigned int index)
{
	return pcisim_function_bar(pf->fn) + TESTDEV_BLOCK(index);
}

/* The driver may look at the rest as soon as there is a status. */
static void command_end(struct testdev *pf, unsigned int index, u32 status)
{
	writel(status, command_block(pf, index) + TESTDEV_BLOCK_STATUS);
	pcisim_msix_raise(pf->fn, index);
}

static void command_read(const void __iomem *block, struct testdev_command *command)
{
	*command = (struct testdev_command) {
		.argument = readl(block + TESTDEV_BLOCK_ARGUMENT),
		.length = readl(block + TESTDEV_BLOCK_LENGTH),
		.list = readq(block + TESTDEV_BLOCK_LIST),
		.list_length = readl(block + TESTDEV_BLOCK_LIST_LENGTH),
	};
}

static void command_write(void __iomem *block, const struct testdev_command *command)
{
	writel(command->length, block + TESTDEV_BLOCK_LENGTH);
	writel(command->images, block + TESTDEV_BLOCK_IMAGES);
	writeq(command->remaining, block + TESTDEV_BLOCK_REMAINING);
}

/* What is saved is what the registers were when the VF stopped, whoever writes to them. */
static u32 command_set_level(struct testdev_vf *vf, u32 level)
{
	if (level > TESTDEV_LEVEL_RUNNING)
		return TESTDEV_STATUS_INVALID;
	if (level != TESTDEV_LEVEL_STOPPED && vf->loading.active)
		return TESTDEV_STATUS_ORDER;
	if (level == TESTDEV_LEVEL_STOPPED && vf->level != TESTDEV_LEVEL_STOPPED)
		testdev_engine_save(vf, &vf->frozen);
	vf->level = level;
	pcisim_function_kick(vf->fn);
	return TESTDEV_STATUS_OK;
}

static u32 command_execute(struct testdev_vf *vf, u32 number, struct testdev_command *command)
{
	switch (number) {
	case TESTDEV_COMMAND_SET_LEVEL:
		return command_set_level(vf, command->argument);
	case TESTDEV_COMMAND_TRACK:
		return testdev_track(vf, command);
	case TESTDEV_COMMAND_QUERY:
		return testdev_query(vf, command);
	case TESTDEV_COMMAND_SAVE:
		return testdev_save(vf, command);
	case TESTDEV_COMMAND_LOAD:
		return testdev_load(vf, command);
	default:
		return TESTDEV_STATUS_INVALID;
	}
}

static bool command_is_to_fail(struct testdev *pf, u32 number)
{
	return number == READ_ONCE(pf->fail_command) &&
	       atomic_dec_if_positive(&pf->fail_times) >= 0;
}

static void command_carry_out(struct testdev_vf *vf)
{
	void __iomem *block = command_block(vf->pf, vf->index);
	u32 number = readl(block + TESTDEV_BLOCK_COMMAND);
	struct testdev_command command;
	u32 status;

	lockdep_assert_held(&vf->lock);

	if (command_is_to_fail(vf->pf, number)) {
		status = READ_ONCE(vf->pf->fail_status);
	} else {
		command_read(block, &command);
		status = command_execute(vf, number, &command);
		command_write(block, &command);
	}
	/* One that is to fail with the status of a pending one does not end until a reset. */
	if (status == TESTDEV_STATUS_PENDING) {
		vf->due = KTIME_MAX;
		return;
	}
	vf->pending = false;
	command_end(vf->pf, vf->index, status);
}

/* The VF is being reset. */
void testdev_abort_command(struct testdev_vf *vf)
{
	lockdep_assert_held(&vf->lock);

	if (!vf->pending)
		return;
	vf->pending = false;
	command_end(vf->pf, vf->index, TESTDEV_STATUS_ABORTED);
}

static void command_begin(struct testdev_vf *vf)
{
	u32 number = readl(command_block(vf->pf, vf->index) + TESTDEV_BLOCK_COMMAND);
	u32 latency = number < ARRAY_SIZE(vf->latency) ? vf->latency[number] : 0;

	guard(mutex)(&vf->lock);
	vf->pending = true;
	vf->due = ktime_add_us(ktime_get(), latency);
}

void testdev_doorbell(struct testdev *pf, u32 value)
{
	unsigned long bits = value;
	unsigned int index;

	for_each_set_bit(index, &bits, TESTDEV_MAX_VFS) {
		atomic_inc(&pf->commands);
		if (pf->vfs[index])
			command_begin(pf->vfs[index]);
		else
			command_end(pf, index, TESTDEV_STATUS_NO_VF);
	}
}

/* Return the microseconds until the VF's command is due, or 0 if there is none. */
static unsigned int command_run(struct testdev_vf *vf)
{
	ktime_t now = ktime_get();

	guard(mutex)(&vf->lock);
	if (!vf->pending || vf->due == KTIME_MAX)
		return 0;
	if (ktime_before(now, vf->due))
		return ktime_us_delta(vf->due, now) + 1;
	command_carry_out(vf);
	return 0;
}

unsigned int testdev_run_commands(struct testdev *pf)
{
	unsigned int delay = 0;

	for (unsigned int index = 0; index < TESTDEV_MAX_VFS; index++)
		if (pf->vfs[index])
			delay = min_not_zero(delay, command_run(pf->vfs[index]));
	return delay;
}
