/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small files of sysfs, configfs and debugfs. Each is opened, read or written
 * in one call, and closed: these file systems act on whole writes.
 */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"

#define PATH_ROOM 512

/* Formats a path into one of eight buffers of the thread: for use at once. */
const char *path(const char *format, ...) __attribute__((format(printf, 1, 2)));

bool file_exists(const char *name);
int __file_write(const char *name, const char *text);
int __file_read(const char *name, char *text, size_t room);
int __file_write_number(const char *name, uint64_t value);
int __file_read_number(const char *name, uint64_t *value);
/* The last component of a symbolic link's target. */
int __link_name(const char *name, char *text, size_t room);

#define file_write(...)		must(__file_write(__VA_ARGS__))
#define file_read(...)		must(__file_read(__VA_ARGS__))
#define file_write_number(...)	must(__file_write_number(__VA_ARGS__))
#define link_name(...)		must(__link_name(__VA_ARGS__))
#define file_read_number(name) ({						\
	uint64_t __value = 0;							\
										\
	must(__file_read_number(name, &__value));				\
	__value;								\
})

#endif /* LIB_FILE_H */
