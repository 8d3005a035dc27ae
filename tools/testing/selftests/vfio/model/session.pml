/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions: buffers, the producer, requests, the end, and the memory.
 *
 * The names are those of struct vfio_mig_stream. Members that the checker alone
 * sees say what must hold and take part in no decision.
 */

/* enum vfio_mig_stream_mode */
#define PRE_COPY_MODE	1
#define STOP_COPY_MODE	2
#define RESUMING_MODE	3

typedef session {
	byte mode;
	byte io_lock;
	byte call_lock;
	byte ref;
	bool mig;		/* the driver can be called */
	bool status;		/* the session can go no further */
	bool ended;
	bool eof;
	bool idle;
	bool producing;
	bool paused;		/* the driver does something else */
	byte spare;
	byte ready;
	byte lent;		/* request that save_next() fills, or NONE */
	bool served;		/* the first request is getting its answer */
	bool filled;		/* the first request has its record */
	bool command;		/* the device works */
	bool interrupt;		/* its interrupt is being handled */
	work_item produce;
	work_item serve;
	work_item apply;
	byte file;		/* references of the file */
	bool open;		/* one of them is that of the file descriptor */
	/* seen by the checker only */
	byte produced;
	bool buffers;
	bool asked;		/* the driver tells how much there is */
	bool condemned;		/* a reset came: must not be in use after the next unlock */
	bool over;		/* the end is through */
	bool freed
};

session st[SESSIONS];
chan requests[SESSIONS] = [MAX_REQUESTS] of { byte };

/* seen by the checker only */
byte started;			/* sessions that were ever made */
bool done[MAX_REQUESTS];
byte ticket[MAX_REQUESTS];	/* order of submission */
byte tickets;
byte served;

#define use(s)		assert(!st[s].freed)
#define saves(s)	(st[s].mode != RESUMING_MODE)
#define waiting(s)	(len(requests[s]) > 0)
#define may_call(s)	(st[s].mig && !st[s].over && !gone && !unbound)

/* A driver operation outside state_mutex, which lasts. */
inline call_begin(s)
{
	atomic { use(s); assert(may_call(s)); calls++ }
}

inline call_end()
{
	calls--
}

/* One reference less; within an atomic step. */
inline put(s)
{
	use(s);
	assert(st[s].ref > 0);
	st[s].ref--;
	if
	:: st[s].ref == 0 ->
		assert(st[s].over && !st[s].open && st[s].file == 0);
		assert(!waiting(s) && !st[s].command && !st[s].interrupt);
		assert(!st[s].produce.running && !st[s].serve.running && !st[s].apply.running);
		assert(st[s].io_lock == NOBODY && st[s].call_lock == NOBODY);
		st[s].freed = true;
		/* fewer states to tell apart */
		st[s].buffers = false;
		st[s].mode = 0;
		st[s].eof = false;
		st[s].idle = false;
		st[s].spare = 0;
		st[s].ready = 0;
		st[s].filled = false;
		st[s].produced = 0;
		st[s].condemned = false
	:: else
	fi
}

/* vfio_mig_stream_fail(); within an atomic step, as reset_lock may be held. */
inline stream_fail(s)
{
	use(s);
	st[s].status = true;
	queue_work(st[s].serve)
}

/* Within an atomic step. */
inline kick_if_waiting(s)
{
	if
	:: waiting(s) -> queue_work(st[s].serve)
	:: else
	fi
}

/* Within an atomic step. */
inline drop_io(s)
{
	use(s);
	assert(st[s].io_lock == _pid);
	if
	:: st[s].ended -> st[s].buffers = false
	:: else
	fi;
	st[s].io_lock = NOBODY
}

/* In one step with the look at the queue, under queue_lock. */
inline unlock_io(s)
{
#ifdef BUG_KICK_BEFORE_UNLOCK
	atomic { use(s); kick_if_waiting(s) };
#endif
	atomic {
		drop_io(s)
#if !defined(BUG_KICK_BEFORE_UNLOCK) && !defined(BUG_UNLOCK_WITHOUT_KICK)
		; kick_if_waiting(s)
#endif
	}
}

/* ki_complete(); within an atomic step. */
inline complete(s, r)
{
	use(s);
	assert(!done[r]);
	assert(st[s].lent != r);	/* the device writes there */
	assert(ticket[r] == served);	/* first come, first served */
	done[r] = true;
	served++;
	st[s].file--
}

#if defined(DIRECT) && defined(BUG_LEND_SERVED)
#define can_lend(s)	(st[s].ready == 0 && !st[s].filled && waiting(s))
#elif defined(DIRECT)
#define can_lend(s)	(st[s].ready == 0 && !st[s].filled && waiting(s) && !st[s].served)
#else
#define can_lend(s)	false
#endif

/* The worker that has buffers filled. */
proctype producer(byte s)
{
	byte head;
	bool go;

end:	do
	:: atomic {
		work_ready(st[s].produce) ->
		work_begin(st[s].produce);
		use(s);
		if
		:: st[s].status || st[s].eof || st[s].idle || st[s].producing || st[s].paused
		:: else ->
			if
			:: st[s].spare > 0 -> st[s].spare--; go = true
			:: can_lend(s) ->
				requests[s]?<head>;
				assert(!done[head]);
				st[s].lent = head;
				head = 0;
				go = true
			:: else
			fi
		fi;
		if
		:: go -> st[s].producing = true; go = false
		:: else -> work_end(st[s].produce); goto end
		fi
	   };
	   atomic { call_begin(s); st[s].command = true };
	   atomic { use(s); call_end(); work_end(st[s].produce) }
	od
}

/* Where the buffer of a command that brought no record goes. */
inline give_back(s)
{
	if
	:: st[s].lent == NONE -> st[s].spare++
	:: else
	fi
}

/* The end of a command, in an interrupt: push, eof, idle or fail. */
proctype completion(byte s)
{
end:	do
	:: atomic {
		st[s].command ->
		use(s);
		assert(st[s].producing);
		st[s].command = false;
		st[s].interrupt = true;
		st[s].producing = false;
		if
		:: st[s].produced < RECORDS ->
			st[s].produced++;
			if
			:: st[s].lent != NONE -> st[s].filled = true
			:: else -> st[s].ready++
			fi
		:: st[s].produced == RECORDS ->
			give_back(s);
			if
			:: st[s].mode == STOP_COPY_MODE -> st[s].eof = true
			:: else -> st[s].idle = true
			fi
#ifdef FAULTS
		:: give_back(s);
			st[s].status = true
#endif
		fi;
		st[s].lent = NONE
	   };
	   atomic {
		use(s);
		st[s].interrupt = false;
		queue_work(st[s].produce);
#ifndef BUG_INTERRUPT_WITHOUT_KICK
		queue_work(st[s].serve)
#endif
	   }
	od
}

#define can_read(s)	(st[s].status || st[s].ready > 0 || st[s].eof || st[s].idle)

/* The first request can be answered. One that was lent is the device's until it says so. */
#ifdef BUG_COMPLETE_LENT
#define can_serve(s)	(waiting(s) && (!saves(s) || st[s].status || st[s].filled || \
			 (st[s].lent == NONE && can_read(s))))
#else
#define can_serve(s)	(waiting(s) && st[s].lent == NONE && \
			 (!saves(s) || st[s].filled || can_read(s)))
#endif

/* A reader is done with a record of the pool. */
inline recycle(s)
{
	atomic {
		use(s);
		assert(st[s].buffers && st[s].ready > 0);
		st[s].ready--;
		st[s].spare++;
		queue_work(st[s].produce)
	}
}

/* Under call_lock: the driver applies a record. */
inline call_load(s)
{
	if
#ifdef BUG_APPLY_UNCHECKED
	:: true ->
#else
	:: !st[s].status ->
#endif
		call_begin(s);
		call_end();
#ifdef FAULTS
		if
		:: true
		:: atomic { stream_fail(s) }
		fi
#endif
#ifndef BUG_APPLY_UNCHECKED
	:: else
#endif
	fi
}

/* vfio_mig_apply_first() */
inline apply_first(s)
{
	lock(st[s].call_lock);
	if
	:: st[s].ready > 0 ->
		call_load(s);
		atomic { use(s); assert(st[s].buffers); st[s].ready--; st[s].spare++ }
	:: else
	fi;
	unlock(st[s].call_lock)
}

/* vfio_mig_apply_get_buf(): whoever waits for the driver does the driver's work himself. */
inline get_buf(s)
{
	do
	:: atomic { st[s].spare > 0 -> use(s); st[s].spare--; break }
	:: st[s].spare == 0 ->
#ifdef BUG_WORKER_WAITS_FOR_WORKER
		st[s].spare > 0 || st[s].status
#else
		apply_first(s)
#endif
	od
}

/* Under io_lock: a record is complete. It may be that of the end, before which all is applied. */
inline load_apply(s)
{
#ifdef OVERLAPS
	atomic { use(s); st[s].ready++; queue_work(st[s].apply) };
	if
	:: true
	:: do
	   :: st[s].ready > 0 -> apply_first(s)
	   :: st[s].ready == 0 -> break
	   od
	fi
#else
	lock(st[s].call_lock);
	call_load(s);
	unlock(st[s].call_lock)
#endif
}

/* The worker that applies records behind the writer. */
proctype applier(byte s)
{
end:	do
	:: atomic { work_ready(st[s].apply) -> work_begin(st[s].apply); use(s) };
		do
		:: st[s].ready > 0 -> apply_first(s)
		:: st[s].ready == 0 -> break
		od;
		atomic { use(s); work_end(st[s].apply) }
	od
}

/* The worker that answers requests. */
proctype server(byte s)
{
	byte r;

end:	do
	:: atomic { work_ready(st[s].serve) -> work_begin(st[s].serve); use(s) };
		if
		:: atomic { st[s].io_lock == NOBODY -> st[s].io_lock = _pid };
			do
			:: atomic { can_serve(s) -> use(s); st[s].served = true; requests[s]?<r> };
#ifdef BUG_WORKER_FAULTS
				touch_mapping();
#endif
				if
				:: !saves(s) ->
#ifdef OVERLAPS
					get_buf(s);
#endif
					load_apply(s)
				:: saves(s) && st[s].filled -> st[s].filled = false
				:: saves(s) && !st[s].filled && !st[s].status && st[s].ready > 0 ->
					recycle(s)
				:: else
				fi;
				atomic { requests[s]?r; st[s].served = false; complete(s, r); r = 0 }
			:: else -> break
			od;
			atomic {
				drop_io(s)
#ifdef BUG_WORKER_KICKS_ITSELF
				; kick_if_waiting(s)
#endif
			}
#ifndef BUG_WORKER_WAITS
		:: else
#ifdef BUG_WORKER_RETRIES
			-> queue_work(st[s].serve)
#endif
#endif
		fi;
		atomic { use(s); work_end(st[s].serve) }
	od
}

/* vfio_mig_stream_end(), under state_mutex. */
inline stream_end(s)
{
	atomic {
		use(s);
		assert(state_mutex == _pid);
		mig_stream = NONE;
		st[s].status = true
	};
	if
	:: saves(s) ->
#ifndef BUG_STOP_WITHOUT_CALL_LOCK
		lock(st[s].call_lock);
#endif
		disable_work_sync(st[s].produce);
		/* save_end() */
		atomic {
			!st[s].command && !st[s].interrupt ->
			assert(may_call(s) && !st[s].asked)
		};
#ifndef BUG_STOP_WITHOUT_CALL_LOCK
		unlock(st[s].call_lock)
#endif
	:: else
	fi;
#ifdef BUG_END_LOCKS_IO
	lock(st[s].io_lock);
	unlock(st[s].io_lock);
#endif
#ifdef BUG_SYNC_UNDER_CALL_LOCK
	lock(st[s].call_lock);
	disable_work_sync(st[s].serve);
	unlock(st[s].call_lock);
#endif
	disable_work_sync(st[s].serve);
	atomic {
		do
		:: waiting(s) -> requests[s]?request; complete(s, request)
		:: else -> break
		od;
		request = 0
	};
#ifndef BUG_END_WITHOUT_APPLIER
	disable_work_sync(st[s].apply);
#endif
	/* load_end(), buf_fini(), stream_fini() */
	atomic {
		st[s].call_lock == NOBODY ->
		use(s);
		assert(may_call(s));
		st[s].mig = false;
		st[s].ended = true
	};
	if
	:: atomic { st[s].io_lock == NOBODY -> st[s].io_lock = _pid }; unlock_io(s)
	:: else
	fi;
	atomic { assert(!waiting(s)); st[s].over = true; put(s) }
}

/* vfio_mig_stream_start(): ok tells whether there is a session. */
inline stream_start(s, new_mode, ok)
{
	atomic {
		assert(state_mutex == _pid && mig_stream == NONE && !gone && !unbound);
		s = started;
		started++;
		st[s].mode = new_mode;
		st[s].io_lock = NOBODY;
		st[s].call_lock = NOBODY;
		st[s].lent = NONE;
		st[s].ref = 1;
		st[s].mig = true;
		st[s].buffers = true;
		st[s].spare = BUFFERS;
		if
		:: saves(s) -> queue_work(st[s].produce)
		:: else
		fi
	};
	atomic {
		mig_stream = s;
		if
		:: resetting -> stream_fail(s)
		:: else
		fi
	};
	if
	:: atomic { true -> st[s].ref++; st[s].open = true; st[s].file = 1; ok = true }
#ifdef FAULTS
	:: leaves = true		/* there is no file */
#endif
	fi
}
