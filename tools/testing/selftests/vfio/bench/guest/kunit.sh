#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the library's KUnit tests, which print to the kernel log when their module
# is loaded, and turns what they print into TAP.

MARK="vfio-mig bench: kunit $$"

echo "$MARK" >/dev/kmsg
modprobe vfio-mig-kunit || exit 1
dmesg | sed 's/^\[[ 0-9.]*\] *//' | awk -v mark="$MARK" '
	$0 == mark { started = 1 }
	started && /^(not )?ok / { line[count++] = $0 }
	END {
		print "1.." count
		for (i = 0; i < count; i++)
			print line[i]
		exit !count
	}'
status=$?
modprobe -r vfio-mig-kunit
exit $status
