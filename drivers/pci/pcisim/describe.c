// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a model says about one of its functions, beyond the geometry that all of
 * them share: further registers of config space, and what firmware would tell.
 *
 * Config space is described before anybody can access the function, firmware
 * properties are attached before a driver can see it.
 */

#include <linux/export.h>
#include <linux/log2.h>
#include <linux/property.h>

#include "pcisim_private.h"

/* Of all BAR 2s the largest. */
#define PCISIM_MAX_BAR2	SZ_256M

/**
 * pcisim_function_add_registers - add to config space, or replace what is there
 * @fn: the function
 * @registers: the registers; extended capabilities of a function without VFs are
 *	the model's, from 0x100 to 0x1ff
 * @count: number of @registers
 *
 * Context: &pcisim_model.describe.
 * Return: 0, -EINVAL if one of them is not in that range or below it.
 */
int pcisim_function_add_registers(struct pcisim_function *fn,
				  const struct pcisim_register *registers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (registers[i].offset + registers[i].size > PCISIM_CONFIG_SIZE)
			return -EINVAL;

	pcisim_config_add(&fn->config, registers, count);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_add_registers, "PCISIM");

/**
 * pcisim_function_add_bar2 - give the function a second BAR, which is plain memory
 * @fn: the function
 * @size: its size in bytes
 *
 * Context: &pcisim_model.describe.
 * Return: 0, -EINVAL if @size is no power of two from 4 KiB to 256 MiB.
 */
int pcisim_function_add_bar2(struct pcisim_function *fn, u32 size)
{
	const struct pcisim_register registers[] = {
		{ PCI_BASE_ADDRESS_2, 4,
		  PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH, .rw = -size },
		{ PCI_BASE_ADDRESS_3, 4, .rw = U32_MAX },
	};

	if (!is_power_of_2(size) || size < SZ_4K || size > PCISIM_MAX_BAR2)
		return -EINVAL;

	fn->bar2_size = size;
	return pcisim_function_add_registers(fn, registers, ARRAY_SIZE(registers));
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_add_bar2, "PCISIM");

/**
 * pcisim_function_set_no_soft_reset - what D3hot does to the function
 * @fn: the function
 * @value: No_Soft_Reset, which is set if nothing else is said
 *
 * Context: &pcisim_model.describe.
 */
void pcisim_function_set_no_soft_reset(struct pcisim_function *fn, bool value)
{
	const struct pcisim_register control = {
		PCISIM_CAP_PM + PCI_PM_CTRL, 2, value ? PCI_PM_CTRL_NO_SOFT_RESET : 0,
		.rw = PCI_PM_CTRL_STATE_MASK
	};

	pcisim_config_add(&fn->config, &control, 1);
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_set_no_soft_reset, "PCISIM");

/**
 * pcisim_function_set_register - change a register from inside the device
 * @fn: the function
 * @offset: of the register, one that was described
 * @size: its width in bytes
 * @value: what it reads as from now on, until the next reset
 *
 * Context: any but NMI, not under pcisim_function_while_awake().
 */
void pcisim_function_set_register(struct pcisim_function *fn, unsigned int offset,
				  unsigned int size, u32 value)
{
	if (WARN_ON_ONCE(offset + size > PCISIM_CONFIG_SIZE))
		return;

	guard(raw_spinlock_irqsave)(&fn->host->config_lock);
	pcisim_config_set(fn, offset, size, value);
}
EXPORT_SYMBOL_NS_GPL(pcisim_function_set_register, "PCISIM");

/* They go with the device. */
int pcisim_function_add_properties(struct pcisim_function *fn, struct device *dev)
{
	const struct property_entry *properties = NULL;

	if (fn->model->properties)
		properties = fn->model->properties(fn);
	return properties ? device_create_managed_software_node(dev, properties, NULL) : 0;
}
