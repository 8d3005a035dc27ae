/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a storm is about: two VFs that may go away and come back, and the data FD that
 * each of them has given out last. Whoever uses one of these holds it, so that no number
 * of an FD is used again under his hands.
 */
#ifndef LIB_STORM_SITE_H
#define LIB_STORM_SITE_H

#include <pthread.h>

#include "migration.h"
#include "sim.h"

#define STORM_VFS 2

/**
 * struct storm_data - a data FD
 * @fd: the FD
 * @users: holders; the last one closes it
 * @saves: it is for reading
 * @orderly: what is written is a good stream, from @next on
 * @lock: writers of a good stream
 * @next: bytes of the good stream that were written
 */
struct storm_data {
	int fd;
	unsigned int users;
	bool saves;
	bool orderly;
	pthread_mutex_t lock;
	size_t next;
};

/**
 * struct storm_vf - a VF
 * @address: its PCI address
 * @dev: the open device
 * @lock: protects what follows
 * @open: @dev can be used
 * @users: calls on @dev that are under way
 * @data: the newest data FD, or NULL
 * @sessions: number of data FDs that it gave out
 */
struct storm_vf {
	char address[SIM_ADDRESS];
	struct vfio_device dev;
	pthread_mutex_t lock;
	bool open;
	unsigned int users;
	struct storm_data *data;
	uint64_t sessions;
};

/**
 * struct storm_site - all of it
 * @sim: the simulated host
 * @driver: what drives the VFs
 * @vf: the VFs
 * @flags: VFIO_MIGRATION_ flags of the VFs
 * @express: offset of the PCI Express capability in their config space
 * @vanishes: the VFs or their driver may go
 * @good: a stream that each VF can load
 * @ends: streams that were read to the end
 * @loads: good streams that were written to the end
 */
struct storm_site {
	struct sim sim;
	const char *driver;
	struct storm_vf vf[STORM_VFS];
	uint64_t flags;
	unsigned int express;
	bool vanishes;
	struct blob good;
	uint64_t ends;
	uint64_t loads;
};

/* The first VFs of @sim are open, and the good stream is there. */
void storm_site_open(struct storm_site *site, const struct sim *sim, const char *driver);
/* Nothing is open any more. */
void storm_site_close(struct storm_site *site);

/* The open device, or NULL. */
struct vfio_device *storm_vf_get(struct storm_vf *vf);
void storm_vf_put(struct storm_vf *vf);
int __storm_vf_open(struct storm_vf *vf);
/* When nobody uses it any more. */
void storm_vf_close(struct storm_vf *vf);

/* The newest data FD, or NULL. */
struct storm_data *storm_data_get(struct storm_vf *vf);
void storm_data_put(struct storm_data *data);
/* A data FD takes the place of the one before. */
void storm_data_publish(struct storm_vf *vf, int fd, bool saves, bool orderly);

#endif /* LIB_STORM_SITE_H */
