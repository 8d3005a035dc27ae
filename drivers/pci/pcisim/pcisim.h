/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pcisim offers to a device model.
 *
 * A model describes its functions as data (struct pcisim_function_type) and
 * supplies a few callbacks. pcisim owns everything that PCI defines: config
 * space, BARs, MSI-X, SR-IOV, function level reset, DMA through the simulated
 * IOMMU. All exported symbols are in the namespace "PCISIM".
 */
#ifndef PCISIM_H
#define PCISIM_H

#include <linux/configfs.h>
#include <linux/types.h>

struct dentry;
struct device;
struct module;
struct pci_dev;
struct pcisim_function;
struct property_entry;
struct resource;

/**
 * struct pcisim_function_type - geometry of one kind of function
 * @vendor: vendor id
 * @device: device id
 * @class: 24-bit class code
 * @bar_size: size of BAR 0 in bytes, a power of two of at least 4 KiB
 * @msix_vectors: number of MSI-X vectors, 1 to 64
 * @msix_table: offset of the MSI-X table in BAR 0; the pending bits follow
 *	one page later
 * @doorbell: offset in BAR 0 of the big endian register whose writes by the
 *	kernel are reported to &pcisim_model.doorbell; 0 for none. The thread
 *	of a function that has one runs with real-time priority. Such a model
 *	depends on CONFIG_PCISIM_DOORBELL.
 */
struct pcisim_function_type {
	u16 vendor;
	u16 device;
	u32 class;
	u32 bar_size;
	u16 msix_vectors;
	u32 msix_table;
	u32 doorbell;
};

/**
 * struct pcisim_register - one register of config space
 * @offset: where it is
 * @size: its width in bytes, 1, 2 or 4
 * @value: value after reset
 * @rw: writable bits
 * @w1c: bits that are cleared by writing a one
 */
struct pcisim_register {
	u16 offset;
	u8 size;
	u32 value;
	u32 rw;
	u32 w1c;
};

/**
 * struct pcisim_model - a kind of simulated device
 * @name: what users put before the dot in ``mkdir <host>/<name>.<instance>``
 * @owner: the module, pinned while a function of this model is configured
 * @pf: geometry of the physical function
 * @vf: geometry of its virtual functions; ignored when @max_vfs is 0
 * @max_vfs: largest value of the attribute ``total_vfs``, 0 to 7
 * @attrs: configfs attributes of the model, NULL terminated, or NULL; made with
 *	PCISIM_SETTING()
 * @settings: number of settings behind @attrs, at most PCISIM_MAX_SETTINGS
 * @defaults: initial values of the settings
 */
struct pcisim_model {
	const char *name;
	struct module *owner;
	struct pcisim_function_type pf;
	struct pcisim_function_type vf;
	unsigned int max_vfs;
	struct configfs_attribute **attrs;
	unsigned int settings;
	const u64 *defaults;

	/**
	 * @describe: A PF is about to come into being: add what its settings
	 * ask for to its config space, with pcisim_function_add_registers() and
	 * the like. Optional.
	 * Context: process context, before all other callbacks. What it does
	 * needs no undoing.
	 * Return: 0 or -errno, which undoes the creation.
	 */
	int (*describe)(struct pcisim_function *fn);

	/**
	 * @init: A function comes into being: the PF when its host goes live,
	 * a VF when SR-IOV is enabled. BAR 0 is zeroed. Allocate the model's
	 * state and keep it with pcisim_function_set_drvdata().
	 * Context: process context; for a VF the thread of its PF. No other
	 * callback for the function before it returns.
	 * Return: 0 or -errno, which undoes the creation.
	 */
	int (*init)(struct pcisim_function *fn);

	/**
	 * @properties: What the platform's firmware says about the function, as
	 * an array that ends with an empty entry; NULL: nothing. A driver finds
	 * it in the device properties. Optional.
	 * Context: process context, after @init, before any driver can see the
	 * function; again when the PCI core has found it anew.
	 */
	const struct property_entry *(*properties)(struct pcisim_function *fn);

	/**
	 * @fini: The function is gone. Its thread has stopped, no other
	 * callback runs any more.
	 * Context: process context; for a VF the thread of its PF, or after
	 * that has stopped.
	 */
	void (*fini)(struct pcisim_function *fn);

	/**
	 * @reset: Function level reset, or reset of the bus. pcisim has reset
	 * config space, zeroed BAR 0 and, for a PF, stopped its VFs. The model
	 * puts its state and its registers in BAR 0 back to what they are after
	 * power-on. Config space answers when it has returned.
	 * Context: process context, serialised with @wake, @run and @doorbell
	 * of the same function.
	 */
	void (*reset)(struct pcisim_function *fn);

	/**
	 * @wake: Back from D3hot, and No_Soft_Reset is clear. pcisim has reset
	 * config space and zeroed BAR 0, as for @reset, which is called instead
	 * if the model has no @wake.
	 * Context: as for @reset.
	 */
	void (*wake)(struct pcisim_function *fn);

	/**
	 * @doorbell: The kernel wrote to the doorbell register. Values of
	 * writes that came before the thread ran are or-ed together, none is
	 * lost.
	 * Context: the function's thread; may sleep.
	 */
	void (*doorbell)(struct pcisim_function *fn, u32 value);

	/**
	 * @run: Do the model's periodic work, such as DMA that the device
	 * starts by itself. Optional.
	 * Context: the function's thread; may sleep. Called whenever the thread
	 * has woken up, so possibly earlier than it asked for.
	 * Return: microseconds until it wants to run again, 0 to wait for
	 * pcisim_function_kick().
	 */
	unsigned int (*run)(struct pcisim_function *fn);

	/**
	 * @debugfs: Add the model's files to the function's directory, which
	 * pcisim removes before @fini. Optional.
	 */
	void (*debugfs)(struct pcisim_function *fn, struct dentry *dir);
};

int pcisim_model_register(const struct pcisim_model *model);
void pcisim_model_unregister(const struct pcisim_model *model);

void pcisim_function_set_drvdata(struct pcisim_function *fn, void *data);
void *pcisim_function_drvdata(const struct pcisim_function *fn);
struct pcisim_function *pcisim_function_pf(struct pcisim_function *fn);
int pcisim_function_vf_index(const struct pcisim_function *fn);
struct pcisim_function *pcisim_function_vf(struct pcisim_function *pf, unsigned int index);
void __iomem *pcisim_function_bar(const struct pcisim_function *fn);
u64 pcisim_function_setting(const struct pcisim_function *fn, unsigned int index);
void pcisim_function_kick(struct pcisim_function *fn);
bool pcisim_function_bus_master(const struct pcisim_function *fn);
bool pcisim_function_while_awake(struct pcisim_function *fn, void (*work)(void *data), void *data);

int pcisim_function_add_registers(struct pcisim_function *fn,
				  const struct pcisim_register *registers, size_t count);
int pcisim_function_add_bar2(struct pcisim_function *fn, u32 size);
void pcisim_function_set_no_soft_reset(struct pcisim_function *fn, bool value);
void pcisim_function_set_register(struct pcisim_function *fn, unsigned int offset,
				  unsigned int size, u32 value);

int pcisim_area_claim(struct resource *area, u64 base, u64 size);

int pcisim_dma_read(struct pcisim_function *fn, u64 iova, void *to, size_t len);
int pcisim_dma_write(struct pcisim_function *fn, u64 iova, const void *from, size_t len);

int pcisim_msix_raise(struct pcisim_function *fn, unsigned int vector);

/* Settings: numbers that a user sets in configfs while the host is not live. */
#define PCISIM_MAX_SETTINGS 16

ssize_t pcisim_setting_show(struct config_item *item, char *page, unsigned int index);
ssize_t pcisim_setting_store(struct config_item *item, const char *page, size_t len,
			     unsigned int index, u64 min, u64 max);

/**
 * PCISIM_SETTING() - define the configfs attribute of one setting
 * @_prefix: prefix of the C names, as in CONFIGFS_ATTR()
 * @_name: the attribute
 * @_index: number of the setting
 * @_min: smallest value
 * @_max: largest value; what lies outside is refused with -EINVAL, any change
 *	while the host is live with -EBUSY
 */
#define PCISIM_SETTING(_prefix, _name, _index, _min, _max)			\
enum { _prefix##_name##_setting = (_index) };					\
static ssize_t _prefix##_name##_show(struct config_item *item, char *page)	\
{										\
	return pcisim_setting_show(item, page, _prefix##_name##_setting);	\
}										\
static ssize_t _prefix##_name##_store(struct config_item *item,			\
				      const char *page, size_t len)		\
{										\
	return pcisim_setting_store(item, page, len, _prefix##_name##_setting,	\
				    _min, _max);				\
}										\
CONFIGFS_ATTR(_prefix, _name)

#endif /* PCISIM_H */
