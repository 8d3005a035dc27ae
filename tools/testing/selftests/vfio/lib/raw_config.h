/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Config space through sysfs, which the kernel does not virtualise.
 */
#ifndef LIB_RAW_CONFIG_H
#define LIB_RAW_CONFIG_H

#include <linux/pci_regs.h>
#include <stdint.h>

#include "check.h"

/* Numbers of 1, 2 or 4 bytes. */
uint32_t raw_config_get(const char *address, unsigned int at, unsigned int width);
void raw_config_put(const char *address, unsigned int at, unsigned int width, uint32_t value);
/* Where a capability is, 0 if there is none. */
unsigned int raw_find_capability(const char *address, uint8_t id);
/* The designated vendor-specific capability of this vendor. */
unsigned int raw_find_dvsec(const char *address, uint16_t vendor, uint16_t id);
/* Bytes of a BAR as the kernel sees it, 0 if there is none. */
uint64_t raw_bar_size(const char *address, unsigned int bar);

#endif /* LIB_RAW_CONFIG_H */
