// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports of trackers.
 *
 * A report is an array of addresses of dirty pages, cut into messages; the last one
 * says that it is. A page is clean once it is in a message, so a message that cannot
 * be delivered makes the tracker fail. Only having no place to send to is no failure:
 * the report goes on when the driver has posted one.
 */
#include "hca.h"
#include "record.h"

#define REPORT_POLL_US		500
#define REPORT_IDLE		UINT_MAX
#define REPORT_STATE_SHIFT	28

/* Messages in one turn of the PF's thread. */
#define REPORT_BATCH		64

/* Some drivers take a message that fills the whole memory for one that is too long. */
#define REPORT_SPARE		sizeof(__be64)

static enum pcisim_hca_track_fault report_fault(struct pcisim_hca *hca)
{
	return xchg(&hca->tracking.fault, HCA_TRACK_FAULT_NONE);
}

static void report_set_state(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker, u8 state)
{
	guard(mutex)(&hca->tracking.lock);
	/* What was lost is not found again. */
	if (tracker->state != MLX5_PAGE_TRACK_STATE_ERROR)
		tracker->state = state;
}

/* Fill a message; return its length. What is in it counts as clean. */
static u32 report_collect(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker, u32 room)
{
	u32 count = 0;
	u64 page;

	guard(mutex)(&hca->tracking.lock);
	while (tracker->next <= tracker->last && (count + 1) * sizeof(__be64) <= room &&
	       pcisim_hca_record_next(tracker, tracker->next, &page) && page <= tracker->last) {
		pcisim_hca_record_clear(tracker, page);
		tracker->message[count++] = cpu_to_be64(page << tracker->page_shift);
		tracker->next = page + 1;
	}
	return count * sizeof(__be64);
}

static bool report_is_complete(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker)
{
	u64 page;

	guard(mutex)(&hca->tracking.lock);
	return tracker->next > tracker->last ||
	       !pcisim_hca_record_next(tracker, tracker->next, &page) || page > tracker->last;
}

static int report_message(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker, u32 length,
			  u8 state)
{
	return pcisim_hca_qp_send(hca, tracker->qpn, tracker->message, length,
				  state << REPORT_STATE_SHIFT);
}

/* Return false if there is to be no message. */
static bool report_inject(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker,
			  enum pcisim_hca_track_fault fault)
{
	switch (fault) {
	case HCA_TRACK_FAULT_TRACKER:
		report_message(hca, tracker, 0, MLX5_PAGE_TRACK_STATE_ERROR);
		break;
	case HCA_TRACK_FAULT_SILENT:
		break;
	case HCA_TRACK_FAULT_CQ:
		pcisim_hca_cq_fail(hca, pcisim_hca_qp_remote_cq(hca, tracker->qpn));
		break;
	case HCA_TRACK_FAULT_QP:
		pcisim_hca_qp_fail_remote(hca, tracker->qpn);
		break;
	default:
		return true;
	}
	report_set_state(hca, tracker, MLX5_PAGE_TRACK_STATE_ERROR);
	return false;
}

/* Return the state that a message has told, or ERROR. */
static u8 report_send(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker, u32 room,
		      enum pcisim_hca_track_fault fault)
{
	u32 length = report_collect(hca, tracker, room);
	u8 state = report_is_complete(hca, tracker) ? MLX5_PAGE_TRACK_STATE_TRACKING :
						      MLX5_PAGE_TRACK_STATE_REPORTING;

	if (fault == HCA_TRACK_FAULT_ADDRESS) {
		tracker->message[0] = cpu_to_be64((tracker->last + 1) << tracker->page_shift);
		length = max_t(u32, length, sizeof(__be64));
	}
	if (report_message(hca, tracker, length, state))
		state = MLX5_PAGE_TRACK_STATE_ERROR;
	report_set_state(hca, tracker, state);
	return state;
}

/* Send what fits. Return the microseconds until the next try, REPORT_IDLE if it is done. */
static unsigned int report_run(struct pcisim_hca *hca, struct pcisim_hca_tracker *tracker,
			       bool *tell)
{
	enum pcisim_hca_track_fault fault;
	int room;

	*tell = false;
	for (unsigned int i = 0; i < REPORT_BATCH; i++) {
		if (READ_ONCE(hca->tracking.stall))
			return REPORT_POLL_US;
		room = pcisim_hca_qp_room(hca, tracker->qpn);
		if (room == -EAGAIN)
			return REPORT_POLL_US;
		if (room < (int)(REPORT_SPARE + sizeof(__be64))) {
			report_set_state(hca, tracker, MLX5_PAGE_TRACK_STATE_ERROR);
			return REPORT_IDLE;
		}
		fault = report_fault(hca);
		if (!report_inject(hca, tracker, fault)) {
			*tell |= fault == HCA_TRACK_FAULT_TRACKER;
			return REPORT_IDLE;
		}
		*tell |= fault != HCA_TRACK_FAULT_EVENT;
		room = min_t(u32, room, BIT(tracker->log_message)) - REPORT_SPARE;
		if (report_send(hca, tracker, room, fault) != MLX5_PAGE_TRACK_STATE_REPORTING)
			return REPORT_IDLE;
	}
	return REPORT_POLL_US;
}

static bool report_is_wanted(struct pcisim_hca *hca, const struct pcisim_hca_tracker *tracker)
{
	guard(mutex)(&hca->tracking.lock);
	return tracker->state == MLX5_PAGE_TRACK_STATE_REPORTING;
}

/* Go on with all reports. Return the microseconds until the next look, UINT_MAX for none. */
unsigned int pcisim_hca_trackers_run(struct pcisim_hca *hca)
{
	unsigned int delay = REPORT_IDLE;
	struct pcisim_hca_tracker *tracker;
	bool tell;

	for (unsigned int i = 0; i < HCA_TRACKERS; i++) {
		tracker = hca->tracking.trackers[i];
		if (!tracker || !report_is_wanted(hca, tracker))
			continue;
		delay = min(delay, report_run(hca, tracker, &tell));
		if (tell)
			pcisim_hca_cq_notify(hca, pcisim_hca_qp_remote_cq(hca, tracker->qpn));
	}
	return delay;
}
