// SPDX-License-Identifier: GPL-2.0-only
/*
 * The init segment: the registers at the start of the BAR.
 *
 * The BAR is plain memory. The driver's write of the command queue's address
 * wipes the geometry of the queue in the same word, which it reads again the
 * next time it starts; the geometry is put back as soon as the address is
 * known.
 *
 * The queue of a VF has one entry for commands, and one for giving memory to the
 * firmware, which wants none: its doorbell is a word of memory that is looked at now
 * and then, and the second of two rings would hide the first.
 */
#include <linux/io.h>

#include "hca.h"

#define ISEG(_field)		offsetof(struct mlx5_init_seg, _field)

#define ISEG_FW_MAJOR		22
#define ISEG_FW_MINOR		47
#define ISEG_FW_SUBMINOR	1000
/* the only revision that mlx5_core accepts, see mlx5_cmd_init() */
#define ISEG_CMDIF_REV		5
#define ISEG_LOG_QUEUE_SIZE	5
#define ISEG_LOG_QUEUE_SIZE_VF	1
#define ISEG_LOG_QUEUE_STRIDE	6
#define ISEG_GEOMETRY_MASK	0xff
#define ISEG_ADDRESS_MASK	GENMASK_U32(31, 12)
#define ISEG_HEALTH_MASK	GENMASK_U32(23, 0)

static_assert(BIT(ISEG_LOG_QUEUE_STRIDE) == sizeof(struct mlx5_cmd_layout));
static_assert(BIT(ISEG_LOG_QUEUE_SIZE) == MLX5_MAX_COMMANDS);

static u32 iseg_log_queue_size(const struct pcisim_hca *hca)
{
	return hca->vhca ? ISEG_LOG_QUEUE_SIZE_VF : ISEG_LOG_QUEUE_SIZE;
}

static u32 iseg_queue_geometry(const struct pcisim_hca *hca)
{
	return iseg_log_queue_size(hca) << 4 | ISEG_LOG_QUEUE_STRIDE;
}

unsigned int pcisim_hca_iseg_queue_size(const struct pcisim_hca *hca)
{
	return BIT(iseg_log_queue_size(hca));
}

/* What a driver may have left there is gone. */
void pcisim_hca_iseg_init(struct pcisim_hca *hca)
{
	void __iomem *bar = pcisim_function_bar(hca->fn);

	iowrite32be(ISEG_FW_MINOR << 16 | ISEG_FW_MAJOR, bar + ISEG(fw_rev));
	iowrite32be(ISEG_CMDIF_REV << 16 | ISEG_FW_SUBMINOR, bar + ISEG(cmdif_rev_fw_sub));
	iowrite32be(ISEG_FW_SUBMINOR, bar + ISEG(health.fw_ver));
	pcisim_hca_iseg_set_queue(hca, 0);
	pcisim_hca_iseg_set_doorbell(hca, 0);
}

/* Where the driver has put the command queue; it may move it at any doorbell. */
u64 pcisim_hca_iseg_queue(struct pcisim_hca *hca)
{
	void __iomem *bar = pcisim_function_bar(hca->fn);
	u32 high = ioread32be(bar + ISEG(cmdq_addr_h));
	u32 low = ioread32be(bar + ISEG(cmdq_addr_l_sz));

	if ((low & ISEG_GEOMETRY_MASK) != iseg_queue_geometry(hca))
		iowrite32be((low & ~ISEG_GEOMETRY_MASK) | iseg_queue_geometry(hca),
			    bar + ISEG(cmdq_addr_l_sz));
	return (u64)high << 32 | (low & ISEG_ADDRESS_MASK);
}

/* As if the driver had put the queue there. */
void pcisim_hca_iseg_set_queue(struct pcisim_hca *hca, u64 address)
{
	void __iomem *bar = pcisim_function_bar(hca->fn);

	iowrite32be(upper_32_bits(address), bar + ISEG(cmdq_addr_h));
	iowrite32be(lower_32_bits(address) | iseg_queue_geometry(hca),
		    bar + ISEG(cmdq_addr_l_sz));
}

u32 pcisim_hca_iseg_doorbell(struct pcisim_hca *hca)
{
	return ioread32be(pcisim_function_bar(hca->fn) + ISEG(cmd_dbell));
}

void pcisim_hca_iseg_set_doorbell(struct pcisim_hca *hca, u32 value)
{
	iowrite32be(value, pcisim_function_bar(hca->fn) + ISEG(cmd_dbell));
}

/* The driver takes a counter that stands still for a dead firmware. */
void pcisim_hca_iseg_tick(struct pcisim_hca *hca)
{
	hca->health_counter = (hca->health_counter + 1) & ISEG_HEALTH_MASK;
	iowrite32be(hca->health_counter,
		    pcisim_function_bar(hca->fn) + ISEG(health_counter));
}
