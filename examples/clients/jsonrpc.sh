#!/bin/sh
# JSON-RPC 2.0 by curl: single calls, a batch, a notification.
#
#     jsonrpc.sh [ADDRESS]        (127.0.0.1:3030)
#
# Stops with curl's exit code if the service does not answer.
set -eu
address=${1:-127.0.0.1:3030}

# call BODY: shows the request and prints the answer, which is empty for a notification.
call() {
    echo "> $1"
    printf '< '
    curl --silent --show-error --fail --max-time 10 -H 'Content-Type: application/json' -d "$1" \
        "http://$address/"
    echo
    echo
}

call '{"jsonrpc":"2.0","method":"health","id":1}'

# Parameters go by name. A side may be written in any case, or as B and S.
call '{"jsonrpc":"2.0","method":"place_limit_order","params":{"trader_id":"alice","side":"S","price":50000,"quantity":1},"id":2}'
call '{"jsonrpc":"2.0","method":"place_market_order","params":{"trader_id":"bob","side":"buy","quantity":0.4},"id":3}'

# A batch: one array of calls, one array of answers.
call '[{"jsonrpc":"2.0","method":"get_book_status","id":4},{"jsonrpc":"2.0","method":"get_trades","params":{"limit":1},"id":5},{"jsonrpc":"2.0","method":"get_open_orders","params":{"trader_id":"alice"},"id":6}]'

# Without an id it is a notification: it is carried out and not answered.
call '{"jsonrpc":"2.0","method":"cancel_all_orders","params":{"trader_id":"alice"}}'
call '{"jsonrpc":"2.0","method":"get_open_orders","params":{"trader_id":"alice"},"id":7}'
