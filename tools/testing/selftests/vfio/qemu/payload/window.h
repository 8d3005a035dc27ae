/* SPDX-License-Identifier: GPL-2.0-only */
/* A window of 4 MiB onto memory that 32-bit addresses do not reach. */
#ifndef PAYLOAD_WINDOW_H
#define PAYLOAD_WINDOW_H

#include <stdint.h>

#define WINDOW_SIZE		0x00400000

/* Paging begins: all addresses stay what they are, but those of the window. */
void window_start(void);

/* The address at which the physical address can be touched, until the next call. */
uint32_t window_open(uint64_t physical);

#endif /* PAYLOAD_WINDOW_H */
