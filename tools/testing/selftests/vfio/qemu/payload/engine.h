/* SPDX-License-Identifier: GPL-2.0-only */
/* The VFs' engines: started once, their sequences checked for ever after. */
#ifndef PAYLOAD_ENGINE_H
#define PAYLOAD_ENGINE_H

#include <stdint.h>

#define ENGINES_MAX		4

/* Start the engines behind the BARs; ring: the first byte of memory that they may write. */
void engines_start(const uint32_t *bars, unsigned int count, uint32_t ring);

/* Take the numbers that arrived; the return value is the lowest of those taken last. */
uint64_t engines_poll(void);

/*
 * Look again at what the engines wrote, for numbers that came twice or were lost, and for
 * errors that the engines report.
 */
void engines_check(void);

#endif /* PAYLOAD_ENGINE_H */
