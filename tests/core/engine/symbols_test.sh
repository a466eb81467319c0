#!/bin/sh
# The engine's archive may need nothing from outside but mem*, what the compiler and the sanitizers
# put in, and the one hook by which it gives up. Anything else (a clock, malloc, printf, a lock)
# would make matching depend on more than its commands.
#
# usage: symbols_test.sh NM ARCHIVE
set -eu

nm=$1
archive=$2

if ! listing=$("$nm" -P "$archive"); then
    echo "FAIL: $nm cannot read $archive"
    exit 1
fi

# In the portable format a line is "name type value size"; U and w are undefined. A symbol that one
# member leaves open and another defines is settled inside the archive.
defined=$(printf '%s\n' "$listing" | awk 'NF >= 2 && $2 ~ /^[A-TV-Za-uxyz]$/ {print $1}' | sort -u)
undefined=$(printf '%s\n' "$listing" | awk 'NF >= 2 && $2 ~ /^[Uwv]$/ {print $1}' | sort -u)
needed=$(printf '%s\n' "$undefined" | while read -r name; do
    printf '%s\n' "$defined" | grep -qxF -- "$name" || printf '%s\n' "$name"
done)

# An empty answer would pass whatever the archive holds: these must be seen.
for name in matching_engine_apply matching_engine_hash; do
    printf '%s\n' "$defined" | grep -qxF -- "$name" || {
        echo "FAIL: $archive does not define $name; is it the engine's archive?"
        exit 1
    }
done
printf '%s\n' "$needed" | grep -qxF matching_engine_panic || {
    echo "FAIL: $archive does not need matching_engine_panic; was it read rightly?"
    exit 1
}

status=0
for name in $needed; do
    case $name in
    memcpy | memmove | memset | memcmp) ;;
    matching_engine_panic) ;;
    _GLOBAL_OFFSET_TABLE_ | __stack_chk_fail | __gcc_personality_v0) ;;
    __memcpy_chk | __memmove_chk | __memset_chk) ;; # the same with a bound, under _FORTIFY_SOURCE
    __asan_* | __ubsan_* | __tsan_* | __sanitizer_* | __sancov_* | __start___sancov_* | \
        __stop___sancov_*) ;;
    __udivti3 | __umodti3 | __divti3 | __modti3) ;; # 128-bit division, from the compiler
    *)
        echo "FAIL: the engine needs $name, which is not on the list"
        status=1
        ;;
    esac
done
[ $status -ne 0 ] || echo "the engine needs only: $(printf '%s ' $needed)"
exit $status
