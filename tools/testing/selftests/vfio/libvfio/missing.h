/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What some releases of the kernel's libvfio use and define nowhere. Included in
 * front of every file when the source is such a one, see the Makefile.
 */
#ifndef LIBVFIO_MISSING_H
#define LIBVFIO_MISSING_H

#include <errno.h>
#include <stdlib.h>

#include <linux/types.h>

#include <libvfio/assert.h>

static inline void *calloc_assert(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	VFIO_ASSERT_NOT_NULL(memory);
	return memory;
}

#endif /* LIBVFIO_MISSING_H */
