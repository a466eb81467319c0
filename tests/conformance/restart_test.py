#!/usr/bin/env python3
"""What clients find after a restart: the service is killed or stopped, and started again on the same
data directory. And what they are told when a journal can no longer be written.

MATCHING_BINARY names the program.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from doors import Rest  # noqa: E402
from server import DEADLINE_S, Server  # noqa: E402
from ws import WebSocket  # noqa: E402

TRADERS = ("ann", "bob", "cat", "dan")
FAR = 4102444800000  # 2100, in milliseconds
FILE_SIZE = resource.RLIMIT_FSIZE


def empty(folder):
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))


class Restarts(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.data_dir = os.path.join(folder, "data")

    def start(self, config="", stderr=None):
        self.server = self.enterContext(Server(
            shards=2, data_dir=self.data_dir, stderr=stderr,
            config="[journal]\nsegment_bytes = 1048576\n" + config))
        self.rest = Rest(self.server.http)
        self.rpc_connection = Rest(self.server.jsonrpc)
        self.addCleanup(self.rest.close)
        self.addCleanup(self.rpc_connection.close)

    def kill_and_start(self):
        self.server.kill()
        self.start()

    def stop_and_start(self):
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(DEADLINE_S), 0)
        self.start()

    def rpc(self, method, **params):
        status, body = self.rpc_connection.call(
            "POST", "/", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self.assertEqual(status, 200)
        return body

    def ask(self, method, path, body=None, **query):
        status, answer = self.rest.call(method, path, body, query)
        self.assertEqual(status, 200, answer)
        return answer

    def metric(self, name):
        """{shard: value}"""
        with urllib.request.urlopen(f"http://{self.server.http}/metrics",
                                    timeout=DEADLINE_S) as answer:
            text = answer.read().decode()
        return {shard: int(value) for shard, value in
                re.findall(rf'^{name}\{{shard="(\d+)"\}} (\d+)$', text, re.M)}

    def order(self, trader, side, symbol="BTCUSDT", **fields):
        return self.ask("POST", "/api/orders", {
            "symbol": symbol, "trader_id": trader, "side": side, "quantity": 1} | fields)

    def socket(self):
        return self.enterContext(WebSocket(self.server.websocket))

    def tell(self, ws, **message):
        ws.send(json.dumps(message))
        return json.loads(ws.receive())

    def trade_a_little(self, symbol):
        """Orders of every kind and in every state that a restart may meet."""
        self.order("ann", "sell", symbol, price=100, quantity=5, client_order_id="first")
        self.order("bob", "buy", symbol, price=100, quantity=2)
        self.order("cat", "sell", symbol, price=101, quantity=9, display_quantity=2)
        self.order("dan", "sell", symbol, price=101, quantity=1)
        self.order("bob", "buy", symbol, price=101, quantity=5)  # the iceberg's first slice too
        self.order("ann", "buy", symbol, price=90, quantity=3, time_in_force="GTD",
                   expire_time=FAR)
        self.order("bob", "buy", symbol, type="stop", stop_price=150, client_order_id="stop")
        self.order("dan", "sell", symbol, type="stop_limit", stop_price=80, price=79)
        self.order("dan", "buy", symbol, price=95, quantity=2, self_trade_prevention="cancel_maker")
        self.order("cat", "buy", symbol, type="market", time_in_force="FOK", quantity=1000)
        gone = self.order("cat", "buy", symbol, price=70)
        self.ask("DELETE", f"/api/orders/{gone['order_id']}")

    def seen(self):
        """All that can be asked for, but for when it was asked."""
        symbols = self.ask("GET", "/api/symbols")
        orders = {trader: self.ask("GET", "/api/orders", trader_id=trader) for trader in TRADERS}
        of_symbol = {}
        for symbol in (one["symbol"] for one in symbols["symbols"]):
            ticker = self.ask("GET", "/api/market/ticker", symbol=symbol)
            ticker.pop("timestamp")
            of_symbol[symbol] = (ticker, self.ask("GET", "/api/market/depth", symbol=symbol),
                                 self.ask("GET", "/api/market/trades", symbol=symbol))
        return symbols, orders, of_symbol

    def status(self, order_id):
        order = self.ask("GET", f"/api/orders/{order_id}")
        return order["status"], order.get("reason")

    def bound_order(self, ws, **fields):
        ack = self.tell(ws, trader_id="ann", side="buy", quantity=1, symbol="BTCUSDT", **fields)
        self.assertEqual(ack["type"], "order_ack")
        return ack["order_id"]


class WhatIsThere(Restarts):
    def test_everything_that_was_told_is_there_after_a_kill(self):
        self.start()
        self.trade_a_little("BTCUSDT")
        self.trade_a_little("ETHUSDT")
        before = self.seen()
        self.kill_and_start()
        self.assertEqual(self.seen(), before)

    def test_a_snapshot_on_the_way_changes_nothing(self):
        self.start()
        self.trade_a_little("BTCUSDT")
        self.trade_a_little("SOLUSDT")
        result = self.rpc("admin_snapshot")["result"]
        self.assertIs(result["success"], True)
        self.assertEqual([one["shard"] for one in result["snapshots"]], ["0", "1"])
        for one in result["snapshots"]:
            shard = os.path.join(self.data_dir, f"shard-{int(one['shard']):02}")
            self.assertIn(f"{int(one['sequence']):020}.snapshot", os.listdir(shard))
        self.order("ann", "buy", price=98)
        before = self.seen()
        self.kill_and_start()
        self.assertEqual(self.seen(), before)

    def add(self, symbol):
        self.ask("POST", "/api/symbols", {"symbol": symbol, "tick_size": 1, "lot_size": 1})

    def folder_of(self, symbol):
        order = self.order("ann", "buy", symbol, price=1)
        return os.path.join(self.data_dir, f"shard-{int(order['order_id']) % 2:02}")

    def test_an_addition_that_never_reached_the_disk_is_missing_and_nothing_else(self):
        """Shards sync apart: a power cut may take an instrument and leave one that came later."""
        self.start()
        self.server.kill()
        kept = self.data_dir + ".kept"
        shutil.copytree(self.data_dir, kept)
        self.start()
        names = [f"NEW{i}" for i in range(8)]
        for name in names:
            self.add(name)
        folders = {name: self.folder_of(name) for name in names}
        gone = folders[names[0]]
        lost = [name for name in names if folders[name] == gone]
        left = [name for name in names if folders[name] != gone]
        self.assertTrue(left, "they all went to one shard")
        self.server.kill()
        shutil.rmtree(gone)
        shutil.copytree(os.path.join(kept, os.path.basename(gone)), gone)
        self.start()
        ws = self.socket()
        self.assertEqual(self.tell(ws, type="subscribe", channels=["book"])["type"], "subscribed")
        listed = [one["symbol"] for one in self.ask("GET", "/api/symbols")["symbols"]]
        self.assertEqual(listed, ["BTCUSDT", "ETHUSDT", "SOLUSDT"] + left)
        for name in lost:
            self.add(name)
        for name in names:
            self.order("bob", "buy", name, price=2)
        before = self.seen()
        self.kill_and_start()
        self.assertEqual(self.seen(), before)

    def test_trading_goes_on_where_it_was(self):
        self.start()
        self.trade_a_little("BTCUSDT")
        last = max(int(order["order_id"]) for trader in TRADERS
                   for order in self.ask("GET", "/api/orders", trader_id=trader)["orders"])
        self.kill_and_start()
        self.ask("POST", "/api/orders/cancel", {"trader_id": "bob", "client_order_id": "stop"})
        # the renewed slice of cat's iceberg stands behind dan
        result = self.order("bob", "buy", price=101, quantity=2)
        self.assertGreater(int(result["order_id"]), last)
        self.assertEqual([(one["trade_id"], one["seller"]) for one in result["trades"]],
                         [("4", "dan"), ("5", "cat")])
        self.order("dan", "sell", price=500, client_order_id="mine")
        self.kill_and_start()
        status, body = self.rest.call("POST", "/api/orders", {
            "trader_id": "dan", "side": "sell", "price": 500, "quantity": 1,
            "client_order_id": "mine"})
        self.assertEqual((status, body["code"]), (409, "DUPLICATE_CLIENT_ORDER_ID"))

    def test_instruments_and_states_stay(self):
        self.start()
        self.ask("POST", "/api/symbols", {"symbol": "LATER", "tick_size": 1, "lot_size": 1})
        self.ask("PATCH", "/api/symbols/ETHUSDT", {"state": "halted"})
        self.ask("PATCH", "/api/symbols/SOLUSDT", {"state": "auction"})
        self.order("ann", "sell", "SOLUSDT", price=10)
        self.order("bob", "buy", "SOLUSDT", price=11)
        self.order("cat", "buy", "LATER", price=3)
        before = self.seen()
        self.kill_and_start()
        self.assertEqual(self.seen(), before)
        self.assertEqual(self.rest.call("POST", "/api/orders", {
            "symbol": "ETHUSDT", "trader_id": "ann", "side": "buy", "price": 1,
            "quantity": 1})[1]["code"], "MARKET_HALTED")

    def test_a_stop_loses_nothing_either(self):
        self.start()
        self.trade_a_little("BTCUSDT")
        before = self.seen()
        self.stop_and_start()
        self.assertEqual(self.seen(), before)


class BoundOrders(Restarts):
    def enter(self):
        """Orders that end with their connection, and one that does not."""
        ws = self.socket()
        free = self.bound_order(ws, type="limit_order", price=50)
        self.tell(ws, type="cancel_on_disconnect", enabled=True)
        bound = [self.bound_order(ws, type="limit_order", price=51),
                 self.bound_order(ws, type="limit_order", price=52, time_in_force="GTD",
                                  expire_time=FAR),
                 self.bound_order(ws, type="stop_order", stop_price=500),
                 self.bound_order(ws, type="stop_order", stop_price=500, price=501)]
        return free, bound

    def test_they_end_when_the_service_dies(self):
        self.start()
        free, bound = self.enter()
        self.kill_and_start()
        for order_id in bound:
            self.assertEqual(self.status(order_id), ("cancelled", "disconnect"))
        self.assertEqual(self.status(free), ("open", None))

    def test_they_end_too_if_a_snapshot_holds_them(self):
        self.start()
        free, bound = self.enter()
        self.assertIn("result", self.rpc("admin_snapshot"))
        self.kill_and_start()
        for order_id in bound:
            self.assertEqual(self.status(order_id), ("cancelled", "disconnect"))
        self.assertEqual(self.status(free), ("open", None))

    def test_they_stay_when_the_service_is_stopped_and_are_free_then(self):
        self.start()
        free, bound = self.enter()
        self.stop_and_start()
        for order_id in (free, *bound[:2]):
            self.assertEqual(self.status(order_id), ("open", None))
        self.kill_and_start()  # whoever entered them has long gone
        for order_id in (free, *bound[:2]):
            self.assertEqual(self.status(order_id), ("open", None))
        self.assertEqual(self.status(bound[2]), ("untriggered", None))


class WhoMayStart(Restarts):
    def refused(self, config=""):
        path = os.path.join(os.path.dirname(self.data_dir), "other.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        result = subprocess.run(
            [os.environ["MATCHING_BINARY"], "http", "--http-port", "0", "--config", path,
             "--data-dir", self.data_dir], capture_output=True, text=True, timeout=DEADLINE_S)
        self.assertEqual(result.stdout, "")
        return result.returncode, result.stderr

    def test_one_process_at_a_time(self):
        self.start()
        code, errors = self.refused()
        self.assertEqual(code, 1)
        self.assertIn(str(self.server.process.pid), errors)
        self.order("ann", "buy", price=1)  # which does not mind

    def test_a_contradiction_is_refused_with_what_to_set(self):
        self.start()
        self.server.kill()
        limits = "max_orders = 65536\nmax_traders = 4096\n"
        for config, words in (("shards = 3\n" + limits, ("shards", "2", "3")),
                              (limits.replace("65536", "4096"), ("max_orders", "65536", "4096"))):
            code, errors = self.refused("[engine]\n" + config)
            self.assertEqual(code, 2)
            for word in words:
                self.assertRegex(errors, rf"\b{word}\b")


    def test_a_shard_that_lost_its_journal_is_refused(self):
        self.start()
        self.server.kill()
        config = "[engine]\nmax_orders = 65536\nmax_traders = 4096\n"
        for loss in (empty, shutil.rmtree):
            for shard in ("shard-00", "shard-01"):
                with self.subTest(shard, loss=loss.__name__):
                    folder = os.path.join(self.data_dir, shard)
                    shutil.copytree(folder, folder + ".kept")
                    loss(folder)
                    code, errors = self.refused(config)
                    self.assertEqual(code, 2)
                    self.assertIn(folder, errors)
                    self.assertEqual(os.listdir(folder) if os.path.isdir(folder) else [], [])
                    verify = subprocess.run(
                        [os.environ["MATCHING_BINARY"], "journal", "verify", self.data_dir],
                        capture_output=True, text=True, timeout=DEADLINE_S, check=False)
                    self.assertEqual(verify.returncode, 2)
                    self.assertIn(f"shard {int(shard[-2:])}: 0 segments", verify.stdout)
                    shutil.rmtree(folder, ignore_errors=True)
                    os.rename(folder + ".kept", folder)
        self.start()


class AFirstStartThatWasCutShort(Restarts):
    def test_the_next_one_is_the_first(self):
        """Its shards sync apart, so each of them may be without what it was to have."""
        self.start()
        first = self.ask("GET", "/api/symbols")
        for shard in ("shard-00", "shard-01"):
            self.server.kill()
            os.unlink(os.path.join(self.data_dir, "BEGUN"))
            empty(os.path.join(self.data_dir, shard))
            self.start()
            self.assertEqual(self.ask("GET", "/api/symbols"), first)
            order = self.ask("POST", "/api/orders",
                             {"trader_id": "ann", "side": "buy", "price": 1, "quantity": 1})
            self.assertEqual(order["symbol"], "BTCUSDT")


class AFullDisk(Restarts):
    """No room for the journal's next file, while there is some in the present one."""

    def limit(self, size):
        hard = resource.prlimit(self.server.process.pid, FILE_SIZE)[1]
        resource.prlimit(self.server.process.pid, FILE_SIZE, (size or hard, hard))

    def healths(self):
        doors = (self.rest, self.rpc_connection, self.websocket)
        found = [door.call("GET", "/health") for door in doors]
        self.assertEqual([(status, body["status"]) for status, body in found],
                         [(200, "healthy")] * len(doors))
        return [body.get("warnings") for _, body in found] + \
            [self.rpc("health")["result"].get("warnings")]

    def await_health(self, is_so):
        end = time.monotonic() + DEADLINE_S
        while not is_so(found := self.healths()):
            self.assertLess(time.monotonic(), end, found)
        return found

    def change_both(self):
        """Something that the next segment would not have."""
        for symbol in ("BTCUSDT", "ETHUSDT"):
            self.order("ann", "buy", symbol, price=5)

    def test_it_is_told_and_nobody_waits_for_ever(self):
        log = self.enterContext(tempfile.TemporaryFile("w+"))
        self.start(stderr=log)
        self.websocket = Rest(self.server.websocket)
        self.addCleanup(self.websocket.close)
        self.assertEqual(self.healths(), [None] * 4)
        self.assertEqual(self.metric("matching_shard_warning"), {"0": 0, "1": 0})
        self.assertEqual(self.metric("matching_snapshots_failed_total"), {"0": 0, "1": 0})
        self.limit(1048576 - 4096)
        self.change_both()
        self.rpc("admin_snapshot")  # takes the files that are there
        first, *others = self.await_health(lambda found: all(len(it or ()) == 2 for it in found))
        self.assertEqual([it["shard"] for it in first], ["0", "1"])
        for it in first:
            self.assertIn("no room on the disk", it["warning"])
        self.assertEqual(others, [first] * 3)
        self.assertEqual(self.metric("matching_shard_warning"), {"0": 1, "1": 1})
        self.assertEqual(self.metric("matching_shard_healthy"), {"0": 1, "1": 1})

        self.change_both()
        error = self.rpc("admin_snapshot")["error"]
        self.assertEqual((error["code"], error["data"]["code"]), ("-32603", "INTERNAL_ERROR"))
        failed = self.metric("matching_snapshots_failed_total")
        self.assertGreater(min(failed.values()), 0, failed)
        made = self.metric("matching_snapshots_total")
        self.assertEqual(len(self.await_health(all)), 4)
        self.limit(None)
        self.await_health(lambda found: found == [None] * 4)
        self.assertEqual(self.metric("matching_shard_warning"), {"0": 0, "1": 0})
        self.change_both()
        self.assertIn("result", self.rpc("admin_snapshot"))
        self.assertEqual(self.metric("matching_snapshots_total"),
                         {shard: count + 1 for shard, count in made.items()})
        self.assertEqual(self.metric("matching_snapshots_failed_total"), failed)
        log.seek(0)
        lines = log.read().splitlines()
        for shard in ("0", "1"):
            told = [line for line in lines if f"shard {shard}: " in line]
            self.assertEqual(sum(" warn journal: " in line and "no snapshot" not in line for line in told), 1)
            self.assertEqual(sum("all is well again" in line for line in told), 1)
            self.assertTrue(any("no snapshot: no room on the disk" in line for line in told), told)


class AFailedJournal(Restarts):
    def let_files_grow(self, may, beyond=0):
        """As a full disk: every write to a file beyond this byte fails, or none."""
        hard = resource.prlimit(self.server.process.pid, FILE_SIZE)[1]
        resource.prlimit(self.server.process.pid, FILE_SIZE, (hard if may else beyond, hard))

    def place(self, symbol):
        return self.rest.call("POST", "/api/orders", {
            "symbol": symbol, "trader_id": "ann", "side": "buy", "price": 7, "quantity": 1,
            "client_order_id": "unsure"})

    def test_it_is_told_on_every_door_and_the_rest_goes_on(self):
        self.start()
        for _ in range(80):  # so that it is this shard's journal, and no other's, which cannot go on
            acknowledged = self.order("ann", "buy", price=5)["order_id"]
        self.let_files_grow(False, beyond=8192)
        status, body = self.place("BTCUSDT")
        self.assertEqual((status, body["code"]), (503, "INTERNAL_ERROR"))
        self.let_files_grow(True)  # room again: too late for this shard
        status, body = self.place("BTCUSDT")
        self.assertEqual((status, body["code"]), (503, "INTERNAL_ERROR"))

        websocket = Rest(self.server.websocket)
        self.addCleanup(websocket.close)
        for door in (self.rest, self.rpc_connection, websocket):
            status, body = door.call("GET", "/health")
            self.assertEqual((status, body["status"]), (503, "failing"))
            self.assertEqual(len(body["shards"]), 1)
            self.assertNotEqual(body["shards"][0]["failed"], "")
        result = self.rpc("health")["result"]
        self.assertEqual((result["status"], len(result["shards"])), ("failing", 1))
        gone = result["shards"][0]["shard"]
        self.assertEqual(self.metric("matching_shard_healthy"),
                         {shard: int(shard != gone) for shard in ("0", "1")})
        error = self.rpc("cancel_order", order_id=int(acknowledged))["error"]
        self.assertEqual((error["code"], error["data"]["code"]), ("-32603", "INTERNAL_ERROR"))
        answer = self.tell(self.socket(), type="cancel_all", trader_id="ann", symbol="BTCUSDT")
        self.assertEqual((answer["type"], answer["code"]), ("error", "INTERNAL_ERROR"))
        self.assertIn("error", self.rpc("admin_snapshot"))

        self.assertEqual(self.place("ETHUSDT")[0], 200)
        self.kill_and_start()
        self.assertEqual(self.rest.call("GET", "/health")[0], 200)
        self.assertEqual(self.metric("matching_shard_healthy"), {"0": 1, "1": 1})
        self.assertEqual(self.status(acknowledged), ("open", None))
        self.assertEqual(self.rest.call("GET", "/api/orders", query={
            "trader_id": "ann", "symbol": "ETHUSDT"})[1]["orders"][0]["client_order_id"], "unsure")

    def test_what_is_shown_was_safe(self):
        """An observer sees neither the trade nor the book of a command that was not kept."""
        self.start()
        self.order("ann", "sell", price=5)
        observer = self.socket()
        observer.send(json.dumps({"type": "subscribe", "channels": ["trades", "book"],
                                  "symbols": ["BTCUSDT"]}))
        self.assertEqual(json.loads(observer.receive())["type"], "subscribed")
        self.assertEqual(json.loads(observer.receive())["best_ask"], 5)
        self.let_files_grow(False)
        status, body = self.rest.call("POST", "/api/orders", {
            "symbol": "BTCUSDT", "trader_id": "bob", "side": "buy", "price": 5, "quantity": 1})
        self.assertEqual((status, body["code"]), (503, "INTERNAL_ERROR"))
        self.assertEqual(self.tell(observer, type="ping")["type"], "pong")
        self.let_files_grow(True)
        self.kill_and_start()
        depth = self.ask("GET", "/api/market/depth", symbol="BTCUSDT")
        trades = self.ask("GET", "/api/market/trades", symbol="BTCUSDT")["trades"]
        self.assertEqual((depth["best_ask"], trades), ("5", []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
