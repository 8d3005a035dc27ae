/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the thread that reads migration data and the one that writes it: a few pieces
 * under way, as a socket between two machines has them.
 */
#ifndef SPEED_CONDUIT_H
#define SPEED_CONDUIT_H

#include <pthread.h>
#include <stddef.h>

#define CONDUIT_PIECE	(1UL << 20)
#define CONDUIT_DEPTH	4

/**
 * struct piece - what one read() brought
 * @device: number of the device it is of
 * @length: bytes; 0: there is nothing more
 * @data: room for CONDUIT_PIECE bytes
 */
struct piece {
	unsigned int device;
	size_t length;
	unsigned char *data;
};

/**
 * struct conduit - pieces in order
 * @lock: protects the counters
 * @changed: one of them has
 * @pieces: used in turn
 * @put: how many have been put in
 * @taken: how many have been taken out, and used
 */
struct conduit {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece pieces[CONDUIT_DEPTH];
	unsigned int put;
	unsigned int taken;
};

void conduit_open(struct conduit *conduit);
void conduit_close(struct conduit *conduit);

/* The next piece to fill, when there is room; conduit_put() passes it on. */
struct piece *conduit_room(struct conduit *conduit);
void conduit_put(struct conduit *conduit);
/* The next piece to use, when there is one; conduit_took() gives it back. */
struct piece *conduit_next(struct conduit *conduit);
void conduit_took(struct conduit *conduit);

#endif /* SPEED_CONDUIT_H */
