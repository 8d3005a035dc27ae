# SPDX-License-Identifier: GPL-2.0
#
# What is built from this tree for the VMs: the modules for each kernel, the
# selftests, the demo's guest. All of it below /build of the root directory; the
# tree itself is mounted read-only there.

JOBS=$(nproc)

kernel_release() {
	case $1 in
	stock) echo "$STOCK" ;;
	project) echo "$PROJECT" ;;
	arm64) echo "$ARM64" ;;
	esac
}

# Where modules are built against: headers package or object directory.
kernel_dir() {
	case $1 in
	stock) echo "/usr/src/linux-headers-$STOCK" ;;
	project) echo "$KOBJ" ;;
	arm64) echo "$ARM64_KOBJ" ;;
	esac
}

# The root file system that a kernel boots with, inside the root directory.
kernel_root() {
	case $1 in
	stock | project) echo / ;;
	arm64) echo "$ARM64_ROOT" ;;
	esac
}

kernel_image() {
	case $1 in
	stock) echo "/boot/vmlinuz-$STOCK" ;;
	project) echo "$KOBJ/arch/x86/boot/bzImage" ;;
	arm64) echo "$ARM64_KOBJ/arch/arm64/boot/Image" ;;
	esac
}

# A fresh checkout makes all files new: ccache finds out that most are as they were.
# compiler [prefix of a cross compiler]
compiler() {
	if in_root sh -c 'command -v ccache' >/dev/null; then
		echo "ccache ${1:-}gcc"
	else
		echo "${1:-}gcc"
	fi
}

kernel_make() {
	local kernel=$1 cross=''
	shift
	if [ "$kernel" = arm64 ]; then
		cross=$ARM64_CROSS
		set -- "${ARM64_MAKE[@]}" "$@"
	fi
	in_root env CCACHE_DIR=/build/ccache make -C "$(kernel_dir "$kernel")" M=/src \
		MO="/build/modules/$kernel" CC="$(compiler $cross)" KCFLAGS=-Werror "$@"
}

# Modules go to updates/, where modprobe prefers them. They are installed again
# only if one changed, as depmod reads thousands of files.
modules_make_and_install() {
	local kernel=$1 release base updates
	release=$(kernel_release "$kernel")
	base=$(kernel_root "$kernel")
	updates=$ROOT$base/lib/modules/$release/updates

	mkdir -p "$ROOT/build/modules/$kernel"
	kernel_make "$kernel" -j"$JOBS" modules || return
	[ -e "$updates/.installed" ] &&
		[ -z "$(find "$ROOT/build/modules/$kernel" -name '*.ko' -newer "$updates/.installed")" ] && return
	rm -rf "$updates"
	kernel_make "$kernel" -s INSTALL_MOD_PATH="$base" INSTALL_MOD_DIR=updates CONFIG_MODULE_SIG_ALL= \
		DEPMOD=true modules_install &&
		in_root depmod -b "$base" "$release" && touch "$updates/.installed"
}

# build_modules <stock|project>: warnings are errors, they show up here first.
build_modules() {
	step "building the modules for the $1 kernel ($(kernel_release "$1"))" "$RESULT/build-modules-$1" \
		modules_make_and_install "$1"
}

build_tests() {
	mkdir -p "$ROOT/build/tests"
	step "building the selftests" "$RESULT/build-tests" \
		in_root env CCACHE_DIR=/build/ccache make -C /src/tools/testing/selftests/vfio \
		KSRC="$KSRC" OUTPUT=/build/tests CC="$(compiler)" -j"$JOBS"
}

build_demo() {
	mkdir -p "$ROOT/build/demo"
	step "building the demo's guest" "$RESULT/build-demo" \
		in_root make -C /src/tools/testing/selftests/vfio/qemu/payload OUTPUT=/build/demo
}
