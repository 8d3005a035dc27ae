// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hosts with simulated GPUs, through configfs, sysfs and debugfs. Nothing is remembered
 * between calls: what exists is read from the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest.h"
#include "file.h"
#include "gpu.h"
#include "module.h"
#include "page.h"

#define DEBUG_ROOT	"/sys/kernel/debug/pcisim"
#define DEVICES		"/sys/bus/pci/devices"
#define FUNCTION	SIM_HOST "/gpu.%u"
/* A property that says what is true. */
#define TRUTH		UINT64_MAX
/* No function ends up here. */
#define FIRST_FREE_SLOT	GPU_MAX
/* Bytes of the memory that are looked at in one go. */
#define PIECE		GPU_MEBI(1)

/* The memory that the bench's virtual machine keeps for GPUs. */
#define DEFAULT_OPTIONS	"memory_base=0x100000000 memory_size=0x100000000"

const struct gpu_traits gpu_traits[GPU_KINDS] = {
	[GPU_HOPPER] = { 0x2342, GPU_MEBI(1024 + 640), 1, false, 0 },
	[GPU_HOPPER_480] = { 0x2345, GPU_MEBI(1024 + 640), 1, false, 0 },
	[GPU_HOPPER_SKU] = { 0x2348, GPU_MEBI(1024 + 640), 1, false, 0 },
	[GPU_BLACKWELL] = { 0x2941, GPU_MEBI(64), 2, false, GPU_MEBI(1) },
	[GPU_BLACKWELL_CXL] = { 0x31c2, GPU_MEBI(64), 2, true, GPU_MEBI(1) },
};

/* Other programs unload what these modules use. */
static void unload_at_exit(void)
{
	__sim_remove_all();
	__module_unload_soon("nvgrace_vfio_mig");
	__module_unload_soon("pcisim_gpu");
}

int __gpu_load(void)
{
	return __module_load("pcisim-gpu", getenv("PCISIM_GPU_OPTIONS") ?: DEFAULT_OPTIONS);
}

static int load_all(void)
{
	return __sim_load_core() ?: __gpu_load();
}

void gpu_prepare(void)
{
	sim_prepare_with(load_all, "pcisim and pcisim-gpu");
	atexit(unload_at_exit);
}

#define SETTINGS 14

struct setting {
	const char *name;
	uint64_t value;
};

/* The number of a function behind its port, or on the root bus. */
static unsigned int slot_of(const struct gpu_config *configs, unsigned int index)
{
	unsigned int slot = 0;
	unsigned int i;

	for (i = 0; i < index; i++)
		if (configs[i].port == configs[index].port)
			slot++;
	return slot;
}

static void list_settings(const struct gpu_config *configs, unsigned int index,
			  struct setting *settings)
{
	const struct gpu_config *config = &configs[index];
	const struct gpu_traits *traits = &gpu_traits[config->kind];
	const struct setting all[SETTINGS] = {
		{ "device_id", traits->device },
		{ "memory_size", config->memory_size ?: traits->memory_size },
		{ "properties", !config->no_properties },
		{ "reported_base", config->reports ? config->reported_base : TRUTH },
		{ "reported_size", config->reports ? config->reported_size : TRUTH },
		{ "works_cached", traits->works_cached },
		{ "cxl", traits->cxl },
		{ "cxl_timeout", config->cxl_timeout },
		{ "info_valid_after", config->info_valid_after },
		{ "ready_after", config->ready_after },
		{ "no_soft_reset", config->no_soft_reset },
		{ "bar2_size", traits->bar2_size },
		{ "port", config->port },
		{ "slot", slot_of(configs, index) },
	};

	memcpy(settings, all, sizeof(all));
}

static bool function_is(const struct gpu_config *configs, unsigned int index)
{
	struct setting settings[SETTINGS];
	uint64_t seen;
	unsigned int i;

	list_settings(configs, index, settings);
	for (i = 0; i < SETTINGS; i++)
		if (__file_read_number(path(FUNCTION "/%s", index, settings[i].name), &seen) ||
		    seen != settings[i].value)
			return false;
	return true;
}

static unsigned int count_functions(void)
{
	DIR *dir = opendir(SIM_HOST);
	struct dirent *entry;
	unsigned int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static bool can_take_over(const struct gpu_config *configs, unsigned int count)
{
	unsigned int i;

	if (count_functions() != count)
		return false;
	for (i = 0; i < count; i++)
		if (!function_is(configs, i))
			return false;
	return !__file_write(SIM_HOST "/live", "1");
}

/* By way of a slot that is free behind each port. */
static int make_function(const struct gpu_config *configs, unsigned int index)
{
	struct setting settings[SETTINGS];
	unsigned int i;
	int error;

	if (mkdir(path(FUNCTION, index), 0755))
		return -errno;
	list_settings(configs, index, settings);
	error = __file_write_number(path(FUNCTION "/slot", index), FIRST_FREE_SLOT + index);
	for (i = 0; !error && i < SETTINGS; i++)
		error = __file_write_number(path(FUNCTION "/%s", index, settings[i].name),
					    settings[i].value);
	return error;
}

static int create(const struct gpu_config *configs, unsigned int count)
{
	int error = __sim_remove_all();
	unsigned int i;

	if (!error && mkdir(SIM_HOST, 0755))
		error = -errno;
	for (i = 0; !error && i < count; i++)
		error = make_function(configs, i);
	return error ?: __file_write(SIM_HOST "/live", "1");
}

static int set_debug(const char *address, const char *name, uint64_t value)
{
	return __file_write_number(path(DEBUG_ROOT "/%s/%s", address, name), value);
}

/* What earlier tests have changed is as after power-on, but for the memory. */
static int restore(const char *address, const struct gpu_config *config)
{
	int error = set_debug(address, "info_valid_after", config->info_valid_after);

	if (!error)
		error = set_debug(address, "ready_after", config->ready_after);
	return error ?: __file_write(path(DEVICES "/%s/reset", address), "1");
}

int __gpu_get(struct gpu_host *host, const struct gpu_config *configs, unsigned int count)
{
	bool found = can_take_over(configs, count);
	int error = found ? 0 : create(configs, count);
	unsigned int i;

	host->count = count;
	for (i = 0; error >= 0 && i < count; i++)
		error = __file_read(path(FUNCTION "/address", i), host->gpu[i], SIM_ADDRESS);
	for (i = 0; found && error >= 0 && i < count; i++)
		error = restore(host->gpu[i], &configs[i]);
	for (i = 0; error >= 0 && i < count; i++)
		error = __sim_bind(host->gpu[i], configs[i].driver);
	return error < 0 ? error : 0;
}

uint64_t gpu_memory_base(const char *address)
{
	return sim_counter(address, "memory_base");
}

uint64_t gpu_memory_size(const char *address)
{
	return sim_counter(address, "memory_size");
}

int __gpu_write(const char *address, uint64_t offset, const void *data, size_t length)
{
	return sim_debug_access(address, "memory", offset, (void *)data, length, true);
}

int __gpu_read(const char *address, uint64_t offset, void *data, size_t length)
{
	return sim_debug_access(address, "memory", offset, data, length, false);
}

static uint64_t *make_pattern(uint64_t offset, uint64_t length, unsigned int seed)
{
	uint64_t *words = malloc(length);
	uint64_t i;

	if (!words)
		fail("no memory for %llu bytes", (unsigned long long)length);
	for (i = 0; i < length / 8; i++)
		words[i] = (offset / 8 + i + 1) * 0x9e3779b97f4a7c15ULL ^ seed;
	return words;
}

void gpu_fill(const char *address, uint64_t offset, uint64_t length, unsigned int seed)
{
	uint64_t end = offset + length;

	for (; offset < end; offset += length) {
		uint64_t *words;

		length = end - offset < PIECE ? end - offset : PIECE;
		words = make_pattern(offset, length, seed);
		gpu_write(address, offset, words, length);
		free(words);
	}
}

bool gpu_matches(const char *address, uint64_t offset, uint64_t length, unsigned int seed)
{
	uint64_t end = offset + length;
	bool matches = true;

	for (; matches && offset < end; offset += length) {
		uint64_t *expected, *seen;

		length = end - offset < PIECE ? end - offset : PIECE;
		expected = make_pattern(offset, length, seed);
		seen = make_pattern(offset, length, ~seed);
		gpu_read(address, offset, seen, length);
		matches = !memcmp(expected, seen, length);
		free(expected);
		free(seen);
	}
	return matches;
}

int __gpu_ready(const char *address, bool ready)
{
	return set_debug(address, "ready", ready);
}

bool gpu_is_ready(const char *address)
{
	return sim_counter(address, "ready");
}

int __gpu_ready_after(const char *address, uint32_t milliseconds)
{
	return set_debug(address, "ready_after", milliseconds);
}

bool gpu_can_poison(const char *address)
{
	/* behind the end: refused for that, or because nothing can be done at all */
	int error = set_debug(address, "poison", gpu_memory_size(address));

	if (error != -EINVAL && error != -EOPNOTSUPP)
		fail("poison answers %d", error);
	return error == -EINVAL;
}

int __gpu_poison(const char *address, uint64_t offset)
{
	return set_debug(address, "poison", offset);
}

bool gpu_is_poisoned(const char *address, uint64_t offset)
{
	FILE *lines = fopen(path(DEBUG_ROOT "/%s/poison", address), "re");
	unsigned long long page;
	bool found = false;

	if (!lines)
		fail("no list of poisoned pages");
	while (!found && fscanf(lines, "%llx", &page) == 1)
		found = page == (offset & ~(PAGE - 1));
	fclose(lines);
	return found;
}
