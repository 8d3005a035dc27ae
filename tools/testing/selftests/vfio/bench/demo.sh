# SPDX-License-Identifier: GPL-2.0
#
# Launches the demo in a VM with the stock kernel. Its steps appear live.

DEMO_LIMIT=240

demo_run() {
	vm_run stock demo "$DEMO_LIMIT" \
		"load_modules && /src/tools/testing/selftests/vfio/demo/run.py --payload /build/demo/payload.rom"
}

bench_demo() {
	local status

	root_ready
	results_new demo
	build_modules stock
	build_demo
	demo_run
	status=$?
	case $status in
	124) die "the demo did not end within $DEMO_LIMIT s; see $RESULT/demo" ;;
	125) die "the VM of the demo died; see $RESULT/demo" ;;
	esac
	return $status
}
