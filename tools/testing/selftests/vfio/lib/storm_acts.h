/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the actors of a storm do to a site, and what they may get for it. Each one picks
 * a VF anew every time.
 */
#ifndef LIB_STORM_ACTS_H
#define LIB_STORM_ACTS_H

#include "storm.h"
#include "storm_site.h"

/* For acts: one of the VFs. */
struct storm_vf *storm_pick(struct storm_actor *actor);

/* What is done to the devices and their states. */
void storm_add_device_acts(struct storm *storm, struct storm_site *site);
/* Readers and writers of data FDs. */
void storm_add_data_acts(struct storm *storm, struct storm_site *site);

/* Closing and opening again. */
void storm_add_reopening(struct storm *storm, struct storm_site *site);
/* The driver, or the VFs, go and come back. Waits for users, so it needs reopening. */
void storm_add_unbinding(struct storm *storm, struct storm_site *site);
void storm_add_disabling(struct storm *storm, struct storm_site *site);
/* The PF's driver starts anew, and the VFs stay. Needs this program. */
#define STORM_DEVLINK "/usr/sbin/devlink"
void storm_add_reloading(struct storm *storm, struct storm_site *site);

#endif /* LIB_STORM_ACTS_H */
