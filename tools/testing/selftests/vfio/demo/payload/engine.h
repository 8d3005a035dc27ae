/* SPDX-License-Identifier: GPL-2.0-only */
/* The VF's engine: started once, its sequence checked for ever after. */
#ifndef PAYLOAD_ENGINE_H
#define PAYLOAD_ENGINE_H

#include <stdint.h>

/* Start the engine behind the BAR; ring: memory that it may write. */
void engine_start(uint32_t bar, uint32_t ring);

/* Take the numbers that arrived; the return value is the last one taken. */
uint64_t engine_poll(void);

/* Look for numbers that came again, and for errors that the engine reports. */
void engine_check(void);

#endif /* PAYLOAD_ENGINE_H */
