// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue of pieces, for one thread that fills and one that empties it.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "conduit.h"
#include "device.h"

/* Seconds until the other side must have done something. */
#define LIMIT 120

void conduit_open(struct conduit *conduit)
{
	pthread_condattr_t attributes;
	unsigned int i;

	memset(conduit, 0, sizeof(*conduit));
	pthread_mutex_init(&conduit->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&conduit->changed, &attributes);
	for (i = 0; i < CONDUIT_DEPTH; i++)
		conduit->pieces[i].data = speed_memory(CONDUIT_PIECE);
}

void conduit_close(struct conduit *conduit)
{
	unsigned int i;

	for (i = 0; i < CONDUIT_DEPTH; i++)
		munmap(conduit->pieces[i].data, CONDUIT_PIECE);
	pthread_cond_destroy(&conduit->changed);
	pthread_mutex_destroy(&conduit->lock);
}

/* Waits while so many pieces are under way. */
static void wait_while(struct conduit *conduit, unsigned int pieces)
{
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += LIMIT;
	pthread_mutex_lock(&conduit->lock);
	while (conduit->put - conduit->taken == pieces)
		if (pthread_cond_timedwait(&conduit->changed, &conduit->lock, &limit) == ETIMEDOUT)
			fail("the other side does nothing");
	pthread_mutex_unlock(&conduit->lock);
}

static void count(struct conduit *conduit, unsigned int *counter)
{
	pthread_mutex_lock(&conduit->lock);
	++*counter;
	pthread_cond_signal(&conduit->changed);
	pthread_mutex_unlock(&conduit->lock);
}

struct piece *conduit_room(struct conduit *conduit)
{
	wait_while(conduit, CONDUIT_DEPTH);
	return &conduit->pieces[conduit->put % CONDUIT_DEPTH];
}

void conduit_put(struct conduit *conduit)
{
	count(conduit, &conduit->put);
}

struct piece *conduit_next(struct conduit *conduit)
{
	wait_while(conduit, 0);
	return &conduit->pieces[conduit->taken % CONDUIT_DEPTH];
}

void conduit_took(struct conduit *conduit)
{
	count(conduit, &conduit->taken);
}
