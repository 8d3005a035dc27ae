# SPDX-License-Identifier: GPL-2.0
#
# The folder of a run's results, and what is kept of earlier runs.

RESULTS_KEPT=10

# Sets RESULT to a new folder and points "latest" to it.
results_new() {
	RESULT=$CACHE/results/$(date +%Y%m%d-%H%M%S)-$1
	mkdir -p "$RESULT" || die "cannot make $RESULT"
	ln -sfn "$(basename "$RESULT")" "$CACHE/results/latest"
	find "$CACHE/results" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n +$((RESULTS_KEPT + 1)) |
		while read -r old; do
			rm -rf "$old"
		done
}
