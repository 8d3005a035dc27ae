/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This program in a control group of its own, which counts the kernel's memory as well.
 */
#ifndef SPEED_GROUP_H
#define SPEED_GROUP_H

#include <stdint.h>

void group_enter(void);
void group_leave(void);
/* Bytes that are charged to it. */
uint64_t group_memory(void);
/*
 * The most that is charged at any time while a stream of at least @size bytes is read to
 * the end, slowly, so that the device gets ahead as far as it may; not less than @before.
 */
uint64_t group_most_of_reading(int fd, unsigned char *buffer, uint64_t size, uint64_t before);

#endif /* SPEED_GROUP_H */
