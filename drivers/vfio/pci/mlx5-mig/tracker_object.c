// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware's tracker: an object that records from its creation to its end.
 */
#include <linux/cleanup.h>
#include <linux/slab.h>

#include "mlx5mig.h"
#include "tracker.h"

/* The only kind of tracking there is, and what a report changes: range and state. */
#define TRACK_TYPE		1
#define TRACK_MODIFY_REPORT	(BIT(0) | BIT(1))

/* Why the firmware refused is at the same place in every answer. */
static int track_judge(struct mlx5mig_tracking *tracking, const u32 *out, int err)
{
	struct mlx5mig_device *dev =
		container_of(tracking->tracker, struct mlx5mig_device, tracker);
	u32 syndrome = be32_to_cpu((__force __be32)out[1]);

	if (err && syndrome)
		vfio_mig_report_syndrome(&dev->core.mig, syndrome);
	return mlx5mig_cmd_error(err);
}

static void track_object_header(const struct mlx5mig_tracking *tracking, void *in, u16 opcode)
{
	MLX5_SET(general_obj_in_cmd_hdr, in, opcode, opcode);
	MLX5_SET(general_obj_in_cmd_hdr, in, obj_type, MLX5_OBJ_TYPE_PAGE_TRACK);
	MLX5_SET(general_obj_in_cmd_hdr, in, obj_id, tracking->object);
}

static void track_object_fill(const struct mlx5mig_tracking *tracking, void *context)
{
	const struct mlx5mig_track_ranges *ranges = &tracking->ranges;
	void *range = MLX5_ADDR_OF(page_track, context, track_range);

	MLX5_SET(page_track, context, vhca_id, tracking->vhca_id);
	MLX5_SET(page_track, context, track_type, TRACK_TYPE);
	MLX5_SET(page_track, context, log_addr_space_size, ranges->log_space);
	MLX5_SET(page_track, context, log_page_size, ranges->page_shift);
	MLX5_SET(page_track, context, log_msg_size, tracking->memory.log_slot);
	MLX5_SET(page_track, context, reporting_qpn, tracking->firmware.qpn);
	MLX5_SET(page_track, context, num_ranges, ranges->count);
	for (unsigned int i = 0; i < ranges->count; i++) {
		MLX5_SET64(page_track_range, range, start_address, ranges->range[i].start);
		MLX5_SET64(page_track_range, range, length,
			   ranges->range[i].last - ranges->range[i].start + 1);
		range += MLX5_ST_SZ_BYTES(page_track_range);
	}
}

/**
 * mlx5mig_track_object_create() - start to record
 * @tracking: the tracking, whose queue pairs are connected
 *
 * Return: 0 or -errno.
 */
int mlx5mig_track_object_create(struct mlx5mig_tracking *tracking)
{
	size_t length = MLX5_ST_SZ_BYTES(create_page_track_obj_in) +
			tracking->ranges.count * MLX5_ST_SZ_BYTES(page_track_range);
	u32 out[MLX5_ST_SZ_DW(general_obj_out_cmd_hdr)] = {};
	int ret;

	void *in __free(kfree) = kzalloc(length, GFP_KERNEL_ACCOUNT);
	if (!in)
		return -ENOMEM;
	track_object_header(tracking, in, MLX5_CMD_OP_CREATE_GENERAL_OBJECT);
	track_object_fill(tracking, MLX5_ADDR_OF(create_page_track_obj_in, in, obj_context));
	ret = mlx5_cmd_exec(tracking->mdev, in, length, out, sizeof(out));
	tracking->object = MLX5_GET(general_obj_out_cmd_hdr, out, obj_id);
	return track_judge(tracking, out, ret);
}

/**
 * mlx5mig_track_object_destroy() - record no more
 * @tracking: the tracking
 */
void mlx5mig_track_object_destroy(struct mlx5mig_tracking *tracking)
{
	u32 out[MLX5_ST_SZ_DW(general_obj_out_cmd_hdr)] = {};
	u32 in[MLX5_ST_SZ_DW(general_obj_in_cmd_hdr)] = {};

	track_object_header(tracking, in, MLX5_CMD_OP_DESTROY_GENERAL_OBJECT);
	mlx5_cmd_exec(tracking->mdev, in, sizeof(in), out, sizeof(out));
}

/**
 * mlx5mig_track_object_report() - have dirty pages sent, and clear them
 * @tracking: the tracking
 * @start: the first address to report
 * @length: number of addresses
 *
 * Return: 0, messages follow; or -errno.
 */
int mlx5mig_track_object_report(struct mlx5mig_tracking *tracking, u64 start, u64 length)
{
	u32 in[MLX5_ST_SZ_DW(modify_page_track_obj_in)] = {};
	u32 out[MLX5_ST_SZ_DW(general_obj_out_cmd_hdr)] = {};
	void *context = MLX5_ADDR_OF(modify_page_track_obj_in, in, obj_context);
	int ret;

	track_object_header(tracking, in, MLX5_CMD_OP_MODIFY_GENERAL_OBJECT);
	MLX5_SET64(page_track, context, modify_field_select, TRACK_MODIFY_REPORT);
	MLX5_SET64(page_track, context, range_start_address, start);
	MLX5_SET64(page_track, context, length, length);
	MLX5_SET(page_track, context, state, MLX5_PAGE_TRACK_STATE_REPORTING);
	ret = mlx5_cmd_exec(tracking->mdev, in, sizeof(in), out, sizeof(out));
	return track_judge(tracking, out, ret);
}

/**
 * mlx5mig_track_object_check() - ask whether the firmware still records
 * @tracking: the tracking
 *
 * Return: 0, -EIO if it has lost pages, or another -errno.
 */
int mlx5mig_track_object_check(struct mlx5mig_tracking *tracking)
{
	u32 out[MLX5_ST_SZ_DW(query_page_track_obj_out)] = {};
	u32 in[MLX5_ST_SZ_DW(general_obj_in_cmd_hdr)] = {};
	void *context = MLX5_ADDR_OF(query_page_track_obj_out, out, obj_context);
	int ret;

	track_object_header(tracking, in, MLX5_CMD_OP_QUERY_GENERAL_OBJECT);
	ret = mlx5_cmd_exec(tracking->mdev, in, sizeof(in), out, sizeof(out));
	if (ret)
		return track_judge(tracking, out, ret);
	return MLX5_GET(page_track, context, state) == MLX5_PAGE_TRACK_STATE_ERROR ? -EIO : 0;
}
