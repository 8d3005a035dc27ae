// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tells a driver which GPU this is: ids, vendor specific capabilities, and the
 * properties that firmware has for the memory.
 *
 * The CXL capability comes first if there is one, so the other one moves.
 */
#include <linux/array_size.h>
#include <linux/bitfield.h>
#include <linux/pci.h>

#include "gpu.h"

/* Bytes of the capabilities, and where the next one is. */
#define GPU_CXL_LENGTH		0x3c
#define GPU_CXL_ROOM		0x40
#define GPU_NVIDIA_LENGTH	0x0c
#define GPU_NVIDIA_ID		3
#define GPU_NVIDIA_FLAGS	0x0a
#define GPU_NVIDIA_CACHED	BIT(0)

static u32 gpu_capability_header(u32 next)
{
	return PCI_EXT_CAP_ID_DVSEC | 1 << 16 | next << 20;
}

static u32 gpu_dvsec_header(u32 vendor, u32 length)
{
	return vendor | length << 20;
}

static int gpu_describe_ids(struct pcisim_function *fn)
{
	u32 device = pcisim_function_setting(fn, GPU_DEVICE_ID);
	const struct pcisim_register registers[] = {
		{ PCI_DEVICE_ID, 2, device },
		{ PCI_SUBSYSTEM_ID, 2, device },
	};

	return pcisim_function_add_registers(fn, registers, ARRAY_SIZE(registers));
}

static int gpu_describe_cxl(struct pcisim_function *fn, u32 at, u32 next)
{
	u32 timeout = pcisim_function_setting(fn, GPU_CXL_TIMEOUT);
	u64 size = pcisim_function_setting(fn, GPU_MEMORY_SIZE);
	const struct pcisim_register registers[] = {
		{ at, 4, gpu_capability_header(next) },
		{ at + PCI_DVSEC_HEADER1, 4,
		  gpu_dvsec_header(PCI_VENDOR_ID_CXL, GPU_CXL_LENGTH) },
		{ at + PCI_DVSEC_HEADER2, 2, PCI_DVSEC_CXL_DEVICE },
		{ at + PCI_DVSEC_CXL_CAP, 2,
		  PCI_DVSEC_CXL_CACHE_CAPABLE | PCI_DVSEC_CXL_MEM_CAPABLE |
		  FIELD_PREP(PCI_DVSEC_CXL_HDM_COUNT, 1) },
		{ at + PCI_DVSEC_CXL_RANGE_SIZE_HIGH(0), 4, upper_32_bits(size) },
		{ at + PCI_DVSEC_CXL_RANGE_SIZE_LOW(0), 4,
		  (size & PCI_DVSEC_CXL_MEM_SIZE_LOW) |
		  FIELD_PREP(PCI_DVSEC_CXL_MEM_ACTIVE_TIMEOUT, timeout) },
	};

	return pcisim_function_add_registers(fn, registers, ARRAY_SIZE(registers));
}

static int gpu_describe_nvidia(struct pcisim_function *fn, u32 at)
{
	bool cached = pcisim_function_setting(fn, GPU_WORKS_CACHED) == GPU_CACHED_YES;
	const struct pcisim_register registers[] = {
		{ at, 4, gpu_capability_header(0) },
		{ at + PCI_DVSEC_HEADER1, 4,
		  gpu_dvsec_header(PCI_VENDOR_ID_NVIDIA, GPU_NVIDIA_LENGTH) },
		{ at + PCI_DVSEC_HEADER2, 2, GPU_NVIDIA_ID },
		{ at + GPU_NVIDIA_FLAGS, 2, cached ? GPU_NVIDIA_CACHED : 0 },
	};

	return pcisim_function_add_registers(fn, registers, ARRAY_SIZE(registers));
}

static int gpu_describe_capabilities(struct pcisim_function *fn)
{
	bool nvidia = pcisim_function_setting(fn, GPU_WORKS_CACHED) != GPU_CACHED_UNKNOWN;
	u32 at = GPU_FIRST_CAPABILITY;
	int ret = 0;

	if (pcisim_function_setting(fn, GPU_CXL)) {
		ret = gpu_describe_cxl(fn, at, nvidia ? at + GPU_CXL_ROOM : 0);
		at += GPU_CXL_ROOM;
	}
	if (!ret && nvidia)
		ret = gpu_describe_nvidia(fn, at);
	return ret;
}

int gpu_describe(struct pcisim_function *fn)
{
	u32 bar2 = pcisim_function_setting(fn, GPU_BAR2_SIZE);
	int ret;

	pcisim_function_set_no_soft_reset(fn, pcisim_function_setting(fn, GPU_NO_SOFT_RESET));
	ret = gpu_describe_ids(fn);
	if (!ret && bar2)
		ret = pcisim_function_add_bar2(fn, bar2);
	return ret ?: gpu_describe_capabilities(fn);
}

static u64 gpu_truth_or(u64 setting, u64 truth)
{
	return setting == GPU_TRUTH ? truth : setting;
}

/* What firmware says about the memory, which has got its address. */
void gpu_describe_memory(struct gpu *gpu)
{
	u64 base = pcisim_function_setting(gpu->fn, GPU_REPORTED_BASE);
	u64 size = pcisim_function_setting(gpu->fn, GPU_REPORTED_SIZE);

	base = gpu_truth_or(base, gpu->memory.start);
	size = gpu_truth_or(size, gpu_memory_size(gpu));
	gpu->properties[0] = PROPERTY_ENTRY_U64("nvidia,gpu-mem-base-pa", base);
	gpu->properties[1] = PROPERTY_ENTRY_U64("nvidia,gpu-mem-size", size);
}
