"""What tests of history have in common: a service with a store and little memory, which may be ended and
started again; questions through REST, JSON-RPC and Socket.IO; the candles that trades make.
"""

import json
import os
import random
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from doors import Rest  # noqa: E402
from server import DEADLINE_S, Server  # noqa: E402
from ws import WebSocket  # noqa: E402

# So little that nearly all of it has to come from the store.
MEMORY = "recent_trades = 16\nretained_orders = 64\n"
SECONDS = {"s1": 1, "s30": 30, "m1": 60, "m5": 300, "m15": 900, "h1": 3600, "h4": 14400,
           "d1": 86400}


def price_of(cents):
    """The number as JSON has it."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def fold(trades, interval):
    """The candles of trades, without is_final."""
    candles = []
    for trade in trades:
        second = trade["timestamp"] // 1000
        begin = second - second % SECONDS[interval]
        price, lots = float(trade["price"]), round(float(trade["quantity"]) * 10000)
        if not candles or candles[-1]["time"] != begin:
            candles.append({"time": begin, "open": price, "high": price, "low": price,
                            "close": price, "lots": 0, "update_count": 0})
        last = candles[-1]
        last["high"], last["low"] = max(last["high"], price), min(last["low"], price)
        last["close"] = price
        last["lots"] += lots
        last["update_count"] += 1
    return candles


def plain(candle):
    """A candle as fold makes it."""
    return {"time": int(candle["time"]), "open": float(candle["open"]),
            "high": float(candle["high"]), "low": float(candle["low"]),
            "close": float(candle["close"]), "lots": round(float(candle["volume"]) * 10000),
            "update_count": int(candle["update_count"])}


class Trader:
    """Orders over a WebSocket, many at a time."""

    def __init__(self, address):
        self.ws = WebSocket(address)
        self.random = random.Random(20251110)

    def close(self):
        self.ws.socket.close()

    def send(self, messages):
        """Sends them, and returns their replies."""
        replies = []
        for begin in range(0, len(messages), 100):
            part = messages[begin:begin + 100]
            for message in part:
                self.ws.send(json.dumps(message))
            replies += [json.loads(self.ws.receive()) for _ in part]
        return replies

    def trade(self, count, symbol="BTCUSDT"):
        """So many trades, each of two orders; the order ids that were given out."""
        messages = []
        for _ in range(count):
            price = price_of(self.random.randrange(9900, 10100))
            quantity = self.random.randrange(1, 50) / 10
            messages += [{"type": "limit_order", "trader_id": who, "side": side, "symbol": symbol,
                          "price": price, "quantity": quantity}
                         for who, side in (("ann", "sell"), ("bob", "buy"))]
        return [reply["order_id"] for reply in self.send(messages)]


class SocketIo:
    """Just enough of Socket.IO over one WebSocket to ask and be answered."""

    def __init__(self, address):
        self.ws = WebSocket(address, "/socket.io/?EIO=4&transport=websocket")
        self.ws.send("40/ws/kline,")
        self.wait("connection_success")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.socket.close()

    def wait(self, event):
        """The object of the next event of this name."""
        begin = f'42/ws/kline,["{event}",'
        while True:
            text = self.ws.receive()
            if text == "2":
                self.ws.send("3")
            elif text.startswith(begin):
                return json.loads(text[len("42/ws/kline,"):])[1]

    def ask(self, event, message):
        """The acknowledgement's object."""
        self.ws.send(f"42/ws/kline,7{json.dumps([event, message])}")
        while not (text := self.ws.receive()).startswith("43/ws/kline,7"):
            pass
        return json.loads(text[len("43/ws/kline,7"):])[0]


class HistoryCase(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.data_dir = os.path.join(folder, "data")
        self.start()

    def start(self):
        self.server = self.enterContext(Server(
            shards=2, data_dir=self.data_dir,
            config=MEMORY + "[journal]\nsegment_bytes = 1048576\nsync = \"none\"\n"))
        self.rest = Rest(self.server.http)
        self.rpc = Rest(self.server.jsonrpc)
        self.trader = Trader(self.server.websocket)
        for one in (self.rest, self.rpc, self.trader):
            self.addCleanup(one.close)

    def patiently(self, ask):
        """Asks again while the store is behind, as after a start; ask() gives a body and a code."""
        end = time.monotonic() + DEADLINE_S
        body, code = ask()
        while code == "OVERLOADED" and time.monotonic() < end:
            time.sleep(0.05)
            body, code = ask()
        self.assertIsNone(code, body)
        return body

    def get(self, path, **query):
        def ask():
            status, body = self.rest.call("GET", path, query=query)
            return body, None if status == 200 else body["code"]
        return self.patiently(ask)

    def call(self, method, **params):
        def ask():
            _, body = self.rpc.call(
                "POST", "/", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            if "error" in body:
                return body, body["error"]["data"]["code"]
            return body["result"], None
        return self.patiently(ask)

    def through(self, door, path, method, **query):
        return self.get(path, **query) if door == "rest" else self.call(method, **query)

    def trades(self, door="rest", **query):
        page = self.through(door, "/api/market/trades", "get_trades", **query)["trades"]
        return [{name: int(value) if name.endswith("id") or name == "timestamp" else value
                 for name, value in trade.items()} for trade in page]

    def orders(self, **query):
        return [order | {"order_id": int(order["order_id"])}
                for order in self.get("/api/orders", **query)["orders"]]

    def klines(self, door="rest", **query):
        return self.through(door, "/api/market/klines", "get_klines", **query)["klines"]

    def all_trades(self, **query):
        found, page = [], self.trades(from_id=1, limit=1000, **query)
        while page:
            found += page
            page = self.trades(from_id=found[-1]["trade_id"] + 1, limit=1000, **query)
        return found

    def page_orders(self, limit, **query):
        found, after = [], 0
        while page := self.orders(after=after, limit=limit, **query):
            found += page
            after = page[-1]["order_id"]
        return found

    def trade_for_seconds(self, count):
        """Trades until so many candles of a second are over."""
        with WebSocket(self.server.websocket) as ws:
            ws.send('{"type":"subscribe","channels":["kline:s1"],"symbols":["BTCUSDT"]}')
            ws.receive()
            for _ in range(count):
                self.trader.trade(20)
                while not json.loads(ws.receive())["data"]["is_final"]:
                    pass

    def history(self, io, **message):
        def ask():
            answer = io.ask("get_history", {"symbol": "BTCUSDT"} | message)
            return answer, "OVERLOADED" if answer.get("code") == 1003 else None
        answer = self.patiently(ask)
        return answer["data"], answer["hasMore"]
