#!/usr/bin/env bash
# Measures the WebSocket door beside a bare echo: `make bench-websocket` builds what it needs.
#
#   scripts/bench-websocket.sh [MEASURE...]    throughput rate latency fanout idle slow, default: all
#
# For each measure an echo and two servers, one with sync = "none" and one with "commit", are
# started on processor SERVER_CPU (0) and take turns under the load, which has LOAD_CPU (1); all but
# the one whose turn it is are stopped. Their
# journals are in a folder below DIR (the current one) that is removed at the end.
#
#   ROUNDS, SECONDS_EACH   turns of each, and seconds of a turn (5, 3)
#   RATE                   messages a second of the measure `rate` (200000)
#   OPTIONS                lines for the section [engine] of the servers
#   BINARIES               where the programs are (build/release)
set -eu
program=ws_load
door=websocket
limits='max_connections = 19000'
# shellcheck source=scripts/bench-servers.sh
. "$(dirname "$0")/bench-servers.sh"
[ $# -gt 0 ] || set -- throughput rate latency fanout idle slow

ulimit -n "$(ulimit -Hn)"

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
