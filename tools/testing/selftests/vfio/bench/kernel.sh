# SPDX-License-Identifier: GPL-2.0
#
# The project kernel: linux-source of the stock kernel's version with the
# options of project.config, which turn on the checkers that the tests rely on.
# Built once; a stamp holds what it was built from. An interrupted build goes
# on where it was: the stamp is written last. The variables are those of another
# kernel in arm64_vm.sh.

KNAME=project
KOBJ=/build/kernel		# inside the root directory
KCONFIG_FRAGMENT=/src/tools/testing/selftests/vfio/bench/project.config
KMAKE=()			# what make has to know of the architecture
KCROSS=
KIMAGE=bzImage
KROOT=/

kernel_key() {
	{
		in_root dpkg-query -W -f '${Version}\n' "$(basename "$KSRC")"
		in_root "${KCROSS}gcc" -dumpfullversion
		cat "$ROOT$KCONFIG_FRAGMENT"
	} | sha256sum | cut -d ' ' -f 1
}

kernel_configure() {
	in_root make -s -C "$KSRC" O="$KOBJ" "${KMAKE[@]}" tinyconfig &&
		in_root sh -c 'cat "$1" >>"$2/.config"' - "$KCONFIG_FRAGMENT" "$KOBJ" &&
		in_root make -s -C "$KSRC" O="$KOBJ" "${KMAKE[@]}" olddefconfig
}

# Kconfig drops what it does not know or cannot satisfy without a word. A test
# that relies on a dropped checker would be worthless.
kernel_check_config() {
	local line missing=()

	while read -r line; do
		case $line in
		CONFIG_*) grep -qxF -- "$line" "$ROOT$KOBJ/.config" || missing+=("$line") ;;
		'# CONFIG_'*' is not set')
			line=${line#\# } line=${line%% *}
			grep -q "^$line=" "$ROOT$KOBJ/.config" && missing+=("no $line") ;;
		esac
	done <"$ROOT$KCONFIG_FRAGMENT"
	[ ${#missing[@]} = 0 ] || die "the kernel's configuration lacks: ${missing[*]}"
}

kernel_build() {
	in_root make -C "$KSRC" O="$KOBJ" "${KMAKE[@]}" -j"$(nproc)" "$KIMAGE" modules &&
		in_root make -s -C "$KOBJ" "${KMAKE[@]}" INSTALL_MOD_PATH="$KROOT" modules_install
}

# Sets PROJECT, the kernel's release string.
kernel_ready() {
	local stamp=$ROOT$KOBJ/.vfio-mig-stamp key source_version

	key=$(kernel_key)
	if [ "$(cat "$stamp" 2>/dev/null)" != "$key" ]; then
		need_space 3000
		rm -f "$stamp"
		source_version=$(in_root dpkg-query -W -f '${Version}' "$(basename "$KSRC")")
		if [ "$(cat "$ROOT$KOBJ/.vfio-mig-source" 2>/dev/null)" != "$source_version" ]; then
			rm -rf "${ROOT:?}$KOBJ"
			mkdir -p "$ROOT$KOBJ"
			echo "$source_version" >"$ROOT$KOBJ/.vfio-mig-source"
		fi
		step "configuring the $KNAME kernel" "$CACHE/log/kernel-config-$KNAME" kernel_configure
		kernel_check_config
		STEP_COUNT='^  \(CC\|AS\|LD\)' \
			step "building the $KNAME kernel (about 10 minutes on two cores, once)" \
			"$CACHE/log/kernel-build-$KNAME" kernel_build
		echo "$key" >"$stamp"
	fi
	PROJECT=$(cat "$ROOT$KOBJ/include/config/kernel.release")
}
