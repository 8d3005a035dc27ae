/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_LINUX_STRING_H
#define FUZZ_LINUX_STRING_H

#include <string.h>

/* The first byte that is not @value, or NULL. */
static inline const void *memchr_inv(const void *start, int value, size_t size)
{
	const unsigned char *byte = start;

	for (; size; byte++, size--)
		if (*byte != (unsigned char)value)
			return byte;
	return NULL;
}

#endif /* FUZZ_LINUX_STRING_H */
