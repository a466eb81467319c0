#!/usr/bin/env bash
# Builds presets and runs every test of each, all of them even after a failure, and prints ctest's
# summaries last. `make test` calls it with: release asan.
#
#   scripts/test.sh PRESET...
#
# JOBS sets how many tests run side by side: one more, since there is nearly always one that waits for
# a deadline or a timer to pass. Each preset's whole output stays in
# build/<preset>/ctest.log, the summaries in build/test-summary.txt.
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || { echo "usage: scripts/test.sh PRESET..." >&2; exit 2; }

jobs=${JOBS:-$(nproc)}
summary=build/test-summary.txt
mkdir -p build
: >"$summary"
failed=0

# gcc's ThreadSanitizer cannot place its shadow where the kernel randomises addresses widely.
fixed_addresses() {
    if [ "$1" = tsan ] && setarch -R true 2>/dev/null; then echo "setarch -R"; fi
}

for preset in "$@"; do
    echo
    echo "== $preset: build"
    if ! cmake --preset "$preset" -DMATCHING_BUILD_TESTS=ON --log-level=NOTICE ||
        ! cmake --build --preset "$preset"; then
        echo "$preset: the build failed" >>"$summary"
        failed=1
        continue
    fi
    echo
    echo "== $preset: tests"
    log=build/$preset/ctest.log
    # shellcheck disable=SC2046 # a command and its argument, or nothing
    $(fixed_addresses "$preset") ctest --preset "$preset" --parallel "$((jobs + 1))" 2>&1 | tee "$log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
    {
        echo "$preset:"
        sed -n '/ tests passed, /,$p' "$log" | grep . || echo "ctest ended without a summary"
    } >>"$summary"
done

echo
echo "== summary"
cat "$summary"
exit "$failed"
