#!/bin/sh
# REST by curl: alice sells, bob buys, a third order is amended and cancelled, and the market's data
# is read in between.
#
#     rest.sh [ADDRESS]        (127.0.0.1:8080)
#
# Stops with curl's exit code at the first answer that is not a success.
set -eu
address=${1:-127.0.0.1:8080}

# call METHOD PATH [BODY]: shows the request and prints the answer on a line of its own.
call() {
    echo "$1 $2 ${3-}"
    if [ $# -gt 2 ]; then
        set -- -X "$1" -H 'Content-Type: application/json' -d "$3" "http://$address$2"
    else
        set -- -X "$1" "http://$address$2"
    fi
    answer=$(curl --silent --show-error --fail-with-body --max-time 10 "$@") || {
        code=$?
        echo "$answer"
        exit "$code"
    }
    echo "$answer"
    echo
}

# The order_id of the last answer.
order_id() { echo "$answer" | sed -n 's/.*"order_id":\([0-9]*\).*/\1/p' | head -n 1; }

call GET /health
call GET /api/symbols

# The type is limit where none is given; the instrument is the first one configured.
call POST /api/orders '{"trader_id":"alice","side":"sell","price":50000,"quantity":1}'
call GET '/api/market/depth?levels=5'
call POST /api/orders '{"trader_id":"bob","type":"market","side":"buy","quantity":0.4}'
call GET '/api/market/trades?limit=1'

# A client_order_id is a name of your own, with which an order can be found without its order_id.
call POST /api/orders '{"trader_id":"bob","side":"buy","price":49000,"quantity":2,"client_order_id":"b-1"}'
id=$(order_id)
call PATCH "/api/orders/$id" '{"quantity":1.5}'
call GET "/api/orders/$id"
call DELETE "/api/orders/$id"

# What alice still has in the book, and away with it.
call GET '/api/orders?trader_id=alice&status=working'
call DELETE '/api/orders?trader_id=alice'
