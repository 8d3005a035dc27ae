// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoding of record headers, include/uapi/linux/vfio_mig.h. For the other
 * direction see parser.c.
 */
#include <kunit/visibility.h>

#include "vfio_mig_private.h"

void vfio_mig_record_encode(struct vfio_mig_record_header *header, u64 size, u32 flags, u32 tag)
{
	header->size = cpu_to_le64(size);
	header->flags = cpu_to_le32(flags);
	header->tag = cpu_to_le32(tag);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_record_encode);
