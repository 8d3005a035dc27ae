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
#define PCI_BAR0		0x10
#define PCI_BAR1		0x14
#define PCI_BAR_IS_IO		0x1
#define PCI_BAR_TYPE		0x6
#define PCI_BAR_TYPE_64		0x4

#define BARS_ADDRESS		0xe0000000
/* more than the BAR of any VF has */
#define BAR_SPACE		0x01000000

static uint32_t config_read(unsigned int function, unsigned int offset)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | offset);
	return in32(CONFIG_DATA);
}

static void config_write(unsigned int function, unsigned int offset, uint32_t value)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | offset);
	out32(CONFIG_DATA, value);
}

static void map_bar0(unsigned int function, uint32_t address)
{
	uint32_t bar = config_read(function, PCI_BAR0);

	if (bar & PCI_BAR_IS_IO)
		fail("BAR 0 of the device is not memory");
	config_write(function, PCI_BAR0, address);
	if ((bar & PCI_BAR_TYPE) == PCI_BAR_TYPE_64)
		config_write(function, PCI_BAR1, 0);
	/* the upper half of the word is status, where zeros change nothing */
	config_write(function, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

unsigned int pci_map_functions(uint16_t vendor, uint16_t device, uint32_t *bars,
			       unsigned int room)
{
	uint32_t id = (uint32_t)device << 16 | vendor;
	unsigned int count = 0;

	for (unsigned int function = 0; function < 256 && count < room; function++) {
		if (config_read(function, PCI_ID) != id)
			continue;
		bars[count] = BARS_ADDRESS + count * BAR_SPACE;
		map_bar0(function, bars[count]);
		count++;
	}
	return count;
}
