-- What wrk sends to the doors of REST and JSON-RPC: limit orders, each second one of which fills the
-- one before, so that the book stays small.
--
--   wrk [options] -s orders.lua URL -- rest|rpc [check]
--
-- Prints one line: requests a second, p50 and p99 in microseconds, what went wrong. With `check`
-- every answer must tell of an order, and the mean size of a body comes behind.

local REQUESTS = 4096
local PRICES = 16
local TRADERS = 256

local requests = {}
local at = 0
local threads = {}

bad = 0
bytes = 0
answers = 0

function setup(thread)
    table.insert(threads, thread)
end

local function order(i)
    local pair = math.floor(i / 2)
    return string.format(
        '{"trader_id":"trader-%d","symbol":"BTCUSDT","side":"%s","price":%d,"quantity":0.5}',
        i % TRADERS, i % 2 == 0 and "buy" or "sell", 50000 + pair % PRICES)
end

function init(args)
    local headers = { ["Content-Type"] = "application/json" }
    local rpc = args[1] == "rpc"
    for i = 0, REQUESTS - 1 do
        local body = order(i)
        if rpc then
            body = string.format(
                '{"jsonrpc":"2.0","id":%d,"method":"place_limit_order","params":%s}', i, body)
        end
        requests[i] = wrk.format("POST", rpc and "/" or "/api/orders", headers, body)
    end
    if args[2] == "check" then
        response = function(status, _, body)
            answers = answers + 1
            bytes = bytes + #body
            if status ~= 200 or not body:find('"order_id":', 1, true) then
                bad = bad + 1
            end
        end
    end
end

function request()
    at = (at + 1) % REQUESTS
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    local size, count = 0, 0
    for _, thread in ipairs(threads) do
        wrong = wrong + thread:get("bad")
        size = size + thread:get("bytes")
        count = count + thread:get("answers")
    end
    io.write(string.format("result %.0f %.0f %.0f %d %.0f\n",
        summary.requests / (summary.duration / 1e6), latency:percentile(50),
        latency:percentile(99), wrong, count > 0 and size / count or 0))
end
