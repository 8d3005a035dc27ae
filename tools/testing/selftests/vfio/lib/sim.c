// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated hosts through configfs, their functions through sysfs and debugfs.
 * Nothing is remembered between calls: what exists is read from the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest.h"
#include "file.h"
#include "module.h"
#include "sim.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

/* The window that the bench's virtual machine keeps free of memory. */
#define DEFAULT_OPTIONS "window_base=0x80000000 window_size=0x20000000"

const char *sim_options(void)
{
	return getenv("PCISIM_OPTIONS") ?: DEFAULT_OPTIONS;
}

int __sim_load_core(void)
{
	if (!file_exists("/sys/kernel/config/pcisim"))
		mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	if (!file_exists("/sys/kernel/debug/pcisim"))
		mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	return __module_load("pcisim", sim_options()) ?: __module_load("vfio_iommu_type1", NULL);
}

int __sim_load(void)
{
	return __sim_load_core() ?: __module_load("pcisim_hca", NULL);
}

static int remove_children(const char *host)
{
	struct dirent *entry;
	DIR *dir = opendir(host);
	int error = 0;

	if (!dir)
		return -errno;
	while (!error && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    rmdir(path("%s/%s", host, entry->d_name)))
			error = -errno;
	closedir(dir);
	return error;
}

/* The PCI core warns when VFs vanish together with their PF's driver. */
static void disable_all_vfs(const char *host)
{
	struct dirent *entry;
	DIR *dir = opendir(host);
	char address[SIM_ADDRESS];

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    __file_read(path("%s/%s/address", host, entry->d_name), address,
				sizeof(address)) > 0)
			__file_write(path(PCI_DEVICES "/%s/sriov_numvfs", address), "0");
	closedir(dir);
}

int __sim_remove_host(const char *name)
{
	char host[PATH_ROOM];
	int error;

	/* a name that path() made does not last as long as it takes here */
	snprintf(host, sizeof(host), "%s", name);
	disable_all_vfs(host);
	error = __file_write(path("%s/live", host), "0");
	if (!error)
		error = remove_children(host);
	if (!error && rmdir(host))
		error = -errno;
	return error;
}

int __sim_remove_all(void)
{
	struct dirent *entry;
	DIR *dir = opendir(SIM_ROOT);
	int error = 0;

	if (!dir)
		return 0;
	while (!error && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			error = __sim_remove_host(path(SIM_ROOT "/%s", entry->d_name));
	closedir(dir);
	return error;
}

static int apply_setting(const char *name, uint64_t value)
{
	return __file_write_number(path(SIM_HCA "/%s", name), value);
}

static bool setting_is(const char *name, uint64_t value)
{
	uint64_t seen;

	return !__file_read_number(path(SIM_HCA "/%s", name), &seen) && seen == value;
}

static bool can_take_over(const struct sim_config *config)
{
	return setting_is("state_size", config->state_size) &&
	       setting_is("generated_size", config->generated_size) &&
	       setting_is("chunk_size", config->chunk_size) &&
	       setting_is("migration", !config->no_migration) &&
	       setting_is("migratable", !config->not_migratable) &&
	       !__file_write(SIM_HOST "/live", "1");
}

static int create(const struct sim_config *config)
{
	int error = __sim_remove_all();

	if (error)
		return error;
	if (mkdir(SIM_HOST, 0755) || mkdir(SIM_HCA, 0755))
		return -errno;
	error = apply_setting("state_size", config->state_size);
	if (!error)
		error = apply_setting("generated_size", config->generated_size);
	if (!error)
		error = apply_setting("chunk_size", config->chunk_size);
	if (!error)
		error = apply_setting("migration", !config->no_migration);
	if (!error)
		error = apply_setting("migratable", !config->not_migratable);
	if (!error)
		error = __file_write(SIM_HOST "/live", "1");
	return error;
}

int __sim_driver(const char *address, char *name, size_t room)
{
	int error = __link_name(path(PCI_DEVICES "/%s/driver", address), name, room);

	if (error == -ENOENT && file_exists(path(PCI_DEVICES "/%s", address))) {
		name[0] = 0;
		return 0;
	}
	return error;
}

int __sim_bind(const char *address, const char *driver)
{
	char bound[32];
	int error = __sim_driver(address, bound, sizeof(bound));

	if (error || !strcmp(bound, driver ?: ""))
		return error;
	if (bound[0]) {
		error = __file_write(path(PCI_DEVICES "/%s/driver/unbind", address), address);
		if (error)
			return error;
	}
	error = __file_write(path(PCI_DEVICES "/%s/driver_override", address), driver ?: "\n");
	if (error || !driver)
		return error;
	error = __module_load(driver, NULL);
	if (!error)
		error = __file_write("/sys/bus/pci/drivers_probe", address);
	if (!error)
		error = __sim_driver(address, bound, sizeof(bound));
	return error ?: strcmp(bound, driver) ? -ENODEV : 0;
}

int __sim_enable_vfs(struct sim *sim, unsigned int vfs)
{
	const char *numvfs = path(PCI_DEVICES "/%s/sriov_numvfs", sim->pf);
	uint64_t enabled;
	unsigned int i;
	int error;

	error = __file_read_number(numvfs, &enabled);
	if (!error && enabled != vfs) {
		error = __file_write(path(PCI_DEVICES "/%s/sriov_drivers_autoprobe", sim->pf),
				     "0");
		if (!error && enabled)
			error = __file_write(numvfs, "0");
		if (!error && vfs)
			error = __file_write_number(numvfs, vfs);
	}
	for (i = 0; !error && i < vfs; i++)
		error = __link_name(path(PCI_DEVICES "/%s/virtfn%u", sim->pf, i), sim->vf[i],
				    SIM_ADDRESS);
	sim->vfs = vfs;
	return error;
}

static int bind_pf(struct sim *sim)
{
	char bound[32];
	int error = __module_load("mlx5_core", NULL);

	if (!error)
		error = __sim_driver(sim->pf, bound, sizeof(bound));
	if (!error && !bound[0])
		error = __file_write("/sys/bus/pci/drivers_probe", sim->pf);
	if (!error)
		error = __sim_driver(sim->pf, bound, sizeof(bound));
	return error ?: strcmp(bound, "mlx5_core") ? -ENODEV : 0;
}

int __sim_get(struct sim *sim, const struct sim_config *config)
{
	unsigned int i;
	int error = __sim_load();

	if (!error && !can_take_over(config))
		error = create(config);
	if (!error)
		error = __file_read(SIM_HCA "/address", sim->pf, SIM_ADDRESS);
	if (error < 0)
		return error;
	if (config->no_pf_driver) {
		sim->vfs = 0;
		__file_write(path(PCI_DEVICES "/%s/sriov_numvfs", sim->pf), "0");
		return __sim_bind(sim->pf, NULL);
	}
	error = bind_pf(sim);
	if (!error)
		error = __sim_enable_vfs(sim, config->vfs);
	for (i = 0; !error && i < config->vfs; i++)
		error = __sim_bind(sim->vf[i], config->drivers[i]);
	if (!error)
		error = __sim_fail(sim, 0, 0, 0);
	return error;
}

static void remove_all_at_exit(void)
{
	__sim_remove_all();
}

void sim_prepare_with(int (*load)(void), const char *modules)
{
	if (getuid()) {
		ksft_print_msg("needs root\n");
		exit(KSFT_SKIP);
	}
	if (load()) {
		ksft_print_msg("cannot load %s\n", modules);
		exit(KSFT_FAIL);
	}
	__sim_remove_all();
	atexit(remove_all_at_exit);
}

void sim_prepare(void)
{
	sim_prepare_with(__sim_load, "pcisim and pcisim-hca");
}

void sim_teardown(int exit_code)
{
	if (exit_code && exit_code != KSFT_SKIP)
		sim_remove_all();
}
