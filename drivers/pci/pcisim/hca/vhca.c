// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration commands and the state of a VHCA that they move through.
 *
 *   level                    reached by              a VF then
 *   RUNNING                  reset, RESUME           does everything
 *   INITIATOR_SUSPENDED      SUSPEND, RESUME         starts no DMA
 *   SUSPENDED                SUSPEND                 does nothing; SAVE and LOAD
 *
 * A step that does not start from the level before it fails with status 9. So
 * does a SAVE that does not fit what went before; the driver takes status 9 of
 * a SAVE while the VF runs as a reason to send the full state in the end.
 *
 * A reset does not wait for a command that has been posted before it. What such a
 * command was meant for is gone, so it fails.
 */
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "hca.h"

/* Streams end with the level that they belong to. */
static void vhca_end_streams(struct pcisim_hca_vhca *vhca)
{
	lockdep_assert_held(&vhca->lock);

	vhca->save_mode = HCA_SAVE_NONE;
	vhca->load_sequence = 0;
	pcisim_hca_bulk_free(vhca->shadow);
	vhca->shadow = NULL;
}

/* After power-on, FLR, ENABLE_HCA and DISABLE_HCA. Cannot fail. */
void pcisim_hca_vhca_reset(struct pcisim_hca_vhca *vhca)
{
	guard(mutex)(&vhca->lock);
	vhca_end_streams(vhca);
	vhca->level = HCA_RUNNING;
	vhca->save_chunks = false;
	vhca->reconfigured = false;
	WRITE_ONCE(vhca->generation, atomic_inc_return(&vhca->hca->generations));
	pcisim_hca_bulk_reset(&vhca->bulk, vhca->state_size);
	pcisim_hca_engine_reset(vhca);
	pcisim_hca_own_reset(vhca);
}

/* The VHCA that a command names. */
static struct pcisim_hca_vhca *vhca_of(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_vhca *vhca = pcisim_hca_vhca_find(hca, cmd->vhca);

	if (!vhca)
		cmd->syndrome = HCA_SYND_VHCA_ID;
	else if (!test_bit(cmd->vhca, &hca->enabled))
		cmd->syndrome = HCA_SYND_VHCA_NOT_ENABLED;
	else if (READ_ONCE(vhca->generation) != cmd->generation)
		cmd->syndrome = HCA_SYND_VHCA_RESET;
	else
		return vhca;
	return NULL;
}

u8 pcisim_hca_suspend_vhca(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_vhca *vhca = vhca_of(hca, cmd);
	enum pcisim_hca_level from;

	if (!vhca)
		return MLX5_CMD_STAT_BAD_RES_ERR;

	switch (pcisim_hca_op_mod(cmd)) {
	case MLX5_SUSPEND_VHCA_IN_OP_MOD_SUSPEND_INITIATOR:
		from = HCA_RUNNING;
		break;
	case MLX5_SUSPEND_VHCA_IN_OP_MOD_SUSPEND_RESPONDER:
		from = HCA_INITIATOR_SUSPENDED;
		break;
	default:
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_OP_MOD);
	}

	/* The engine writes under this lock: nothing is in flight once we have it. */
	guard(mutex)(&vhca->lock);
	if (vhca->level != from)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR,
				       HCA_SYND_SUSPEND_LEVEL);
	vhca->level = from + 1;
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_resume_vhca(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_vhca *vhca = vhca_of(hca, cmd);
	enum pcisim_hca_level from;

	if (!vhca)
		return MLX5_CMD_STAT_BAD_RES_ERR;

	switch (pcisim_hca_op_mod(cmd)) {
	case MLX5_RESUME_VHCA_IN_OP_MOD_RESUME_RESPONDER:
		from = HCA_SUSPENDED;
		break;
	case MLX5_RESUME_VHCA_IN_OP_MOD_RESUME_INITIATOR:
		from = HCA_INITIATOR_SUSPENDED;
		break;
	default:
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_OP_MOD);
	}

	guard(mutex)(&vhca->lock);
	if (vhca->level != from)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR,
				       HCA_SYND_RESUME_LEVEL);
	vhca->level = from - 1;
	if (from == HCA_SUSPENDED) {
		vhca_end_streams(vhca);
		return MLX5_CMD_STAT_OK;
	}
	pcisim_hca_engine_resume(vhca);
	pcisim_hca_own_resume(vhca);
	return MLX5_CMD_STAT_OK;
}

/* Does a target that has loaded all images so far need another one, or start over? */
static u8 vhca_migration_state(struct pcisim_hca_vhca *vhca)
{
	u64 total;

	if (!pcisim_function_setting(vhca->fn, HCA_MIGRATION_STATE))
		return MLX5_QUERY_VHCA_MIG_STATE_UNINITIALIZED;
	if (vhca->reconfigured)
		return MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_INIT;
	if (vhca->save_mode == HCA_SAVE_NONE)
		return MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_IDLE;
	return pcisim_hca_image_delta_size(vhca, &total) ?
	       MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_DIRTY :
	       MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_READY;
}

u8 pcisim_hca_query_vhca_migration_state(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	bool chunks = MLX5_GET(query_vhca_migration_state_in, cmd->in, chunk);
	struct pcisim_hca_vhca *vhca = vhca_of(hca, cmd);
	u64 size, total;

	if (!vhca)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	if (chunks && !vhca->chunk_size)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_CHUNK_MODE);

	guard(mutex)(&vhca->lock);
	if (MLX5_GET(query_vhca_migration_state_in, cmd->in, incremental)) {
		if (vhca->save_mode == HCA_SAVE_NONE)
			return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR,
					       HCA_SYND_NOT_TRACKED);
		vhca->save_chunks = chunks;
		size = pcisim_hca_image_delta_size(vhca, &total);
	} else {
		vhca->save_chunks = chunks;
		size = pcisim_hca_image_full_size(vhca, &total);
	}
	/* An image that is too large to be: the field says as much as it can. */
	MLX5_SET(query_vhca_migration_state_out, cmd->out, required_umem_size,
		 min_t(u64, size, U32_MAX));
	MLX5_SET64(query_vhca_migration_state_out, cmd->out, remaining_total_size, total);
	MLX5_SET(query_vhca_migration_state_out, cmd->out, migration_state,
		 vhca_migration_state(vhca));
	return MLX5_CMD_STAT_OK;
}

/* The memory of a SAVE or LOAD, whose inputs have the same layout, and where in it. */
static struct pcisim_hca_mkey *vhca_memory(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd,
					   u64 *offset)
{
	u64 address = MLX5_GET64(save_vhca_state_in, cmd->in, va);
	u32 key = MLX5_GET(save_vhca_state_in, cmd->in, mkey);
	u32 size = MLX5_GET(save_vhca_state_in, cmd->in, size);
	struct pcisim_hca_mkey *mkey = pcisim_hca_mkey_find(hca, key);

	if (!mkey)
		cmd->syndrome = HCA_SYND_MKEY_NUMBER;
	else if (!pcisim_hca_mkey_offset(mkey, address, size, offset))
		cmd->syndrome = HCA_SYND_MKEY_TOO_SHORT;
	else
		return mkey;
	return NULL;
}

/*
 * A driver that leaves PRE_COPY for RUNNING ends the tracking with a SAVE of
 * nothing, and may have no memory for it.
 */
static u8 vhca_stop_tracking(struct pcisim_hca_vhca *vhca, struct pcisim_hca_cmd *cmd)
{
	if (vhca->save_mode != HCA_SAVE_TRACKING)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR,
				       HCA_SYND_SAVE_RUNNING);
	vhca->save_mode = HCA_SAVE_NONE;
	vhca->reconfigured = false;
	return MLX5_CMD_STAT_OK;
}

static enum pcisim_hca_syndrome vhca_save_forbidden(const struct pcisim_hca_vhca *vhca,
						    bool incremental, bool track)
{
	enum pcisim_hca_level too_late = READ_ONCE(vhca->hca->strict_tracking) ?
					 HCA_INITIATOR_SUSPENDED : HCA_SUSPENDED;

	if (track && vhca->level >= too_late)
		return HCA_SYND_SAVE_SUSPENDED;
	if (!track && vhca->level != HCA_SUSPENDED)
		return HCA_SYND_SAVE_RUNNING;
	if (incremental && vhca->save_mode == HCA_SAVE_NONE)
		return HCA_SYND_NOT_TRACKED;
	return 0;
}

/*
 * While the VF runs the state may grow between the driver's query and its SAVE:
 * what does not fit then goes into the next image. The last ones must fit.
 */
static u8 vhca_save(struct pcisim_hca_vhca *vhca, struct pcisim_hca_cmd *cmd,
		    bool incremental, bool track)
{
	struct pcisim_hca_save save = {
		.stream = incremental ? vhca->save_stream : get_random_u64(),
		.sequence = incremental ? vhca->save_sequence : 0,
		.room = MLX5_GET(save_vhca_state_in, cmd->in, size),
		.partial = track,
	};
	struct pcisim_hca *hca = vhca->hca;
	u64 next, total;
	u8 status;

	save.mkey = vhca_memory(hca, cmd, &save.offset);
	if (!save.mkey)
		return MLX5_CMD_STAT_BAD_PARAM_ERR;
	status = pcisim_hca_image_save(vhca, cmd, &save);
	if (status)
		return status;

	cmd->busy_ns += pcisim_hca_transfer_time(save.length,
						 READ_ONCE(hca->timing.save_bandwidth));
	vhca->reconfigured = false;
	vhca->save_stream = save.stream;
	vhca->save_sequence = save.sequence + 1;
	if (track)
		vhca->save_mode = HCA_SAVE_TRACKING;
	else
		vhca->save_mode = save.more ? HCA_SAVE_DRAINING : HCA_SAVE_NONE;
	atomic_inc(&vhca->saves);

	next = vhca->save_mode == HCA_SAVE_DRAINING ? pcisim_hca_image_delta_size(vhca, &total) : 0;
	MLX5_SET(save_vhca_state_out, cmd->out, actual_image_size, save.length);
	MLX5_SET(save_vhca_state_out, cmd->out, next_required_umem_size, next);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_save_vhca_state(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	bool incremental = MLX5_GET(save_vhca_state_in, cmd->in, incremental);
	bool track = MLX5_GET(save_vhca_state_in, cmd->in, set_track);
	struct pcisim_hca_vhca *vhca = vhca_of(hca, cmd);
	enum pcisim_hca_syndrome forbidden;

	if (!vhca)
		return MLX5_CMD_STAT_BAD_RES_ERR;

	guard(mutex)(&vhca->lock);
	if (!incremental && !track && vhca->level != HCA_SUSPENDED)
		return vhca_stop_tracking(vhca, cmd);
	forbidden = vhca_save_forbidden(vhca, incremental, track);
	if (forbidden)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR, forbidden);
	return vhca_save(vhca, cmd, incremental, track);
}

u8 pcisim_hca_load_vhca_state(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 size = MLX5_GET(load_vhca_state_in, cmd->in, size);
	struct pcisim_hca_vhca *vhca = vhca_of(hca, cmd);
	struct pcisim_hca_mkey *mkey;
	u64 offset;
	u8 status;

	if (!vhca)
		return MLX5_CMD_STAT_BAD_RES_ERR;

	guard(mutex)(&vhca->lock);
	if (vhca->level != HCA_SUSPENDED)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR,
				       HCA_SYND_LOAD_RUNNING);
	if (!size || size > HCA_MAX_IMAGE)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_LOAD_SIZE);
	mkey = vhca_memory(hca, cmd, &offset);
	if (!mkey)
		return MLX5_CMD_STAT_BAD_PARAM_ERR;

	/* A copy, so that what has been verified is what is applied. */
	void *image __free(kvfree) = __vmalloc(size, GFP_KERNEL | __GFP_RETRY_MAYFAIL |
					       __GFP_NOWARN);
	if (!image)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	if (pcisim_hca_mkey_read(hca, mkey, offset, image, size))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_INT_ERR, HCA_SYND_DMA);

	status = pcisim_hca_image_load(vhca, cmd, image, size);
	if (status)
		return status;
	cmd->busy_ns += pcisim_hca_transfer_time(size, READ_ONCE(hca->timing.load_bandwidth));
	vhca->save_mode = HCA_SAVE_NONE;
	atomic_inc(&vhca->loads);
	return MLX5_CMD_STAT_OK;
}
