/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_LINUX_MINMAX_H
#define FUZZ_LINUX_MINMAX_H

#include <assert.h>

#define min(a, b) ({			\
	__typeof__(a) __a = (a);	\
	__typeof__(b) __b = (b);	\
					\
	__a < __b ? __a : __b;		\
})

#endif /* FUZZ_LINUX_MINMAX_H */
