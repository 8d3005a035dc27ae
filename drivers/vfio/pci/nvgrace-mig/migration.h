/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the migration side share.
 *
 * A session sees the memory as one sequence of blocks. It keeps a bit for each block
 * that it still has to look at and, if it began while the device ran, the hash of
 * what was sent of it. A team of workers goes through the blocks; each worker has
 * one block at a time, in memory of its own, so that what is hashed is what is sent.
 *
 * The library calls into a session one thing at a time, but for save_next(), which
 * the team completes. What team and others share is under nvgmig_blocks::lock, a
 * leaf. The team takes no other lock of VFIO than those of the copies, nvgmig.h.
 */
#ifndef NVGMIG_MIGRATION_H
#define NVGMIG_MIGRATION_H

#include <linux/workqueue.h>

#include "format.h"
#include "nvgmig.h"

/* team.c */

/**
 * struct nvgmig_worker - one member of a team
 * @work: what it does, on whatever CPU is free
 * @team: the team
 * @block: NVGMIG_BLOCK_SIZE bytes of memory
 */
struct nvgmig_worker {
	struct work_struct work;
	struct nvgmig_team *team;
	void *block;
};

/**
 * struct nvgmig_team - workers that do one thing together
 * @workers: they
 * @size: number of them
 * @busy: number of those who are not done yet
 * @run: what each does, until there is nothing left to do
 * @done: called by the last who is done, or NULL; may start the team again
 */
struct nvgmig_team {
	struct nvgmig_worker *workers;
	unsigned int size;
	atomic_t busy;
	void (*run)(struct nvgmig_worker *worker);
	void (*done)(struct nvgmig_team *team);
};

int nvgmig_team_init(struct nvgmig_team *team);
void nvgmig_team_fini(struct nvgmig_team *team);
void nvgmig_team_start(struct nvgmig_team *team, void (*run)(struct nvgmig_worker *worker),
		       void (*done)(struct nvgmig_team *team));
void nvgmig_team_flush(struct nvgmig_team *team);
void nvgmig_team_run(struct nvgmig_team *team, void (*run)(struct nvgmig_worker *worker));

/* blocks.c */

#define NVGMIG_HASH_NONE	0
#define NVGMIG_HASH_ZERO	1

/**
 * struct nvgmig_blocks - the memory as a sequence of blocks
 * @memories: number of entries in @memory
 * @memory: the parts of the memory, in the order of their regions
 * @first: number of the first block of each, and behind the last one @count
 * @count: number of blocks
 * @lock: protects what is in @todo and @left, and the turns of a team
 * @todo: a bit for each block that is still to be sent, or to arrive
 * @left: number of bits in @todo
 * @hashes: of what was sent of each block, NVGMIG_HASH_NONE if it was not; whoever has
 *	the block writes it. NULL if nobody asks
 */
struct nvgmig_blocks {
	unsigned int memories;
	struct nvgmig_memory *memory[NVGMIG_STREAM_MEMORIES];
	unsigned int first[NVGMIG_STREAM_MEMORIES + 1];
	unsigned int count;
	spinlock_t lock; /* what a team shares */
	unsigned long *todo;
	unsigned int left;
	u64 *hashes;
};

/**
 * struct nvgmig_place - where a block is
 * @memory: in which memory
 * @offset: where there
 * @length: how much of it there is
 */
struct nvgmig_place {
	struct nvgmig_memory *memory;
	u64 offset;
	size_t length;
};

void nvgmig_blocks_divide(struct nvgmig_blocks *blocks, struct nvgmig_device *dev);
int nvgmig_blocks_init(struct nvgmig_blocks *blocks, struct nvgmig_device *dev, bool hashed);
void nvgmig_blocks_fini(struct nvgmig_blocks *blocks);
void nvgmig_blocks_want_all(struct nvgmig_blocks *blocks);
struct nvgmig_place nvgmig_blocks_place(const struct nvgmig_blocks *blocks, unsigned int block);
unsigned int nvgmig_blocks_memory(const struct nvgmig_blocks *blocks, unsigned int block);
u64 nvgmig_blocks_bytes(const struct nvgmig_blocks *blocks, unsigned int count);
int nvgmig_block_read(const struct nvgmig_blocks *blocks, unsigned int block, void *to);
u64 nvgmig_block_hash(const void *block, bool is_zero);
bool nvgmig_block_is_zero(const void *block);

/* scan.c */

/**
 * struct nvgmig_record - a record that a team makes
 * @head: its first part, in memory that no user can change
 * @buf: the library's buffer that it goes to
 * @cursor: the next block to look at
 * @end: behind the last block that it may be about
 * @under_way: blocks that a worker has
 * @zeroes: blocks that are flagged as zero
 * @count: blocks whose contents are in it
 * @error: 0, or why it cannot be completed
 *
 * Under nvgmig_blocks::lock while the team is at work.
 */
struct nvgmig_record {
	struct nvgmig_stream_blocks *head;
	struct vfio_mig_buf *buf;
	unsigned int cursor;
	unsigned int end;
	unsigned int under_way;
	unsigned int zeroes;
	unsigned int count;
	int error;
};

/**
 * struct nvgmig_save - saving side of a session
 * @record: what the team is making
 * @ended: the last record was passed on
 * @final: the device is stopped
 * @first_pass: not every block has been looked at yet
 * @active: save_next() has not completed
 * @stop: it shall give up
 * @still_since: nvgmig_power_still() when the memory was compared last
 * @reason: why the session failed, if that is known, or NULL
 */
struct nvgmig_save {
	struct nvgmig_record record;
	bool ended;
	bool final;
	bool first_pass;
	bool active;
	bool stop;
	s64 still_since;
	const char *reason;
};

/**
 * struct nvgmig_load - loading side of a session
 * @head: first part of the record that is being applied
 * @buf: that record
 * @next: the next part of it that nobody has taken; nvgmig_blocks::lock
 * @error: why it cannot be applied; likewise
 * @started: the layout has come
 * @complete: the state has come; nothing follows
 * @state: it
 */
struct nvgmig_load {
	struct nvgmig_stream_blocks *head;
	struct vfio_mig_buf *buf;
	unsigned int next;
	int error;
	bool started;
	bool complete;
	struct nvgmig_stream_state state;
};

/**
 * struct nvgmig_session - what belongs to one data FD
 * @stream: the library's side
 * @dev: the device
 * @team: who does the work
 * @blocks: what there is to do
 * @save: saving side
 * @load: loading side
 */
struct nvgmig_session {
	struct vfio_mig_stream *stream;
	struct nvgmig_device *dev;
	struct nvgmig_team team;
	struct nvgmig_blocks blocks;
	struct nvgmig_save save;
	struct nvgmig_load load;
};

static inline struct nvgmig_session *nvgmig_team_session(struct nvgmig_team *team)
{
	return container_of(team, struct nvgmig_session, team);
}

bool nvgmig_record_begin(struct nvgmig_session *session);
void nvgmig_record_run(struct nvgmig_worker *worker);
size_t nvgmig_record_finish(struct nvgmig_session *session);
void nvgmig_scan(struct nvgmig_session *session);

/* migration.c */

/**
 * struct nvgmig_migration - migration side of a GPU
 * @dev: the device
 * @saving: the session that saves, or NULL; written under the vfio_mig guard, read under
 *	it or within that session
 * @stopped_writes: number of the user's writes to the power state when the device was
 *	stopped; vfio_mig guard, or within a session after save_begin() with final set
 * @stopped_reason: why the function may have had state then, or 0; likewise
 * @loaded: what was loaded has not been run; vfio_mig guard, like the next two
 * @loaded_resets: &nvgmig_device.resets when it was loaded
 * @loaded_writes: &nvgmig_device.power_writes then
 */
struct nvgmig_migration {
	struct nvgmig_device *dev;
	struct nvgmig_session *saving;
	s64 stopped_writes;
	unsigned int stopped_reason;
	bool loaded;
	unsigned int loaded_resets;
	s64 loaded_writes;
};

/* Also of a device that cannot migrate, of which the library knows nothing. */
static inline struct nvgmig_device *nvgmig_of(struct vfio_mig *mig)
{
	return container_of(mig, struct nvgmig_device, core.mig);
}

/* power.c */

/* The memory may change at any time. */
#define NVGMIG_POWER_RUNS	(-1LL)

void nvgmig_power_stopped(struct nvgmig_migration *migration);
const char *nvgmig_power_check(struct nvgmig_migration *migration);
s64 nvgmig_power_still(struct nvgmig_migration *migration);
void nvgmig_power_loaded(struct nvgmig_migration *migration);
void nvgmig_power_resumed(struct nvgmig_migration *migration);

/* save.c */
int nvgmig_save_begin(struct vfio_mig_stream *st, bool final);
void nvgmig_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void nvgmig_save_end(struct vfio_mig_stream *st, bool abort);

/* estimate.c */
int nvgmig_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate);

/* load.c */
int nvgmig_load_begin(struct vfio_mig_stream *st);
int nvgmig_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf);
int nvgmig_load_end(struct vfio_mig_stream *st, bool abort);

/* layout.c */
void nvgmig_layout_fill(struct nvgmig_device *dev, struct nvgmig_stream_layout *layout);
int nvgmig_layout_describe(struct vfio_mig *mig, struct vfio_mig_preamble *preamble);
const char *nvgmig_layout_accept(struct vfio_mig_stream *st,
				 const struct vfio_mig_preamble *preamble);
extern const struct vfio_mig_memory_ops nvgmig_memory_ops;

#endif /* NVGMIG_MIGRATION_H */
