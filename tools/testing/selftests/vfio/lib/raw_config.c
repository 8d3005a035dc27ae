// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space and BARs of a function as sysfs has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "raw_config.h"

#define DEVICES	"/sys/bus/pci/devices"

uint32_t raw_config_get(const char *address, unsigned int at, unsigned int width)
{
	int fd = open(path(DEVICES "/%s/config", address), O_RDONLY | O_CLOEXEC);
	uint32_t value = 0;

	if (fd < 0 || pread(fd, &value, width, at) != (ssize_t)width)
		fail("config space of %s at 0x%x", address, at);
	close(fd);
	return value;
}

void raw_config_put(const char *address, unsigned int at, unsigned int width, uint32_t value)
{
	int fd = open(path(DEVICES "/%s/config", address), O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, &value, width, at) != (ssize_t)width)
		fail("config space of %s at 0x%x", address, at);
	close(fd);
}

unsigned int raw_find_capability(const char *address, uint8_t id)
{
	unsigned int at = raw_config_get(address, PCI_CAPABILITY_LIST, 1), left = 48;

	while (at && left-- && raw_config_get(address, at, 1) != id)
		at = raw_config_get(address, at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

static bool is_dvsec(const char *address, unsigned int at, uint16_t vendor, uint16_t id)
{
	return raw_config_get(address, at, 2) == PCI_EXT_CAP_ID_DVSEC &&
	       raw_config_get(address, at + PCI_DVSEC_HEADER1, 2) == vendor &&
	       raw_config_get(address, at + PCI_DVSEC_HEADER2, 2) == id;
}

unsigned int raw_find_dvsec(const char *address, uint16_t vendor, uint16_t id)
{
	unsigned int at = 0x100, left = 64;

	while (at && left-- && !is_dvsec(address, at, vendor, id))
		at = raw_config_get(address, at + 2, 2) >> 4;
	return at;
}

uint64_t raw_bar_size(const char *address, unsigned int bar)
{
	FILE *lines = fopen(path(DEVICES "/%s/resource", address), "re");
	unsigned long long start = 0, end = 0, flags;
	unsigned int i;

	if (!lines)
		fail("no BARs of %s", address);
	for (i = 0; i <= bar; i++)
		if (fscanf(lines, "%llx %llx %llx", &start, &end, &flags) != 3)
			fail("no BAR %u of %s", i, address);
	fclose(lines);
	return start ? end - start + 1 : 0;
}
