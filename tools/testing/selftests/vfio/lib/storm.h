/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A storm: threads that each do one thing to the same devices, again and again, for some
 * time. What their calls answered is counted, and has to be what they may answer. A call
 * that does not return is reported with what its thread waits for.
 */
#ifndef LIB_STORM_H
#define LIB_STORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "check.h"

#define STORM_ERRNOS		136
#define STORM_MAX_ACTORS	32
/* Milliseconds after which a call counts as one that does not return. */
#define STORM_PATIENCE		60000

struct storm;

/**
 * struct storm_actor - one thread
 * @name: what it does
 * @act: does it once, and notes how it went; may pause
 * @leave: called when the storm is over, or NULL
 * @errors: what it may fail with, 0 at the end
 * @storm: what it is part of
 * @site: what it acts on
 * @seed: of its random numbers
 * @thread: the thread
 * @task: the kernel's number of the thread
 * @since: when @act or @leave was called, in microseconds, 0 while it is not running
 * @over: the thread has ended
 * @wins: calls that succeeded
 * @amount: sum of what they returned
 * @failures: calls that failed, for each errno
 */
struct storm_actor {
	const char *name;
	void (*act)(struct storm_actor *actor);
	void (*leave)(struct storm_actor *actor);
	const int *errors;
	struct storm *storm;
	void *site;
	unsigned int seed;
	pthread_t thread;
	pid_t task;
	uint64_t since;
	bool over;
	uint64_t wins;
	uint64_t amount;
	uint64_t failures[STORM_ERRNOS];
};

/**
 * struct storm - all of them
 * @actors: the threads
 * @count: number of them
 * @stop: no further turn
 */
struct storm {
	struct storm_actor actors[STORM_MAX_ACTORS];
	unsigned int count;
	bool stop;
};

struct storm_actor *storm_add(struct storm *storm, const char *name,
			      void (*act)(struct storm_actor *actor), const int *errors,
			      void *site);
/* Returns whether every call returned; prints those that did not. */
bool storm_run(struct storm *storm, unsigned int seconds, unsigned int seed);
/* Whether nobody got an error that he may not get; prints those errors. */
bool storm_errors_are_known(const struct storm *storm);
/* Whether everybody succeeded at something, or reached a session that lives; prints who did not. */
bool storm_all_won(const struct storm *storm);
/* One line for each actor. */
void storm_print(const struct storm *storm);

/* For actors: a number below @limit. */
unsigned int storm_random(struct storm_actor *actor, unsigned int limit);
/* For actors: a call returned @result, -errno or not. Passes it on. */
long storm_note(struct storm_actor *actor, long result);
/* For actors: up to so many microseconds without doing anything. */
void storm_pause(struct storm_actor *actor, unsigned int limit);
bool storm_is_over(struct storm_actor *actor);

#endif /* LIB_STORM_H */
