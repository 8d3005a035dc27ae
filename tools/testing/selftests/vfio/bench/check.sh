# SPDX-License-Identifier: GPL-2.0
#
# The check command: every step and every test case counts as passed, failed or
# skipped; the last line and the exit status tell the sum. $RESULT/summary keeps
# it for machines: "key value" lines and one "item" line for each step and test.

# Seconds for a VM with all its tests, and for one test program.
VM_LIMIT=4500
TEST_LIMIT=1200
VM_LIMIT_LONG=10800
TEST_LIMIT_LONG=3600
# GiB of memory that are available when a kernel's tests get two VMs.
TWO_VMS_MEMORY=12

PASSED=0 FAILED=0 SKIPPED=0

# count <item> <passed> <failed> <skipped> <seconds>
count() {
	PASSED=$((PASSED + $2)) FAILED=$((FAILED + $3)) SKIPPED=$((SKIPPED + $4))
	echo "item $1 passed $2 failed $3 skipped $4 seconds $5" >>"$RESULT/summary"
}

# check_step <item> <command...>: one pass or one failure. A die() inside ends
# the step only.
check_step() {
	local item=$1 start=$SECONDS
	shift

	if ("$@"); then
		count "$item" 1 0 0 $((SECONDS - start))
	else
		echo "   FAILED: $item"
		count "$item" 0 1 0 $((SECONDS - start))
		return 1
	fi
}

check_versions() {
	{
		echo "date $(date -u +%FT%TZ)"
		root_versions
		echo "project ${PROJECT:-none}"
		echo "cpus $(nproc)"
	} >>"$RESULT/summary"
	say "$(root_versions | paste -sd, | sed 's/,/, /g')"
}

# Adds up what the VM left. A VM that did not come to its end is a failure that
# names the test it died in.
check_vm_results() {
	local kernel=$1 dir=$2 status=$3 name passed failed skipped seconds

	while read -r name passed failed skipped seconds; do
		count "$kernel/$name" "$passed" "$failed" "$skipped" "$seconds"
	done < <(cat "$dir/counts" 2>/dev/null)
	if [ "$status" != 0 ] || [ ! -e "$dir/counts" ]; then
		case $status in
		124) echo "   FAILED: the $kernel VM hung, last test: $(cat "$dir/running" 2>/dev/null)" ;;
		125) echo "   FAILED: the $kernel VM died, last test: $(cat "$dir/running" 2>/dev/null)" ;;
		*) echo "   FAILED: the $kernel VM could not run the tests: $(tail -n 1 "$dir/output")" ;;
		esac
		tail -n 5 "$dir/console" | cut -c -160 | sed 's/^/   | /'
		count "$kernel/vm" 0 1 0 0
	fi
}

# How many VMs the tests of a kernel are shared out to: two, of which one computes while
# the other one waits. A few chosen tests are not worth that.
check_shares() {
	local available

	available=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
	[ -z "${TESTS:-}" ] && [ "$available" -ge "$TWO_VMS_MEMORY" ] && echo 2 || echo 1
}

# check_vm <kernel> <extent> <VM>, see guest/tests.sh
check_vm() {
	local kernel=$1 extent=$2 vm=$3 guest=/src/tools/testing/selftests/vfio/bench/guest
	local vm_limit=$VM_LIMIT test_limit=$TEST_LIMIT VM_COMMON=$1-taken

	[ "$extent" != all ] || [ "$kernel" != project ] || vm_limit=$VM_LIMIT_LONG test_limit=$TEST_LIMIT_LONG
	set -f	# the globs of TESTS are for the names of tests
	vm_run "$kernel" "$vm" "$vm_limit" \
		"bash $guest/tests.sh $kernel $test_limit $extent ${TESTS:+$(printf '%q ' $TESTS)} && bash $guest/kmemleak.sh"
	echo $? >"$RESULT/$vm/vm-status"
}

# check_tests_start <kernel> <extent>
check_tests_start() {
	local kernel=$1 extent=$2 share

	say "running the selftests on the $kernel kernel ($extent), in $CHECK_SHARES VM(s)"
	mkdir -p "$RESULT/$kernel-taken"
	for ((share = 1; share <= CHECK_SHARES; share++)); do
		check_vm "$kernel" "$extent" "$kernel-$share" &
	done
}

check_tests_finish() {
	local kernel=$1 share vm

	for ((share = 1; share <= CHECK_SHARES; share++)); do
		vm=$kernel-$share
		check_vm_results "$kernel" "$RESULT/$vm" "$(cat "$RESULT/$vm/vm-status")"
		check_step "$vm/log" splat_check "$RESULT/$vm"
	done
}

check_build() {
	local kernel=$1

	check_step "$kernel/build" build_modules "$kernel" || return
	[ "$kernel" != stock ] || check_step layers layers_check /build/modules/stock
	if [ "$kernel" = arm64 ]; then
		check_step arm64/tests arm64_build_tests || return
	else
		[ -n "${TESTS_BUILT:-}" ] || return
	fi
	vm_initramfs "$kernel"
}

# check_kernels <all|project-tests> <kernel...>
check_kernels() {
	local extent=$1 kernels=" ${*:2} " stock='' project='' arm64='' CHECK_SHARES

	CHECK_SHARES=$(check_shares)

	case $kernels in
	*" stock "*) check_build stock && check_tests_start stock all && stock=yes ;;
	esac
	case $kernels in
	*" project "*) check_build project && check_tests_start project "$extent" && project=yes ;;
	esac
	wait
	[ -z "$stock" ] || check_tests_finish stock
	[ -z "$project" ] || check_tests_finish project
	case $kernels in
	*" arm64 "*) check_build arm64 && check_tests_start arm64 arm64-tests && arm64=yes ;;
	esac
	wait
	[ -z "$arm64" ] || check_tests_finish arm64
}

check_demo() {
	demo_run || return
	splat_check "$RESULT/demo"
}

check_prepare() {
	case $1 in
	*project*) kernel_ready ;;
	esac
	case $1 in
	*arm64*) arm64_vm_ready ;;
	esac
	results_new check
	check_versions
	case $1 in
	*stock* | *project*)
		vm_acceleration_start
		build_demo
		check_step tests/build build_tests && TESTS_BUILT=yes
		vm_acceleration_finish
		;;
	esac
}

# bench_check <all|project-tests> <kernel...>: of the kernels only KERNEL, if that is set.
bench_check() {
	local extent=$1 start=$SECONDS kernels=${KERNEL:-${*:2}} TESTS=${TESTS:-}

	case ${KERNEL:-} in
	'' | stock | project | arm64) ;;
	*) die "KERNEL must be stock, project or arm64, not $KERNEL" ;;
	esac
	root_ready
	root_ready_full
	check_prepare "$kernels"
	# shellcheck disable=SC2086
	check_kernels "$extent" $kernels
	case ${TESTS:-}$kernels in
	stock*) check_step demo check_demo ;;
	esac
	{
		echo "seconds $((SECONDS - start))"
		echo "total passed $PASSED failed $FAILED skipped $SKIPPED"
	} >>"$RESULT/summary"
	say "results: $RESULT"
	echo "check: $PASSED passed, $FAILED failed, $SKIPPED skipped"
	[ "$FAILED" = 0 ]
}
