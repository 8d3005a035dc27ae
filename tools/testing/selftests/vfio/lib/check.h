/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Results and time limits of the test library.
 *
 * Every library call __foo() returns 0 or a non-negative value, or -errno. must()
 * turns one into a call that ends the test with the caller's line when it
 * fails, and each header offers foo() in this form. Nothing here waits without
 * a limit.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

long __must(long result, const char *call, const char *file, int line);
void __fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

#define must(call)		__must((call), #call, __FILE__, __LINE__)
#define fail(...)		__fail(__FILE__, __LINE__, __VA_ARGS__)

static inline uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* Waits until @condition holds, at most @milliseconds. Returns whether it does. */
#define wait_until(condition, milliseconds) ({					\
	uint64_t __end = now_us() + (milliseconds) * 1000ULL;			\
	bool __met;								\
										\
	while (!(__met = (condition)) && now_us() < __end)			\
		usleep(1000);							\
	__met;									\
})

/* Limits in milliseconds, generous: an emulated machine with checkers is slow. */
#define SOON	10000
#define LATER	60000

#endif /* LIB_CHECK_H */
