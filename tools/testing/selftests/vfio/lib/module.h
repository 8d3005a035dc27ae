/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading and unloading of kernel modules, and what the kernel logs meanwhile.
 */
#ifndef LIB_MODULE_H
#define LIB_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

enum module_state {
	MODULE_ABSENT,
	MODULE_LOADED,
	MODULE_BUILT_IN,
};

enum module_state module_state(const char *name);
/* Whether modprobe would find it. */
bool module_exists(const char *name);
/* @options may be NULL. */
int __module_load(const char *name, const char *options);
/* Without what modprobe.d says. */
int __module_load_plain(const char *name, const char *options);
/* Without dependencies and without waiting; -EWOULDBLOCK while in use. */
int __module_unload(const char *name);
/* Waits for the last user, for instance a deferred fput(). */
int __module_unload_soon(const char *name);

#define module_load(...)	must(__module_load(__VA_ARGS__))
#define module_unload(...)	must(__module_unload(__VA_ARGS__))
#define module_unload_soon(...)	must(__module_unload_soon(__VA_ARGS__))

/* The kernel log from now on. */
int __kmsg_open(void);
/*
 * Counts the lines since the last call that contain @text and are at least as
 * severe as @level, and keeps the first.
 */
int __kmsg_count(int fd, int level, const char *text, char *first, size_t room);

#define kmsg_open()		((int)must(__kmsg_open()))
#define kmsg_count(...)		((int)must(__kmsg_count(__VA_ARGS__)))

#endif /* LIB_MODULE_H */
