#!/usr/bin/env python3
"""Bad input at the HTTP and the JSON-RPC door of the real program: the right code, the connection
lives as the contract says, and nothing changes in any book (MATCHING_BINARY names the program).
"""

import json
import socket
import unittest

import bad_bodies
import bad_input
from bad_input import GET, RawHttp, post, shown


class BadBodies:
    """Bodies that are not what they should be."""

    def test_a_body_that_is_not_said_to_be_json(self):
        for headers in (b"", b"Content-Type: text/plain\r\n",
                        b"Content-Type: application/jsonx\r\n",
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


class BadHttp(BadBodies, bad_input.BadRequests):
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
            for target, status in (
                    (b"/nowhere", 404), (b"/api/orders/abc", 400), (b"/api/orders/-1", 400),
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
            for method, path, allowed in (
                    (b"PUT", b"/api/orders", "POST"), (b"DELETE", b"/health", "GET"),
                    (b"POST", b"/api/time", "GET"), (b"TRACE", b"/health", "GET"),
                    (b"BREW", b"/health", "GET")):
                http.send(method + b" " + path +
                          b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
                status, headers, _ = http.answer()
                self.assertEqual(status, 405, method)
                self.assertIn(allowed, headers["allow"])
            self.lives(http)


class BadJsonRpc(BadBodies, bad_input.BadRequests):
    door, path = "jsonrpc", b"/"
    good_body = (b'{"jsonrpc":"2.0","id":1,"method":"place_limit_order","params":' +
                 bad_bodies.order().encode() + b"}")

    def lives(self, http):
        http.send(post(self.path, b'{"jsonrpc":"2.0","id":"alive?","method":"health"}'))
        status, _, body = http.answer()
        self.assertEqual((status, json.loads(body)["id"]), (200, "alive?"))

    def wrap(self, order):
        return (b'{"jsonrpc":"2.0","id":7,"method":"place_limit_order","params":' +
                order.encode() + b"}")

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
                         b'{"jsonrpc":"1.0","method":"health","id":1}',
                         b'{"method":"health","id":1}',
                         b'{"jsonrpc":2.0,"method":"health","id":1}',
                         b'{"jsonrpc":"2.0","method":1,"id":1}',
                         b'{"jsonrpc":"2.0","method":"health","id":{}}',
                         b'{"jsonrpc":"2.0","method":"health","id":true}',
                         b'{"jsonrpc":"2.0","method":"health","params":"x","id":1}',
                         b'{"jsonrpc":"2.0","method":"health","params":1,"id":1}']:
                error, _ = self.error(http, body)
                self.assertEqual((error["code"], error["data"]["code"]),
                                 (-32600, "INVALID_MESSAGE"), shown(body))
            error, id_ = self.error(http, b'{"jsonrpc":"2.0","method":"no_such_thing","id":5}')
            self.assertEqual((error["code"], error["data"]["code"], id_),
                             (-32601, "UNKNOWN_TYPE", 5))
            error, _ = self.error(
                http, b'{"jsonrpc":"2.0","method":"place_order","params":[1,2],"id":5}')
            self.assertEqual((error["code"], error["data"]["code"]), (-32602, "INVALID_MESSAGE"))
            self.lives(http)

    def test_bad_orders(self):
        with RawHttp(self.address) as http:
            for order, code, field in bad_bodies.BAD_ORDERS:
                error, id_ = self.error(http, self.wrap(order))
                self.assertEqual((error["data"]["code"], error["data"].get("field"), id_),
                                 (code, field, 7), shown(order))
                self.assertEqual(error["code"], -32000 if code == "UNKNOWN_SYMBOL" else -32602)
            for order in bad_bodies.HALF_PAIRS:
                error, _ = self.error(http, self.wrap(order))
                self.assertIn(error["data"]["code"], bad_bodies.HALF_PAIR_CODES)
            self.lives(http)

    def test_a_batch_of_garbage_is_answered_piece_by_piece(self):
        with RawHttp(self.address) as http:
            http.send(post(self.path, b'[1,"x",null,[],{},'
                                      b'{"jsonrpc":"2.0","method":"health","id":9},'
                                      b'{"jsonrpc":"2.0","method":"health"}]'))
            status, _, body = http.answer()
            answers = json.loads(body)
            self.assertEqual(status, 200)
            self.assertEqual([one["error"]["code"] for one in answers if "error" in one],
                             [-32600] * 5)
            self.assertEqual([one["id"] for one in answers if "result" in one], [9])

    def test_bad_notifications_are_not_answered(self):
        with RawHttp(self.address) as http:
            for body in (b'{"jsonrpc":"2.0","method":"no_such_thing"}',
                         b'{"jsonrpc":"2.0","method":"place_limit_order","params":{"price":-1}}',
                         b'[{"jsonrpc":"2.0","method":"cancel_order",'
                         b'"params":{"order_id":99999}}]'):
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


if __name__ == "__main__":
    unittest.main()
