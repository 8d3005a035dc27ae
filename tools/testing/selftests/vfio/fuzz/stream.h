/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams to test a reader with: valid ones, and what becomes of them when somebody
 * damages them. Both follow from a number, so that a stream can be made again.
 */
#ifndef FUZZ_STREAM_H
#define FUZZ_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct chance - a sequence of numbers
 * @state: the next one follows from it
 */
struct chance {
	uint64_t state;
};

/* What the environment asks for (VFIO_MIG_SEED), or any number. */
uint64_t chance_seed(void);
/* A sequence of its own for each stream: it follows from the seed and a number. */
struct chance chance_of(uint64_t seed, uint64_t number);
uint64_t chance_next(struct chance *chance);
/* Below @limit, which is not 0. */
uint64_t chance_below(struct chance *chance, uint64_t limit);
/* True once in @times. */
bool chance_once_in(struct chance *chance, uint64_t times);

/**
 * struct stream - migration data in memory
 * @data: the bytes
 * @length: number of bytes
 * @room: number of bytes that fit; a stream that would grow beyond it is cut
 */
struct stream {
	unsigned char *data;
	size_t length;
	size_t room;
};

uint32_t stream_crc32c(const void *data, size_t length);

/* Replaces the stream with a valid one, whose images have tag 0 and at most 256 bytes. */
void stream_make(struct stream *stream, struct chance *chance);
/* Damages it in one to four places. */
void stream_damage(struct stream *stream, struct chance *chance);
/*
 * Corrects the checksums and totals of whatever is in the stream, so that damage gets
 * past them.
 */
void stream_mend(struct stream *stream);

#endif /* FUZZ_STREAM_H */
