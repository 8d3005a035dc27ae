/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image: how a VHCA's state travels, or a part of it.
 *
 * A stream begins with image 0 and goes on with incremental ones. Every image
 * carries the engine and some pages of the bulk state; as long as marked pages
 * were left behind it says that more follow, and the target collects them in a
 * shadow. So what a target takes over is always the state of one moment. What the
 * VF's driver has made in the firmware is in the images that end a stream, as nobody
 * takes over the others for good.
 */
#ifndef PCISIM_HCA_IMAGE_H
#define PCISIM_HCA_IMAGE_H

#include <linux/minmax.h>

#include "hca.h"

#define IMAGE_MAGIC		0x61636876
/* the second one has contents, which the first one does not know; else it is the same */
#define IMAGE_VERSION		1
#define IMAGE_VERSION_CONTENTS	2
/* what source and target must have in common: BAR pages and vectors of a VF */
#define IMAGE_GEOMETRY		((HCA_BAR_SIZE >> 12) << 16 | HCA_MSIX_VECTORS)

#define IMAGE_INCREMENTAL	BIT(0)
#define IMAGE_MORE		BIT(1)

struct image_header {
	__le32 magic;
	__le16 version;
	__le16 flags;
	__le32 geometry;
	__le32 sequence;
	__le64 stream;				/* the same in all images of a stream */
	__le64 state_size;
	__le32 length;				/* of the image */
	__le32 extents;				/* each with its pages behind it, at the end */
	__le32 crc;				/* of the image with 0 here */
	__le32 contents;			/* bytes behind the header, see contents.c */
	struct pcisim_hca_engine_image engine;
};

static_assert(sizeof(struct image_header) == 88);

/* Ascending, and only the last page of the state may be short: always aligned. */
struct image_extent {
	__le32 first;
	__le32 pages;
};

/* Bytes copied between two chances for others to run. */
#define IMAGE_PIECE		SZ_256K

static inline u64 extent_bytes(u64 state_size, u64 first, u64 pages)
{
	return min((first + pages) << HCA_BULK_SHIFT, state_size) - (first << HCA_BULK_SHIFT);
}

#endif /* PCISIM_HCA_IMAGE_H */
