#!/usr/bin/env bash
# Breaks the engine on purpose, one rule at a time, and wants some test to notice each time.
#
#   tests/mutants/run.sh [NAME...]        all of mutants.txt, or only these
#
# Works on a scratch copy of core/engine; the tree stays as it is. The named tests run first, then the one
# of saved states, then the oracle with one seed; a test that crashes or hangs has noticed too, and then no other is asked. Fails if a mutant survives, if an
# edit does not apply any more or does not compile, or if the engine fails unbroken. Needs perl, a C
# compiler (CC), pkg-config and CUnit.
set -u
cd "$(dirname "$0")/../.." || exit 1
tree=$PWD
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
compiler=${CC:-cc}
read -r -a cunit <<<"$(pkg-config --cflags --libs cunit)"
flags=(-std=gnu11 -O1 -w -I"$tree/include" -I"$scratch/core" -I"$tree/tests" -I"$tree")
named=(match place change replace orders open_orders levels plain iceberg stop self_trade expiry auction
    limits precedence guards)
support=(fixture.o twin.o)

compile() { # SOURCE OBJECT
    "$compiler" "${flags[@]}" "${cunit[@]}" -c "$1" -o "$2"
}

link_tests() {
    local test
    for test in "${named[@]}"; do
        "$compiler" "$scratch/${test}_test.o" "${support[@]/#/$scratch/}" "$scratch"/engine-*.o \
            "${cunit[@]}" -o "$scratch/$test" || return 1
    done
    for test in state oracle; do
        "$compiler" "$scratch/${test}_test.o" "$scratch/generator.o" "$scratch/duel.o" \
            "${support[@]/#/$scratch/}" "$scratch"/engine-*.o "$scratch"/oracle-*.o "${cunit[@]}" \
            -o "$scratch/$test" || return 1
    done
}

# The engine's objects: of one source, or of all where a header was named.
compile_engine() { # SOURCE_OR_HEADER
    local source
    for source in "$scratch"/core/engine/*.c; do
        if [[ $1 == *.h || $1 == "$(basename "$source")" ]]; then
            compile "$source" "$scratch/engine-$(basename "$source" .c).o" || return 1
        fi
    done
}

# Prints which tests failed; false: none.
who_notices() {
    local test code noticed=()
    for test in "${named[@]}"; do
        timeout 20 "$scratch/$test" >/dev/null 2>&1
        code=$?
        [ $code -eq 0 ] || noticed+=("$test")
        [ $code -ne 124 ] || break
    done
    if [ ${#noticed[@]} -eq 0 ]; then
        timeout 60 "$scratch/state" >/dev/null 2>&1 || noticed+=(state)
    fi
    if [ ${#noticed[@]} -eq 0 ]; then
        MATCHING_SOAK=0 MATCHING_SEED=1 timeout 60 "$scratch/oracle" >/dev/null 2>&1 || noticed+=(oracle)
    fi
    echo "${noticed[*]}"
    [ ${#noticed[@]} -gt 0 ]
}

mkdir "$scratch/core" && cp -r core/engine "$scratch/core/" || exit 1
compile_engine all.h || exit 1
for source in tests/oracle/*.c; do
    compile "$source" "$scratch/oracle-$(basename "$source" .c).o" || exit 1
done
for source in "${support[@]%.o}" duel generator oracle_test state_test "${named[@]/%/_test}"; do
    compile "tests/core/engine/$source.c" "$scratch/$source.o" || exit 1
done
link_tests || exit 1
mkdir "$scratch/sound" && cp "$scratch"/engine-*.o "$scratch/sound/" || exit 1
if who=$(who_notices); then
    echo "mutants: the engine as it is fails: $who" >&2
    exit 1
fi

ran=0
bad=0
exec 2>&1
while IFS=$'\t' read -r name file edit; do
    case $name in '' | '#'*) continue ;; esac
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    ran=$((ran + 1))
    broken=$scratch/core/engine/$file
    perl -0pi -e "$edit" "$broken"
    if cmp -s "$broken" "core/engine/$file"; then
        result="DOES NOT APPLY"
    elif ! compile_engine "$file" || ! link_tests; then
        result="DOES NOT COMPILE"
    elif who=$(who_notices); then
        result="caught by $who"
    else
        result="SURVIVES"
    fi
    case $result in caught*) ;; *) bad=$((bad + 1)) ;; esac
    printf '%-40s %s\n' "$name" "$result"
    cp "core/engine/$file" "$broken"
    cp "$scratch"/sound/*.o "$scratch/"
done <tests/mutants/mutants.txt

echo "mutants: $ran tried, $bad not caught"
[ "$ran" -gt 0 ] && [ "$bad" -eq 0 ]
