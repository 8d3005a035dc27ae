/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutexes, work items and user memory.
 *
 * A mutex is the pid of its owner. Read-write locks are mutexes here as well,
 * which covers a writer in the queue that keeps later readers out. What happens
 * under a spinlock is one atomic step, and so is what happens under a mutex
 * where nothing in between waits.
 */

#define NOBODY		255
#define NONE		255

inline lock(mutex)
{
	atomic { mutex == NOBODY -> mutex = _pid }
}

inline unlock(mutex)
{
	atomic { assert(mutex == _pid); mutex = NOBODY }
}

typedef work_item {
	bool pending;
	bool running;
	bool disabled
};

/* With ONE_WORKER all items share one thread, as they may when memory is short. */
#ifdef ONE_WORKER
bool worker_busy;
#define work_ready(item)	(item.pending && !worker_busy)
#else
#define work_ready(item)	(item.pending)
#endif

inline queue_work(item)
{
	item.pending = !item.disabled
}

inline work_begin(item)
{
	item.pending = false;
	item.running = true;
#ifdef ONE_WORKER
	worker_busy = true
#endif
}

inline work_end(item)
{
	item.running = false;
#ifdef ONE_WORKER
	worker_busy = false
#endif
}

inline disable_work_sync(item)
{
	atomic {
		item.pending = false;
#ifndef BUG_CANCEL_ONLY
		item.disabled = true
#endif
	};
	!item.running
}

byte mmap_lock = NOBODY;
byte memory_lock = NOBODY;	/* of the device; a reset holds it */

/* A fault in a mapping of the device's BAR takes mmap_lock, then memory_lock. */
inline touch_mapping()
{
	lock(mmap_lock);
	atomic { memory_lock == NOBODY -> mmap_lock = NOBODY }
}

/*
 * User memory is plain, or a mapping of the device's own BAR, or a page whose
 * fault nobody answers before all else is over.
 */
inline touch_user_memory()
{
	if
	:: true
#ifdef MAPPINGS
	:: touch_mapping()
#endif
#ifdef HANGS
	:: true -> everything_over
#endif
	fi
}
