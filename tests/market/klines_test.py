#!/usr/bin/env python3
"""The prices and quantities of real trades through the WebSocket door, as fast as they go: the
candles of all channels kline:* are those that the channel `trades` leads to.

    klines_test.py PROGRAM TRADES.json.xz

Exit codes: 0 all is right, 77 skipped (no such file), 1 anything else.
"""

import json
import lzma
import os
import sys
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "clients"), os.path.join(HERE, "..", "conformance")]

from server import Server, skip  # noqa: E402
from ws import WebSocket  # noqa: E402

SECONDS = {"s1": 1, "s30": 30, "m1": 60, "m5": 300, "m15": 900, "h1": 3600, "h4": 14400,
           "d1": 86400}
CONFIG = """
[symbol.XBTUSDT]
id = 1
tick_size = 0.1
lot_size = 0.00000001
"""


def loads(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


class Candles:
    """By interval and begin, from trades."""

    def __init__(self):
        self.all = {interval: {} for interval in SECONDS}

    def add(self, trade):
        second, price = int(trade["timestamp"]) // 1000, trade["price"]
        for interval, length in SECONDS.items():
            begin = second - second % length
            candle = self.all[interval].setdefault(begin, {
                "time": begin, "open": price, "high": price, "low": price, "close": price,
                "volume": Decimal(0), "update_count": 0})
            candle["high"], candle["low"] = max(candle["high"], price), min(candle["low"], price)
            candle["close"] = price
            candle["volume"] += trade["quantity"]
            candle["update_count"] += 1


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def feed(address, rows):
    """Two orders for each trade; the trades as they are told to somebody else, and the candles."""
    trader, watcher = WebSocket(address), WebSocket(address)
    channels = ["trades"] + [f"kline:{interval}" for interval in SECONDS]
    watcher.send(json.dumps({"type": "subscribe", "channels": channels}))
    check(loads(watcher.receive())["type"] == "subscribed", "no answer to subscribe")
    expected, told, finals = Candles(), {}, {interval: [] for interval in SECONDS}

    def hear():
        message = loads(watcher.receive())
        if message["type"] == "trade":
            expected.add(message)
            return 1
        check(message["type"] == "kline", f"{message}")
        data = message["data"]
        if data.pop("is_final"):
            finals[message["interval"]].append(data)
        else:
            told[message["interval"]] = data
        return 0
    heard = 0
    for number, (price, volume, *_) in enumerate(rows, 1):
        for who, side in (("maker", "sell"), ("taker", "buy")):
            trader.send(json.dumps({
                "type": "limit_order", "trader_id": who, "side": side, "price": price,
                "quantity": volume}))
        for _ in range(2):
            check(loads(trader.receive())["type"] == "order_ack", "an order was refused")
        while heard < number:
            heard += hear()
    # The running day is told last with all of its trades, and the last second ends by the clock.
    while told["d1"] != [*expected.all["d1"].values()][-1] or len(finals["s1"]) < len(expected.all["s1"]):
        hear()
    return expected, told, finals


def main():
    program, path = sys.argv[1:]
    if not os.access(path, os.R_OK):
        skip(f"there is no {path} (MATCHING_TEST_DATA names another folder)")
    os.environ["MATCHING_BINARY"] = program
    with lzma.open(path) as file:
        rows = json.load(file)["result"]["XBTUSDT"]
    with Server(config=f"recent_trades = {len(rows)}\n" + CONFIG) as server:
        expected, told, finals = feed(server.websocket, rows)
        ended = 0
        for interval, candles in expected.all.items():
            of_feed = finals[interval]
            wanted = list(candles.values())
            check(of_feed == wanted[:len(of_feed)], f"final candles of {interval}")
            check(len(of_feed) >= len(wanted) - 1, f"a candle of {interval} did not come")
            ended += len(of_feed)
        check(told["d1"] == list(expected.all["d1"].values())[-1], "the day's candle")
    print(f"{len(rows)} trades, {ended} final candles agree")


if __name__ == "__main__":
    main()
