/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_LINUX_BITOPS_H
#define FUZZ_LINUX_BITOPS_H

#define BIT(number)	(1UL << (number))

#endif /* FUZZ_LINUX_BITOPS_H */
