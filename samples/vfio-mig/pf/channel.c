// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: commands to the PF that are about one VF.
 *
 * A channel has one command at a time. Its end is told exactly once: when the
 * device interrupts, or after a while when it does not. In the second case the
 * device may still use the memory, so there is no further command until it
 * answers after all, at the latest when the VF is reset.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/timer.h>
#include <uapi/linux/migration_testdev.h>

#include "pf.h"

static unsigned int vms_timeout = 20000;
module_param_named(timeout, vms_timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "milliseconds that a command may take (default 20000)");

struct vms_channel {
	struct vms_pf *pf;
	void __iomem *block;
	int vf;
	int irq;
	struct testdev_segment *list;
	dma_addr_t list_address;

	struct mutex mutex;		/* channel_execute(): one after the other */
	struct timer_list timer;
	wait_queue_head_t wait;
	atomic_t active;		/* commands whose end has not been told */

	spinlock_t lock;		/* what follows, against interrupt and timer */
	struct vms_command *command;
	const struct sg_table *using;	/* by the device */
	bool busy;
};

#define CHANNEL_LIST_SIZE	(TESTDEV_MAX_SEGMENTS * sizeof(struct testdev_segment))

struct device *vms_channel_device(struct vms_channel *channel)
{
	return &channel->pf->pdev->dev;
}
EXPORT_SYMBOL_GPL(vms_channel_device);

u32 vms_channel_firmware(struct vms_channel *channel)
{
	return ioread32(channel->pf->bar + TESTDEV_PF_FIRMWARE);
}
EXPORT_SYMBOL_GPL(vms_channel_firmware);

/* Whether a command that was given up may still use this memory. */
bool vms_channel_is_using(struct vms_channel *channel, const struct sg_table *sgt)
{
	guard(spinlock_irqsave)(&channel->lock);
	return channel->busy && channel->using == sgt;
}
EXPORT_SYMBOL_GPL(vms_channel_is_using);

static int channel_error(u32 status)
{
	switch (status) {
	case TESTDEV_STATUS_OK:
		return 0;
	case TESTDEV_STATUS_IMAGE:
		return -EINVAL;
	case TESTDEV_STATUS_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* Who waits in channel_execute() may take @command away as soon as there is a result. */
static void channel_tell(struct vms_channel *channel, struct vms_command *command, int result)
{
	void (*done)(struct vms_command *command) = command->done;

	/* pairs with smp_load_acquire() in channel_execute() */
	smp_store_release(&command->result, result);
	if (done)
		done(command);
	atomic_dec(&channel->active);
	wake_up_all(&channel->wait);
}

static irqreturn_t channel_interrupt(int irq, void *data)
{
	struct vms_channel *channel = data;
	struct vms_command *command;
	u32 status;

	scoped_guard(spinlock, &channel->lock) {
		status = ioread32(channel->block + TESTDEV_BLOCK_STATUS);
		if (!channel->busy || status == TESTDEV_STATUS_PENDING)
			return IRQ_NONE;
		channel->busy = false;
		command = channel->command;
		channel->command = NULL;
		if (!command)
			return IRQ_HANDLED;
		command->length = ioread32(channel->block + TESTDEV_BLOCK_LENGTH);
		command->images = ioread32(channel->block + TESTDEV_BLOCK_IMAGES);
		command->remaining = ioread64(channel->block + TESTDEV_BLOCK_REMAINING);
	}
	channel_tell(channel, command, channel_error(status));
	return IRQ_HANDLED;
}

static void channel_timed_out(struct timer_list *timer)
{
	struct vms_channel *channel = timer_container_of(channel, timer, timer);
	struct vms_command *command;

	scoped_guard(spinlock_irqsave, &channel->lock) {
		/* The next command may have started while this was about to run. */
		if (!channel->command || time_before(jiffies, timer->expires))
			return;
		command = channel->command;
		channel->command = NULL;
	}
	channel_tell(channel, command, -ETIMEDOUT);
}

static void channel_fill_list(struct vms_channel *channel, const struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (i == TESTDEV_MAX_SEGMENTS)
			break;
		channel->list[i].address = cpu_to_le64(sg_dma_address(sg));
		channel->list[i].length = cpu_to_le32(sg_dma_len(sg));
	}
	iowrite64(channel->list_address, channel->block + TESTDEV_BLOCK_LIST);
	iowrite32(i, channel->block + TESTDEV_BLOCK_LIST_LENGTH);
}

/* Return 0, or -EIO if the device has not ended the command before. */
static int channel_start(struct vms_channel *channel, struct vms_command *command)
{
	void __iomem *block = channel->block;

	guard(spinlock_irqsave)(&channel->lock);
	if (channel->busy)
		return -EIO;
	channel->busy = true;
	channel->command = command;
	channel->using = command->sgt;
	command->result = -EINPROGRESS;
	atomic_inc(&channel->active);
	mod_timer(&channel->timer, jiffies + msecs_to_jiffies(READ_ONCE(vms_timeout)));
	if (command->sgt)
		channel_fill_list(channel, command->sgt);
	iowrite32(command->number, block + TESTDEV_BLOCK_COMMAND);
	iowrite32(command->argument, block + TESTDEV_BLOCK_ARGUMENT);
	iowrite32(command->length, block + TESTDEV_BLOCK_LENGTH);
	iowrite32(TESTDEV_STATUS_PENDING, block + TESTDEV_BLOCK_STATUS);
	iowrite32be(BIT(channel->vf), channel->pf->bar + TESTDEV_PF_DOORBELL);
	return 0;
}

/* Return 0 or -errno; -ETIMEDOUT if the command was given up. */
static int channel_execute(struct vms_channel *channel, struct vms_command *command)
{
	int ret;

	guard(mutex)(&channel->mutex);
	ret = channel_start(channel, command);
	if (ret)
		return ret;
	/* pairs with smp_store_release() in channel_tell() */
	wait_event(channel->wait, smp_load_acquire(&command->result) != -EINPROGRESS);
	return command->result;
}

/**
 * vms_set_level() - stop or run the VF
 * @channel: the channel
 * @level: TESTDEV_LEVEL_ value
 *
 * Context: process context, like all that follow but vms_save().
 * Return: 0 or -errno.
 */
int vms_set_level(struct vms_channel *channel, u32 level)
{
	struct vms_command command = { .number = TESTDEV_COMMAND_SET_LEVEL, .argument = level };

	return channel_execute(channel, &command);
}
EXPORT_SYMBOL_GPL(vms_set_level);

/**
 * vms_track() - begin or end a sequence of images
 * @channel: the channel
 * @on: begin
 *
 * Return: 0 or -errno.
 */
int vms_track(struct vms_channel *channel, bool on)
{
	struct vms_command command = { .number = TESTDEV_COMMAND_TRACK, .argument = on };

	return channel_execute(channel, &command);
}
EXPORT_SYMBOL_GPL(vms_track);

/**
 * vms_query() - find out what there is to be saved
 * @channel: the channel
 * @flags: TESTDEV_ALL, TESTDEV_FINAL
 * @size: bytes of an image at most
 * @images: number of images
 * @bytes: bytes of them
 *
 * Return: 0 or -errno.
 */
int vms_query(struct vms_channel *channel, u32 flags, u32 size, u32 *images, u64 *bytes)
{
	struct vms_command command = {
		.number = TESTDEV_COMMAND_QUERY,
		.argument = flags,
		.length = size,
	};
	int ret = channel_execute(channel, &command);

	*images = command.images;
	*bytes = command.remaining;
	return ret;
}
EXPORT_SYMBOL_GPL(vms_query);

/**
 * vms_load() - apply an image
 * @channel: the channel
 * @sgt: where it is, mapped for the PF
 * @length: bytes of it
 * @incomplete: whether further images have to follow before the VF can run
 *
 * Return: 0, -EINVAL if the device refuses the image, or another -errno.
 */
int vms_load(struct vms_channel *channel, struct sg_table *sgt, u32 length, bool *incomplete)
{
	struct vms_command command = {
		.number = TESTDEV_COMMAND_LOAD,
		.length = length,
		.sgt = sgt,
	};
	int ret = channel_execute(channel, &command);

	*incomplete = ret || command.images;
	return ret;
}
EXPORT_SYMBOL_GPL(vms_load);

/**
 * vms_save() - start to save the next image
 * @channel: the channel
 * @save: the command; sgt, length, argument and done are set, it stays valid
 *	until done() has returned
 *
 * Context: any.
 * Return: 0 or -errno; done() is called only after 0.
 */
int vms_save(struct vms_channel *channel, struct vms_command *save)
{
	save->number = TESTDEV_COMMAND_SAVE;
	return channel_start(channel, save);
}
EXPORT_SYMBOL_GPL(vms_save);

/* On return no done() is running, and none will until the next start. */
void vms_drain(struct vms_channel *channel)
{
	wait_event(channel->wait, !atomic_read(&channel->active));
}
EXPORT_SYMBOL_GPL(vms_drain);

static int channel_init(struct vms_channel *channel)
{
	mutex_init(&channel->mutex);
	spin_lock_init(&channel->lock);
	init_waitqueue_head(&channel->wait);
	timer_setup(&channel->timer, channel_timed_out, 0);
	channel->list = dma_alloc_coherent(vms_channel_device(channel), CHANNEL_LIST_SIZE,
					   &channel->list_address, GFP_KERNEL);
	if (!channel->list)
		return -ENOMEM;
	/* A former driver of the VF may have given up a command. */
	channel->busy = ioread32(channel->block + TESTDEV_BLOCK_STATUS) == TESTDEV_STATUS_PENDING;
	return request_irq(channel->irq, channel_interrupt, 0, "vfio-mig-sample", channel);
}

/* The VF's driver is gone. */
static void channel_close(void *data)
{
	struct vms_channel *channel = data;

	free_irq(channel->irq, channel);
	timer_shutdown_sync(&channel->timer);
	/* The device goes on to own the list of a command that it has not ended. */
	if (!channel->busy)
		dma_free_coherent(vms_channel_device(channel), CHANNEL_LIST_SIZE, channel->list,
				  channel->list_address);
	kfree(channel);
}

static struct vms_channel *channel_open(struct vms_pf *pf, int vf)
{
	struct vms_channel *channel;
	int ret;

	channel = kzalloc_obj(*channel);
	if (!channel)
		return ERR_PTR(-ENOMEM);
	channel->pf = pf;
	channel->vf = vf;
	channel->block = pf->bar + TESTDEV_BLOCK(vf);
	channel->irq = pci_irq_vector(pf->pdev, vf);
	ret = channel_init(channel);
	if (!ret)
		return channel;
	if (channel->list)
		dma_free_coherent(vms_channel_device(channel), CHANNEL_LIST_SIZE, channel->list,
				  channel->list_address);
	kfree(channel);
	return ERR_PTR(ret);
}

/**
 * devm_vms_channel() - get the channel of a VF
 * @vf: the VF, whose driver is being bound; the channel is closed when it is not
 *	bound any more
 *
 * Return: the channel; ERR_PTR(-EINVAL) if the PF is not driven by vms_pf_driver,
 * or another error.
 */
struct vms_channel *devm_vms_channel(struct pci_dev *vf)
{
	struct vms_pf *pf = pci_iov_get_pf_drvdata(vf, &vms_pf_driver);
	struct vms_channel *channel;
	int ret;

	if (IS_ERR(pf))
		return ERR_CAST(pf);
	channel = channel_open(pf, pci_iov_vf_id(vf));
	if (IS_ERR(channel))
		return channel;
	ret = devm_add_action_or_reset(&vf->dev, channel_close, channel);
	return ret ? ERR_PTR(ret) : channel;
}
EXPORT_SYMBOL_GPL(devm_vms_channel);
