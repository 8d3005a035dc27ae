// SPDX-License-Identifier: GPL-2.0-only
/*
 * Downtime: from the first source that stops to the last target that runs, with our driver
 * and with the kernel's own, one after the other.
 *
 * What the adapter takes for itself is modelled after published figures: 70 ms to load the
 * configuration of a VF, 1480 ms to register the memory of 300 MB. An emulated CPU is many
 * times slower than the CPUs that these were seen with, and copying would hide the rest: the
 * figures are multiplied by what this machine lacks to COPY_RATE, found out before. Simulators
 * take CPU time, too, which is in all results.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "client.h"
#include "device.h"
#include "events.h"
#include "file.h"
#include "measure.h"

#define ROUNDS		3
#define STATE_SIZE	(100 * MIB)
/* Images of that. */
#define IMAGES		(STATE_SIZE / SIM_CHUNK + 1)
/* Of a machine with such an adapter, in bytes per microsecond. */
#define COPY_RATE	10000

#define LOAD_TIME	70000	/* microseconds for a device */
#define PAGE_TIME	20200	/* nanoseconds for a page of memory */

enum { ONE, TWO, FOUR, COUNTS };
static const unsigned int counts[COUNTS] = { 1, 2, 4 };

/**
 * struct way - one way to migrate
 * @name: in the table
 * @file: in names of files
 * @precopy: see struct client
 * @concurrent: see struct client
 * @us: the downtime in each round, for each driver and number of devices
 */
struct way {
	const char *name;
	const char *file;
	bool precopy;
	bool concurrent;
	struct series us[ADAPTER_DRIVERS][COUNTS];
};

static struct way ways[] = {
	{
		.name = "stop-and-copy, a device at a time",
		.file = "stop-and-copy-sequential",
	}, {
		.name = "stop-and-copy, all devices at once",
		.file = "stop-and-copy-concurrent",
		.concurrent = true,
	}, {
		.name = "after pre-copy, a device at a time",
		.file = "pre-copy-sequential",
		.precopy = true,
	}, {
		.name = "after pre-copy, all devices at once",
		.file = "pre-copy-concurrent",
		.precopy = true,
		.concurrent = true,
	},
};

#define WAYS (sizeof(ways) / sizeof(*ways))

/* How many times slower than COPY_RATE this machine copies. */
static double find_slowness(void)
{
	const size_t size = 32 * MIB;
	unsigned char *from = speed_memory(size), *to = speed_memory(size);
	struct series us = { 0 };
	double slowness;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		uint64_t start = now_us();

		memcpy(to, from, size);
		__asm__ volatile("" : : "r"(to) : "memory");
		series_add(&us, now_us() - start);
	}
	munmap(from, size);
	munmap(to, size);
	slowness = series_median(&us) * COPY_RATE / size;
	return slowness > 1 ? slowness : 1;
}

/* Images that are loaded before the blackout cost nothing: nobody waits for them. */
static void set_time(const struct adapters *adapters, const struct way *way, double slowness)
{
	adapters_time(adapters, "load_latency",
		      LOAD_TIME * slowness / (way->precopy ? 1 : IMAGES));
}

static uint64_t migrate(struct client *client, const struct adapters *adapters,
			const struct way *way, double slowness)
{
	uint64_t us;

	client->precopy = way->precopy;
	client->concurrent = way->concurrent;
	client_prepare(client);
	set_time(adapters, way, slowness);
	us = client_switch(client);
	adapters_time(adapters, "load_latency", 0);
	return us;
}

/* The folder for traces, if anybody wants them. */
static const char *trace_folder(void)
{
	return getenv("SPEED_TRACES");
}

/* Once more, for what is to be seen: a trace costs time. */
static void trace(struct client *client, const struct adapters *adapters, const struct way *way,
		  enum adapter_driver driver, double slowness)
{
	unsigned int i;

	client->count = counts[FOUR];
	events_open();
	for (i = 0; i < client->count; i++)
		events_device(i, client->devices[i].source.address,
			      client->devices[i].target.address);
	migrate(client, adapters, way, slowness);
	events_store(path("%s/%s.%s", trace_folder(), way->file,
			  adapter_driver_names[driver]));
	client_finish(client);
}

static void run_driver(const struct adapters *adapters, enum adapter_driver driver,
		       unsigned int round, double slowness)
{
	unsigned int i, n;
	struct client client;

	adapters_bind(adapters, driver, ADAPTER_VFS);
	client_open(&client, adapters, STATE_SIZE);
	for (i = 0; i < WAYS; i++) {
		for (n = 0; n < COUNTS; n++) {
			uint64_t us;

			client.count = counts[n];
			us = migrate(&client, adapters, &ways[i], slowness);
			if (!round)
				client_verify(&client, STATE_SIZE);
			client_finish(&client);
			series_add(&ways[i].us[driver][n], us);
			fprintf(stderr, "   %s, %s, %u VFs: %llu ms\n", ways[i].name,
				adapter_driver_names[driver], client.count,
				(unsigned long long)us / 1000);
		}
		if (!round && trace_folder())
			trace(&client, adapters, &ways[i], driver, slowness);
	}
	client_close(&client);
}

static struct series ratio_of(const struct series *over, const struct series *under)
{
	struct series ratio = { 0 };
	unsigned int i;

	for (i = 0; i < over->count; i++)
		series_add(&ratio, over->values[i] / under->values[i]);
	return ratio;
}

static void report_drivers(const struct way *way, unsigned int n)
{
	struct series ratio = ratio_of(&way->us[OURS][n], &way->us[IN_TREE][n]);
	const char *what = path("downtime, %s, %u VF%s : the in-tree driver's", way->name,
				counts[n], n == ONE ? "" : "s");

	table_add(what, "", &ratio,
		  (struct target){ n == FOUR ? AT_MOST : NO_TARGET, 0.5 });
}

static void report_growth(const struct way *way, enum adapter_driver driver)
{
	struct series ratio = ratio_of(&way->us[driver][FOUR], &way->us[driver][ONE]);
	const char *what = path("downtime, %s, 4 VFs : 1 VF, %s", way->name,
				driver == OURS ? "ours" : "in-tree");

	table_add(what, "", &ratio,
		  (struct target){ driver == OURS && way->concurrent ? AT_MOST : NO_TARGET, 1.3 });
}

/* In the adapter's time, so that parts of it can be compared with what is modelled. */
static void report_time(const struct way *way, enum adapter_driver driver, double slowness)
{
	struct series ms = { 0 };
	unsigned int i;

	for (i = 0; i < way->us[driver][FOUR].count; i++)
		series_add(&ms, way->us[driver][FOUR].values[i] / slowness / 1000);
	table_add(path("downtime, %s, 4 VFs, %s, divided by the slowness", way->name,
		       driver == OURS ? "ours" : "in-tree"), " ms", &ms,
		  (struct target){ NO_TARGET });
}

static void report(double slowness)
{
	struct series factor = { 0 };
	unsigned int i, n;

	series_add(&factor, slowness);
	table_add("slowness: how many times the adapter's latencies are those of hardware", "",
		  &factor, (struct target){ NO_TARGET });
	for (i = 0; i < WAYS; i++) {
		for (n = 0; n < COUNTS; n++)
			report_drivers(&ways[i], n);
		report_growth(&ways[i], OURS);
		report_growth(&ways[i], IN_TREE);
		report_time(&ways[i], OURS, slowness);
		report_time(&ways[i], IN_TREE, slowness);
	}
}

void bench_blackout(void)
{
	double slowness = find_slowness();
	struct adapters adapters;
	unsigned int round;

	adapters_make(&adapters, SIM_CHUNK);
	adapters_time(&adapters, "page_cost", PAGE_TIME * slowness);
	for (round = 0; round < ROUNDS; round++) {
		fprintf(stderr, "   downtime, round %u of %u\n", round + 1, ROUNDS);
		run_driver(&adapters, IN_TREE, round, slowness);
		run_driver(&adapters, OURS, round, slowness);
	}
	adapters_remove();
	report(slowness);
}
