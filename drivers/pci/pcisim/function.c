// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a function: creation, start, its thread, reset, stop.
 *
 * The thread is the only caller of the model's @reset, @wake, @doorbell and @run,
 * which are thereby serialised. It sleeps unless there is an event, the model
 * wants to run or a masked interrupt is pending.
 */

#include <linux/export.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "pcisim_private.h"

/* How often the mask bits of an MSI-X table are looked at, in microseconds. */
#define PCISIM_UNMASK_POLL	1000

/**
 * pcisim_function_set_drvdata - keep the model's state of a function
 * @fn: the function
 * @data: what pcisim_function_drvdata() shall return
 *
 * Context: &pcisim_model.init.
 */
void pcisim_function_set_drvdata(struct pcisim_function *fn, void *data)
{
	fn->drvdata = data;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_set_drvdata, "PCISIM");

/**
 * pcisim_function_drvdata - the model's state of a function
 * @fn: the function
 *
 * Context: any.
 * Return: what pcisim_function_set_drvdata() was given.
 */
void *pcisim_function_drvdata(const struct pcisim_function *fn)
{
	return fn->drvdata;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_drvdata, "PCISIM");

/**
 * pcisim_function_pf - the physical function that a function belongs to
 * @fn: the function
 *
 * A PF has been initialised before its VFs and goes after them.
 *
 * Context: any.
 * Return: the PF, which is @fn itself if that is no VF.
 */
struct pcisim_function *pcisim_function_pf(struct pcisim_function *fn)
{
	return fn->pf;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_pf, "PCISIM");

/**
 * pcisim_function_vf_index - number of a virtual function
 * @fn: the function
 *
 * Context: any.
 * Return: number of the VF, counted from 0; negative for a PF.
 */
int pcisim_function_vf_index(const struct pcisim_function *fn)
{
	return fn->vf_index;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_vf_index, "PCISIM");

/**
 * pcisim_function_bar - BAR 0
 * @fn: the function
 *
 * The BAR moves when the PCI core assigns it another address; the function is
 * then reset. A pointer that is kept stays accessible but may lead to memory
 * that belongs to nobody or to another function, so ask again in each callback.
 *
 * Context: any, from &pcisim_model.init on.
 * Return: the memory behind BAR 0, &pcisim_function_type.bar_size bytes.
 */
void __iomem *pcisim_function_bar(const struct pcisim_function *fn)
{
	return pcisim_window_pointer(READ_ONCE(fn->bar));
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_bar, "PCISIM");

/**
 * pcisim_function_setting - value of a setting
 * @fn: the function; a VF has the settings of its PF
 * @index: number of the setting
 *
 * Context: any.
 * Return: the value that the user has set, or the default.
 */
u64 pcisim_function_setting(const struct pcisim_function *fn, unsigned int index)
{
	if (WARN_ON_ONCE(index >= fn->model->settings))
		return 0;
	return fn->settings[index];
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_setting, "PCISIM");

/**
 * pcisim_function_kick - call &pcisim_model.run soon
 * @fn: the function
 *
 * Context: any but NMI. A kick of a function that is not running has no
 * effect.
 */
void pcisim_function_kick(struct pcisim_function *fn)
{
	pcisim_function_event(fn, PCISIM_EVENT_KICK);
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_kick, "PCISIM");

/**
 * pcisim_function_bus_master - may the function start transactions?
 * @fn: the function
 *
 * Context: any.
 * Return: true if Bus Master Enable is set and the function is in D0.
 */
bool pcisim_function_bus_master(const struct pcisim_function *fn)
{
	u32 state = pcisim_config_get(fn, PCISIM_CAP_PM + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK;

	return !state && pcisim_config_get(fn, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_bus_master, "PCISIM");

/**
 * pcisim_function_while_awake - do what only a function in D0 does
 * @fn: the function
 * @work: what to do; short, as interrupts are off
 * @data: for @work
 *
 * A function that config space puts to sleep or resets does nothing any more when the
 * write has returned.
 *
 * Context: any but NMI. @work runs under the lock of config space and must not access that.
 * Return: false if the function sleeps or is being reset: @work has not been called.
 */
bool pcisim_function_while_awake(struct pcisim_function *fn, void (*work)(void *data), void *data)
{
	guard(raw_spinlock_irqsave)(&fn->host->config_lock);
	if (fn->in_reset || fn->power)
		return false;
	work(data);
	return true;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_while_awake, "PCISIM");

/* Tell the thread, from any context but NMI. */
void pcisim_function_event(struct pcisim_function *fn, enum pcisim_event event)
{
	set_bit(event, &fn->events);
	rcuwait_wake_up(&fn->wait);
}

/* Config space answers again, unless another reset has begun. */
static void pcisim_function_end_reset(struct pcisim_function *fn)
{
	guard(raw_spinlock_irqsave)(&fn->host->config_lock);
	if (test_bit(PCISIM_EVENT_RESET, &fn->events) ||
	    test_bit(PCISIM_EVENT_WAKE, &fn->events))
		return;
	fn->in_reset = false;
	pcisim_port_reset_done(fn);
}

static void pcisim_function_reset(struct pcisim_function *fn, bool wake)
{
	memset_io(pcisim_function_bar(fn), 0, fn->type->bar_size);
	pcisim_msix_reset(fn);
	if (wake && fn->model->wake)
		fn->model->wake(fn);
	else
		fn->model->reset(fn);
	if (!wake)
		atomic64_inc(&fn->stats.resets);
	pcisim_function_end_reset(fn);
}

static void pcisim_function_handle_events(struct pcisim_function *fn)
{
	unsigned long events = xchg(&fn->events, 0);

	if (events & BIT(PCISIM_EVENT_SRIOV))
		pcisim_sriov_update(fn);

	if (events & (BIT(PCISIM_EVENT_RESET) | BIT(PCISIM_EVENT_WAKE))) {
		/* Nobody can ring before the reset is over. */
		atomic_set(&fn->doorbell, 0);
		pcisim_function_reset(fn, !(events & BIT(PCISIM_EVENT_RESET)));
	} else if (events & BIT(PCISIM_EVENT_DOORBELL)) {
		fn->model->doorbell(fn, atomic_xchg(&fn->doorbell, 0));
	}
}

static void pcisim_function_sleep(struct pcisim_function *fn, unsigned int usec)
{
	ktime_t delay = us_to_ktime(usec);

	prepare_to_rcuwait(&fn->wait);
	set_current_state(TASK_IDLE);
	if (!READ_ONCE(fn->events) && !kthread_should_stop())
		schedule_hrtimeout(usec ? &delay : NULL, HRTIMER_MODE_REL);
	finish_rcuwait(&fn->wait);
}

static int pcisim_function_thread(void *data)
{
	struct pcisim_function *fn = data;

	/* While a driver polls for an answer it must not starve the thread. */
	if (fn->type->doorbell)
		sched_set_fifo_low(current);

	while (!kthread_should_stop()) {
		unsigned int delay;

		pcisim_function_handle_events(fn);
		delay = fn->model->run ? fn->model->run(fn) : 0;
		if (pcisim_msix_flush(fn))
			delay = min_not_zero(delay, PCISIM_UNMASK_POLL);
		pcisim_function_sleep(fn, delay);
	}
	return 0;
}

/* Memory of an earlier owner is nobody's business. */
static void pcisim_function_clear_bar2(struct pcisim_function *fn)
{
	u32 low = pcisim_config_get(fn, PCI_BASE_ADDRESS_2, 4) & PCI_BASE_ADDRESS_MEM_MASK;
	u64 bar = (u64)pcisim_config_get(fn, PCI_BASE_ADDRESS_3, 4) << 32 | low;

	if (fn->bar2_size && pcisim_window_contains(bar, fn->bar2_size))
		memset_io(pcisim_window_pointer(bar), 0, fn->bar2_size);
}

/* Bring up what needs to sleep, once BAR 0 has an address. */
int pcisim_function_start(struct pcisim_function *fn)
{
	struct task_struct *thread;
	int ret;

	if (!fn->bar)
		return -ENXIO;

	WRITE_ONCE(fn->events, 0);
	memset(&fn->stats, 0, sizeof(fn->stats));
	memset_io(pcisim_function_bar(fn), 0, fn->type->bar_size);
	pcisim_function_clear_bar2(fn);
	pcisim_msix_reset(fn);

	ret = fn->model->init(fn);
	if (ret)
		return ret;

	/* A reset before the start is over with the start, one that came later is not. */
	pcisim_function_end_reset(fn);
	thread = kthread_run(pcisim_function_thread, fn, "pcisim/%s", fn->name);
	if (IS_ERR(thread)) {
		fn->model->fini(fn);
		return PTR_ERR(thread);
	}
	fn->thread = thread;
	pcisim_debugfs_add(fn);
	pcisim_doorbell_watch(fn);
	WRITE_ONCE(fn->running, true);
	return 0;
}

void pcisim_function_stop(struct pcisim_function *fn)
{
	WRITE_ONCE(fn->running, false);
	pcisim_doorbell_unwatch(fn);
	kthread_stop(fn->thread);
	pcisim_sriov_stop(fn);
	pcisim_msix_sync(fn);
	pcisim_debugfs_remove(fn);
	fn->model->fini(fn);
	fn->drvdata = NULL;
}

void pcisim_function_free(struct pcisim_function *fn)
{
	for (unsigned int i = 0; i < PCISIM_MAX_VFS; i++)
		if (fn->vfs[i])
			pcisim_function_free(fn->vfs[i]);
	fn->host->functions[pcisim_index(fn->port, fn->devfn)] = NULL;
	kfree(fn->vectors);
	kfree(fn);
}

static int pcisim_function_init_config(struct pcisim_function *fn)
{
	int ret = 0;

	pcisim_capabilities_init(fn);
	if (fn->model->describe && !pcisim_is_vf(fn))
		ret = fn->model->describe(fn);
	pcisim_config_init(&fn->config);
	return ret;
}

static void pcisim_function_set_address(struct pcisim_function *fn,
					const struct pcisim_function_config *config)
{
	fn->port = config->port;
	fn->devfn = fn->port ? PCI_DEVFN(0, config->slot) :
			       PCI_DEVFN(config->slot, fn->vf_index + 1);
	snprintf(fn->name, sizeof(fn->name), "%04x:%02x:%02x.%u", fn->host->domain,
		 fn->port, PCI_SLOT(fn->devfn), PCI_FUNC(fn->devfn));
}

static int pcisim_function_create_vfs(struct pcisim_function *fn,
				      const struct pcisim_function_config *config)
{
	for (unsigned int i = 0; i < fn->total_vfs; i++) {
		struct pcisim_function *vf;

		vf = pcisim_function_create(fn->host, config, fn, i);
		if (IS_ERR(vf))
			return PTR_ERR(vf);
		fn->vfs[i] = vf;
	}
	return 0;
}

/* Allocate a function, and with a PF (@pf is NULL) its VFs. */
struct pcisim_function *pcisim_function_create(struct pcisim_host *host,
					       const struct pcisim_function_config *config,
					       struct pcisim_function *pf, int vf_index)
{
	const struct pcisim_model *model = config->model;
	struct pcisim_function *fn;
	int ret;

	fn = kzalloc_obj(*fn);
	if (!fn)
		return ERR_PTR(-ENOMEM);

	fn->host = host;
	fn->model = model;
	fn->type = pf ? &model->vf : &model->pf;
	fn->settings = config->settings;
	fn->pf = pf ?: fn;
	fn->vf_index = vf_index;
	fn->total_vfs = pf ? 0 : config->total_vfs;
	fn->present = !pf;
	pcisim_function_set_address(fn, config);
	init_completion(&fn->ready);
	rcuwait_init(&fn->wait);
	spin_lock_init(&fn->msix_lock);
	spin_lock_init(&fn->dma_lock);

	ret = pcisim_function_init_config(fn);
	if (!ret)
		ret = pcisim_msix_create(fn);
	if (!ret)
		ret = pcisim_function_create_vfs(fn, config);
	if (ret) {
		pcisim_function_free(fn);
		return ERR_PTR(ret);
	}
	host->functions[pcisim_index(fn->port, fn->devfn)] = fn;
	return fn;
}
