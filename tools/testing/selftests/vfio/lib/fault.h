/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults on demand: exactly one, at the nth place that a call comes by.
 *
 * Whether the call came by so many places is told afterwards, so that a sweep
 * ends with the first n that was not reached.
 */
#ifndef LIB_FAULT_H
#define LIB_FAULT_H

#include <stdbool.h>

#include "check.h"

/**
 * enum fault_kind - which places count
 * @FAULT_TASK: what this thread comes by of the library's allocations and calls
 *	into the driver
 * @FAULT_KERNEL: the same, and all allocations of the kernel
 * @FAULT_OPS: calls of the library into the driver, whoever makes them
 * @FAULT_ALLOCS: the library's allocations, likewise
 */
enum fault_kind {
	FAULT_TASK,
	FAULT_KERNEL,
	FAULT_OPS,
	FAULT_ALLOCS,
};

/**
 * struct fault - faults of one kind, for the thread that made it
 * @kind: the kind
 * @nth: the thread's counter
 */
struct fault {
	enum fault_kind kind;
	int nth;
};

/* Whether kernel and library are built for it. */
bool fault_exists(void);
/* Nothing of the program is paged out or missing from now on. */
int __fault_open(struct fault *fault, enum fault_kind kind);
/* As before; also after a test that did not get that far. */
void fault_restore(void);

/* @n: 1 for the first place */
int __fault_arm(struct fault *fault, unsigned int n);
/* No fault any more. Returns whether there was one. */
int __fault_disarm(struct fault *fault);
/* @times: how many calls into the driver fail in a row, from the @n'th on */
int __fault_ops(unsigned int n, unsigned int times);

#define fault_open(...)		must(__fault_open(__VA_ARGS__))
#define fault_arm(...)		must(__fault_arm(__VA_ARGS__))
#define fault_disarm(...)	(must(__fault_disarm(__VA_ARGS__)) > 0)
#define fault_ops(...)		must(__fault_ops(__VA_ARGS__))

#endif /* LIB_FAULT_H */
