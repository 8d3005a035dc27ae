// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it takes to read the state of a VF that is stopped, with our driver and with the
 * kernel's own: CPU time, with that of the kernel's workers, and time as such. Whole
 * sessions count, with the memory that they need.
 */
#include <endian.h>
#include <stdio.h>
#include <sys/mman.h>

#include "adapters.h"
#include "bench.h"
#include "busy.h"
#include "device.h"
#include "file.h"
#include "measure.h"
#include "transfer.h"

#define ROUNDS		7
#define STATE_SIZE	(256 * MIB)

/* read() of 1 MiB from either driver, and requests of a record from ours */
enum reader {
	READ_IN_TREE,
	READ_OURS,
	DIRECT,
	READERS,
};

/**
 * struct path_bench - two VFs, one with each driver, and what was seen of them
 * @adapters: where they are
 * @vf: stopped, with the state
 * @transfer: buffers for direct saves
 * @buffer: buffer for read()
 * @cpu: milliseconds of CPU time for a GiB, by reader
 * @rate: bytes in a microsecond
 * @copied: bytes of payload that the CPU copied in direct saves
 */
struct path_bench {
	struct adapters adapters;
	struct vfio_device vf[ADAPTER_DRIVERS];
	struct transfer transfer;
	unsigned char *buffer;
	struct series cpu[READERS];
	struct series rate[READERS];
	struct series copied;
};

/* A record that is not an image. Returns bytes of payload. */
static uint64_t skip_record(int fd, uint32_t tag)
{
	struct vfio_mig_record_header header;
	unsigned char payload[4096];

	speed_read(fd, &header, sizeof(header));
	if (le32toh(header.tag) != tag || le64toh(header.size) > sizeof(payload))
		fail("not the record %u, but %u", tag, le32toh(header.tag));
	return speed_read(fd, payload, le64toh(header.size));
}

/* Returns bytes of payload that are not of images. */
static uint64_t read_directly(struct path_bench *bench, int fd, uint64_t *bytes)
{
	uint64_t others = skip_record(fd, VFIO_MIG_TAG_PREAMBLE) +
			  skip_record(fd, VFIO_MIG_TAG_STOP_COPY_SIZE);

	*bytes = transfer_queue_all(&bench->transfer, fd).bytes;
	return others + sizeof(struct vfio_mig_end);
}

static uint64_t counter(const struct vfio_device *vf, const char *name)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/%s", vf->address, name));
}

static uint64_t read_session(struct path_bench *bench, enum reader reader, uint64_t *others)
{
	struct vfio_device *vf = &bench->vf[reader == READ_IN_TREE ? IN_TREE : OURS];
	int fd = mig_begin(vf, STATE_STOP_COPY);
	uint64_t bytes;

	if (reader == DIRECT)
		*others = read_directly(bench, fd, &bytes);
	else
		bytes = speed_read_to_the_end(fd, bench->buffer);
	mig_set_state(vf, STATE_STOP, NULL);
	close(fd);
	if (bytes < STATE_SIZE)
		fail("a state of %llu bytes", (unsigned long long)bytes);
	return bytes;
}

static void measure(struct path_bench *bench, enum reader reader, bool keep)
{
	uint64_t copied = counter(&bench->vf[OURS], "bytes_copied");
	struct busy before, after;
	uint64_t start, us, bytes, others = 0;

	speed_set_prefetch(reader == DIRECT ? PREFETCH_NONE : PREFETCH_ALL);
	busy_now(&before);
	start = now_us();
	bytes = read_session(bench, reader, &others);
	us = now_us() - start;
	busy_now(&after);
	if (!keep)
		return;
	series_add(&bench->cpu[reader],
		   busy_between(&before, &after) / 1e6 * (1 << 30) / bytes);
	series_add(&bench->rate[reader], (double)bytes / us);
	if (reader == DIRECT)
		series_add(&bench->copied,
			   counter(&bench->vf[OURS], "bytes_copied") - copied - others);
}

static void open_driver(struct path_bench *bench, enum adapter_driver driver)
{
	const char *address = bench->adapters.source.vf[driver];

	sim_bind(address, adapter_driver_names[driver]);
	vfio_open(&bench->vf[driver], address);
	sim_bulk_resize(address, STATE_SIZE);
	mig_set_state(&bench->vf[driver], STATE_STOP, NULL);
}

static void report_ratio(const char *what, const struct series *over, const struct series *under,
			 struct target target)
{
	struct series ratio = { 0 };
	unsigned int i;

	for (i = 0; i < over->count; i++)
		series_add(&ratio, over->values[i] / under->values[i]);
	table_add(what, "", &ratio, target);
}

static void report(const struct path_bench *bench)
{
	const struct target none = { NO_TARGET };
	const struct series *cpu = bench->cpu, *rate = bench->rate;

	report_ratio("CPU time to read 256 MiB, 1 MiB `read()` : the same, in-tree driver",
		     &cpu[READ_OURS], &cpu[READ_IN_TREE], none);
	report_ratio("CPU time to read 256 MiB, direct save : 1 MiB `read()`, in-tree driver",
		     &cpu[DIRECT], &cpu[READ_IN_TREE], (struct target){ AT_MOST, 0.5 });
	report_ratio("throughput, 1 MiB `read()` : the same, in-tree driver",
		     &rate[READ_OURS], &rate[READ_IN_TREE], none);
	report_ratio("throughput, direct save : 1 MiB `read()`, in-tree driver",
		     &rate[DIRECT], &rate[READ_IN_TREE], none);
	table_add("payload of 256 MiB that the CPU copies in a direct save", " bytes",
		  &bench->copied, (struct target){ AT_MOST, 0 });
	table_add("CPU time for a GiB, in-tree driver", " ms", &cpu[READ_IN_TREE], none);
	table_add("CPU time for a GiB, 1 MiB `read()`", " ms", &cpu[READ_OURS], none);
	table_add("CPU time for a GiB, direct save", " ms", &cpu[DIRECT], none);
}

void bench_read_path(void)
{
	static struct path_bench bench;
	unsigned int round, reader;

	adapters_make(&bench.adapters, SIM_CHUNK);
	open_driver(&bench, IN_TREE);
	open_driver(&bench, OURS);
	bench.buffer = speed_memory(MIB);
	transfer_open(&bench.transfer, SIM_CHUNK);
	/* the first round is for the caches */
	for (round = 0; round <= ROUNDS; round++)
		for (reader = 0; reader < READERS; reader++)
			measure(&bench, reader, round);
	speed_set_prefetch(PREFETCH_ALL);
	transfer_close(&bench.transfer);
	munmap(bench.buffer, MIB);
	vfio_close(&bench.vf[IN_TREE]);
	vfio_close(&bench.vf[OURS]);
	adapters_remove();
	report(&bench);
}
