// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading: blocks of memory, in any order, then the state.
 *
 * The stream is not trusted: every number is compared with what this device has
 * before anything is written. All of the memory has to be named at least once, so
 * that nothing shows through of what the memory held before, and that is checked
 * when the state arrives: the write of that record is the last one which the sender
 * hears of.
 */
#include <linux/bitmap.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "migration.h"

/* &vfio_mig_ops.load_begin */
int nvgmig_load_begin(struct vfio_mig_stream *st)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);
	int ret;

	session->dev->migration->loaded = false;
	session->load.head = kzalloc_obj(*session->load.head, GFP_KERNEL_ACCOUNT);
	if (!session->load.head)
		return -ENOMEM;
	ret = nvgmig_blocks_init(&session->blocks, session->dev, false);
	if (!ret)
		nvgmig_blocks_want_all(&session->blocks);
	return ret;
}

static int nvgmig_load_layout(struct nvgmig_session *session, struct vfio_mig_buf *buf)
{
	struct nvgmig_stream_layout layout, own;

	if (session->load.started || buf->length != sizeof(layout))
		return -EBADMSG;
	vfio_mig_buf_read(buf, 0, &layout, sizeof(layout));
	if (layout.version != cpu_to_le32(NVGMIG_STREAM_VERSION))
		return -EOPNOTSUPP;
	nvgmig_layout_fill(session->dev, &own);
	if (memcmp(&layout, &own, sizeof(own)))
		return -EINVAL;
	session->load.started = true;
	return 0;
}

/* Whether the record stays within one memory. */
static bool nvgmig_load_is_inside(const struct nvgmig_blocks *blocks,
				  const struct nvgmig_stream_blocks *head)
{
	u32 memory = le32_to_cpu(head->memory), first = le32_to_cpu(head->first);
	u32 window = le32_to_cpu(head->window);
	u32 count;

	if (memory >= blocks->memories)
		return false;
	count = blocks->first[memory + 1] - blocks->first[memory];
	return window && window <= NVGMIG_WINDOW && first < count && window <= count - first;
}

static bool nvgmig_load_is_zero(const struct nvgmig_stream_blocks *head, unsigned int distance)
{
	return head->zero[distance / 8] & BIT(distance % 8);
}

/* Whether each block is named once, and lies in the window. */
static bool nvgmig_load_is_distinct(const struct nvgmig_stream_blocks *head)
{
	u32 window = le32_to_cpu(head->window), count = le32_to_cpu(head->count);
	DECLARE_BITMAP(named, NVGMIG_WINDOW) = {};

	for (unsigned int i = 0; i < count; i++) {
		u16 distance = le16_to_cpu(head->block[i]);

		if (distance >= window || nvgmig_load_is_zero(head, distance) ||
		    __test_and_set_bit(distance, named))
			return false;
	}
	for (unsigned int i = window; i < NVGMIG_WINDOW; i++)
		if (nvgmig_load_is_zero(head, i))
			return false;
	return true;
}

/* Whether everything that has no meaning is zero. */
static bool nvgmig_load_is_clean(const struct nvgmig_stream_blocks *head)
{
	u32 count = le32_to_cpu(head->count);

	return !memchr_inv(head->block + count, 0,
			   (NVGMIG_RECORD_BLOCKS - count) * sizeof(head->block[0])) &&
	       !memchr_inv(head->reserved, 0, sizeof(head->reserved));
}

static int nvgmig_load_check(struct nvgmig_session *session, const struct vfio_mig_buf *buf)
{
	const struct nvgmig_stream_blocks *head = session->load.head;
	u32 count = le32_to_cpu(head->count);

	if (count > NVGMIG_RECORD_BLOCKS ||
	    buf->length != sizeof(*head) + count * NVGMIG_BLOCK_SIZE)
		return -EBADMSG;
	if (!nvgmig_load_is_inside(&session->blocks, head))
		return -EINVAL;
	return nvgmig_load_is_distinct(head) && nvgmig_load_is_clean(head) ? 0 : -EBADMSG;
}

/* What a worker does next: first the blocks with contents, then the window. */
static bool nvgmig_load_take(struct nvgmig_session *session, unsigned int *part)
{
	const struct nvgmig_stream_blocks *head = session->load.head;
	unsigned int parts = le32_to_cpu(head->count) + le32_to_cpu(head->window);

	guard(spinlock)(&session->blocks.lock);
	*part = session->load.next;
	if (session->load.error || *part >= parts)
		return false;
	session->load.next++;
	return true;
}

static void nvgmig_load_settle(struct nvgmig_session *session, unsigned int block, int error)
{
	struct nvgmig_blocks *blocks = &session->blocks;

	guard(spinlock)(&blocks->lock);
	if (error)
		session->load.error = error;
	else if (__test_and_clear_bit(block, blocks->todo))
		blocks->left--;
}

static int nvgmig_load_contents(struct nvgmig_session *session, unsigned int block,
				unsigned int index, void *copy)
{
	struct nvgmig_place place = nvgmig_blocks_place(&session->blocks, block);
	size_t offset = sizeof(*session->load.head) + index * NVGMIG_BLOCK_SIZE;

	vfio_mig_buf_read(session->load.buf, offset, copy, NVGMIG_BLOCK_SIZE);
	return nvgmig_memory_copy_in(place.memory, place.offset, copy, place.length);
}

static int nvgmig_load_zeroes(struct nvgmig_session *session, unsigned int block)
{
	struct nvgmig_place place = nvgmig_blocks_place(&session->blocks, block);

	return nvgmig_memory_clear(place.memory, place.offset, place.length);
}

static void nvgmig_load_part(struct nvgmig_session *session, unsigned int part, void *copy)
{
	const struct nvgmig_stream_blocks *head = session->load.head;
	unsigned int first = session->blocks.first[le32_to_cpu(head->memory)] +
			     le32_to_cpu(head->first);
	unsigned int count = le32_to_cpu(head->count);
	unsigned int block;
	int ret;

	if (part < count) {
		block = first + le16_to_cpu(head->block[part]);
		ret = nvgmig_load_contents(session, block, part, copy);
	} else if (nvgmig_load_is_zero(head, part - count)) {
		block = first + part - count;
		ret = nvgmig_load_zeroes(session, block);
	} else {
		return;
	}
	/* Of errors users know that the device failed. */
	nvgmig_load_settle(session, block, ret == -EHWPOISON ? -EIO : ret);
}

static void nvgmig_load_run(struct nvgmig_worker *worker)
{
	struct nvgmig_session *session = nvgmig_team_session(worker->team);
	unsigned int part;

	while (nvgmig_load_take(session, &part)) {
		nvgmig_load_part(session, part, worker->block);
		cond_resched();
	}
}

static int nvgmig_load_blocks(struct nvgmig_session *session, struct vfio_mig_buf *buf)
{
	struct nvgmig_load *load = &session->load;
	int ret;

	if (vfio_mig_buf_read(buf, 0, load->head, sizeof(*load->head)) != sizeof(*load->head))
		return -EBADMSG;
	ret = nvgmig_load_check(session, buf);
	if (ret)
		return ret;
	load->buf = buf;
	load->next = 0;
	load->error = 0;
	nvgmig_team_run(&session->team, nvgmig_load_run);
	return load->error;
}

static int nvgmig_load_state(struct nvgmig_session *session, struct vfio_mig_buf *buf)
{
	struct nvgmig_load *load = &session->load;

	if (buf->length != sizeof(load->state) || session->blocks.left)
		return -EBADMSG;
	vfio_mig_buf_read(buf, 0, &load->state, sizeof(load->state));
	for (unsigned int i = session->blocks.memories; i < ARRAY_SIZE(load->state.bars); i++)
		if (load->state.bars[i])
			return -EBADMSG;
	load->complete = true;
	return 0;
}

/* &vfio_mig_ops.load_record */
int nvgmig_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);

	if (session->load.complete)
		return -EBADMSG;
	if (tag == NVGMIG_TAG_LAYOUT)
		return nvgmig_load_layout(session, buf);
	if (!session->load.started)
		return -EBADMSG;
	return tag == NVGMIG_TAG_BLOCKS ? nvgmig_load_blocks(session, buf) :
					  nvgmig_load_state(session, buf);
}

/* &vfio_mig_ops.load_end */
int nvgmig_load_end(struct vfio_mig_stream *st, bool abort)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);
	const struct nvgmig_blocks *blocks = &session->blocks;

	if (abort)
		return 0;
	if (!session->load.complete)
		return -EBADMSG;
	for (unsigned int i = 0; i < blocks->memories; i++)
		nvgmig_config_set(session->dev, blocks->memory[i],
				  le64_to_cpu(session->load.state.bars[i]));
	nvgmig_power_loaded(session->dev->migration);
	return 0;
}
