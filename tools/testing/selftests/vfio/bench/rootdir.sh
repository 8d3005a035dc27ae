# SPDX-License-Identifier: GPL-2.0
#
# The root directory: Debian trixie with kernel and QEMU from its backports. It
# is both the build environment (chroot) and the root file system of the VMs.
# It is made under a temporary name and renamed when complete. What only
# "check", "lint" and "in-tree" need comes in a second stage, marked by a stamp.

SUITE=trixie
# What the modules are written for. Interfaces inside the kernel change with each series.
KERNEL_SERIES=7.2
ROOTDIR=$CACHE/root${KVER:+-$KVER}

ROOT_PACKAGES=(
	gcc libc6-dev linux-libc-dev make python3 kmod mount busybox-static xz-utils
	procps iproute2 pciutils qemu-system-x86
)
FULL_PACKAGES=(
	bc bison ccache flex gcc-aarch64-linux-gnu libelf-dev libssl-dev liburing-dev perl sparse
	shellcheck uuid-dev
)

install_mmdebstrap() {
	apt-get -o Acquire::Retries=2 update &&
		DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends install mmdebstrap debian-archive-keyring
}

# The Debian mirror this machine itself uses, or MIRROR=. Nothing is printed if
# apt does not tell: mmdebstrap then takes its own default.
host_mirror() {
	local uri=${MIRROR:-}

	# shellcheck disable=SC2016
	[ -n "$uri" ] || uri=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
	case $uri in
	mirror+file:*)
		# a list of mirrors, as cloud images have it
		uri=${uri#mirror+file:}
		uri=/$(echo "${uri%/}" | sed 's,^/*,,')
		awk '!/^#/ && NF { print $1; exit }' "$uri"
		;;
	http:* | https:*)
		echo "$uri"
		;;
	esac
}

# Proxy and date checks as configured on this machine, for the apt of the root.
host_apt_options() {
	apt-config dump | grep -E '^Acquire::(https?::(Proxy|Timeout)[^ ]*|Check-(Valid-Until|Date)|Retries) ".+";$'
}

# The same as options of mmdebstrap, in HOST_APT_OPTIONS.
host_mmdebstrap_options() {
	local line

	HOST_APT_OPTIONS=(--aptopt='Apt::Install-Recommends "false"')
	for line in /usr/share/man /usr/share/doc /usr/share/locale; do
		HOST_APT_OPTIONS+=(--dpkgopt="path-exclude=$line/*")
	done
	while read -r line; do
		HOST_APT_OPTIONS+=(--aptopt="$line")
	done < <(host_apt_options)
}

make_base() {
	local root=$1 HOST_APT_OPTIONS=() mirror

	host_mmdebstrap_options
	mirror=$(host_mirror)
	# The backports line repeats the lines that name the release itself.
	# shellcheck disable=SC2016
	mmdebstrap --mode=root --variant=apt --skip=cleanup/apt/lists "${HOST_APT_OPTIONS[@]}" \
		--dpkgopt=force-unsafe-io --include=ca-certificates \
		--setup-hook="sed -n 's/ $SUITE / $SUITE-backports /p' \"\$1/etc/apt/sources.list\" >\"\$1/etc/apt/sources.list.d/backports.list\"" \
		"$SUITE" "$root" ${mirror:+"$mirror"}
}

# The kernel package's version part, e.g. 7.2.12+deb13-amd64: the newest of the
# series that backports offers, or the one that KVER= asks for.
choose_kernel() {
	in_root apt-cache pkgnames linux-image- |
		sed -nE 's/^linux-image-([0-9]+\.[0-9]+\.[0-9]+\+deb[0-9]+-amd64)$/\1/p' |
		sort -V | awk -v prefix="${KVER:-$KERNEL_SERIES.}" -v pin="${KVER:+yes}" \
			'index($0, pin ? prefix "+" : prefix) == 1' | tail -n 1
}

# A VM here needs no initramfs from the package hooks, which take longer than
# all else: an empty package takes the place of the generator.
install_initramfs_dummy() {
	in_root sh -ec 'd=$(mktemp -d)
		mkdir "$d/DEBIAN"
		printf "%s\n" "Package: no-initramfs" "Version: 1" "Architecture: all" \
			"Maintainer: none" "Provides: linux-initramfs-tool" \
			"Description: stands in for an initramfs generator" >"$d/DEBIAN/control"
		dpkg-deb --build "$d" "$d.deb"
		dpkg -i "$d.deb"
		rm -r "$d" "$d.deb"'
}

install_packages() {
	in_root dpkg --configure -a &&
		in_root apt-get -y -t "$SUITE-backports" install "$@" &&
		in_root apt-get clean
}

root_make() {
	local new=$CACHE/root.new kernel

	need_space 4000
	command -v mmdebstrap >/dev/null || {
		command -v apt-get >/dev/null || die "mmdebstrap is missing, and without apt-get it cannot be installed"
		step "installing mmdebstrap" "$CACHE/log/mmdebstrap" install_mmdebstrap
	}
	rm -rf --one-file-system "$new"
	step "making a $SUITE root directory" "$CACHE/log/base" make_base "$new"
	enter_root "$new"
	kernel=$(choose_kernel)
	[ -n "$kernel" ] || die "$SUITE-backports has no kernel ${KVER:-$KERNEL_SERIES}"
	step "preparing the package system" "$CACHE/log/dummy" install_initramfs_dummy
	step "installing kernel $kernel, QEMU and a compiler" "$CACHE/log/packages" \
		install_packages "linux-image-$kernel" "linux-headers-$kernel" "${ROOT_PACKAGES[@]}"
	echo "$kernel" >"$new/etc/vfio-mig-kernel"
	leave_root
	mv "$new" "$ROOTDIR" || die "cannot rename $new"
}

# Stage one: enough to build the modules for the stock kernel and boot it.
root_ready() {
	[ -e "$ROOTDIR/etc/vfio-mig-kernel" ] || root_make
	enter_root "$ROOTDIR"
	STOCK=$(cat "$ROOT/etc/vfio-mig-kernel")
}

unpack_source() {
	in_root sh -ec 'cd /usr/src
		rm -rf unpack.new && mkdir unpack.new
		tar -C unpack.new -xf "$1.tar.xz"
		rm -rf "$1" && mv "unpack.new/$1" "$1" && rmdir unpack.new' - "$1"
}

# Those of the packages named that the root directory does not have.
packages_missing() {
	comm -23 <(printf '%s\n' "$@" | sort -u) \
		<(in_root dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u)
}

# The package lists are as old as the root directory: what they name may be gone.
install_later_packages() {
	in_root apt-get update && install_packages "$@"
}

# Packages that a newer version of a list asks for, in an older root directory, or that
# only some commands need.
add_packages() {
	local missing

	mapfile -t missing < <(packages_missing "$@")
	[ "${#missing[@]}" = 0 ] ||
		step "installing ${missing[*]}" "$CACHE/log/packages-later" install_later_packages "${missing[@]}"
}

# Stage two: the kernel source of exactly the stock kernel's version, and the
# tools to build and check it. Sets KSRC, a path inside the root directory.
root_ready_full() {
	local version source stamp=$ROOT/etc/vfio-mig-source

	if [ ! -e "$stamp" ]; then
		need_space 4000
		version=$(in_root dpkg-query -W -f '${Version}' "linux-headers-$STOCK")
		source=linux-source-$(echo "$STOCK" | grep -oE '^[0-9]+\.[0-9]+')
		step "installing $source and the checkers" "$CACHE/log/packages-full" \
			install_packages "$source=$version" "${FULL_PACKAGES[@]}"
		step "unpacking $source" "$CACHE/log/unpack" unpack_source "$source"
		echo "$source" >"$stamp"
	fi
	add_packages "${FULL_PACKAGES[@]}"
	KSRC=/usr/src/$(cat "$stamp")
}

root_versions() {
	printf 'kernel %s\n' "$(in_root dpkg-query -W -f '${Version}' "linux-headers-$STOCK")"
	printf 'qemu %s\n' "$(in_root dpkg-query -W -f '${Version}' qemu-system-x86)"
	printf 'gcc %s\n' "$(in_root gcc -dumpfullversion)"
}
