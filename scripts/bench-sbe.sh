#!/usr/bin/env bash
# Measures the SBE door and the gateway beside a bare echo: `make bench-sbe` builds what it needs.
#
#   scripts/bench-sbe.sh [MEASURE...]    orders trades latency, default: all
#
# For each measure an echo and the servers (two with sync = "none" and "commit", or for trades the
# gateway sbe_sink and one server) are started on processor SERVER_CPU (0) and take turns under the
# load, which has LOAD_CPU (1). Journals are in a folder below DIR (the current one) that is removed
# at the end.
#
#   ROUNDS, SECONDS_EACH   turns of each, and seconds of a turn (5, 3)
#   OPTIONS                lines for the section [engine] of the servers
#   BINARIES               where the programs are (build/release)
set -eu
binaries=${BINARIES:-$(cd "$(dirname "$0")/.." && pwd)/build/release}
server_cpu=${SERVER_CPU:-0}
load_cpu=${LOAD_CPU:-1}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-3}
[ $# -gt 0 ] || set -- orders trades latency

folder=$(mktemp -d "${DIR:-.}/bench-sbe-XXXXXX")
started=()
targets=()
stop_all() {
    [ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null || true
    wait
    started=()
    targets=()
    rm -rf "${folder:?}"/*
}
trap 'stop_all; rmdir "$folder"' EXIT

# The address that a program says it listens on, once it is ready.
address_of() {
    for _ in $(seq 300); do
        if grep -q '^ready' "$1"; then
            awk '/^listening/ { print $3; exit }' "$1"
            return
        fi
        sleep 0.1
    done
    echo "bench-sbe: not ready within 30 s; its last words:" >&2
    tail -n 5 "$1" >&2
    return 1
}

# start NAME COMMAND...: adds NAME=ADDRESS/PID to the targets.
start() {
    local name=$1 address
    shift
    : >"$folder/$name.out"
    taskset -c "$server_cpu" "$@" >"$folder/$name.out" 2>&1 &
    started+=($!)
    address=$(address_of "$folder/$name.out")
    targets+=("$name=$address/${started[-1]}")
}

start_server() {
    cat >"$folder/$1.toml" <<EOF
data_dir = "$folder/$1"
[engine]
shards = 1
${OPTIONS:-}
[journal]
sync = "$1"
[sbe]
port = 0
EOF
    start "$1" "$binaries/matching" sbe --config "$folder/$1.toml"
}

head=
load() {
    "$binaries/sbe_load" "$@" --rounds "$rounds" --cpu "$load_cpu" ${head:+"$head"} "${targets[@]}"
    head=--no-head
}

for measure; do
    start echo "$binaries/ws_echo"
    case $measure in
    orders)
        start_server none
        start_server commit
        for mix in cancel cross; do
            load orders --seconds "$seconds" --mix "$mix"
        done
        ;;
    trades)
        start sink "$binaries/sbe_sink"
        start_server none
        for frame in 100 1; do
            load trades --seconds "$seconds" --frame "$frame"
        done
        ;;
    latency)
        start_server none
        start_server commit
        load latency
        ;;
    *)
        echo "bench-sbe: no such measure: $measure" >&2
        exit 2
        ;;
    esac
    stop_all
done
