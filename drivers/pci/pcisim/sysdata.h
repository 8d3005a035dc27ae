/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What architectures expect behind &pci_bus.sysdata of a root bus: x86 the domain and the
 * NUMA node, others with ACPI a window to config space, of which ours has none.
 */
#ifndef PCISIM_SYSDATA_H
#define PCISIM_SYSDATA_H

#ifdef CONFIG_X86
#include <linux/numa.h>
#include <linux/pci.h>

struct pcisim_sysdata {
	struct pci_sysdata x86;
};

static inline void pcisim_sysdata_init(struct pcisim_sysdata *sysdata, int domain)
{
	sysdata->x86 = (struct pci_sysdata) { .domain = domain, .node = NUMA_NO_NODE };
}
#else
#include <linux/pci-ecam.h>

struct pcisim_sysdata {
	struct pci_config_window window;
};

static inline void pcisim_sysdata_init(struct pcisim_sysdata *sysdata, int domain)
{
	sysdata->window = (struct pci_config_window) { };
}
#endif

#endif /* PCISIM_SYSDATA_H */
