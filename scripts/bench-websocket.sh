#!/usr/bin/env bash
# Measures the WebSocket door beside a bare echo: `make bench-websocket` builds what it needs.
#
#   scripts/bench-websocket.sh [MEASURE...]    throughput rate latency fanout idle slow, default: all
#
# For each measure an echo and two servers, one with sync = "none" and one with "commit", are
# started on processor SERVER_CPU (0) and take turns under the load, which has LOAD_CPU (1). Their
# journals are in a folder below DIR (the current one) that is removed at the end.
#
#   ROUNDS, SECONDS_EACH   turns of each, and seconds of a turn (5, 3)
#   RATE                   messages a second of the measure `rate` (200000)
#   OPTIONS                lines for the section [engine] of the servers
#   BINARIES               where the programs are (build/release)
set -eu
binaries=${BINARIES:-$(cd "$(dirname "$0")/.." && pwd)/build/release}
server_cpu=${SERVER_CPU:-0}
load_cpu=${LOAD_CPU:-1}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-3}
[ $# -gt 0 ] || set -- throughput rate latency fanout idle slow

ulimit -n "$(ulimit -Hn)"
folder=$(mktemp -d "${DIR:-.}/bench-websocket-XXXXXX")
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
    echo "bench-websocket: not ready within 30 s; its last words:" >&2
    tail -n 5 "$1" >&2
    return 1
}

# start NAME COMMAND...: adds NAME=ADDRESS/PID to the targets.
start() {
    local name=$1 address
    shift
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
[websocket]
port = 0
max_connections = 19000
EOF
    start "$1" "$binaries/matching" websocket --config "$folder/$1.toml"
}

head=
load() {
    "$binaries/ws_load" "$@" --cpu "$load_cpu" ${head:+"$head"} "${targets[@]}"
    head=--no-head
}

for measure; do
    start echo "$binaries/ws_echo"
    start_server none
    start_server commit
    case $measure in
    throughput)
        # More in flight for the sake of `commit`: all that waits shares one sync of the disk.
        for mix in cancel cross; do
            for in_flight in 64 256; do
                load throughput --rounds "$rounds" --seconds "$seconds" --mix "$mix" \
                    --in-flight "$in_flight"
            done
        done
        ;;
    rate)
        load throughput --rounds "$rounds" --seconds "$seconds" --rate "${RATE:-200000}"
        ;;
    latency) load latency --rounds "$rounds" ;;
    fanout) load fanout --rounds 1 ;;
    idle) load idle ;;
    slow) load slow --rounds "$rounds" --seconds "$seconds" ;;
    *)
        echo "bench-websocket: no such measure: $measure" >&2
        exit 2
        ;;
    esac
    stop_all
done
