// SPDX-License-Identifier: GPL-2.0-only
/*
 * A coarse view: what differs by some MiB counts. MemAvailable alone is too coarse, as
 * freed pages first go to lists of the CPUs, which it leaves out.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "memory.h"

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
