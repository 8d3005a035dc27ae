# SPDX-License-Identifier: GPL-2.0
#
# The arm64 kernel, its root file system and its VM: an emulated machine with pages of
# 64 KiB, as hosts with a Grace CPU are run. Kernel, modules and tests are cross-built,
# nothing of arm64 runs outside of the VM. So the packages of the root file system are only
# unpacked; their libraries are also what the tests are linked with.

ARM64_PACKAGES=(qemu-system-arm)
ARM64_KOBJ=/build/arm64/vm-kernel	# inside the root directory
ARM64_ROOT=/build/arm64/root
ARM64_ROOT_PACKAGES=(
	bash busybox-static coreutils findutils grep iproute2 kmod libc-bin libc6-dev liburing-dev
	linux-libc-dev mawk mount procps sed util-linux
)
# As for x86-64, but that RAM begins at 1 GiB: the window of the BARs is behind what the
# kernel uses of it, guest/setup.sh tells where.
ARM64_MEMORY=(-m 7G)
ARM64_COMMAND_LINE="console=ttyAMA0 loglevel=4 mem=2048M nokaslr mitigations=off log_buf_len=4M panic=-1"
# All that the architecture has but what is slow to emulate.
ARM64_MACHINE=(
	-machine "virt,gic-version=3" -accel "tcg,thread=single" -cpu "max,pauth=off,sve=off,sme=off"
)

arm64_root_key() {
	echo "$SUITE" "${ARM64_ROOT_PACKAGES[@]}"
}

# Links that the packages' own scripts would make.
arm64_root_make() {
	local root=$ROOT$ARM64_ROOT.new mirror

	rm -rf --one-file-system "$root" "$ROOT$ARM64_ROOT"
	mkdir -p "$(dirname "$root")"
	mirror=$(host_mirror)
	mmdebstrap --mode=root --variant=extract --architectures=arm64 \
		"${HOST_APT_OPTIONS[@]}" \
		--include="$(echo "${ARM64_ROOT_PACKAGES[@]}" | tr ' ' ,)" \
		"$SUITE" "$root" ${mirror:+"$mirror"} || return
	ln -s bash "$root/usr/bin/sh" && ln -s mawk "$root/usr/bin/awk" || return
	mkdir -p "$root"/{src,results,build/tests} || return
	arm64_root_key >"$root/etc/vfio-mig-arm64"
	mv "$root" "$ROOT$ARM64_ROOT"
}

arm64_root_ready() {
	local HOST_APT_OPTIONS=()

	if [ "$(cat "$ROOT$ARM64_ROOT/etc/vfio-mig-arm64" 2>/dev/null)" != "$(arm64_root_key)" ]; then
		need_space 1000
		command -v mmdebstrap >/dev/null ||
			step "installing mmdebstrap" "$CACHE/log/mmdebstrap" install_mmdebstrap
		host_mmdebstrap_options
		step "making a root directory for arm64" "$CACHE/log/base-arm64" arm64_root_make
	fi
	mount --bind "$TREE" "$ROOT$ARM64_ROOT/src" &&
		mount -o remount,bind,ro "$ROOT$ARM64_ROOT/src" ||
		die "cannot mount below $ROOT$ARM64_ROOT"
}

# Sets ARM64, the kernel's release string.
arm64_kernel_ready() {
	local KNAME=arm64 KOBJ=$ARM64_KOBJ KMAKE=("${ARM64_MAKE[@]}") KCROSS=$ARM64_CROSS
	local KIMAGE=Image KROOT=$ARM64_ROOT PROJECT
	local KCONFIG_FRAGMENT=/src/tools/testing/selftests/vfio/bench/arm64.config

	# a root directory made anew has no modules
	[ -e "$ROOT$ARM64_ROOT/lib/modules" ] || rm -f "$ROOT$KOBJ/.vfio-mig-stamp"
	kernel_ready
	ARM64=$PROJECT
}

arm64_vm_ready() {
	add_packages "${ARM64_PACKAGES[@]}"
	arm64_root_ready
	arm64_kernel_ready
}

arm64_build_tests() {
	local targets

	mapfile -t targets < <(awk '!/^#/ && NF && $1 != "kunit_test" { print $1 }' \
		"$BENCH/guest/arm64-tests")
	step "building the selftests for arm64" "$RESULT/build-tests-arm64" \
		in_root env CCACHE_DIR=/build/ccache make -C /src/tools/testing/selftests/vfio \
		KSRC="$KSRC" OUTPUT="$ARM64_ROOT/build/tests" -j"$JOBS" \
		CC="$(compiler "$ARM64_CROSS") --sysroot=$ARM64_ROOT" \
		"${targets[@]/#/$ARM64_ROOT/build/tests/}"
}
