// SPDX-License-Identifier: GPL-2.0-only
/*
 * One simulated host with two adapters. A fresh VF has a small state: there would not be
 * memory for large ones of VFs that nobody uses.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters.h"
#include "file.h"
#include "module.h"

#define HOST		SIM_ROOT "/speed"
#define STATE_SIZE	(1 << 20)

const char * const adapter_driver_names[ADAPTER_DRIVERS] = {
	[IN_TREE] = DRIVER_IN_TREE,
	[OURS] = DRIVER_OURS,
};

static void make_function(const char *function, unsigned int slot, uint64_t chunk_size)
{
	if (mkdir(function, 0755))
		fail("%s: %s", function, strerror(errno));
	file_write_number(path("%s/slot", function), slot);
	file_write_number(path("%s/state_size", function), STATE_SIZE);
	file_write_number(path("%s/chunk_size", function), chunk_size);
}

static void bring_up(struct sim *adapter, const char *function)
{
	char bound[32];

	file_read(path("%s/address", function), adapter->pf, sizeof(adapter->pf));
	sim_driver(adapter->pf, bound, sizeof(bound));
	if (!bound[0])
		file_write("/sys/bus/pci/drivers_probe", adapter->pf);
	sim_enable_vfs(adapter, ADAPTER_VFS);
}

void adapters_make(struct adapters *adapters, uint64_t chunk_size)
{
	sim_remove_all();
	module_load("mlx5_core", NULL);
	if (mkdir(HOST, 0755))
		fail(HOST ": %s", strerror(errno));
	make_function(HOST "/hca.0", 0, chunk_size);
	make_function(HOST "/hca.1", 1, chunk_size);
	file_write(HOST "/live", "1");
	bring_up(&adapters->source, HOST "/hca.0");
	bring_up(&adapters->target, HOST "/hca.1");
}

void adapters_remove(void)
{
	sim_remove_host(HOST);
}

void adapters_bind(const struct adapters *adapters, enum adapter_driver driver, unsigned int vfs)
{
	unsigned int i;

	for (i = 0; i < ADAPTER_VFS; i++) {
		const char *name = i < vfs ? adapter_driver_names[driver] : NULL;

		sim_bind(adapters->source.vf[i], name);
		sim_bind(adapters->target.vf[i], name);
	}
}

void adapters_time(const struct adapters *adapters, const char *name, uint64_t value)
{
	const char *file = "/sys/kernel/debug/pcisim/%s/timing/%s";

	file_write_number(path(file, adapters->source.pf, name), value);
	file_write_number(path(file, adapters->target.pf, name), value);
}
