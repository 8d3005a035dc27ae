# SPDX-License-Identifier: GPL-2.0
#
# The bench command: benchmarks in a VM with the stock kernel, as a table for people, and
# the machine in words; what only the project kernel has runs there. An emulated machine
# says nothing about absolute speed, so what counts are ratios of one run. SPEED= names the
# benchmarks to run, see speed/main.c.

# shellcheck source=intree_driver.sh
. "$BENCH/intree_driver.sh"

SPEED_LIMIT=3600	# seconds
SPEED_PROJECT=dirty	# what needs the project kernel
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

# speed_chosen <kernel>: is anything asked for that runs there?
speed_chosen() {
	[ -n "${SPEED:-}" ] || return 0
	case $1 in
	stock) [ "$SPEED" != "$SPEED_PROJECT" ] ;;
	project) [[ " $SPEED " = *" $SPEED_PROJECT "* ]] ;;
	esac
}

# speed_machine <kernel release>: where the figures are from, in a sentence.
speed_machine() {
	local accel qemu

	case $VM_ACCEL in
	kvm*) accel="KVM" ;;
	*thread=single*) accel="emulation (TCG, all CPUs in one thread)" ;;
	*) accel="emulation (TCG, a thread for each CPU)" ;;
	esac
	qemu=$(in_root qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
	echo "A VM with 2 CPUs and 2 GiB by $accel in QEMU $qemu, on a host with $(nproc) CPUs; kernel $1."
}

# speed_timeline <way>: from the traces of both drivers a picture, and a table as output.
speed_timeline() {
	local way=$1 results name
	results=/results/$(basename "$RESULT")
	name=$results/speed-stock/$way

	[ -e "$RESULT/speed-stock/$way.mlx5_vfio_mig" ] || return 0
	echo
	in_root python3 -B /src/tools/testing/selftests/vfio/speed/timeline.py \
		--title "$way" --svg "$results/$way.svg" \
		"mlx5-vfio-pci=$name.mlx5_vfio_pci" "mlx5-vfio-mig=$name.mlx5_vfio_mig"
}

# speed_words <kernel>
speed_words() {
	local way

	speed_machine "$(kernel_release "$1")"
	echo
	cat "$RESULT/speed-$1/table"
	[ "$1" = stock ] || return 0
	for way in "${SPEED_WAYS[@]}"; do
		speed_timeline "$way" || return
	done
}

# speed_run <kernel> <command that loads the kernel's own driver> <benchmark...>: the
# program's exit status says whether all targets are met.
speed_run() {
	local kernel=$1 load=$2 status
	shift 2

	vm_run "$kernel" "speed-$kernel" "$SPEED_LIMIT" \
		"load_modules && $load && SPEED_TRACES=/results /build/speed/speed $* >/results/table"
	status=$?
	[ -s "$RESULT/speed-$kernel/table" ] || {
		echo "bench: no results (status $status), see $RESULT/speed-$kernel"
		return 1
	}
	{
		echo
		speed_words "$kernel"
	} >>"$RESULT/speed.md" || {
		echo "bench: the traces make no timeline"
		status=1
	}
	splat_check "$RESULT/speed-$kernel" || status=1
	return $status
}

speed_stock() {
	build_modules stock
	build_intree_driver
	# shellcheck disable=SC2086
	speed_run stock "insmod $INTREE_DRIVER/mlx5-vfio-pci.ko" ${SPEED//$SPEED_PROJECT/}
}

speed_project() {
	kernel_ready
	build_modules project
	speed_run project "modprobe mlx5-vfio-pci" "$SPEED_PROJECT"
}

bench_speed() {
	local SPEED=${SPEED:-} failed=

	root_ready
	root_ready_full
	results_new bench
	step "building the benchmarks" "$RESULT/build-speed" speed_build
	speed_acceleration
	! speed_chosen stock || speed_stock || failed=yes
	! speed_chosen project || speed_project || failed=yes
	cat "$RESULT/speed.md"
	echo
	if [ -z "$failed" ]; then
		echo "bench: all targets met; the table is in $RESULT/speed.md"
	else
		echo "bench: failed, see above and $RESULT"
		return 1
	fi
}
