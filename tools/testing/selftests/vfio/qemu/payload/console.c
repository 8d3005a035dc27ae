// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text on the first serial port.
 *
 * A line that is cut by the migration continues on the destination: what both
 * serial ports wrote, put together, is one unbroken text.
 */
#include "console.h"
#include "io.h"

#define COM1_DATA		0x3f8
#define COM1_LINE_STATUS	0x3fd
#define LINE_STATUS_EMPTY	0x20

static void print_character(char character)
{
	while (!(in8(COM1_LINE_STATUS) & LINE_STATUS_EMPTY))
		;
	out8(COM1_DATA, character);
}

void print(const char *text)
{
	while (*text)
		print_character(*text++);
}

/* Long division by 16-bit digits: there is no libgcc for 64-bit division. */
static unsigned int divide_by_ten(uint64_t *value)
{
	uint64_t quotient = 0;
	uint32_t remainder = 0;

	for (int shift = 48; shift >= 0; shift -= 16) {
		remainder = remainder << 16 | (uint16_t)(*value >> shift);
		quotient |= (uint64_t)(remainder / 10) << shift;
		remainder %= 10;
	}
	*value = quotient;
	return remainder;
}

void print_number(uint64_t value)
{
	char digits[21];
	char *first = &digits[sizeof(digits) - 1];

	*first = '\0';
	do {
		*--first = '0' + divide_by_ten(&value);
	} while (value);
	print(first);
}

static noreturn void stop(void)
{
	print("\n");
	for (;;)
		asm volatile("cli; hlt");
}

void fail(const char *what)
{
	print("failed: ");
	print(what);
	stop();
}

void fail_compare(const char *what, uint64_t expected, uint64_t found)
{
	print("failed: ");
	print(what);
	print(": expected ");
	print_number(expected);
	print(", found ");
	print_number(found);
	stop();
}
