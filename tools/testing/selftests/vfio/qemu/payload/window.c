// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paging with pages of 4 MiB, one level: an entry of 32 bits has room for physical
 * addresses of 40 (PSE-36), which is as many as the processor has.
 */
#include <stdint.h>

#include "window.h"

#define PAGE_PRESENT		0x01
#define PAGE_WRITABLE		0x02
#define PAGE_NOT_CACHED		0x10
#define PAGE_TOUCHED		0x60
#define PAGE_LARGE		0x80

#define CR0_PAGING		0x80000000
#define CR4_LARGE_PAGES		0x00000010

#define ENTRIES			1024
/* nothing of the guest's is there */
#define WINDOW_ENTRY		0x340
#define WINDOW_ADDRESS		((uint32_t)WINDOW_ENTRY * WINDOW_SIZE)

static uint32_t directory[ENTRIES] __attribute__((aligned(4096)));

static uint32_t entry(uint64_t physical)
{
	uint32_t low = physical & -WINDOW_SIZE;
	uint32_t high = physical >> 32;

	/* bits 13 to 20 are the physical address's bits 32 to 39 */
	return low | high << 13 | PAGE_LARGE | PAGE_WRITABLE | PAGE_PRESENT;
}

void window_start(void)
{
	uint32_t control;

	for (uint32_t i = 0; i < ENTRIES; i++)
		directory[i] = entry((uint64_t)i * WINDOW_SIZE);
	asm volatile("movl %%cr4, %0" : "=r"(control));
	asm volatile("movl %0, %%cr4" : : "r"(control | CR4_LARGE_PAGES));
	asm volatile("movl %0, %%cr3" : : "r"(directory) : "memory");
	asm volatile("movl %%cr0, %0" : "=r"(control));
	asm volatile("movl %0, %%cr0" : : "r"(control | CR0_PAGING) : "memory");
}

uint32_t window_open(uint64_t physical)
{
	uint32_t wanted = entry(physical) | PAGE_NOT_CACHED;

	/* but for what the processor notes there */
	if ((directory[WINDOW_ENTRY] ^ wanted) & ~PAGE_TOUCHED) {
		directory[WINDOW_ENTRY] = wanted;
		asm volatile("invlpg (%0)" : : "r"(WINDOW_ADDRESS) : "memory");
	}
	return WINDOW_ADDRESS + (uint32_t)(physical & (WINDOW_SIZE - 1));
}
