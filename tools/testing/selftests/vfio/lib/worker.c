// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads with a time limit. One that does not end stays behind and goes with the process.
 */
#include <errno.h>

#include "worker.h"

static void *worker_thread(void *data)
{
	struct worker *worker = data;

	worker->result = worker->run(worker->argument);
	__atomic_store_n(&worker->done, true, __ATOMIC_RELEASE);
	return NULL;
}

void worker_start(struct worker *worker, long (*run)(void *argument), void *argument)
{
	worker->run = run;
	worker->argument = argument;
	worker->result = 0;
	worker->done = false;
	if (pthread_create(&worker->thread, NULL, worker_thread, worker))
		fail("cannot create a thread");
}

bool worker_is_done(struct worker *worker)
{
	return __atomic_load_n(&worker->done, __ATOMIC_ACQUIRE);
}

int __worker_join(struct worker *worker, unsigned int milliseconds)
{
	if (!wait_until(worker_is_done(worker), milliseconds))
		return -ETIME;
	pthread_join(worker->thread, NULL);
	return 0;
}
