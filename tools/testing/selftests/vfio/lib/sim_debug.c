// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the simulator shows and lets one change beside PCI: counters, failing
 * commands, and the bulk state of a VF.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest.h"
#include "file.h"
#include "sim.h"

#define DEBUG_ROOT "/sys/kernel/debug/pcisim"

uint64_t sim_counter(const char *address, const char *name)
{
	return file_read_number(path(DEBUG_ROOT "/%s/%s", address, name));
}

int __sim_fail(const struct sim *sim, enum sim_opcode opcode, enum sim_status status,
	       unsigned int times)
{
	char text[16];
	int error;

	/* nothing may fail while the three files do not fit together */
	error = __file_write(path(DEBUG_ROOT "/%s/fail_times", sim->pf), "0");
	snprintf(text, sizeof(text), "0x%x", opcode);
	if (!error)
		error = __file_write(path(DEBUG_ROOT "/%s/fail_opcode", sim->pf), text);
	if (!error)
		error = __file_write_number(path(DEBUG_ROOT "/%s/fail_status", sim->pf), status);
	if (!error)
		error = __file_write_number(path(DEBUG_ROOT "/%s/fail_times", sim->pf), times);
	return error;
}

int __sim_bulk_resize(const char *address, uint64_t size)
{
	return __file_write_number(path(DEBUG_ROOT "/%s/bulk_size", address), size);
}

uint64_t sim_bulk_size(const char *address)
{
	return sim_counter(address, "bulk_size");
}

int sim_debug_access(const char *address, const char *file, uint64_t offset, void *data,
		     size_t length, bool store)
{
	int fd = open(path(DEBUG_ROOT "/%s/%s", address, file), O_RDWR | O_CLOEXEC);
	size_t done = 0;
	ssize_t now = 1;

	if (fd < 0)
		return -errno;
	while (done < length && now > 0) {
		now = store ? pwrite(fd, data + done, length - done, offset + done) :
			      pread(fd, data + done, length - done, offset + done);
		if (now > 0)
			done += now;
	}
	close(fd);
	return now < 0 ? -errno : done < length ? -ENODATA : 0;
}

int __sim_bulk_write(const char *address, uint64_t offset, const void *data, size_t length)
{
	return sim_debug_access(address, "bulk", offset, (void *)data, length, true);
}

int __sim_bulk_read(const char *address, uint64_t offset, void *data, size_t length)
{
	return sim_debug_access(address, "bulk", offset, data, length, false);
}

int __sim_bulk_change(const char *address, uint64_t first, uint64_t pages, uint32_t version)
{
	char text[64];

	snprintf(text, sizeof(text), "%llu %llu %u", (unsigned long long)first,
		 (unsigned long long)pages, version);
	return __file_write(path(DEBUG_ROOT "/%s/versions", address), text);
}

bool sim_bulk_versions(const char *address, const char *lines)
{
	char seen[1024];

	file_read(path(DEBUG_ROOT "/%s/versions", address), seen, sizeof(seen));
	if (!strcmp(seen, lines))
		return true;
	ksft_print_msg("%s has other pages:\n%s\n", address, seen);
	return false;
}

static void *make_bulk(uint64_t size, unsigned int seed)
{
	uint64_t *words = malloc((size | 7) + 1);
	uint64_t i;

	if (!words)
		fail("no memory for %llu bytes", (unsigned long long)size);
	for (i = 0; i <= size / 8; i++)
		words[i] = (i + 1) * 0x9e3779b97f4a7c15ULL ^ seed;
	return words;
}

void sim_bulk_fill(const char *address, uint64_t size, unsigned int seed)
{
	void *bulk = make_bulk(size, seed);

	sim_bulk_resize(address, size);
	sim_bulk_write(address, 0, bulk, size);
	free(bulk);
}

bool sim_bulk_matches(const char *address, uint64_t size, unsigned int seed)
{
	bool matches = sim_bulk_size(address) == size;
	void *expected, *seen;

	if (!matches)
		return false;
	expected = make_bulk(size, seed);
	seen = make_bulk(size, ~seed);
	sim_bulk_read(address, 0, seen, size);
	matches = !memcmp(expected, seen, size);
	free(expected);
	free(seen);
	return matches;
}
