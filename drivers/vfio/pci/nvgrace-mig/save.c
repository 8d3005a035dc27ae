// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving: blocks of memory, and when the device is stopped, its state last.
 *
 * While the device runs, a first pass sends every block. After that only those are
 * sent that nvgmig_scan() has found changed, which is when the user asks for the
 * amount of data. Of a stopped device every block is read again, and sent unless it
 * is what was sent before.
 *
 * Nothing that is read of a stopped device is of use if the function may have held
 * state: then the first record fails the session, and the device goes on.
 */
#include <linux/pci.h>
#include <linux/slab.h>

#include "migration.h"

/* Records that are produced ahead of the reader. */
#define NVGMIG_SAVE_BUFFERS	2

static struct nvgmig_migration *nvgmig_save_migration(struct nvgmig_session *session)
{
	return session->dev->migration;
}

static int nvgmig_save_layout(struct nvgmig_session *session)
{
	struct nvgmig_stream_layout layout;

	nvgmig_layout_fill(session->dev, &layout);
	return vfio_mig_save_blob(session->stream, NVGMIG_TAG_LAYOUT, 0, &layout, sizeof(layout));
}

static int nvgmig_save_open(struct nvgmig_session *session, bool final)
{
	struct nvgmig_record *record = &session->save.record;
	int ret;

	record->head = kzalloc_obj(*record->head, GFP_KERNEL_ACCOUNT);
	if (!record->head)
		return -ENOMEM;
	ret = nvgmig_blocks_init(&session->blocks, session->dev, !final);
	if (!ret)
		ret = vfio_mig_save_buffers(session->stream, NVGMIG_RECORD_SIZE,
					    NVGMIG_SAVE_BUFFERS);
	return ret ?: nvgmig_save_layout(session);
}

/* &vfio_mig_ops.save_begin */
int nvgmig_save_begin(struct vfio_mig_stream *st, bool final)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);
	struct nvgmig_save *save = &session->save;
	int ret;

	if (!save->record.head) {
		ret = nvgmig_save_open(session, final);
		if (ret)
			return ret;
		save->first_pass = true;
	}
	nvgmig_blocks_want_all(&session->blocks);
	save->record.cursor = 0;
	save->still_since = NVGMIG_POWER_RUNS;
	save->final = final;
	nvgmig_save_migration(session)->saving = session;
	return 0;
}

static void nvgmig_save_state(struct nvgmig_session *session)
{
	struct vfio_mig_buf *buf = session->save.record.buf;
	const struct nvgmig_blocks *blocks = &session->blocks;
	struct nvgmig_stream_state state = {};

	for (unsigned int i = 0; i < blocks->memories; i++)
		state.bars[i] = cpu_to_le64(nvgmig_config_get(session->dev, blocks->memory[i]));
	vfio_mig_buf_write(buf, 0, &state, sizeof(state));
	session->save.ended = true;
	vfio_mig_save_push(session->stream, buf, NVGMIG_TAG_STATE, 0, sizeof(state));
}

/* A session that ends for other reasons has no need of one. */
static void nvgmig_save_fail(struct nvgmig_session *session, int error, const char *reason)
{
	session->save.reason = error == -ENODEV ? NULL : reason;
	vfio_mig_save_fail(session->stream, session->save.record.buf, error);
}

/* Whether what was read, or is going to be, is of use. Fails the session if not. */
static bool nvgmig_save_is_valid(struct nvgmig_session *session)
{
	const char *reason = nvgmig_power_check(nvgmig_save_migration(session));

	if (reason)
		nvgmig_save_fail(session, -EBUSY, reason);
	return !reason;
}

/* All blocks were looked at. */
static void nvgmig_save_rest(struct nvgmig_session *session)
{
	struct nvgmig_save *save = &session->save;

	if (!save->final) {
		save->first_pass = false;
		vfio_mig_save_idle(session->stream, save->record.buf);
	} else if (nvgmig_save_is_valid(session)) {
		nvgmig_save_state(session);
	}
}

/*
 * The last worker is done. The next save_next() may come before the call that passes the
 * buffer on returns.
 */
static void nvgmig_save_done(struct nvgmig_team *team)
{
	struct nvgmig_session *session = nvgmig_team_session(team);
	struct nvgmig_save *save = &session->save;
	size_t length = nvgmig_record_finish(session);

	if (!length && !save->record.error && !READ_ONCE(save->stop) &&
	    nvgmig_record_begin(session)) {
		nvgmig_team_start(team, nvgmig_record_run, nvgmig_save_done);
		return;
	}
	/* From here on nvgmig_save_end() only has to wait for this worker to return. */
	WRITE_ONCE(save->active, false);
	if (save->record.error)
		nvgmig_save_fail(session, save->record.error, "the memory cannot be read");
	else if (READ_ONCE(save->stop))
		nvgmig_save_fail(session, -ENODEV, NULL);
	else if (length)
		vfio_mig_save_push(session->stream, save->record.buf, NVGMIG_TAG_BLOCKS, 0, length);
	else
		nvgmig_save_rest(session);
}

/* &vfio_mig_ops.save_next */
void nvgmig_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);
	struct nvgmig_save *save = &session->save;

	save->record.buf = buf;
	if (save->ended) {
		vfio_mig_save_eof(st, buf);
		return;
	}
	if (save->final && !nvgmig_save_is_valid(session))
		return;
	if (nvgmig_record_begin(session)) {
		WRITE_ONCE(save->active, true);
		nvgmig_team_start(&session->team, nvgmig_record_run, nvgmig_save_done);
	} else {
		nvgmig_save_rest(session);
	}
}

/*
 * &vfio_mig_ops.save_end
 *
 * The last worker may start the team again, at most once more after it was told to stop.
 */
void nvgmig_save_end(struct vfio_mig_stream *st, bool abort)
{
	struct nvgmig_session *session = vfio_mig_stream_priv(st);
	struct vfio_mig *mig = vfio_mig_stream_device(st);
	bool active;

	WRITE_ONCE(session->save.stop, true);
	do {
		active = READ_ONCE(session->save.active);
		nvgmig_team_flush(&session->team);
	} while (active);
	nvgmig_save_migration(session)->saving = NULL;
	lockdep_assert_held(&mig->state_mutex);
	if (session->save.reason)
		mig->last_reason = session->save.reason;
}
