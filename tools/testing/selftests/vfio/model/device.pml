/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard with its deferred reset, reset, loss and return of the device.
 *
 * A reset is a process of its own with the device's memory_lock, like that of
 * the ioctl, or without, like that of the PCI core for its own reasons.
 */

/* An operation on the device, not on a session. */
#define may_call_device	(state_mutex == _pid && !detached && !gone && !unbound)

inline suspend()
{
	atomic { assert(may_call_device); runs = false };
#ifdef BLOCK_MAPPINGS
	lock(memory_lock);		/* the mappings are taken away */
	unlock(memory_lock)
#endif
}

inline resume()
{
	atomic { assert(may_call_device); runs = true }
}

/* What holds whenever the state lock is free. */
inline check_device()
{
	assert(state_mutex == _pid && !deferred_reset && !must_run);
	assert(closed || (mig_stream != NONE) == streams_in(state));
	assert(mig_stream == NONE || !st[mig_stream].freed);
	assert(mig_stream == NONE || resetting || !st[mig_stream].condemned);
	assert(resetting || closed || detached || state == ERROR || runs == runs_in(state))
}

/*
 * The end of every critical section. What ends a session comes in here, so that
 * there is one copy of it in each process: with leaves an arc, close, or loss
 * ends it, with resets a reset, and with resumes one that met an arc, which may
 * have stopped the device after it was reset.
 */
inline guard_unlock()
{
	do
	:: atomic {
		leaves || resets || deferred_reset ->
		if
		:: deferred_reset && !leaves && !resets ->
			deferred_reset = false;
			resets = true;
			resumes = true
		:: else
		fi
	   };
	   if
	   :: mig_stream != NONE -> ending = mig_stream; stream_end(ending); ending = 0
	   :: else
	   fi;
	   if
	   :: resumes && !detached -> resume()
	   :: else
	   fi;
	   atomic {
		if
		:: resets -> state = RUNNING; must_run = false
		:: leaves && next != 0 -> state = next
		:: else
		fi;
		leaves = false;
		resets = false;
		resumes = false;
		next = 0
	   }
	:: atomic {
		!leaves && !resets && !deferred_reset ->
		check_device();
		state_mutex = NOBODY;
		break
	   }
	od
}

inline fail_for_reset()
{
	if
	:: mig_stream != NONE ->
		st[mig_stream].condemned = true;
		stream_fail(mig_stream)
	:: else
	fi
}

inline reset_prepare()
{
#ifdef BUG_RESET_WITHOUT_LOCK
	stale = mig_stream;
	if
	:: stale != NONE -> atomic { stream_fail(stale) }
	:: else
	fi;
	stale = 0;
#endif
	atomic {
		resetting = true;
#ifndef BUG_OVERLOOK_ARC
		interrupted = (state_mutex != NOBODY);
#endif
		fail_for_reset()
	}
}

inline reset_done()
{
	atomic {
		resetting = false;
		must_run = true;
		fail_for_reset();
#ifndef BUG_RESET_LOCKS
		if
		:: state_mutex == NOBODY -> state_mutex = _pid; got = true
		:: else -> got = false; interrupted = false;
#ifndef BUG_MARK_OUTSIDE_LOCK
			deferred_reset = true
#endif
		fi
#endif
	};
#ifdef BUG_RESET_LOCKS
	lock(state_mutex);
	got = true;
#endif
	if
	:: got ->
		resets = true;
		resumes = interrupted;
		interrupted = false;
		guard_unlock()
	:: else
#ifdef BUG_MARK_OUTSIDE_LOCK
		-> deferred_reset = true
#endif
	fi
}

proctype resetter()
{
	bool got;
	byte ending;
	byte request;
	byte next;
	bool leaves;
	bool resets;
	bool resumes;
	byte count;
#ifdef BUG_RESET_WITHOUT_LOCK
	byte stale;
#endif

	do
	:: count < RESETS ->
		count++;
#ifdef MAPPINGS
		lock(memory_lock);
#endif
		reset_prepare();
		runs = true;
		reset_done();
#ifdef MAPPINGS
		unlock(memory_lock);
#endif
		got = false
	:: count == RESETS -> break
	od;
	others_over++
}

/* The PF goes away, and comes back. What the firmware knew is forgotten then. */
proctype loss()
{
	byte ending;
	byte request;
	byte next;
	bool leaves;
	bool resets;
	bool resumes;
	byte count;

	do
	:: count < 2 * LOSSES ->
		lock(state_mutex);
		if
		:: count % 2 == 0 ->
			detached = true;
			leaves = true;
			next = (runs_in(state) -> RUNNING : ERROR)
		:: else -> atomic { detached = false; runs = true }
		fi;
		guard_unlock();
		if
		:: count % 2 == 0 -> atomic { assert(calls == 0); gone = true }; gone = false
		:: else
		fi;
		count++
	:: count == 2 * LOSSES -> break
	od;
	others_over++
}
