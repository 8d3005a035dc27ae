// SPDX-License-Identifier: GPL-2.0-only
/*
 * A migration as QEMU does it.
 *
 * Before the blackout the targets resume already, and with pre-copy they have the
 * whole state once, of which something changes again before the sources stop. In
 * the blackout all devices stop to start anything (P2P) before the first one stops
 * altogether, and the other way round in the end. Reading and writing overlap, as they
 * do on two machines.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "client.h"
#include "device.h"
#include "events.h"

#define SEED		3
/* Bytes of each state that change between pre-copy and the blackout. */
#define CHANGES		(4 * MIB)
#define SMALL_WRITE	(32 << 10)
/* Seconds until a thread must be through. */
#define LIMIT		180
/* A device that does not change is soon copied. */
#define MAX_PASSES	64

/**
 * struct flow - the data of some devices, in order, through one conduit
 * @client: whose
 * @first: the first device
 * @end: behind the last one
 * @conduit: where it goes through
 */
struct flow {
	struct client *client;
	unsigned int first;
	unsigned int end;
	struct conduit *conduit;
};

/**
 * struct task - something to be done with one device
 * @client: whose
 * @device: number of the device
 * @run: what
 */
struct task {
	struct client *client;
	unsigned int device;
	void (*run)(struct client *client, unsigned int device);
};

static pthread_t start_thread(void *(*run)(void *argument), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, argument))
		fail("cannot create a thread");
	return thread;
}

static void join_thread(pthread_t thread)
{
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += LIMIT;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &limit))
		fail("a thread does not end");
}

static void *run_task(void *argument)
{
	struct task *task = argument;

	task->run(task->client, task->device);
	return NULL;
}

static void with_all(struct client *client,
		     void (*run)(struct client *client, unsigned int device))
{
	struct task tasks[ADAPTER_VFS];
	pthread_t threads[ADAPTER_VFS];
	unsigned int i;

	for (i = 0; i < client->count; i++) {
		tasks[i] = (struct task){ .client = client, .device = i, .run = run };
		if (client->concurrent)
			threads[i] = start_thread(run_task, &tasks[i]);
		else
			run_task(&tasks[i]);
	}
	for (i = 0; client->concurrent && i < client->count; i++)
		join_thread(threads[i]);
}

/* One piece after the other, to the end of the data. -errno if it cannot be read. */
static int read_all(struct flow *flow, unsigned int device)
{
	int fd = flow->client->devices[device].from;
	struct piece *piece;
	ssize_t done;

	for (;;) {
		piece = conduit_room(flow->conduit);
		done = read(fd, piece->data, CONDUIT_PIECE);
		if (done <= 0)
			return done ? -errno : 0;
		piece->device = device;
		piece->length = done;
		conduit_put(flow->conduit);
	}
}

static void end_flow(struct flow *flow)
{
	conduit_room(flow->conduit)->length = 0;
	conduit_put(flow->conduit);
}

static void *write_all(void *argument)
{
	struct flow *flow = argument;
	struct client *client = flow->client;
	size_t step = client->concurrent ? CONDUIT_PIECE : SMALL_WRITE;
	unsigned int device = ADAPTER_VFS;
	struct piece *piece;

	while ((piece = conduit_next(flow->conduit))->length) {
		if (piece->device != device) {
			if (device != ADAPTER_VFS)
				events_end("load", device);
			device = piece->device;
			events_begin("load", device);
		}
		stream_write(client->devices[device].to, piece->data, piece->length, step);
		conduit_took(flow->conduit);
	}
	conduit_took(flow->conduit);
	if (device != ADAPTER_VFS)
		events_end("load", device);
	return NULL;
}

/* Until the device says that there is nothing more for now. */
static void copy_before(struct flow *flow, unsigned int device)
{
	struct client_device *dev = &flow->client->devices[device];
	struct vfio_precopy_info info;
	unsigned int pass;
	int error;

	for (pass = 0; pass < MAX_PASSES; pass++) {
		info = (struct vfio_precopy_info){ .argsz = sizeof(info) };
		if (ioctl(dev->from, VFIO_MIG_GET_PRECOPY_INFO, &info))
			fail("no estimate: %s", strerror(errno));
		if (!info.initial_bytes && !info.dirty_bytes)
			return;
		error = read_all(flow, device);
		if (error && error != -ENOMSG)
			fail("read: %s", strerror(-error));
	}
	fail("pre-copy does not end");
}

static void copy_precopy(struct flow *flow)
{
	unsigned int i;

	for (i = flow->first; i < flow->end; i++)
		copy_before(flow, i);
}

static void copy_final(struct flow *flow)
{
	struct client *client = flow->client;
	unsigned int i;
	int error;

	for (i = flow->first; i < flow->end; i++) {
		events_begin("save", i);
		if (!client->precopy)
			client->devices[i].from = mig_begin(&client->devices[i].source,
							    STATE_STOP_COPY);
		error = read_all(flow, i);
		if (error)
			fail("read: %s", strerror(-error));
		events_end("save", i);
	}
}

/* Reads in this thread, writes in another one. */
static void run_flow(struct client *client, unsigned int first, unsigned int end,
		     void (*copy)(struct flow *flow))
{
	struct flow flow = {
		.client = client,
		.first = first,
		.end = end,
		.conduit = &client->devices[first].conduit,
	};
	pthread_t writer = start_thread(write_all, &flow);

	copy(&flow);
	end_flow(&flow);
	join_thread(writer);
}

static void transfer_one(struct client *client, unsigned int device)
{
	run_flow(client, device, device + 1, copy_final);
}

static void quiesce(struct client *client, unsigned int device)
{
	events_begin("stop", device);
	mig_set_state(&client->devices[device].source,
		      client->precopy ? STATE_PRE_COPY_P2P : STATE_RUNNING_P2P, NULL);
	events_end("stop", device);
}

/* A device with pre-copy goes on with the session that it has. */
static void stop(struct client *client, unsigned int device)
{
	events_begin("stop", device);
	mig_set_state(&client->devices[device].source,
		      client->precopy ? STATE_STOP_COPY : STATE_STOP, NULL);
	events_end("stop", device);
}

static void wake(struct client *client, unsigned int device)
{
	events_begin("start", device);
	mig_set_state(&client->devices[device].target, STATE_RUNNING_P2P, NULL);
	events_end("start", device);
}

static void run(struct client *client, unsigned int device)
{
	events_begin("start", device);
	mig_set_state(&client->devices[device].target, STATE_RUNNING, NULL);
	events_end("start", device);
}

uint64_t client_switch(struct client *client)
{
	uint64_t start = now_us();

	with_all(client, quiesce);
	with_all(client, stop);
	if (client->concurrent)
		with_all(client, transfer_one);
	else
		run_flow(client, 0, client->count, copy_final);
	with_all(client, wake);
	with_all(client, run);
	return now_us() - start;
}

/* What is there is written again: that the bytes are the same is nothing that it knows. */
static void change(struct client *client, unsigned int device)
{
	const char *address = client->devices[device].source.address;
	unsigned char *data = speed_memory(CHANGES);

	sim_bulk_read(address, 0, data, CHANGES);
	sim_bulk_write(address, 0, data, CHANGES);
	munmap(data, CHANGES);
}

/* QEMU keeps asking the source how much there is, while the VM runs. */
void client_prepare(struct client *client)
{
	uint64_t size;
	unsigned int i;

	for (i = 0; i < client->count; i++) {
		mig_data_size(&client->devices[i].source, &size);
		client->devices[i].to = mig_begin(&client->devices[i].target, STATE_RESUMING);
	}
	if (!client->precopy)
		return;
	for (i = 0; i < client->count; i++)
		client->devices[i].from = mig_begin(&client->devices[i].source, STATE_PRE_COPY);
	run_flow(client, 0, client->count, copy_precopy);
	for (i = 0; i < client->count; i++)
		change(client, i);
}

void client_finish(struct client *client)
{
	unsigned int i;

	for (i = 0; i < client->count; i++) {
		struct client_device *dev = &client->devices[i];

		mig_set_state(&dev->source, STATE_RUNNING, NULL);
		close(dev->from);
		close(dev->to);
	}
}

void client_verify(struct client *client, uint64_t state_size)
{
	unsigned int i;

	for (i = 0; i < client->count; i++)
		if (!sim_bulk_matches(client->devices[i].target.address, state_size, SEED + i))
			fail("the state of device %u has not arrived", i);
}

void client_open(struct client *client, const struct adapters *adapters, uint64_t state_size)
{
	unsigned int i;

	memset(client, 0, sizeof(*client));
	for (i = 0; i < ADAPTER_VFS; i++) {
		struct client_device *dev = &client->devices[i];

		vfio_open(&dev->source, adapters->source.vf[i]);
		vfio_open(&dev->target, adapters->target.vf[i]);
		sim_bulk_fill(dev->source.address, state_size, SEED + i);
		conduit_open(&dev->conduit);
	}
}

void client_close(struct client *client)
{
	unsigned int i;

	for (i = 0; i < ADAPTER_VFS; i++) {
		vfio_close(&client->devices[i].source);
		vfio_close(&client->devices[i].target);
		conduit_close(&client->devices[i].conduit);
	}
}
