// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole session of a large state: how fast it is, how much of it the CPU copies, and
 * how much memory it takes.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "bench.h"
#include "group.h"
#include "measure.h"
#include "transfer.h"

#define RUNS		7
#define STATE_SIZE	(64 * MIB)
#define LARGE_SIZE	(256 * MIB)

static double time_memfd(void)
{
	int fd = memfd_create("state", MFD_CLOEXEC);
	unsigned char *buffer = speed_memory(MIB);
	uint64_t start, at;

	for (at = 0; at < STATE_SIZE; at += MIB)
		if (pwrite(fd, buffer, MIB, at) != MIB)
			fail("memfd");
	start = now_us();
	for (at = 0; at < STATE_SIZE; at += MIB)
		if (pread(fd, buffer, MIB, at) != MIB)
			fail("memfd");
	start = now_us() - start;
	munmap(buffer, MIB);
	close(fd);
	return (double)STATE_SIZE / start;
}

static double time_pool(struct speed_device *device, unsigned char *buffer)
{
	uint64_t start = now_us();
	int fd = speed_begin(device);
	uint64_t bytes = speed_read_to_the_end(fd, buffer);
	double rate = (double)bytes / (now_us() - start);

	speed_end(device, fd);
	return rate;
}

void bench_session(void)
{
	const struct speed_config config = {
		.state_size = STATE_SIZE,
		.record_size = RECORD_DEFAULT,
		.prefetch = PREFETCH_ALL,
	};
	unsigned char *buffer = speed_memory(MIB);
	struct series ratio = { 0 }, rate = { 0 };
	struct speed_device device;
	unsigned int i;

	speed_open(&device, &config);
	for (i = 0; i <= RUNS; i++) {
		double pool = time_pool(&device, buffer);
		double memfd = time_memfd();

		if (!i)
			continue;
		series_add(&ratio, pool / memfd);
		series_add(&rate, pool);
	}
	table_add("64 MiB from the device, by 1 MiB `read()` : `pread()` of a memfd", "", &ratio,
		  (struct target){ NO_TARGET });
	table_add("the same, as it is in this machine", " MB/s", &rate,
		  (struct target){ NO_TARGET });
	speed_close(&device);
	munmap(buffer, MIB);
}

/* What has to be copied: the end record. */
#define END_SIZE sizeof(struct vfio_mig_end)
#define PREAMBLE_SIZE sizeof(struct vfio_mig_preamble)

/* Payload of images that the CPU copied in a session; all others went directly. */
static double count_copied(struct transfer *transfer, struct speed_device *device,
			   struct outcome *outcome)
{
	uint64_t copied = speed_counter(device, "bytes_copied");
	uint64_t direct = speed_counter(device, "bytes_direct");

	*outcome = transfer_read_queued(transfer, device);
	copied = speed_counter(device, "bytes_copied") - copied - PREAMBLE_SIZE - END_SIZE;
	direct = speed_counter(device, "bytes_direct") - direct;
	if (copied + direct < STATE_SIZE)
		fail("only %llu bytes were counted", (unsigned long long)(copied + direct));
	return copied;
}

void bench_direct(void)
{
	const struct speed_config config = {
		.state_size = STATE_SIZE,
		.record_size = RECORD_DEFAULT,
		.prefetch = PREFETCH_NONE,
	};
	struct series ratio = { 0 }, bytes = { 0 };
	struct outcome pool, direct;
	struct speed_device device;
	struct transfer transfer;
	unsigned int i;

	speed_open(&device, &config);
	transfer_open(&transfer, config.record_size);
	for (i = 0; i <= RUNS; i++) {
		double copied = count_copied(&transfer, &device, &direct);

		speed_set_prefetch(PREFETCH_ALL);
		pool = transfer_read(&transfer, &device);
		speed_set_prefetch(PREFETCH_NONE);
		if (!i)
			continue;
		series_add(&bytes, copied);
		series_add(&ratio, ((double)direct.bytes / direct.us) /
				   ((double)pool.bytes / pool.us));
	}
	table_add("payload of 64 MiB that the CPU copies in a direct save", " bytes", &bytes,
		  (struct target){ AT_MOST, 0 });
	table_add("direct save, four requests of a record : `read()` from the pool", "", &ratio,
		  (struct target){ NO_TARGET });
	transfer_close(&transfer);
	speed_close(&device);
}

/* In records: the most that there was at any time of a session. */
static double measure_memory(struct speed_device *device, unsigned char *buffer)
{
	uint64_t before = group_memory(), most;
	int fd = speed_begin(device);

	most = group_most_of_reading(fd, buffer, LARGE_SIZE, before);
	speed_end(device, fd);
	return (double)(most - before) / RECORD_DEFAULT;
}

void bench_memory(void)
{
	const struct speed_config config = {
		.state_size = LARGE_SIZE,
		.record_size = RECORD_DEFAULT,
		.prefetch = PREFETCH_ALL,
	};
	unsigned char *buffer = speed_memory(MIB);
	struct series memory = { 0 };
	struct speed_device device;
	unsigned int i;

	speed_open(&device, &config);
	group_enter();
	for (i = 0; i < 3; i++)
		series_add(&memory, measure_memory(&device, buffer));
	group_leave();
	/* a session that is not charged at all would look good */
	if (series_median(&memory) < 1)
		fail("the memory of a session is not counted");
	table_add("memory of a session of 256 MiB, read slowly", " records", &memory,
		  (struct target){ AT_MOST, 4 });
	speed_close(&device);
	munmap(buffer, MIB);
}
