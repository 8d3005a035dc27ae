# SPDX-License-Identifier: GPL-2.0
#
# The bench command: benchmarks in a VM with the stock kernel, as a table for people, and
# the machine in words. An emulated machine says nothing about absolute speed, so
# what counts are ratios of one run. SPEED= names the benchmarks to run, see speed/main.c.

# shellcheck source=intree_driver.sh
. "$BENCH/intree_driver.sh"

SPEED_LIMIT=3600	# seconds
SPEED_WAYS=(stop-and-copy-sequential stop-and-copy-concurrent pre-copy-sequential pre-copy-concurrent)

speed_build() {
	mkdir -p "$ROOT/build/speed"
	in_root make -C /src/tools/testing/selftests/vfio/speed KSRC="$KSRC" OUTPUT=/build/speed
}

# With one thread for both CPUs, device and reader would take turns. Whether a VM boots
# at the first attempt, which depends on that, is no result here.
speed_acceleration() {
	local asked=${VM_ACCEL:-}

	vm_acceleration
	[ -n "$asked" ] || [ "$VM_ACCEL" = kvm ] || [ "$(nproc)" -lt 2 ] || VM_ACCEL=tcg,thread=multi
}

# The machine that the figures are from, in a sentence.
speed_machine() {
	local accel qemu

	case $VM_ACCEL in
	kvm*) accel="KVM" ;;
	*thread=single*) accel="emulation (TCG, all CPUs in one thread)" ;;
	*) accel="emulation (TCG, a thread for each CPU)" ;;
	esac
	qemu=$(in_root qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
	echo "A VM with 2 CPUs and 2 GiB by $accel in QEMU $qemu, on a host with $(nproc) CPUs; kernel $STOCK."
}

# speed_timeline <way>: from the traces of both drivers a picture, and a table as output.
speed_timeline() {
	local way=$1 results name
	results=/results/$(basename "$RESULT")
	name=$results/speed/$way

	[ -e "$RESULT/speed/$way.mlx5_vfio_mig" ] || return 0
	echo
	in_root python3 -B /src/tools/testing/selftests/vfio/speed/timeline.py \
		--title "$way" --svg "$results/$way.svg" \
		"mlx5-vfio-pci=$name.mlx5_vfio_pci" "mlx5-vfio-mig=$name.mlx5_vfio_mig"
}

speed_words() {
	local way

	speed_machine
	echo
	cat "$RESULT/speed/table"
	echo
	echo "What a report of dirty pages takes is not among it: this kernel has none (no IOMMUFD)."
	for way in "${SPEED_WAYS[@]}"; do
		speed_timeline "$way" || return
	done
}

# speed_run: the program's exit status says whether all targets are met.
speed_run() {
	local status

	vm_run stock speed "$SPEED_LIMIT" \
		"load_modules && insmod $INTREE_DRIVER/mlx5-vfio-pci.ko && SPEED_TRACES=/results /build/speed/speed ${SPEED:-} >/results/table"
	status=$?
	[ -s "$RESULT/speed/table" ] || {
		echo "bench: no results (status $status), see $RESULT/speed"
		return 1
	}
	speed_words >"$RESULT/speed.md" || {
		echo "bench: the traces make no timeline"
		status=1
	}
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
	build_intree_driver
	step "building the benchmarks" "$RESULT/build-speed" speed_build
	speed_acceleration
	if speed_run && splat_check "$RESULT/speed"; then
		echo "bench: all targets met; the table is in $RESULT/speed.md"
	else
		echo "bench: failed, see above and $RESULT"
		return 1
	fi
}
