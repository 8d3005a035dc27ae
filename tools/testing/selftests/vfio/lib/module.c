// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules are loaded by modprobe, which knows where they are, and unloaded by
 * the system call, whose errno tells why it was refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "file.h"
#include "module.h"

enum module_state module_state(const char *name)
{
	char folder[64], state[16], *dash;

	snprintf(folder, sizeof(folder), "/sys/module/%s", name);
	while ((dash = strchr(folder, '-')))
		*dash = '_';
	if (!file_exists(folder))
		return MODULE_ABSENT;
	if (__file_read(path("%s/initstate", folder), state, sizeof(state)) < 0)
		return MODULE_BUILT_IN;
	return strcmp(state, "live") ? MODULE_ABSENT : MODULE_LOADED;
}

static int run_quietly(const char *command)
{
	int status = system(path("%s >/dev/null 2>&1", command));

	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

bool module_exists(const char *name)
{
	return module_state(name) != MODULE_ABSENT ||
	       !run_quietly(path("/sbin/modprobe -n -q %s", name));
}

int __module_load(const char *name, const char *options)
{
	/* starting a program takes a second with the checkers of a debug kernel */
	if (module_state(name) != MODULE_ABSENT)
		return 0;
	return run_quietly(path("/sbin/modprobe %s %s", name, options ?: ""));
}

int __module_load_plain(const char *name, const char *options)
{
	return run_quietly(path("/sbin/modprobe -C /dev/null %s %s", name, options ?: ""));
}

int __module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int __module_unload_soon(const char *name)
{
	int error = 0;

	if (module_state(name) != MODULE_LOADED)
		return 0;
	wait_until((error = __module_unload(name)) != -EWOULDBLOCK, SOON);
	return error;
}

int __kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

int __kmsg_count(int fd, int level, const char *text, char *first, size_t room)
{
	char record[8192], *message;
	ssize_t length;
	int count = 0;

	for (;;) {
		length = read(fd, record, sizeof(record) - 1);
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			return length < 0 && errno != EAGAIN ? -errno : count;
		record[length] = 0;
		message = strchr(record, ';');
		if (!message || (atoi(record) & 7) > level || !strstr(message, text))
			continue;
		if (!count++ && room)
			snprintf(first, room, "%.*s", (int)strcspn(message + 1, "\n"),
				 message + 1);
	}
}
