/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated host with one migration test device, and what the user of a VF does
 * with it: copies, interrupts, and the VF's own memory.
 *
 * As with struct sim a fixture takes over what it finds when the settings are the
 * same, and what a failed test leaves behind is thrown away.
 */
#ifndef LIB_TESTDEV_H
#define LIB_TESTDEV_H

#include <linux/migration_testdev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migration.h"
#include "sim.h"

#define DRIVER_SAMPLE	"vfio-mig-sample"

/**
 * struct testdev_config - what a fixture wants
 * @vfs: number of VFs, each bound to its entry of @drivers
 * @drivers: what drives each VF; NULL: nothing
 * @state_size: bytes of memory of a fresh VF
 * @save_latency: microseconds that a SAVE takes
 * @load_latency: microseconds that a LOAD takes
 */
struct testdev_config {
	unsigned int vfs;
	const char *drivers[TESTDEV_MAX_VFS];
	uint64_t state_size;
	uint64_t save_latency;
	uint64_t load_latency;
};

/**
 * struct testdev_host - a live host
 * @pf: PCI address of the PF
 * @vf: PCI addresses of its VFs
 */
struct testdev_host {
	char pf[SIM_ADDRESS];
	char vf[TESTDEV_MAX_VFS][SIM_ADDRESS];
};

/* The beginning of a test program, like sim_prepare(). */
void testdev_prepare(void);
int __testdev_get(struct testdev_host *host, const struct testdev_config *config);
/* The next @times commands with this number end with @status; PENDING: only by a reset. */
int __testdev_fail(const struct testdev_host *host, uint32_t command, uint32_t status,
		   unsigned int times);

/* The memory of a VF, behind its driver's back. */
int __testdev_resize(const char *address, uint64_t size);
int __testdev_write(const char *address, uint64_t offset, const void *data, size_t length);
int __testdev_read(const char *address, uint64_t offset, void *data, size_t length);
uint64_t testdev_size(const char *address);
/* Resizes and fills with the pattern of @seed. */
void testdev_fill(const char *address, uint64_t size, uint32_t seed);
bool testdev_matches(const char *address, uint64_t size, uint32_t seed);
/* So many bytes of the pattern, to be freed. */
void *testdev_pattern(uint64_t size, uint32_t seed);

/* The user's memory: a source and a destination. */
#define TESTDEV_IOVA	0x40000000ULL
#define TESTDEV_AREA	(4UL << 20)

/**
 * struct testdev_user - access to an open VF
 * @dev: the VF
 * @source: TESTDEV_AREA bytes at TESTDEV_IOVA
 * @destination: TESTDEV_AREA bytes behind @source, for the VF as well
 */
struct testdev_user {
	struct vfio_device *dev;
	unsigned char *source;
	unsigned char *destination;
};

/*
 * Maps BAR and memory, lets the VF be bus master. The memory is that of @shared if
 * there is one, as if it had moved along.
 */
int __testdev_attach(struct testdev_user *user, struct vfio_device *dev,
		     const struct testdev_user *shared);
uint32_t testdev_get(struct testdev_user *user, unsigned int reg);
uint64_t testdev_get64(struct testdev_user *user, unsigned int reg);
void testdev_put(struct testdev_user *user, unsigned int reg, uint32_t value);
void testdev_put64(struct testdev_user *user, unsigned int reg, uint64_t value);
/* Starts to copy the first @length bytes of the source @count times. */
void testdev_start_copy(struct testdev_user *user, uint32_t length, uint32_t count);
void testdev_start_fill(struct testdev_user *user, uint64_t offset, uint32_t length,
			uint32_t seed);
/* Waits for the end of the command. Its TESTDEV_VF_STATUS_, or -ETIMEDOUT. */
int __testdev_wait(struct testdev_user *user);
/* Waits until @more further copies are done. */
int __testdev_progress(struct testdev_user *user, uint64_t more);
/* Whether the VF does nothing for some time. */
bool testdev_is_quiet(struct testdev_user *user);

#define testdev_get_host(...)	must(__testdev_get(__VA_ARGS__))
#define testdev_fail(...)	must(__testdev_fail(__VA_ARGS__))
#define testdev_resize(...)	must(__testdev_resize(__VA_ARGS__))
#define testdev_write(...)	must(__testdev_write(__VA_ARGS__))
#define testdev_read(...)	must(__testdev_read(__VA_ARGS__))
#define testdev_attach(...)	must(__testdev_attach(__VA_ARGS__))
#define testdev_wait(...)	((int)must(__testdev_wait(__VA_ARGS__)))
#define testdev_progress(...)	must(__testdev_progress(__VA_ARGS__))

#endif /* LIB_TESTDEV_H */
