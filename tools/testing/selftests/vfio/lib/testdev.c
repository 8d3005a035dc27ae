// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host of a migration test device: configfs, sysfs and debugfs. Nothing is
 * remembered between calls: what exists is read from the kernel.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest.h"
#include "file.h"
#include "module.h"
#include "testdev.h"

#define DEBUG_ROOT	"/sys/kernel/debug/pcisim"
#define DEVICES		"/sys/bus/pci/devices"
#define FUNCTION	SIM_HOST "/testdev.0"
#define PF_DRIVER	DRIVER_SAMPLE "-pf"

/* Other programs unload what these modules use. */
void testdev_prepare(void)
{
	sim_prepare();
	if (__module_load("pcisim-testdev", NULL) || __module_load(DRIVER_SAMPLE, NULL)) {
		ksft_print_msg("cannot load pcisim-testdev and " DRIVER_SAMPLE "\n");
		exit(KSFT_FAIL);
	}
}

static bool setting_is(const char *name, uint64_t value)
{
	uint64_t seen;

	return !__file_read_number(path(FUNCTION "/%s", name), &seen) && seen == value;
}

static bool can_take_over(const struct testdev_config *config)
{
	return setting_is("state_size", config->state_size) &&
	       setting_is("save_latency", config->save_latency) &&
	       setting_is("load_latency", config->load_latency) &&
	       !__file_write(SIM_HOST "/live", "1");
}

static int apply(const char *name, uint64_t value)
{
	return __file_write_number(path(FUNCTION "/%s", name), value);
}

static int create(const struct testdev_config *config)
{
	int error = __sim_remove_all();

	if (error)
		return error;
	if (mkdir(SIM_HOST, 0755) || mkdir(FUNCTION, 0755))
		return -errno;
	error = apply("total_vfs", TESTDEV_MAX_VFS);
	if (!error)
		error = apply("state_size", config->state_size);
	if (!error)
		error = apply("save_latency", config->save_latency);
	if (!error)
		error = apply("load_latency", config->load_latency);
	if (!error)
		error = __file_write(SIM_HOST "/live", "1");
	return error;
}

static int bind_pf(const char *address)
{
	char bound[32];
	int error = __sim_driver(address, bound, sizeof(bound));

	if (!error && !bound[0])
		error = __file_write("/sys/bus/pci/drivers_probe", address);
	if (!error)
		error = __sim_driver(address, bound, sizeof(bound));
	return error ?: strcmp(bound, PF_DRIVER) ? -ENODEV : 0;
}

int __testdev_get(struct testdev_host *host, const struct testdev_config *config)
{
	struct sim sim;
	unsigned int i;
	int error = 0;

	if (!can_take_over(config))
		error = create(config);
	if (!error)
		error = __file_read(FUNCTION "/address", host->pf, sizeof(host->pf));
	if (error < 0)
		return error;
	memcpy(sim.pf, host->pf, sizeof(sim.pf));
	error = bind_pf(host->pf);
	if (!error)
		error = __sim_enable_vfs(&sim, config->vfs);
	for (i = 0; !error && i < config->vfs; i++) {
		memcpy(host->vf[i], sim.vf[i], sizeof(host->vf[i]));
		error = __sim_bind(host->vf[i], config->drivers[i]);
	}
	return error ?: __testdev_fail(host, 0, 0, 0);
}

static int set_debug(const char *address, const char *name, uint64_t value)
{
	return __file_write_number(path(DEBUG_ROOT "/%s/%s", address, name), value);
}

int __testdev_fail(const struct testdev_host *host, uint32_t command, uint32_t status,
		   unsigned int times)
{
	/* nothing may fail while the three files do not fit together */
	int error = set_debug(host->pf, "fail_times", 0);

	if (!error)
		error = set_debug(host->pf, "fail_command", command);
	if (!error)
		error = set_debug(host->pf, "fail_status", status);
	if (!error)
		error = set_debug(host->pf, "fail_times", times);
	return error;
}

int __testdev_resize(const char *address, uint64_t size)
{
	return set_debug(address, "memory_size", size);
}

uint64_t testdev_size(const char *address)
{
	return sim_counter(address, "memory_size");
}

int __testdev_write(const char *address, uint64_t offset, const void *data, size_t length)
{
	return sim_debug_access(address, "memory", offset, (void *)data, length, true);
}

int __testdev_read(const char *address, uint64_t offset, void *data, size_t length)
{
	return sim_debug_access(address, "memory", offset, data, length, false);
}

void *testdev_pattern(uint64_t size, uint32_t seed)
{
	uint64_t *words = malloc((size | 7) + 1);
	uint64_t i;

	if (!words)
		fail("no memory for %llu bytes", (unsigned long long)size);
	for (i = 0; i <= size / 8; i++)
		words[i] = htole64((i + 1) * TESTDEV_PATTERN ^ seed);
	return words;
}

void testdev_fill(const char *address, uint64_t size, uint32_t seed)
{
	void *pattern = testdev_pattern(size, seed);

	testdev_resize(address, size);
	testdev_write(address, 0, pattern, size);
	free(pattern);
}

bool testdev_matches(const char *address, uint64_t size, uint32_t seed)
{
	bool matches = testdev_size(address) == size;
	void *expected, *seen;

	if (!matches)
		return false;
	expected = testdev_pattern(size, seed);
	seen = testdev_pattern(size, ~seed);
	testdev_read(address, 0, seen, size);
	matches = !memcmp(expected, seen, size);
	free(expected);
	free(seen);
	return matches;
}
