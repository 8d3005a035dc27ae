/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that the guest writes all the time, so that a migration has to follow. */
#ifndef PAYLOAD_MEMORY_H
#define PAYLOAD_MEMORY_H

#include <stdint.h>

/* No page has been written: after a reset, memory is as it was. */
void memory_start(void);

/* Check and write the next few pages; the return value counts full passes. */
uint32_t memory_write_pages(void);

#endif /* PAYLOAD_MEMORY_H */
