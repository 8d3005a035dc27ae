/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_LINUX_BYTEORDER_GENERIC_H
#define FUZZ_LINUX_BYTEORDER_GENERIC_H

#include <endian.h>

#define le16_to_cpu	le16toh
#define le32_to_cpu	le32toh
#define le64_to_cpu	le64toh
#define cpu_to_le32	htole32
#define cpu_to_le64	htole64

#endif /* FUZZ_LINUX_BYTEORDER_GENERIC_H */
