// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keyboard as it is after a reset: it sends scan codes of set 2, and needs no
 * command. Its interrupt is not wanted; a look at each tick is enough.
 */
#include <stdbool.h>

#include "io.h"
#include "keyboard.h"

#define KEYBOARD_DATA		0x60
#define KEYBOARD_STATUS		0x64
#define STATUS_FULL		0x01

#define INTERRUPT_MASK		0x21
#define MASK_ALL		0xff

/* the next code tells which key was released */
#define CODE_RELEASED		0xf0

void keyboard_start(void)
{
	out8(INTERRUPT_MASK, MASK_ALL);
}

unsigned int keyboard_key(void)
{
	static bool released;
	unsigned int code;

	if (!(in8(KEYBOARD_STATUS) & STATUS_FULL))
		return 0;
	code = in8(KEYBOARD_DATA);
	if (released || code == CODE_RELEASED) {
		released = code == CODE_RELEASED;
		return 0;
	}
	return code;
}
