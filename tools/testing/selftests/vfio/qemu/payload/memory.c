// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that the guest writes one after the other, again and again.
 *
 * Each page holds the number of the pass that wrote it last. A page that the
 * migration brought over in an old version is found in the next pass.
 */
#include "console.h"
#include "io.h"
#include "layout.h"
#include "memory.h"

#define PAGE_SIZE		4096
#define PAGES			(WRITTEN_SIZE / PAGE_SIZE)
#define PAGES_A_STEP		64

static struct {
	uint32_t passes;
	uint32_t next_page;
} memory;

static void write_page(uint32_t page)
{
	uint32_t found = read32(page);

	if (found != memory.passes)
		fail_compare("old content in a page of memory", memory.passes, found);
	write32(page, memory.passes + 1);
}

void memory_start(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		write32(WRITTEN_ADDRESS + i * PAGE_SIZE, 0);
}

uint32_t memory_write_pages(void)
{
	for (int i = 0; i < PAGES_A_STEP; i++)
		write_page(WRITTEN_ADDRESS + memory.next_page++ * PAGE_SIZE);
	if (memory.next_page == PAGES) {
		memory.next_page = 0;
		memory.passes++;
	}
	return memory.passes;
}
