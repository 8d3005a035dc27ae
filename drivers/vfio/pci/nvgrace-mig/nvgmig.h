/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of nvgrace-vfio-mig share.
 *
 * Lock order, outermost first::
 *
 *	mmap_lock
 *	  vfio_pci_core_device::memory_lock
 *	    nvgmig_device::reset_lock
 *	      i_mmap_rwsem, page tables
 *	nvgmig_memory::map_lock
 *	nvgmig_device::config_lock
 *
 * None is held while user memory is touched or while the device is waited for. A
 * reset may hold memory_lock from before reset_prepare until after reset_done, and
 * may wait in there for what copies memory for a migration. So nothing that
 * migration calls takes memory_lock, except by trylock, or when no session exists
 * (nvgmig_power_resumed()).
 */
#ifndef NVGMIG_H
#define NVGMIG_H

#include <linux/atomic.h>
#include <linux/memory-failure.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vfio_pci_mig.h>
#include <linux/workqueue.h>

struct dentry;
struct nvgmig_device;
struct nvgmig_migration;

/* The kernel's driver, firmware and the guest's driver agree on these. */
#define NVGMIG_RESMEM_REGION		VFIO_PCI_BAR2_REGION_INDEX
#define NVGMIG_USEMEM_REGION		VFIO_PCI_BAR4_REGION_INDEX
#define NVGMIG_MEMORIES			2

/**
 * struct nvgmig_memory - a part of the coherent memory, which the user sees as a BAR
 * @dev: the device; constant
 * @name: "usemem" or "resmem"; constant
 * @index: the VFIO region; constant
 * @base: physical address, aligned to a page; constant
 * @length: bytes, a multiple of the page size, 0 if there is no such part; constant
 * @bar_size: size of the region: @length rounded up to a power of two; constant
 * @write_combined: mapped as write-combined instead of cacheable; constant
 * @map_lock: protects the making of @map
 * @map: the kernel's mapping of all of it, made when it is first needed while the
 *	device is open, gone after close; nvgmig_memory_map()
 * @pfns: tells us about memory errors while @watched
 * @watched: @pfns is registered; open and close only
 * @poisoned: a bit for each page that has an uncorrectable error. Bits are only
 *	ever set, from any context.
 * @poison_count: number of these bits; a bit is counted after it was set
 */
struct nvgmig_memory {
	struct nvgmig_device *dev;
	const char *name;
	unsigned int index;
	phys_addr_t base;
	u64 length;
	u64 bar_size;
	bool write_combined;

	struct mutex map_lock; /* who makes the mapping */
	void *map;

	struct pfn_address_space pfns;
	bool watched;
	unsigned long *poisoned;
	atomic_long_t poison_count;
};

/**
 * struct nvgmig_device - a GPU with coherent memory, or without any
 * @core: first, its address is the PCI driver data
 * @memory: resmem and usemem, in the order of their regions
 * @config_lock: protects @bars
 * @bars: what the user wrote to the BARs of @memory, in the same order
 * @cxl_dvsec: offset of the CXL device's DVSEC, 0 if there is none; constant
 * @reset_lock: held for read by who touches the memory for as long as that takes,
 *	for write to change the four members below
 * @resetting: between reset_prepare and reset_done
 * @ready: the memory can be touched
 * @given_up: it did not become ready in time; nobody waits for it any more
 * @resets: number of resets that began or ended
 * @power_writes: number of the user's writes to the power state in config space; a write
 *	is counted before it takes effect
 * @poison_work: takes mappings of poisoned pages away
 * @debugfs: directory of the device
 * @migration: belongs to migration.c; NULL if the device cannot migrate
 */
struct nvgmig_device {
	struct vfio_pci_mig_device core;
	struct nvgmig_memory memory[NVGMIG_MEMORIES];

	spinlock_t config_lock; /* the virtual BARs */
	u64 bars[NVGMIG_MEMORIES];

	int cxl_dvsec;
	struct rw_semaphore reset_lock; /* touches of the memory against a reset */
	bool resetting;
	bool ready;
	bool given_up;
	unsigned int resets;

	atomic64_t power_writes;
	struct work_struct poison_work;
	struct dentry *debugfs;
	struct nvgmig_migration *migration;
};

static inline struct nvgmig_device *to_nvgmig(struct vfio_device *vdev)
{
	return container_of(vdev, struct nvgmig_device, core.core.vdev);
}

static inline struct nvgmig_memory *nvgmig_resmem(struct nvgmig_device *dev)
{
	return &dev->memory[0];
}

static inline struct nvgmig_memory *nvgmig_usemem(struct nvgmig_device *dev)
{
	return &dev->memory[1];
}

/* NULL: there is none, or no further one. */
static inline struct nvgmig_memory *nvgmig_first_memory(struct nvgmig_device *dev)
{
	if (nvgmig_resmem(dev)->length)
		return nvgmig_resmem(dev);
	return nvgmig_usemem(dev)->length ? nvgmig_usemem(dev) : NULL;
}

static inline struct nvgmig_memory *nvgmig_next_memory(struct nvgmig_memory *mem)
{
	struct nvgmig_memory *usemem = nvgmig_usemem(mem->dev);

	return mem < usemem && usemem->length ? usemem : NULL;
}

/* Without coherent memory the device is served as by vfio-pci. */
static inline bool nvgmig_has_memory(const struct nvgmig_device *dev)
{
	return dev->memory[1].length;
}

/* With &vfio_pci_mig_mmio.block, the user's touches while the device is stopped */
static inline bool nvgmig_blocked(struct nvgmig_device *dev)
{
	lockdep_assert_held(&dev->core.core.memory_lock);
	if (!READ_ONCE(dev->core.mmio.blocked))
		return false;
	atomic64_inc(&dev->core.mmio.violations);
	return true;
}

/* properties.c: what firmware says of the memory, and how it is divided */
int nvgmig_properties_init(struct nvgmig_device *dev);

/* memory.c: the kernel's access to the memory */
void *nvgmig_memory_map(struct nvgmig_memory *mem);
void nvgmig_memory_unmap(struct nvgmig_memory *mem);

/**
 * struct nvgmig_transfer - what happens to a piece of memory
 * @to: it is copied to here, or NULL
 * @from: it is copied from here, or NULL; if both are NULL it is cleared
 */
struct nvgmig_transfer {
	void *to;
	const void *from;
};

/* With a mapping, and reset_lock held for read while the device is ready; 0 or -EHWPOISON. */
int nvgmig_touch(struct nvgmig_memory *mem, u64 offset, size_t length,
		 const struct nvgmig_transfer *transfer);

/*
 * For migration: @offset and @length lie in @mem. Process context, no lock of VFIO held. They
 * wait until the device is ready after a reset, killably, for the time that the
 * documentation names, and another reset ends that. memory-enable and the power state are
 * not looked at. They return 0, or, with an undefined part done:
 *	-EHWPOISON	a page with a memory error, known or found just now
 *	-ENODEV		the device is being reset
 *	-ETIMEDOUT	not ready in time
 *	-EIO		not ready, and gone
 *	-EBUSY		the device sleeps (runtime PM)
 *	-ENOMEM		no mapping
 *	-EINTR		the process is being killed
 */
int nvgmig_memory_copy_out(struct nvgmig_memory *mem, u64 offset, void *to, size_t length);
int nvgmig_memory_copy_in(struct nvgmig_memory *mem, u64 offset, const void *from, size_t length);
int nvgmig_memory_clear(struct nvgmig_memory *mem, u64 offset, size_t length);

/* access.c: read() and write() of the memory's regions; what the user may touch now */
struct nvgmig_memory *nvgmig_find_memory(struct nvgmig_device *dev, unsigned int index);
ssize_t nvgmig_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos);
ssize_t nvgmig_write(struct vfio_device *vdev, const char __user *buf, size_t count,
		     loff_t *ppos);

/* mmap.c: the user's mappings of the memory */
int nvgmig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);
void nvgmig_zap(struct nvgmig_memory *mem, u64 offset, u64 length);

/* region.c: what the user is told of the regions, and what can be done to them */
int nvgmig_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
			   struct vfio_info_cap *caps);
long nvgmig_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg);
extern const struct vfio_pci_device_ops nvgmig_pci_ops;
void nvgmig_dma_buf_open(struct nvgmig_device *dev);
void nvgmig_dma_buf_close(struct nvgmig_device *dev);

/* config.c: the BARs of the memory in config space */
bool nvgmig_config_is_virtual(struct nvgmig_device *dev, loff_t pos, size_t count);
ssize_t nvgmig_config_read(struct nvgmig_device *dev, char __user *buf, size_t count,
			   loff_t *ppos);
ssize_t nvgmig_config_write(struct nvgmig_device *dev, const char __user *buf, size_t count,
			    loff_t *ppos);
void nvgmig_config_reset(struct nvgmig_device *dev);
void nvgmig_config_note_power(struct nvgmig_device *dev, loff_t pos, size_t count);
/* For migration: both dwords of a memory's BAR as the user wrote them */
u64 nvgmig_config_get(struct nvgmig_device *dev, const struct nvgmig_memory *mem);
void nvgmig_config_set(struct nvgmig_device *dev, const struct nvgmig_memory *mem, u64 value);

/* ready.c: whether the memory can be touched after power-on and after a reset */
int nvgmig_ready_probe(struct nvgmig_device *dev);
void nvgmig_ready_forget(struct nvgmig_device *dev);
bool nvgmig_is_ready(struct nvgmig_device *dev);
int nvgmig_ready_check(struct nvgmig_device *dev);
int nvgmig_ready_wait(struct nvgmig_device *dev);

/* poison.c: pages with uncorrectable errors */
int nvgmig_poison_init(struct nvgmig_device *dev);
void nvgmig_poison_fini(struct nvgmig_device *dev);
int nvgmig_poison_watch(struct nvgmig_device *dev);
void nvgmig_poison_unwatch(struct nvgmig_device *dev);
void nvgmig_poison_add(struct nvgmig_memory *mem, u64 offset);
/* The offset of the first poisoned page at or after @offset, or @end if there is none before. */
u64 nvgmig_poison_next(const struct nvgmig_memory *mem, u64 offset, u64 end);

/* reset.c: the beginning and the end of every reset */
extern const struct pci_error_handlers nvgmig_err_handlers;

/* debugfs.c */
void nvgmig_debugfs_init(void);
void nvgmig_debugfs_exit(void);
void nvgmig_debugfs_add(struct nvgmig_device *dev);
void nvgmig_debugfs_remove(struct nvgmig_device *dev);

/*
 * migration.c. init is for devices with memory only, from &vfio_device_ops.init after
 * vfio_pci_core_init_dev(); it calls vfio_pci_mig_init() unless migration is switched off,
 * and undoes what it did when it fails. fini is for every device when it is released.
 */
int nvgmig_migration_module_init(void);
void nvgmig_migration_module_exit(void);
int nvgmig_migration_init(struct nvgmig_device *dev);
void nvgmig_migration_fini(struct nvgmig_device *dev);

#endif /* NVGMIG_H */
