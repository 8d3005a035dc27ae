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

#endif /* SPEED_GROUP_H */
