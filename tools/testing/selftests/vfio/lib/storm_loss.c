// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a storm that takes devices away: from their users, from their driver, and
 * from the firmware behind them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "file.h"
#include "storm_acts.h"

/* The kernel does not open a device that somebody else is resetting. */
static const int reset_errors[] = { EAGAIN, 0 };
/* While the driver is away there is nothing to open. */
static const int open_errors[] = { EAGAIN, ENOENT, ENODEV, EINVAL, EBUSY, EPERM, 0 };

static void reopen(struct storm_actor *actor)
{
	struct storm_vf *vf = storm_pick(actor);

	if (vf->open)
		storm_vf_close(vf);
	storm_pause(actor, 100000);
	storm_note(actor, __storm_vf_open(vf));
	storm_pause(actor, 600000);
}

/* Others may wait for the devices, and nobody opens them any more. */
static void close_all(struct storm_actor *actor)
{
	struct storm_site *site = actor->site;
	unsigned int i;

	for (i = 0; i < STORM_VFS; i++)
		if (site->vf[i].open)
			storm_vf_close(&site->vf[i]);
}

void storm_add_reopening(struct storm *storm, struct storm_site *site)
{
	const int *errors = site->vanishes ? open_errors : reset_errors;
	struct storm_actor *actor;

	actor = storm_add(storm, "closing and opening", reopen, errors, site);
	actor->leave = close_all;
}

static void bind_again(struct storm_actor *actor)
{
	struct storm_site *site = actor->site;
	struct storm_vf *vf = storm_pick(actor);

	storm_note(actor, __sim_bind(vf->address, NULL));
	storm_pause(actor, 100000);
	storm_note(actor, __sim_bind(vf->address, site->driver));
	storm_pause(actor, 600000);
}

void storm_add_unbinding(struct storm *storm, struct storm_site *site)
{
	storm_add(storm, "unbinding and binding", bind_again, NULL, site);
}

static int enable_again(struct storm_actor *actor)
{
	struct storm_site *site = actor->site;
	unsigned int i;
	int error = __sim_enable_vfs(&site->sim, 0);

	storm_pause(actor, 100000);
	if (!error)
		error = __sim_enable_vfs(&site->sim, STORM_VFS);
	for (i = 0; !error && i < STORM_VFS; i++)
		error = __sim_bind(site->sim.vf[i], site->driver);
	return error;
}

static void disable(struct storm_actor *actor)
{
	storm_note(actor, enable_again(actor));
	storm_pause(actor, 2000000);
}

void storm_add_disabling(struct storm *storm, struct storm_site *site)
{
	storm_add(storm, "disabling and enabling VFs", disable, NULL, site);
}

/* devlink has no file to write to. */
static void start_anew(struct storm_actor *actor)
{
	struct storm_site *site = actor->site;
	int status = system(path(STORM_DEVLINK " dev reload pci/%s >/dev/null", site->sim.pf));

	storm_note(actor, WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO);
	storm_pause(actor, 2000000);
}

void storm_add_reloading(struct storm *storm, struct storm_site *site)
{
	storm_add(storm, "reloading of the PF's driver", start_anew, NULL, site);
}
