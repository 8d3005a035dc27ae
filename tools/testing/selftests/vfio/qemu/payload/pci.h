/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of PCI that the guest needs in place of a firmware. */
#ifndef PAYLOAD_PCI_H
#define PAYLOAD_PCI_H

#include <stdint.h>

/*
 * Find the functions on bus 0, room of them at most, and give each BAR 0 an address.
 * The return value is how many there are.
 */
unsigned int pci_map_functions(uint16_t vendor, uint16_t device, uint32_t *bars,
			       unsigned int room);

#endif /* PAYLOAD_PCI_H */
