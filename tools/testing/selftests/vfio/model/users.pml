/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users: that of the state machine, readers and writers that wait, requests
 * that do not, and the file descriptor.
 */

/* In a pre-copy session the driver does one thing at a time; under call_lock. */
inline pause(s)
{
	st[s].paused = true;
	!st[s].producing
}

inline unpause(s)
{
	atomic {
		st[s].paused = false;
#ifndef BUG_UNPAUSE_WITHOUT_KICK
		queue_work(st[s].produce)
#endif
	}
}

/* RESUMING -> STOP: whether what was loaded is good. Nothing is loaded after this. */
inline load_finish(s, ok)
{
	atomic {
		st[s].call_lock == NOBODY ->
		ok = false;
		if
		:: st[s].status
		/* without its end record a stream whose records are applied later is not good */
		:: !st[s].status && st[s].ready > 0
		:: !st[s].status && st[s].ready == 0 -> assert(may_call(s)); ok = true
#ifdef FAULTS
		:: true
#endif
		fi;
		stream_fail(s)
	}
}

/* An arc, under the guard. */
inline step()
{
	if
	:: state == RUNNING -> suspend(); state = STOP
	:: state == STOP -> resume(); state = RUNNING
#ifdef SAVES
	:: state == STOP && started < SESSIONS ->
		stream_start(s, STOP_COPY_MODE, ok);
		state = (ok -> STOP_COPY : state)
	:: state == STOP_COPY -> leaves = true; next = STOP
#endif
#ifdef PRE_COPIES
	:: state == RUNNING && started < SESSIONS ->
		stream_start(s, PRE_COPY_MODE, ok);
		state = (ok -> PRE_COPY : state)
	:: state == PRE_COPY -> leaves = true; next = RUNNING
	:: state == PRE_COPY ->
		s = mig_stream;
		lock(st[s].call_lock);
		pause(s);
		suspend();
		/* save_begin(final) */
		atomic { assert(may_call(s)); st[s].mode = STOP_COPY_MODE; st[s].idle = false };
		unpause(s);
		unlock(st[s].call_lock);
		state = STOP_COPY
	:: state == STOP_COPY -> leaves = true; next = STOP
#endif
#ifdef LOADS
	:: state == STOP && started < SESSIONS ->
		stream_start(s, RESUMING_MODE, ok);
		state = (ok -> RESUMING : state)
	:: state == RESUMING ->
		s = mig_stream;
		load_finish(s, ok);
		if
		:: ok -> leaves = true; next = STOP
		:: else
		fi
#endif
	:: state == ERROR
	fi
}

/* The device's user. Closing the device and unbinding the driver come last. */
proctype user()
{
	byte arcs;
	byte s;
	bool ok;
	byte ending;
	byte request;
	byte next;
	bool leaves;
	bool resets;
	bool resumes;

	do
	:: arcs <= ARCS ->
		if
		:: arcs < ARCS -> arcs++
		:: arcs = ARCS + 1;
#ifdef STAYS_OPEN
			/* No arc, reset or close may be needed to get an answer. */
			tickets == served
#endif
		fi;
		lock(state_mutex);
		if
		:: arcs > ARCS -> leaves = true; closed = true
		:: else ->
			if
			:: !detached && !resetting -> step()
			:: else
			fi
		fi;
		s = 0;
		ok = false;
		guard_unlock()
	:: arcs > ARCS -> break
	od;
	arcs = 0;
	others_over == 2;
	atomic {
		assert(state_mutex == NOBODY && !deferred_reset && !must_run);
		assert(mig_stream == NONE && calls == 0);
		unbound = true
	};
	atomic { tickets == served -> everything_over = true }
}

/* Waits for a session whose file is open. */
inline get_file(s)
{
	if
	:: atomic { st[0].open -> s = 0; st[s].file++ }
#if SESSIONS > 1
	:: atomic { st[1].open -> s = 1; st[s].file++ }
#endif
	fi
}

inline put_file(s)
{
	st[s].file--
}

#define pending(s)	(waiting(s) && !st[s].status)

/* Requests that were there first come first. */
inline lock_io(s)
{
	do
	:: lock(st[s].io_lock);
		if
		:: !pending(s) -> break
		:: else -> unlock_io(s); !pending(s)
		fi
	od
}

inline read_once(s)
{
	can_read(s);			/* wait */
	if
	:: st[s].status
	:: !st[s].status && st[s].ready > 0 ->
		atomic { use(s); assert(st[s].buffers) };
		touch_user_memory();
		recycle(s)
	:: else
	fi
}

inline write_once(s)
{
	if
	:: st[s].status
	:: !st[s].status ->
#ifdef OVERLAPS
		get_buf(s);
#endif
#ifdef BUG_COPY_UNDER_CALL_LOCK
		lock(st[s].call_lock);
		touch_user_memory();
		unlock(st[s].call_lock);
#else
		touch_user_memory();
#endif
		load_apply(s)
	fi
}

/* Reads or writes once, and waits for it. */
proctype blocking()
{
	byte s;

end:	get_file(s);
	lock_io(s);
	if
	:: saves(s) -> read_once(s)
	:: else -> write_once(s)
	fi;
	unlock_io(s);
	put_file(s)
}

/* Asks how much a pre-copy session has: VFIO_MIG_GET_PRECOPY_INFO. */
proctype asker()
{
	byte s;

end:	get_file(s);
	lock(st[s].call_lock);
	if
	:: st[s].mig && !st[s].status && st[s].mode == PRE_COPY_MODE ->
		pause(s);
		if
		:: atomic { !st[s].status -> call_begin(s); st[s].asked = true };
			atomic { use(s); call_end(); st[s].asked = false; st[s].idle = false }
		:: else
		fi;
		unpause(s)
	:: else
	fi;
	unlock(st[s].call_lock);
	put_file(s)
}

#define at_end(s)	(saves(s) && !waiting(s) && !st[s].producing && !st[s].filled && \
			 st[s].ready == 0 && (st[s].eof || st[s].idle))

/* Under queue_lock: an answer at once, or a place in the queue. */
inline submit(s, r)
{
#ifdef BUG_QUEUE_UNCHECKED
	refused = st[s].status;
#endif
	atomic {
		use(s);
#ifndef BUG_QUEUE_UNCHECKED
		refused = st[s].status;
#endif
		if
		:: refused || at_end(s) -> refused = true
		:: else ->
			assert(!st[s].over);
			requests[s]!r;
			st[s].file++;
			ticket[r] = tickets;
			tickets++
		fi
	}
}

/* One request: the submission. */
proctype asynchronous(byte r)
{
	byte s;
	bool refused;

end:	get_file(s);
	submit(s, r);
#ifndef BUG_QUEUE_WITHOUT_KICK
	if
	:: !refused -> atomic { use(s); queue_work(st[s].serve) }
	:: else
	fi;
#endif
	put_file(s)
}

/* The descriptor is closed; the last reference releases the file. */
proctype descriptor(byte s)
{
end:	st[s].open;
#ifndef FILE_CLOSES_EARLY
	unbound;
#endif
	atomic { st[s].open = false; st[s].file-- };
	atomic { st[s].file == 0 -> put(s) }
}
