# SPDX-License-Identifier: GPL-2.0
#
# Runs the selftests in a bench VM, one after the other, each with a time limit,
# and leaves for each one its TAP output and a line in /results/counts. The name
# of the test that is running is in /results/running, so that the outside knows
# which one took the VM with it.
#
# tests.sh <kernel> <seconds for a test> <all|list> [glob...]
# A list is a file here: project-tests, arm64-tests.

TESTS_DIR=/build/tests
GUEST=$(dirname "$(readlink -f "$0")")

# passed, failed, skipped of a TAP output. What the plan promised and the output
# does not have counts as one failure, and so does output without a plan.
tap_counts() {
	awk '
		/^ok .*# SKIP/ { skipped++; next }
		/^ok / { passed++; next }
		/^not ok / { failed++; next }
		/^1\.\./ { planned = substr($1, 4); have_plan = 1 }
		END {
			if (!have_plan || passed + failed + skipped < planned)
				failed++
			print passed + 0, failed + 0, skipped + 0
		}' "$1"
}

# The kernels that are made for the tests have everything: a test that skips there hides
# a failure. Only what lockdep holds against the kernel's own drivers cannot run.
unexpected_skips() {
	[ "$1" != stock ] || return
	grep '^ok .*# SKIP' "$2" | grep -vc 'warns with lockdep'
}

# run_test <kernel> <limit> <name> <command...>
run_test() {
	local kernel=$1 limit=$2 name=$3 tap=/results/$3.tap start=$SECONDS status passed failed skipped hidden
	shift 3

	mkdir -p "$(dirname "$tap")"
	echo "$name" >/results/running
	echo "vfio-mig bench: test $name" >/dev/kmsg
	timeout -k 10 "$limit" "$@" >"$tap" 2>&1
	status=$?
	read -r passed failed skipped < <(tap_counts "$tap")
	# Whole programs that skip, or that fail after their last line.
	[ "$status" = 0 ] || [ "$status" = 4 ] || [ "$failed" -gt 0 ] || failed=1
	hidden=$(unexpected_skips "$kernel" "$tap")
	failed=$((failed + ${hidden:-0})) skipped=$((skipped - ${hidden:-0}))
	echo "$name $passed $failed $skipped $((SECONDS - start))" >>/results/counts
	rm /results/running

	printf '   %s: %s: %d passed, %d failed, %d skipped (%d s)\n' \
		"$kernel" "$name" "$passed" "$failed" "$skipped" $((SECONDS - start))
	[ "$status" != 124 ] || echo "   | ended after $limit s"
	[ "$failed" = 0 ] || explain_failures "$tap" "$status"
	sed -n 's/^ok .*# SKIP *//p' "$tap" | sort | uniq -c | sed 's/^ *\([0-9]*\) /   | skipped \1: /'
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

# The filters of a program, if it is to run at all.
filters() {
	local extent=$1 name=$2

	[ "$extent" != all ] || return 0
	awk -v name="$name" '
		$1 == name {
			found = 1
			$1 = ""
			print
		}
		END { exit !found }' "$GUEST/$extent"
}

# The kernel's own VFIO selftests, on VFs with vfio-pci and on VFs with the sample
# driver. One is about the PF, where only vfio-pci can be.
run_libvfio_tests() {
	local kernel=$1 limit=$2 extent=$3 driver file name arguments
	shift 3

	for driver in vfio-pci vfio-mig-sample; do
		for file in "$TESTS_DIR"/libvfio/*_test; do
			name=libvfio-$driver/$(basename "$file")
			[ "$name" != libvfio-vfio-mig-sample/vfio_pci_sriov_uapi_test ] || continue
			wanted "$name" "$@" && arguments=$(filters "$extent" "$name") || continue
			# shellcheck disable=SC2086
			run_test "$kernel" "$limit" "$name" "$GUEST/libvfio.sh" "$driver" "$file" $arguments
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
	local kernel=$1 limit=$2 extent=$3 file name arguments
	shift 3

	for file in "$TESTS_DIR"/*_test; do
		name=$(basename "$file")
		wanted "$name" "$@" && arguments=$(filters "$extent" "$name") || continue
		! too_long "$kernel" "$name" "$@" || continue
		# shellcheck disable=SC2086
		run_test "$kernel" "$limit" "$name" "$file" $arguments
	done
	run_libvfio_tests "$kernel" "$limit" "$extent" "$@"
	[ "$kernel" != stock ] && wanted kunit_test "$@" && filters "$extent" kunit_test >/dev/null &&
		run_test "$kernel" "$limit" kunit_test "$GUEST/kunit.sh"
	[ -e /results/counts ] || echo "no test matches: $*"
}

main "$@"
exit
