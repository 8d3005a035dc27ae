// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space as data: each bit has a value, a value after reset, and masks
 * that say what a write does to it. Side effects of writes are in capability.c.
 */

#include <linux/string.h>

#include "pcisim_private.h"

static void pcisim_bytes_put(u8 *bytes, unsigned int size, u32 value)
{
	for (unsigned int i = 0; i < size; i++)
		bytes[i] = value >> (8 * i);
}

/* Describe registers. Only while nobody can access the function yet. */
void pcisim_config_add(struct pcisim_config *config, const struct pcisim_register *registers,
		       size_t count)
{
	for (const struct pcisim_register *r = registers; r < registers + count; r++) {
		pcisim_bytes_put(config->initial + r->offset, r->size, r->value);
		pcisim_bytes_put(config->rw + r->offset, r->size, r->rw);
		pcisim_bytes_put(config->w1c + r->offset, r->size, r->w1c);
	}
}

/* All registers are as after a reset. */
void pcisim_config_init(struct pcisim_config *config)
{
	memcpy(config->value, config->initial, sizeof(config->value));
}

u32 pcisim_config_read(const struct pcisim_config *config, unsigned int offset,
		       unsigned int size)
{
	u32 value = 0;

	for (unsigned int i = 0; i < size && offset + i < PCISIM_CONFIG_SIZE; i++)
		value |= (u32)READ_ONCE(config->value[offset + i]) << (8 * i);
	return value;
}

/* A write from outside, under the host's config_lock. */
void pcisim_config_store(struct pcisim_config *config, unsigned int offset, unsigned int size,
			 u32 value)
{
	if (offset + size > PCISIM_CONFIG_SIZE)
		return;

	for (unsigned int i = offset; i < offset + size; i++, value >>= 8) {
		u8 byte = (config->value[i] & ~config->rw[i]) | (value & config->rw[i]);

		WRITE_ONCE(config->value[i], byte & ~(value & config->w1c[i]));
	}
}

void pcisim_config_reset(struct pcisim_function *fn)
{
	lockdep_assert_held(&fn->host->config_lock);

	pcisim_config_init(&fn->config);
}

u32 pcisim_config_get(const struct pcisim_function *fn, unsigned int offset, unsigned int size)
{
	return pcisim_config_read(&fn->config, offset, size);
}

/* Set a register from inside the device, whatever its masks say. */
void pcisim_config_set(struct pcisim_function *fn, unsigned int offset, unsigned int size,
		       u32 value)
{
	lockdep_assert_held(&fn->host->config_lock);

	pcisim_bytes_put(fn->config.value + offset, size, value);
}

void pcisim_config_write(struct pcisim_function *fn, unsigned int offset, unsigned int size,
			 u32 value)
{
	lockdep_assert_held(&fn->host->config_lock);

	pcisim_config_store(&fn->config, offset, size, value);
	pcisim_register_written(fn, offset, size);
}
