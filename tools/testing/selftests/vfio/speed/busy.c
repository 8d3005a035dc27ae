// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU time from getrusage() and from the scheduler's files in /proc.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "busy.h"
#include "file.h"

static uint64_t nanoseconds(struct timeval time)
{
	return time.tv_sec * 1000000000ULL + time.tv_usec * 1000;
}

/* Also of threads that work on behalf of this process, for io_uring. */
static uint64_t time_of_self(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

static void add_worker(struct busy *busy, const char *pid)
{
	char text[128];

	/* it may be gone by now */
	if (__file_read(path("/proc/%s/comm", pid), text, sizeof(text)) < 0 ||
	    strncmp(text, "kworker", 7) ||
	    __file_read(path("/proc/%s/schedstat", pid), text, sizeof(text)) < 0)
		return;
	if (busy->count == BUSY_WORKERS)
		fail("more than %u workers", BUSY_WORKERS);
	busy->workers[busy->count].pid = atoi(pid);
	busy->workers[busy->count++].ns = strtoull(text, NULL, 10);
}

void busy_now(struct busy *busy)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	busy->before = time_of_self();
	if (!processes)
		fail("no /proc");
	busy->count = 0;
	while ((entry = readdir(processes)))
		if (isdigit(entry->d_name[0]))
			add_worker(busy, entry->d_name);
	closedir(processes);
	if (!busy->count)
		fail("the kernel does not tell the time of its workers");
	busy->after = time_of_self();
}

static uint64_t worker_before(const struct busy *before, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < before->count; i++)
		if (before->workers[i].pid == pid)
			return before->workers[i].ns;
	return 0;
}

uint64_t busy_between(const struct busy *before, const struct busy *after)
{
	uint64_t sum = after->before - before->after;
	unsigned int i;

	for (i = 0; i < after->count; i++)
		sum += after->workers[i].ns - worker_before(before, after->workers[i].pid);
	return sum;
}
