#!/usr/bin/env bash
# Measures the doors of REST and JSON-RPC beside bare handlers of their libraries: `make bench-http`
# builds what it needs. The load is wrk's (a Debian package).
#
#   scripts/bench-http.sh [MEASURE...]    throughput drip, default: both
#
# throughput: orders by CONNECTIONS connections with keep-alive, one under way on each. The bare
#   handlers, which answer a constant of the same size, and the doors, with sync = "none", take turns.
# drip: the doors' honest clients in turn without and with CLIENTS others that send byte by byte.
#
# What is measured runs on processor SERVER_CPU (0), wrk and the dripping clients on LOAD_CPU (1).
# Journals are in a folder below DIR (the current one) that is removed at the end.
#
#   ROUNDS, SECONDS_EACH   turns of each, and seconds of a turn (5, 3)
#   CONNECTIONS            of wrk (32)
#   CLIENTS                that drip (500)
#   OPTIONS                lines for the section [engine] of the servers
#   BINARIES               where the programs are (build/release)
set -eu
program=wrk
door=http
limits=
# shellcheck source=scripts/bench-servers.sh
. "$(dirname "$0")/bench-servers.sh"
connections=${CONNECTIONS:-32}
clients=${CLIENTS:-500}
script=$(cd "$(dirname "$0")/.." && pwd)/bench/http_load/orders.lua
[ $# -gt 0 ] || set -- throughput drip

ulimit -n "$(ulimit -Hn)"
command -v wrk >/dev/null || {
    echo "bench-http: no wrk; apt-get install wrk" >&2
    exit 1
}

# start_door DOOR: a service with this door alone, which is its name too.
start_door() {
    cat >"$folder/$1.toml" <<END
data_dir = "$folder/$1"
[engine]
shards = 1
${OPTIONS:-}
[journal]
sync = "none"
[$1]
port = 0
END
    start "$1" "$binaries/matching" "$1" --config "$folder/$1.toml"
}

# url NAME: where a target of this name listens.
url() {
    local target
    for target in "${targets[@]}"; do
        case $target in
        "$1="*)
            target=${target#*=}
            echo "http://${target%/*}/"
            return
            ;;
        esac
    done
}

# form NAME: how requests to this target look.
form() {
    case $1 in *jsonrpc*) echo rpc ;; *) echo rest ;; esac
}

# wrk_once NAME SECONDS [check]: requests a second, p50, p99, errors, mean size of a body.
wrk_once() {
    taskset -c "$load_cpu" wrk -t 1 -c "$connections" -d "$2" -s "$script" "$(url "$1")" -- \
        "$(form "$1")" "${3:-}" | awk '/^result/ { $1 = ""; print; found = 1 }
            END { if (!found) exit 1 }'
}

# warm NAME: a second of orders, each answer checked; prints the mean size of an answer's body.
warm() {
    local rate p50 p99 wrong size
    read -r rate p50 p99 wrong size < <(wrk_once "$1" 1 check)
    if [ "$wrong" -ne 0 ]; then
        echo "bench-http: $wrong answers of $1 are no orders" >&2
        exit 1
    fi
    echo "$size"
}

# turn NAME [LABEL]: one turn; its line goes to the results.
turn() {
    echo "${2:-$1} $(wrk_once "$1" "$seconds")" >>"$folder/results"
}

# table BASE NAME...: medians of the rounds, and the medians of each round's ratios to BASE's turn.
table() {
    awk -v names="$*" '
        function median(list, count,    i, j, t) {
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                    t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
                }
            return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
        }
        { n = ++seen[$1]; rate[$1, n] = $2; p50[$1, n] = $3; p99[$1, n] = $4; wrong[$1] += $5 }
        END {
            count = split(names, name, " ")
            for (i = 1; i <= count; i++) {
                rounds = seen[name[i]]
                for (r = 1; r <= rounds; r++) {
                    a[r] = rate[name[i], r]; b[r] = p50[name[i], r]; c[r] = p99[name[i], r]
                    d[r] = a[r] / rate[name[1], r]
                    e[r] = b[r] / p50[name[1], r]
                    f[r] = c[r] / p99[name[1], r]
                }
                printf "%-16s %10.0f %8.0f %8.0f %8d", name[i], median(a, rounds),
                    median(b, rounds), median(c, rounds), wrong[name[i]]
                if (i > 1)
                    printf "   rate %.2f  p50 %.2f  p99 %.2f", median(d, rounds),
                        median(e, rounds), median(f, rounds)
                print ""
            }
        }' "$folder/results"
}

head() {
    printf '%s\n%-16s %10s %8s %8s %8s   beside the first\n' "$1" '' 'a second' 'p50 us' 'p99 us' \
        wrong
}

throughput() {
    local size name round
    start_door http
    size=$(warm http)
    start bare-http "$binaries/http_bare" "$size"
    start_door jsonrpc
    size=$(warm jsonrpc)
    start bare-jsonrpc "$binaries/evhttp_bare" "$size"
    for ((round = 0; round < rounds; round++)); do
        for name in bare-http http bare-jsonrpc jsonrpc; do
            turn "$name"
        done
    done
    head "$connections connections, $rounds turns of $seconds s"
    table bare-http http
    table bare-jsonrpc jsonrpc
}

# with_drip NAME: a turn of its honest clients beside those that drip.
with_drip() {
    local dripping target
    target=$(url "$1")
    target=${target#http://}
    : >"$folder/drip.out"
    taskset -c "$load_cpu" "$binaries/http_drip" --clients "$clients" "${target%/}" \
        >"$folder/drip.out" &
    dripping=$!
    started+=("$dripping")
    until grep -q ready "$folder/drip.out" || ! kill -0 "$dripping" 2>/dev/null; do
        sleep 0.1
    done
    turn "$1" "$1+drip"
    kill "$dripping"
    wait "$dripping"
    unset "started[-1]"
}

drip() {
    local name round
    start_door http
    start_door jsonrpc
    warm http >/dev/null
    warm jsonrpc >/dev/null
    for ((round = 0; round < rounds; round++)); do
        for name in http jsonrpc; do
            turn "$name"
            with_drip "$name"
        done
    done
    head "$connections connections, beside $clients that drip, $rounds turns of $seconds s"
    table http http+drip
    table jsonrpc jsonrpc+drip
}

echo "load average $(cut -d ' ' -f 1-3 /proc/loadavg)"
for measure; do
    case $measure in
    throughput) throughput ;;
    drip) drip ;;
    *)
        echo "bench-http: no such measure: $measure" >&2
        exit 2
        ;;
    esac
    stop_all
done
echo "load average $(cut -d ' ' -f 1-3 /proc/loadavg)"
