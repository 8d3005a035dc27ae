/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much memory is available, to see what the kernel allocates.
 */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

#include <stdint.h>

/* In bytes: MemAvailable and the pages that the CPUs keep at hand. */
uint64_t memory_available(void);

#endif /* LIB_MEMORY_H */
