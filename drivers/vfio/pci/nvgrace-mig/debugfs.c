// SPDX-License-Identifier: GPL-2.0-only
/*
 * One directory a device below debugfs/nvgrace-vfio-mig, whether the device can migrate or
 * not. Files that are still open when the device is gone answer -EIO.
 */
#include <linux/debugfs.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "nvgmig.h"

static struct dentry *nvgmig_debugfs_root;

/* Name, region, physical address, bytes of memory, bytes of the BAR, kind of mapping */
static int memory_show(struct seq_file *seq, void *unused)
{
	struct nvgmig_device *dev = seq->private;
	struct nvgmig_memory *mem;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem))
		seq_printf(seq, "%s %u %#llx %#llx %#llx %s\n", mem->name, mem->index,
			   (u64)mem->base, mem->length, mem->bar_size,
			   mem->write_combined ? "write-combined" : "cached");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(memory);

static int ready_show(struct seq_file *seq, void *unused)
{
	struct nvgmig_device *dev = seq->private;

	guard(rwsem_read)(&dev->reset_lock);
	if (dev->ready)
		seq_puts(seq, "ready\n");
	else if (dev->resetting)
		seq_puts(seq, "resetting\n");
	else
		seq_puts(seq, dev->given_up ? "given up\n" : "unknown\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ready);

/* All pages are numbered through, memory after memory. */
static void *poison_find(struct nvgmig_device *dev, loff_t *pos)
{
	struct nvgmig_memory *mem;
	u64 skipped = 0, offset;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem)) {
		offset = PFN_PHYS(*pos) > skipped ? PFN_PHYS(*pos) - skipped : 0;
		if (offset < mem->length) {
			offset = nvgmig_poison_next(mem, offset, mem->length);
			*pos = PHYS_PFN(skipped + offset);
			if (offset < mem->length)
				return dev;
		}
		skipped += mem->length;
	}
	return NULL;
}

static void *poison_start(struct seq_file *seq, loff_t *pos)
{
	return poison_find(seq->private, pos) ? pos : NULL;
}

static void *poison_next(struct seq_file *seq, void *entry, loff_t *pos)
{
	++*pos;
	return poison_start(seq, pos);
}

static void poison_stop(struct seq_file *seq, void *entry)
{
}

/* Name, offset in the region, physical address */
static int poison_show(struct seq_file *seq, void *entry)
{
	struct nvgmig_device *dev = seq->private;
	u64 offset = PFN_PHYS(*(loff_t *)entry);
	struct nvgmig_memory *mem;

	for (mem = nvgmig_first_memory(dev); mem; mem = nvgmig_next_memory(mem)) {
		if (offset < mem->length) {
			seq_printf(seq, "%s %#llx %#llx\n", mem->name, offset,
				   (u64)mem->base + offset);
			break;
		}
		offset -= mem->length;
	}
	return 0;
}

static const struct seq_operations poison_sops = {
	.start = poison_start,
	.next = poison_next,
	.stop = poison_stop,
	.show = poison_show,
};
DEFINE_SEQ_ATTRIBUTE(poison);

/* Of which the core's hot reset wants all to belong to the user */
static int reset_set_add(struct pci_dev *pdev, void *data)
{
	seq_printf(data, "%s\n", pci_name(pdev));
	return 0;
}

static int reset_set_add_of_slot(struct pci_dev *pdev, void *data)
{
	struct seq_file *seq = data;
	struct nvgmig_device *dev = seq->private;

	return pdev->slot == dev->core.core.pdev->slot ? reset_set_add(pdev, seq) : 0;
}

static int reset_set_show(struct seq_file *seq, void *unused)
{
	struct nvgmig_device *dev = seq->private;
	struct pci_dev *pdev = dev->core.core.pdev;

	if (!pci_probe_reset_slot(pdev->slot))
		pci_walk_bus(pdev->bus, reset_set_add_of_slot, seq);
	else if (!pci_probe_reset_bus(pdev->bus))
		pci_walk_bus(pdev->bus, reset_set_add, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(reset_set);

void nvgmig_debugfs_add(struct nvgmig_device *dev)
{
	struct dentry *dir = debugfs_create_dir(pci_name(dev->core.core.pdev),
						nvgmig_debugfs_root);

	debugfs_create_file("memory", 0444, dir, dev, &memory_fops);
	debugfs_create_file("ready", 0444, dir, dev, &ready_fops);
	debugfs_create_file("reset_set", 0444, dir, dev, &reset_set_fops);
	debugfs_create_file("poison", 0444, dir, dev, &poison_fops);
	dev->debugfs = dir;
}

void nvgmig_debugfs_remove(struct nvgmig_device *dev)
{
	debugfs_remove(dev->debugfs);
	dev->debugfs = NULL;
}

void nvgmig_debugfs_init(void)
{
	nvgmig_debugfs_root = debugfs_create_dir("nvgrace-vfio-mig", NULL);
}

void nvgmig_debugfs_exit(void)
{
	debugfs_remove(nvgmig_debugfs_root);
}
