/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vfio_mig, and what the checker alone knows about the device.
 */

#define RUNNING		1
#define STOP		2
#define STOP_COPY	3
#define RESUMING	4
#define PRE_COPY	5
#define ERROR		6

byte state_mutex = NOBODY;
byte state = FIRST;
byte mig_stream = NONE;
bool detached;

/* under reset_lock */
bool resetting;
bool interrupted;		/* somebody owned state_mutex when the reset began */
bool deferred_reset;

/* seen by the checker only */
bool runs = (FIRST == RUNNING);	/* what the hardware does */
bool must_run;			/* a reset came that no guard has dealt with */
bool closed;			/* nobody looks at the state before the next open */
bool gone;			/* vfio_mig_detach() returned */
bool unbound;			/* there is no struct vfio_mig any more */
byte calls;			/* driver operations outside state_mutex */

/* how far the processes are */
byte others_over;		/* resets, and the PF */
bool everything_over;

#define runs_in(s)	(s == RUNNING || s == PRE_COPY)
#define streams_in(s)	(s == STOP_COPY || s == RESUMING || s == PRE_COPY)
