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
 *	of a function that has one runs with real-time priority.
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
	 * @init: A function comes into being: the PF when its host goes live,
	 * a VF when SR-IOV is enabled. BAR 0 is zeroed. Allocate the model's
	 * state and keep it with pcisim_function_set_drvdata().
	 * Context: process context; for a VF the thread of its PF. No other
	 * callback for the function before it returns.
	 * Return: 0 or -errno, which undoes the creation.
	 */
	int (*init)(struct pcisim_function *fn);

	/**
	 * @fini: The function is gone. Its thread has stopped, no other
	 * callback runs any more.
	 * Context: process context; for a VF the thread of its PF, or after
	 * that has stopped.
	 */
	void (*fini)(struct pcisim_function *fn);

	/**
	 * @reset: Function level reset. pcisim has reset config space, zeroed
	 * BAR 0 and, for a PF, stopped its VFs. The model puts its state and
	 * its registers in BAR 0 back to what they are after power-on. Config
	 * space answers when it has returned.
	 * Context: process context, serialised with @run and @doorbell of the
	 * same function.
	 */
	void (*reset)(struct pcisim_function *fn);

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
