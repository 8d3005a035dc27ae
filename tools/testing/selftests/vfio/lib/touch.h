/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touches of memory that may not be there: a touch says whether it succeeded instead of
 * ending the process. For any thread.
 */
#ifndef LIB_TOUCH_H
#define LIB_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on in the whole process. */
void touch_prepare(void);
/* Whether the memory was there; false after SIGBUS. */
bool touch_read(const uint32_t *where, uint32_t *value);
bool touch_write(uint32_t *where, uint32_t value);
/* Reads in such steps; how many page faults of the process that took. It has to be there. */
long touch_faults(const char *map, size_t length, size_t step);

#endif /* LIB_TOUCH_H */
