#!/usr/bin/env python3
"""Bad input at a door of the real program: the right code, the connection lives as the contract says,
and nothing changes in any book.

    bad_input_test.py websocket|http|jsonrpc      (MATCHING_BINARY names the program)
"""

import json
import os
import random
import socket
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

import bad_bodies  # noqa: E402
import plain_json  # noqa: E402
from doors import Rest  # noqa: E402
from server import Server  # noqa: E402
from ws import BINARY, CLOSE, DEADLINE_S, PING, PONG, TEXT, Closed, WebSocket, connect  # noqa: E402

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
                    "trader_id": "ann", "side": side, "price": price, "quantity": 2, "symbol": symbol})
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


# ---- WebSocket ----------------------------------------------------------------------------------


class BadWebSocket(BadInput):
    def setUp(self):
        super().setUp()
        self.ws = self.enterContext(WebSocket(self.server.websocket))

    def answer(self):
        return plain_json.loads(self.ws.receive())

    def lives(self):
        self.ws.send('{"type":"ping","id":"alive?"}')
        answer = self.answer()
        self.assertEqual((answer["type"], answer.get("id")), ("pong", "alive?"))

    def refused(self, message, code, field=None, id_=None):
        answer = self.answer()
        self.assertEqual((answer["type"], answer.get("code"), answer.get("field"), answer.get("id")),
                         ("error", code, field, id_), shown(message))
        self.assertTrue(answer["message"])

    def closed(self, *codes):
        with self.assertRaises(Closed) as caught:
            while True:
                self.ws.receive()
        self.assertIn(caught.exception.code, codes)

    def test_what_is_no_json(self):
        for message in [b"", *bad_bodies.NOT_JSON]:
            self.ws.send(message)
            self.refused(message, "INVALID_JSON")
        self.lives()

    def test_what_is_no_object(self):
        for message in [b"[]", b"[{}]", *bad_bodies.NO_OBJECT]:
            self.ws.send(message)
            self.refused(message, "INVALID_MESSAGE")
        self.lives()

    def test_types_and_ids(self):
        for message, code, field in (
                ("{}", "MISSING_FIELD", "type"), ('{"type":null}', "MISSING_FIELD", "type"),
                ('{"type":1}', "INVALID_MESSAGE", "type"), ('{"type":["ping"]}', "INVALID_MESSAGE", "type"),
                ('{"type":""}', "UNKNOWN_TYPE", "type"), ('{"type":"Ping"}', "UNKNOWN_TYPE", "type"),
                ('{"type":"ping\\u0000"}', "UNKNOWN_TYPE", "type"),
                (json.dumps({"type": bad_bodies.LONG}), "UNKNOWN_TYPE", "type"),
                ('{"type":"ping","id":{}}', "INVALID_MESSAGE", "id"),
                ('{"type":"ping","id":true}', "INVALID_MESSAGE", "id"),
                (json.dumps({"type": "ping", "id": "x" * 65}), "INVALID_PARAMETER", "id")):
            self.ws.send(message)
            answer = self.answer()
            self.assertEqual((answer["type"], answer["code"]), ("error", code), shown(message))
            self.assertEqual(answer.get("field", field), field)
        self.lives()

    def test_bad_orders(self):
        for number, (order, code, field) in enumerate(bad_bodies.BAD_ORDERS):
            self.ws.send('{"id":%d,"type":"limit_order",%s' % (number, order[1:]))
            self.refused(order, code, field, plain_json.Number(number))
        for order in bad_bodies.HALF_PAIRS:
            self.ws.send('{"type":"limit_order",' + order[1:])
            self.assertIn(self.answer()["code"], bad_bodies.HALF_PAIR_CODES)
        self.lives()

    def test_bad_subscriptions(self):
        for rest, code, field in (
                ("", "MISSING_FIELD", "channels"), ('"channels":"trades"', "INVALID_MESSAGE", "channels"),
                ('"channels":[1]', "INVALID_MESSAGE", "channels"), ('"channels":[]', "INVALID_CHANNEL", "channels"),
                ('"channels":["gossip"]', "INVALID_CHANNEL", "channels"),
                ('"channels":["orders"]', "MISSING_FIELD", "trader_id"),
                ('"channels":["trades"],"symbols":"BTCUSDT"', "INVALID_MESSAGE", "symbols"),
                ('"channels":["trades"],"symbols":["NOPE"]', "UNKNOWN_SYMBOL", "symbols")):
            self.ws.send('{"type":"subscribe"%s}' % ("," + rest if rest else ""))
            self.refused(rest, code, field)
        self.lives()

    def test_binary_frames_are_refused_and_forgiven(self):
        self.ws.send_frame(BINARY, b'{"type":"ping"}')
        self.refused("binary", "UNSUPPORTED_FRAME")
        self.lives()

    def test_pipelined_garbage_is_answered_piece_by_piece(self):
        for number in range(200):
            self.ws.send(b"garbage %d" % number)
            self.ws.send(b'{"type":"ping","id":%d}' % number)
        for number in range(200):
            self.refused(number, "INVALID_JSON")
            self.assertEqual(self.answer()["id"], plain_json.Number(number))

    def test_a_message_in_fragments_is_one_message(self):
        message = b'{"type":"ping","id":"\xc3\xa9"}'
        for at in range(1, len(message)):
            self.ws.send_frame(TEXT, message[:at], final=False)
            self.ws.send_frame(PING, b"between")
            self.ws.send_frame(0, message[at:])
            answers = dict(self.ws.receive_frame()[::2] for _ in range(2))
            self.assertEqual(answers[PONG], b"between")
            self.assertEqual(json.loads(answers[TEXT])["id"], "é")

    def test_a_long_message_below_the_limit_is_only_a_bad_one(self):
        order = bad_bodies.order(trader_id=json.dumps("x" * 65000))
        self.ws.send('{"type":"limit_order",' + order[1:])
        self.refused(order, "INVALID_TRADER", "trader_id")
        self.lives()

    def test_a_message_over_the_limit_ends_the_connection(self):
        self.ws.send('{"type":"limit_order",' + bad_bodies.TOO_LARGE[1:])
        self.closed(1009)

    def test_fragments_over_the_limit_end_the_connection(self):
        self.ws.send_frame(TEXT, b'{"a":"', final=False)
        try:
            for _ in range(100):
                self.ws.send_frame(0, b"x" * 16384, final=False)
        except OSError:
            return  # it has closed already
        self.closed(1009)

    def test_text_that_is_not_utf8_ends_the_connection(self):
        for message in bad_bodies.NOT_UTF8:
            with WebSocket(self.server.websocket) as self.ws:
                self.ws.send(message)
                self.closed(1007)

    def test_frames_that_break_the_protocol_end_the_connection(self):
        ping = b'{"type":"ping"}'
        for what, frames in {
                "reserved bits": [(TEXT, ping, {"reserved": 7})],
                "unknown opcode": [(3, ping, {})],
                "unknown control opcode": [(11, b"", {})],
                "a control frame in parts": [(PING, b"", {"final": False})],
                "a long control frame": [(PING, b"x" * 126, {})],
                "a continuation of nothing": [(0, ping, {})],
                "a new message within one": [(TEXT, b"{", {"final": False}), (TEXT, ping, {})]}.items():
            with self.subTest(what), WebSocket(self.server.websocket) as self.ws:
                for opcode, payload, how in frames:
                    self.ws.send_frame(opcode, payload, **how)
                # libwebsockets ends some of these without a close frame.
                self.closed(1002, None)

    def test_a_frame_without_a_mask_does_no_harm(self):
        """RFC 6455 5.1 wants the connection closed; libwebsockets 4.1 takes the frame as it is."""
        self.ws.send_frame(TEXT, b'{"type":"ping"}', mask=False)
        try:
            self.assertEqual(self.answer()["type"], "pong")
        except Closed as closed:
            self.assertIn(closed.code, (1002, None))

    def test_close_frames_are_answered(self):
        for payload in (b"", b"\x03\xe8", b"\x03\xe8bye"):
            with WebSocket(self.server.websocket) as self.ws:
                self.ws.send_frame(CLOSE, payload)
                self.closed(1000, 1005)

    def test_noise_instead_of_frames_ends_only_its_own_connection(self):
        noise = random.Random(1)
        for _ in range(20):
            with WebSocket(self.server.websocket) as other:
                try:
                    other.socket.sendall(noise.randbytes(noise.randrange(1, 5000)))
                    other.socket.shutdown(socket.SHUT_WR)
                    while other.socket.recv(65536):
                        pass
                except OSError:
                    pass  # it was reset: ended as well
            self.lives()

    def test_a_client_that_vanishes_in_mid_message(self):
        for part in (b"\x81", b"\x81\xfe", b"\x81\xff\0\0\0\0", b"\x81\x85\1\2\3", b"\x01\x85\1\2\3\4abcde"):
            with WebSocket(self.server.websocket) as other:
                other.socket.sendall(part)
            self.lives()


class TooManyErrors(BadInput):
    config = "[websocket]\nmax_errors_in_a_row = 5\n"

    def test_only_errors_in_a_row_count_and_then_end_the_connection(self):
        with WebSocket(self.server.websocket) as ws:
            for turn in range(4):
                for _ in range(4):
                    ws.send(b"garbage")
                    self.assertEqual(json.loads(ws.receive())["code"], "INVALID_JSON")
                ws.send(b'{"type":"ping"}')
                self.assertEqual(json.loads(ws.receive())["type"], "pong", turn)
            for _ in range(5):
                ws.send(b"garbage")
                self.assertEqual(json.loads(ws.receive())["code"], "INVALID_JSON")
            with self.assertRaises(Closed) as caught:
                ws.receive()
            self.assertEqual(caught.exception.code, 1008)


# ---- HTTP, and JSON-RPC over it -----------------------------------------------------------------


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

NO_REQUESTS = [
    b"GARBAGE\r\n\r\n", b"\r\n\r\n\r\n", b"\x00\x00\x00\x00", b"GET\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
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
                    http.socket.shutdown(socket.SHUT_WR)
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
                    http.socket.shutdown(socket.SHUT_WR)
                    http.answer()
                except OSError:
                    pass
        with RawHttp(self.address) as http:
            self.lives(http)

    def test_a_client_that_vanishes_in_mid_request(self):
        request = post(self.path, self.good_body)
        for at in range(1, len(request), 7):
            with RawHttp(self.address) as http:
                http.send(request[:at])


class BadBodies(BadRequests):
    """Bodies that are not what they should be."""

    def test_a_body_that_is_not_said_to_be_json(self):
        for headers in (b"", b"Content-Type: text/plain\r\n", b"Content-Type: application/jsonx\r\n",
                        b"Content-Type: application/x-www-form-urlencoded\r\n",
                        b"Content-Type: multipart/form-data; boundary=x\r\n",
                        b"Content-Type: text/plain; application/json\r\n"):
            with self.subTest(headers), RawHttp(self.address) as http:
                http.send(post(self.path, self.good_body, headers))
                self.assertEqual(http.answer()[0], 415)

    def test_a_body_over_the_limit(self):
        with RawHttp(self.address) as http:
            try:
                http.send(post(self.path, self.wrap(bad_bodies.TOO_LARGE)))
            except OSError:
                pass  # it may end before all was sent
            answer = http.answer()
            if answer is not None:  # a reset may overtake it
                self.assertEqual(answer[0], 413)
                self.assertIn("MESSAGE_TOO_LARGE", answer[2])

    def test_a_limit_that_is_known_beforehand_is_told_beforehand(self):
        with RawHttp(self.address) as http:
            http.send(b"POST " + self.path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                      b"application/json\r\nContent-Length: 1000000000\r\n\r\n")
            self.assertEqual(http.answer()[0], 413)

    def wrap(self, order):
        return order.encode()


class BadHttp(BadBodies):
    door, path = "http", b"/api/orders"
    good_body = bad_bodies.order().encode()

    def refused(self, http, body, status, code, field=None):
        answer = http.answer()
        self.assertIsNotNone(answer, shown(body))
        self.assertEqual(answer[0], status, (shown(body), answer[2]))
        said = json.loads(answer[2])
        self.assertEqual((said["code"], said.get("field")), (code, field), shown(body))
        self.assertTrue(said["error"])

    def test_what_is_no_json(self):
        with RawHttp(self.address) as http:
            for body in [b"", *bad_bodies.NOT_JSON, *bad_bodies.NOT_UTF8]:
                http.send(post(self.path, body))
                self.refused(http, body, 400, "INVALID_JSON")
            for body in [b"[]", b"[{}]", *bad_bodies.NO_OBJECT]:
                http.send(post(self.path, body))
                self.refused(http, body, 400, "INVALID_MESSAGE")
            self.lives(http)

    def test_bad_orders(self):
        with RawHttp(self.address) as http:
            for order, code, field in bad_bodies.BAD_ORDERS:
                http.send(post(self.path, order.encode()))
                self.refused(http, order, 404 if code == "UNKNOWN_SYMBOL" else 400, code, field)
            for order in bad_bodies.HALF_PAIRS:
                http.send(post(self.path, order.encode()))
                self.assertIn(json.loads(http.answer()[2])["code"], bad_bodies.HALF_PAIR_CODES)
            self.lives(http)

    def test_pipelined_garbage_is_answered_in_turn(self):
        with RawHttp(self.address) as http:
            bad = post(self.path, b"garbage")
            http.send((GET + bad) * 50 + GET)
            self.assertEqual([http.answer()[0] for _ in range(101)], [200, 400] * 50 + [200])

    def test_bad_paths_and_queries(self):
        with RawHttp(self.address) as http:
            for target, status in ((b"/nowhere", 404), (b"/api/orders/abc", 400), (b"/api/orders/-1", 400),
                                   (b"/api/orders/9223372036854775808", 400), (b"/api/orders/1e3", 400),
                                   (b"/api/orders/%00", 400), (b"/api/orders/99999", 404),
                                   (b"/api/orders?limit=zz", 400), (b"/api/orders?limit=-1", 400),
                                   (b"/api/orders?limit=1e400", 400), (b"/api/orders?colour=blue", 400),
                                   (b"/api/orders?symbol=%zz", 400), (b"/api/orders?symbol=%ff", 404),
                                   (b"/api/orders?symbol=" + b"A" * 3000, 404),
                                   (b"/api/market/depth?levels=9223372036854775808", 400),
                                   (b"/api/market/depth?symbol=BTCUSDT%00", 404),
                                   (b"/../../etc/passwd", 404), (b"/%2e%2e/%2e%2e/etc/passwd", 404)):
                http.send(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = http.answer()
                self.assertIsNotNone(answer, target)
                self.assertEqual(answer[0], status, (shown(target), answer[2]))
                self.assertTrue(json.loads(answer[2])["code"])
            self.lives(http)

    def test_other_methods_are_refused_by_name(self):
        with RawHttp(self.address) as http:
            for method, path, allowed in ((b"PUT", b"/api/orders", "POST"), (b"DELETE", b"/health", "GET"),
                                          (b"POST", b"/api/time", "GET"), (b"TRACE", b"/health", "GET"),
                                          (b"BREW", b"/health", "GET")):
                http.send(method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
                status, headers, _ = http.answer()
                self.assertEqual(status, 405, method)
                self.assertIn(allowed, headers["allow"])
            self.lives(http)


class BadJsonRpc(BadBodies):
    door, path = "jsonrpc", b"/"
    good_body = (b'{"jsonrpc":"2.0","id":1,"method":"place_limit_order","params":' +
                 bad_bodies.order().encode() + b"}")

    def lives(self, http):
        http.send(post(self.path, b'{"jsonrpc":"2.0","id":"alive?","method":"health"}'))
        status, _, body = http.answer()
        self.assertEqual((status, json.loads(body)["id"]), (200, "alive?"))

    def wrap(self, order):
        return b'{"jsonrpc":"2.0","id":7,"method":"place_limit_order","params":' + order.encode() + b"}"

    def error(self, http, body):
        http.send(post(self.path, body))
        answer = http.answer()
        self.assertIsNotNone(answer, shown(body))
        self.assertEqual(answer[0], 200, (shown(body), answer[2]))
        said = json.loads(answer[2])
        self.assertEqual(set(said), {"jsonrpc", "error", "id"}, said)
        return said["error"], said["id"]

    def test_what_is_no_json(self):
        with RawHttp(self.address) as http:
            for body in [b"", *bad_bodies.NOT_JSON, *bad_bodies.NOT_UTF8]:
                error, id_ = self.error(http, body)
                self.assertEqual((error["code"], error["data"]["code"], id_),
                                 (-32700, "INVALID_JSON", None), shown(body))
            self.lives(http)

    def test_what_is_no_request_object(self):
        with RawHttp(self.address) as http:
            for body in [*bad_bodies.NO_OBJECT, b"[]", b"{}", b'{"jsonrpc":"2.0"}',
                         b'{"jsonrpc":"1.0","method":"health","id":1}', b'{"method":"health","id":1}',
                         b'{"jsonrpc":2.0,"method":"health","id":1}', b'{"jsonrpc":"2.0","method":1,"id":1}',
                         b'{"jsonrpc":"2.0","method":"health","id":{}}',
                         b'{"jsonrpc":"2.0","method":"health","id":true}',
                         b'{"jsonrpc":"2.0","method":"health","params":"x","id":1}',
                         b'{"jsonrpc":"2.0","method":"health","params":1,"id":1}']:
                error, _ = self.error(http, body)
                self.assertEqual((error["code"], error["data"]["code"]), (-32600, "INVALID_MESSAGE"),
                                 shown(body))
            error, id_ = self.error(http, b'{"jsonrpc":"2.0","method":"no_such_thing","id":5}')
            self.assertEqual((error["code"], error["data"]["code"], id_), (-32601, "UNKNOWN_TYPE", 5))
            error, _ = self.error(http, b'{"jsonrpc":"2.0","method":"place_order","params":[1,2],"id":5}')
            self.assertEqual((error["code"], error["data"]["code"]), (-32602, "INVALID_MESSAGE"))
            self.lives(http)

    def test_bad_orders(self):
        with RawHttp(self.address) as http:
            for order, code, field in bad_bodies.BAD_ORDERS:
                error, id_ = self.error(http, self.wrap(order))
                self.assertEqual((error["data"]["code"], error["data"].get("field"), id_), (code, field, 7),
                                 shown(order))
                self.assertEqual(error["code"], -32000 if code == "UNKNOWN_SYMBOL" else -32602)
            for order in bad_bodies.HALF_PAIRS:
                error, _ = self.error(http, self.wrap(order))
                self.assertIn(error["data"]["code"], bad_bodies.HALF_PAIR_CODES)
            self.lives(http)

    def test_a_batch_of_garbage_is_answered_piece_by_piece(self):
        with RawHttp(self.address) as http:
            http.send(post(self.path, b'[1,"x",null,[],{},{"jsonrpc":"2.0","method":"health","id":9},'
                                      b'{"jsonrpc":"2.0","method":"health"}]'))
            status, _, body = http.answer()
            answers = json.loads(body)
            self.assertEqual(status, 200)
            self.assertEqual([one["error"]["code"] for one in answers if "error" in one], [-32600] * 5)
            self.assertEqual([one["id"] for one in answers if "result" in one], [9])

    def test_bad_notifications_are_not_answered(self):
        with RawHttp(self.address) as http:
            for body in (b'{"jsonrpc":"2.0","method":"no_such_thing"}',
                         b'{"jsonrpc":"2.0","method":"place_limit_order","params":{"price":-1}}',
                         b'[{"jsonrpc":"2.0","method":"cancel_order","params":{"order_id":99999}}]'):
                http.send(post(self.path, body))
                status, _, said = http.answer()
                self.assertEqual((status, said), (204, ""))
            self.lives(http)

    def test_pipelined_garbage_is_answered_in_turn(self):
        with RawHttp(self.address) as http:
            good = post(self.path, b'{"jsonrpc":"2.0","id":1,"method":"health"}')
            http.send((good + post(self.path, b"garbage")) * 50)
            for _ in range(50):
                self.assertIn('"result"', http.answer()[2])
                self.assertIn("-32700", http.answer()[2])


class BadHttpAtTheWebSocketPort(BadRequests):
    """What is no WebSocket handshake."""

    door, path, good_body = "websocket", b"/ws", b"{}"

    def test_requests_that_are_no_handshake(self):
        for target, headers in ((b"/ws", b""), (b"/", b""), (b"/nowhere", b""),
                                (b"/ws", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"),
                                (b"/ws", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                         b"Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: x\r\n"),
                                (b"/nowhere", b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-"
                                              b"Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")):
            with self.subTest(target=target, headers=headers), RawHttp(self.address) as http:
                http.send(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
                answer = http.answer()
                self.assertTrue(answer is None or 400 <= answer[0] < 500, answer)


CASES = {"websocket": (BadWebSocket, TooManyErrors, BadHttpAtTheWebSocketPort), "http": (BadHttp,),
         "jsonrpc": (BadJsonRpc,)}

if __name__ == "__main__":
    cases = [unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in CASES[sys.argv[1]]]
    result = unittest.TextTestRunner().run(unittest.TestSuite(cases))
    sys.exit(not result.wasSuccessful())
