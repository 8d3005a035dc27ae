/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The harness of kselftest, with limits for kernels that have all checkers on
 * and run in an emulator. They are there to end what hangs, not to measure.
 */
#ifndef MIG_TEST_HARNESS_H
#define MIG_TEST_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240

#undef TEST_F_TIMEOUT
#define TEST_F_TIMEOUT(fixture_name, test_name, timeout) \
	__TEST_F_IMPL(fixture_name, test_name, -1, 4 * (timeout))

#endif /* MIG_TEST_HARNESS_H */
