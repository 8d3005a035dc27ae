# SPDX-License-Identifier: GPL-2.0
#
# The lint command: static checks of everything in the tree. Each check prints
# what it runs and its findings; one finding makes the whole a failure.

LINT_BAD=0

# The tree's files that match one of the given find expressions.
lint_files() {
	(cd "$TREE" && find . -name .git -prune -o -type f \( "$@" \) -printf '%P\n' | sort)
}

lint_result() {
	[ -s "$1" ] || return
	sed 's/^/   /' "$1"
	LINT_BAD=1
}

# The headers package lacks the script that C= runs first.
lint_build() {
	local common=/usr/src/linux-headers-${STOCK%-amd64}-common helper=scripts/checker-valid.sh

	[ -e "$ROOT$common/$helper" ] || cp "$ROOT$KSRC/$helper" "$ROOT$common/scripts/"
	rm -rf "$ROOT/build/lint"
	mkdir -p "$ROOT/build/lint"
	in_root make -k -C "/usr/src/linux-headers-$STOCK" M=/src MO=/build/lint -j"$JOBS" \
		C=2 CF="$SPARSE_FLAGS" W=1 modules || echo "error: the build failed"
}

lint_modules() {
	local log=$RESULT/build

	step "sparse and gcc with W=1" "$log" lint_build
	grep -q '^  CHECK ' "$log" || die "sparse did not run, see $log"
	sparse_findings "$log" >"$RESULT/modules"
	lint_result "$RESULT/modules"
}

lint_arm64() {
	local log=$RESULT/build-arm64

	arm64_ready
	step "gcc with W=1 for arm64" "$log" arm64_modules
	grep -q '^  LD \[M\]  .*vfio-mig' "$log" || die "nothing was built for arm64, see $log"
	grep -E '(warning|error|note): |^error:' "$log" | grep -v '^WARNING: modpost' >"$RESULT/arm64"
	lint_result "$RESULT/arm64"
}

# User space has none of the kernel's macros, reaches a device's memory through
# volatile pointers, and has to use the names that libraries chose.
LINT_USER_SPACE=BIT_MACRO,CAMELCASE,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE

# lint_checkpatch <types to ignore> <file...>
# No GIT_DIR: spdxcheck would look for the licences of a kernel tree in ours. It
# writes into its working directory, which the tree cannot be.
lint_checkpatch() {
	local ignore=$1
	shift

	in_root env -C /build/lint GIT_DIR=/none perl "$KSRC/scripts/checkpatch.pl" --root="$KSRC" --strict --terse \
		--show-types --no-summary --max-line-length=100 --ignore "$ignore" -f "${@/#//src/}"
}

lint_style() {
	local files

	say "checkpatch --strict"
	mapfile -t files < <(lint_files -name '*.[chS]' -o -name Makefile -o -name Kbuild -o -name Kconfig)
	# shellcheck disable=SC2046
	{
		lint_checkpatch FILE_PATH_CHANGES $(printf '%s\n' "${files[@]}" | grep -v ^tools/)
		lint_checkpatch $LINT_USER_SPACE $(printf '%s\n' "${files[@]}" | grep ^tools/)
	} >"$RESULT/checkpatch" 2>&1
	lint_result "$RESULT/checkpatch"
}

lint_kernel_doc() {
	say "kernel-doc -Wall"
	# shellcheck disable=SC2046
	in_root env -C /src python3 -B "$KSRC/tools/docs/kernel-doc" -none -Wall \
		$(lint_files -name '*.[ch]' | grep -v ^tools/) >"$RESULT/kernel-doc" 2>&1
	lint_result "$RESULT/kernel-doc"
}

lint_layers() {
	say "layers"
	layers_check /build/lint >"$RESULT/layers"
	lint_result "$RESULT/layers"
}

lint_scripts() {
	local file

	say "shell and Python scripts"
	(cd "$TREE" && grep -rlE '^#!.*(ba)?sh$' --exclude-dir=.git . && find . -name '*.sh') | sort -u |
		while read -r file; do
			bash -n "$TREE/$file" 2>&1
			# SC2034: the parts of the bench use each other's variables
			in_root env -C /src shellcheck -s bash -S warning -e SC2034 -f gcc "$file"
		done >"$RESULT/scripts"
	lint_files -name '*.py' | while read -r file; do
		in_root env -C /src python3 -B -c \
			'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file" 2>&1
	done >>"$RESULT/scripts"
	lint_result "$RESULT/scripts"
}

bench_lint() {
	root_ready
	root_ready_full
	results_new lint
	lint_modules
	lint_arm64
	lint_style
	lint_kernel_doc
	lint_layers
	lint_scripts
	[ $LINT_BAD = 0 ] && echo "lint: clean" && return
	echo "lint: findings, see $RESULT"
	return 1
}
