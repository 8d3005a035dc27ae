// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: physical memory that is not System RAM and backs all BARs.
 *
 * It is claimed and mapped once, at load. Drivers map BARs uncached with
 * ioremap(), and memory types of one page must agree, so the window is mapped
 * in the same way. Hosts get parts of it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/align.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/overflow.h>

#include "pcisim_private.h"

static struct resource pcisim_window = {
	.name = "pcisim",
	.flags = IORESOURCE_MEM,
};

/* Constant while the module is loaded. */
static void __iomem *pcisim_window_base;

static int pcisim_area_check(const char *name, u64 base, u64 size)
{
	u64 end;

	if (!base || !size || !IS_ALIGNED(base | size, SZ_1M)) {
		pr_err("%s: base and size are required, multiples of 1 MiB\n", name);
		return -EINVAL;
	}
	if (check_add_overflow(base, size - 1, &end) || end > iomem_resource.end) {
		pr_err("%s: this is beyond the end of physical addresses\n", name);
		return -EINVAL;
	}
	if (region_intersects(base, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT) {
		pr_err("%s: this overlaps System RAM, keep it away from the kernel with mem=\n",
		       name);
		return -EBUSY;
	}
	return 0;
}

/**
 * pcisim_area_claim - claim physical memory that the kernel does not use
 * @area: becomes that memory; its name and flags are the caller's. To be given back with
 *	release_resource().
 * @base: physical address
 * @size: bytes
 *
 * Context: process context.
 * Return: 0; -EINVAL if @base or @size is 0, not aligned to 1 MiB or too large; -EBUSY
 * if this is memory of the kernel or of somebody else. There is a message then.
 */
int pcisim_area_claim(struct resource *area, u64 base, u64 size)
{
	int ret;

	ret = pcisim_area_check(area->name, base, size);
	if (ret)
		return ret;

	area->start = base;
	area->end = base + size - 1;
	ret = request_resource(&iomem_resource, area);
	if (ret)
		pr_err("%s: %pR is in use, see /proc/iomem\n", area->name, area);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(pcisim_area_claim, "PCISIM");

/* Is there memory, or nothing at all? */
static bool pcisim_window_is_memory(void __iomem *pointer)
{
	writel(0, pointer);
	if (readl(pointer))
		return false;
	writel(U32_MAX, pointer);
	return readl(pointer) == U32_MAX;
}

static int pcisim_window_map(void)
{
	resource_size_t size = resource_size(&pcisim_window);

	pcisim_window_base = ioremap(pcisim_window.start, size);
	if (!pcisim_window_base) {
		pr_err("cannot map %pR\n", &pcisim_window);
		return -ENOMEM;
	}

	if (!pcisim_window_is_memory(pcisim_window_base) ||
	    !pcisim_window_is_memory(pcisim_window_base + size - sizeof(u32))) {
		pr_err("there is no memory at %pR\n", &pcisim_window);
		iounmap(pcisim_window_base);
		return -ENXIO;
	}
	return 0;
}

int pcisim_window_init(u64 base, u64 size)
{
	int ret;

	ret = pcisim_area_claim(&pcisim_window, base, size);
	if (ret)
		return ret;

	ret = pcisim_window_map();
	if (ret)
		release_resource(&pcisim_window);
	return ret;
}

void pcisim_window_exit(void)
{
	iounmap(pcisim_window_base);
	release_resource(&pcisim_window);
}

int pcisim_window_allocate(struct resource *part, u64 size, u64 align)
{
	part->flags = IORESOURCE_MEM;
	if (pcisim_window.end > U32_MAX)
		part->flags |= IORESOURCE_MEM_64;

	return allocate_resource(&pcisim_window, part, size, pcisim_window.start,
				 pcisim_window.end, align, NULL, NULL);
}

void pcisim_window_release(struct resource *part)
{
	if (part->parent)
		release_resource(part);
}

bool pcisim_window_contains(u64 address, u64 size)
{
	u64 last;

	if (check_add_overflow(address, size - 1, &last))
		return false;
	return address >= pcisim_window.start && last <= pcisim_window.end;
}

/* A pointer of our own, in contrast to one that a driver made. */
bool pcisim_window_is_own(const void __iomem *pointer)
{
	return pointer >= pcisim_window_base &&
	       pointer < pcisim_window_base + resource_size(&pcisim_window);
}

void __iomem *pcisim_window_pointer(u64 address)
{
	return pcisim_window_base + (address - pcisim_window.start);
}
