#!/usr/bin/env python3
"""The store as an operator meets it: after kill -9 nothing of history is missing and nothing is there
twice; a store that may not be used is refused with what to do; `matching store rebuild` does it
(MATCHING_BINARY names the program).
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))
sys.path.insert(0, os.path.join(HERE, "..", "conformance"))

from doors import Rest  # noqa: E402
import plain_json  # noqa: E402
from server import DEADLINE_S, Server  # noqa: E402

ROUNDS = 3
CLIENTS = 3
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
# Memory forgets soon, so that answers come from the store; segments and snapshots come and go.
FORGETFUL = ("retained_orders = 32\nrecent_trades = 16\n"
             "[journal]\nsegment_bytes = 1048576\nsnapshot_every = 500\n")


class Api(Rest):
    """With numbers as numbers: here they are all whole."""

    def call(self, *arguments, **more):
        status, answer = super().call(*arguments, **more)
        return status, json.loads(plain_json.dumps(answer))


class Client(threading.Thread):
    """Trades without rest until the service dies, and keeps what was acknowledged."""

    def __init__(self, address, name, seed):
        super().__init__()
        self.rest, self.trader = Api(address), name
        self.random = random.Random(seed)
        self.orders, self.trades = {}, {}

    def run(self):
        try:
            while True:
                self.place()
        except (OSError, AssertionError, ValueError):
            pass  # it was killed
        except Exception as error:  # http.client has many names for it
            if type(error).__module__ != "http.client":
                raise

    def place(self):
        symbol = self.random.choice(SYMBOLS)
        order = {"trader_id": self.trader, "symbol": symbol,
                 "side": self.random.choice(("buy", "sell")),
                 "price": self.random.randint(98, 102), "quantity": self.random.randint(1, 5)}
        if self.random.random() < 0.2:
            order["time_in_force"] = "IOC"
        status, answer = self.rest.call("POST", "/api/orders", order)
        assert status == 200, answer
        self.orders[answer["order_id"]] = answer
        for trade in answer["trades"]:
            self.trades[symbol, trade["trade_id"]] = trade


class Store(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.data_dir = os.path.join(folder, "data")
        self.log = self.enterContext(open(os.path.join(folder, "log"), "w+b"))

    def start(self, config=FORGETFUL, shards=2):
        self.server = self.enterContext(
            Server(shards=shards, data_dir=self.data_dir, config=config, stderr=self.log))
        self.rest = Api(self.server.http)
        self.addCleanup(self.rest.close)

    def stop(self):
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(DEADLINE_S), 0)

    def run_tool(self, *arguments):
        done = subprocess.run([os.environ["MATCHING_BINARY"], *arguments], capture_output=True,
                              text=True, timeout=DEADLINE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def refused(self, *arguments):
        """What a start that is refused says."""
        code, _, error = self.run_tool("http", "--http-port", "0", "--data-dir", self.data_dir,
                                       *arguments)
        self.assertEqual(code, 2, error)
        return error

    def get(self, path, **query):
        """Asks until history has caught up."""
        end = time.monotonic() + DEADLINE_S
        while True:
            status, answer = self.rest.call("GET", path, query=query)
            if status != 503 or time.monotonic() > end:
                self.assertEqual(status, 200, answer)
                return answer

    def all_trades(self, symbol):
        trades, page = [], None
        while page is None or len(page) == 1000:
            page = self.get("/api/market/trades", symbol=symbol, limit=1000,
                            from_id=len(trades) + 1)["trades"]
            trades += page
        return trades

    def all_orders(self):
        orders, page = [], None
        while page is None or page:
            page = self.get("/api/orders", limit=1000,
                            after=orders[-1]["order_id"] if orders else 0)["orders"]
            orders += page
        return orders

    def history(self):
        return {"orders": self.all_orders()} | {symbol: self.all_trades(symbol)
                                                for symbol in SYMBOLS}

    def check_sums(self, history):
        """Each trade is there once: ids without gaps, and of each order as much as it says."""
        filled = {}
        for symbol in SYMBOLS:
            self.assertEqual([trade["trade_id"] for trade in history[symbol]],
                             list(range(1, len(history[symbol]) + 1)))
            for trade in history[symbol]:
                for side in ("buy_order_id", "sell_order_id"):
                    filled[trade[side]] = filled.get(trade[side], 0) + trade["quantity"]
        ids = [order["order_id"] for order in history["orders"]]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual({order["order_id"]: order["filled_quantity"]
                          for order in history["orders"] if order["filled_quantity"]}, filled)

    def check_acknowledged(self, history, clients):
        orders = {order["order_id"]: order for order in history["orders"]}
        for client in clients:
            for order_id, told in client.orders.items():
                self.assertEqual(orders[order_id]["trader_id"], client.trader)
                self.assertGreaterEqual(orders[order_id]["filled_quantity"],
                                        told["filled_quantity"])
            for (symbol, trade_id), told in client.trades.items():
                kept = history[symbol][trade_id - 1]
                self.assertEqual({name: kept[name] for name in told}, told)

    def check_journal(self, history):
        """As many orders as the journal has commands that entered one."""
        code, text, error = self.run_tool("journal", "dump", self.data_dir)
        self.assertEqual(code, 0, error)
        commands = [json.loads(line) for line in text.splitlines()]
        if all(any(c["shard"] == shard and c["sequence"] == 1 for c in commands)
               for shard in (0, 1)):
            entered = sum(c["type"] == "limit_order" for c in commands)
            self.assertEqual(len(history["orders"]), entered)

    def trade_and_kill(self, seed):
        self.start()
        clients = [Client(self.server.http, f"trader-{i}", seed + i) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        end = time.monotonic() + DEADLINE_S
        while sum(len(client.orders) for client in clients) < 400 and time.monotonic() < end:
            time.sleep(0.001)
        self.server.kill()
        for client in clients:
            client.join(DEADLINE_S)
        return clients

    def test_nothing_is_lost_or_doubled_by_a_kill(self):
        clients = []
        for number in range(ROUNDS):
            clients += self.trade_and_kill(100 * number)
            self.start()
            history = self.history()
            self.assertGreater(len(history["orders"]), 300)
            self.check_sums(history)
            self.check_acknowledged(history, clients)
            self.check_journal(history)
            if number % 2 == 0:
                self.server.kill()
            else:
                self.stop()

    def test_a_rebuilt_store_says_the_same(self):
        self.trade_and_kill(7)
        self.start(config="retained_orders = 32\nrecent_trades = 16\n"
                          "[journal]\nsnapshot_every = 0\n")
        before = self.history()
        code, _, error = self.run_tool("store", "rebuild", self.data_dir)
        self.assertEqual(code, 1, error)
        self.assertIn("in use", error)
        self.stop()
        code, text, error = self.run_tool("store", "rebuild", self.data_dir)
        self.assertEqual(code, 0, error)
        self.assertRegex(text, r"shard 0: stored up to command \d+")
        self.start()
        self.assertEqual(self.history(), before)
        self.stop()

    def test_a_damaged_store_is_refused_and_made_anew(self):
        self.trade_and_kill(9)
        self.start()
        before = self.history()
        self.stop()
        store = os.path.join(self.data_dir, "store")
        with open(os.path.join(store, "CURRENT"), "w", encoding="utf-8") as file:
            file.write("MANIFEST-999999\n")
        error = self.refused("--config", self.config_file())
        self.assertIn(f"matching store rebuild {self.data_dir}", error)
        code, text, error = self.run_tool("store", "rebuild", self.data_dir)
        self.assertEqual(code, 0, error)
        self.assertIn(f"kept as {store}.aside-1", text)
        self.assertTrue(os.path.exists(os.path.join(store + ".aside-1", "CURRENT")))
        self.start()
        if before["orders"][0] == self.all_orders()[0]:  # else the journal begins later by now
            self.assertEqual(self.history(), before)
        self.stop()

    def test_a_folder_with_files_of_others_is_put_aside(self):
        """What a refused start tells the operator to do works, and takes nobody's files."""
        self.start()
        self.rest.call("POST", "/api/orders", {"trader_id": "ann", "side": "buy", "price": 1,
                                               "quantity": 1})
        self.stop()
        store = os.path.join(self.data_dir, "store")
        shutil.rmtree(store)
        os.mkdir(store)
        with open(os.path.join(store, "diary.txt"), "w", encoding="utf-8") as file:
            file.write("mine")
        error = self.refused("--config", self.config_file())
        self.assertIn("holds diary.txt but is no store", error)
        self.assertIn(f"matching store rebuild {self.data_dir}", error)
        code, text, error = self.run_tool("store", "rebuild", self.data_dir)
        self.assertEqual(code, 0, error)
        self.assertIn(f"kept as {store}.aside-1", text)
        with open(os.path.join(store + ".aside-1", "diary.txt"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")
        self.start()
        self.assertEqual(self.get("/api/orders")["orders"][0]["trader_id"], "ann")
        self.stop()

    def config_file(self, text=""):
        path = self.data_dir + ".toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.server.config if text == "" else text)
        return path

    def test_another_directorys_store_is_refused(self):
        self.start()
        self.stop()
        other, self.data_dir = self.data_dir, self.data_dir + "-2"
        self.start()
        self.stop()
        shutil.rmtree(os.path.join(self.data_dir, "store"))
        shutil.copytree(os.path.join(other, "store"), os.path.join(self.data_dir, "store"))
        self.assertIn("belongs to another data directory",
                      self.refused("--config", self.config_file()))

    def test_without_a_store_there_is_none(self):
        self.start(config=FORGETFUL + "[store]\nenabled = false\n")
        self.rest.call("POST", "/api/orders", {"trader_id": "ann", "side": "buy", "price": 1,
                                               "quantity": 1})
        self.assertEqual(self.get("/api/orders")["orders"][0]["trader_id"], "ann")
        self.stop()
        self.assertFalse(os.path.exists(os.path.join(self.data_dir, "store")))

    def test_bad_settings_are_refused(self):
        for key, value in (("enabled", "1"), ("retention_days", "-1"), ("max_trades", '"1"'),
                           ("memory_bytes", "1"), ("max_backlog_bytes", "0"), ("path", '"x"')):
            path = self.config_file(f"[store]\n{key} = {value}\n")
            code, _, error = self.run_tool("--check-config", "--config", path)
            self.assertEqual(code, 2)
            self.assertIn(f"{path}:2", error)
            self.assertIn(f"store.{key}", error)

    def test_the_tool_names_its_use(self):
        for arguments in (("store",), ("store", "verify", "x"), ("store", "rebuild")):
            code, _, error = self.run_tool(*arguments)
            self.assertEqual(code, 2)
            self.assertIn("store rebuild", error)
        code, _, error = self.run_tool("store", "rebuild", self.data_dir)
        self.assertEqual(code, 2)
        self.assertIn(self.data_dir, error)


if __name__ == "__main__":
    signal.alarm(170)
    unittest.main(verbosity=2)
