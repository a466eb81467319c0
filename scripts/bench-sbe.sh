#!/usr/bin/env bash
# Measures the SBE door and the gateway beside a bare echo: `make bench-sbe` builds what it needs.
#
#   scripts/bench-sbe.sh [MEASURE...]    orders trades latency, default: all
#
# For each measure an echo and the servers (two with sync = "none" and "commit", or for trades the
# gateway sbe_sink and one server) are started on processor SERVER_CPU (0) and take turns under the
# load, which has LOAD_CPU (1); all but the one whose turn it is are stopped. Journals are in a folder below DIR (the current one) that is removed
# at the end.
#
#   ROUNDS, SECONDS_EACH   turns of each, and seconds of a turn (5, 3)
#   OPTIONS                lines for the section [engine] of the servers
#   BINARIES               where the programs are (build/release)
set -eu
program=sbe_load
door=sbe
limits=
# shellcheck source=scripts/bench-servers.sh
. "$(dirname "$0")/bench-servers.sh"
[ $# -gt 0 ] || set -- orders trades latency

for measure; do
    start echo "$binaries/ws_echo"
    case $measure in
    orders)
        start_server none
        start_server commit
        for mix in cancel cross; do
            load orders --rounds "$rounds" --seconds "$seconds" --mix "$mix"
        done
        ;;
    trades)
        start sink "$binaries/sbe_sink"
        start_server none
        for frame in 100 1; do
            load trades --rounds "$rounds" --seconds "$seconds" --frame "$frame"
        done
        ;;
    latency)
        start_server none
        start_server commit
        load latency --rounds "$rounds"
        ;;
    *)
        echo "bench-sbe: no such measure: $measure" >&2
        exit 2
        ;;
    esac
    stop_all
done
