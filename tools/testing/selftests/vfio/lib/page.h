/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of this kernel: of 4 KiB on x86-64, of up to 64 KiB on arm64.
 */
#ifndef LIB_PAGE_H
#define LIB_PAGE_H

#include <unistd.h>

#include "file.h"

#define PAGE	((unsigned long)sysconf(_SC_PAGESIZE))

/*
 * The smallest one that is larger than a page and that memory can be mapped with: 2 or 512
 * MiB. Who asks again is answered without a system call, which might be made to fail.
 */
static inline unsigned long huge_page(void)
{
	static unsigned long size;

	if (!size)
		size = file_read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
	return size;
}

#endif /* LIB_PAGE_H */
