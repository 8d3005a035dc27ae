# SPDX-License-Identifier: GPL-2.0
#
# The model command: has spin search every state of the model of the library's
# locks, once for each line of model/configurations. A mutation counts as passed
# if its error is found, and a search that did not come to its end as failed.

MODEL_PACKAGES=(spin)
MODEL_LIMIT=600		# seconds for one search
MODEL_MEMORY=4000	# MB for one search
MODEL_DEPTH=100000	# steps; a search that needs more has failed

model_tools() {
	[ -x "$ROOT/usr/bin/spin" ] ||
		step "installing ${MODEL_PACKAGES[*]}" "$CACHE/log/packages-model" install_packages "${MODEL_PACKAGES[@]}"
}

# model_compile <directory> <search> <macros>: compiling with optimisation takes
# longer than it saves.
model_compile() {
	local dir=$1 search=$2 mode=-DSAFETY
	shift 2

	[ "$search" = safety ] || mode=-DNP
	in_root env -C "$dir" spin -a "$@" vfio_mig.pml &&
		in_root env -C "$dir" gcc -O0 -w $mode -DMEMLIM=$MODEL_MEMORY -o pan pan.c
}

# model_search <directory> <search>
model_search() {
	local dir=$1 search=$2 options=(-n "-m$MODEL_DEPTH")

	[ "$search" = safety ] || options+=(-l)
	in_root env -C "$dir" timeout $MODEL_LIMIT nice ./pan "${options[@]}"
}

# model_number <what> <log>: what precedes a word of pan's report.
model_number() {
	sed -nE "s/^[[:space:]]*([0-9.e+]+)[[:space:]]+$1.*/\1/p" "$2" | tail -n 1
}

# What a search says: pass, fail, or why it is neither.
model_verdict() {
	local log=$1

	if grep -qE 'errors: [1-9]' "$log"; then
		grep -qE '^pan:[0-9]+: (assertion violated|invalid end state|non-progress cycle)' "$log" && echo fail || echo broken
	elif grep -qE 'Search not completed|max search depth too small|out of memory|memory limit' "$log" ||
		! grep -q 'errors: 0' "$log"; then
		echo truncated
	else
		echo pass
	fi
}

# model_check <expected> <search> <name> <macros>
model_check() {
	local expected=$1 search=$2 name=$3 dir=/build/model/$3 log=$RESULT/$3 verdict=broken start=$SECONDS
	shift 3

	[ "$expected" = pass ] || set -- "-D$name" "$@"
	mkdir -p "$ROOT$dir" && cp "$TREE"/tools/testing/selftests/vfio/model/*.pml "$ROOT$dir/" || die "cannot write $ROOT$dir"
	if model_compile "$dir" "$search" "$@" >"$log.build" 2>&1; then
		model_search "$dir" "$search" >"$log" 2>&1
		verdict=$(model_verdict "$log")
	fi
	if [ "$verdict" = fail ]; then
		in_root env -C "$dir" timeout 60 spin -t -p -g -l "$@" vfio_mig.pml >"$log.trail" 2>&1
	fi
	printf '%-28s %-6s %10s states %11s transitions depth %4s %5d MB %4d s  %s\n' "$name" "$search" \
		"$(model_number 'states, stored' "$log")" "$(model_number transitions "$log")" \
		"$(sed -nE 's/.*depth reached ([0-9]+).*/\1/p' "$log")" \
		"$(model_number 'total actual memory' "$log" | cut -d. -f1)" $((SECONDS - start)) \
		"$(model_word "$expected" "$verdict")"
	rm -rf "${ROOT:?}$dir"
	[ "$verdict" = "$expected" ]
}

model_word() {
	case $1-$2 in
	pass-pass) echo "no error" ;;
	fail-fail) echo "error found, as expected" ;;
	fail-pass) echo "FAILED: nothing found" ;;
	*-truncated) echo "FAILED: the search is incomplete" ;;
	*) echo "FAILED: $2" ;;
	esac
}

bench_model() {
	local good=0 bad=0 result search name macros

	root_ready
	model_tools
	results_new model
	rm -rf "$ROOT/build/model"
	while read -r result search name macros; do
		# shellcheck disable=SC2086
		if model_check "$result" "$search" "$name" $macros; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
		fi
	done < <(grep -E '^(pass|fail) ' "$TREE/tools/testing/selftests/vfio/model/configurations" |
		grep -E "${MODEL:-.}")
	say "results: $RESULT"
	echo "model: $good passed, $bad failed"
	[ "$bad" = 0 ] && [ "$good" -gt 0 ]
}
