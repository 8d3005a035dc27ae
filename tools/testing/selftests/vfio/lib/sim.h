/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated host with one adapter and its virtual functions.
 *
 * Going live and enabling VFs takes seconds, so a fixture takes over what it
 * finds when the settings are the same, and what a failed test leaves behind is
 * thrown away. A VF starts afresh when VFIO opens it.
 */
#ifndef LIB_SIM_H
#define LIB_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"

#define SIM_ROOT	"/sys/kernel/config/pcisim"
#define SIM_HOST	SIM_ROOT "/kselftest"
#define SIM_HCA		SIM_HOST "/hca.0"
#define SIM_MAX_VFS	7
#define SIM_ADDRESS	20

#define DRIVER_OURS	"mlx5_vfio_mig"
#define DRIVER_IN_TREE	"mlx5_vfio_pci"
#define DRIVER_PLAIN	"vfio-pci"

#define SIM_VENDOR	0x15b3
#define SIM_PF_DEVICE	0x101d
#define SIM_VF_DEVICE	0x101e

/* Firmware commands that tests make fail, and statuses to fail them with. */
enum sim_opcode {
	SIM_QUERY_HCA_CAP	= 0x100,
	SIM_SUSPEND_VHCA	= 0x115,
	SIM_RESUME_VHCA		= 0x116,
	SIM_QUERY_VHCA_STATE	= 0x117,
	SIM_SAVE_VHCA		= 0x118,
	SIM_LOAD_VHCA		= 0x119,
	SIM_CREATE_MKEY		= 0x200,
	SIM_ALLOC_PD		= 0x800,
};

enum sim_status {
	SIM_STATUS_INTERNAL	= 0x1,	/* EIO */
	SIM_STATUS_PARAMETER	= 0x3,	/* EINVAL */
	SIM_STATUS_LIMIT	= 0x8,	/* ENOMEM */
};

/**
 * struct sim_config - what a fixture wants
 * @vfs: number of VFs, each bound to its entry of @drivers
 * @drivers: what drives each VF; NULL: nothing
 * @state_size: bytes of bulk state of a fresh VF
 * @generated_size: bytes of a bulk state that is not stored, in place of @state_size; 0: it is
 * @chunk_size: bytes of an image, 0: any number
 * @no_migration: the PF's firmware cannot migrate
 * @not_migratable: the VFs may not migrate
 * @no_pf_driver: the PF stays without driver; no VFs then
 */
struct sim_config {
	unsigned int vfs;
	const char *drivers[SIM_MAX_VFS];
	uint64_t state_size;
	uint64_t generated_size;
	uint64_t chunk_size;
	bool no_migration;
	bool not_migratable;
	bool no_pf_driver;
};

#define SIM_CHUNK (8 << 20)

/**
 * struct sim - a live host
 * @pf: PCI address of the adapter
 * @vf: PCI addresses of its VFs
 * @vfs: number of VFs
 */
struct sim {
	char pf[SIM_ADDRESS];
	char vf[SIM_MAX_VFS][SIM_ADDRESS];
	unsigned int vfs;
};

/* Modules of the simulator are loaded: those for all models, or also the adapter's. */
int __sim_load_core(void);
int __sim_load(void);
/* The settings under which the simulator's modules get loaded. */
const char *sim_options(void);
/* A host with these settings is live, its VFs are bound. */
int __sim_get(struct sim *sim, const struct sim_config *config);
/* No simulated host exists. */
int __sim_remove_all(void);
int __sim_remove_host(const char *host);

int __sim_enable_vfs(struct sim *sim, unsigned int vfs);
/* @driver NULL: unbinds. */
int __sim_bind(const char *address, const char *driver);
/* Name of the driver of a function, empty if there is none. */
int __sim_driver(const char *address, char *name, size_t room);

uint64_t sim_counter(const char *address, const char *name);
int __sim_fail(const struct sim *sim, enum sim_opcode opcode, enum sim_status status,
	       unsigned int times);

/* The memory of a function that a debugfs file shows: all of it, or -errno. */
int sim_debug_access(const char *address, const char *file, uint64_t offset, void *data,
		     size_t length, bool store);

int __sim_bulk_resize(const char *address, uint64_t size);
int __sim_bulk_write(const char *address, uint64_t offset, const void *data, size_t length);
int __sim_bulk_read(const char *address, uint64_t offset, void *data, size_t length);
uint64_t sim_bulk_size(const char *address);

#define sim_load()		must(__sim_load())
#define sim_get(...)		must(__sim_get(__VA_ARGS__))
#define sim_remove_all()	must(__sim_remove_all())
#define sim_remove_host(...)	must(__sim_remove_host(__VA_ARGS__))
#define sim_enable_vfs(...)	must(__sim_enable_vfs(__VA_ARGS__))
#define sim_bind(...)		must(__sim_bind(__VA_ARGS__))
#define sim_driver(...)		must(__sim_driver(__VA_ARGS__))
#define sim_fail(...)		must(__sim_fail(__VA_ARGS__))
#define sim_bulk_resize(...)	must(__sim_bulk_resize(__VA_ARGS__))
#define sim_bulk_write(...)	must(__sim_bulk_write(__VA_ARGS__))
#define sim_bulk_read(...)	must(__sim_bulk_read(__VA_ARGS__))
#define sim_bulk_change(...)	must(__sim_bulk_change(__VA_ARGS__))

/* A state that is not stored: pages from the @first on change, to those of this version. */
int __sim_bulk_change(const char *address, uint64_t first, uint64_t pages, uint32_t version);
/* Whether it is made of these runs of pages: "<first page> <pages> <version>", a line each. */
bool sim_bulk_versions(const char *address, const char *lines);

/* Bulk state that differs in every 8 bytes and with every @seed. */
void sim_bulk_fill(const char *address, uint64_t size, unsigned int seed);
bool sim_bulk_matches(const char *address, uint64_t size, unsigned int seed);

/*
 * The beginning of a test program: the simulator is loaded, and nothing is left behind
 * in the end, whatever the tests do. Ends the program when it cannot run.
 */
void sim_prepare(void);
/* The same, for programs that use other modules than the adapter's. */
void sim_prepare_with(int (*load)(void), const char *modules);
/* The end of a test with this exit code, in the parent: a failed one leaves nothing. */
void sim_teardown(int exit_code);

#endif /* LIB_SIM_H */
