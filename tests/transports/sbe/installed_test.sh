#!/bin/sh
# The gateway library is installed so that pkg-config leads a program to it: an example is built
# against what was installed, also after that was moved, and takes a connection.
#
# usage: installed_test.sh CMAKE BUILD EXAMPLE.c FOLDER COMPILER [FLAGS...]
set -eu

cmake=$1 build=$2 example=$3 folder=$4
shift 4
fail() {
    echo "FAIL: $*"
    exit 1
}
rm -rf "$folder"
trap 'rm -rf "$folder"' EXIT
env -u DESTDIR "$cmake" --install "$build" --component sbe_gateway --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/moved"
pc=$(find "$folder/moved" -name matching-sbe-gateway.pc)
[ -n "$pc" ] || fail "no file for pkg-config is installed"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
pkg-config --exists --print-errors matching-sbe-gateway || fail "pkg-config does not take it"
library=$(pkg-config --variable=libdir matching-sbe-gateway)

# Nothing but what pkg-config says. Words are meant to be split.
# shellcheck disable=SC2046
"$@" -o "$folder/app" "$example" $(pkg-config --cflags --libs matching-sbe-gateway) ||
    fail "the example does not build"

LD_LIBRARY_PATH=$library "$folder/app" 0 >"$folder/out" 2>&1 &
app=$!
for _ in $(seq 300); do
    grep -q '^listening ' "$folder/out" && break
    kill -0 $app 2>/dev/null || break
    sleep 0.1
done
kill -TERM $app 2>/dev/null || true
wait $app || fail "the example ended with an error: $(cat "$folder/out")"
grep -q '^listening 127\.0\.0\.1:[1-9]' "$folder/out" || fail "it does not listen: $(cat "$folder/out")"
