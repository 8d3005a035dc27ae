// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trackers: firmware objects that record which pages a VF writes.
 *
 *   state       reached by                        what it does
 *   TRACKING    CREATE, the end of a report       records
 *   REPORTING   MODIFY                            records, and sends what it has
 *   ERROR       something was lost                nothing, until DESTROY
 *
 * A VF has one at most. It outlives resets of the VF, and the VF itself.
 */
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "hca.h"
#include "record.h"

/* What CREATE and MODIFY may say. */
#define TRACK_TYPE		1
#define TRACK_MODIFY_FIELDS	(BIT(0) | BIT(1))

static struct pcisim_hca_tracker **tracker_slot(struct pcisim_hca *hca, u32 id)
{
	struct pcisim_hca_tracker **trackers = hca->tracking.trackers;

	for (unsigned int i = 0; i < HCA_TRACKERS; i++) {
		if (trackers[i] && trackers[i]->id == id)
			return &trackers[i];
	}
	return NULL;
}

/* The tracker that a command is about, or NULL with the reason noted. */
static struct pcisim_hca_tracker **tracker_of(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_tracker **slot;

	if (MLX5_GET(general_obj_in_cmd_hdr, cmd->in, obj_type) != MLX5_OBJ_TYPE_PAGE_TRACK) {
		cmd->syndrome = HCA_SYND_OBJECT_TYPE;
		return NULL;
	}
	slot = tracker_slot(hca, MLX5_GET(general_obj_in_cmd_hdr, cmd->in, obj_id));
	if (!slot)
		cmd->syndrome = HCA_SYND_TRACKER_NUMBER;
	return slot;
}

static bool tracker_range_read(const void *range, u8 page_shift, u64 *total,
			       struct pcisim_hca_track_range *result)
{
	u64 start = MLX5_GET64(page_track_range, range, start_address);
	u64 length = MLX5_GET64(page_track_range, range, length);
	u64 last;

	if (!length || !IS_ALIGNED(start | length, BIT_ULL(page_shift)) ||
	    check_add_overflow(start, length - 1, &last) ||
	    check_add_overflow(*total, length, total))
		return false;
	*result = (struct pcisim_hca_track_range) { start, last };
	return true;
}

/* All ranges, in ascending order and without overlaps. */
static bool tracker_ranges_read(struct pcisim_hca_tracker *tracker, const void *context)
{
	const void *range = MLX5_ADDR_OF(page_track, context, track_range);
	u64 total = 0;

	for (u32 i = 0; i < tracker->range_count; i++) {
		if (!tracker_range_read(range, tracker->page_shift, &total, &tracker->ranges[i]))
			return false;
		if (i && tracker->ranges[i].start <= tracker->ranges[i - 1].last)
			return false;
		range += MLX5_ST_SZ_BYTES(page_track_range);
	}
	return order_base_2(total) <= MLX5_GET(page_track, context, log_addr_space_size);
}

static bool tracker_limits_ok(const struct pcisim_hca_tracking *tracking, const void *context)
{
	u8 log_message = MLX5_GET(page_track, context, log_msg_size);
	u8 page_shift = MLX5_GET(page_track, context, log_page_size);
	u32 count = MLX5_GET(page_track, context, num_ranges);

	return MLX5_GET(page_track, context, track_type) == TRACK_TYPE &&
	       count && count <= READ_ONCE(tracking->max_ranges) &&
	       log_message >= HCA_LOG_MIN_MESSAGE &&
	       log_message <= READ_ONCE(tracking->log_max_message) &&
	       page_shift >= READ_ONCE(tracking->log_min_page) &&
	       page_shift <= READ_ONCE(tracking->log_max_page) &&
	       MLX5_GET(page_track, context, log_addr_space_size) <= HCA_LOG_MAX_SPACE;
}

static void tracker_free(struct pcisim_hca_tracker *tracker)
{
	if (!tracker)
		return;
	pcisim_hca_record_free(tracker);
	kvfree(tracker->message);
	kvfree(tracker);
}

DEFINE_FREE(tracker, struct pcisim_hca_tracker *, tracker_free(_T))

static struct pcisim_hca_tracker *tracker_new(const void *context)
{
	u32 count = MLX5_GET(page_track, context, num_ranges);
	struct pcisim_hca_tracker *tracker =
		kvzalloc(struct_size(tracker, ranges, count), GFP_KERNEL);

	if (!tracker)
		return NULL;
	tracker->range_count = count;
	tracker->page_shift = MLX5_GET(page_track, context, log_page_size);
	tracker->log_message = MLX5_GET(page_track, context, log_msg_size);
	tracker->qpn = MLX5_GET(page_track, context, reporting_qpn);
	xa_init(&tracker->dirty);
	tracker->message = kvmalloc(BIT(tracker->log_message), GFP_KERNEL);
	if (!tracker->message) {
		tracker_free(tracker);
		return NULL;
	}
	return tracker;
}

/* Whether a command has what its object says, and the VF is there. */
static u8 tracker_check(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd, const void *context)
{
	u16 vhca_id = MLX5_GET(page_track, context, vhca_id);

	if (MLX5_GET(general_obj_in_cmd_hdr, cmd->in, obj_type) != MLX5_OBJ_TYPE_PAGE_TRACK)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_OBJECT_TYPE);
	if (cmd->in_len < MLX5_ST_SZ_BYTES(create_page_track_obj_in) +
	    MLX5_GET(page_track, context, num_ranges) * MLX5_ST_SZ_BYTES(page_track_range))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (!pcisim_hca_vhca_find(hca, vhca_id) || !test_bit(vhca_id, &hca->enabled))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_VHCA_ID);
	if (!tracker_limits_ok(&hca->tracking, context))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_TRACKER_LIMIT);
	if (!pcisim_hca_qp_sends(hca, MLX5_GET(page_track, context, reporting_qpn)))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_QP_STATE_ERR, HCA_SYND_QP_STATE);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_create_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *context = MLX5_ADDR_OF(create_page_track_obj_in, cmd->in, obj_context);
	struct pcisim_hca_tracking *tracking = &hca->tracking;
	struct pcisim_hca_tracker **slot;
	u8 status;

	/* Other objects may be shorter than this one. */
	if (cmd->in_len < MLX5_ST_SZ_BYTES(create_page_track_obj_in))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	status = tracker_check(hca, cmd, context);
	if (status)
		return status;
	slot = &tracking->trackers[MLX5_GET(page_track, context, vhca_id) - 1];
	if (*slot)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_RES_BUSY, HCA_SYND_TRACKER_BUSY);

	struct pcisim_hca_tracker *tracker __free(tracker) = tracker_new(context);
	if (!tracker)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	if (!tracker_ranges_read(tracker, context))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_TRACKER_RANGE);
	pcisim_hca_qp_use(hca, tracker->qpn, 1);
	tracker->id = ++tracking->last_id;
	MLX5_SET(general_obj_out_cmd_hdr, cmd->out, obj_id, tracker->id);

	guard(mutex)(&tracking->lock);
	*slot = no_free_ptr(tracker);
	return MLX5_CMD_STAT_OK;
}

/* Start a report, the one thing that can be changed. */
u8 pcisim_hca_modify_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *context = MLX5_ADDR_OF(modify_page_track_obj_in, cmd->in, obj_context);
	u64 start = MLX5_GET64(page_track, context, range_start_address);
	u64 length = MLX5_GET64(page_track, context, length);
	struct pcisim_hca_tracker **slot = tracker_of(hca, cmd);
	struct pcisim_hca_tracker *tracker;
	u64 last;

	if (!slot)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	if (MLX5_GET64(page_track, context, modify_field_select) != TRACK_MODIFY_FIELDS ||
	    MLX5_GET(page_track, context, state) != MLX5_PAGE_TRACK_STATE_REPORTING || !length ||
	    check_add_overflow(start, length - 1, &last))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_TRACKER_RANGE);

	guard(mutex)(&hca->tracking.lock);
	tracker = *slot;
	if (tracker->state != MLX5_PAGE_TRACK_STATE_TRACKING)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_STATE_ERR,
				       HCA_SYND_TRACKER_STATE);
	tracker->state = MLX5_PAGE_TRACK_STATE_REPORTING;
	tracker->next = start >> tracker->page_shift;
	tracker->last = last >> tracker->page_shift;
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_query_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	void *context = MLX5_ADDR_OF(query_page_track_obj_out, cmd->out, obj_context);
	struct pcisim_hca_tracker **slot = tracker_of(hca, cmd);

	if (!slot)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	guard(mutex)(&hca->tracking.lock);
	MLX5_SET(page_track, context, state, (*slot)->state);
	MLX5_SET(page_track, context, log_page_size, (*slot)->page_shift);
	MLX5_SET(page_track, context, reporting_qpn, (*slot)->qpn);
	return MLX5_CMD_STAT_OK;
}

static void tracker_destroy(struct pcisim_hca *hca, struct pcisim_hca_tracker **slot)
{
	struct pcisim_hca_tracker *tracker;

	scoped_guard(mutex, &hca->tracking.lock) {
		tracker = *slot;
		*slot = NULL;
	}
	pcisim_hca_qp_use(hca, tracker->qpn, -1);
	tracker_free(tracker);
}

u8 pcisim_hca_destroy_object(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_tracker **slot = tracker_of(hca, cmd);

	if (!slot)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	tracker_destroy(hca, slot);
	return MLX5_CMD_STAT_OK;
}

/* Once, when the PF comes into being. */
void pcisim_hca_tracking_init(struct pcisim_hca *hca)
{
	struct pcisim_hca_tracking *tracking = &hca->tracking;

	static_assert(HCA_TRACKERS == HCA_MAX_VFS);
	mutex_init(&tracking->lock);
	tracking->max_ranges = 128;
	tracking->log_max_message = HCA_LOG_MAX_MESSAGE;
	tracking->log_min_page = 12;
	tracking->log_max_page = 21;
}

void pcisim_hca_trackers_destroy(struct pcisim_hca *hca)
{
	for (unsigned int i = 0; i < HCA_TRACKERS; i++) {
		if (hca->tracking.trackers[i])
			tracker_destroy(hca, &hca->tracking.trackers[i]);
	}
}

/*
 * All DMA writes of a VF go through here: within a page, and recorded only when they
 * are done, so that a report in between cannot clear a page too early.
 */
int pcisim_hca_dma_write(struct pcisim_hca_vhca *vhca, u64 iova, const void *from, size_t len)
{
	struct pcisim_hca_tracking *tracking = &vhca->hca->tracking;
	struct pcisim_hca_tracker *tracker;
	int ret;

	lockdep_assert_held(&vhca->lock);

	ret = pcisim_dma_write(vhca->fn, iova, from, len);
	if (ret)
		return ret;
	guard(mutex)(&tracking->lock);
	tracker = tracking->trackers[pcisim_function_vf_index(vhca->fn)];
	if (tracker)
		pcisim_hca_record(tracker, iova, len);
	return 0;
}
