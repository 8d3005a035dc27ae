# SPDX-License-Identifier: GPL-2.0
#
# Reads a VM's kernel log for what must not be in it. The list names what the
# kernel's checkers print; the taint flags are the safety net for what the list
# does not know.

SPLATS='BUG:|WARNING: |Oops[: ]|KASAN:|UBSAN:|kernel BUG at|general protection fault|Kernel panic'
SPLATS+='|possible recursive locking|possible circular locking|possible irq lock inversion|inconsistent lock state'
SPLATS+='|possible .*deadlock|lock held when returning|bad unlock balance|Invalid wait context|held lock freed'
SPLATS+='|suspicious RCU usage|sleeping function called|scheduling while atomic|DEBUG_LOCKS_WARN_ON'
SPLATS+='|blocked for more than [0-9]+ seconds|soft lockup|hard LOCKUP|self-detected stall|detected stalls'
SPLATS+='|refcount_t:|list_(add|del) corruption|ODEBUG:|non-static key|[Uu]nable to handle'
SPLATS+='|stack segment|double fault|nobody cared|Slab corruption|Object padding overwritten|Bad page state'

# What is in the log on purpose: one extended regular expression a line, with
# a comment above it that says why. Empty means that no splat is expected.
SPLAT_EXCEPTIONS=$BENCH/splat-exceptions

SPLAT_TAINTS=$((1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))	# MCE, bad page, died, warned, lockup

# splat_report <log>: prints each splat with its first lines and the test that
# was running. Status 1 if there is any.
splat_report() {
	grep -vE '^(#|$)' "$SPLAT_EXCEPTIONS" >"$RESULT/exceptions"
	awk -v splats="$SPLATS" -v exceptions="$RESULT/exceptions" '
		BEGIN { while ((getline line < exceptions) > 0) except[line] }
		/vfio-mig bench: / { sub(/.*vfio-mig bench: /, ""); now = $0; next }
		left { print "   | " substr($0, 1, 160); left-- }
		!left && $0 ~ splats {
			for (e in except)
				if ($0 ~ e)
					next
			if (++found <= 3) {
				printf "   kernel log, %s:\n   | %s\n", now ? now : "start", substr($0, 1, 160)
				left = 14
			}
		}
		END { exit found > 0 }' "$1"
}

# leak_report <kmemleak report>: leaks with a function of ours in their trace
# are printed and fail; others are only counted.
leak_report() {
	awk '
		function finish() {
			if (block == "")
				return
			if (block ~ /\[(vfio_mig|mlx5_vfio_mig|nvgrace_vfio_mig|vfio_mig_sample|vfio_mig_sample_pf|pcisim|pcisim_gpu|pcisim_hca|pcisim_testdev)\]/) {
				if (++ours <= 3)
					printf "   leak:\n%s", block
			} else {
				others++
			}
			block = ""
		}
		/^unreferenced object/ { finish() }
		{ block = block "   | " $0 "\n" }
		END {
			finish()
			if (others)
				printf "   note: %d leak reports without a function of this project, see the kmemleak file\n", others
			exit ours > 0
		}' "$1"
}

# splat_check <folder of a VM>: 0 if its kernel was content.
splat_check() {
	local log=$1/dmesg taint bad=0

	[ -s "$1/status" ] || cat "$1/dmesg" "$1/console" >"$1/log" 2>/dev/null
	[ -s "$1/status" ] || log=$1/log
	splat_report "$log" || bad=1
	taint=$(cat "$1/tainted" 2>/dev/null || echo 0)
	if [ $bad = 0 ] && [ $((taint & SPLAT_TAINTS)) != 0 ]; then
		echo "   the kernel is tainted ($taint), see $log"
		bad=1
	fi
	if [ -s "$1/kmemleak" ]; then
		leak_report "$1/kmemleak" || bad=1
	fi
	return $bad
}
