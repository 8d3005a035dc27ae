// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver of a VF has made in the firmware, on its way to another VF: where its
 * command queue is, whether it has rung, its UARs and event queues. All else of the
 * firmware's answers is the same in each VF of the same geometry.
 *
 * A VF whose driver has not begun has no such contents. They are parsed completely
 * before any of them applies, and applying them cannot fail.
 */
#include <linux/align.h>
#include <linux/slab.h>

#include "hca.h"

#define CONTENTS_ENABLED	BIT(0)
#define CONTENTS_UAR_WORDS	DIV_ROUND_UP(HCA_UARS, 64)

struct contents_image {
	__le64 queue;
	__le32 doorbell;
	__le32 flags;
	__le64 uars[CONTENTS_UAR_WORDS];	/* bit: page of the BAR */
	/* the event queues, see eq.c */
};

static_assert(sizeof(struct contents_image) == 32);

/* Slots that were rung for and have not been taken. */
static u32 contents_doorbell(const struct pcisim_hca_vhca *vhca)
{
	if (vhca->ringer == HCA_RINGER_KERNEL)
		return vhca->rung;
	return vhca->rung | pcisim_hca_iseg_doorbell(vhca->own);
}

/* Bytes in an image, 0 if there are no contents. */
size_t pcisim_hca_contents_size(const struct pcisim_hca_vhca *vhca)
{
	lockdep_assert_held(&vhca->lock);

	if (!vhca->own->enabled && !contents_doorbell(vhca) && !pcisim_hca_iseg_queue(vhca->own))
		return 0;
	return sizeof(struct contents_image) + pcisim_hca_eqs_size(vhca->own);
}

/* Write as many bytes as pcisim_hca_contents_size() says. */
void pcisim_hca_contents_save(const struct pcisim_hca_vhca *vhca, void *to)
{
	struct pcisim_hca *own = vhca->own;
	struct contents_image *image = to;
	u64 uars[CONTENTS_UAR_WORDS];

	lockdep_assert_held(&vhca->lock);

	bitmap_to_arr64(uars, own->uars, HCA_UARS);
	image->queue = cpu_to_le64(pcisim_hca_iseg_queue(own));
	image->doorbell = cpu_to_le32(contents_doorbell(vhca));
	image->flags = cpu_to_le32(own->enabled ? CONTENTS_ENABLED : 0);
	for (unsigned int i = 0; i < CONTENTS_UAR_WORDS; i++)
		image->uars[i] = cpu_to_le64(uars[i]);
	pcisim_hca_eqs_save(own, image + 1);
}

/* Also of what pcisim_hca_contents_parse() has returned for a failure. */
void pcisim_hca_contents_free(struct pcisim_hca_contents *contents)
{
	if (IS_ERR_OR_NULL(contents))
		return;
	pcisim_hca_eqs_free(contents->eqs);
	kfree(contents);
}

static bool contents_ok(const struct contents_image *image, size_t length)
{
	return length >= sizeof(*image) &&
	       IS_ALIGNED(le64_to_cpu(image->queue), MLX5_ADAPTER_PAGE_SIZE) &&
	       !(le32_to_cpu(image->flags) & ~CONTENTS_ENABLED);
}

static void contents_parse_head(struct pcisim_hca_contents *contents,
				const struct contents_image *image)
{
	u64 uars[CONTENTS_UAR_WORDS];

	for (unsigned int i = 0; i < CONTENTS_UAR_WORDS; i++)
		uars[i] = le64_to_cpu(image->uars[i]);
	bitmap_from_arr64(contents->uars, uars, HCA_UARS);
	contents->queue = le64_to_cpu(image->queue);
	contents->doorbell = le32_to_cpu(image->doorbell);
	contents->enabled = le32_to_cpu(image->flags) & CONTENTS_ENABLED;
}

/* @length of 0: no contents. Return -EINVAL or -ENOMEM as a pointer on failure. */
struct pcisim_hca_contents *pcisim_hca_contents_parse(const void *from, size_t length)
{
	struct pcisim_hca_contents *contents __free(pcisim_hca_contents) = kzalloc_obj(*contents);
	const struct contents_image *image = from;
	int ret;

	if (!contents)
		return ERR_PTR(-ENOMEM);
	if (!length)
		return_ptr(contents);
	if (!contents_ok(image, length))
		return ERR_PTR(-EINVAL);
	contents_parse_head(contents, image);
	if (find_first_bit(contents->uars, HCA_UARS) < HCA_FIRST_UAR)
		return ERR_PTR(-EINVAL);
	ret = pcisim_hca_eqs_parse(contents->eqs, image + 1, length - sizeof(*image));
	if (ret)
		return ERR_PTR(ret);
	return_ptr(contents);
}

/* In place of what there is. Leaves nothing in @contents but memory. */
void pcisim_hca_contents_take(struct pcisim_hca_vhca *vhca,
			      struct pcisim_hca_contents *contents)
{
	struct pcisim_hca *own = vhca->own;

	lockdep_assert_held(&vhca->lock);

	pcisim_hca_own_reset(vhca);
	pcisim_hca_eqs_take(own, contents->eqs);
	bitmap_copy(own->uars, contents->uars, HCA_UARS);
	own->enabled = contents->enabled ? BIT(0) : 0;
	pcisim_hca_iseg_set_queue(own, contents->queue);
	pcisim_hca_iseg_set_doorbell(own, contents->doorbell);
	vhca->interrupts_lost = true;
}
