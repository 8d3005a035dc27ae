// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wire format of a record, include/uapi/linux/vfio_mig.h.
 *
 * Nothing here allocates or trusts a number from the stream.
 */
#include <kunit/visibility.h>

#include "vfio_mig_private.h"

static_assert(sizeof(struct vfio_mig_record_header) == 16);

void vfio_mig_record_encode(struct vfio_mig_record_header *header, u64 size, u32 flags, u32 tag)
{
	header->size = cpu_to_le64(size);
	header->flags = cpu_to_le32(flags);
	header->tag = cpu_to_le32(tag);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_record_encode);

bool vfio_mig_record_known(const struct vfio_mig_record_header *header, u32 known_tags)
{
	u32 tag = le32_to_cpu(header->tag);

	return tag < BITS_PER_TYPE(known_tags) && (known_tags & BIT(tag));
}

/*
 * Decide whether a record may follow: -EBADMSG if the header makes no sense,
 * -EOPNOTSUPP if it is mandatory and unknown, -EMSGSIZE if it is too large.
 *
 * A record that is skipped may have any size, as it takes no memory.
 */
int vfio_mig_record_check(const struct vfio_mig_record_header *header, u64 max_record,
			  u32 known_tags)
{
	u64 size = le64_to_cpu(header->size);
	u32 flags = le32_to_cpu(header->flags);

	if (flags & ~VFIO_MIG_RECORD_OPTIONAL)
		return -EBADMSG;
	if (header->tag == cpu_to_le32(VFIO_MIG_TAG_STOP_COPY_SIZE))
		return size == sizeof(__le64) ? 0 : -EBADMSG;
	if (!vfio_mig_record_known(header, known_tags))
		return flags & VFIO_MIG_RECORD_OPTIONAL ? 0 : -EOPNOTSUPP;
	if (!size)
		return -EBADMSG;
	return size > max_record ? -EMSGSIZE : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_record_check);
