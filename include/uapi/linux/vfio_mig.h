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
 * The info region of a device: read-only, of the type
 * VFIO_REGION_TYPE_PCI_VENDOR_TYPE | <the device's PCI vendor id> and this subtype.
 * It begins with struct vfio_mig_info. Vendors are free in their subtypes, so a reader
 * that found the region checks the magic. What one read() returns is one picture.
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
 * @migration_flags: VFIO_MIGRATION_ flags, as VFIO_DEVICE_FEATURE_MIGRATION has them;
 *	0 if the device cannot migrate, and then @capabilities are as well
 * @capabilities: VFIO_MIG_INFO_ bits
 * @driver: name of the driver, padded with zeroes, at least one of them
 * @driver_version: its version, or the kernel's if it has none, padded likewise
 * @memory_offset: where the first struct vfio_mig_memory is, in the info region
 * @memory_size: bytes from one of them to the next; later versions may append members
 * @memory_count: number of them; 0 if the driver says nothing about memory
 * @poison_offset: where the first struct vfio_mig_poison is, in the info region
 * @poison_size: bytes from one of them to the next
 * @poison_count: number of them; unlike all the rest it changes while the device is open
 * @poison_lost: number of further ranges for which there is no room
 * @reserved2: zero
 *
 * Members from @memory_offset on are there if @size says so.
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
	__le32 memory_offset;
	__le32 memory_size;
	__le32 memory_count;
	__le32 poison_offset;
	__le32 poison_size;
	__le32 poison_count;
	__le32 poison_lost;
	__le32 reserved2;
};

/* Mappings are cached, as those of the machine's own memory. */
#define VFIO_MIG_MEMORY_CACHED		0x1
/* Mappings are not cached; writes may be combined. */
#define VFIO_MIG_MEMORY_WRITE_COMBINED	0x2

/* The host's node is not known. */
#define VFIO_MIG_NO_NODE		0xffffffff

/**
 * struct vfio_mig_memory - a part of a region that is memory, not registers
 * @region: index of the region
 * @flags: VFIO_MIG_MEMORY_ flags; bits that a reader does not know say nothing it has
 *	to care about
 * @offset: where the memory begins in the region
 * @length: bytes of it. What the region has behind it is not backed by anything.
 * @alignment: mappings are made of the largest pages if both their address and, in the
 *	guest, the address of the region are a multiple of this; a power of two
 * @node: the host's NUMA node that the memory is nearest to, or VFIO_MIG_NO_NODE; its
 *	proximity domain, as this kernel numbers them
 * @reserved: zero
 */
struct vfio_mig_memory {
	__le32 region;
	__le32 flags;
	__le64 offset;
	__le64 length;
	__le64 alignment;
	__le32 node;
	__le32 reserved;
};

/**
 * struct vfio_mig_poison - memory that must not be touched, as the hardware lost it
 * @region: index of the region
 * @reserved: zero
 * @offset: where it begins in the region
 * @length: bytes of it
 */
struct vfio_mig_poison {
	__le32 region;
	__le32 reserved;
	__le64 offset;
	__le64 length;
};

#endif /* _UAPI_LINUX_VFIO_MIG_H */
