# SPDX-License-Identifier: GPL-2.0
#
# Launches the demo in a VM with the stock kernel. Its steps appear live.

DEMO_LIMIT=240		# seconds

demo_run() {
	local status

	vm_run stock demo "$DEMO_LIMIT" \
		"load_modules && /src/tools/testing/selftests/vfio/demo/run.py --payload /build/demo/payload.rom"
	status=$?
	case $status in
	124) echo "migrated: no, the demo did not end within $DEMO_LIMIT s; see $RESULT/demo" ;;
	125) echo "migrated: no, the VM of the demo died; see $RESULT/demo" ;;
	esac
	return $status
}

bench_demo() {
	root_ready
	results_new demo
	build_modules stock
	build_demo
	demo_run
}
