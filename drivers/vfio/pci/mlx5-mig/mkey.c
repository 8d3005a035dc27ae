// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory keys: names for memory by which the firmware reaches it.
 *
 * A key is bound to no queue pair, and its address 0 is the first byte of the memory.
 */
#include <linux/slab.h>

#include "mlx5mig.h"

/**
 * mlx5mig_mkey_begin() - prepare the command that makes a key
 * @mkey: the answer; its addresses are for the caller to fill in, in big endian
 * @pages: pages of memory
 * @page_shift: log2 of their size
 * @length: bytes of memory
 * @pdn: protection domain of the key
 *
 * Return: 0 or -ENOMEM.
 */
int mlx5mig_mkey_begin(struct mlx5mig_mkey *mkey, unsigned int pages, u8 page_shift, u64 length,
		       u32 pdn)
{
	/* An octword holds the addresses of two pages. */
	u32 octwords = DIV_ROUND_UP(pages, 2);
	void *mkc;

	mkey->length = MLX5_ST_SZ_BYTES(create_mkey_in) + octwords * 2 * sizeof(__be64);
	mkey->in = kvzalloc(mkey->length, GFP_KERNEL_ACCOUNT);
	if (!mkey->in)
		return -ENOMEM;
	mkey->addresses = MLX5_ADDR_OF(create_mkey_in, mkey->in, klm_pas_mtt);
	mkc = MLX5_ADDR_OF(create_mkey_in, mkey->in, memory_key_mkey_entry);
	MLX5_SET(create_mkey_in, mkey->in, translations_octword_actual_size, octwords);
	MLX5_SET(mkc, mkc, access_mode_1_0, MLX5_MKC_ACCESS_MODE_MTT);
	MLX5_SET(mkc, mkc, lr, 1);
	MLX5_SET(mkc, mkc, lw, 1);
	MLX5_SET(mkc, mkc, rr, 1);
	MLX5_SET(mkc, mkc, rw, 1);
	MLX5_SET(mkc, mkc, pd, pdn);
	MLX5_SET(mkc, mkc, qpn, 0xffffff);
	MLX5_SET64(mkc, mkc, len, length);
	MLX5_SET(mkc, mkc, log_page_size, page_shift);
	MLX5_SET(mkc, mkc, translations_octword_size, octwords);
	return 0;
}

/**
 * mlx5mig_mkey_create() - make the key
 * @mdev: the PF
 * @mkey: what mlx5mig_mkey_begin() prepared, which is over with this
 * @key: the answer
 *
 * Return: 0 or -errno.
 */
int mlx5mig_mkey_create(struct mlx5_core_dev *mdev, struct mlx5mig_mkey *mkey, u32 *key)
{
	int ret = mlx5_core_create_mkey(mdev, key, mkey->in, mkey->length);

	kvfree(mkey->in);
	return mlx5mig_cmd_error(ret);
}
