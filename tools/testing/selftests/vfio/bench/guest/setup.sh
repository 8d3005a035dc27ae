# SPDX-License-Identifier: GPL-2.0
#
# Common set-up of every job in a bench VM: the modules of the project find
# their window, and nothing but the tests decides what drives a VF.

modules=(vfio_iommu_type1 vfio-pci vfio-mig pcisim pcisim-gpu)
case $(uname -m) in
x86_64)
	window=0x80000000
	modules+=(mlx5_core pcisim-hca pcisim-testdev mlx5-vfio-mig vfio-mig-sample)
	;;
aarch64)
	window=0xc0000000
	modules+=(nvgrace-vfio-mig)
	# the tests have the window of the other machine
	export PCISIM_OPTIONS="window_base=$window window_size=0x20000000"
	;;
esac

cat >/etc/modprobe.d/vfio-mig.conf <<-END
	options pcisim window_base=$window window_size=0x20000000
	options pcisim-gpu memory_base=0x100000000 memory_size=0x100000000
	install mlx5_ib /bin/false
END
ulimit -l unlimited

load_modules() {
	local module

	for module in "${modules[@]}"; do
		modprobe "$module" || {
			echo "cannot load $module"
			return 1
		}
	done
}
