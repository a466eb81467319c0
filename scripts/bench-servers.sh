# shellcheck shell=bash disable=SC2034,SC2154
# For bench-websocket.sh, bench-sbe.sh and bench-http.sh, which read this file: starts what is measured
# and ends it.
#
# Expects `program` (the load generator's name), `door` (the service's word for its door) and
# `limits` (lines for its section).

binaries=${BINARIES:-$(cd "$(dirname "$0")/.." && pwd)/build/release}
server_cpu=${SERVER_CPU:-0}
load_cpu=${LOAD_CPU:-1}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-3}

folder=$(mktemp -d "${DIR:-.}/bench-$door-XXXXXX")
started=()
targets=()
# The load lets all go on when it ends; if it could not, they would not hear that they shall end.
stop_all() {
    [ ${#started[@]} -eq 0 ] || kill -CONT "${started[@]}" 2>/dev/null || true
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
    echo "bench-$door: not ready within 30 s; its last words:" >&2
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

# start_server SYNC: a service with this journal.sync, which is its name too.
start_server() {
    cat >"$folder/$1.toml" <<END
data_dir = "$folder/$1"
[engine]
shards = 1
${OPTIONS:-}
[journal]
sync = "$1"
[$door]
port = 0
$limits
END
    start "$1" "$binaries/matching" "$door" --config "$folder/$1.toml"
}

# load MEASURE [options]: one measure of all targets, each alone on its processor while it has its
# turn; the first one of a run has the head.
head=
load() {
    "$binaries/$program" "$@" --alone --cpu "$load_cpu" ${head:+"$head"} "${targets[@]}"
    head=--no-head
}
