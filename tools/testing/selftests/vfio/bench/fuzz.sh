# SPDX-License-Identifier: GPL-2.0
#
# The fuzz command: libFuzzer feeds the parser of migration data, built for user space
# with sanitizers, and compares what it says with a second parser. It begins with the kept
# corpus and with fresh seeds; what it finds beside them is in the results.

FUZZ_PACKAGES=(clang libclang-rt-dev)
FUZZ_DEFAULT_SECONDS=60
# A stream has to be long enough for a preamble, a few images and an end.
FUZZ_LENGTH=4096
FUZZ_SOURCE=/src/tools/testing/selftests/vfio/fuzz

fuzz_packages() {
	local missing

	mapfile -t missing < <(packages_missing "${FUZZ_PACKAGES[@]}")
	[ "${#missing[@]}" = 0 ] ||
		step "installing ${missing[*]}" "$CACHE/log/packages-fuzz" install_later_packages "${missing[@]}"
}

fuzz_build() {
	in_root make -C "$FUZZ_SOURCE" OUTPUT=/build/fuzz && in_root /build/fuzz/make_seeds /build/fuzz/seeds
}

# fuzz_parser <seconds> <seed>
fuzz_parser() {
	local results=/results/${RESULT##*/}

	in_root /build/fuzz/fuzz_parser -max_total_time="$1" -seed="$2" -max_len=$FUZZ_LENGTH -timeout=10 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$results/" \
		"$results/corpus" $FUZZ_SOURCE/corpus /build/fuzz/seeds
}

# The value of one of libFuzzer's final statistics.
fuzz_statistic() {
	sed -n "s/^stat::$1: *//p" "$RESULT/fuzz"
}

bench_fuzz() {
	local seconds=${FUZZ_SECONDS:-$FUZZ_DEFAULT_SECONDS} seed=${FUZZ_SEED:-$((RANDOM << 15 | RANDOM))}

	case $seconds$seed in
	*[!0-9]*) die "FUZZ_SECONDS and FUZZ_SEED must be numbers" ;;
	esac
	# libFuzzer takes 0 for no limit, and for a seed of its own
	[ "$seconds" != 0 ] && [ "$seed" != 0 ] || die "FUZZ_SECONDS and FUZZ_SEED must not be 0"
	root_ready
	fuzz_packages
	results_new fuzz
	rm -rf "$ROOT/build/fuzz"
	mkdir -p "$ROOT/build/fuzz/seeds" "$RESULT/corpus"
	step "building the fuzzer" "$RESULT/build-fuzz" fuzz_build
	if ! (step "fuzzing for $seconds s, FUZZ_SEED=$seed" "$RESULT/fuzz" fuzz_parser "$seconds" "$seed"); then
		grep '^# ' "$RESULT/fuzz"
		echo "fuzz: failed, the input is in $RESULT"
		return 1
	fi
	say "results: $RESULT"
	echo "fuzz: clean, $(fuzz_statistic number_of_executed_units) streams in $seconds s"
}
