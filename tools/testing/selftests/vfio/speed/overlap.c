// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the device works while the user does: several requests at once beside one after
 * the other, with the same buffers, and a user who is about as busy with a record as the
 * device is. Without production ahead, that is up to twice as fast.
 */
#include <stdio.h>

#include "bench.h"
#include "measure.h"
#include "transfer.h"

#define RUNS		7
#define STATE_SIZE	(8 * MIB)
#define RECORD_SIZE	(64 << 10)

struct overlap {
	const char *what;
	unsigned int latency;
	unsigned int prefetch;
	struct target target;
};

static double per_record(const struct outcome *outcome)
{
	return (double)outcome->us * RECORD_SIZE / outcome->bytes;
}

static void measure_reads(const struct overlap *overlap)
{
	const struct speed_config config = {
		.state_size = STATE_SIZE,
		.record_size = RECORD_SIZE,
		.save_latency = overlap->latency,
		.prefetch = PREFETCH_NONE,
	};
	struct series ratio = { 0 };
	struct outcome one, several;
	struct speed_device device;
	struct transfer transfer;
	unsigned int i;

	speed_open(&device, &config);
	transfer_open(&transfer, config.record_size);
	/* once for the caches, once to see what the device takes */
	transfer_read(&transfer, &device);
	one = transfer_read(&transfer, &device);
	transfer_tune(&transfer, per_record(&one));
	speed_set_prefetch(overlap->prefetch);
	for (i = 0; i < RUNS; i++) {
		one = transfer_read(&transfer, &device);
		several = transfer_read_queued(&transfer, &device);
		if (several.bytes != one.bytes)
			fail("the streams differ");
		series_add(&ratio, (double)one.us / several.us);
	}
	table_add(overlap->what, "", &ratio, overlap->target);
	transfer_close(&transfer);
	speed_close(&device);
}

void bench_reads_at_once(void)
{
	static const struct overlap overlaps[] = {
		{
			"four reads at once : `read()`, 1 ms per record of 64 KiB, nothing ahead",
			1000, PREFETCH_NONE, { AT_LEAST, 1.8 },
		}, {
			"the same, with records produced ahead for both",
			1000, PREFETCH_ALL, { NO_TARGET },
		}, {
			"four reads at once : `read()`, no latency, nothing ahead",
			0, PREFETCH_NONE, { AT_LEAST, 0.95 },
		}, {
			"four reads at once : `read()`, no latency, records produced ahead",
			0, PREFETCH_ALL, { AT_LEAST, 0.95 },
		},
	};
	unsigned int i;

	for (i = 0; i < sizeof(overlaps) / sizeof(*overlaps); i++)
		measure_reads(&overlaps[i]);
}

void bench_writes_at_once(void)
{
	const struct speed_config config = {
		.state_size = STATE_SIZE,
		.record_size = RECORD_SIZE,
		.load_latency = 1000,
		.prefetch = PREFETCH_ALL,
	};
	struct blob stream = { 0 };
	struct series ratio = { 0 };
	struct outcome one, several;
	struct speed_device device;
	struct transfer transfer;
	unsigned int i;

	speed_open(&device, &config);
	transfer_open(&transfer, config.record_size);
	mig_save(&device.source, &stream, MIB);
	transfer_write(&transfer, &device, &stream);
	one = transfer_write(&transfer, &device, &stream);
	transfer_tune(&transfer, per_record(&one));
	for (i = 0; i < RUNS; i++) {
		one = transfer_write(&transfer, &device, &stream);
		several = transfer_write_queued(&transfer, &device, &stream);
		series_add(&ratio, (double)one.us / several.us);
	}
	table_add("four writes at once : `write()`, 1 ms per record of 64 KiB", "", &ratio,
		  (struct target){ NO_TARGET });
	blob_free(&stream);
	transfer_close(&transfer);
	speed_close(&device);
}
