// SPDX-License-Identifier: GPL-2.0-only
/*
 * A coarse view: what differs by some MiB counts.
 */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "memory.h"

uint64_t memory_available(void)
{
	char text[4096], *line;

	file_read("/proc/meminfo", text, sizeof(text));
	line = strstr(text, "MemAvailable:");
	if (!line)
		fail("no MemAvailable in /proc/meminfo");
	return strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10;
}
