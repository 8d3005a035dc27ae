// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is available is a coarse view: what differs by some MiB counts. MemAvailable
 * alone is too coarse, as freed pages first go to lists of the CPUs, which it leaves out.
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "file.h"
#include "memory.h"
#include "page.h"

/* The sum of the numbers behind @label at the beginning of lines. */
static uint64_t sum_of(const char *file, const char *label)
{
	FILE *lines = fopen(file, "re");
	unsigned int found = 0;
	uint64_t sum = 0;
	char line[256];

	if (!lines)
		fail("cannot open %s", file);
	while (fgets(line, sizeof(line), lines)) {
		const char *text = line + strspn(line, " ");

		if (strncmp(text, label, strlen(label)))
			continue;
		sum += strtoull(text + strlen(label), NULL, 10);
		found++;
	}
	fclose(lines);
	if (!found)
		fail("no %s in %s", label, file);
	return sum;
}

uint64_t memory_available(void)
{
	return (sum_of("/proc/meminfo", "MemAvailable:") << 10) +
	       sum_of("/proc/zoneinfo", "count:") * getpagesize();
}

long memory_faults(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		fail("no usage");
	return usage.ru_minflt + usage.ru_majflt;
}

void *memory_edge(size_t size)
{
	size_t room = (size + PAGE - 1) & ~(PAGE - 1);
	char *memory = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || munmap(memory + room, PAGE))
		fail("no memory");
	return memory + room;
}

void memory_forbid_locking(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const struct rlimit limit = { 0 };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || syscall(SYS_capset, &header, none))
		fail("cannot give up locking memory");
}
