// SPDX-License-Identifier: GPL-2.0-only
/*
 * SIGBUS arrives in the thread that touched, which then goes on as if the touch had
 * returned false.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "check.h"
#include "memory.h"
#include "touch.h"

static __thread sigjmp_buf refused;
static __thread bool touching;

static void on_bus_error(int signal)
{
	if (!__atomic_exchange_n(&touching, false, __ATOMIC_SEQ_CST))
		abort();
	siglongjmp(refused, 1);
}

void touch_prepare(void)
{
	struct sigaction action = { .sa_handler = on_bus_error };

	if (sigaction(SIGBUS, &action, NULL))
		fail("cannot catch SIGBUS");
}

bool touch_read(const uint32_t *where, uint32_t *value)
{
	if (sigsetjmp(refused, 1))
		return false;
	__atomic_store_n(&touching, true, __ATOMIC_SEQ_CST);
	*value = __atomic_load_n(where, __ATOMIC_SEQ_CST);
	__atomic_store_n(&touching, false, __ATOMIC_SEQ_CST);
	return true;
}

bool touch_write(uint32_t *where, uint32_t value)
{
	if (sigsetjmp(refused, 1))
		return false;
	__atomic_store_n(&touching, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(where, value, __ATOMIC_RELAXED);
	__atomic_store_n(&touching, false, __ATOMIC_SEQ_CST);
	return true;
}

long touch_faults(const char *map, size_t length, size_t step)
{
	long before = memory_faults();
	uint32_t value;
	size_t at;

	for (at = 0; at < length; at += step)
		if (!touch_read((const uint32_t *)(map + at), &value))
			fail("SIGBUS at %#zx", at);
	return memory_faults() - before;
}
