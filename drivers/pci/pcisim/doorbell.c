// SPDX-License-Identifier: GPL-2.0-only
/*
 * The doorbell watch. A store to a BAR cannot be trapped, but what kernel
 * drivers write big endian goes through iowrite32be(), which can be probed.
 *
 * The probe handler may run in a context like NMI: it takes no lock, wakes
 * nobody and leaves that to an irq_work. Addresses are compared as physical
 * ones, as the mapping is the driver's own.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <asm/pgtable_types.h>

#include "pcisim_private.h"

/* Functions with a doorbell register; read under RCU. */
static LIST_HEAD(pcisim_doorbells);
/* Protects changes of the list. */
static DEFINE_MUTEX(pcisim_doorbells_lock);

static void pcisim_doorbell_work(struct irq_work *work)
{
	struct pcisim_function *fn = container_of(work, struct pcisim_function, doorbell_work);

	pcisim_function_event(fn, PCISIM_EVENT_DOORBELL);
}

static void pcisim_doorbell_ring(u64 address, u32 value)
{
	struct pcisim_function *fn;

	guard(rcu)();
	list_for_each_entry_rcu(fn, &pcisim_doorbells, doorbell_node) {
		if (address != READ_ONCE(fn->bar) + fn->type->doorbell)
			continue;
		atomic_or(value, &fn->doorbell);
		irq_work_queue(&fn->doorbell_work);
	}
}

/* iowrite32be(value, address) is about to begin. */
static int pcisim_doorbell_probe(struct kprobe *probe, struct pt_regs *regs)
{
	void __iomem *pointer = (void __iomem *)regs->si;
	u64 address;

	/* Neither port numbers nor our own writes to a BAR. */
	if (!is_vmalloc_addr((__force void *)pointer) || pcisim_window_is_own(pointer))
		return 0;

	address = slow_virt_to_phys((__force void *)pointer);
	if (pcisim_window_contains(address, sizeof(u32)))
		pcisim_doorbell_ring(address, regs->di);
	return 0;
}

NOKPROBE_SYMBOL(pcisim_doorbell_probe);

static struct kprobe pcisim_kprobe = {
	.symbol_name = "iowrite32be",
	.pre_handler = pcisim_doorbell_probe,
};

int pcisim_doorbell_init(void)
{
	int ret;

	ret = register_kprobe(&pcisim_kprobe);
	if (ret)
		pr_err("cannot watch doorbells, no kprobe on %s: %pe\n",
		       pcisim_kprobe.symbol_name, ERR_PTR(ret));
	return ret;
}

void pcisim_doorbell_exit(void)
{
	unregister_kprobe(&pcisim_kprobe);
}

void pcisim_doorbell_watch(struct pcisim_function *fn)
{
	if (!fn->type->doorbell)
		return;

	init_irq_work(&fn->doorbell_work, pcisim_doorbell_work);
	guard(mutex)(&pcisim_doorbells_lock);
	list_add_tail_rcu(&fn->doorbell_node, &pcisim_doorbells);
}

void pcisim_doorbell_unwatch(struct pcisim_function *fn)
{
	if (!fn->type->doorbell)
		return;

	scoped_guard(mutex, &pcisim_doorbells_lock)
		list_del_rcu(&fn->doorbell_node);
	synchronize_rcu();
	irq_work_sync(&fn->doorbell_work);
}
