// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to the small text files through which the kernel is configured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

const char *path(const char *format, ...)
{
	static __thread char names[8][PATH_ROOM];
	static __thread unsigned int next;
	char *name = names[next++ % 8];
	va_list args;

	va_start(args, format);
	vsnprintf(name, PATH_ROOM, format, args);
	va_end(args);
	return name;
}

bool file_exists(const char *name)
{
	return !access(name, F_OK);
}

int __file_write(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	ssize_t done;
	int error;

	if (fd < 0)
		return -errno;
	done = write(fd, text, strlen(text));
	error = done < 0 ? -errno : 0;
	close(fd);
	return error;
}

int __file_read(const char *name, char *text, size_t room)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t done;
	int error;

	if (fd < 0)
		return -errno;
	done = read(fd, text, room - 1);
	error = done < 0 ? -errno : 0;
	close(fd);
	if (error)
		return error;
	while (done > 0 && text[done - 1] == '\n')
		done--;
	text[done] = 0;
	return done;
}

int __file_write_number(const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return __file_write(name, text);
}

int __file_read_number(const char *name, uint64_t *value)
{
	char text[32], *end;
	int length = __file_read(name, text, sizeof(text));

	if (length < 0)
		return length;
	*value = strtoull(text, &end, 0);
	return end == text || *end ? -EINVAL : 0;
}

int __link_name(const char *name, char *text, size_t room)
{
	char target[PATH_ROOM], *last;
	ssize_t length = readlink(name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = 0;
	last = strrchr(target, '/');
	snprintf(text, room, "%s", last ? last + 1 : target);
	return 0;
}
