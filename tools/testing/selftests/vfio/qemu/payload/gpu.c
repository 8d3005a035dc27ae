// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's driver of a GPU with coherent memory: no more of it than power management.
 *
 * The BARs are above 4 GiB, as the memory of such a GPU does not fit below. In each one
 * that is memory the first pages are written as those of memory.c are. A register of the
 * GPU, which it loses with all its other state, tells whether somebody has reset it.
 */
#include "gpu_abi.h"

#include "console.h"
#include "gpu.h"
#include "io.h"
#include "keyboard.h"
#include "pci.h"
#include "timer.h"
#include "window.h"

#define VENDOR_NVIDIA		0x10de
#define BARS_ADDRESS		0x800000000

/* What is not cached has a BAR of its own in these; in others this BAR is none of memory. */
#define FIRST_HOPPER		0x2340
#define LAST_HOPPER		0x237f
#define NOT_CACHED_BAR		2
#define CACHED_BAR		4

#define CAPABILITY_POWER	0x01
#define POWER_CONTROL		4
#define POWER_STATE		0x3
#define POWER_D0		0
#define POWER_D3HOT		3
/* in which a function may be silent on its way to D0; a tick is 5 ms */
#define WAKE_TICKS		3

#define MARK			PCISIM_GPU_SCRATCH(0)
#define MARK_VALUE		0x6d61726b

#define PAGE_SIZE		4096
/* of each BAR that is memory */
#define PAGES			(WINDOW_SIZE / PAGE_SIZE)
#define PAGES_A_STEP		64

static struct {
	unsigned int function;
	unsigned int power;
	struct pci_bar bars[PCI_BARS];
	/* numbers of those that are memory */
	unsigned int memory[2];
	unsigned int memories;
	bool asleep;
	uint32_t passes;
	uint32_t next_page;
	uint64_t steps;
} gpu;

static uint32_t register_address(unsigned int offset)
{
	return window_open(gpu.bars[0].address + PCISIM_GPU_ENGINE) + offset;
}

static void set_mark(void)
{
	write32(register_address(MARK), MARK_VALUE);
}

static bool has_mark(void)
{
	uint32_t id = read32(register_address(PCISIM_GPU_ID));

	if (id != PCISIM_GPU_MAGIC)
		fail_compare("no GPU behind BAR 0", PCISIM_GPU_MAGIC, id);
	return read32(register_address(MARK)) == MARK_VALUE;
}

static void print_bar(unsigned int index)
{
	print("BAR ");
	print_number(index);
}

static void tell_bar(unsigned int index)
{
	const struct pci_bar *bar = &gpu.bars[index];

	print_bar(index);
	print(": ");
	print_number(bar->size);
	print(bar->wide ? " bytes, 64 bits" : " bytes, 32 bits");
	print(bar->prefetchable ? ", prefetchable\n" : "\n");
}

static void measure_bars(void)
{
	uint64_t next = BARS_ADDRESS;

	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &gpu.bars[i];

		pci_bar_measure(gpu.function, i, bar);
		if (!bar->size)
			continue;
		tell_bar(i);
		bar->address = (next + bar->size - 1) & -bar->size;
		next = bar->address + bar->size;
		i += bar->wide;
	}
}

static void place_bars(void)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		if (gpu.bars[i].size)
			pci_bar_place(gpu.function, i, &gpu.bars[i]);
	pci_enable(gpu.function);
}

/* What is behind the memory, in a BAR that is larger, reads as ones. */
static void tell_end(unsigned int index)
{
	const struct pci_bar *bar = &gpu.bars[index];

	print_bar(index);
	print(" ends with ");
	print_number(read32(window_open(bar->address + bar->size - sizeof(uint32_t))));
	print("\n");
}

static void find_memories(void)
{
	uint16_t device = pci_config_read(gpu.function, 0) >> 16;

	if (device >= FIRST_HOPPER && device <= LAST_HOPPER)
		gpu.memory[gpu.memories++] = NOT_CACHED_BAR;
	gpu.memory[gpu.memories++] = CACHED_BAR;
}

/* In a different place of each page. */
static uint32_t page_word(uint32_t page)
{
	uint64_t memory = gpu.bars[gpu.memory[page / PAGES]].address;

	return window_open(memory) + page % PAGES * PAGE_SIZE + page % (PAGE_SIZE / 4) * 4;
}

static uint32_t page_value(uint32_t page, uint32_t pass)
{
	return pass << 12 | page;
}

static void write_page(uint32_t page)
{
	uint32_t address = page_word(page), found = read32(address);
	uint32_t expected = page_value(page, gpu.passes);

	if (found != expected)
		fail_compare("wrong content in a page of the GPU", expected, found);
	write32(address, page_value(page, gpu.passes + 1));
}

static void write_pages(void)
{
	for (unsigned int i = 0; i < PAGES_A_STEP; i++)
		write_page(gpu.next_page++);
	if (gpu.next_page == gpu.memories * PAGES) {
		gpu.next_page = 0;
		gpu.passes++;
	}
}

static unsigned int power_state(void)
{
	return pci_config_read(gpu.function, gpu.power + POWER_CONTROL) & POWER_STATE;
}

static void set_power_state(unsigned int state)
{
	pci_config_write(gpu.function, gpu.power + POWER_CONTROL, state);
	for (unsigned int i = 0; i < WAKE_TICKS; i++)
		timer_wait();
	if (power_state() != state)
		fail_compare("the GPU did not change its power state", state, power_state());
}

static void put_to_sleep(void)
{
	set_power_state(POWER_D3HOT);
	gpu.asleep = true;
	print("GPU asleep\n");
}

/* Operating systems look first, and leave a function alone that they find awake. */
static void wake(void)
{
	if (power_state() != POWER_D3HOT)
		fail("the GPU is awake already");
	set_power_state(POWER_D0);
	place_bars();
	if (has_mark())
		fail("the GPU has kept its state");
	set_mark();
	gpu.asleep = false;
	print("GPU awake\n");
}

static void obey(unsigned int key)
{
	if (key == KEY_S && !gpu.asleep)
		put_to_sleep();
	else if (key == KEY_W && gpu.asleep)
		wake();
}

bool gpu_start(void)
{
	int function = pci_find_vendor(VENDOR_NVIDIA);

	if (function < 0)
		return false;
	gpu.function = function;
	gpu.power = pci_find_capability(gpu.function, CAPABILITY_POWER);
	if (!gpu.power)
		fail("the GPU has no power management");
	measure_bars();
	place_bars();
	find_memories();
	window_start();
	keyboard_start();
	set_mark();
	for (unsigned int i = 0; i < gpu.memories; i++)
		tell_end(gpu.memory[i]);
	for (uint32_t page = 0; page < gpu.memories * PAGES; page++)
		write32(page_word(page), page_value(page, 0));
	return true;
}

uint64_t gpu_step(void)
{
	obey(keyboard_key());
	if (!gpu.asleep) {
		if (!has_mark()) {
			print("GPU was reset\n");
			set_mark();
		}
		write_pages();
	}
	return ++gpu.steps;
}
