# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own mlx5-vfio-pci for the stock kernel, which comes without it: built from
# the kernel source in the root directory against the stock headers, for comparisons. It
# stays in the cache.

INTREE_DRIVER=/build/in-tree-driver

intree_driver_make() {
	mkdir -p "$ROOT$INTREE_DRIVER" &&
		cp -pu "$ROOT$KSRC"/drivers/vfio/pci/mlx5/{Makefile,*.c,*.h} "$ROOT$INTREE_DRIVER" &&
		in_root make -C "$(kernel_dir stock)" M="$INTREE_DRIVER" CONFIG_MLX5_VFIO_PCI=m -j"$JOBS" modules
}

build_intree_driver() {
	step "building the kernel's own mlx5-vfio-pci" "$RESULT/build-in-tree-driver" intree_driver_make
}
