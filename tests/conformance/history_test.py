#!/usr/bin/env python3
"""What can be asked of the past: trades, orders and candles that memory has let go, page by page,
also while more come, and after the service was killed. All through REST and JSON-RPC alike.

MATCHING_BINARY names the program.
"""

import itertools
import json
import queue
import threading
import time
import unittest

from history_case import SECONDS, HistoryCase, SocketIo, Trader, fold, plain
from server import DEADLINE_S
from ws import Closed, WebSocket


class Trading(threading.Thread):
    """Trades a little whenever it is told to, until it is stopped or the service dies: beside whoever
    tells it to, and never so much more that a slow machine's store is left behind."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.trader = Trader(address)
        self.wishes = queue.SimpleQueue()

    def run(self):
        try:
            while (count := self.wishes.get()) > 0:
                self.trader.trade(count)
        except (OSError, Closed):
            pass  # it was killed
        self.trader.close()

    def go_on(self):
        self.wishes.put(5)

    def stop(self):
        self.wishes.put(0)
        self.join()


class History(HistoryCase):
    # ---- Trades

    def test_trades_have_pages_in_both_directions(self):
        self.trader.trade(600)
        for door in ("rest", "jsonrpc"):
            newest = self.trades(door, limit=7)
            self.assertEqual([one["trade_id"] for one in newest], list(range(594, 601)))
            forward, backward, at = [], [], 1
            while page := self.trades(door, from_id=at, limit=97):
                forward += page
                at = page[-1]["trade_id"] + 1
            at = 601
            while page := self.trades(door, before_id=at, limit=97):
                backward = page + backward
                at = page[0]["trade_id"]
            self.assertEqual([one["trade_id"] for one in forward], list(range(1, 601)))
            self.assertEqual(forward, backward)
        middle = self.trades(from_id=200, before_id=205)
        self.assertEqual([one["trade_id"] for one in middle], list(range(200, 205)))
        self.assertEqual(middle, forward[199:204])

    def test_trades_are_what_was_told(self):
        with WebSocket(self.server.websocket) as ws:
            ws.send('{"type":"subscribe","channels":["trades"],"symbols":["BTCUSDT"]}')
            ws.receive()
            self.trader.trade(300)
            told = [json.loads(ws.receive()) for _ in range(300)]
        for trade in told:
            trade.pop("type")
        asked = self.all_trades()
        self.assertEqual([{name: str(value) for name, value in one.items()} for one in asked],
                         [{name: str(value) for name, value in one.items()} for one in told])

    def test_pages_of_trades_while_more_come(self):
        more = threading.Thread(target=self.trader.trade, args=(1000,))
        more.start()
        found, at = [], 1
        while more.is_alive() or page:
            page = self.trades(from_id=at, limit=31)
            found += page
            at = page[-1]["trade_id"] + 1 if page else at
        more.join()
        self.assertEqual([one["trade_id"] for one in found], list(range(1, 1001)))

    # ---- Orders

    def test_orders_have_pages_that_reach_back_to_the_first(self):
        ids = {"BTCUSDT": self.trader.trade(400), "ETHUSDT": self.trader.trade(300, "ETHUSDT")}
        working = [reply["order_id"] for reply in self.trader.send(
            [{"type": "limit_order", "trader_id": "ann", "side": "sell", "price": 200,
              "quantity": 1, "symbol": symbol} for symbol in ("BTCUSDT", "ETHUSDT") * 20])]
        gone = working[::2]
        self.trader.send([{"type": "cancel_order", "order_id": one} for one in gone])
        own = sorted(ids["BTCUSDT"][::2] + ids["ETHUSDT"][::2] + working)
        for limit in (37, 1000):
            found = self.page_orders(limit, trader_id="ann")
            self.assertEqual([one["order_id"] for one in found], own)
        by_status = {status: [one["order_id"] for one in
                              self.page_orders(100, trader_id="ann", status=status)]
                     for status in ("filled", "cancelled", "open", "working")}
        self.assertEqual(by_status["cancelled"], sorted(gone))
        self.assertEqual(by_status["working"], sorted(set(working) - set(gone)))
        self.assertEqual(by_status["open"], by_status["working"])
        self.assertEqual(by_status["filled"], sorted(set(own) - set(working)))
        eth = self.page_orders(41, trader_id="bob", symbol="ETHUSDT")
        self.assertEqual([one["order_id"] for one in eth], sorted(ids["ETHUSDT"][1::2]))
        self.assertEqual(len(self.page_orders(500)), 2 * 700 + 40)

    def test_an_order_that_ended_long_ago_is_found(self):
        first = self.trader.send([
            {"type": "limit_order", "trader_id": "ann", "side": "sell", "price": 100,
             "quantity": 2, "client_order_id": "mine"},
            {"type": "limit_order", "trader_id": "bob", "side": "buy", "price": 100,
             "quantity": 2}])[0]["order_id"]
        before = self.get(f"/api/orders/{first}")
        self.trader.trade(500)
        after = self.get(f"/api/orders/{first}")
        self.assertEqual(after, before)
        self.assertEqual(after["status"], "filled")
        self.assertEqual(self.call("get_order", order_id=first), before)
        self.assertEqual(self.call("get_order", trader_id="ann", client_order_id="mine"), before)
        self.assertEqual(self.get("/api/orders", trader_id="ann", client_order_id="mine"),
                         {"orders": [before]})
        update = self.trader.send([{"type": "get_order", "order_id": first}])[0]
        self.assertEqual((update["type"], update["status"]), ("order_update", "filled"))
        status, body = self.rest.call("GET", f"/api/orders/{first}", query={"trader_id": "bob"})
        self.assertEqual((status, body["code"]), (404, "ORDER_NOT_FOUND"))
        status, body = self.rest.call("GET", "/api/orders/9007199254740991")
        self.assertEqual((status, body["code"]), (404, "ORDER_NOT_FOUND"))

    def test_pages_of_orders_while_more_come(self):
        given = []
        more = threading.Thread(target=lambda: given.extend(self.trader.trade(800)))
        more.start()
        found, after, page = [], 0, []
        while more.is_alive() or page:
            page = self.orders(after=after, limit=23)
            found += [one["order_id"] for one in page]
            after = found[-1] if found else 0
        more.join()
        self.assertEqual(found, sorted(given))

    def test_pages_of_orders_while_some_stay(self):
        """Orders that work on and orders that end at once, one after the other: what is on a page
        of the newest must not hide an older one that was entered just before."""
        given = []

        def enter():
            for _ in range(20):
                given.extend(reply["order_id"] for reply in self.trader.send(
                    [{"type": "limit_order", "trader_id": "ann", "side": "buy", "price": 1,
                      "quantity": 1, "time_in_force": kind} for kind in ("GTC", "IOC") * 50]))
        more = threading.Thread(target=enter)
        more.start()
        found, after, page = [], 0, []
        while more.is_alive() or page:
            page = self.orders(after=after, limit=1000, trader_id="ann")
            found += [one["order_id"] for one in page]
            after = found[-1] if found else 0
        more.join()
        self.assertEqual(found, sorted(given))

    # ---- Candles

    def test_candles_are_those_of_the_trades(self):
        self.trader.trade(700)
        trades = self.all_trades()
        for interval in SECONDS:
            for door in ("rest", "jsonrpc"):
                candles = self.klines(door, interval=interval, limit=500)
                self.assertEqual([plain(one) for one in candles], fold(trades, interval))
                self.assertTrue(all(one["is_final"] for one in candles[:-1]))

    def test_candles_have_pages_in_both_directions(self):
        self.trade_for_seconds(4)
        expected = fold(self.all_trades(), "s1")
        forward, at = [], 0
        while page := self.klines(interval="s1", limit=1, **{"from": at}):
            forward += page
            at = int(page[-1]["time"]) + 1
        self.assertEqual([plain(one) for one in forward], expected)
        self.assertTrue(all(one["is_final"] for one in forward))
        backward, query = [], {}
        while page := self.klines(interval="s1", limit=1, **query):
            backward = page + backward
            query = {"to": int(page[0]["time"]) - 1}
        self.assertEqual(backward, forward)
        inner = self.klines(interval="s1", **{"from": expected[1]["time"],
                                              "to": expected[2]["time"]})
        self.assertEqual(inner, forward[1:3])

    def read_candles(self, door, io, begin):
        """The next few final candles from there on."""
        query = {"interval": "s1", "limit": 2, "from": begin}
        page = self.history(io, **query)[0] if door == "socketio" else self.klines(door, **query)
        self.assertTrue(all(one["is_final"] for one in page[:-1]))
        return [plain(one) for one in page if one["is_final"]]

    def read_until(self, found, count):
        """Reads on through all doors in turn until so many candles were found; trades meanwhile."""
        more = Trading(self.server.websocket)
        more.start()
        doors = itertools.cycle(("rest", "jsonrpc", "socketio"))
        end = time.monotonic() + DEADLINE_S
        with SocketIo(self.server.socketio) as io:
            while len(found) < count and time.monotonic() < end:
                more.go_on()
                found += self.read_candles(next(doors), io, found[-1]["time"] + 1 if found else 0)
        return more

    def test_pages_of_candles_while_more_come_and_over_a_kill(self):
        found = []
        more = self.read_until(found, 2)
        more.go_on()
        self.server.kill()  # in the midst of it
        more.stop()
        self.start()
        more = self.read_until(found, 5)
        more.stop()
        with SocketIo(self.server.socketio) as io:
            while page := self.read_candles("rest", io, found[-1]["time"] + 1):
                found += page
        expected = fold(self.all_trades(), "s1")
        self.assertGreaterEqual(len(found), 5)
        self.assertEqual(found, expected[:len(found)])
        self.assertLessEqual(len(expected) - len(found), 1)  # one may run

    def check_socketio_history(self, finals):
        finals = [{"time": int(one["time"]), "count": int(one["update_count"])} for one in finals]

        def seen(io, **message):
            data, has_more = self.history(io, interval="s1", **message)
            self.assertTrue(all(one["is_final"] for one in data))
            return ([{"time": one["time"], "count": one["update_count"]} for one in data], has_more)
        with SocketIo(self.server.socketio) as io:
            begin = finals[0]["time"]
            self.assertEqual(seen(io), (finals, False))
            self.assertEqual(seen(io, limit=2), (finals[-2:], True))
            self.assertEqual(seen(io, limit=2, **{"from": begin}), (finals[:2], True))
            self.assertEqual(seen(io, **{"from": begin + 1}), (finals[1:], False))
            self.assertEqual(seen(io, **{"from": 0}), (finals, False))
            self.assertEqual(seen(io, **{"from": finals[-1]["time"] + 1}), ([], False))

    def test_socketio_history_is_the_stores(self):
        self.trade_for_seconds(3)
        finals = self.klines(interval="s1")
        self.check_socketio_history(finals)
        self.server.kill()
        self.start()
        self.check_socketio_history(finals)
        day = fold(self.all_trades(), "d1")[-1]  # there are two where midnight came (UTC)
        with SocketIo(self.server.socketio) as io:
            io.ask("subscribe_kline", {"symbol": "BTCUSDT", "interval": "d1"})
            told = io.wait("kline_data")  # whole, although it began before this start
            self.assertEqual(plain(told["data"]), day)

    # ---- After a kill

    def test_a_kill_in_the_middle_of_a_candle_changes_nothing(self):
        self.trader.trade(300)
        self.server.kill()
        self.start()
        with WebSocket(self.server.websocket) as ws:
            ws.send('{"type":"subscribe","channels":["kline:d1"],"symbols":["BTCUSDT"]}')
            ws.receive()
            self.trader.trade(100)
            counts = {}  # by the day's begin: midnight may come (UTC)
            trades = self.all_trades()
            while sum(counts.values()) < sum(day["update_count"] for day in fold(trades, "d1")
                                             if day["time"] >= min(counts, default=0)):
                told = json.loads(ws.receive())
                counts[told["data"]["time"]] = told["data"]["update_count"]
        self.assertEqual([one["trade_id"] for one in trades], list(range(1, 401)))
        for interval in SECONDS:
            candles = self.klines(interval=interval, limit=500)
            self.assertEqual([plain(one) for one in candles], fold(trades, interval))
        self.assertEqual(plain(told["data"]), fold(trades, "d1")[-1])
        self.assertEqual(len(self.page_orders(100)), 800)

    def test_the_status_tells_how_far_the_store_is(self):
        self.trader.trade(50)
        self.klines(interval="m1")  # the store has come as far as this
        status = self.get("/api/events/status")
        self.assertEqual(status["store"]["state"], "live")
        self.assertEqual([one["shard"] for one in status["store"]["shards"]], ["0", "1"])
        for shard, stored in zip(status["shards"], status["store"]["shards"]):
            self.assertEqual(int(stored["stored"]) + int(stored["lag"]), int(shard["commands"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
