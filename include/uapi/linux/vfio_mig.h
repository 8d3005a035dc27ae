/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Format of the migration data of drivers built on vfio-mig.
 *
 * A stream is a sequence of records without padding between them: a header of
 * 16 bytes and then @size bytes of payload. All numbers are little endian.
 */
#ifndef _UAPI_LINUX_VFIO_MIG_H
#define _UAPI_LINUX_VFIO_MIG_H

#include <linux/types.h>

/**
 * struct vfio_mig_record_header - what precedes the payload of a record
 * @size: bytes of payload
 * @flags: VFIO_MIG_RECORD_ flags; all other bits are zero
 * @tag: VFIO_MIG_TAG_ value, says what the payload is
 */
struct vfio_mig_record_header {
	__le64 size;
	__le32 flags;
	__le32 tag;
};

/* A reader that does not know the tag skips the record instead of failing. */
#define VFIO_MIG_RECORD_OPTIONAL	0x1

/* An image of device state; images are applied in the order of the stream. */
#define VFIO_MIG_TAG_IMAGE		0
/* __le64: the size of the largest image that follows; a hint for allocation. */
#define VFIO_MIG_TAG_STOP_COPY_SIZE	1

#endif /* _UAPI_LINUX_VFIO_MIG_H */
