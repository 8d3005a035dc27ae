// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a function: header, power management, PCI Express, MSI-X
 * and SR-IOV capabilities, and what happens when some of them are written.
 *
 * Writes come in atomic context. What must sleep is left to the function's
 * thread, and config reads return all ones until it has finished a reset, as
 * a real function may do.
 */

#include <linux/array_size.h>
#include <linux/string.h>

#include "pcisim_private.h"

static const struct pcisim_register pcisim_pf_registers[] = {
	{ PCI_COMMAND, 2, .rw = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE },
	{ PCI_INTERRUPT_LINE, 1, .rw = 0xff },
	{ PCI_CAPABILITY_LIST, 1, PCISIM_CAP_PM },
	{ PCISIM_CAP_PM + PCI_CAP_LIST_ID, 1, PCI_CAP_ID_PM },
	{ PCISIM_CAP_PM + PCI_CAP_LIST_NEXT, 1, PCISIM_CAP_EXP },
	{ PCISIM_CAP_PM + PCI_PM_PMC, 2, 3 },
	{ PCISIM_CAP_PM + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET,
	  .rw = PCI_PM_CTRL_STATE_MASK },
};

static const struct pcisim_register pcisim_vf_registers[] = {
	{ PCI_COMMAND, 2, .rw = PCI_COMMAND_MASTER },
	{ PCI_VENDOR_ID, 4, 0xffffffff },
	{ PCI_CAPABILITY_LIST, 1, PCISIM_CAP_EXP },
};

static const struct pcisim_register pcisim_common_registers[] = {
	{ PCI_STATUS, 2, PCI_STATUS_CAP_LIST,
	  .w1c = PCI_STATUS_PARITY | PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_DETECTED_PARITY },
	{ PCI_CACHE_LINE_SIZE, 1, .rw = 0xff },
	{ PCISIM_CAP_EXP + PCI_CAP_LIST_ID, 1, PCI_CAP_ID_EXP },
	{ PCISIM_CAP_EXP + PCI_CAP_LIST_NEXT, 1, PCISIM_CAP_MSIX },
	{ PCISIM_CAP_EXP + PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4 },
	{ PCISIM_CAP_EXP + PCI_EXP_DEVCAP, 4,
	  PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_EXT_TAG | 2 },
	{ PCISIM_CAP_EXP + PCI_EXP_DEVCTL, 2,
	  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B,
	  .rw = 0xffff },
	{ PCISIM_CAP_EXP + PCI_EXP_DEVSTA, 2,
	  .w1c = PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED |
		 PCI_EXP_DEVSTA_URD },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKCAP, 4, PCISIM_LINK },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKCTL, 2, .rw = PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKSTA, 2, PCISIM_LINK },
	{ PCISIM_CAP_EXP + PCI_EXP_LNKCAP2, 4, PCISIM_LINK_SPEEDS },
	{ PCISIM_CAP_MSIX + PCI_CAP_LIST_ID, 1, PCI_CAP_ID_MSIX },
};

static void pcisim_header_init(struct pcisim_function *fn)
{
	const struct pcisim_function_type *type = fn->type;
	const struct pcisim_register registers[] = {
		{ PCI_CLASS_REVISION, 4, type->class << 8 },
		{ PCISIM_CAP_MSIX + PCI_MSIX_FLAGS, 2, type->msix_vectors - 1,
		  .rw = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL },
		{ PCISIM_CAP_MSIX + PCI_MSIX_TABLE, 4, type->msix_table },
		{ PCISIM_CAP_MSIX + PCI_MSIX_PBA, 4, type->msix_table + SZ_4K },
	};

	pcisim_config_add(&fn->config, registers, ARRAY_SIZE(registers));
}

/* Registers that only a PF has: a VF gets its ids and its BAR from the PF. */
static void pcisim_pf_header_init(struct pcisim_function *fn)
{
	const struct pcisim_function_type *type = fn->type;
	const struct pcisim_register registers[] = {
		{ PCI_VENDOR_ID, 2, type->vendor },
		{ PCI_DEVICE_ID, 2, type->device },
		{ PCI_SUBSYSTEM_VENDOR_ID, 2, type->vendor },
		{ PCI_SUBSYSTEM_ID, 2, type->device },
		{ PCI_BASE_ADDRESS_0, 4, PCI_BASE_ADDRESS_MEM_TYPE_64, .rw = -type->bar_size },
		{ PCI_BASE_ADDRESS_1, 4, .rw = U32_MAX },
		{ PCI_HEADER_TYPE, 1, fn->port ? PCI_HEADER_TYPE_MFD : 0 },
	};

	pcisim_config_add(&fn->config, registers, ARRAY_SIZE(registers));
}

static void pcisim_sriov_init(struct pcisim_function *fn)
{
	const struct pcisim_model *model = fn->model;
	const struct pcisim_register registers[] = {
		{ PCISIM_CAP_SRIOV, 4, PCI_EXT_CAP_ID_SRIOV | 1 << 16 },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_CTRL, 2,
		  .rw = PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_INITIAL_VF, 2, fn->total_vfs },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_TOTAL_VF, 2, fn->total_vfs },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_NUM_VF, 2, .rw = 0xffff },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_FUNC_LINK, 1, fn->devfn },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_VF_OFFSET, 2, 1 },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_VF_STRIDE, 2, 1 },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_VF_DID, 2, model->vf.device },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_SUP_PGSIZE, 4, SZ_4K >> 12 },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_SYS_PGSIZE, 4, SZ_4K >> 12, .rw = SZ_4K >> 12 },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_BAR, 4, PCI_BASE_ADDRESS_MEM_TYPE_64,
		  .rw = -model->vf.bar_size },
		{ PCISIM_CAP_SRIOV + PCI_SRIOV_BAR + 4, 4, .rw = U32_MAX },
	};

	pcisim_config_add(&fn->config, registers, ARRAY_SIZE(registers));
}

/* Describe the config space of a new function. */
void pcisim_capabilities_init(struct pcisim_function *fn)
{
	struct pcisim_config *config = &fn->config;

	pcisim_config_add(config, pcisim_common_registers, ARRAY_SIZE(pcisim_common_registers));
	pcisim_header_init(fn);

	if (pcisim_is_vf(fn)) {
		pcisim_config_add(config, pcisim_vf_registers, ARRAY_SIZE(pcisim_vf_registers));
	} else {
		pcisim_config_add(config, pcisim_pf_registers, ARRAY_SIZE(pcisim_pf_registers));
		pcisim_pf_header_init(fn);
		if (fn->total_vfs)
			pcisim_sriov_init(fn);
	}
}

/* What can be reset at once is; @event leaves the rest to the thread. */
void pcisim_function_begin_reset(struct pcisim_function *fn, enum pcisim_event event)
{
	lockdep_assert_held(&fn->host->config_lock);

	pcisim_config_reset(fn);
	fn->power = 0;
	if (!pcisim_is_vf(fn))
		pcisim_sriov_written(fn);
	fn->in_reset = true;
	pcisim_function_event(fn, event);
}

/*
 * BAR 0 was written. Sizing and 64-bit addresses pass through values that are
 * no address of ours. When the function really moves, its registers have to
 * be made anew in the new place.
 */
static void pcisim_bar_written(struct pcisim_function *fn)
{
	u64 low = pcisim_config_get(fn, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK;
	u64 bar = (u64)pcisim_config_get(fn, PCI_BASE_ADDRESS_1, 4) << 32 | low;
	bool moved = fn->bar && fn->bar != bar;

	if (pcisim_is_vf(fn) || !pcisim_window_contains(bar, fn->type->bar_size))
		return;

	WRITE_ONCE(fn->bar, bar);
	if (moved)
		pcisim_function_event(fn, PCISIM_EVENT_RESET);
}

/* D1 and D2 are not supported: a write that asks for them is dropped. */
static void pcisim_power_written(struct pcisim_function *fn)
{
	u16 control = pcisim_config_get(fn, PCISIM_CAP_PM + PCI_PM_CTRL, 2);
	u16 state = control & PCI_PM_CTRL_STATE_MASK;
	u16 before = fn->power;

	if (state == (__force u16)PCI_D1 || state == (__force u16)PCI_D2) {
		pcisim_config_set(fn, PCISIM_CAP_PM + PCI_PM_CTRL, 2,
				  (control & ~PCI_PM_CTRL_STATE_MASK) | before);
		return;
	}

	fn->power = state;
	if (before && !state && !(control & PCI_PM_CTRL_NO_SOFT_RESET))
		pcisim_function_begin_reset(fn, PCISIM_EVENT_WAKE);
	else if (before != state)
		pcisim_function_event(fn, PCISIM_EVENT_KICK);
}

static void pcisim_device_control_written(struct pcisim_function *fn)
{
	u16 control = pcisim_config_get(fn, PCISIM_CAP_EXP + PCI_EXP_DEVCTL, 2);

	if (control & PCI_EXP_DEVCTL_BCR_FLR)
		pcisim_function_begin_reset(fn, PCISIM_EVENT_RESET);
}

/* What has been pending may be sent now. */
static void pcisim_interrupts_written(struct pcisim_function *fn)
{
	pcisim_function_event(fn, PCISIM_EVENT_INTERRUPT);
}

static const struct pcisim_hook {
	u16 offset;
	u16 size;
	bool pf_only;
	void (*written)(struct pcisim_function *fn);
} pcisim_hooks[] = {
	{ PCI_COMMAND, 2, false, pcisim_interrupts_written },
	{ PCI_BASE_ADDRESS_0, 8, true, pcisim_bar_written },
	{ PCISIM_CAP_PM + PCI_PM_CTRL, 2, true, pcisim_power_written },
	{ PCISIM_CAP_EXP + PCI_EXP_DEVCTL, 2, false, pcisim_device_control_written },
	{ PCISIM_CAP_MSIX + PCI_MSIX_FLAGS, 2, false, pcisim_interrupts_written },
	{ PCISIM_CAP_SRIOV + PCI_SRIOV_CTRL, 2, true, pcisim_sriov_written },
};

void pcisim_register_written(struct pcisim_function *fn, unsigned int offset, unsigned int size)
{
	lockdep_assert_held(&fn->host->config_lock);

	for (size_t i = 0; i < ARRAY_SIZE(pcisim_hooks); i++) {
		const struct pcisim_hook *hook = &pcisim_hooks[i];

		if (hook->pf_only && pcisim_is_vf(fn))
			continue;
		if (offset < hook->offset + hook->size && hook->offset < offset + size)
			hook->written(fn);
	}
}
