// SPDX-License-Identifier: GPL-2.0-only
/*
 * The opcodes, as a table, and the commands that concern the firmware itself.
 *
 * Every command takes effect under pcisim_hca::lock. A handler finds at least the fixed
 * part of its input, and a zeroed output in which the words that it does not
 * set keep their zero. On failure only status and syndrome go out.
 *
 * The driver of a VF has the commands that mlx5_core gives there: it can start, and make
 * event queues and UARs. All that it can make has to migrate.
 */
#include <linux/mlx5/driver.h>

#include "hca.h"

struct hca_opcode {
	u16 opcode;
	u16 in_len;
	u16 out_len;
	bool vf;				/* also for the driver of a VF */
	u8 (*handler)(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd);
};

static u8 hca_accept(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	return MLX5_CMD_STAT_OK;
}

/* The highest id of a function that the driver may name. */
static u16 hca_last_function(const struct pcisim_hca *hca)
{
	return hca->vhca ? 0 : HCA_MAX_VFS;
}

static u8 hca_enable_hca(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u16 id = MLX5_GET(enable_hca_in, cmd->in, function_id);
	struct pcisim_hca_vhca *vhca = pcisim_hca_vhca_find(hca, id);

	if (id > hca_last_function(hca))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_FUNCTION_ID);
	/* The driver enables a VF before PCI does: there may be no VHCA yet. */
	if (vhca)
		pcisim_hca_vhca_reset(vhca);
	__set_bit(id, &hca->enabled);
	if (!id)
		pcisim_hca_cmdq_forget(hca);
	return MLX5_CMD_STAT_OK;
}

static u8 hca_disable_hca(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u16 id = MLX5_GET(disable_hca_in, cmd->in, function_id);
	struct pcisim_hca_vhca *vhca = pcisim_hca_vhca_find(hca, id);

	if (id > hca_last_function(hca))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_FUNCTION_ID);
	if (vhca)
		pcisim_hca_vhca_reset(vhca);
	__clear_bit(id, &hca->enabled);
	if (!id) {
		pcisim_hca_cmdq_forget(hca);
		pcisim_hca_eqs_destroy(hca);
		pcisim_hca_objects_destroy(hca);
		pcisim_hca_objects_init(hca);
	}
	return MLX5_CMD_STAT_OK;
}

static u8 hca_query_issi(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	MLX5_SET(query_issi_out, cmd->out, supported_issi_dw0, BIT(0) | BIT(1));
	return MLX5_CMD_STAT_OK;
}

static u8 hca_set_issi(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	if (MLX5_GET(set_issi_in, cmd->in, current_issi) > 1)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_ISSI);
	return MLX5_CMD_STAT_OK;
}

/* This firmware needs no memory of the host: zero pages, always. */
static u8 hca_query_pages(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u16 op_mod = pcisim_hca_op_mod(cmd);

	if (op_mod < MLX5_QUERY_PAGES_IN_OP_MOD_BOOT_PAGES ||
	    op_mod > MLX5_QUERY_PAGES_IN_OP_MOD_REGULAR_PAGES)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_QUERY_PAGES);
	MLX5_SET(query_pages_out, cmd->out, function_id,
		 MLX5_GET(query_pages_in, cmd->in, function_id));
	return MLX5_CMD_STAT_OK;
}

static u8 hca_query_adapter(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	static const char psid[] = "PCISIM0000000001";
	void *adapter = MLX5_ADDR_OF(query_adapter_out, cmd->out, query_adapter_struct);

	static_assert(sizeof(psid) - 1 == MLX5_FLD_SZ_BYTES(query_adapter_param_block,
							    vsd_contd_psid));
	/* the vendor's IEEE identifier */
	MLX5_SET(query_adapter_param_block, adapter, ieee_vendor_id, 0x0002c9);
	memcpy(MLX5_ADDR_OF(query_adapter_param_block, adapter, vsd_contd_psid), psid,
	       sizeof(psid) - 1);
	return MLX5_CMD_STAT_OK;
}

/* The one register that the driver cannot do without; it takes the host's byte order. */
static u8 hca_access_reg(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	if (MLX5_GET(access_register_in, cmd->in, register_id) != MLX5_REG_HOST_ENDIANNESS ||
	    pcisim_hca_op_mod(cmd) != MLX5_ACCESS_REGISTER_IN_OP_MOD_WRITE)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_OP_ERR, HCA_SYND_REGISTER);
	return MLX5_CMD_STAT_OK;
}

#define OPCODE(_opcode, _name, _handler) {					\
	.opcode = MLX5_CMD_OP_##_opcode,					\
	.in_len = MLX5_ST_SZ_BYTES(_name##_in),					\
	.out_len = MLX5_ST_SZ_BYTES(_name##_out),				\
	.handler = _handler,							\
}

/* One that the driver of a VF may use, too. */
#define SHARED(_opcode, _name, _handler) {					\
	.opcode = MLX5_CMD_OP_##_opcode,					\
	.in_len = MLX5_ST_SZ_BYTES(_name##_in),					\
	.out_len = MLX5_ST_SZ_BYTES(_name##_out),				\
	.vf = true,								\
	.handler = _handler,							\
}

#define OBJECT(_verb, _in, _out, _handler) {					\
	.opcode = MLX5_CMD_OP_##_verb##_GENERAL_OBJECT,				\
	.in_len = MLX5_ST_SZ_BYTES(_in),					\
	.out_len = MLX5_ST_SZ_BYTES(_out),					\
	.handler = _handler,							\
}

static const struct hca_opcode hca_opcodes[] = {
	SHARED(QUERY_HCA_CAP, query_hca_cap, pcisim_hca_query_hca_cap),
	SHARED(QUERY_ADAPTER, query_adapter, hca_query_adapter),
	SHARED(INIT_HCA, init_hca, hca_accept),
	SHARED(TEARDOWN_HCA, teardown_hca, hca_accept),
	SHARED(ENABLE_HCA, enable_hca, hca_enable_hca),
	SHARED(DISABLE_HCA, disable_hca, hca_disable_hca),
	SHARED(QUERY_PAGES, query_pages, hca_query_pages),
	SHARED(SET_HCA_CAP, set_hca_cap, pcisim_hca_set_hca_cap),
	SHARED(QUERY_ISSI, query_issi, hca_query_issi),
	SHARED(SET_ISSI, set_issi, hca_set_issi),
	OPCODE(SUSPEND_VHCA, suspend_vhca, pcisim_hca_suspend_vhca),
	OPCODE(RESUME_VHCA, resume_vhca, pcisim_hca_resume_vhca),
	OPCODE(QUERY_VHCA_MIGRATION_STATE, query_vhca_migration_state,
	       pcisim_hca_query_vhca_migration_state),
	OPCODE(SAVE_VHCA_STATE, save_vhca_state, pcisim_hca_save_vhca_state),
	OPCODE(LOAD_VHCA_STATE, load_vhca_state, pcisim_hca_load_vhca_state),
	OPCODE(CREATE_MKEY, create_mkey, pcisim_hca_create_mkey),
	OPCODE(DESTROY_MKEY, destroy_mkey, pcisim_hca_destroy_mkey),
	SHARED(CREATE_EQ, create_eq, pcisim_hca_create_eq),
	SHARED(DESTROY_EQ, destroy_eq, pcisim_hca_destroy_eq),
	OPCODE(CREATE_CQ, create_cq, pcisim_hca_create_cq),
	OPCODE(DESTROY_CQ, destroy_cq, pcisim_hca_destroy_cq),
	OPCODE(CREATE_QP, create_qp, pcisim_hca_create_qp),
	OPCODE(DESTROY_QP, destroy_qp, pcisim_hca_destroy_qp),
	OPCODE(RST2INIT_QP, rst2init_qp, pcisim_hca_rst2init_qp),
	OPCODE(INIT2RTR_QP, init2rtr_qp, pcisim_hca_init2rtr_qp),
	OPCODE(RTR2RTS_QP, rtr2rts_qp, pcisim_hca_rtr2rts_qp),
	OBJECT(CREATE, general_obj_in_cmd_hdr, general_obj_out_cmd_hdr,
	       pcisim_hca_create_object),
	OBJECT(MODIFY, modify_page_track_obj_in, general_obj_out_cmd_hdr,
	       pcisim_hca_modify_object),
	OBJECT(QUERY, general_obj_in_cmd_hdr, query_page_track_obj_out,
	       pcisim_hca_query_object),
	OBJECT(DESTROY, general_obj_in_cmd_hdr, general_obj_out_cmd_hdr,
	       pcisim_hca_destroy_object),
	OPCODE(ALLOC_PD, alloc_pd, pcisim_hca_alloc_pd),
	OPCODE(DEALLOC_PD, dealloc_pd, pcisim_hca_dealloc_pd),
	SHARED(ALLOC_UAR, alloc_uar, pcisim_hca_alloc_uar),
	SHARED(DEALLOC_UAR, dealloc_uar, pcisim_hca_dealloc_uar),
	OPCODE(ACCESS_REG, access_register, hca_access_reg),
};

static const struct hca_opcode *hca_opcode_find(const struct pcisim_hca *hca, u16 opcode)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(hca_opcodes); i++) {
		if (hca_opcodes[i].opcode == opcode)
			return !hca->vhca || hca_opcodes[i].vf ? &hca_opcodes[i] : NULL;
	}
	return NULL;
}

static u8 hca_handle(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u16 opcode = pcisim_hca_opcode(cmd);
	const struct hca_opcode *entry = hca_opcode_find(hca, opcode);

	if (!entry) {
		atomic_inc(&hca->unknown_commands);
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_OP_ERR, HCA_SYND_OPCODE);
	}
	if (cmd->in_len < entry->in_len)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (!test_bit(0, &hca->enabled) && opcode != MLX5_CMD_OP_ENABLE_HCA)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_SYS_STATE_ERR,
				       HCA_SYND_NOT_ENABLED);
	cmd->out_len = entry->out_len;
	return entry->handler(hca, cmd);
}

static u8 hca_dispatch(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	bool fault = pcisim_hca_fault_hits(hca, cmd);
	u8 status = fault ? READ_ONCE(hca->fault.status) : 0;

	lockdep_assert_held(&hca->lock);

	/* What gets lost has no effect either. */
	if (cmd->lost)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_INT_ERR, HCA_SYND_INJECTED);
	if (status) {
		cmd->syndrome = READ_ONCE(hca->fault.syndrome);
		return status;
	}
	status = hca_handle(hca, cmd);
	if (fault && !status)
		pcisim_hca_fault_answer(hca, cmd);
	return status;
}

static bool hca_names_vhca(u16 opcode)
{
	switch (opcode) {
	case MLX5_CMD_OP_SUSPEND_VHCA:
	case MLX5_CMD_OP_RESUME_VHCA:
	case MLX5_CMD_OP_QUERY_VHCA_MIGRATION_STATE:
	case MLX5_CMD_OP_SAVE_VHCA_STATE:
	case MLX5_CMD_OP_LOAD_VHCA_STATE:
		return true;
	default:
		return false;
	}
}

/* Note which VHCA a new command is for, if any, and in which life of it. */
void pcisim_hca_arrive(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	struct pcisim_hca_vhca *vhca;

	if (!hca_names_vhca(pcisim_hca_opcode(cmd)))
		return;
	cmd->vhca = MLX5_GET(suspend_vhca_in, cmd->in, vhca_id);

	guard(mutex)(&hca->lock);
	vhca = pcisim_hca_vhca_find(hca, cmd->vhca);
	if (vhca)
		cmd->generation = READ_ONCE(vhca->generation);
}

/* Let a command take effect. */
void pcisim_hca_dispatch(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u8 status;

	guard(mutex)(&hca->lock);
	status = hca_dispatch(hca, cmd);
	if (!status)
		return;
	cmd->out_len = MLX5_ST_SZ_BYTES(enable_hca_out);
	memset(cmd->out, 0, cmd->out_len);
	MLX5_SET(enable_hca_out, cmd->out, status, status);
	MLX5_SET(enable_hca_out, cmd->out, syndrome, cmd->syndrome);
}
