/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much memory is available, to see what the kernel allocates; memory that ends, or
 * that cannot be locked; page faults.
 */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* In bytes: MemAvailable and the pages that the CPUs keep at hand. */
uint64_t memory_available(void);
/* Page faults of this process so far. */
long memory_faults(void);
/* So many bytes, whole pages, with nothing behind them; returns where they end. */
void *memory_edge(size_t size);
/* This process may lock no memory any more, and loses its capabilities with that. */
void memory_forbid_locking(void);

#endif /* LIB_MEMORY_H */
