/* SPDX-License-Identifier: GPL-2.0-only */
/* Port and memory-mapped accesses of the guest. */
#ifndef PAYLOAD_IO_H
#define PAYLOAD_IO_H

#include <stdint.h>

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void write32(uint32_t address, uint32_t value)
{
	asm volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static inline uint32_t read32(uint32_t address)
{
	uint32_t value;

	asm volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
	return value;
}

/* In two halves: only for what the other side does not change meanwhile. */
static inline void write64(uint32_t address, uint64_t value)
{
	write32(address, value);
	write32(address + 4, value >> 32);
}

static inline uint64_t read64(uint32_t address)
{
	return read32(address) | (uint64_t)read32(address + 4) << 32;
}

#endif /* PAYLOAD_IO_H */
