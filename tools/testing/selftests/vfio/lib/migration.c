// SPDX-License-Identifier: GPL-2.0-only
/*
 * State changes and the transfer of migration data.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration.h"

const char *state_name(uint32_t state)
{
	static const char * const names[VFIO_DEVICE_STATE_NR] = {
		[STATE_ERROR] = "ERROR",
		[STATE_STOP] = "STOP",
		[STATE_RUNNING] = "RUNNING",
		[STATE_STOP_COPY] = "STOP_COPY",
		[STATE_RESUMING] = "RESUMING",
		[STATE_RUNNING_P2P] = "RUNNING_P2P",
		[STATE_PRE_COPY] = "PRE_COPY",
		[STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
	};

	return state < VFIO_DEVICE_STATE_NR ? names[state] : "(no state)";
}

int __mig_flags(struct vfio_device *dev, uint64_t *flags)
{
	struct vfio_device_feature_migration answer = { 0 };
	int error = __vfio_feature(dev, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
				   &answer, sizeof(answer));

	*flags = answer.flags;
	return error;
}

int __mig_state(struct vfio_device *dev)
{
	struct vfio_device_feature_mig_state answer = { .device_state = ~0U, .data_fd = 0 };
	int error = __vfio_feature(dev, VFIO_DEVICE_FEATURE_GET |
				   VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &answer,
				   sizeof(answer));

	if (!error && answer.data_fd != -1)
		return -EBADF;
	return error ?: (int)answer.device_state;
}

int __mig_set_state(struct vfio_device *dev, uint32_t state, int *fd)
{
	struct vfio_device_feature_mig_state request = { .device_state = state, .data_fd = -1 };
	int error = __vfio_feature(dev, VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &request,
				   sizeof(request));

	if (fd)
		*fd = error ? -1 : request.data_fd;
	else if (!error && request.data_fd != -1)
		close(request.data_fd);
	return error;
}

int __mig_data_size(struct vfio_device *dev, uint64_t *size)
{
	struct vfio_device_feature_mig_data_size answer = { 0 };
	int error = __vfio_feature(dev, VFIO_DEVICE_FEATURE_GET |
				   VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &answer, sizeof(answer));

	*size = answer.stop_copy_length;
	return error;
}

static void blob_reserve(struct blob *blob, size_t more)
{
	size_t room = blob->room ?: MIB;

	while (room < blob->length + more)
		room *= 2;
	if (room == blob->room)
		return;
	blob->data = realloc(blob->data, room);
	if (!blob->data)
		fail("no memory for %zu bytes of migration data", room);
	blob->room = room;
}

void blob_append(struct blob *blob, const void *data, size_t length)
{
	blob_reserve(blob, length);
	memcpy(blob->data + blob->length, data, length);
	blob->length += length;
}

void blob_free(struct blob *blob)
{
	free(blob->data);
	memset(blob, 0, sizeof(*blob));
}

void blob_copy(struct blob *to, const struct blob *from)
{
	memset(to, 0, sizeof(*to));
	blob_append(to, from->data, from->length);
}

void blob_header(struct blob *blob, uint64_t size, uint32_t flags, uint32_t tag)
{
	struct vfio_mig_record_header header = {
		.size = htole64(size),
		.flags = htole32(flags),
		.tag = htole32(tag),
	};

	blob_append(blob, &header, sizeof(header));
}

static struct vfio_mig_record_header header_at(const struct blob *blob, size_t at)
{
	struct vfio_mig_record_header header;

	memcpy(&header, blob->data + at, sizeof(header));
	return header;
}

uint64_t blob_record_size(const struct blob *blob, size_t header)
{
	return le64toh(header_at(blob, header).size);
}

size_t blob_record_end(const struct blob *blob, size_t header)
{
	return header + sizeof(struct vfio_mig_record_header) + blob_record_size(blob, header);
}

long blob_find_image(const struct blob *blob, size_t from)
{
	size_t at = 0;

	while (at + sizeof(struct vfio_mig_record_header) <= blob->length) {
		struct vfio_mig_record_header header = header_at(blob, at);

		if (at >= from && le32toh(header.tag) == VFIO_MIG_TAG_IMAGE)
			return at;
		at += sizeof(header) + le64toh(header.size);
	}
	return -1;
}

int __stream_read(int fd, struct blob *blob, size_t piece)
{
	ssize_t done;

	do {
		blob_reserve(blob, piece);
		done = read(fd, blob->data + blob->length, piece);
		if (done > 0)
			blob->length += done;
	} while (done > 0);
	return done < 0 ? -errno : 0;
}

int __stream_write(int fd, const void *data, size_t length, size_t piece)
{
	size_t done = 0;

	while (done < length) {
		size_t now = length - done < piece ? length - done : piece;
		ssize_t written = write(fd, data + done, now);

		if (written < 0)
			return -errno;
		if (!written || (size_t)written > now)
			return -EIO;
		done += written;
	}
	return 0;
}

int stream_events(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&wanted, 1, 0) < 0 ? -errno : wanted.revents;
}

int __mig_save(struct vfio_device *dev, struct blob *blob, size_t piece)
{
	int fd, error = __mig_set_state(dev, STATE_STOP_COPY, &fd);

	if (error)
		return error;
	error = __stream_read(fd, blob, piece);
	if (!error)
		error = __mig_set_state(dev, STATE_STOP, NULL);
	close(fd);
	return error;
}

int __mig_load(struct vfio_device *dev, const struct blob *blob, size_t piece)
{
	int fd, error = __mig_set_state(dev, STATE_RESUMING, &fd);

	if (error)
		return error;
	error = __stream_write(fd, blob->data, blob->length, piece);
	if (!error)
		error = __mig_set_state(dev, STATE_STOP, NULL);
	close(fd);
	return error;
}
