// SPDX-License-Identifier: GPL-2.0-only
/*
 * UAR pages, protection domains and memory keys.
 *
 * A memory key is a list of pages in the address space of the PF. Commands name
 * its bytes by addresses, the first of which the driver chooses; where the first
 * byte is in the first page follows from that address. It pins its
 * protection domain: a driver that frees them in the wrong order hears of it.
 * Only who executes commands gets here, so there is no lock of their own.
 */
#include <linux/slab.h>

#include "hca.h"

#define PD_LIMIT		XA_LIMIT(1, BIT(HCA_LOG_MAX_PD) - 1)

#define MKEY_LIMIT		XA_LIMIT(1, SZ_64K)
/* pages behind all keys: 32 GiB, which is 64 MiB of translations */
#define MKEY_TOTAL_PAGES	(16 * (u64)HCA_MKEY_MAX_PAGES)
#define MKEY_MAX_PAGE_SHIFT	30

struct pcisim_hca_mkey {
	u8 variant;
	u8 page_shift;
	u32 pd;
	u64 start;
	u64 length;
	u32 page_count;
	u64 pages[] __counted_by(page_count);
};

u8 pcisim_hca_alloc_uar(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	unsigned long uar = find_next_zero_bit(hca->uars, HCA_UARS, HCA_FIRST_UAR);

	if (uar >= HCA_UARS)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_UAR_LIMIT);
	__set_bit(uar, hca->uars);
	MLX5_SET(alloc_uar_out, cmd->out, uar, uar);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_dealloc_uar(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 uar = MLX5_GET(dealloc_uar_in, cmd->in, uar);

	if (uar >= HCA_UARS || !test_bit(uar, hca->uars))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_UAR_NUMBER);
	__clear_bit(uar, hca->uars);
	return MLX5_CMD_STAT_OK;
}

/* The entry of a protection domain counts what belongs to it: keys and queue pairs. */
u8 pcisim_hca_alloc_pd(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 pd;

	if (xa_alloc(&hca->pds, &pd, xa_mk_value(0), PD_LIMIT, GFP_KERNEL))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_PD_LIMIT);
	MLX5_SET(alloc_pd_out, cmd->out, pd, pd);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_dealloc_pd(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 pd = MLX5_GET(dealloc_pd_in, cmd->in, pd);
	void *keys = xa_load(&hca->pds, pd);

	if (!keys)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_PD_NUMBER);
	if (xa_to_value(keys))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_RES_BUSY, HCA_SYND_PD_IN_USE);
	xa_erase(&hca->pds, pd);
	return MLX5_CMD_STAT_OK;
}

/* Replacing a value needs no memory: this cannot fail. */
void pcisim_hca_pd_count(struct pcisim_hca *hca, u32 pd, int change)
{
	unsigned long users = xa_to_value(xa_load(&hca->pds, pd));

	xa_store(&hca->pds, pd, xa_mk_value(users + change), GFP_KERNEL);
}

/* What @mkey's pages have in common, and an address in them has not. */
static u64 mkey_page_mask(u8 page_shift)
{
	return BIT_ULL(page_shift) - 1;
}

/* The pages must be aligned to their size; the firmware would cut the rest off. */
static bool mkey_pages_aligned(const struct pcisim_hca_mkey *mkey)
{
	for (u32 i = 0; i < mkey->page_count; i++) {
		if (mkey->pages[i] & mkey_page_mask(mkey->page_shift))
			return false;
	}
	return true;
}

static struct pcisim_hca_mkey *mkey_new(const struct pcisim_hca_cmd *cmd, u32 pages)
{
	const void *mkc = MLX5_ADDR_OF(create_mkey_in, cmd->in, memory_key_mkey_entry);
	const __be64 *list = MLX5_ADDR_OF(create_mkey_in, cmd->in, klm_pas_mtt);
	struct pcisim_hca_mkey *mkey = kvzalloc(struct_size(mkey, pages, pages), GFP_KERNEL);

	if (!mkey)
		return NULL;
	mkey->page_count = pages;
	mkey->page_shift = MLX5_GET(mkc, mkc, log_page_size);
	mkey->start = MLX5_GET64(mkc, mkc, start_addr);
	mkey->length = MLX5_GET64(mkc, mkc, len);
	/* the low bits are permissions */
	for (u32 i = 0; i < pages; i++)
		mkey->pages[i] = be64_to_cpu(list[i]) & ~(u64)(MLX5_ADAPTER_PAGE_SIZE - 1);
	return mkey;
}

u8 pcisim_hca_create_mkey(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *mkc = MLX5_ADDR_OF(create_mkey_in, cmd->in, memory_key_mkey_entry);
	u32 octwords = MLX5_GET(create_mkey_in, cmd->in, translations_octword_actual_size);
	u8 page_shift = MLX5_GET(mkc, mkc, log_page_size);
	u64 start = MLX5_GET64(mkc, mkc, start_addr);
	u64 length = MLX5_GET64(mkc, mkc, len);
	u32 pd = MLX5_GET(mkc, mkc, pd);
	u32 pages, index;

	if (MLX5_GET(mkc, mkc, access_mode_1_0) != MLX5_MKC_ACCESS_MODE_MTT ||
	    MLX5_GET(mkc, mkc, access_mode_4_2) || page_shift < MLX5_ADAPTER_PAGE_SHIFT ||
	    page_shift > MKEY_MAX_PAGE_SHIFT)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_MKEY_MODE);
	if (!length || length > (u64)HCA_MKEY_MAX_PAGES << MLX5_ADAPTER_PAGE_SHIFT ||
	    start > U64_MAX - length)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_MKEY_LENGTH);
	pages = ((start & mkey_page_mask(page_shift)) + length + mkey_page_mask(page_shift)) >>
		page_shift;
	if (octwords < DIV_ROUND_UP(pages, 2) ||
	    cmd->in_len < MLX5_ST_SZ_BYTES(create_mkey_in) + pages * sizeof(__be64))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (!xa_load(&hca->pds, pd))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_PD_NUMBER);
	if (hca->mkey_pages + pages > MKEY_TOTAL_PAGES)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_MKEY_LIMIT);

	struct pcisim_hca_mkey *mkey __free(kvfree) = mkey_new(cmd, pages);
	if (!mkey)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);
	if (!mkey_pages_aligned(mkey))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR,
				       HCA_SYND_MKEY_ALIGNMENT);
	mkey->variant = MLX5_GET(mkc, mkc, mkey_7_0);
	mkey->pd = pd;
	if (xa_alloc(&hca->mkeys, &index, mkey, MKEY_LIMIT, GFP_KERNEL))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_MKEY_LIMIT);
	retain_and_null_ptr(mkey);
	hca->mkey_pages += pages;
	pcisim_hca_pd_count(hca, pd, 1);
	cmd->busy_ns += (u64)pages * READ_ONCE(hca->timing.page_cost);
	MLX5_SET(create_mkey_out, cmd->out, mkey_index, index);
	return MLX5_CMD_STAT_OK;
}

u8 pcisim_hca_destroy_mkey(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	u32 index = MLX5_GET(destroy_mkey_in, cmd->in, mkey_index);
	struct pcisim_hca_mkey *mkey = xa_erase(&hca->mkeys, index);

	if (!mkey)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_MKEY_NUMBER);
	pcisim_hca_pd_count(hca, mkey->pd, -1);
	hca->mkey_pages -= mkey->page_count;
	kvfree(mkey);
	return MLX5_CMD_STAT_OK;
}

struct pcisim_hca_mkey *pcisim_hca_mkey_find(struct pcisim_hca *hca, u32 key)
{
	struct pcisim_hca_mkey *mkey = xa_load(&hca->mkeys, key >> 8);

	return mkey && mkey->variant == (key & 0xff) ? mkey : NULL;
}

/* Where in @mkey the @len bytes at @address are; false if not all of them are in it. */
bool pcisim_hca_mkey_offset(const struct pcisim_hca_mkey *mkey, u64 address, u64 len,
			    u64 *offset)
{
	*offset = address - mkey->start;
	return address >= mkey->start && *offset <= mkey->length &&
	       len <= mkey->length - *offset;
}

/* The piece at @offset that lies in one page, as an address and a length. */
static size_t mkey_piece(const struct pcisim_hca_mkey *mkey, u64 offset, size_t len,
			 u64 *address)
{
	u64 mask = mkey_page_mask(mkey->page_shift);
	u64 at = (mkey->start & mask) + offset;

	if (offset >= mkey->length || len > mkey->length - offset)
		return 0;
	*address = mkey->pages[at >> mkey->page_shift] + (at & mask);
	return min_t(size_t, len, mask + 1 - (at & mask));
}

int pcisim_hca_mkey_read(struct pcisim_hca *hca, const struct pcisim_hca_mkey *mkey,
			 u64 offset, void *to, size_t len)
{
	size_t piece;
	u64 address;
	int ret;

	for (; len; len -= piece, offset += piece, to += piece) {
		piece = mkey_piece(mkey, offset, len, &address);
		if (!piece)
			return -EFAULT;
		ret = pcisim_dma_read(hca->fn, address, to, piece);
		if (ret)
			return ret;
	}
	return 0;
}

int pcisim_hca_mkey_write(struct pcisim_hca *hca, const struct pcisim_hca_mkey *mkey,
			  u64 offset, const void *from, size_t len)
{
	size_t piece;
	u64 address;
	int ret;

	for (; len; len -= piece, offset += piece, from += piece) {
		piece = mkey_piece(mkey, offset, len, &address);
		if (!piece)
			return -EFAULT;
		ret = pcisim_dma_write(hca->fn, address, from, piece);
		if (ret)
			return ret;
	}
	return 0;
}

void pcisim_hca_objects_init(struct pcisim_hca *hca)
{
	bitmap_zero(hca->uars, HCA_UARS);
	xa_init_flags(&hca->pds, XA_FLAGS_ALLOC1);
	xa_init_flags(&hca->mkeys, XA_FLAGS_ALLOC1);
	xa_init_flags(&hca->tracking.cqs, XA_FLAGS_ALLOC1);
	xa_init_flags(&hca->tracking.qps, XA_FLAGS_ALLOC1);
	hca->mkey_pages = 0;
}

/* Whatever a driver has left behind. */
void pcisim_hca_objects_destroy(struct pcisim_hca *hca)
{
	struct pcisim_hca_mkey *mkey;
	unsigned long index;

	pcisim_hca_trackers_destroy(hca);
	pcisim_hca_qps_destroy(hca);
	pcisim_hca_cqs_destroy(hca);
	xa_for_each(&hca->mkeys, index, mkey)
		kvfree(mkey);
	xa_destroy(&hca->mkeys);
	xa_destroy(&hca->pds);
}
