// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going through blocks, with a team: to make a record of them, or only to find out
 * which have changed.
 *
 * A worker takes a block, copies it to memory of its own, and looks at the copy. So
 * whatever happens to the memory meanwhile, and whoever else can see the buffer of
 * the record: what is hashed and compared with zero is what goes into the record.
 */
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "migration.h"

/**
 * nvgmig_record_begin() - begin a record at the next block that is to be sent
 * @session: a saving session whose team does nothing
 *
 * Return: false if there is no such block.
 */
bool nvgmig_record_begin(struct nvgmig_session *session)
{
	struct nvgmig_record *record = &session->save.record;
	struct nvgmig_blocks *blocks = &session->blocks;
	unsigned int memory, first;

	first = find_next_bit(blocks->todo, blocks->count, record->cursor);
	if (first >= blocks->count)
		return false;
	memory = nvgmig_blocks_memory(blocks, first);
	record->cursor = first;
	record->end = min(first + NVGMIG_WINDOW, blocks->first[memory + 1]);
	record->under_way = 0;
	record->zeroes = 0;
	record->count = 0;
	record->error = 0;
	memset(record->head, 0, sizeof(*record->head));
	record->head->memory = cpu_to_le32(memory);
	record->head->first = cpu_to_le32(first - blocks->first[memory]);
	record->head->window = cpu_to_le32(record->end - first);
	return true;
}

/* The block's distance from the first one of the record. */
static unsigned int nvgmig_record_distance(const struct nvgmig_session *session,
					   unsigned int block)
{
	const struct nvgmig_stream_blocks *head = session->save.record.head;
	const struct nvgmig_blocks *blocks = &session->blocks;

	return block - blocks->first[le32_to_cpu(head->memory)] - le32_to_cpu(head->first);
}

/* Take the next block, if there is one, and if it has room in the record in any case. */
static bool nvgmig_record_take(struct nvgmig_session *session, unsigned int *block)
{
	struct nvgmig_record *record = &session->save.record;
	struct nvgmig_blocks *blocks = &session->blocks;

	guard(spinlock)(&blocks->lock);
	if (record->error || READ_ONCE(session->save.stop) ||
	    record->count + record->under_way >= NVGMIG_RECORD_BLOCKS)
		return false;
	*block = find_next_bit(blocks->todo, record->end, record->cursor);
	if (*block >= record->end)
		return false;
	record->cursor = *block + 1;
	record->under_way++;
	return true;
}

/* Nothing more is to be done for the block. */
static void nvgmig_record_settle(struct nvgmig_session *session, unsigned int block)
{
	struct nvgmig_blocks *blocks = &session->blocks;

	lockdep_assert_held(&blocks->lock);
	__clear_bit(block, blocks->todo);
	blocks->left--;
	session->save.record.under_way--;
}

static void nvgmig_record_skip(struct nvgmig_session *session, unsigned int block)
{
	guard(spinlock)(&session->blocks.lock);
	nvgmig_record_settle(session, block);
}

static void nvgmig_record_flag(struct nvgmig_session *session, unsigned int block)
{
	unsigned int distance = nvgmig_record_distance(session, block);
	struct nvgmig_record *record = &session->save.record;

	guard(spinlock)(&session->blocks.lock);
	record->head->zero[distance / 8] |= BIT(distance % 8);
	record->zeroes++;
	nvgmig_record_settle(session, block);
}

static void nvgmig_record_add(struct nvgmig_session *session, unsigned int block,
			      const void *contents)
{
	unsigned int distance = nvgmig_record_distance(session, block);
	struct nvgmig_record *record = &session->save.record;
	unsigned int place;

	scoped_guard(spinlock, &session->blocks.lock) {
		place = record->count++;
		record->head->block[place] = cpu_to_le16(distance);
		nvgmig_record_settle(session, block);
	}
	vfio_mig_buf_write(record->buf, sizeof(*record->head) + place * NVGMIG_BLOCK_SIZE,
			   contents, NVGMIG_BLOCK_SIZE);
}

static void nvgmig_record_fail(struct nvgmig_session *session, int error)
{
	guard(spinlock)(&session->blocks.lock);
	session->save.record.error = error;
	session->save.record.under_way--;
}

/* What the block holds decides what becomes of it. */
static void nvgmig_record_judge(struct nvgmig_session *session, unsigned int block,
				const void *contents)
{
	bool is_zero = nvgmig_block_is_zero(contents);
	u64 *hashes = session->blocks.hashes;
	u64 hash;

	if (hashes) {
		hash = nvgmig_block_hash(contents, is_zero);
		if (hashes[block] == hash) {
			nvgmig_record_skip(session, block);
			return;
		}
		hashes[block] = hash;
	}
	if (is_zero)
		nvgmig_record_flag(session, block);
	else
		nvgmig_record_add(session, block, contents);
}

/**
 * nvgmig_record_run() - put blocks into the record until it is complete
 * @worker: a worker of a session that has begun a record
 */
void nvgmig_record_run(struct nvgmig_worker *worker)
{
	struct nvgmig_session *session = nvgmig_team_session(worker->team);
	unsigned int block;
	int ret;

	while (nvgmig_record_take(session, &block)) {
		ret = nvgmig_block_read(&session->blocks, block, worker->block);
		if (ret)
			nvgmig_record_fail(session, ret);
		else
			nvgmig_record_judge(session, block, worker->block);
		cond_resched();
	}
}

/**
 * nvgmig_record_finish() - complete the record
 * @session: a session whose team is done
 *
 * Return: bytes of payload; 0 if nothing had to be sent.
 */
size_t nvgmig_record_finish(struct nvgmig_session *session)
{
	struct nvgmig_record *record = &session->save.record;

	if (!record->count && !record->zeroes)
		return 0;
	record->head->count = cpu_to_le32(record->count);
	vfio_mig_buf_write(record->buf, 0, record->head, sizeof(*record->head));
	return sizeof(*record->head) + record->count * NVGMIG_BLOCK_SIZE;
}

/* Take the next block whose state is not known to be old. */
static bool nvgmig_scan_take(struct nvgmig_session *session, unsigned int *block)
{
	struct nvgmig_record *record = &session->save.record;
	struct nvgmig_blocks *blocks = &session->blocks;

	guard(spinlock)(&blocks->lock);
	*block = find_next_zero_bit(blocks->todo, blocks->count, record->cursor);
	if (*block >= blocks->count)
		return false;
	record->cursor = *block + 1;
	return true;
}

static void nvgmig_scan_mark(struct nvgmig_session *session, unsigned int block)
{
	struct nvgmig_blocks *blocks = &session->blocks;

	guard(spinlock)(&blocks->lock);
	__set_bit(block, blocks->todo);
	blocks->left++;
}

/* What cannot be read counts as changed: who sends it finds out why. */
static bool nvgmig_scan_is_old(struct nvgmig_session *session, unsigned int block, void *copy)
{
	struct nvgmig_blocks *blocks = &session->blocks;

	if (nvgmig_block_read(blocks, block, copy))
		return true;
	return blocks->hashes[block] != nvgmig_block_hash(copy, nvgmig_block_is_zero(copy));
}

static void nvgmig_scan_run(struct nvgmig_worker *worker)
{
	struct nvgmig_session *session = nvgmig_team_session(worker->team);
	unsigned int block;

	while (nvgmig_scan_take(session, &block)) {
		if (nvgmig_scan_is_old(session, block, worker->block))
			nvgmig_scan_mark(session, block);
		cond_resched();
	}
}

/**
 * nvgmig_scan() - find out which blocks have changed since they were sent
 * @session: a saving session that keeps hashes, whose team does nothing
 *
 * They are to be sent from then on. Takes as long as reading all of the memory.
 */
void nvgmig_scan(struct nvgmig_session *session)
{
	session->save.record.cursor = 0;
	nvgmig_team_run(&session->team, nvgmig_scan_run);
	session->save.record.cursor = 0;
}
