/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of PCI that the guest needs in place of a firmware. */
#ifndef PAYLOAD_PCI_H
#define PAYLOAD_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_BARS		6

/**
 * struct pci_bar - a BAR
 * @size: bytes, 0 if there is none
 * @wide: it is one of 64 bits, and takes the place of two
 * @prefetchable: as it says
 * @address: where it is
 */
struct pci_bar {
	uint64_t size;
	bool wide;
	bool prefetchable;
	uint64_t address;
};

uint32_t pci_config_read(unsigned int function, unsigned int offset);
void pci_config_write(unsigned int function, unsigned int offset, uint32_t value);

/* The first function of the vendor on bus 0, or -1. */
int pci_find_vendor(uint16_t vendor);

/* Offset of a capability, 0 if there is none. */
unsigned int pci_find_capability(unsigned int function, uint8_t id);

/* Ask a BAR for its size. What it held is lost; memory has to be off. */
void pci_bar_measure(unsigned int function, unsigned int index, struct pci_bar *bar);

/* Write its address into a BAR. */
void pci_bar_place(unsigned int function, unsigned int index, const struct pci_bar *bar);

/* Let the function answer at its BARs, and start DMA. */
void pci_enable(unsigned int function);

/*
 * Find the functions on bus 0, room of them at most, and give each BAR 0 an address.
 * The return value is how many there are.
 */
unsigned int pci_map_functions(uint16_t vendor, uint16_t device, uint32_t *bars,
			       unsigned int room);

#endif /* PAYLOAD_PCI_H */
