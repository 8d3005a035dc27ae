/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of PCI that the guest needs in place of a firmware. */
#ifndef PAYLOAD_PCI_H
#define PAYLOAD_PCI_H

#include <stdint.h>

/* Find the function on bus 0 and give its BAR 0 an address; 0: there is none. */
uint32_t pci_map_function(uint16_t vendor, uint16_t device);

#endif /* PAYLOAD_PCI_H */
