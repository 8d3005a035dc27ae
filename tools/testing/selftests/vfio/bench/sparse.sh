# SPDX-License-Identifier: GPL-2.0
#
# The distribution's sparse is older than the kernel wants. It does not know
# __typeof_unqual__, for which plain typeof does, and it takes the assertions
# inside the kernel's MODULE_ macros for errors.

SPARSE_FLAGS=-D__typeof_unqual__=__typeof__

# sparse_findings <build log>: what compiler and sparse complained about.
sparse_findings() {
	local line file place

	grep -E '(warning|error|note): |^error:' "$1" | while read -r line; do
		if [[ $line == *'error: bad constant expression' ]]; then
			IFS=: read -r file place _ <<<"$line"
			sed -n "${place}p" "$ROOT$file" | grep -qE '^(MODULE_|module_param)' && continue
		fi
		printf '%s\n' "$line"
	done
}
