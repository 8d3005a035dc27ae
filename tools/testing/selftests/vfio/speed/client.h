/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a virtual machine monitor does with the devices of a guest that migrates: in the
 * order and in the pieces that QEMU does it, but for the guest's memory.
 */
#ifndef SPEED_CLIENT_H
#define SPEED_CLIENT_H

#include <stdbool.h>

#include "adapters.h"
#include "conduit.h"
#include "migration.h"

/**
 * struct client_device - a device on both sides
 * @source: where it leaves
 * @target: where it comes to
 * @from: data FD of @source
 * @to: data FD of @target
 * @conduit: its own, for a client that serves all devices at once
 */
struct client_device {
	struct vfio_device source;
	struct vfio_device target;
	int from;
	int to;
	struct conduit conduit;
};

/**
 * struct client - a guest's devices, open
 * @devices: all there are; those in the middle of a migration come first
 * @count: how many migrate
 * @concurrent: a thread for each device on either side, and pieces as they come;
 *	else one for all devices on either side, which writes in pieces of 32 KiB
 * @precopy: the devices' states are copied before they stop
 */
struct client {
	struct client_device devices[ADAPTER_VFS];
	unsigned int count;
	bool concurrent;
	bool precopy;
};

/* Devices of @adapters that have a driver; each source gets @state_size bytes of state. */
void client_open(struct client *client, const struct adapters *adapters, uint64_t state_size);
void client_close(struct client *client);

/* All that happens while the guest still runs. */
void client_prepare(struct client *client);
/* The blackout: from the first device that stops to the last one that runs. In microseconds. */
uint64_t client_switch(struct client *client);
/* Everything is as before. */
void client_finish(struct client *client);
/* Fails unless the state has arrived. */
void client_verify(struct client *client, uint64_t state_size);

#endif /* SPEED_CLIENT_H */
