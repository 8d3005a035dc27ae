# SPDX-License-Identifier: GPL-2.0
#
# Runs the selftests in a bench VM, one after the other, each with a time limit,
# and leaves for each one its TAP output and a line in /results/counts. The name
# of the test that is running is in /results/running, so that the outside knows
# which one took the VM with it.
#
# tests.sh <kernel> <seconds for a test> <all|list> [glob...]
# A list is a file here: project-tests, arm64-tests. Several VMs may be at the same list:
# who makes the file with the name of a test in their common folder runs it.

TESTS_DIR=/build/tests
GUEST=$(dirname "$(readlink -f "$0")")

COMMON=/run/common

# Is that test one for this VM?
is_mine() {
	set -o noclobber
	{ : >"$COMMON/${1//\//-}"; } 2>/dev/null
	local status=$?
	set +o noclobber
	return $status
}

# The filters of the programs that a list names. What runs between the programs is bash
# itself: with the checkers of the project kernel, starting a program takes long.
declare -A FILTERS
read_list() {
	local name rest

	while read -r name rest; do
		case $name in
		'' | '#'*) ;;
		*) FILTERS[$name]=$rest ;;
		esac
	done <"$GUEST/$1"
}

# Of a TAP output: sets passed, failed, skipped, and how often for which reason. What the
# plan promised and the output does not have counts as one failure, and so does output
# without a plan. Sets hidden to the skips that hide a failure: the kernels that are made
# for the tests have everything, only what lockdep holds against the kernel's own drivers
# cannot run.
read_tap() {
	local kernel=$1 line planned='' reason

	passed=0 failed=0 skipped=0 hidden=0 reasons=()
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP'*)
			skipped=$((skipped + 1))
			reason=${line##*'# SKIP'}
			reasons[${reason:- }]=$((${reasons[${reason:- }]:-0} + 1))
			case $kernel$line in
			stock* | *'warns with lockdep'*) ;;
			*) hidden=$((hidden + 1)) ;;
			esac
			;;
		'ok '*) passed=$((passed + 1)) ;;
		'not ok '*) failed=$((failed + 1)) ;;
		1..[0-9]*)
			planned=${line#1..}
			planned=${planned%%[!0-9]*}
			;;
		esac
	done <"$2"
	[ -n "$planned" ] && [ $((passed + failed + skipped)) -ge "$planned" ] || failed=$((failed + 1))
}

# run_test <kernel> <limit> <name> <command...>
run_test() {
	local kernel=$1 limit=$2 name=$3 tap=/results/$3.tap start=$SECONDS
	local status passed failed skipped hidden reason
	local -A reasons
	shift 3

	echo "$name" >/results/running
	echo "vfio-mig bench: test $name" >/dev/kmsg
	timeout -k 10 "$limit" "$@" >"$tap" 2>&1
	status=$?
	read_tap "$kernel" "$tap"
	# Whole programs that skip, or that fail after their last line.
	[ "$status" = 0 ] || [ "$status" = 4 ] || [ "$failed" -gt 0 ] || failed=1
	failed=$((failed + hidden)) skipped=$((skipped - hidden))
	echo "$name $passed $failed $skipped $((SECONDS - start))" >>/results/counts

	printf '   %s: %s: %d passed, %d failed, %d skipped (%d s)\n' \
		"$kernel" "$name" "$passed" "$failed" "$skipped" $((SECONDS - start))
	[ "$status" != 124 ] || echo "   | ended after $limit s"
	[ "$failed" = 0 ] || explain_failures "$tap" "$status"
	for reason in "${!reasons[@]}"; do
		echo "   | skipped ${reasons[$reason]}:$reason"
	done
}

# Each failed case with what it printed before, as far as that fits.
explain_failures() {
	awk '
		/^#  RUN / { held = "" ; next }
		/^# / { held = held "   |   " $0 "\n"; next }
		/^not ok / { printf "   | %s\n%s", $0, substr(held, 1, 800); shown++; held = "" }
		/^ok / { held = "" }
		END { if (!shown) printf "%s", substr(held, 1, 800) }' "$1"
	echo "   | exit status $2"
}

wanted() {
	local name=$1 glob
	shift

	[ $# = 0 ] && return
	for glob; do
		# shellcheck disable=SC2254
		case $name in
		$glob | ${glob}_test) return 0 ;;
		esac
	done
	return 1
}

# Is that program to run at all?
is_listed() {
	[ "$1" = all ] || [ -n "${FILTERS[$2]+listed}" ]
}

# The kernel's own VFIO selftests, on VFs with vfio-pci and on VFs with the sample
# driver. One is about the PF, where only vfio-pci can be.
run_libvfio_tests() {
	local kernel=$1 limit=$2 extent=$3 driver file name
	shift 3

	for driver in vfio-pci vfio-mig-sample; do
		mkdir -p "/results/libvfio-$driver"
		for file in "$TESTS_DIR"/libvfio/*_test; do
			name=libvfio-$driver/${file##*/}
			[ "$name" != libvfio-vfio-mig-sample/vfio_pci_sriov_uapi_test ] || continue
			wanted "$name" "$@" && is_listed "$extent" "$name" && is_mine "$name" || continue
			# shellcheck disable=SC2086
			run_test "$kernel" "$limit" "$name" "$GUEST/libvfio.sh" "$driver" "$file" \
				${FILTERS[$name]:-}
		done
	done
	"$GUEST/libvfio.sh" end
}

# What waits for mlx5_core to give up takes a quarter of an hour, and so does a Linux in a
# virtual machine in the emulator: on the stock kernel only if they are asked for, on the
# project kernel in `make check-long`.
too_long() {
	[ "$1" = stock ] && [ $# = 2 ] || return
	[ "$2" = mlx5_firmware_lost_test ] || [ "$2" = qemu_guest_test ]
}

main() {
	local kernel=$1 limit=$2 extent=$3 file name
	shift 3

	mkdir -p "$COMMON" && mount -t 9p -o trans=virtio,version=9p2000.L,cache=none common "$COMMON" || exit
	[ "$extent" = all ] || read_list "$extent"
	for file in "$TESTS_DIR"/*_test; do
		name=${file##*/}
		wanted "$name" "$@" && is_listed "$extent" "$name" || continue
		! too_long "$kernel" "$name" "$@" && is_mine "$name" || continue
		# shellcheck disable=SC2086
		run_test "$kernel" "$limit" "$name" "$file" ${FILTERS[$name]:-}
	done
	run_libvfio_tests "$kernel" "$limit" "$extent" "$@"
	[ "$kernel" != stock ] && wanted kunit_test "$@" && is_listed "$extent" kunit_test &&
		is_mine kunit_test &&
		run_test "$kernel" "$limit" kunit_test "$GUEST/kunit.sh"
	rm -f /results/running
	# another VM may have been faster
	[ -z "$(ls "$COMMON")" ] || : >>/results/counts
	[ -e /results/counts ] || echo "no test matches: $*"
}

main "$@"
exit
