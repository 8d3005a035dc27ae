/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much memory is available, to see what the kernel allocates.
 */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

#include <stdint.h>

/* MemAvailable in bytes. */
uint64_t memory_available(void);

#endif /* LIB_MEMORY_H */
