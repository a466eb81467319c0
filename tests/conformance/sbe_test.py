#!/usr/bin/env python3
"""The SBE door of the real program: who gets in, what a restart finds, slow clients, the example
clients, and what REST tells of trades that were reported (MATCHING_BINARY names the program).
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from doors import Rest  # noqa: E402
from sbe import NULL, ONE, Sbe, pack  # noqa: E402
from server import DEADLINE_S, Server  # noqa: E402
from ws import BINARY, TEXT, Closed, Refused  # noqa: E402

EXAMPLES = os.path.join(HERE, "..", "..", "examples", "clients")
UNAUTHORIZED = 26
FILLED = 2
TCP_ESTABLISHED = 1
CHANNEL_BOOK, CHANNEL_EXACT = 2, 4


def order(side, price, quantity=1, client_order_id=0, trader_id=b"", instrument_id=1):
    return {"client_order_id": client_order_id, "trader_id": trader_id,
            "instrument_id": instrument_id, "side": side, "order_type": 0, "time_in_force": 0,
            "flags": 0, "price": price * ONE, "quantity": quantity * ONE, "display_quantity": NULL,
            "stop_price": NULL, "expire_time": 0}


def next_of(sbe, *kinds):
    """The next message of one of these kinds."""
    while True:
        message = sbe.receive()
        if type(message).__name__ in kinds:
            return message


class Doors(unittest.TestCase):
    def start(self, config="", **options):
        self.server = self.enterContext(Server(config=config, **options))
        self.rest = Rest(self.server.http)
        self.addCleanup(self.rest.close)

    def connect(self, **headers):
        return self.enterContext(Sbe(self.server.sbe, **headers))

    def ask(self, path, **query):
        status, answer = self.rest.call("GET", path, query=query)
        self.assertEqual(status, 200, answer)
        return answer

    def enter(self, sbe, side, price, **fields):
        sbe.send("NewOrder", **order(side, price, **fields))
        report = next_of(sbe, "ExecutionReport", "Reject")
        self.assertEqual(type(report).__name__, "ExecutionReport", report)
        return report


class Access(Doors):
    def test_pages_let_in_by_the_star_may_follow_the_market_and_nothing_else(self):
        self.start('[sbe.cors]\nallow_origins = ["*"]\n')
        sbe = self.connect(Origin="https://elsewhere.example")
        sbe.send("Subscribe", instrument_id=1, channels=CHANNEL_BOOK, action=0)
        self.assertEqual(next_of(sbe, "BookUpdate", "Reject").best_bid, NULL)
        refused = (("NewOrder", order(0, 1, trader_id=b"ann")),
                   ("CancelOrder", {"client_order_id": 1, "order_id": 1, "instrument_id": 0}),
                   ("MassCancel", {"client_order_id": 1, "trader_id": b"ann", "instrument_id": 0}),
                   ("Logon", {"trader_id": b"ann", "flags": 0}),
                   ("Trade", {"trade_id": 1, "symbol": b"B", "price": 1.0, "quantity": 5}))
        for name, values in refused:
            sbe.send(name, **values)
            self.assertEqual(next_of(sbe, "Reject", "Heartbeat").code, UNAUTHORIZED)
        self.assertEqual(self.ask("/api/events/status")["sbe"], {"trades": "0", "volume": {}})

    def test_foreign_origins_and_hosts_are_refused(self):
        self.start()
        for headers in ({"Origin": "https://evil.example"}, {"host": "evil.example"}):
            with self.assertRaises(Refused) as refused:
                self.connect(**headers)
            self.assertEqual(refused.exception.status, 403)
        self.connect(Origin="http://localhost:5173").close()


class Trades(Doors):
    def test_reported_trades_are_counted(self):
        self.start()
        sbe = self.connect()
        frame = b"".join(pack("Trade", trade_id=i, symbol=b"E", price=2.5, quantity=3)
                         for i in range(1000))
        sbe.ws.send_frame(BINARY, frame + pack("Trade", trade_id=0, symbol=b"?", price=0.0,
                                               quantity=7) + pack("Heartbeat", timestamp=5))
        self.assertEqual(next_of(sbe, "Heartbeat", "Reject").timestamp, 5)
        self.assertEqual(self.ask("/api/events/status")["sbe"],
                         {"trades": "1001", "volume": {"ETHUSDT": "3000"}, "unlisted_volume": "7"})

    def test_progress_is_told(self):
        self.start()
        before = self.ask("/api/events/status")
        self.enter(self.connect(), 0, 1, trader_id=b"ann")
        after = self.ask("/api/events/status")
        self.assertIsNone(after["store"])
        for count in ("commands", "events"):
            self.assertGreater(int(after["shards"][0][count]), int(before["shards"][0][count]))


class Restarts(Doors):
    def test_orders_bound_to_a_connection_end_when_the_service_dies(self):
        data_dir = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "data")
        self.start(data_dir=data_dir)
        bound, free = self.connect(), self.connect()
        bound.send("Logon", trader_id=b"ann", flags=1)
        next_of(bound, "Heartbeat")
        one = self.enter(bound, 0, 10).order_id
        other = self.enter(free, 0, 11, trader_id=b"ann", client_order_id=7).order_id
        self.server.kill()
        self.start(data_dir=data_dir)
        self.assertEqual(self.ask(f"/api/orders/{one}")["reason"], "disconnect")
        sbe = self.connect()
        sbe.send("CancelOrder", client_order_id=8, order_id=other, instrument_id=1)
        report = next_of(sbe, "ExecutionReport", "Reject")
        self.assertEqual((report.client_order_id, report.exec_type, report.price),
                         (8, 2, 11 * ONE))
        sbe.send("NewOrder", **order(1, 9, trader_id=b"bob", client_order_id=1 << 63))
        report = next_of(sbe, "ExecutionReport", "Reject")
        self.assertEqual((report.client_order_id, report.status), (1 << 63, 0))


class Bound(Doors):
    """Orders that end with their connection, where the socket outlives it."""

    def bound(self):
        sbe = self.connect()
        sbe.send("Logon", trader_id=b"ann", flags=1)
        next_of(sbe, "Heartbeat")
        return sbe

    def wait_until_cancelled(self, trader_id):
        """How many orders there were."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            orders = self.ask("/api/orders", trader_id=trader_id)["orders"]
            if all(order.get("reason") == "disconnect" for order in orders):
                return len(orders)
            self.assertLess(time.monotonic(), deadline, orders)

    def is_there(self, sbe):
        """The server has not closed the socket, whatever it has sent."""
        state = sbe.ws.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state == TCP_ESTABLISHED

    def test_they_are_cancelled_though_the_client_does_not_answer_the_close(self):
        self.start()
        sbe = self.bound()
        self.enter(sbe, 0, 10)
        sbe.send("NewOrder", **order(0, 9))
        sbe.ws.send_frame(TEXT, b"no")  # before the second one is answered, perhaps
        self.assertEqual(self.wait_until_cancelled("ann"), 2)
        self.assertTrue(self.is_there(sbe))
        with self.assertRaises(Closed) as closed:
            next_of(sbe)
        self.assertEqual(closed.exception.code, 1003)

    def test_they_are_cancelled_while_a_slow_client_has_time_to_read(self):
        self.start("[sbe]\nmax_queue_bytes = 65536\n")
        slow, fast = self.bound(), self.connect()
        slow.ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.enter(slow, 0, 10, quantity=1_000_000)
        frame = b"".join(pack("NewOrder", **order(1, 10, trader_id=b"bob")) for _ in range(100))
        report = None
        while report is None or report.status == FILLED:  # until the slow one's order is gone
            fast.ws.send_frame(BINARY, frame)
            for _ in range(100):
                report = next_of(fast, "ExecutionReport")
        self.assertEqual(self.wait_until_cancelled("ann"), 1)
        self.assertTrue(self.is_there(slow))


class Slow(Doors):
    """Clients that do not read, with little room for what waits, and what metrics tell of them."""

    CONFIG = "[sbe]\nmax_queue_bytes = 65536\n"

    def actions(self):
        with urllib.request.urlopen(f"http://{self.server.http}/metrics",
                                    timeout=DEADLINE_S) as answer:
            text = answer.read().decode()
        return {action: int(count) for action, count in re.findall(
            r'^matching_slow_consumer_actions_total\{transport="sbe",action="(\w+)"\} (\d+)$',
            text, re.M)}

    def deaf(self, channel):
        """A subscriber whose socket takes little and who then reads nothing."""
        sbe = self.connect()
        sbe.ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sbe.send("Subscribe", instrument_id=1, channels=channel, action=0)
        sbe.send("Heartbeat", timestamp=1)
        next_of(sbe, "Heartbeat")
        return sbe

    TRADES = 6000

    def trade(self):
        """Trades, with a book that changes each time, and is empty in the end."""
        sbe = self.connect()
        frame = b"".join(pack("NewOrder", **order(i % 2, 2, trader_id=b"ann")) for i in range(100))
        for _ in range(self.TRADES // 50):
            sbe.ws.send_frame(BINARY, frame)
            for _ in range(150):  # an answer to each, and half of them trade later
                next_of(sbe, "ExecutionReport")
        return sbe

    def test_a_follower_of_trades_who_does_not_read_is_ended(self):
        self.start(self.CONFIG)
        deaf = self.deaf(CHANNEL_EXACT)
        trades, end = 0, time.monotonic() + 0.5  # for a moment it may seem to be about to read
        while trades <= self.TRADES or time.monotonic() < end:
            self.trade()
            trades += self.TRADES
        with self.assertRaises(Closed) as closed:
            last = 0
            while True:
                trade = next_of(deaf, "TradeExact")
                self.assertEqual(trade.trade_id, last + 1)
                last = trade.trade_id
        self.assertEqual((closed.exception.code, closed.exception.reason), (1008, "slow consumer"))
        self.assertLess(last, trades)
        self.assertEqual(self.actions(), {"close": 1, "conflate": 0, "pause": 0})

    def fill(self, deaf):
        """Asks for answers until there are so many that the door reads nothing more of it; how many."""
        sent, end = 0, time.monotonic() + DEADLINE_S
        while self.actions()["pause"] == 0:
            self.assertLess(time.monotonic(), end)
            if sent < 100_000:  # far more than sockets hold of the answers
                deaf.ws.send_frame(BINARY, b"".join(
                    pack("Heartbeat", timestamp=sent + i) for i in range(500)))
                sent += 500
        return sent

    @staticmethod
    def listen(deaf):
        """From now on it reads, and quickly. Before that, more room would take what waits for it."""
        deaf.ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def test_a_follower_of_the_book_gets_it_as_it_is_when_it_reads_again(self):
        self.start(self.CONFIG)
        deaf = self.deaf(CHANNEL_BOOK)
        self.fill(deaf)
        sbe = self.connect()
        for price in range(1, 21):
            self.enter(sbe, 0, price, quantity=13, trader_id=b"bob")
        actions = self.actions()
        self.assertEqual(actions["close"], 0)
        self.assertTrue(10 < actions["conflate"] <= 20, actions)  # two changes may be told as one
        self.listen(deaf)
        while True:
            update = next_of(deaf, "BookUpdate")
            if update.best_bid != NULL:
                break
        self.assertEqual((update.best_bid, update.bid_quantity), (20 * ONE, 13 * ONE))
        deaf.send("Heartbeat", timestamp=1 << 40)
        while next_of(deaf, "Heartbeat").timestamp != 1 << 40:
            pass

    def test_who_does_not_read_answers_is_not_read_until_it_does(self):
        self.start(self.CONFIG)
        deaf = self.deaf(CHANNEL_EXACT)
        sent = self.fill(deaf)
        self.listen(deaf)
        for i in range(sent):
            self.assertEqual(next_of(deaf, "Heartbeat").timestamp, i)
        actions = self.actions()
        self.assertGreater(actions.pop("pause"), 0)
        self.assertEqual(actions, {"close": 0, "conflate": 0})


class Examples(Doors):
    def test_the_python_client_holds_its_conversation(self):
        self.start()
        url = f"ws://{self.server.sbe}/"
        result = subprocess.run([sys.executable, "-B", os.path.join(EXAMPLES, "sbe_client.py"), url],
                                capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("TradeExact", result.stdout)


class Connections(Doors):
    def test_rest_lists_the_connection(self):
        self.start()
        sbe = self.connect()
        sbe.send("Logon", trader_id=b"ann", flags=0)
        next_of(sbe, "Heartbeat")
        sbe.send("Subscribe", instrument_id=0, channels=CHANNEL_BOOK, action=0)
        next_of(sbe, "BookUpdate")
        listed = self.ask("/api/ws/connections")
        self.assertIn('"ann"', json.dumps(listed))
        self.assertIn('"sbe"', json.dumps(listed))


if __name__ == "__main__":
    unittest.main(verbosity=2)
