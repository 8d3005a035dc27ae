# SPDX-License-Identifier: GPL-2.0
#
# The in-tree command: the tree copied into the kernel source, the hook lines
# added, our options switched on, and built there as any other driver.
#
# Source and object directory of the project kernel are covered by overlays at
# their own paths, so that nothing but what changed is built and nothing of it
# stays. The overlays' upper layers are thrown away at each run.

INTREE_OPTIONS=(VFIO_MIG MLX5_VFIO_MIG NVGRACE_VFIO_MIG SAMPLE_VFIO_MIG PCISIM PCISIM_GPU PCISIM_HCA
	PCISIM_TESTDEV)
# The hook lines, one below each anchor: <file> | <anchor> | <line>
intree_hooks() {
	cat <<-'END'
		drivers/vfio/Makefile|obj-$(CONFIG_VFIO_PCI_CORE) += pci/|obj-$(CONFIG_VFIO_MIG) += migration/
		drivers/vfio/pci/Makefile|obj-$(CONFIG_MLX5_VFIO_PCI)|obj-$(CONFIG_MLX5_VFIO_MIG) += mlx5-mig/
		drivers/vfio/pci/Makefile|obj-$(CONFIG_NVGRACE_GPU_VFIO_PCI)|obj-$(CONFIG_NVGRACE_VFIO_MIG) += nvgrace-mig/
		drivers/pci/Makefile|obj-$(CONFIG_PCI_ENDPOINT)|obj-$(CONFIG_PCISIM) += pcisim/
		drivers/vfio/Kconfig|source "drivers/vfio/pci/Kconfig"|source "drivers/vfio/migration/Kconfig"
		drivers/vfio/pci/Kconfig|source "drivers/vfio/pci/mlx5/Kconfig"|source "drivers/vfio/pci/mlx5-mig/Kconfig"
		drivers/vfio/pci/Kconfig|source "drivers/vfio/pci/nvgrace-gpu/Kconfig"|source "drivers/vfio/pci/nvgrace-mig/Kconfig"
		samples/Makefile|obj-y					+= vfio-mdev/|obj-$(CONFIG_SAMPLE_VFIO_MIG)	+= vfio-mig/
		samples/Kconfig|source "samples/damon/Kconfig"|source "samples/vfio-mig/Kconfig"
		drivers/pci/Kconfig|source "drivers/pci/switch/Kconfig"|source "drivers/pci/pcisim/Kconfig"
	END
}

intree_add_hook() {
	local file=$ROOT$KSRC/$1 anchor=$2 line=$3

	grep -qF "$anchor" "$file" || die "the kernel source's $1 has no line with $anchor"
	awk -v anchor="$anchor" -v line="$line" \
		'{ print } !done && index($0, anchor) { print line; done = 1 }' "$file" >"$file.new" &&
		mv "$file.new" "$file" || die "cannot change $1"
	echo "   $1: $line"
}

intree_overlay() {
	local place=$1 name=$2 layers=$ROOT/build/in-tree/$2

	rm -rf "$layers"
	mkdir -p "$layers/upper" "$layers/work"
	mount -t overlay -o "lowerdir=$ROOT$place,upperdir=$layers/upper,workdir=$layers/work" \
		overlay "$ROOT$place" || die "cannot mount an overlay over $place (needs overlayfs on the file system of $CACHE)"
}

intree_copy() {
	(cd "$TREE" && tar -cf - --exclude=.git --exclude=.ci --exclude='./Makefile' --exclude='./Kbuild' \
		--exclude=./README.md --exclude=./COPYING --exclude=./.gitignore \
		--exclude='./tools/testing/selftests/vfio/Makefile' .) |
		tar -C "$ROOT$KSRC" -xf -
}

intree_configure() {
	local option

	{
		echo "CONFIG_SAMPLES=y"
		echo "CONFIG_VFIO_MIG_TEST=y"
		for option in "${INTREE_OPTIONS[@]}"; do
			echo "CONFIG_$option=m"
		done
	} >>"$ROOT$KOBJ/.config"
	in_root make -s -C "$KSRC" O="$KOBJ" olddefconfig || return
	for option in "${INTREE_OPTIONS[@]}"; do
		grep -qx "CONFIG_$option=m" "$ROOT$KOBJ/.config" || {
			echo "the option $option is not on"
			return 1
		}
	done
}

intree_build() {
	in_root make -C "$KSRC" O="$KOBJ" -j"$JOBS" C=1 CF="$SPARSE_FLAGS" modules
}

# Findings in files of this tree, or with none named.
intree_ours() {
	local line file

	while read -r line; do
		file=${line%%:*} file=${file#"$KSRC"/}
		[[ $line == */* && ! -e $TREE/$file ]] || printf '%s\n' "$line"
	done
}

bench_intree() {
	local file anchor line

	root_ready
	root_ready_full
	kernel_ready
	results_new in-tree
	intree_overlay "$KSRC" source
	intree_overlay "$KOBJ" objects
	say "copying the tree into $(basename "$KSRC")"
	intree_copy || die "cannot copy the tree"
	while IFS='|' read -r file anchor line; do
		intree_add_hook "$file" "$anchor" "$line"
	done < <(intree_hooks)
	step "configuring: ${INTREE_OPTIONS[*]} as modules" "$RESULT/config" intree_configure
	step "building in the kernel tree, with sparse" "$RESULT/build" intree_build
	sparse_findings "$RESULT/build" | intree_ours >"$RESULT/findings"
	if [ -s "$RESULT/findings" ]; then
		sed 's/^/   /' "$RESULT/findings"
		echo "in-tree: findings, see $RESULT"
		return 1
	fi
	echo "in-tree: clean"
}
