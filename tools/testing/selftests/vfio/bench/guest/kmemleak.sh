# SPDX-License-Identifier: GPL-2.0
#
# Looks for leaked memory. Two scans, some seconds apart: an object has to be a
# few seconds old before it is reported, and pointers move between scans.

report=/sys/kernel/debug/kmemleak
[ -w "$report" ] || exit 0
echo "vfio-mig bench: memory leak scans" >/dev/kmsg
for pause in 6 6; do
	sleep "$pause"
	echo scan >"$report"
done
cat "$report" >/results/kmemleak
