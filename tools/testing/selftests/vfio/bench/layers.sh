# SPDX-License-Identifier: GPL-2.0
#
# Dependencies point down: the drivers know nothing of the simulator, the
# simulator nothing of VFIO, and only the PCI bus connects them. Checked on the
# sources (includes, words) and on the built modules (what modpost found).

# What each module may depend on.
declare -A LAYERS=(
	[vfio-mig]="vfio vfio-pci-core"
	[mlx5-vfio-mig]="vfio-mig vfio vfio-pci-core mlx5_core"
	[nvgrace-vfio-mig]="vfio-mig vfio vfio-pci-core"
	[vfio-mig-sample]="vfio-mig vfio vfio-pci-core vfio-mig-sample-pf"
	[vfio-mig-sample-pf]=""
	[pcisim]="configfs"
	[pcisim-gpu]="pcisim"
	[pcisim-hca]="pcisim"
	[pcisim-testdev]="pcisim"
)

layers_sources() {
	local bad=0

	if grep -rniE 'pcisim|hca_abi' --include='*.[ch]' --include=Kconfig --include=Makefile \
		"$TREE/drivers/vfio" "$TREE/samples" "$TREE/include"; then
		echo "   a driver knows of the simulator"
		bad=1
	fi
	if grep -rnE '#include.*vfio|\bvfio_[a-z]|VFIO_[A-Z]' --include='*.[ch]' "$TREE/drivers/pci/pcisim"; then
		echo "   the simulator knows of VFIO"
		bad=1
	fi
	return $bad
}

# A private header is private to the folder of its module. A part of a module's
# folder may use the header one level up.
layers_private_headers() {
	local file header bad=0

	while IFS=: read -r file header; do
		header=${header#*\"} header=${header%%\"*}
		case $header in
		../../* | ../*/*) ;;
		*) continue ;;
		esac
		echo "   ${file#"$TREE"/} includes $header, a private header of another part"
		bad=1
	done < <(grep -rE '^#include "' --include='*.[ch]' "$TREE/drivers" "$TREE/samples")
	return $bad
}

layers_modules() {
	local file name dependency bad=0

	while read -r file; do
		name=$(basename "$file" .ko)
		if [ -z "${LAYERS[$name]+known}" ]; then
			echo "   the module $name has no layer: add it to bench/layers.sh"
			bad=1
			continue
		fi
		for dependency in $(in_root modinfo -F depends "${file#"$ROOT"}" | tr , ' '); do
			case " ${LAYERS[$name]//-/_} " in
			*" ${dependency//-/_} "*) ;;
			*)
				echo "   $name depends on $dependency, which its layer must not"
				bad=1
				;;
			esac
		done
	done < <(find "$ROOT$1" -name '*.ko')
	return $bad
}

# layers_check <folder with the built modules, inside the root directory>
layers_check() {
	local bad=0

	layers_sources || bad=1
	layers_private_headers || bad=1
	layers_modules "$1" || bad=1
	return $bad
}
