// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads of a storm, their results, and the look-out for those that hang.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "file.h"
#include "storm.h"

unsigned int storm_random(struct storm_actor *actor, unsigned int limit)
{
	return rand_r(&actor->seed) % limit;
}

long storm_note(struct storm_actor *actor, long result)
{
	if (result >= 0) {
		actor->wins++;
		actor->amount += result;
	} else {
		actor->failures[-result < STORM_ERRNOS ? -result : 0]++;
	}
	return result;
}

bool storm_is_over(struct storm_actor *actor)
{
	return __atomic_load_n(&actor->storm->stop, __ATOMIC_ACQUIRE);
}

/* In pieces, as a storm that is over wants to end soon. */
void storm_pause(struct storm_actor *actor, unsigned int limit)
{
	uint64_t end = now_us() + storm_random(actor, limit + 1);

	while (now_us() < end && !storm_is_over(actor))
		usleep(end - now_us() < 10000 ? 500 : 10000);
}

static void set_since(struct storm_actor *actor, uint64_t since)
{
	__atomic_store_n(&actor->since, since, __ATOMIC_RELEASE);
}

static void call(struct storm_actor *actor, void (*act)(struct storm_actor *actor))
{
	set_since(actor, now_us());
	act(actor);
	set_since(actor, 0);
}

static void *run_actor(void *data)
{
	struct storm_actor *actor = data;

	actor->task = syscall(SYS_gettid);
	while (!storm_is_over(actor))
		call(actor, actor->act);
	if (actor->leave)
		call(actor, actor->leave);
	__atomic_store_n(&actor->over, true, __ATOMIC_RELEASE);
	return NULL;
}

struct storm_actor *storm_add(struct storm *storm, const char *name,
			      void (*act)(struct storm_actor *actor), const int *errors,
			      void *site)
{
	struct storm_actor *actor = &storm->actors[storm->count];

	if (storm->count++ == STORM_MAX_ACTORS)
		fail("more than %u actors", STORM_MAX_ACTORS);
	*actor = (struct storm_actor) {
		.name = name,
		.act = act,
		.errors = errors,
		.storm = storm,
		.site = site,
	};
	return actor;
}

static bool is_over(struct storm_actor *actor)
{
	return __atomic_load_n(&actor->over, __ATOMIC_ACQUIRE);
}

static bool hangs(struct storm_actor *actor, uint64_t now)
{
	uint64_t since = __atomic_load_n(&actor->since, __ATOMIC_ACQUIRE);

	return since && now > since + STORM_PATIENCE * 1000ULL;
}

static void print_hanging(const struct storm_actor *actor)
{
	static const char * const files[] = { "wchan", "stack", "syscall" };
	char text[4096], *line, *next;
	unsigned int i;

	fprintf(stderr, "# \"%s\" has not returned for %u s\n", actor->name,
		STORM_PATIENCE / 1000);
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (__file_read(path("/proc/self/task/%d/%s", actor->task, files[i]), text,
				sizeof(text)) < 0)
			continue;
		for (line = text; line; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = 0;
			fprintf(stderr, "#   %s: %s\n", files[i], line);
		}
	}
}

/* Number of threads that hang; @print them as well. */
static unsigned int count_hanging(struct storm *storm, bool print)
{
	uint64_t now = now_us();
	unsigned int i, count = 0;

	for (i = 0; i < storm->count; i++) {
		if (!hangs(&storm->actors[i], now))
			continue;
		count++;
		if (print)
			print_hanging(&storm->actors[i]);
	}
	return count;
}

static bool all_over(struct storm *storm)
{
	unsigned int i;

	for (i = 0; i < storm->count; i++)
		if (!is_over(&storm->actors[i]))
			return false;
	return true;
}

static void start(struct storm *storm, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < storm->count; i++) {
		struct storm_actor *actor = &storm->actors[i];

		actor->seed = seed * STORM_MAX_ACTORS + i;
		if (pthread_create(&actor->thread, NULL, run_actor, actor))
			fail("cannot create a thread");
	}
}

/* Several write the same data FD, so that a session that lives mostly says EBADMSG. */
static bool has_won(const struct storm_actor *actor)
{
	return __atomic_load_n(&actor->wins, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&actor->failures[EBADMSG], __ATOMIC_RELAXED);
}

static bool everybody_won(const struct storm *storm)
{
	unsigned int i;

	for (i = 0; i < storm->count; i++)
		if (!has_won(&storm->actors[i]))
			return false;
	return true;
}

/* How long somebody takes who has to be lucky depends on the machine: up to ten times longer. */
static bool goes_on(const struct storm *storm, uint64_t begun, uint64_t time)
{
	uint64_t past = now_us() - begun;

	return past < time || (past < 10 * time && !everybody_won(storm));
}

/* A thread that hangs stays behind and goes with the process. */
bool storm_run(struct storm *storm, unsigned int seconds, unsigned int seed)
{
	uint64_t begun = now_us();
	unsigned int i;

	start(storm, seed);
	while (goes_on(storm, begun, seconds * 1000000ULL) && !count_hanging(storm, false))
		usleep(100000);
	__atomic_store_n(&storm->stop, true, __ATOMIC_RELEASE);
	while (!all_over(storm) && !count_hanging(storm, false))
		usleep(10000);
	if (!all_over(storm)) {
		count_hanging(storm, true);
		return false;
	}
	for (i = 0; i < storm->count; i++)
		pthread_join(storm->actors[i].thread, NULL);
	return true;
}

static bool may_fail_with(const struct storm_actor *actor, unsigned int error)
{
	const int *known;

	for (known = actor->errors; known && *known; known++)
		if (*known == error)
			return true;
	return false;
}

bool storm_errors_are_known(const struct storm *storm)
{
	bool known = true;
	unsigned int i, error;

	for (i = 0; i < storm->count; i++) {
		const struct storm_actor *actor = &storm->actors[i];

		for (error = 0; error < STORM_ERRNOS; error++) {
			if (!actor->failures[error] || may_fail_with(actor, error))
				continue;
			fprintf(stderr, "# \"%s\" failed %llu times with %s (%u)\n", actor->name,
				(unsigned long long)actor->failures[error],
				strerrorname_np(error) ?: "?", error);
			known = false;
		}
	}
	return known;
}

bool storm_all_won(const struct storm *storm)
{
	bool won = true;
	unsigned int i;

	for (i = 0; i < storm->count; i++) {
		if (has_won(&storm->actors[i]))
			continue;
		fprintf(stderr, "# \"%s\" never succeeded\n", storm->actors[i].name);
		won = false;
	}
	return won;
}

static void print_actor(const struct storm_actor *actor)
{
	unsigned int error;

	printf("#   %-26s %8llu (sum %llu)", actor->name, (unsigned long long)actor->wins,
	       (unsigned long long)actor->amount);
	for (error = 0; error < STORM_ERRNOS; error++)
		if (actor->failures[error])
			printf(" %s %llu", strerrorname_np(error) ?: "?",
			       (unsigned long long)actor->failures[error]);
	putchar('\n');
}

void storm_print(const struct storm *storm)
{
	unsigned int i;

	for (i = 0; i < storm->count; i++)
		print_actor(&storm->actors[i]);
	fflush(stdout);
}
