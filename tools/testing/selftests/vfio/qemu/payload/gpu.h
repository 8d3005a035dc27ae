/* SPDX-License-Identifier: GPL-2.0-only */
/* A GPU, whose memory the guest writes all the time, and which it puts to sleep if told to. */
#ifndef PAYLOAD_GPU_H
#define PAYLOAD_GPU_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Tell about the BARs of the first GPU, and write to its memory for the first time.
 * Returns whether there is one.
 */
bool gpu_start(void);

/*
 * Do as a key says that was pressed: S puts the GPU to sleep, W wakes it. While it is
 * awake, check and write the next few pages of its memory. The return value counts calls.
 */
uint64_t gpu_step(void);

#endif /* PAYLOAD_GPU_H */
