# SPDX-License-Identifier: GPL-2.0
#
# All modules compiled for arm64, where the Grace GPU is: a kernel tree prepared for it,
# against which they are built as far as that goes without a kernel, with warnings. Those
# that run are in arm64_vm.sh, which has no mlx5_core.

ARM64_CROSS=aarch64-linux-gnu-
ARM64_MAKE=(ARCH=arm64 "CROSS_COMPILE=$ARM64_CROSS")
ARM64_OBJ=/build/arm64/kernel		# inside the root directory
ARM64_MODULES=/build/arm64/modules
ARM64_OPTIONS=(
	VFIO=m VFIO_PCI=m VFIO_GROUP=y VFIO_DEVICE_CDEV=y IOMMUFD=m MLX5_CORE=m MLX5_VFIO_PCI=m
	NVGRACE_GPU_VFIO_PCI=m MEMORY_FAILURE=y FAULT_INJECTION=y DEBUG_FS=y
)

arm64_make() {
	in_root make "${ARM64_MAKE[@]}" -j"$JOBS" "$@"
}

arm64_configure() {
	local option

	arm64_make -s -C "$KSRC" O="$ARM64_OBJ" defconfig || return
	for option in "${ARM64_OPTIONS[@]}"; do
		echo "CONFIG_$option" >>"$ROOT$ARM64_OBJ/.config"
	done
	arm64_make -s -C "$KSRC" O="$ARM64_OBJ" olddefconfig || return
	for option in "${ARM64_OPTIONS[@]}"; do
		grep -qx "CONFIG_$option" "$ROOT$ARM64_OBJ/.config" || {
			echo "the option $option is not on"
			return 1
		}
	done
	arm64_make -C "$KSRC" O="$ARM64_OBJ" modules_prepare
}

# Once for each version of the kernel source.
arm64_ready() {
	local stamp=$ROOT$ARM64_OBJ/.vfio-mig-stamp version

	version=$(in_root dpkg-query -W -f '${Version}' "$(basename "$KSRC")")
	[ "$(cat "$stamp" 2>/dev/null)" != "$version" ] || return 0
	rm -rf "${ROOT:?}$ARM64_OBJ"
	mkdir -p "$ROOT$ARM64_OBJ"
	step "preparing the kernel source for arm64" "$CACHE/log/arm64" arm64_configure
	echo "$version" >"$stamp"
}

# What the kernel's own modules export is not known here.
arm64_modules() {
	rm -rf "${ROOT:?}$ARM64_MODULES"
	mkdir -p "$ROOT$ARM64_MODULES"
	arm64_make -k -C "$ARM64_OBJ" M=/src MO="$ARM64_MODULES" W=1 KBUILD_MODPOST_WARN=1 \
		modules ||
		echo "error: the build for arm64 failed"
}
