# SPDX-License-Identifier: GPL-2.0
#
# Messages, timed steps with progress, and commands inside the root directory.
# Every failure ends in die(): one sentence on stderr and a non-zero status.

PROGRESS_EVERY=30	# seconds between the signs of life of a long step

say() {
	printf '== %s\n' "$*"
}

die() {
	printf 'bench: %s\n' "$*" >&2
	exit 1
}

# The reasons that a user can do something about, read from a failed step's log.
known_reason() {
	if grep -q 'No space left on device' "$1"; then
		echo "the disk is full (cache: $CACHE)"
	elif grep -qE 'Could not resolve|Temporary failure|Unable to connect|Network is unreachable|Connection (timed out|failed)|Failed to fetch' "$1"; then
		echo "the Debian mirror cannot be reached (no network?)"
	fi
}

# step <what> <log file> <command...>: runs it quietly, shows life every
# PROGRESS_EVERY seconds and the end of the log if it fails. STEP_COUNT, if
# set, is a pattern whose matches in the log are counted to show progress.
step() {
	local what=$1 log=$2 start=$SECONDS next pid status reason
	shift 2

	mkdir -p "$(dirname "$log")"
	say "$what"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	next=$((start + PROGRESS_EVERY))
	while kill -0 "$pid" 2>/dev/null; do
		if [ "$SECONDS" -ge "$next" ]; then
			printf '   %s: %d s%s\n' "$what" $((SECONDS - start)) "$(step_count "$log")"
			next=$((next + PROGRESS_EVERY))
		fi
		sleep 0.2
	done
	wait "$pid"
	status=$?
	[ "$status" = 0 ] && return
	reason=$(known_reason "$log")
	[ -n "$reason" ] || tail -n 15 "$log" | sed 's/^/   | /' >&2
	die "failed: $what: ${reason:-see $log}"
}

step_count() {
	[ -n "${STEP_COUNT:-}" ] && printf ', %d done' "$(grep -c "$STEP_COUNT" "$1")"
}

need_space() {
	local have

	have=$(df --output=avail -BM "$CACHE" | tail -n 1 | tr -dc 0-9)
	[ "$have" -ge "$1" ] || die "the disk is too full: $CACHE has $have MB free, $1 MB are needed"
}

# Mounts that the root directory needs as a build environment. The source tree
# is read-only there: no build may litter it.
enter_root() {
	ROOT=$1
	mkdir -p "$ROOT"/{proc,dev,src,build,results} "$CACHE/results"
	mount -t proc proc "$ROOT/proc" &&
		mount --bind /dev "$ROOT/dev" &&
		mount --bind "$CACHE/results" "$ROOT/results" &&
		mount --bind "$TREE" "$ROOT/src" && mount -o remount,bind,ro "$ROOT/src" ||
		die "cannot mount below $ROOT"
}

leave_root() {
	umount "$ROOT"/{src,results,dev,proc}
}

in_root() {
	local name proxies=()

	for name in http_proxy https_proxy no_proxy; do
		[ -n "${!name:-}" ] && proxies+=("$name=${!name}")
	done
	chroot "$ROOT" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		TERM="${TERM:-dumb}" DEBIAN_FRONTEND=noninteractive "${proxies[@]}" "$@"
}
