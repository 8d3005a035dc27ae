// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: what a function reads and writes through the IOMMU.
 *
 * Access goes page by page, each under &pcisim_function.dma_lock, so that the
 * function has stopped using a domain when its detaching has returned, and a
 * page when its unmapping has.
 */

#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/overflow.h>

#include "pcisim_private.h"

/* Numbers are written in one piece, like by a device. */
static void pcisim_copy(void *to, const void *from, size_t len)
{
	if (len == sizeof(u64) && IS_ALIGNED((unsigned long)to | (unsigned long)from, len))
		WRITE_ONCE(*(u64 *)to, READ_ONCE(*(u64 *)from));
	else if (len == sizeof(u32) && IS_ALIGNED((unsigned long)to | (unsigned long)from, len))
		WRITE_ONCE(*(u32 *)to, READ_ONCE(*(u32 *)from));
	else
		memcpy(to, from, len);
}

/* Memory that belongs to the kernel's allocators, in contrast to holes and devices. */
static struct page *pcisim_ram_page(u64 phys)
{
	unsigned long pfn = PHYS_PFN(phys);
	struct page *page;

	if (!pfn_valid(pfn))
		return NULL;
	page = pfn_to_page(pfn);
	return PageReserved(page) || is_zone_device_page(page) ? NULL : page;
}

/* Copy from or to one physical page. */
int pcisim_memory_copy(u64 phys, void *buf, size_t len, bool write)
{
	struct page *page;
	void *address;

	if (pcisim_window_contains(phys, len)) {
		if (write)
			memcpy_toio(pcisim_window_pointer(phys), buf, len);
		else
			memcpy_fromio(buf, pcisim_window_pointer(phys), len);
		return 0;
	}

	page = pcisim_ram_page(phys);
	if (!page)
		return -EFAULT;

	address = kmap_local_page(page);
	if (write)
		pcisim_copy(address + offset_in_page(phys), buf, len);
	else
		pcisim_copy(buf, address + offset_in_page(phys), len);
	kunmap_local(address);
	return 0;
}

static int pcisim_dma_page(struct pcisim_function *fn, u64 iova, void *buf, size_t len, bool write)
{
	guard(spinlock_irqsave)(&fn->dma_lock);
	if (!pcisim_function_bus_master(fn))
		return -EIO;
	if (!fn->domain)
		return -EFAULT;
	if (fn->domain->type == IOMMU_DOMAIN_IDENTITY)
		return pcisim_memory_copy(iova, buf, len, write);
	return pcisim_domain_copy(fn->domain, iova, buf, len, write);
}

static int pcisim_dma(struct pcisim_function *fn, u64 iova, void *buf, size_t len, bool write)
{
	u64 end;

	if (check_add_overflow(iova, len, &end)) {
		atomic64_inc(&fn->stats.dma_faults);
		return -EFAULT;
	}

	while (len) {
		size_t part = min(len, PAGE_SIZE - offset_in_page(iova));
		int ret = pcisim_dma_page(fn, iova, buf, part, write);

		if (ret == -EFAULT)
			atomic64_inc(&fn->stats.dma_faults);
		if (ret)
			return ret;
		iova += part;
		buf += part;
		len -= part;
	}
	return 0;
}

/**
 * pcisim_dma_read - read memory as the device
 * @fn: the function whose IOMMU domain translates
 * @iova: IO virtual address
 * @to: buffer for the data
 * @len: number of bytes
 *
 * Context: any but NMI.
 * Return: 0; -EFAULT if a page is not mapped or not readable, what lies before
 * it has been read; -EIO if the function is not a bus master.
 */
int pcisim_dma_read(struct pcisim_function *fn, u64 iova, void *to, size_t len)
{
	atomic64_inc(&fn->stats.dma_reads);
	return pcisim_dma(fn, iova, to, len, false);
}
EXPORT_SYMBOL_NS_GPL(pcisim_dma_read, "PCISIM");

/**
 * pcisim_dma_write - write memory as the device
 * @fn: the function whose IOMMU domain translates
 * @iova: IO virtual address
 * @from: the data
 * @len: number of bytes
 *
 * Writes become visible in the order of the calls. An aligned one of 4 or 8
 * bytes is seen completely or not at all.
 *
 * Context: any but NMI.
 * Return: 0; -EFAULT if a page is not mapped or not writable, what lies before
 * it has been written; -EIO if the function is not a bus master.
 */
int pcisim_dma_write(struct pcisim_function *fn, u64 iova, const void *from, size_t len)
{
	atomic64_inc(&fn->stats.dma_writes);
	return pcisim_dma(fn, iova, (void *)from, len, true);
}
EXPORT_SYMBOL_NS_GPL(pcisim_dma_write, "PCISIM");
