// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends a test when a library call fails. The test runs in a process of its
 * own, whose exit status the harness collects.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kselftest.h"
#include "check.h"

void __fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(KSFT_FAIL);
}

long __must(long result, const char *call, const char *file, int line)
{
	if (result < 0)
		__fail(file, line, "%s: %s", call, strerror(-result));
	return result;
}
