// SPDX-License-Identifier: GPL-2.0-only
/*
 * A control group for memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "file.h"
#include "group.h"

#define CGROUPS "/run/speed-cgroup"
#define GROUP CGROUPS "/speed"

void group_enter(void)
{
	mkdir(CGROUPS, 0755);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		fail("no control groups: %s", strerror(errno));
	file_write(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755))
		fail("no control group: %s", strerror(errno));
	file_write(GROUP "/cgroup.procs", "0");
}

void group_leave(void)
{
	file_write(CGROUPS "/cgroup.procs", "0");
	rmdir(GROUP);
	umount(CGROUPS);
	rmdir(CGROUPS);
}

uint64_t group_memory(void)
{
	return file_read_number(GROUP "/memory.current");
}

uint64_t group_most_of_reading(int fd, unsigned char *buffer, uint64_t size, uint64_t before)
{
	uint64_t most = before, bytes = 0;
	ssize_t done;

	do {
		uint64_t now = group_memory();

		most = now > most ? now : most;
		done = read(fd, buffer, MIB);
		bytes += done > 0 ? done : 0;
		/* slowly: the device gets ahead as far as it may */
		usleep(1000);
	} while (done > 0);
	if (done || bytes < size)
		fail("%llu bytes, %s", (unsigned long long)bytes, strerror(errno));
	return most;
}
