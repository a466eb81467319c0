#!/usr/bin/env python3
"""SIGTERM while requests are under way: whatever took effect was answered, answers are whole, each
connection ends in order, the exit code is 0 (MATCHING_BINARY names the program).

What took effect is seen through the trades that an observer is told of: one large order rests, and
each request trades a little of it.
"""

import json
import os
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))
sys.path.insert(0, os.path.join(HERE, "..", "conformance"))

from bad_input import RawHttp, post  # noqa: E402
from server import DEADLINE_S, Server  # noqa: E402
from ws import Closed, WebSocket  # noqa: E402

CONNECTIONS, EACH = 40, 25
BUY = b'"trader_id":"bob","side":"buy","price":10,"quantity":0.0001'


def until_closed(ws):
    """All messages, and how it ended."""
    messages = []
    while True:
        try:
            messages.append(json.loads(ws.receive()))
        except Closed as closed:
            return messages, closed.code


class Stop(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server(shards=2))
        self.observer = self.enterContext(WebSocket(self.server.websocket))
        self.observer.send('{"type":"subscribe","channels":["trades"],"symbols":["BTCUSDT"]}')
        self.assertIn("subscribed", self.observer.receive())
        with RawHttp(self.server.http) as http:
            http.send(post(b"/api/orders",
                           b'{"trader_id":"ann","side":"sell","price":10,"quantity":1000}'))
            self.assertEqual(http.answer()[0], 200)

    def terminate(self):
        self.server.process.send_signal(signal.SIGTERM)

    def ends_well(self):
        """Gives the orders that took effect, as far as the market was told."""
        messages, code = until_closed(self.observer)
        self.assertEqual(code, 1001)
        self.assertEqual([one["trade_id"] for one in messages], list(range(1, len(messages) + 1)))
        self.assertEqual(self.server.process.wait(DEADLINE_S), 0)
        return {one["buy_order_id"] for one in messages}

    def test_websocket(self):
        senders = [self.enterContext(WebSocket(self.server.websocket)) for _ in range(CONNECTIONS)]
        for number in range(EACH):
            for sender in senders:
                sender.send(b'{"type":"limit_order","id":%d,' % number + BUY + b"}")
        self.assertIn("order_ack", senders[0].receive())  # it is busy with them
        self.terminate()
        answered = set()
        for at, sender in enumerate(senders):
            messages, code = until_closed(sender)
            self.assertEqual(code, 1001)
            acks = [one for one in messages if one["type"] == "order_ack"]
            self.assertLessEqual({one["status"] for one in acks}, {"filled"})
            self.assertLessEqual({one["code"] for one in messages if one not in acks},
                                 {"SHUTTING_DOWN"})
            # None is left out; refusals may overtake what is still being done.
            first = 1 if at == 0 else 0
            self.assertEqual(sorted(one["id"] for one in messages),
                             list(range(first, first + len(messages))))
            self.assertEqual([one["id"] for one in acks], list(range(first, first + len(acks))))
            answered |= {one["order_id"] for one in acks}
        traded = self.ends_well()
        self.assertTrue(answered)
        self.assertLessEqual(len(traded - answered), 1)  # the one that was read before

    def http_answers(self, address, request, once=True):
        """Sends it on many connections, ends the server. The answers that came, and the orders that
        traded."""
        clients = [self.enterContext(RawHttp(address)) for _ in range(CONNECTIONS)]
        for client in clients:  # accepted, and answered once, so that nothing waits in the backlog
            client.send(request)
        first = [client.answer() for client in clients]
        for client in clients:
            client.send(request * (1 if once else EACH))
        self.terminate()
        answers = list(first)
        for client in clients:
            while (answer := client.answer()) is not None:
                answers.append(answer)
            self.assertEqual(client.data, b"")  # no half answer
        return answers, self.ends_well()

    def check_bodies(self, bodies, traded):
        answered = {body["order_id"] for body in bodies if "order_id" in body}
        self.assertGreaterEqual(len(answered), CONNECTIONS)
        self.assertLessEqual(traded, answered)

    def test_http(self):
        answers, traded = self.http_answers(
            self.server.http, post(b"/api/orders", b"{" + BUY + b"}"), once=False)
        self.assertLessEqual({status for status, _, _ in answers}, {200, 503})
        self.check_bodies([json.loads(body) for _, _, body in answers], traded)

    def test_jsonrpc(self):
        call = b'{"jsonrpc":"2.0","id":1,"method":"place_limit_order","params":{' + BUY + b"}}"
        batch = b"[" + b",".join([call] * EACH) + b"]"
        answers, traded = self.http_answers(self.server.jsonrpc, post(b"/", batch))
        self.assertLessEqual({status for status, _, _ in answers}, {200, 503})
        bodies = []
        for _, _, body in answers:
            one_batch = json.loads(body)
            one_batch = one_batch if isinstance(one_batch, list) else [one_batch]
            for one in one_batch:
                if "error" in one:
                    self.assertEqual(one["error"]["data"]["code"], "SHUTTING_DOWN", one)
            bodies += [one["result"] for one in one_batch if "result" in one]
        self.check_bodies(bodies, traded)

    def test_idle_connections_do_not_delay_the_end(self):
        idle = [self.enterContext(WebSocket(self.server.websocket)),
                self.enterContext(RawHttp(self.server.http)),
                self.enterContext(RawHttp(self.server.jsonrpc))]
        for http in idle[1:]:
            http.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le")  # and never goes on
        self.terminate()
        self.ends_well()

    def test_a_client_that_reads_nothing_does_not_hold_the_end(self):
        deaf = self.enterContext(WebSocket(self.server.websocket))
        deaf.send('{"type":"subscribe","channels":["trades","book","depth"]}')
        with RawHttp(self.server.http) as http:
            for _ in range(200):
                http.send(post(b"/api/orders", b"{" + BUY + b"}"))
                self.assertEqual(http.answer()[0], 200)
        self.terminate()
        self.ends_well()

    def test_nobody_new_is_let_in(self):
        sender = self.enterContext(WebSocket(self.server.websocket))
        self.terminate()
        until_closed(sender)
        self.ends_well()
        for door in ("websocket", "http", "jsonrpc"):
            with self.assertRaises(OSError):
                RawHttp(getattr(self.server, door)).__exit__()

    def test_more_signals_change_nothing(self):
        deaf = self.enterContext(WebSocket(self.server.websocket))  # keeps it waiting for a while
        self.terminate()
        until_closed(self.observer)  # it is on its way out
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            self.server.process.send_signal(number)
        self.assertIsNone(self.server.process.poll())
        until_closed(deaf)
        self.assertEqual(self.server.process.wait(DEADLINE_S), 0)


if __name__ == "__main__":
    unittest.main()
