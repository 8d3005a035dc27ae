// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trace buffer of its own, with marks of this program between the kernel's events.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "events.h"
#include "file.h"

#define TRACEFS	"/sys/kernel/tracing"
#define BUFFER	TRACEFS "/instances/speed"

static int marker = -1;

void events_open(void)
{
	if (!file_exists(TRACEFS "/instances"))
		mount("none", TRACEFS, "tracefs", 0, NULL);
	if (mkdir(BUFFER, 0700))
		fail("no trace buffer: %s", strerror(errno));
	file_write(BUFFER "/trace_clock", "mono");
	file_write(BUFFER "/events/vfio_mig/enable", "1");
	marker = open(BUFFER "/trace_marker", O_WRONLY | O_CLOEXEC);
	if (marker < 0)
		fail("no trace marker: %s", strerror(errno));
}

static void copy(const char *to)
{
	int in = open(BUFFER "/trace", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char data[16384];
	ssize_t done;

	if (in < 0 || out < 0)
		fail("cannot store a trace in %s: %s", to, strerror(errno));
	while ((done = read(in, data, sizeof(data))) > 0)
		if (write(out, data, done) != done)
			fail("%s: %s", to, strerror(errno));
	if (done)
		fail("the trace: %s", strerror(errno));
	close(out);
	close(in);
}

void events_store(const char *name)
{
	close(marker);
	marker = -1;
	file_write(BUFFER "/events/enable", "0");
	copy(name);
	rmdir(BUFFER);
}

static void mark(const char *text)
{
	if (marker >= 0 && write(marker, text, strlen(text)) < 0)
		fail("trace marker: %s", strerror(errno));
}

void events_begin(const char *what, unsigned int device)
{
	mark(path("speed: begin %s %u", what, device));
}

void events_end(const char *what, unsigned int device)
{
	mark(path("speed: end %s %u", what, device));
}

void events_device(unsigned int device, const char *source, const char *target)
{
	mark(path("speed: device %u %s %s", device, source, target));
}
