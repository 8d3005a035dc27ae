/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of pcisim share.
 *
 * A host (struct pcisim_host) is one root bus, its physical functions and
 * their virtual functions, and root ports with physical functions behind them.
 * All functions of a host are allocated when it goes live, so that config
 * space, which is accessed in atomic context, answers as soon as SR-IOV is
 * enabled. What needs to sleep - the model's part and the thread - is started
 * and stopped by pcisim_function_start() and _stop(): for a PF by the host, for
 * a VF by the thread of its PF.
 *
 * Lock order:
 *
 *	configfs su_mutex
 *	  pcisim_host_config::lock
 *	    pci_rescan_remove_lock, device locks, iommu group mutex
 *	      pcisim_function::msix_lock
 *	      pcisim_function::dma_lock
 *	        xa_lock of pcisim_domain::pages or of its blocks
 *	      pcisim_host::config_lock
 *
 * The last three groups are not nested in each other. A model's callbacks are
 * called without any of these locks, @reset, @wake, @doorbell and @run in the
 * thread of the function.
 */
#ifndef PCISIM_PRIVATE_H
#define PCISIM_PRIVATE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/configfs.h>
#include <linux/ioport.h>
#include <linux/iommu.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rcuwait.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "pcisim.h"
#include "sysdata.h"

#define PCISIM_MAX_SLOTS	32
#define PCISIM_MAX_PORTS	8
/* Behind a port there is one device. */
#define PCISIM_PORT_SLOTS	8
#define PCISIM_MAX_FUNCTIONS	(256 + PCISIM_MAX_PORTS * PCISIM_PORT_SLOTS)
#define PCISIM_MAX_VFS		7
#define PCISIM_MAX_VECTORS	64

/* Where messages are written to, which the IOMMU keeps free; as x86 has it. */
#define PCISIM_MSI_BASE		0xfee00000
#define PCISIM_MSI_SIZE		SZ_1M

/* Where the capabilities are in config space. */
#define PCISIM_CAP_PM		0x40
#define PCISIM_CAP_EXP		0x50
#define PCISIM_CAP_MSIX		0x90
#define PCISIM_CAP_SRIOV	PCI_CFG_SPACE_SIZE
#define PCISIM_CONFIG_SIZE	0x200

/* What all links can do, and do. */
#define PCISIM_LINK		(PCI_EXP_LNKCAP_SLS_16_0GB | 16 << 4)
#define PCISIM_LINK_SPEEDS	(PCI_EXP_LNKCAP2_SLS_2_5GB | PCI_EXP_LNKCAP2_SLS_5_0GB | \
				 PCI_EXP_LNKCAP2_SLS_8_0GB | PCI_EXP_LNKCAP2_SLS_16_0GB)

/**
 * struct pcisim_config - config space of a function or a port as data
 * @value: what a read returns; protected by &pcisim_host.config_lock
 * @initial: value after reset; constant after creation
 * @rw: bits that a write changes; constant after creation
 * @w1c: bits that writing a one clears; constant after creation
 *
 * Bytes in bus order. What lies behind PCISIM_CONFIG_SIZE reads as zero.
 */
struct pcisim_config {
	u8 value[PCISIM_CONFIG_SIZE];
	u8 initial[PCISIM_CONFIG_SIZE];
	u8 rw[PCISIM_CONFIG_SIZE];
	u8 w1c[PCISIM_CONFIG_SIZE];
};

/* Something for the function's thread to do; bits of pcisim_function::events. */
enum pcisim_event {
	PCISIM_EVENT_KICK,
	PCISIM_EVENT_DOORBELL,
	PCISIM_EVENT_RESET,
	PCISIM_EVENT_WAKE,
	PCISIM_EVENT_SRIOV,
	PCISIM_EVENT_INTERRUPT,
};

/* Counters that debugfs shows. */
struct pcisim_stats {
	atomic64_t dma_reads;
	atomic64_t dma_writes;
	atomic64_t dma_faults;
	atomic64_t interrupts;
	atomic64_t resets;
};

/**
 * struct pcisim_vector - an MSI-X vector
 * @work: raises the interrupt in hard interrupt context
 * @fn: whose vector it is
 * @hwirq: interrupt of the last message; protected by &pcisim_function.msix_lock,
 *	read locklessly by @work
 */
struct pcisim_vector {
	struct irq_work work;
	struct pcisim_function *fn;
	irq_hw_number_t hwirq;
};

/**
 * struct pcisim_function - a function
 * @host: its host; constant
 * @model: its model; constant
 * @type: its geometry; constant
 * @settings: the model's settings; constant while live
 * @pf: its PF, or itself; constant
 * @vf_index: number of the VF, negative for a PF; constant
 * @port: number of the root port before it, and of its bus; 0: it is on the root
 *	bus; constant
 * @devfn: slot and function; constant
 * @name: PCI address; constant
 * @drvdata: the model's; set by its @init
 * @debugfs: directory; valid from start to stop
 * @thread: valid from start to stop
 * @running: has been started; written in process context by who starts and
 *	stops it
 * @ready: VF: the thread of the PF has dealt with the last change of VF Enable
 * @total_vfs: number of entries in @vfs; constant
 * @vfs: VFs of a PF; constant
 * @vfs_started: &vfs_epoch that the thread last acted upon; only the PF's
 *	thread, and the host when that has stopped
 * @vfs_wanted: number of enabled VFs; config_lock
 * @vfs_epoch: counts changes of VF Enable; config_lock
 * @config: config space; config_lock
 * @present: answers config cycles; config_lock
 * @in_reset: the thread still has to finish a reset, config reads give all
 *	ones; config_lock
 * @in_bus_reset: that is, or came with, a reset of the bus; config_lock
 * @power: PowerState as last written; config_lock
 * @bar: bus address of BAR 0 as last assigned, 0 if none; written under
 *	config_lock, read locklessly
 * @bar2_size: bytes of BAR 2, 0 if there is none; constant
 * @events: what the thread has to do, &enum pcisim_event; atomic
 * @wait: where the thread sleeps
 * @doorbell: values written to the doorbell register; atomic
 * @doorbell_node: in the list of watched functions; its lock is in doorbell.c
 * @doorbell_work: tells the thread, because the probe itself must not
 * @msix_pending: vectors with a message held back by a mask
 * @vectors: one for each MSI-X vector; constant
 * @domain: what the IOMMU has attached; NULL blocks
 * @stats: counters; atomic
 */
struct pcisim_function {
	struct pcisim_host *host;
	const struct pcisim_model *model;
	const struct pcisim_function_type *type;
	const u64 *settings;
	struct pcisim_function *pf;
	int vf_index;
	unsigned int port;
	unsigned int devfn;
	char name[16];
	void *drvdata;
	struct dentry *debugfs;
	struct task_struct *thread;
	bool running;

	struct completion ready;
	unsigned int total_vfs;
	struct pcisim_function *vfs[PCISIM_MAX_VFS];
	unsigned int vfs_started;
	unsigned int vfs_wanted;
	unsigned int vfs_epoch;

	struct pcisim_config config;
	bool present;
	bool in_reset;
	bool in_bus_reset;
	u16 power;
	u64 bar;
	u32 bar2_size;

	unsigned long events;
	struct rcuwait wait;

	atomic_t doorbell;
	struct list_head doorbell_node;
	struct irq_work doorbell_work;

	/** @msix_lock: protects @msix_pending and the sending of messages */
	spinlock_t msix_lock;
	u64 msix_pending;
	struct pcisim_vector *vectors;

	/** @dma_lock: held while the function accesses memory; protects @domain */
	spinlock_t dma_lock;
	struct iommu_domain *domain;

	struct pcisim_stats stats;
};

/**
 * struct pcisim_port - a root port
 * @host: its host; constant
 * @number: from 1 on, and of the bus behind it; constant
 * @config: config space; config_lock
 * @resets: functions whose thread still has to finish a reset of the bus; config_lock
 */
struct pcisim_port {
	struct pcisim_host *host;
	unsigned int number;
	struct pcisim_config config;
	unsigned int resets;
};

/**
 * struct pcisim_host - a live host bridge
 * @sysdata: what the architecture wants to know about the root bus
 * @domain: PCI domain of the root bus
 * @bridge: the host bridge
 * @bus: its root bus, NULL before it is registered
 * @window: addresses for BARs, part of the module's window
 * @busn: bus numbers
 * @released: the last reference to @bridge is gone
 * @irq_domain: where the MSI-X interrupts of its functions come from
 * @irqs: owner of each interrupt of @irq_domain; has its own lock
 * @ports: root ports by number, the first one is 1; constant while @bus exists
 * @functions: all functions by pcisim_index(); constant while @bus exists
 */
struct pcisim_host {
	struct pcisim_sysdata sysdata;
	int domain;
	struct pci_host_bridge *bridge;
	struct pci_bus *bus;
	struct resource window;
	struct resource busn;
	struct completion released;
	struct irq_domain *irq_domain;
	struct xarray irqs;
	/**
	 * @config_lock: config space of all functions and what follows from it;
	 * taken in any context but NMI, no lock of ours is taken under it
	 */
	raw_spinlock_t config_lock;
	struct pcisim_port *ports[PCISIM_MAX_PORTS + 1];
	struct pcisim_function *functions[PCISIM_MAX_FUNCTIONS];
};

/**
 * struct pcisim_function_config - a function in configfs
 * @item: its directory
 * @host: its host
 * @entry: entry in &pcisim_host_config.functions
 * @model: its model, whose module is pinned
 * @port: root port before it, or 0; protected by &pcisim_host_config.lock
 * @slot: device number, behind a port that of the function; protected by
 *	&pcisim_host_config.lock
 * @total_vfs: number of VFs; protected by &pcisim_host_config.lock
 * @settings: of the model; protected by &pcisim_host_config.lock
 */
struct pcisim_function_config {
	struct config_item item;
	struct pcisim_host_config *host;
	struct list_head entry;
	const struct pcisim_model *model;
	unsigned int port;
	unsigned int slot;
	unsigned int total_vfs;
	u64 settings[PCISIM_MAX_SETTINGS];
};

static inline bool pcisim_is_vf(const struct pcisim_function *fn)
{
	return fn->pf != fn;
}

/* Index of a function in &pcisim_host.functions, and its requester in msi.c. */
static inline unsigned int pcisim_index(unsigned int port, unsigned int devfn)
{
	return port ? 256 + (port - 1) * PCISIM_PORT_SLOTS + devfn : devfn;
}

/* window.c: the memory behind all BARs */
int pcisim_window_init(u64 base, u64 size);
void pcisim_window_exit(void);
int pcisim_window_allocate(struct resource *part, u64 size, u64 align);
void pcisim_window_release(struct resource *part);
bool pcisim_window_contains(u64 address, u64 size);
bool pcisim_window_is_own(const void __iomem *pointer);
void __iomem *pcisim_window_pointer(u64 address);

/* model.c: the models */
const struct pcisim_model *pcisim_model_get(const char *name, size_t len);
void pcisim_model_put(const struct pcisim_model *model);
const struct config_item_type *pcisim_model_item_type(const struct pcisim_model *model);

/* configfs.c: the user's side */
extern struct configfs_attribute *pcisim_function_attrs[];
extern const struct configfs_item_operations pcisim_function_item_ops;

int pcisim_configfs_init(void);
void pcisim_configfs_exit(void);

/* host.c: root bus */
struct pcisim_host *pcisim_host_create(struct list_head *functions, u32 domain);
void pcisim_host_destroy(struct pcisim_host *host);
struct pcisim_function *pcisim_function_of_device(struct device *dev);

/* port.c: root ports */
int pcisim_ports_create(struct pcisim_host *host, struct list_head *functions);
void pcisim_ports_free(struct pcisim_host *host);
struct pcisim_port *pcisim_port_at(const struct pcisim_host *host, struct pci_bus *bus,
				   unsigned int devfn);
bool pcisim_port_is_resetting(const struct pcisim_port *port);
void pcisim_port_reset_done(struct pcisim_function *fn);
void pcisim_port_write(struct pcisim_port *port, unsigned int offset, unsigned int size,
		       u32 value);

/* config.c: registers as data */
void pcisim_config_add(struct pcisim_config *config, const struct pcisim_register *registers,
		       size_t count);
u32 pcisim_config_read(const struct pcisim_config *config, unsigned int offset,
		       unsigned int size);
void pcisim_config_store(struct pcisim_config *config, unsigned int offset, unsigned int size,
			 u32 value);
void pcisim_config_init(struct pcisim_config *config);
void pcisim_config_reset(struct pcisim_function *fn);
u32 pcisim_config_get(const struct pcisim_function *fn, unsigned int offset, unsigned int size);
void pcisim_config_set(struct pcisim_function *fn, unsigned int offset, unsigned int size,
		       u32 value);
void pcisim_config_write(struct pcisim_function *fn, unsigned int offset, unsigned int size,
			 u32 value);

/* capability.c: which registers there are and what writing them does */
void pcisim_capabilities_init(struct pcisim_function *fn);
void pcisim_register_written(struct pcisim_function *fn, unsigned int offset, unsigned int size);

/* sriov.c: virtual functions */
void pcisim_sriov_written(struct pcisim_function *fn);
void pcisim_sriov_update(struct pcisim_function *fn);
void pcisim_sriov_stop(struct pcisim_function *fn);

/* function.c: life of a function */
struct pcisim_function *pcisim_function_create(struct pcisim_host *host,
					       const struct pcisim_function_config *config,
					       struct pcisim_function *pf, int vf_index);
void pcisim_function_free(struct pcisim_function *fn);
int pcisim_function_start(struct pcisim_function *fn);
void pcisim_function_stop(struct pcisim_function *fn);
void pcisim_function_event(struct pcisim_function *fn, enum pcisim_event event);
void pcisim_function_begin_reset(struct pcisim_function *fn, enum pcisim_event event);
int pcisim_function_add_properties(struct pcisim_function *fn, struct device *dev);

/* doorbell.c: writes by the kernel; without it there is no model with a doorbell */
#ifdef CONFIG_PCISIM_DOORBELL
int pcisim_doorbell_init(void);
void pcisim_doorbell_exit(void);
void pcisim_doorbell_watch(struct pcisim_function *fn);
void pcisim_doorbell_unwatch(struct pcisim_function *fn);
#else
static inline int pcisim_doorbell_init(void) { return 0; }
static inline void pcisim_doorbell_exit(void) { }
static inline void pcisim_doorbell_watch(struct pcisim_function *fn) { }
static inline void pcisim_doorbell_unwatch(struct pcisim_function *fn) { }
#endif

/* msi.c: interrupts */
int pcisim_msi_init(struct pcisim_host *host);
void pcisim_msi_exit(struct pcisim_host *host);
int pcisim_msix_create(struct pcisim_function *fn);
void pcisim_msix_reset(struct pcisim_function *fn);
void pcisim_msix_sync(struct pcisim_function *fn);
bool pcisim_msix_flush(struct pcisim_function *fn);

/* iommu.c, domain.c: translation */
int pcisim_iommu_init(void);
void pcisim_iommu_exit(void);
struct iommu_domain *pcisim_domain_create(u32 flags);
bool pcisim_domain_can_track(void);
int pcisim_domain_copy(struct iommu_domain *domain, u64 iova, void *buf, size_t len, bool write);

/* dma.c: access to memory */
int pcisim_memory_copy(u64 phys, void *buf, size_t len, bool write);

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void pcisim_debugfs_init(void);
void pcisim_debugfs_exit(void);
void pcisim_debugfs_add(struct pcisim_function *fn);
void pcisim_debugfs_remove(struct pcisim_function *fn);
#else
static inline void pcisim_debugfs_init(void) { }
static inline void pcisim_debugfs_exit(void) { }
static inline void pcisim_debugfs_add(struct pcisim_function *fn) { }
static inline void pcisim_debugfs_remove(struct pcisim_function *fn) { }
#endif

#endif /* PCISIM_PRIVATE_H */
