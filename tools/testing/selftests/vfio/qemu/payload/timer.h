/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's clock: it works for a while, then sleeps until the next tick. */
#ifndef PAYLOAD_TIMER_H
#define PAYLOAD_TIMER_H

/* The handler, in start.S. */
void timer_interrupt(void);

void timer_start(void);
void timer_wait(void);

#endif /* PAYLOAD_TIMER_H */
