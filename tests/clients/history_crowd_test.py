#!/usr/bin/env python3
"""Very many clients ask for pages of history at the same moment, and each of them gets its own.

The bytes are written by hand: it takes thousands of clients in one process.
"""

import base64
import json
import os
import resource
import selectors
import socket
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from server import DEADLINE_S, Server

READERS = 1000  # of REST, and of JSON-RPC
CHART_CLIENTS = 1000
TOGETHER = 500  # that connect at a time
SPARE_FILES = 500
# Memory forgets soon, and nobody has to answer pings.
CONFIG = ("recent_trades = 16\n[telemetry]\nlog_level = \"warn\"\n"
          "[socketio]\nping_interval = 600\n")
CROWD_DEADLINE_S = 4 * DEADLINE_S


def http_request(method, path, body=None):
    text = b"" if body is None else json.dumps(body).encode()
    head = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n")
    return head.encode() + text


UPGRADE = ("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
           "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n\r\n").encode()


def frame(text):
    """A text message with a mask of zeros."""
    data = text.encode()
    assert len(data) < 126
    return bytes((0x81, 0x80 | len(data), 0, 0, 0, 0)) + data


def most_clients():
    """As the door's max_connections is, or as many as a process may have here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(10000, most - SPARE_FILES)


class Crowd:
    """Connections to one address that all do the same at the same time."""

    def __init__(self, test, address):
        host, port = address.rsplit(":", 1)
        self.address = host, int(port)
        self.sockets, self.texts = [], []
        self.selector = selectors.DefaultSelector()
        test.addCleanup(self.close)

    def close(self):
        for one in self.sockets:
            one.close()
        self.selector.close()

    def grow(self, count):
        """Returns the numbers of the new ones."""
        first = len(self.sockets)
        for number in range(first, first + count):
            one = socket.create_connection(self.address, timeout=DEADLINE_S)
            one.setblocking(False)
            self.selector.register(one, selectors.EVENT_READ, number)
            self.sockets.append(one)
            self.texts.append(b"")
        return range(first, first + count)

    def say(self, numbers, data):
        for number in numbers:
            if self.sockets[number].send(data) != len(data):
                raise RuntimeError("a request found no room in a socket")

    def hear(self, numbers, is_whole):
        """What each of these has got since, once that is whole; then it begins anew."""
        missing = set(numbers)
        end = time.monotonic() + CROWD_DEADLINE_S
        while missing:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(missing)} of {len(numbers)} have no answer")
            for key, _ in self.selector.select(1):
                part = key.fileobj.recv(1 << 16)
                self.texts[key.data] += part
                if part == b"":
                    self.selector.unregister(key.fileobj)
                if part == b"" or is_whole(self.texts[key.data]):
                    missing.discard(key.data)
        texts = [self.texts[number] for number in numbers]
        for number in numbers:
            self.texts[number] = b""
        return texts


def never(_):
    """Whole is what has come when the other side closes."""
    return False


class HistoryCrowd(unittest.TestCase):
    """Each test has a server of its own, with a store."""

    def setUp(self):
        self.most = most_clients()  # the server's too
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.server = self.enterContext(Server(config=CONFIG,
                                               data_dir=os.path.join(folder, "data")))
        for _ in range(50):  # more than memory has
            for side in ("buy", "sell"):
                self.rest("POST", "/api/orders", {"trader_id": "ann", "side": side, "price": 100,
                                                  "quantity": 1})
        end = time.monotonic() + CROWD_DEADLINE_S
        while not self.is_last_candle_final():
            self.assertLess(time.monotonic(), end)  # a second passes by itself
            time.sleep(0.05)  # who stores them gets a processor where nobody else wants it

    def rest(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://{self.server.http}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return json.load(answer)

    def is_last_candle_final(self):
        try:
            candles = self.rest("GET", "/api/market/klines?interval=s1&limit=1")["klines"]
        except urllib.error.HTTPError as refusal:
            self.assertEqual(refusal.code, 503)  # the store is catching up: to be asked again
            refusal.close()
            return False
        return candles[-1]["is_final"]

    def check_http(self, address, request):
        crowd = Crowd(self, address)
        readers = crowd.grow(READERS)
        crowd.say(readers, request)
        answers = crowd.hear(readers, never)
        self.assertEqual({text.split(b"\r\n", 1)[0] for text in answers}, {b"HTTP/1.1 200 OK"})
        bodies = {text.split(b"\r\n\r\n", 1)[1] for text in answers}
        self.assertEqual(len(bodies), 1)  # a final candle, an old trade: the same for all
        return json.loads(bodies.pop())

    def test_candles_over_rest(self):
        path = "/api/market/klines?interval=s1&from=1"
        body = self.check_http(self.server.http, http_request("GET", path))
        self.assertEqual(sum(candle["update_count"] for candle in body["klines"]), 50)

    def test_trades_over_rest(self):
        path = "/api/market/trades?from_id=1&limit=20"
        body = self.check_http(self.server.http, http_request("GET", path))
        self.assertEqual([trade["trade_id"] for trade in body["trades"]], list(range(1, 21)))

    def test_ended_orders_over_rest(self):
        body = self.check_http(self.server.http,
                               http_request("GET", "/api/orders?trader_id=ann&status=filled"))
        self.assertEqual(len(body["orders"]), 100)

    def test_candles_over_json_rpc(self):
        call = {"jsonrpc": "2.0", "id": 1, "method": "get_klines",
                "params": {"interval": "s1", "from": 1}}
        body = self.check_http(self.server.jsonrpc, http_request("POST", "/", call))
        self.assertEqual(sum(candle["update_count"] for candle in body["result"]["klines"]), 50)

    def ask_for_charts(self, count):
        crowd = Crowd(self, self.server.socketio)
        for begin in range(0, count, TOGETHER):
            some = crowd.grow(min(TOGETHER, count - begin))
            crowd.say(some, UPGRADE)
            crowd.hear(some, lambda text: b"\r\n\r\n" in text)
            crowd.say(some, frame("40/ws/kline,"))
            crowd.hear(some, lambda text: b'"supportedIntervals":[' in text and
                       text.endswith(b"]}]"))
        everybody = range(count)
        crowd.say(everybody, frame('42/ws/kline,7["get_history",{"interval":"s1","from":1}]'))
        answers = crowd.hear(everybody, lambda text: b"43/ws/kline,7[" in text and
                             text.endswith(b"}]"))
        pages = {text.split(b"43/ws/kline,7", 1)[1] for text in answers}
        self.assertEqual(len(pages), 1)
        page = json.loads(pages.pop())[0]
        self.assertEqual(sum(candle["update_count"] for candle in page["data"]), 50)
        self.assertIs(page["hasMore"], False)

    def test_charts(self):
        self.ask_for_charts(CHART_CLIENTS)

    def test_charts_of_as_many_as_may_connect(self):
        self.ask_for_charts(self.most)


if __name__ == "__main__":
    unittest.main()
