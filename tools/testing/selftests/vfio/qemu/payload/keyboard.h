/* SPDX-License-Identifier: GPL-2.0-only */
/* Keys, by which the outside tells the guest what to do. */
#ifndef PAYLOAD_KEYBOARD_H
#define PAYLOAD_KEYBOARD_H

/* What the keyboard sends for a key */
#define KEY_S			0x1b
#define KEY_W			0x1d

void keyboard_start(void);

/* A key that was pressed, or 0. */
unsigned int keyboard_key(void);

#endif /* PAYLOAD_KEYBOARD_H */
