#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs one of the kernel's own VFIO selftests on a simulated test device.
#
# libvfio.sh <driver of the VFs> <program> [arguments]
# libvfio.sh end
#
# The host comes to life with the first test and stays until the end. What a test
# finds does not depend on those before it: drivers are bound as it needs them.

HOST=/sys/kernel/config/pcisim/libvfio
DOMAIN=7f00		# libvfio reads no more than four digits
VFS=2
DEVICES=/sys/bus/pci/devices
PF_DRIVER=vfio-mig-sample-pf
HUGETLB=/sys/kernel/mm/hugepages
SHARED_HUGE=/sys/kernel/mm/transparent_hugepage/shmem_enabled

die() {
	echo "libvfio.sh: $*"
	exit 1
}

set_value() {
	echo "$2" >"$1" || die "cannot write '$2' to $1"
}

# has_driver <address> <driver>
has_driver() {
	[ "$DEVICES/$1/driver" -ef "/sys/bus/pci/drivers/$2" ]
}

# bind <address> <driver>
bind() {
	has_driver "$1" "$2" && return
	[ ! -e "$DEVICES/$1/driver" ] || set_value "$DEVICES/$1/driver/unbind" "$1"
	set_value "$DEVICES/$1/driver_override" "$2"
	set_value /sys/bus/pci/drivers_probe "$1"
	has_driver "$1" "$2" || die "$2 does not take $1"
}

# Sets PF.
make_host() {
	if [ ! -e "$HOST" ]; then
		modprobe -a vfio_iommu_type1 vfio-pci pcisim pcisim-testdev vfio-mig-sample || exit
		modprobe -q iommufd
		mkdir "$HOST" "$HOST/testdev.0" || exit
	fi
	if [ "$(<"$HOST/live")" = 0 ]; then
		set_value "$HOST/testdev.0/total_vfs" $VFS
		set_value "$HOST/domain" $DOMAIN
		set_value "$HOST/live" 1
	fi
	PF=$(<"$HOST/testdev.0/address") || exit
}

remove_host() {
	local address

	[ -e "$HOST" ] || return 0
	address=$(<"$HOST/testdev.0/address") && set_value "$DEVICES/$address/sriov_numvfs" 0
	set_value "$HOST/live" 0
	rmdir "$HOST"/*.* "$HOST"
}

# use_vfs <driver>: sets ADDRESSES.
use_vfs() {
	local link

	bind "$PF" $PF_DRIVER
	set_value "$DEVICES/$PF/sriov_drivers_autoprobe" 0
	[ "$(<"$DEVICES/$PF/sriov_numvfs")" = $VFS ] || set_value "$DEVICES/$PF/sriov_numvfs" $VFS
	for link in "$DEVICES/$PF"/virtfn*; do
		ADDRESSES+=("$(basename "$(readlink "$link")")")
		bind "${ADDRESSES[-1]}" "$1"
	done
}

# For the test that makes a VF itself, and wants vfio-pci to take it. Sets ADDRESSES.
use_pf() {
	set_value "$DEVICES/$PF/sriov_numvfs" 0
	set_value "$DEVICES/$PF/sriov_drivers_autoprobe" 1
	set_value /sys/module/vfio_pci/parameters/enable_sriov 1
	bind "$PF" vfio-pci
	ADDRESSES=("$PF")
}

# prepare_memory <name of the test>: huge pages for the tests that use many, as far
# as this kernel has them and the VM has room.
prepare_memory() {
	local pages

	case $1 in
	vfio_dma_mapping_test)
		echo 3 >/proc/sys/vm/drop_caches
		for pages in "$HUGETLB"/*/nr_hugepages; do
			echo 1 >"$pages"
		done
		;;
	vfio_pci_driver_test)
		# each case fills 1 GiB of shared memory, and has to be over in 30 s
		echo 3 >/proc/sys/vm/drop_caches
		[ ! -e "$SHARED_HUGE" ] || echo always >"$SHARED_HUGE"
		;;
	esac
}

# restore_memory <name of the test>
restore_memory() {
	local pages

	case $1 in
	vfio_dma_mapping_test)
		for pages in "$HUGETLB"/*/nr_hugepages; do
			echo 0 >"$pages"
		done
		;;
	vfio_pci_driver_test)
		[ ! -e "$SHARED_HUGE" ] || echo never >"$SHARED_HUGE"
		;;
	esac
}

# All names that the tests have for their variants with the container. Without
# iommufd nothing else can run.
container_variants() {
	local mode variant

	for mode in vfio_type1_iommu vfio_type1v2_iommu; do
		for variant in '' _{anonymous{,_hugetlb_2mb,_hugetlb_1gb},same_uuid,diff_uuid,null_uuid}; do
			echo "-v $mode$variant"
		done
	done
}

# run <driver> <program> <arguments...>
run() {
	local driver=$1 program=$2 arguments=("${@:3}") ADDRESSES=() name status
	name=${program##*/}

	make_host
	if [ ! -e /dev/iommu ]; then
		case $name in
		vfio_iommufd_setup_test)
			printf '1..1\nok 1 %s # SKIP needs iommufd\n' "$name"
			return
			;;
		vfio_pci_device_test) ;;
		*)
			# shellcheck disable=SC2207
			arguments+=($(container_variants))
			;;
		esac
	fi
	case $name in
	vfio_pci_sriov_uapi_test) use_pf ;;
	*) use_vfs "$driver" ;;
	esac
	[ "$name" = vfio_pci_device_init_perf_test ] || ADDRESSES=("${ADDRESSES[0]}")
	prepare_memory "$name"
	"$program" "${arguments[@]}" "${ADDRESSES[@]}"
	status=$?
	restore_memory "$name"
	return $status
}

case ${1:-} in
end) remove_host ;;
*) run "$@" ;;
esac
