// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: the MSI-X table of a function, the interrupt domain of a host,
 * and the way of a message from one to the other.
 *
 * A message is taken from the table in the BAR, which a user of VFIO may have
 * written. As with interrupt remapping, its data is only an index, and an
 * interrupt is raised only if it was allocated for the function that sends it.
 * This is what makes IRQ_DOMAIN_FLAG_ISOLATED_MSI true.
 */

#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/slab.h>

#include "pcisim_private.h"

/* Interrupts of a host, 0 is not used. */
#define PCISIM_MAX_IRQS	4096

static void pcisim_irq_ack(struct irq_data *data)
{
	/* A message is an edge, there is nothing to acknowledge. */
}

static void pcisim_irq_compose_msg(struct irq_data *data, struct msi_msg *msg)
{
	*msg = (struct msi_msg) {
		.address_lo = PCISIM_MSI_BASE,
		.data = data->hwirq,
	};
}

static struct irq_chip pcisim_irq_chip = {
	.name = "pcisim",
	.irq_ack = pcisim_irq_ack,
	.irq_compose_msi_msg = pcisim_irq_compose_msg,
};

static int pcisim_irq_alloc_one(struct irq_domain *domain, unsigned int virq, unsigned int owner)
{
	struct pcisim_host *host = domain->host_data;
	u32 hwirq;
	int ret;

	ret = xa_alloc(&host->irqs, &hwirq, xa_mk_value(owner), XA_LIMIT(1, PCISIM_MAX_IRQS - 1),
		       GFP_KERNEL);
	if (ret)
		return ret;

	irq_domain_set_info(domain, virq, hwirq, &pcisim_irq_chip, host, handle_edge_irq, NULL,
			    "edge");
	return 0;
}

static void pcisim_irq_free(struct irq_domain *domain, unsigned int virq, unsigned int count)
{
	struct pcisim_host *host = domain->host_data;

	for (unsigned int i = 0; i < count; i++)
		xa_erase(&host->irqs, irq_domain_get_irq_data(domain, virq + i)->hwirq);
	irq_domain_free_irqs_top(domain, virq, count);
}

static int pcisim_irq_alloc(struct irq_domain *domain, unsigned int virq, unsigned int count,
			    void *arg)
{
	struct msi_desc *desc = ((msi_alloc_info_t *)arg)->desc;
	struct pcisim_function *fn = pcisim_function_of_device(msi_desc_to_dev(desc));

	if (!fn)
		return -ENODEV;

	for (unsigned int i = 0; i < count; i++) {
		int ret = pcisim_irq_alloc_one(domain, virq + i,
					       pcisim_index(fn->port, fn->devfn));

		if (ret) {
			pcisim_irq_free(domain, virq, i);
			return ret;
		}
	}
	return 0;
}

static const struct irq_domain_ops pcisim_irq_domain_ops = {
	.alloc = pcisim_irq_alloc,
	.free = pcisim_irq_free,
};

static bool pcisim_msi_init_info(struct device *dev, struct irq_domain *domain,
				 struct irq_domain *parent, struct msi_domain_info *info)
{
	info->flags &= parent->msi_parent_ops->supported_flags;
	info->flags |= parent->msi_parent_ops->required_flags;
	info->chip->irq_ack = irq_chip_ack_parent;
	return true;
}

static const struct msi_parent_ops pcisim_msi_parent_ops = {
	.supported_flags = MSI_GENERIC_FLAGS_MASK | MSI_FLAG_PCI_MSIX,
	.required_flags = MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS |
			  MSI_FLAG_NO_AFFINITY,
	.bus_select_token = DOMAIN_BUS_PCI_MSI,
	.prefix = "pcisim-",
	.init_dev_msi_info = pcisim_msi_init_info,
};

/* Create the interrupt domain, which the root bus has from its bridge. */
int pcisim_msi_init(struct pcisim_host *host)
{
	struct irq_domain_info info = {
		.ops = &pcisim_irq_domain_ops,
		.host_data = host,
		.hwirq_max = PCISIM_MAX_IRQS,
		.domain_flags = IRQ_DOMAIN_FLAG_ISOLATED_MSI,
	};

	info.fwnode = irq_domain_alloc_named_id_fwnode("pcisim", host->domain);
	if (!info.fwnode)
		return -ENOMEM;

	host->irq_domain = msi_create_parent_irq_domain(&info, &pcisim_msi_parent_ops);
	if (!host->irq_domain) {
		irq_domain_free_fwnode(info.fwnode);
		return -ENOMEM;
	}
	dev_set_msi_domain(&host->bridge->dev, host->irq_domain);
	return 0;
}

void pcisim_msi_exit(struct pcisim_host *host)
{
	struct fwnode_handle *fwnode;

	if (!host->irq_domain)
		return;

	fwnode = host->irq_domain->fwnode;
	irq_domain_remove(host->irq_domain);
	irq_domain_free_fwnode(fwnode);
	xa_destroy(&host->irqs);
}

static void pcisim_vector_work(struct irq_work *work)
{
	struct pcisim_vector *vector = container_of(work, struct pcisim_vector, work);
	struct pcisim_function *fn = vector->fn;

	atomic64_inc(&fn->stats.interrupts);
	generic_handle_domain_irq(fn->host->irq_domain, READ_ONCE(vector->hwirq));
}

int pcisim_msix_create(struct pcisim_function *fn)
{
	fn->vectors = kzalloc_objs(*fn->vectors, fn->type->msix_vectors);
	if (!fn->vectors)
		return -ENOMEM;

	for (unsigned int i = 0; i < fn->type->msix_vectors; i++) {
		fn->vectors[i].fn = fn;
		fn->vectors[i].work = IRQ_WORK_INIT_HARD(pcisim_vector_work);
	}
	return 0;
}

static void __iomem *pcisim_msix_entry(struct pcisim_function *fn, unsigned int vector)
{
	return pcisim_function_bar(fn) + fn->type->msix_table + vector * PCI_MSIX_ENTRY_SIZE;
}

static void pcisim_msix_set_pending(struct pcisim_function *fn, u64 pending)
{
	void __iomem *pba = pcisim_function_bar(fn) + fn->type->msix_table + SZ_4K;

	lockdep_assert_held(&fn->msix_lock);

	fn->msix_pending = pending;
	writeq(pending, pba);
}

/* State of a function that has been reset, whose BAR is zero. */
void pcisim_msix_reset(struct pcisim_function *fn)
{
	guard(spinlock_irqsave)(&fn->msix_lock);
	for (unsigned int i = 0; i < fn->type->msix_vectors; i++)
		writel(PCI_MSIX_ENTRY_CTRL_MASKBIT,
		       pcisim_msix_entry(fn, i) + PCI_MSIX_ENTRY_VECTOR_CTRL);
	pcisim_msix_set_pending(fn, 0);
}

/* After the thread has stopped: wait for interrupts that are on their way. */
void pcisim_msix_sync(struct pcisim_function *fn)
{
	for (unsigned int i = 0; i < fn->type->msix_vectors; i++)
		irq_work_sync(&fn->vectors[i].work);
}

static bool pcisim_msix_is_enabled(struct pcisim_function *fn)
{
	return pcisim_config_get(fn, PCISIM_CAP_MSIX + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE;
}

static bool pcisim_msix_is_masked(struct pcisim_function *fn, unsigned int vector)
{
	u16 flags = pcisim_config_get(fn, PCISIM_CAP_MSIX + PCI_MSIX_FLAGS, 2);
	void __iomem *entry = pcisim_msix_entry(fn, vector);

	return flags & PCI_MSIX_FLAGS_MASKALL ||
	       readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static void pcisim_msix_send(struct pcisim_function *fn, unsigned int vector)
{
	u32 data = readl(pcisim_msix_entry(fn, vector) + PCI_MSIX_ENTRY_DATA);

	lockdep_assert_held(&fn->msix_lock);

	if (xa_load(&fn->host->irqs, data) != xa_mk_value(pcisim_index(fn->port, fn->devfn)))
		return;
	WRITE_ONCE(fn->vectors[vector].hwirq, data);
	irq_work_queue(&fn->vectors[vector].work);
}

/**
 * pcisim_msix_raise - send an MSI-X message
 * @fn: the function
 * @vector: number of the vector
 *
 * A message of a masked vector is kept pending and sent when the mask is gone.
 * The interrupt comes in hard interrupt context, soon after the return.
 *
 * Context: any but NMI.
 * Return: 0, -EINVAL if there is no such vector, -EIO while the driver has not
 * enabled MSI-X or bus mastering: the message is lost, as it is in hardware.
 */
int pcisim_msix_raise(struct pcisim_function *fn, unsigned int vector)
{
	if (vector >= fn->type->msix_vectors)
		return -EINVAL;

	guard(spinlock_irqsave)(&fn->msix_lock);
	if (!pcisim_msix_is_enabled(fn) || !pcisim_function_bus_master(fn))
		return -EIO;

	if (pcisim_msix_is_masked(fn, vector)) {
		pcisim_msix_set_pending(fn, fn->msix_pending | BIT_ULL(vector));
		pcisim_function_event(fn, PCISIM_EVENT_INTERRUPT);
	} else {
		pcisim_msix_send(fn, vector);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pcisim_msix_raise, "PCISIM");

/*
 * Send what is pending and not masked any more. Unmasking a vector is a store
 * to the BAR, which nobody reports, so the thread asks again while this returns
 * true. Other obstacles end with a write to config space.
 */
bool pcisim_msix_flush(struct pcisim_function *fn)
{
	u64 pending;

	guard(spinlock_irqsave)(&fn->msix_lock);
	pending = fn->msix_pending;
	if (!pending || !pcisim_msix_is_enabled(fn) || !pcisim_function_bus_master(fn))
		return false;

	for (unsigned int i = 0; i < fn->type->msix_vectors; i++) {
		if (!(pending & BIT_ULL(i)) || pcisim_msix_is_masked(fn, i))
			continue;
		pending &= ~BIT_ULL(i);
		pcisim_msix_send(fn, i);
	}
	if (pending != fn->msix_pending)
		pcisim_msix_set_pending(fn, pending);
	return pending;
}
