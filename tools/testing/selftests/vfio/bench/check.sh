# SPDX-License-Identifier: GPL-2.0
#
# The check command: every step and every test case counts as passed, failed or
# skipped; the last line and the exit status tell the sum. $RESULT/summary keeps
# it for machines: "key value" lines and one "item" line for each step and test.

STOCK_LIMIT=600		# seconds for the VM with all tests
PROJECT_LIMIT=1500
STOCK_TEST_LIMIT=150	# seconds for one test program
PROJECT_TEST_LIMIT=400

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
	say "kernel $STOCK, $(root_versions | tr '\n' ',' | sed 's/,$//; s/,/, /g')"
}

# Adds up what the VM left. A VM that did not come to its end is a failure that
# names the test it died in.
check_vm_results() {
	local kernel=$1 dir=$2 status=$3 name passed failed skipped seconds

	while read -r name passed failed skipped seconds; do
		count "$kernel/$name" "$passed" "$failed" "$skipped" "$seconds"
	done < <(cat "$dir/counts" 2>/dev/null)
	if [ "$status" != 0 ] || [ ! -s "$dir/counts" ]; then
		case $status in
		124) echo "   FAILED: the $kernel VM hung, last test: $(cat "$dir/running" 2>/dev/null)" ;;
		125) echo "   FAILED: the $kernel VM died, last test: $(cat "$dir/running" 2>/dev/null)" ;;
		*) echo "   FAILED: the $kernel VM could not run the tests: $(tail -n 1 "$dir/output")" ;;
		esac
		tail -n 5 "$dir/console" | cut -c -160 | sed 's/^/   | /'
		count "$kernel/vm" 0 1 0 0
	fi
}

check_tests() {
	local kernel=$1 limit=$2 test_limit=$3 guest=/src/tools/testing/selftests/vfio/bench/guest status

	say "running the selftests on the $kernel kernel"
	vm_run "$kernel" "$kernel" "$limit" \
		"bash $guest/tests.sh $kernel $test_limit ${TESTS:-} && bash $guest/kmemleak.sh"
	status=$?
	check_vm_results "$kernel" "$RESULT/$kernel" "$status"
	check_step "$kernel/log" splat_check "$RESULT/$kernel"
}

check_kernel() {
	check_step "$1/build" build_modules "$1" || return
	[ "$1" != stock ] || check_step layers layers_check stock
	[ -z "${TESTS_BUILT:-}" ] || check_tests "$@"
}

check_demo() {
	build_demo
	demo_run || return
	splat_check "$RESULT/demo"
}

bench_check() {
	local start=$SECONDS kernels=${KERNEL:-stock project}

	case ${KERNEL:-} in
	'' | stock | project) ;;
	*) die "KERNEL must be stock or project, not $KERNEL" ;;
	esac
	root_ready
	root_ready_full
	case $kernels in
	*project*) kernel_ready ;;
	esac
	results_new check
	check_versions
	vm_acceleration
	check_step tests/build build_tests && TESTS_BUILT=yes
	case $kernels in
	*stock*) check_kernel stock $STOCK_LIMIT $STOCK_TEST_LIMIT ;;
	esac
	case $kernels in
	*project*) check_kernel project $PROJECT_LIMIT $PROJECT_TEST_LIMIT ;;
	esac
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
