/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locks of vfio-mig, for spin: who takes part and how often is given by
 * macros on the command line; see README.md.
 */

#ifndef SESSIONS
#define SESSIONS	1
#endif
#ifndef ARCS
#define ARCS		3
#endif
#ifndef FIRST
#define FIRST		RUNNING
#endif
#ifndef RECORDS
#define RECORDS		1
#endif
#ifndef BUFFERS
#define BUFFERS		1
#endif
#ifndef REQUESTS
#define REQUESTS	0
#endif
#ifndef BLOCKING
#define BLOCKING	0
#endif
#ifndef RESETS
#define RESETS		0
#endif
#ifndef LOSSES
#define LOSSES		0
#endif
#define MAX_REQUESTS	2

#include "locks.pml"
#include "mig.pml"
#include "session.pml"
#include "device.pml"
#include "users.pml"

init {
	byte i;

	atomic {
		for (i : 0 .. SESSIONS - 1) {
			run descriptor(i);
#if REQUESTS > 0
			run server(i);
#endif
#ifdef OVERLAPS
			run applier(i);
#endif
#if defined(SAVES) || defined(PRE_COPIES)
			run producer(i);
			run completion(i)
#endif
		}
		i = 0;
		do
		:: i < REQUESTS -> run asynchronous(i); i++
		:: i == REQUESTS -> break
		od;
		i = 0;
		do
		:: i < BLOCKING -> run blocking(); i++
		:: i == BLOCKING -> break
		od;
#ifdef ASKS
		run asker();
#endif
		run resetter();
		run loss();
		run user()
	}
}
