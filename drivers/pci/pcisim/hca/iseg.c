// SPDX-License-Identifier: GPL-2.0-only
/*
 * The init segment: the registers at the start of the PF's BAR.
 *
 * The BAR is plain memory. The driver's write of the command queue's address
 * wipes the geometry of the queue in the same word, which it reads again the
 * next time it starts; the geometry is put back as soon as the address is
 * known. A VF has no init segment, its BAR reads as zero there.
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
#define ISEG_LOG_QUEUE_STRIDE	6
#define ISEG_QUEUE_GEOMETRY	((ISEG_LOG_QUEUE_SIZE << 4) | ISEG_LOG_QUEUE_STRIDE)
#define ISEG_GEOMETRY_MASK	0xff
#define ISEG_ADDRESS_MASK	GENMASK_U32(31, 12)
#define ISEG_HEALTH_MASK	GENMASK_U32(23, 0)

static_assert(BIT(ISEG_LOG_QUEUE_STRIDE) == sizeof(struct mlx5_cmd_layout));
static_assert(BIT(ISEG_LOG_QUEUE_SIZE) == MLX5_MAX_COMMANDS);

void pcisim_hca_iseg_init(struct pcisim_hca *hca)
{
	void __iomem *bar = pcisim_function_bar(hca->fn);

	iowrite32be(ISEG_FW_MINOR << 16 | ISEG_FW_MAJOR, bar + ISEG(fw_rev));
	iowrite32be(ISEG_CMDIF_REV << 16 | ISEG_FW_SUBMINOR, bar + ISEG(cmdif_rev_fw_sub));
	iowrite32be(ISEG_QUEUE_GEOMETRY, bar + ISEG(cmdq_addr_l_sz));
	iowrite32be(ISEG_FW_SUBMINOR, bar + ISEG(health.fw_ver));
}

/* Where the driver has put the command queue; it may move it at any doorbell. */
u64 pcisim_hca_iseg_queue(struct pcisim_hca *hca)
{
	void __iomem *bar = pcisim_function_bar(hca->fn);
	u32 high = ioread32be(bar + ISEG(cmdq_addr_h));
	u32 low = ioread32be(bar + ISEG(cmdq_addr_l_sz));

	if ((low & ISEG_GEOMETRY_MASK) != ISEG_QUEUE_GEOMETRY)
		iowrite32be((low & ~ISEG_GEOMETRY_MASK) | ISEG_QUEUE_GEOMETRY,
			    bar + ISEG(cmdq_addr_l_sz));
	return (u64)high << 32 | (low & ISEG_ADDRESS_MASK);
}

/* The driver takes a counter that stands still for a dead firmware. */
void pcisim_hca_iseg_tick(struct pcisim_hca *hca)
{
	hca->health_counter = (hca->health_counter + 1) & ISEG_HEALTH_MASK;
	iowrite32be(hca->health_counter,
		    pcisim_function_bar(hca->fn) + ISEG(health_counter));
}
