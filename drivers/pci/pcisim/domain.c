// SPDX-License-Identifier: GPL-2.0-only
/*
 * A paging domain of the simulated IOMMU: an xarray of pages by IO page number,
 * and one of 2 MiB blocks, so that large areas are mapped in reasonable time.
 *
 * An entry is the page frame number and the permissions, a mark on it means
 * that the page was written while dirty tracking was on. A domain that can track
 * has no blocks. The array's own lock is held while a function accesses a page;
 * so after an unmap has returned nobody uses the page, without anything to flush.
 */

#include <linux/iommu.h>
#include <linux/iova_bitmap.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "pcisim_private.h"

/* IOMMU_READ and IOMMU_WRITE */
#define PCISIM_PROT_BITS	2
#define PCISIM_DIRTY		XA_MARK_0
#define PCISIM_IOVA_BITS	48
#define PCISIM_BLOCK_SIZE	SZ_2M

/**
 * struct pcisim_domain - a paging domain
 * @domain: what the IOMMU core knows
 * @pages: what is mapped in pages
 * @blocks: what is mapped in blocks; no part of it is in @pages
 * @tracking: DMA marks what it writes; protected by the lock of @pages
 */
struct pcisim_domain {
	struct iommu_domain domain;
	struct xarray pages;
	struct xarray blocks;
	bool tracking;
};

static struct pcisim_domain *to_pcisim_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct pcisim_domain, domain);
}

static void *pcisim_entry(phys_addr_t phys, int prot)
{
	prot &= IOMMU_READ | IOMMU_WRITE;
	return xa_mk_value(PHYS_PFN(phys) << PCISIM_PROT_BITS | prot);
}

static phys_addr_t pcisim_entry_phys(void *entry)
{
	return PFN_PHYS(xa_to_value(entry) >> PCISIM_PROT_BITS);
}

static bool pcisim_entry_allows(void *entry, bool write)
{
	return xa_to_value(entry) & (write ? IOMMU_WRITE : IOMMU_READ);
}

static unsigned long pcisim_block(u64 iova)
{
	return iova / PCISIM_BLOCK_SIZE;
}

static bool pcisim_domain_is_free(struct pcisim_domain *this, unsigned long iova, size_t size)
{
	unsigned long page = PHYS_PFN(iova);
	unsigned long block = pcisim_block(iova);

	return !xa_find(&this->pages, &page, PHYS_PFN(iova + size - 1), XA_PRESENT) &&
	       !xa_find(&this->blocks, &block, pcisim_block(iova + size - 1), XA_PRESENT);
}

static int pcisim_domain_map(struct iommu_domain *domain, unsigned long iova, phys_addr_t phys,
			     size_t page_size, size_t count, int prot, gfp_t gfp, size_t *mapped)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);
	struct xarray *array = page_size == PAGE_SIZE ? &this->pages : &this->blocks;

	if (!pcisim_domain_is_free(this, iova, page_size * count))
		return -EEXIST;

	for (; count; count--, iova += page_size, phys += page_size, *mapped += page_size) {
		unsigned long flags;
		int ret;

		xa_lock_irqsave(array, flags);
		ret = __xa_insert(array, iova / page_size, pcisim_entry(phys, prot), gfp);
		xa_unlock_irqrestore(array, flags);
		if (ret)
			return ret;
	}
	return 0;
}

static bool pcisim_erase(struct xarray *array, unsigned long index)
{
	unsigned long flags;
	void *entry;

	xa_lock_irqsave(array, flags);
	entry = __xa_erase(array, index);
	xa_unlock_irqrestore(array, flags);
	return entry;
}

/* A block goes as a whole, also when less is asked for. */
static size_t pcisim_domain_unmap(struct iommu_domain *domain, unsigned long iova,
				  size_t page_size, size_t count,
				  struct iommu_iotlb_gather *gather)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);
	unsigned long end = iova + page_size * count;
	unsigned long at = iova;

	while (at < end) {
		if (pcisim_erase(&this->pages, PHYS_PFN(at)))
			at += PAGE_SIZE;
		else if (pcisim_erase(&this->blocks, pcisim_block(at)))
			at = (pcisim_block(at) + 1) * PCISIM_BLOCK_SIZE;
		else
			break;
	}
	return at - iova;
}

static phys_addr_t pcisim_domain_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);
	void *entry = xa_load(&this->pages, PHYS_PFN(iova));

	if (entry)
		return pcisim_entry_phys(entry) + offset_in_page(iova);
	entry = xa_load(&this->blocks, pcisim_block(iova));
	return entry ? pcisim_entry_phys(entry) + iova % PCISIM_BLOCK_SIZE : 0;
}

/* Copies are made by the CPU: there is no access that is not coherent. */
static bool pcisim_domain_enforce_coherency(struct iommu_domain *domain)
{
	return true;
}

static int pcisim_domain_attach(struct iommu_domain *domain, struct device *dev,
				struct iommu_domain *old)
{
	struct pcisim_function *fn = dev_iommu_priv_get(dev);

	guard(spinlock_irqsave)(&fn->dma_lock);
	fn->domain = domain;
	return 0;
}

static void pcisim_domain_free(struct iommu_domain *domain)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);

	xa_destroy(&this->pages);
	xa_destroy(&this->blocks);
	kfree(this);
}

static const struct iommu_domain_ops pcisim_domain_ops = {
	.attach_dev = pcisim_domain_attach,
	.map_pages = pcisim_domain_map,
	.unmap_pages = pcisim_domain_unmap,
	.iova_to_phys = pcisim_domain_iova_to_phys,
	.enforce_cache_coherency = pcisim_domain_enforce_coherency,
	.free = pcisim_domain_free,
};

static int pcisim_domain_set_tracking(struct iommu_domain *domain, bool enabled)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);
	unsigned long flags;

	xa_lock_irqsave(&this->pages, flags);
	this->tracking = enabled;
	xa_unlock_irqrestore(&this->pages, flags);
	return 0;
}

/* Report the dirty pages of a range. Recording may sleep, so no lock is held. */
static int pcisim_domain_read_dirty(struct iommu_domain *domain, unsigned long iova, size_t size,
				    unsigned long flags, struct iommu_dirty_bitmap *dirty)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);
	unsigned long last = PHYS_PFN(iova + size - 1);
	unsigned long index = PHYS_PFN(iova);
	void *entry;

	if (!READ_ONCE(this->tracking) && dirty->bitmap)
		return -EINVAL;

	for (entry = xa_find(&this->pages, &index, last, PCISIM_DIRTY); entry;
	     entry = xa_find_after(&this->pages, &index, last, PCISIM_DIRTY)) {
		unsigned long irqflags;

		/* Clear first: what is written from now on is marked again. */
		if (!(flags & IOMMU_DIRTY_NO_CLEAR)) {
			xa_lock_irqsave(&this->pages, irqflags);
			__xa_clear_mark(&this->pages, index, PCISIM_DIRTY);
			xa_unlock_irqrestore(&this->pages, irqflags);
		}
		iommu_dirty_bitmap_record(dirty, PFN_PHYS(index), PAGE_SIZE);
	}
	return 0;
}

static const struct iommu_dirty_ops pcisim_dirty_ops = {
	.set_dirty_tracking = pcisim_domain_set_tracking,
	.read_and_clear_dirty = pcisim_domain_read_dirty,
};

/* Without the bitmaps of iommufd there is nobody to report to. */
bool pcisim_domain_can_track(void)
{
	return IS_ENABLED(CONFIG_IOMMUFD_DRIVER);
}

struct iommu_domain *pcisim_domain_create(u32 flags)
{
	struct pcisim_domain *this;

	if (flags & ~IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		return ERR_PTR(-EOPNOTSUPP);
	if (flags && !pcisim_domain_can_track())
		return ERR_PTR(-EOPNOTSUPP);

	this = kzalloc_obj(*this, GFP_KERNEL_ACCOUNT);
	if (!this)
		return ERR_PTR(-ENOMEM);

	xa_init_flags(&this->pages, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
	xa_init_flags(&this->blocks, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
	/* iommufd calls without the core, which would set the type. */
	this->domain.type = IOMMU_DOMAIN_UNMANAGED;
	this->domain.ops = &pcisim_domain_ops;
	this->domain.pgsize_bitmap = PAGE_SIZE | (flags ? 0 : PCISIM_BLOCK_SIZE);
	this->domain.geometry.aperture_end = BIT_ULL(PCISIM_IOVA_BITS) - 1;
	this->domain.geometry.force_aperture = true;
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		this->domain.dirty_ops = &pcisim_dirty_ops;
	return &this->domain;
}

static int pcisim_entry_copy(void *entry, u64 offset, void *buf, size_t len, bool write)
{
	if (!pcisim_entry_allows(entry, write))
		return -EFAULT;
	return pcisim_memory_copy(pcisim_entry_phys(entry) + offset, buf, len, write);
}

static int pcisim_block_copy(struct pcisim_domain *this, u64 iova, void *buf, size_t len,
			     bool write)
{
	unsigned long flags;
	int ret = -EFAULT;
	void *entry;

	xa_lock_irqsave(&this->blocks, flags);
	entry = xa_load(&this->blocks, pcisim_block(iova));
	if (entry)
		ret = pcisim_entry_copy(entry, iova % PCISIM_BLOCK_SIZE, buf, len, write);
	xa_unlock_irqrestore(&this->blocks, flags);
	return ret;
}

/* Access part of one page as the device. */
int pcisim_domain_copy(struct iommu_domain *domain, u64 iova, void *buf, size_t len, bool write)
{
	struct pcisim_domain *this = to_pcisim_domain(domain);
	unsigned long index = PHYS_PFN(iova);
	unsigned long flags;
	void *entry;
	int ret = 0;

	xa_lock_irqsave(&this->pages, flags);
	entry = xa_load(&this->pages, index);
	if (entry)
		ret = pcisim_entry_copy(entry, offset_in_page(iova), buf, len, write);
	if (entry && !ret && write && this->tracking)
		__xa_set_mark(&this->pages, index, PCISIM_DIRTY);
	xa_unlock_irqrestore(&this->pages, flags);
	return entry ? ret : pcisim_block_copy(this, iova, buf, len, write);
}
