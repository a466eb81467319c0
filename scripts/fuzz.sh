#!/usr/bin/env bash
# Runs each fuzz target of the `fuzz` preset for a while, starting from the checked-in corpus.
#
#   scripts/fuzz.sh [SECONDS for each target, default 60]
#
# New inputs go to build/fuzz/corpus/<target>, never into the tree; a crash leaves its input in
# build/fuzz/crashes and ends the run with an error.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}

shopt -s nullglob
targets=(build/fuzz/fuzzers/*)
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: no targets in build/fuzz/fuzzers" >&2; exit 1; }

mkdir -p build/fuzz/crashes
for target in "${targets[@]}"; do
    name=${target##*/}
    found=build/fuzz/corpus/$name
    seeds=tests/fuzz/corpus/$name
    mkdir -p "$found"
    echo "== $name, $seconds s"
    corpus=("$found")
    [ ! -d "$seeds" ] || corpus+=("$seeds")
    "$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/$name-" "${corpus[@]}"
done
