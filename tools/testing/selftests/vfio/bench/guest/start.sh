# SPDX-License-Identifier: GPL-2.0
#
# Second half of a bench VM's start, on its root file system: runs the job that
# the result share names, keeps its output, exit status and the kernel log
# there, and powers the VM off.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb
guest=/src/tools/testing/selftests/vfio/bench/guest
cd /root || exit

ip link set lo up
modprobe -q configfs
mount -t configfs configfs /sys/kernel/config
sysctl -qw kernel.hung_task_timeout_secs=60 kernel.watchdog_thresh=30

: >/results/started
dmesg -w >/results/dmesg 2>/dev/null &

# shellcheck disable=SC2154
(. "$guest/setup.sh" && eval "$(cat /results/job)") </dev/null >>/results/output 2>&1
echo $? >/results/status.new

dmesg >/results/dmesg.new && mv /results/dmesg.new /results/dmesg
cat /proc/sys/kernel/tainted >/results/tainted
mv /results/status.new /results/status
sync
echo o >/proc/sysrq-trigger
sleep 60
