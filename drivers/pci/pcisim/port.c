// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root ports: bridges on the root bus, each with one device of up to eight
 * functions behind it. What they are for is the reset of the bus: it resets all
 * of those functions, and they do not answer while it lasts.
 *
 * Bus numbers are set up as by firmware: the bus behind port n has number n. A
 * port has no prefetchable window, no power management and no interrupt. It
 * isolates its functions from each other.
 */

#include <linux/array_size.h>
#include <linux/slab.h>

#include "pcisim_private.h"

/* What nobody has got. */
#define PCISIM_PORT_VENDOR	0xfff1
#define PCISIM_PORT_DEVICE	0x0100
#define PCISIM_PORT_ACS		PCI_CFG_SPACE_SIZE
#define PCISIM_PORT_ISOLATION	(PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)
/* a base above its limit: a window that is closed */
#define PCISIM_PORT_CLOSED	0xfff0

static const struct pcisim_register pcisim_port_registers[] = {
	{ PCI_VENDOR_ID, 2, PCISIM_PORT_VENDOR },
	{ PCI_DEVICE_ID, 2, PCISIM_PORT_DEVICE },
	{ PCI_COMMAND, 2, .rw = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE },
	{ PCI_STATUS, 2, PCI_STATUS_CAP_LIST },
	{ PCI_CLASS_REVISION, 4, PCI_CLASS_BRIDGE_PCI_NORMAL << 8 },
	{ PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_BRIDGE },
	{ PCI_MEMORY_BASE, 2, PCISIM_PORT_CLOSED, .rw = 0xfff0 },
	{ PCI_MEMORY_LIMIT, 2, .rw = 0xfff0 },
	{ PCI_CAPABILITY_LIST, 1, PCISIM_CAP_EXP },
	{ PCI_INTERRUPT_LINE, 1, .rw = 0xff },
	{ PCI_BRIDGE_CONTROL, 2, .rw = PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR |
				       PCI_BRIDGE_CTL_BUS_RESET },
	{ PCISIM_CAP_EXP + PCI_CAP_LIST_ID, 1, PCI_CAP_ID_EXP },
	{ PCISIM_CAP_EXP + PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ROOT_PORT << 4 },
	{ PCISIM_CAP_EXP + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_EXT_TAG },
	{ PCISIM_CAP_EXP + PCI_EXP_DEVCTL, 2, .rw = 0xffff },
	/* With a link that says it is up, software waits long enough for the functions. */
	{ PCISIM_CAP_EXP + PCI_EXP_LNKCAP, 4, PCISIM_LINK | PCI_EXP_LNKCAP_DLLLARC },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKCTL, 2, .rw = PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKSTA, 2, PCISIM_LINK | PCI_EXP_LNKSTA_DLLLA },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKCAP2, 4, PCISIM_LINK_SPEEDS },
	{ PCISIM_PORT_ACS, 4, PCI_EXT_CAP_ID_ACS | 1 << 16 },
	{ PCISIM_PORT_ACS + PCI_ACS_CAP, 2, PCISIM_PORT_ISOLATION },
	{ PCISIM_PORT_ACS + PCI_ACS_CTRL, 2, .rw = PCISIM_PORT_ISOLATION },
};

/* From the end of the root bus, where functions come last. */
static unsigned int pcisim_port_slot(unsigned int number)
{
	return PCISIM_MAX_SLOTS - number;
}

static int pcisim_port_create(struct pcisim_host *host, unsigned int number)
{
	const struct pcisim_register bus_numbers[] = {
		{ PCI_PRIMARY_BUS, 1, .rw = 0xff },
		{ PCI_SECONDARY_BUS, 1, number, .rw = 0xff },
		{ PCI_SUBORDINATE_BUS, 1, number, .rw = 0xff },
	};
	struct pcisim_port *port;

	if (host->ports[number])
		return 0;

	port = kzalloc_obj(*port);
	if (!port)
		return -ENOMEM;

	port->host = host;
	port->number = number;
	pcisim_config_add(&port->config, pcisim_port_registers,
			  ARRAY_SIZE(pcisim_port_registers));
	pcisim_config_add(&port->config, bus_numbers, ARRAY_SIZE(bus_numbers));
	pcisim_config_init(&port->config);
	host->ports[number] = port;
	host->busn.end = max_t(resource_size_t, host->busn.end, number);
	return 0;
}

static bool pcisim_port_slot_is_taken(unsigned int number, struct list_head *functions)
{
	struct pcisim_function_config *config;

	list_for_each_entry(config, functions, entry)
		if (!config->port && config->slot == pcisim_port_slot(number))
			return true;
	return false;
}

/* Create the ports that the functions are behind. */
int pcisim_ports_create(struct pcisim_host *host, struct list_head *functions)
{
	struct pcisim_function_config *config;

	list_for_each_entry(config, functions, entry) {
		int ret;

		if (!config->port)
			continue;
		/* VFs would need more than one device. */
		if (config->slot >= PCISIM_PORT_SLOTS || config->total_vfs)
			return -EINVAL;
		if (pcisim_port_slot_is_taken(config->port, functions))
			return -EEXIST;
		ret = pcisim_port_create(host, config->port);
		if (ret)
			return ret;
	}
	return 0;
}

void pcisim_ports_free(struct pcisim_host *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(host->ports); i++)
		kfree(host->ports[i]);
}

/* The port that answers a config cycle, NULL if there is none. */
struct pcisim_port *pcisim_port_at(const struct pcisim_host *host, struct pci_bus *bus,
				   unsigned int devfn)
{
	unsigned int number = PCISIM_MAX_SLOTS - PCI_SLOT(devfn);

	if (!pci_is_root_bus(bus) || PCI_FUNC(devfn) || number > PCISIM_MAX_PORTS)
		return NULL;
	return host->ports[number];
}

static bool pcisim_port_is_told_to_reset(const struct pcisim_port *port)
{
	return pcisim_config_read(&port->config, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_CTL_BUS_RESET;
}

/*
 * Whether the functions are silent: all of them until the last one is done, as software
 * waits for one only.
 */
bool pcisim_port_is_resetting(const struct pcisim_port *port)
{
	return port->resets || pcisim_port_is_told_to_reset(port);
}

static void pcisim_port_reset_function(struct pcisim_port *port, struct pcisim_function *fn)
{
	if (!fn->in_bus_reset)
		port->resets++;
	fn->in_bus_reset = true;
	pcisim_function_begin_reset(fn, PCISIM_EVENT_RESET);
}

/* The thread of a function has finished all of its resets. */
void pcisim_port_reset_done(struct pcisim_function *fn)
{
	lockdep_assert_held(&fn->host->config_lock);

	if (!fn->in_bus_reset)
		return;
	fn->in_bus_reset = false;
	fn->host->ports[fn->port]->resets--;
}

static void pcisim_port_reset_bus(struct pcisim_port *port)
{
	for (unsigned int i = 0; i < PCISIM_PORT_SLOTS; i++) {
		struct pcisim_function *fn;

		fn = port->host->functions[pcisim_index(port->number, i)];
		if (fn)
			pcisim_port_reset_function(port, fn);
	}
}

void pcisim_port_write(struct pcisim_port *port, unsigned int offset, unsigned int size, u32 value)
{
	bool before = pcisim_port_is_told_to_reset(port);

	lockdep_assert_held(&port->host->config_lock);

	pcisim_config_store(&port->config, offset, size, value);
	if (!before && pcisim_port_is_told_to_reset(port))
		pcisim_port_reset_bus(port);
}
