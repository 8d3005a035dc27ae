/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Migration of a VFIO device: the state, and the data as a blob in memory.
 */
#ifndef LIB_MIGRATION_H
#define LIB_MIGRATION_H

#include <linux/vfio.h>
#include <linux/vfio_mig.h>
#include <stddef.h>
#include <stdint.h>

#include "vfio_device.h"

#define STATE_ERROR		VFIO_DEVICE_STATE_ERROR
#define STATE_STOP		VFIO_DEVICE_STATE_STOP
#define STATE_RUNNING		VFIO_DEVICE_STATE_RUNNING
#define STATE_STOP_COPY		VFIO_DEVICE_STATE_STOP_COPY
#define STATE_RESUMING		VFIO_DEVICE_STATE_RESUMING
#define STATE_RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define STATE_PRE_COPY		VFIO_DEVICE_STATE_PRE_COPY
#define STATE_PRE_COPY_P2P	VFIO_DEVICE_STATE_PRE_COPY_P2P

const char *state_name(uint32_t state);

int __mig_flags(struct vfio_device *dev, uint64_t *flags);
/* The state, or -errno. */
int __mig_state(struct vfio_device *dev);
/* @fd: the new data FD, or -1 if the arc has none. May be NULL if it has none. */
int __mig_set_state(struct vfio_device *dev, uint32_t state, int *fd);
int __mig_data_size(struct vfio_device *dev, uint64_t *size);

#define mig_flags(...)		must(__mig_flags(__VA_ARGS__))
#define mig_state(...)		((uint32_t)must(__mig_state(__VA_ARGS__)))
#define mig_set_state(...)	must(__mig_set_state(__VA_ARGS__))
#define mig_data_size(...)	must(__mig_data_size(__VA_ARGS__))
#define mig_begin(dev, state) ({						\
	int __data = -1;							\
										\
	must(__mig_set_state(dev, state, &__data));				\
	__data;									\
})

/**
 * struct blob - migration data in memory
 * @data: the bytes
 * @length: number of bytes
 * @room: number of bytes that fit
 */
struct blob {
	unsigned char *data;
	size_t length;
	size_t room;
};

void blob_append(struct blob *blob, const void *data, size_t length);
void blob_free(struct blob *blob);
void blob_copy(struct blob *to, const struct blob *from);
/* Appends a record header. */
void blob_header(struct blob *blob, uint64_t size, uint32_t flags, uint32_t tag);
/* Offset of the header of the first image at or behind @from, or -1. */
long blob_find_image(const struct blob *blob, size_t from);
uint64_t blob_record_size(const struct blob *blob, size_t header);
/* Offset behind the record whose header is at @header. */
size_t blob_record_end(const struct blob *blob, size_t header);

/* Reads to the end, at most @piece bytes at once. */
int __stream_read(int fd, struct blob *blob, size_t piece);
/* Writes all, at most @piece bytes at once. */
int __stream_write(int fd, const void *data, size_t length, size_t piece);
/* poll() without waiting: the events. */
int stream_events(int fd);

#define stream_read(...)	must(__stream_read(__VA_ARGS__))
#define stream_write(...)	must(__stream_write(__VA_ARGS__))

/* Moves a device to STOP_COPY, takes its state and leaves it in STOP. */
int __mig_save(struct vfio_device *dev, struct blob *blob, size_t piece);
/* Moves a device to RESUMING, gives it a state and leaves it in STOP. */
int __mig_load(struct vfio_device *dev, const struct blob *blob, size_t piece);

#define mig_save(...)		must(__mig_save(__VA_ARGS__))
#define mig_load(...)		must(__mig_load(__VA_ARGS__))

#define MIB	(1UL << 20)

#endif /* LIB_MIGRATION_H */
