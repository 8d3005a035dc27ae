// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of streams.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "golden.h"
#include "kselftest.h"

void golden_read(const char *name, struct blob *blob)
{
	char file[PATH_ROOM], piece[4096];
	ssize_t length = readlink("/proc/self/exe", file, sizeof(file) - 1);
	int fd;

	if (length < 0)
		fail("where am I: %s", strerror(errno));
	file[length] = 0;
	*strrchr(file, '/') = 0;
	fd = open(path("%s/streams/%s", file, name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s/streams/%s: %s", file, name, strerror(errno));
	while ((length = read(fd, piece, sizeof(piece))) > 0)
		blob_append(blob, piece, length);
	close(fd);
}

bool golden_exists(const char *folder, const char *name)
{
	if (!file_exists(path("%s/%s", folder, name)))
		return false;
	ksft_print_msg("%s: left alone\n", name);
	return true;
}

void golden_write(const char *folder, const char *name, const struct blob *blob)
{
	int fd = open(path("%s/%s", folder, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, blob->data, blob->length) != blob->length)
		fail("%s: %s", name, strerror(errno));
	close(fd);
	ksft_print_msg("%s: %zu bytes\n", name, blob->length);
}
