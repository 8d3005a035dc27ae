# SPDX-License-Identifier: GPL-2.0
#
# Boots a VM on the root directory and runs one job in it.
#
# The root directory is the VM's root file system: 9p, read-only, with a tmpfs
# over it. The folder of the run's results is shared read-write; it carries the
# job in, and output, exit status and kernel log out. For the kernel, RAM ends at
# 2 GiB. The 512 MiB after that are the window for the simulated BARs; above them
# is some more RAM, at whose end the firmware keeps its tables. The memory module at
# 4 GiB is the memory of the simulated GPUs: the kernel must neither use it nor, as
# memory above 4 GiB asks for that, set aside low memory for DMA.

VM_MEMORY=(-m "2592M,slots=1,maxmem=8G" -object "memory-backend-ram,id=coherent,size=4G"
	-device "pc-dimm,memdev=coherent,addr=0x100000000")
VM_COMMAND_LINE="console=ttyS0 loglevel=4 mem=2048M acpi_no_memhotplug numa=off nokaslr mitigations=off log_buf_len=4M panic=-1"
# Four levels of page tables: with five, KASAN takes an interrupt in the short time
# in which the kernel forgets its CPU's features for a wild access.
# Without fast string instructions the kernel clears and copies memory in words, not
# in bytes, of which each costs an emulator as much.
VM_CPU=max,la57=off,erms=off,fsrm=off
VM_SHARE_OPTIONS=security_model=none,multidevs=remap
KVM_TRIAL_LIMIT=20	# seconds; even without acceleration a VM starts faster than this

# The initramfs: busybox, the modules that reach the root file system, and init.
initramfs_make() {
	local release=$1 image=$2 base=$3

	in_root bash -ec '
		release=$1 image=$2 base=$3 dir=$(mktemp -d)
		trap "rm -rf $dir" EXIT
		mkdir "$dir"/{bin,modules,proc,sys,dev,lower,upper,new}
		cp "$base/usr/bin/busybox" "$dir/bin/"
		cp /src/tools/testing/selftests/vfio/bench/guest/init "$dir/init"
		chmod 755 "$dir/init"
		for module in 9pnet_virtio 9p overlay; do
			modprobe -d "$base" -S "$release" --show-depends "$module"
		done | sed -n "s/^insmod //p" | awk "!seen[\$1]++ { print \$1 }" | {
			number=100
			while read -r file; do
				name=$dir/modules/$((number++)).ko
				case $file in
				*.xz) xz -dc "$file" >"$name" ;;
				*) cp "$file" "$name" ;;
				esac
			done
		}
		cd "$dir"
		find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$image.new"
		mv "$image.new" "$image"' - "$release" "$image" "$base"
}

# vm_initramfs <kernel>
vm_initramfs() {
	local release base image path
	release=$(kernel_release "$1")
	base=$(kernel_root "$1")
	image=/build/initramfs-$release
	path=$ROOT$image

	if [ "$path" -ot "$BENCH/guest/init" ] || [ "$path" -ot "$ROOT$base/lib/modules/$release/kernel" ]; then
		step "making an initramfs for $release" "$CACHE/log/initramfs" \
			initramfs_make "$release" "$image" "$base"
	fi
}

# vm_machine <kernel> <acceleration>: sets VM_MACHINE, the machine with its memory.
vm_machine() {
	local kernel=$1 accel=$2 cpu=$VM_CPU

	if [ "$kernel" = arm64 ]; then
		VM_MACHINE=(qemu-system-aarch64 "${ARM64_MACHINE[@]}" "${ARM64_MEMORY[@]}"
			-append "$ARM64_COMMAND_LINE")
		return
	fi
	[ "$accel" = kvm ] && cpu=host
	VM_MACHINE=(qemu-system-x86_64 -machine q35 -accel "$accel" -cpu "$cpu" "${VM_MEMORY[@]}"
		-append "$VM_COMMAND_LINE")
}

# vm_start <kernel> <result folder> <acceleration> <time limit>
# QEMU runs inside the root directory and reads its paths there. VM_COMMON is a folder of
# the run's results that several VMs share, if any.
vm_start() {
	local kernel=$1 result=$2 accel=$3 limit=$4 common=() VM_MACHINE

	[ -z "${VM_COMMON:-}" ] ||
		common=(-fsdev "local,id=common,path=/results/$(basename "$RESULT")/$VM_COMMON,$VM_SHARE_OPTIONS"
			-device "virtio-9p-pci,fsdev=common,mount_tag=common")
	vm_machine "$kernel" "$accel"
	in_root timeout --foreground -k 5 "$limit" "${VM_MACHINE[@]}" -smp 2 \
		-nodefaults -no-user-config -display none -monitor none -no-reboot \
		-kernel "$(kernel_image "$kernel")" \
		-initrd "/build/initramfs-$(kernel_release "$kernel")" \
		-fsdev "local,id=root,path=$(kernel_root "$kernel"),readonly=on,$VM_SHARE_OPTIONS" \
		-device virtio-9p-pci,fsdev=root,mount_tag=root \
		-fsdev "local,id=result,path=/results/$result,$VM_SHARE_OPTIONS" \
		-device virtio-9p-pci,fsdev=result,mount_tag=result "${common[@]}" \
		-serial "file:/results/$result/console" "${VM_TERMINAL[@]}"
}
VM_TERMINAL=(-serial null)

# The acceleration, found out once a run. /dev/kvm says little: nested
# virtualisation may be so broken or slow that only a real boot tells.
vm_acceleration() {
	[ -n "${VM_ACCEL:-}" ] && return
	VM_ACCEL=tcg,thread=single
	if [ -w /dev/kvm ]; then
		vm_initramfs stock
		say "trying KVM"
		mkdir -p "$RESULT/kvm-trial"
		echo true >"$RESULT/kvm-trial/job"
		vm_start stock "$(basename "$RESULT")/kvm-trial" kvm "$KVM_TRIAL_LIMIT" >"$RESULT/kvm-trial/qemu" 2>&1
		[ "$(cat "$RESULT/kvm-trial/status" 2>/dev/null)" = 0 ] && VM_ACCEL=kvm
	fi
	say "VMs run with ${VM_ACCEL%%,*}"
}

# The same while something else is done: a trial that fails mostly waits.
vm_acceleration_start() {
	(
		vm_acceleration
		echo "$VM_ACCEL" >"$RESULT/acceleration"
	) &
	VM_TRIAL=$!
}

vm_acceleration_finish() {
	wait "$VM_TRIAL"
	VM_ACCEL=$(<"$RESULT/acceleration")
}

# A boot that ends before the job starts is tried once more: with TCG the
# kernel's code patching can trip over itself, once in some dozens of boots.
vm_boot() {
	local kernel=$1 name=$2 limit=$3 dir=$RESULT/$2 try

	for try in 1 2; do
		rm -f "$dir"/{started,status,console}
		vm_start "$kernel" "$(basename "$RESULT")/$name" "${VM_ACCEL:-}" "$limit" 2>"$dir/qemu"
		VM_STATUS=$?
		[ -e "$dir/started" ] && return
		[ "$try" = 1 ] && say "the VM did not come up, once more"
	done
}

# vm_run <kernel> <name> <time limit> <job>: runs the job, a shell command, as
# root in a new VM, its output as it comes. Everything it leaves is in
# $RESULT/<name>. Returns the job's status, 124 for a timeout, 125 for a VM that
# ended without one.
vm_run() {
	local kernel=$1 name=$2 limit=$3 job=$4 dir=$RESULT/$2 boot

	mkdir -p "$dir"
	printf '%s\n' "$job" >"$dir/job"
	: >"$dir/output"
	vm_initramfs "$kernel"
	[ "$kernel" = arm64 ] || vm_acceleration
	(
		vm_boot "$kernel" "$name" "$limit"
		exit "$VM_STATUS"
	) &
	boot=$!
	tail -q -s 0.2 -n +1 --pid="$boot" -f "$dir/output"
	wait "$boot"
	VM_STATUS=$?
	if [ -s "$dir/status" ]; then
		return "$(cat "$dir/status")"
	elif [ "$VM_STATUS" = 124 ]; then
		return 124
	fi
	return 125
}
