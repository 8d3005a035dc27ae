// SPDX-License-Identifier: GPL-2.0-only
/*
 * A live host: a root bus in a PCI domain of its own, and what is behind its
 * root ports, from creation to the last reference.
 *
 * Everything that a config cycle can reach exists before the bus does and
 * goes after the bridge has been released.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/array_size.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "pcisim_private.h"

/* Emulated domains are above what firmware can number. */
#define PCISIM_FIRST_DOMAIN	0x10000

static struct pcisim_host *pcisim_host_of_bus(const struct pci_bus *bus)
{
	return container_of(bus->sysdata, struct pcisim_host, sysdata);
}

/* The port that a bus is behind, NULL if that is the root bus or no bus of ours. */
static struct pcisim_port *pcisim_host_port(const struct pcisim_host *host,
					    struct pci_bus *bus)
{
	return bus->number <= PCISIM_MAX_PORTS ? host->ports[bus->number] : NULL;
}

static struct pcisim_function *pcisim_host_function(const struct pcisim_host *host,
						    struct pci_bus *bus,
						    unsigned int devfn)
{
	if (pci_is_root_bus(bus))
		return host->functions[devfn];
	if (!pcisim_host_port(host, bus) || devfn >= PCISIM_PORT_SLOTS)
		return NULL;
	return host->functions[pcisim_index(bus->number, devfn)];
}

/* The function that answers a config cycle. */
static struct pcisim_function *pcisim_host_decode(struct pcisim_host *host, struct pci_bus *bus,
						  unsigned int devfn)
{
	struct pcisim_function *fn = pcisim_host_function(host, bus, devfn);

	lockdep_assert_held(&host->config_lock);

	return fn && fn->present ? fn : NULL;
}

static bool pcisim_host_is_resetting(const struct pcisim_function *fn)
{
	return fn->in_reset ||
	       (fn->port && pcisim_port_is_resetting(fn->host->ports[fn->port]));
}

static int pcisim_host_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *val)
{
	struct pcisim_host *host = pcisim_host_of_bus(bus);
	struct pcisim_function *fn;
	struct pcisim_port *port;

	guard(raw_spinlock_irqsave)(&host->config_lock);
	port = pcisim_port_at(host, bus, devfn);
	if (port) {
		*val = pcisim_config_read(&port->config, where, size);
		return PCIBIOS_SUCCESSFUL;
	}

	fn = pcisim_host_decode(host, bus, devfn);
	if (!fn) {
		PCI_SET_ERROR_RESPONSE(val);
		return PCIBIOS_DEVICE_NOT_FOUND;
	}

	if (pcisim_host_is_resetting(fn))
		PCI_SET_ERROR_RESPONSE(val);
	else
		*val = pcisim_config_get(fn, where, size);
	return PCIBIOS_SUCCESSFUL;
}

static int pcisim_host_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 val)
{
	struct pcisim_host *host = pcisim_host_of_bus(bus);
	struct pcisim_function *fn;
	struct pcisim_port *port;

	guard(raw_spinlock_irqsave)(&host->config_lock);
	port = pcisim_port_at(host, bus, devfn);
	if (port) {
		pcisim_port_write(port, where, size, val);
		return PCIBIOS_SUCCESSFUL;
	}

	fn = pcisim_host_decode(host, bus, devfn);
	if (!fn)
		return PCIBIOS_DEVICE_NOT_FOUND;

	if (!pcisim_host_is_resetting(fn))
		pcisim_config_write(fn, where, size, val);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops pcisim_host_ops = {
	.read = pcisim_host_read,
	.write = pcisim_host_write,
};

/* The function behind a device, NULL if the device is none of ours. */
struct pcisim_function *pcisim_function_of_device(struct device *dev)
{
	struct pci_dev *pdev;

	if (!dev_is_pci(dev))
		return NULL;
	pdev = to_pci_dev(dev);
	if (pdev->bus->ops != &pcisim_host_ops)
		return NULL;
	return pcisim_host_function(pcisim_host_of_bus(pdev->bus), pdev->bus, pdev->devfn);
}

static void pcisim_host_released(struct pci_host_bridge *bridge)
{
	struct pcisim_host *host = bridge->release_data;

	complete(&host->released);
}

static bool pcisim_is_pf(const struct pcisim_function *fn)
{
	return fn && !pcisim_is_vf(fn);
}

static u64 pcisim_host_bar_size(const struct pcisim_function *fn)
{
	u64 size = fn->type->bar_size + (u64)fn->bar2_size;

	return size + (u64)fn->total_vfs * fn->model->vf.bar_size;
}

static u64 pcisim_host_bar_align(const struct pcisim_function *fn)
{
	u32 align = max(fn->type->bar_size, fn->bar2_size);

	return fn->total_vfs ? max(align, fn->model->vf.bar_size) : align;
}

/*
 * Sizes are multiples of the alignment, so that BARs fit without gaps. The PCI core
 * aligns the window of a port to less than that, which takes some room.
 */
static int pcisim_host_allocate_window(struct pcisim_host *host)
{
	u64 align = SZ_1M;
	u64 size = 0;

	for (size_t i = 0; i < ARRAY_SIZE(host->functions); i++) {
		const struct pcisim_function *fn = host->functions[i];

		if (!pcisim_is_pf(fn))
			continue;
		size += pcisim_host_bar_size(fn);
		align = max(align, pcisim_host_bar_align(fn));
	}
	for (size_t i = 0; i < ARRAY_SIZE(host->ports); i++)
		if (host->ports[i])
			size = ALIGN(size, align) + 2 * align;

	host->window.name = "pcisim host";
	return pcisim_window_allocate(&host->window, ALIGN(size, SZ_1M), align);
}

static int pcisim_host_create_functions(struct pcisim_host *host, struct list_head *functions)
{
	struct pcisim_function_config *config;

	list_for_each_entry(config, functions, entry) {
		struct pcisim_function *fn;

		fn = pcisim_function_create(host, config, NULL, -1);
		if (IS_ERR(fn))
			return PTR_ERR(fn);
	}
	return 0;
}

static void pcisim_host_free_functions(struct pcisim_host *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(host->functions); i++) {
		struct pcisim_function *fn = host->functions[i];

		/* A PF is at function 0 and takes its VFs along. */
		if (!pcisim_is_pf(fn))
			continue;
		if (fn->running)
			pcisim_function_stop(fn);
		pcisim_function_free(fn);
	}
}

/* Firmware's domains are not known here: the PCI core refuses a bus that exists. */
static int pcisim_host_allocate_domain(u32 wanted)
{
	int domain;

	if (!wanted)
		return pci_bus_find_emul_domain_nr(0, PCISIM_FIRST_DOMAIN, INT_MAX);

	domain = pci_bus_find_emul_domain_nr(wanted, wanted, wanted);
	return domain == -ENOSPC ? -EEXIST : domain;
}

static int pcisim_host_create_bridge(struct pcisim_host *host, u32 wanted_domain)
{
	struct pci_host_bridge *bridge;
	int domain;

	domain = pcisim_host_allocate_domain(wanted_domain);
	if (domain < 0)
		return domain;

	bridge = pci_alloc_host_bridge(0);
	if (!bridge) {
		pci_bus_release_emul_domain_nr(domain);
		return -ENOMEM;
	}

	host->domain = domain;
	pcisim_sysdata_init(&host->sysdata, domain);
	host->busn = (struct resource) { .name = "pcisim bus", .flags = IORESOURCE_BUS };
	host->bridge = bridge;
	bridge->domain_nr = domain;
	bridge->sysdata = &host->sysdata;
	bridge->ops = &pcisim_host_ops;
	pci_set_host_bridge_release(bridge, pcisim_host_released, host);
	pci_add_resource(&bridge->windows, &host->busn);
	pci_add_resource(&bridge->windows, &host->window);
	return 0;
}

/* Drop the bridge and wait until nobody has a reference any more. */
static void pcisim_host_destroy_bridge(struct pcisim_host *host)
{
	if (!host->bridge)
		return;

	pci_free_host_bridge(host->bridge);
	wait_for_completion(&host->released);
}

static int pcisim_host_start_function(struct pcisim_host *host, struct pcisim_function *fn)
{
	struct pci_dev *pdev;
	int ret;

	pdev = pci_get_domain_bus_and_slot(host->domain, fn->port, fn->devfn);
	if (!pdev)
		return -ENXIO;
	ret = device_iommu_mapped(&pdev->dev) ? pcisim_function_start(fn) : -ENXIO;
	if (!ret)
		ret = pcisim_function_add_properties(fn, &pdev->dev);
	pci_dev_put(pdev);
	return ret;
}

static int pcisim_host_add_bus(struct pcisim_host *host)
{
	int ret;

	ret = pci_scan_root_bus_bridge(host->bridge);
	if (ret)
		return ret;

	host->bus = host->bridge->bus;
	pci_bus_size_bridges(host->bus);
	pci_bus_assign_resources(host->bus);

	for (size_t i = 0; i < ARRAY_SIZE(host->functions); i++) {
		if (!pcisim_is_pf(host->functions[i]))
			continue;
		ret = pcisim_host_start_function(host, host->functions[i]);
		if (ret)
			return ret;
	}

	pci_bus_add_devices(host->bus);
	return 0;
}

/* A PF without a driver may have been left with VFs, which hold on to it. */
static void pcisim_host_disable_sriov(struct pcisim_host *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(host->functions); i++) {
		struct pcisim_function *fn = host->functions[i];
		struct pci_dev *pdev;

		if (!pcisim_is_pf(fn) || !fn->total_vfs)
			continue;
		pdev = pci_get_slot(host->bus, fn->devfn);
		if (pdev && pci_num_vf(pdev))
			pci_disable_sriov(pdev);
		pci_dev_put(pdev);
	}
}

static void pcisim_host_remove_bus(struct pcisim_host *host)
{
	if (!host->bus)
		return;

	pci_stop_root_bus(host->bus);
	pcisim_host_disable_sriov(host);
	pci_remove_root_bus(host->bus);
}

static int pcisim_host_init(struct pcisim_host *host, struct list_head *functions, u32 domain)
{
	int ret;

	ret = pcisim_host_create_bridge(host, domain);
	if (ret)
		return ret;

	ret = pcisim_msi_init(host);
	if (ret)
		return ret;

	ret = pcisim_ports_create(host, functions);
	if (ret)
		return ret;

	ret = pcisim_host_create_functions(host, functions);
	if (ret)
		return ret;

	ret = pcisim_host_allocate_window(host);
	if (ret)
		return ret;

	pci_lock_rescan_remove();
	ret = pcisim_host_add_bus(host);
	pci_unlock_rescan_remove();
	return ret;
}

/*
 * Create a host with the given functions, which must not change while it is live,
 * in the given domain, or in any if that is 0.
 */
struct pcisim_host *pcisim_host_create(struct list_head *functions, u32 domain)
{
	struct pcisim_host *host;
	int ret;

	host = kzalloc_obj(*host);
	if (!host)
		return ERR_PTR(-ENOMEM);

	init_completion(&host->released);
	raw_spin_lock_init(&host->config_lock);
	xa_init_flags(&host->irqs, XA_FLAGS_ALLOC);

	ret = pcisim_host_init(host, functions, domain);
	if (ret) {
		pcisim_host_destroy(host);
		return ERR_PTR(ret);
	}
	return host;
}

/*
 * Remove a host, however far its creation got. Functions work until all
 * drivers are gone. Waits for users of the devices.
 */
void pcisim_host_destroy(struct pcisim_host *host)
{
	pci_lock_rescan_remove();
	pcisim_host_remove_bus(host);
	pci_unlock_rescan_remove();

	pcisim_host_destroy_bridge(host);
	pcisim_host_free_functions(host);
	pcisim_ports_free(host);
	pcisim_msi_exit(host);
	pcisim_window_release(&host->window);
	kfree(host);
}
