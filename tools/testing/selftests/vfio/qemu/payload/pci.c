// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration of PCI functions through the ports 0xcf8 and 0xcfc.
 *
 * The BARs go to fixed addresses. They are free on QEMU's q35: far above the
 * guest's memory, below the interrupt controllers, and without a firmware the
 * memory-mapped configuration window is off.
 */
#include <stddef.h>

#include "console.h"
#include "io.h"
#include "pci.h"

#define CONFIG_ADDRESS		0xcf8
#define CONFIG_DATA		0xcfc
#define CONFIG_ENABLE		0x80000000

#define PCI_ID			0x00
#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	0x2
#define PCI_COMMAND_MASTER	0x4
#define PCI_STATUS_CAPABILITIES	0x00100000	/* in the word of PCI_COMMAND */
#define PCI_BAR0		0x10
#define PCI_BAR1		0x14
#define PCI_CAPABILITIES	0x34
#define PCI_BAR_IS_IO		0x1
#define PCI_BAR_TYPE		0x6
#define PCI_BAR_TYPE_64		0x4
#define PCI_BAR_PREFETCHABLE	0x8
#define PCI_BAR_FLAGS		0xf

#define FUNCTIONS		256

#define BARS_ADDRESS		0xe0000000
/* more than the BAR of any VF has */
#define BAR_SPACE		0x01000000

uint32_t pci_config_read(unsigned int function, unsigned int offset)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | offset);
	return in32(CONFIG_DATA);
}

void pci_config_write(unsigned int function, unsigned int offset, uint32_t value)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | offset);
	out32(CONFIG_DATA, value);
}

int pci_find_vendor(uint16_t vendor)
{
	for (unsigned int function = 0; function < FUNCTIONS; function++)
		if ((uint16_t)pci_config_read(function, PCI_ID) == vendor)
			return function;
	return -1;
}

unsigned int pci_find_capability(unsigned int function, uint8_t id)
{
	uint8_t at = 0;

	if (pci_config_read(function, PCI_COMMAND) & PCI_STATUS_CAPABILITIES)
		at = pci_config_read(function, PCI_CAPABILITIES);
	while (at) {
		uint32_t header = pci_config_read(function, at);

		if ((uint8_t)header == id)
			break;
		at = header >> 8;
	}
	return at;
}

static unsigned int bar_offset(unsigned int index)
{
	return PCI_BAR0 + 4 * index;
}

void pci_bar_measure(unsigned int function, unsigned int index, struct pci_bar *bar)
{
	unsigned int at = bar_offset(index);
	uint32_t low, high = UINT32_MAX;
	uint64_t mask;

	pci_config_write(function, at, UINT32_MAX);
	low = pci_config_read(function, at);
	bar->wide = low && (low & PCI_BAR_TYPE) == PCI_BAR_TYPE_64;
	bar->prefetchable = low & PCI_BAR_PREFETCHABLE;
	if (bar->wide) {
		pci_config_write(function, at + 4, UINT32_MAX);
		high = pci_config_read(function, at + 4);
	}
	mask = (uint64_t)high << 32 | (low & ~PCI_BAR_FLAGS);
	bar->size = low ? -mask : 0;
}

void pci_bar_place(unsigned int function, unsigned int index, const struct pci_bar *bar)
{
	pci_config_write(function, bar_offset(index), bar->address);
	if (bar->wide)
		pci_config_write(function, bar_offset(index + 1), bar->address >> 32);
}

void pci_enable(unsigned int function)
{
	/* the upper half of the word is status, where zeros change nothing */
	pci_config_write(function, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void map_bar0(unsigned int function, uint32_t address)
{
	uint32_t bar = pci_config_read(function, PCI_BAR0);

	if (bar & PCI_BAR_IS_IO)
		fail("BAR 0 of the device is not memory");
	pci_config_write(function, PCI_BAR0, address);
	if ((bar & PCI_BAR_TYPE) == PCI_BAR_TYPE_64)
		pci_config_write(function, PCI_BAR1, 0);
	pci_enable(function);
}

unsigned int pci_map_functions(uint16_t vendor, uint16_t device, uint32_t *bars,
			       unsigned int room)
{
	uint32_t id = (uint32_t)device << 16 | vendor;
	unsigned int count = 0;

	for (unsigned int function = 0; function < FUNCTIONS && count < room; function++) {
		if (pci_config_read(function, PCI_ID) != id)
			continue;
		bars[count] = BARS_ADDRESS + count * BAR_SPACE;
		map_bar0(function, bars[count]);
		count++;
	}
	return count;
}
