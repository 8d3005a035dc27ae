/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread whose end is waited for with a limit: what blocks for ever fails a test
 * instead of hanging it.
 */
#ifndef LIB_WORKER_H
#define LIB_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "check.h"

/**
 * struct worker - one call in a thread of its own
 * @thread: the thread
 * @run: the call
 * @argument: what it gets
 * @result: what it returned
 * @done: it has returned
 */
struct worker {
	pthread_t thread;
	long (*run)(void *argument);
	void *argument;
	long result;
	bool done;
};

void worker_start(struct worker *worker, long (*run)(void *argument), void *argument);
bool worker_is_done(struct worker *worker);
/* -ETIME if it takes longer than @milliseconds, else 0. */
int __worker_join(struct worker *worker, unsigned int milliseconds);

#define worker_join(...)	must(__worker_join(__VA_ARGS__))

#endif /* LIB_WORKER_H */
