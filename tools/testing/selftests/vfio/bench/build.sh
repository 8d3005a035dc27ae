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
	esac
}

# Where modules are built against: headers package or object directory.
kernel_dir() {
	case $1 in
	stock) echo "/usr/src/linux-headers-$STOCK" ;;
	project) echo "$KOBJ" ;;
	esac
}

kernel_image() {
	case $1 in
	stock) echo "/boot/vmlinuz-$STOCK" ;;
	project) echo "$KOBJ/arch/x86/boot/bzImage" ;;
	esac
}

# A fresh checkout makes all files new: ccache finds out that most are as they were.
compiler() {
	if in_root sh -c 'command -v ccache' >/dev/null; then
		echo 'ccache gcc'
	else
		echo gcc
	fi
}

kernel_make() {
	local kernel=$1
	shift
	in_root env CCACHE_DIR=/build/ccache make -C "$(kernel_dir "$kernel")" M=/src \
		MO="/build/modules/$kernel" CC="$(compiler)" KCFLAGS=-Werror "$@"
}

# Modules go to updates/, where modprobe prefers them. They are installed again
# only if one changed, as depmod reads thousands of files.
modules_make_and_install() {
	local kernel=$1 release updates
	release=$(kernel_release "$kernel")
	updates=$ROOT/lib/modules/$release/updates

	mkdir -p "$ROOT/build/modules/$kernel"
	kernel_make "$kernel" -j"$JOBS" modules || return
	[ -e "$updates/.installed" ] &&
		[ -z "$(find "$ROOT/build/modules/$kernel" -name '*.ko' -newer "$updates/.installed")" ] && return
	rm -rf "$updates"
	kernel_make "$kernel" -s INSTALL_MOD_DIR=updates CONFIG_MODULE_SIG_ALL= DEPMOD=true modules_install &&
		in_root depmod "$release" && touch "$updates/.installed"
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
