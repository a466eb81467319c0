"""What tests of bad input share: a server whose books must not change, and a raw HTTP client."""

import os
import random
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from doors import Rest  # noqa: E402
from server import Server  # noqa: E402
from ws import connect  # noqa: E402

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CONFIG = "[websocket]\nmax_errors_in_a_row = 0\n"


class BadInput(unittest.TestCase):
    """A server with a few orders in its books, the same before and after each test."""

    config = CONFIG

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(shards=2, config=cls.config))
        cls.rest = Rest(cls.server.http)
        cls.addClassCleanup(cls.rest.close)
        for symbol in SYMBOLS:
            for side, price in (("buy", 10), ("buy", 9), ("sell", 11), ("sell", 10)):
                status, body = cls.rest.call("POST", "/api/orders", {
                    "trader_id": "ann", "side": side, "price": price, "quantity": 2,
                    "symbol": symbol})
                assert status == 200, body

    def state(self):
        def ask(path):
            status, body = self.rest.call("GET", path)
            self.assertEqual(status, 200, body)
            return body
        return [ask("/api/orders"), ask("/api/symbols")] + [
            ask(f"/api/market/{what}?symbol={symbol}") for symbol in SYMBOLS
            for what in ("depth", "trades")]

    def setUp(self):
        self.before = self.state()

    def tearDown(self):
        self.assertEqual(self.state(), self.before)
        self.assertIsNone(self.server.process.poll())


def shown(text):
    return repr(text)[:100]


class RawHttp:
    """A connection that sends bytes and reads answers, several if they come."""

    def __init__(self, address):
        self.socket = connect(address)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """(status, headers, body); None where the connection ends without one."""
        while b"\r\n\r\n" not in self.data:
            if not self._more():
                return None
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(self.data) < length:
            if not self._more():
                return None
        body, self.data = self.data[:length], self.data[length:]
        return int(lines[0].split()[1]), headers, body.decode()

    def _more(self):
        try:
            part = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.data += part
        return bool(part)


def post(path, body, headers=b"Content-Type: application/json\r\n"):
    return (b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + headers +
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"

CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

NO_REQUESTS = [
    b"GARBAGE\r\n\r\n", b"\x01\x02 \x03\xff\r\n\r\n", b"GET\r\n\r\n",
    b"GET  HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", CHUNKED + b"ffffffffffffffffff\r\n{}",
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20000)) + b"\r\n",
]

# Not as they should be, but a library may understand them.
ODD_REQUESTS = [b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET /health HTTP/1.1\r\n\r\n",
                b"GET /health\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /health HTTP/1.1\nHost: localhost\n\n"]


class BadRequests(BadInput):
    """Bytes that are no HTTP."""

    door = None

    @property
    def address(self):
        return getattr(self.server, self.door)

    def lives(self, http):
        http.send(GET)
        status, _, _ = http.answer()
        self.assertEqual(status, 200)

    def test_what_is_no_request_does_no_harm(self):
        for request in NO_REQUESTS + ODD_REQUESTS:
            with self.subTest(request=shown(request)), RawHttp(self.address) as http:
                try:
                    http.send(request)
                except OSError:
                    pass  # refused before all was sent
                answer = http.answer()
                self.assertTrue(answer is None or 400 <= answer[0] <= 505 or
                                (answer[0] == 200 and request in ODD_REQUESTS), answer)
            with RawHttp(self.address) as http:
                self.lives(http)

    def test_noise_does_no_harm(self):
        noise = random.Random(2)
        for _ in range(20):
            with RawHttp(self.address) as http:
                try:
                    http.send(noise.randbytes(noise.randrange(1, 5000)) + b"\r\n\r\n")
                except OSError:
                    pass  # it has been refused already
        with RawHttp(self.address) as http:
            self.lives(http)

    def test_a_client_that_vanishes_in_mid_request(self):
        request = post(self.path, self.good_body)
        for at in range(1, len(request), 7):
            with RawHttp(self.address) as http:
                http.send(request[:at])
