/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two simulated adapters, as a migration has them: one that VFs leave, one that they come
 * to. All VFs have the same driver, ours or the kernel's own.
 */
#ifndef SPEED_ADAPTERS_H
#define SPEED_ADAPTERS_H

#include <stdint.h>

#include "sim.h"

#define ADAPTER_VFS	4

/* The kernel's own driver comes first wherever there is one of both. */
enum adapter_driver {
	IN_TREE,
	OURS,
	ADAPTER_DRIVERS,
};

extern const char * const adapter_driver_names[ADAPTER_DRIVERS];

/**
 * struct adapters - both adapters, live
 * @source: the one that VFs leave
 * @target: the one that they come to
 */
struct adapters {
	struct sim source;
	struct sim target;
};

/* @chunk_size: see struct sim_config */
void adapters_make(struct adapters *adapters, uint64_t chunk_size);
void adapters_remove(void);
/* What drives the first @vfs VFs of each; they must be closed. The others have no driver. */
void adapters_bind(const struct adapters *adapters, enum adapter_driver driver, unsigned int vfs);
/* A file of the directory timing, of both adapters. */
void adapters_time(const struct adapters *adapters, const char *name, uint64_t value);

#endif /* SPEED_ADAPTERS_H */
