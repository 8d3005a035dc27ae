/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU time: of this process, in user space and in the kernel, and of the kernel's workers.
 * Simulated devices have threads of their own, which are none of these.
 */
#ifndef SPEED_BUSY_H
#define SPEED_BUSY_H

#include <stdint.h>
#include <sys/types.h>

#define BUSY_WORKERS 512

/**
 * struct busy - CPU time at some moment
 * @before: nanoseconds of this process until it began to look
 * @after: nanoseconds of this process when it had looked
 * @workers: those of each worker
 * @ns: nanoseconds
 * @pid: which worker
 * @count: number of workers
 */
struct busy {
	uint64_t before;
	uint64_t after;
	struct {
		pid_t pid;
		uint64_t ns;
	} workers[BUSY_WORKERS];
	unsigned int count;
};

void busy_now(struct busy *busy);
/* Nanoseconds from one moment to another, but for those that it takes to look. */
uint64_t busy_between(const struct busy *before, const struct busy *after);

#endif /* SPEED_BUSY_H */
