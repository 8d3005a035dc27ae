// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace buffers through tracefs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "file.h"
#include "trace.h"

#define TRACEFS		"/sys/kernel/tracing"
#define BUFFER		TRACEFS "/instances/vfio-mig-kselftest"
#define ROOM		(4 << 20)

bool trace_exists(void)
{
	if (!file_exists(TRACEFS "/instances"))
		mount("none", TRACEFS, "tracefs", 0, NULL);
	return file_exists(TRACEFS "/instances") && file_exists(TRACEFS "/events/vfio_mig");
}

void trace_close(void)
{
	__file_write(BUFFER "/events/enable", "0");
	rmdir(BUFFER);
}

int __trace_open(struct trace *trace)
{
	trace_close();
	trace->text = malloc(ROOM);
	trace->at = trace->text;
	if (!trace->text)
		return -ENOMEM;
	trace->text[0] = 0;
	if (mkdir(BUFFER, 0700))
		return -errno;
	return __file_write(BUFFER "/events/vfio_mig/enable", "1");
}

int __trace_read(struct trace *trace)
{
	int fd = open(BUFFER "/trace", O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t done = 1;

	if (fd < 0)
		return -errno;
	while (done > 0 && length < ROOM - 1) {
		done = read(fd, trace->text + length, ROOM - 1 - length);
		length += done > 0 ? done : 0;
	}
	close(fd);
	trace->text[length] = 0;
	trace->at = trace->text;
	return done < 0 ? -errno : done ? -E2BIG : 0;
}

/* What follows the name of the event in a line that ends at @end, or NULL. */
static char *body_of(char *line, const char *end, const char *event)
{
	char key[64], *name;

	/* Callers pass what path() gave them, which lasts for a few calls of it only. */
	snprintf(key, sizeof(key), ": %s: ", event);
	name = strstr(line, key);
	return name && name < end ? name + strlen(event) + 4 : NULL;
}

static char *find(char *from, const char *event, const char *text, char **behind)
{
	char *end, *body, *found;

	for (; *from; from = end + !!*end) {
		end = from + strcspn(from, "\n");
		body = body_of(from, end, event);
		found = body ? strstr(body, text) : NULL;
		if (found && found < end) {
			*behind = end + !!*end;
			return body;
		}
	}
	return NULL;
}

const char *trace_find(struct trace *trace, const char *event, const char *format, ...)
{
	static char body[PATH_ROOM];
	char text[PATH_ROOM], *found;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	found = find(trace->at, event, text, &trace->at);
	if (!found)
		return NULL;
	snprintf(body, sizeof(body), "%.*s", (int)strcspn(found, "\n"), found);
	return body;
}

unsigned int trace_count(const struct trace *trace, const char *event, const char *text)
{
	char *at = trace->text;
	unsigned int count = 0;

	while (find(at, event, text, &at))
		count++;
	return count;
}
