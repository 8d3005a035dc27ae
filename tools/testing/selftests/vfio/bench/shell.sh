# SPDX-License-Identifier: GPL-2.0
#
# A VM for people: an interactive shell, or a script of theirs.

SHELL_LIMIT=86400

vm_prepare() {
	KERNEL=${KERNEL:-stock}
	root_ready
	case $KERNEL in
	stock) ;;
	project) root_ready_full; kernel_ready ;;
	arm64) root_ready_full; arm64_vm_ready ;;
	*) die "KERNEL must be stock, project or arm64, not $KERNEL" ;;
	esac
	results_new "$1"
	build_modules "$KERNEL"
}

bench_shell() {
	local size terminal=ttyS1

	[ -t 0 ] || die "the shell needs a terminal"
	vm_prepare shell
	size=$(stty size)
	[ "$KERNEL" != arm64 ] || terminal=ttyAMA1
	VM_TERMINAL=(-chardev "stdio,id=terminal,signal=off" -serial chardev:terminal)
	mkdir -p "$RESULT/shell"
	vm_initramfs "$KERNEL"
	[ "$KERNEL" = arm64 ] || vm_acceleration
	cat >"$RESULT/shell/job" <<-END
		load_modules
		stty -F /dev/$terminal sane rows ${size% *} cols ${size#* }
		echo "== the tree is at /src, results go to /results; leave with ctrl-d" >/dev/$terminal
		TERM=$TERM setsid -c bash -i </dev/$terminal >/dev/$terminal 2>&1
	END
	vm_boot "$KERNEL" shell "$SHELL_LIMIT"
}

bench_exec() {
	[ -f "${1:-}" ] || die "exec needs the name of a script"
	vm_prepare exec
	mkdir -p "$RESULT/exec"
	cp "$1" "$RESULT/exec/script"
	vm_run "$KERNEL" exec "${TIMEOUT:-600}" "load_modules && bash /results/script"
}
