#!/usr/bin/env bash
# Runs each fuzz target of the `fuzz` preset for a while, starting from the checked-in corpus.
#
#   scripts/fuzz.sh [SECONDS for each target, default 60]
#
# JOBS sets how many run side by side, by default one for each processor; what one has said is shown
# when it ends. New inputs go to build/fuzz/corpus/<target>, never into the tree; a crash leaves its
# input in build/fuzz/crashes, and the run ends with an error after all have had their time.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}

shopt -s nullglob
targets=(build/fuzz/fuzzers/*)
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: no targets in build/fuzz/fuzzers" >&2; exit 1; }

mkdir -p build/fuzz/crashes build/fuzz/logs
run_one() {
    local target=$1 seconds=$2 name code=0
    name=${target##*/}
    local found=build/fuzz/corpus/$name seeds=tests/fuzz/corpus/$name log=build/fuzz/logs/$name
    mkdir -p "$found"
    local corpus=("$found")
    [ ! -d "$seeds" ] || corpus+=("$seeds")
    echo "== $name, $seconds s" >"$log"
    "$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/$name-" "${corpus[@]}" >>"$log" 2>&1 || code=1
    flock build/fuzz/logs cat "$log" # two that end together do not mix
    return $code
}
export -f run_one
printf '%s\0' "${targets[@]}" |
    xargs -0 -n 1 -P "${JOBS:-$(nproc)}" bash -c 'run_one "$1" "$0"' "$seconds"
