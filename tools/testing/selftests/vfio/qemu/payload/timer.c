// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ticks from the timer of the local interrupt controller (APIC).
 *
 * Interrupts are open only while the guest sleeps, and the handler does nothing.
 * Sleeping matters: both virtual machines and the migration itself share the
 * processors of a host that may be an emulated one.
 */
#include <stdint.h>

#include "io.h"
#include "timer.h"

#define CODE_SEGMENT		0x08
#define TIMER_VECTOR		0x20

#define APIC			0xfee00000
#define APIC_SPURIOUS		(APIC + 0xf0)
#define APIC_ENABLE		0x1ff
#define APIC_TIMER		(APIC + 0x320)
#define APIC_TIMER_PERIODIC	0x20000
#define APIC_TIMER_PERIOD	(APIC + 0x380)
#define APIC_TIMER_DIVIDER	(APIC + 0x3e0)
#define APIC_DIVIDE_BY_ONE	0xb

/* the timer of QEMU's APIC counts nanoseconds */
#define TICK_NANOSECONDS	5000000

#define GATE_INTERRUPT		0x8e00

struct gate {
	uint16_t offset_low;
	uint16_t segment;
	uint16_t type;
	uint16_t offset_high;
};

static struct gate gates[TIMER_VECTOR + 1];

static void install_handler(void)
{
	uint32_t base = (uint32_t)gates;
	uint16_t table[] = { sizeof(gates) - 1, base & 0xffff, base >> 16 };
	uint32_t handler = (uint32_t)timer_interrupt;

	gates[TIMER_VECTOR].offset_low = handler & 0xffff;
	gates[TIMER_VECTOR].segment = CODE_SEGMENT;
	gates[TIMER_VECTOR].type = GATE_INTERRUPT;
	gates[TIMER_VECTOR].offset_high = handler >> 16;
	asm volatile("lidt %0" : : "m"(table) : "memory");
}

void timer_start(void)
{
	install_handler();
	write32(APIC_SPURIOUS, APIC_ENABLE);
	write32(APIC_TIMER, APIC_TIMER_PERIODIC | TIMER_VECTOR);
	write32(APIC_TIMER_DIVIDER, APIC_DIVIDE_BY_ONE);
	write32(APIC_TIMER_PERIOD, TICK_NANOSECONDS);
}

void timer_wait(void)
{
	/* sti takes effect after the next instruction: no tick is lost before hlt */
	asm volatile("sti; hlt; cli" : : : "memory");
}
