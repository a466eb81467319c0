#!/usr/bin/env python3
"""Bad input at the WebSocket door of the real program: the right code, the connection lives as the
contract says, and nothing changes in any book (MATCHING_BINARY names the program).
"""

import json
import random
import socket
import unittest

import bad_bodies
import bad_input
import plain_json
from bad_input import RawHttp, shown
from ws import BINARY, CLOSE, PING, PONG, TEXT, Closed, WebSocket


class BadWebSocket(bad_input.BadInput):
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
        self.assertEqual(
            (answer["type"], answer.get("code"), answer.get("field"), answer.get("id")),
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
                ('{"type":1}', "INVALID_MESSAGE", "type"),
                ('{"type":["ping"]}', "INVALID_MESSAGE", "type"),
                ('{"type":""}', "UNKNOWN_TYPE", "type"),
                ('{"type":"Ping"}', "UNKNOWN_TYPE", "type"),
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
                ("", "MISSING_FIELD", "channels"),
                ('"channels":"trades"', "INVALID_MESSAGE", "channels"),
                ('"channels":[1]', "INVALID_MESSAGE", "channels"),
                ('"channels":[]', "INVALID_CHANNEL", "channels"),
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
        broken = {
                "reserved bits": [(TEXT, ping, {"reserved": 7})],
                "unknown opcode": [(3, ping, {})],
                "unknown control opcode": [(11, b"", {})],
                "a control frame in parts": [(PING, b"", {"final": False})],
                "a long control frame": [(PING, b"x" * 126, {})],
                "a continuation of nothing": [(0, ping, {})],
                "a new message within one": [(TEXT, b"{", {"final": False}), (TEXT, ping, {})]}
        for what, frames in broken.items():
            with self.subTest(what), WebSocket(self.server.websocket) as self.ws:
                for opcode, payload, how in frames:
                    self.ws.send_frame(opcode, payload, **how)
                self.closed(1002)

    def test_a_frame_without_a_mask_ends_the_connection(self):
        self.ws.send_frame(TEXT, b'{"type":"ping"}', mask=False)
        self.closed(1002)

    def test_close_frames_are_answered(self):
        for payload in (b"", b"\x03\xe8", b"\x03\xe8bye"):
            with WebSocket(self.server.websocket) as self.ws:
                self.ws.send_frame(CLOSE, payload)
                self.closed(1000 if payload else 1005)

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
        for part in (b"\x81", b"\x81\xfe", b"\x81\xff\0\0\0\0", b"\x81\x85\1\2\3",
                     b"\x01\x85\1\2\3\4abcde"):
            with WebSocket(self.server.websocket) as other:
                other.socket.sendall(part)
            self.lives()


class TooManyErrors(bad_input.BadInput):
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


class BadHttpAtTheWebSocketPort(bad_input.BadRequests):
    """What is no WebSocket handshake."""

    door, path, good_body = "websocket", b"/ws", b"{}"

    def test_requests_that_are_no_handshake(self):
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        version, key = b"Sec-WebSocket-Version: ", b"\r\nSec-WebSocket-Key: "
        for target, headers in (
                (b"/ws", b""), (b"/", b""), (b"/nowhere", b""), (b"/ws", upgrade),
                (b"/ws", upgrade + version + b"7" + key + b"x\r\n"),
                (b"/nowhere", upgrade + version + b"13" + key + b"AAAAAAAAAAAAAAAAAAAAAA==\r\n")):
            with self.subTest(target=target, headers=headers), RawHttp(self.address) as http:
                http.send(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n" + headers +
                          b"\r\n")
                answer = http.answer()
                self.assertTrue(answer is None or 400 <= answer[0] < 500, answer)


if __name__ == "__main__":
    unittest.main()
