/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_KUNIT_VISIBILITY_H
#define FUZZ_KUNIT_VISIBILITY_H

/* Nothing is exported in user space. */
#define EXPORT_SYMBOL_IF_KUNIT(symbol)	extern int symbol##_is_for_tests

#endif /* FUZZ_KUNIT_VISIBILITY_H */
