# SPDX-License-Identifier: GPL-2.0
#
# The bench command: benchmarks in a VM with the stock kernel, as a table for people, and
# the machine in words. An emulated machine says nothing about absolute speed, so
# what counts are ratios of one run.

SPEED_LIMIT=1800	# seconds

speed_build() {
	mkdir -p "$ROOT/build/speed"
	in_root make -C /src/tools/testing/selftests/vfio/speed KSRC="$KSRC" OUTPUT=/build/speed
}

# The machine that the figures are from, in a sentence.
speed_machine() {
	local accel qemu

	case $VM_ACCEL in
	kvm*) accel="KVM" ;;
	*) accel="emulation (TCG, all CPUs in one thread)" ;;
	esac
	qemu=$(in_root qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
	echo "A VM with 2 CPUs and 2 GiB by $accel in QEMU $qemu, on a host with $(nproc) CPUs; kernel $STOCK."
}

# speed_run: the program's exit status says whether all targets are met.
speed_run() {
	local status

	vm_run stock speed "$SPEED_LIMIT" \
		"load_modules && /build/speed/speed >/results/table"
	status=$?
	[ -s "$RESULT/speed/table" ] || {
		echo "bench: no results (status $status), see $RESULT/speed"
		return 1
	}
	{
		speed_machine
		echo
		cat "$RESULT/speed/table"
	} >"$RESULT/speed.md"
	echo
	cat "$RESULT/speed.md"
	echo
	return $status
}

bench_speed() {
	root_ready
	root_ready_full
	results_new bench
	build_modules stock
	step "building the benchmarks" "$RESULT/build-speed" speed_build
	vm_acceleration
	if speed_run && splat_check "$RESULT/speed"; then
		echo "bench: all targets met; the table is in $RESULT/speed.md"
	else
		echo "bench: failed, see above and $RESULT"
		return 1
	fi
}
