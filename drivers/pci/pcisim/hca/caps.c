// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capabilities, as data.
 *
 * Each one that is set makes the driver use what stands behind it, so the list
 * is short: what mlx5_core needs to start with one Ethernet port that it cannot
 * use, and what a migration driver looks for. Current and maximum are the same.
 */
#include "hca.h"

/* A field is found by the bit behind it. Bit 0 is the first of a big endian word. */
struct hca_cap {
	u16 end;
	u16 value;
};

#define CAP(_type, _field, _value) {						\
	.end = offsetofend(struct mlx5_ifc_##_type##_bits, _field),		\
	.value = _value,							\
}

#define GENERAL(_field, _value)		CAP(cmd_hca_cap, _field, _value)

static const struct hca_cap hca_general[] = {
	GENERAL(page_request_disable, 1),
	GENERAL(hca_cap_2, 1),
	GENERAL(log_max_srq_sz, 15),
	GENERAL(log_max_qp_sz, 15),
	GENERAL(log_max_qp, 17),
	GENERAL(log_max_cq_sz, 22),
	GENERAL(log_max_cq, 16),
	GENERAL(log_max_eq_sz, HCA_LOG_MAX_EQ_SIZE),
	GENERAL(log_max_mkey, 24),
	GENERAL(log_max_eq, 8),
	GENERAL(port_type, MLX5_CAP_PORT_TYPE_ETH),
	GENERAL(num_ports, 1),
	GENERAL(log_max_msg, 30),
	GENERAL(rc, 1),
	GENERAL(log_pg_sz, MLX5_ADAPTER_PAGE_SHIFT),
	GENERAL(log_bf_reg_size, 9),
	GENERAL(log_max_pd, HCA_LOG_MAX_PD),
	GENERAL(max_num_eqs, HCA_MAX_EQS),
};

static void hca_caps_set(__be32 *cap, const struct hca_cap *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		cap[(list[i].end - 1) / 32] |= cpu_to_be32(list[i].value << (-list[i].end & 31));
}

static void hca_caps_general(struct pcisim_hca *hca, u16 id, void *cap)
{
	hca_caps_set(cap, hca_general, ARRAY_SIZE(hca_general));
	MLX5_SET(cmd_hca_cap, cap, vhca_id, id);
	MLX5_SET(cmd_hca_cap, cap, adv_virtualization,
		 !hca->vhca && READ_ONCE(hca->tracking.max_ranges));
	MLX5_SET(cmd_hca_cap, cap, migration,
		 !hca->vhca && pcisim_function_setting(hca->fn, HCA_MIGRATION));
}

static void hca_caps_general_2(struct pcisim_hca *hca, u16 id, void *cap)
{
	MLX5_SET(cmd_hca_cap_2, cap, migration_multi_load,
		 pcisim_function_setting(hca->fn, HCA_MULTI_LOAD));
	MLX5_SET(cmd_hca_cap_2, cap, migration_tracking_state,
		 pcisim_function_setting(hca->fn, HCA_TRACKING_STATE));
	MLX5_SET(cmd_hca_cap_2, cap, migration_state,
		 pcisim_function_setting(hca->fn, HCA_MIGRATION_STATE));
	MLX5_SET(cmd_hca_cap_2, cap, migration_in_chunks,
		 !!pcisim_function_setting(hca->fn, HCA_CHUNK_SIZE));
	MLX5_SET(cmd_hca_cap_2, cap, migratable,
		 id && pcisim_function_setting(hca->fn, HCA_MIGRATABLE));
}

static void hca_caps_adv_virtualization(struct pcisim_hca *hca, void *cap)
{
	const struct pcisim_hca_tracking *tracking = &hca->tracking;

	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_num, ilog2(HCA_TRACKERS + 1));
	MLX5_SET(adv_virtualization_cap, cap, pg_track_max_num_range,
		 READ_ONCE(tracking->max_ranges));
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_min_addr_space,
		 MLX5_ADAPTER_PAGE_SHIFT);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_addr_space, HCA_LOG_MAX_SPACE);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_min_msg_size, HCA_LOG_MIN_MESSAGE);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_msg_size,
		 READ_ONCE(tracking->log_max_message));
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_min_page_size,
		 READ_ONCE(tracking->log_min_page));
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_page_size,
		 READ_ONCE(tracking->log_max_page));
}

/* The number that the firmware has for the function of a driver. */
static u16 hca_own_id(const struct pcisim_hca *hca)
{
	return hca->vhca ? pcisim_function_vf_index(hca->fn) + 1 : 0;
}

u8 pcisim_hca_query_hca_cap(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	bool other = MLX5_GET(query_hca_cap_in, cmd->in, other_function);
	u16 function = other ? MLX5_GET(query_hca_cap_in, cmd->in, function_id) : 0;
	void *cap = MLX5_ADDR_OF(query_hca_cap_out, cmd->out, capability);
	u16 id = function ?: hca_own_id(hca);

	if (function > HCA_MAX_VFS || !test_bit(function, &hca->enabled) ||
	    MLX5_GET(query_hca_cap_in, cmd->in, function_id_type) ||
	    MLX5_GET(query_hca_cap_in, cmd->in, ec_vf_function))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_FUNCTION_ID);

	/* Bit 0 tells current from maximum. */
	switch (pcisim_hca_op_mod(cmd) >> 1) {
	case MLX5_CAP_GENERAL:
		hca_caps_general(hca, id, cap);
		return MLX5_CMD_STAT_OK;
	case MLX5_CAP_GENERAL_2:
		hca_caps_general_2(hca, id, cap);
		return MLX5_CMD_STAT_OK;
	case MLX5_CAP_ADV_VIRTUALIZATION:
		hca_caps_adv_virtualization(hca, cap);
		return MLX5_CMD_STAT_OK;
	default:
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_CAP_TYPE);
	}
}

/* The driver only turns things off that this firmware does not have. */
u8 pcisim_hca_set_hca_cap(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	if (MLX5_GET(set_hca_cap_in, cmd->in, other_function))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_FUNCTION_ID);
	if (pcisim_hca_op_mod(cmd) >> 1 != MLX5_CAP_GENERAL)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_CAP_TYPE);
	return MLX5_CMD_STAT_OK;
}
