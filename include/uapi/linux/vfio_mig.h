/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What drivers built on vfio-mig show to user space: the format of their
 * migration data.
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
/* Tags 2 to 31 are images of further kinds, which a driver defines. */

/* struct vfio_mig_preamble; the first record of a stream, or absent. */
#define VFIO_MIG_TAG_PREAMBLE		0x4d494700
/* struct vfio_mig_checksum of the image that follows next. */
#define VFIO_MIG_TAG_CHECKSUM		0x4d494701
/* struct vfio_mig_end; nothing follows. */
#define VFIO_MIG_TAG_END		0x4d494702

#define VFIO_MIG_FORMAT_VERSION		1

/**
 * struct vfio_mig_preamble - who wrote the stream, and for which device
 * @version: VFIO_MIG_FORMAT_VERSION
 * @flags: VFIO_MIG_PREAMBLE_ flags; a reader refuses flags that it does not know
 * @vendor: PCI vendor id of the device
 * @device: PCI device id
 * @reserved: zero
 * @driver: name of the driver, padded with zeroes, at least one of them
 * @firmware: version of the device's firmware, padded likewise; may be empty
 * @capabilities: what the device can do, as the driver defines it
 *
 * Later versions may append members; a reader ignores what it does not know of.
 */
struct vfio_mig_preamble {
	__le32 version;
	__le32 flags;
	__le16 vendor;
	__le16 device;
	__le32 reserved;
	__u8 driver[32];
	__u8 firmware[32];
	__le64 capabilities;
};

/* The stream ends with VFIO_MIG_TAG_END; without it, it is truncated. */
#define VFIO_MIG_PREAMBLE_END		0x1

/**
 * struct vfio_mig_checksum - checksum of the next image
 * @crc32c: CRC-32C (Castagnoli) of its payload, initial value and final
 *	exclusive or ~0, as iSCSI and ext4 use it
 */
struct vfio_mig_checksum {
	__le32 crc32c;
};

/**
 * struct vfio_mig_end - totals of a stream
 * @images: number of images that are not optional
 * @bytes: bytes of their payload
 */
struct vfio_mig_end {
	__le64 images;
	__le64 bytes;
};

/*
 * The info region of a device that can migrate: read-only, of the type
 * VFIO_REGION_TYPE_PCI_VENDOR_TYPE | <the device's PCI vendor id> and this subtype.
 * It holds struct vfio_mig_info. Vendors are free in their subtypes, so a reader
 * that found the region checks the magic.
 */
#define VFIO_MIG_REGION_SUBTYPE_INFO	0x4d494749

/* The characters VMIG, in this order. */
#define VFIO_MIG_INFO_MAGIC		0x47494d56

/* What the driver knows of the stream: the records named here. */
#define VFIO_MIG_INFO_PREAMBLE		0x1
#define VFIO_MIG_INFO_CHECKSUM		0x2
#define VFIO_MIG_INFO_END		0x4
/* The device saves into a reader's own memory where that is suitable. */
#define VFIO_MIG_INFO_DIRECT		0x8
/* While the device is stopped its BARs are out of reach. */
#define VFIO_MIG_INFO_MMIO_BLOCK	0x10

/**
 * struct vfio_mig_info - which driver serves the device, and what it can do
 * @magic: VFIO_MIG_INFO_MAGIC
 * @size: bytes of this structure; later versions may append members
 * @format: VFIO_MIG_FORMAT_VERSION of the streams that the driver writes
 * @reserved: zero
 * @migration_flags: VFIO_MIGRATION_ flags, as VFIO_DEVICE_FEATURE_MIGRATION has them
 * @capabilities: VFIO_MIG_INFO_ bits
 * @driver: name of the driver, padded with zeroes, at least one of them
 * @driver_version: its version, or the kernel's if it has none, padded likewise
 */
struct vfio_mig_info {
	__le32 magic;
	__le32 size;
	__le32 format;
	__le32 reserved;
	__le64 migration_flags;
	__le64 capabilities;
	__u8 driver[32];
	__u8 driver_version[64];
};

#endif /* _UAPI_LINUX_VFIO_MIG_H */
