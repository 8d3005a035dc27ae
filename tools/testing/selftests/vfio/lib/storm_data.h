/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the actors that use data FDs share.
 */
#ifndef LIB_STORM_DATA_H
#define LIB_STORM_DATA_H

#include "storm_acts.h"

/**
 * struct storm_piece - what is to be written
 * @data: the bytes
 * @length: number of bytes
 * @locked: they are of a good stream, which nobody else writes meanwhile
 */
struct storm_piece {
	unsigned char *data;
	size_t length;
	bool locked;
};

extern const int storm_read_errors[];
extern const int storm_write_errors[];

/* The newest data FD of some VF; NULL after a pause. @saves: which kind, or -1. */
struct storm_data *storm_data_pick(struct storm_actor *actor, int saves);
/* Nobody uses it any more; @result: what the last call on it returned. */
void storm_data_done(struct storm_actor *actor, struct storm_data *data, long result);
/* From 1 to @room. */
size_t storm_data_size(struct storm_actor *actor, size_t room);

/*
 * The piece to write next. Good streams have one writer at a time; false if that is
 * somebody else, or if there is nothing left. @done: bytes that were taken of the piece.
 */
bool storm_write_begin(struct storm_actor *actor, struct storm_data *data, size_t room,
		       struct storm_piece *piece);
void storm_write_end(struct storm_actor *actor, struct storm_data *data,
		     const struct storm_piece *piece, long done);

/* Through io_uring and pipes. */
void storm_add_queue_acts(struct storm *storm, struct storm_site *site);

#endif /* LIB_STORM_DATA_H */
