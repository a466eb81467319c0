#!/usr/bin/env python3
"""What clients are told of the past while the store is catching up, and after it failed: by REST,
JSON-RPC, the WebSocket and Socket.IO.

The store is held up at will: the journal's first segment is a pipe, at whose other end nobody is. A shard
begins with the last snapshot and needs nothing of before; a store that is to be made anew does.

MATCHING_BINARY names the program.
"""

import json
import os
import shutil
import subprocess
import time
import unittest

from doors import Rest
from history_case import SECONDS, HistoryCase, SocketIo, fold, plain
from server import DEADLINE_S
from ws import WebSocket

BEHIND = "history is catching up, ask again soon"
FAILED = "history failed, see the health check"
# The other end of a refusal: status and code of REST, code of JSON-RPC and of WebSocket errors.
REFUSALS = {BEHIND: (503, "OVERLOADED"), FAILED: (503, "INTERNAL_ERROR")}
TRADES = 100  # more than memory keeps, and twice as many orders
UNKNOWN = 9007199254740991  # an order that may be there, as long as nobody has looked


class Behind(HistoryCase):
    def setUp(self):
        super().setUp()
        self.first = self.trader.trade(TRADES)[0]
        shard = f"shard-{self.first % 2:02}"  # of the two
        self.segment = os.path.join(self.data_dir, shard, "00000000000000000001.journal")
        self.kept, self.pipe = self.data_dir + ".segment", self.data_dir + ".pipe"
        self.snapshot()
        shutil.copy(self.segment, self.kept)  # it is full, and may be removed from now on
        self.trader.trade(1)
        self.snapshot()
        self.trader.trade(2)
        self.resting = self.trader.send([{"type": "limit_order", "trader_id": "cat", "side": "buy",
                                          "price": 1, "quantity": 1}])[0]["order_id"]
        self.before = self.all_trades()

    def snapshot(self):
        self.assertIs(self.call("admin_snapshot")["success"], True)

    def stop(self):
        for one in (self.rest, self.rpc, self.trader):
            one.close()  # so that nobody has to be waited for
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(DEADLINE_S), 0)

    def hold_up(self):
        """Starts again without a store, which will not come far."""
        self.stop()
        if os.path.exists(self.segment):
            os.unlink(self.segment)
        os.mkfifo(self.segment)
        os.link(self.segment, self.pipe)
        shutil.rmtree(os.path.join(self.data_dir, "store"))
        self.start()
        self.addCleanup(self.let_go)

    def put_back(self):
        if os.path.exists(self.kept):
            os.rename(self.kept, self.segment)

    def open_pipe(self):
        """Whoever waits there goes on, finds nothing, and opens the segment by its name again."""
        os.close(os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK))

    def let_go(self):
        self.put_back()
        self.open_pipe()

    def damage(self):
        with open(self.segment + ".new", "wb") as file:
            file.write(b"no journal" * 1000)
        os.rename(self.segment + ".new", self.segment)
        self.open_pipe()

    def store(self):
        return self.rest.call("GET", "/api/events/status")[1]["store"]

    def wait_for(self, state):
        end = time.monotonic() + DEADLINE_S
        while (found := self.store())["state"] != state and time.monotonic() < end:
            self.open_pipe()  # it may not have come there before
            time.sleep(0.01)
        self.assertEqual(found["state"], state)
        return found

    # ---- What is asked

    def ask_rest(self, path, **query):
        return self.rest.call("GET", path, query=query)

    def check_rest(self, why):
        for path, query in (("/api/market/klines", {"interval": "d1"}),
                            ("/api/market/klines", {"interval": "s1", "from": 1}),
                            ("/api/market/trades", {"from_id": 1}),
                            ("/api/market/trades", {"before_id": 5}),
                            ("/api/orders", {"trader_id": "ann"}),
                            ("/api/orders", {"trader_id": "ann", "status": "filled"}),
                            (f"/api/orders/{UNKNOWN}", {})):
            with self.subTest(path, **query):
                status, body = self.ask_rest(path, **query)
                self.assertEqual((status, body.get("code")), REFUSALS[why], body)
                self.assertEqual(body["error"], why)

    def check_rpc(self, why):
        for method, params in (("get_klines", {"interval": "m1"}),
                               ("get_trades", {"from_id": 1}),
                               ("get_order", {"order_id": UNKNOWN})):
            with self.subTest(method):
                status, body = self.rpc.call("POST", "/", {"jsonrpc": "2.0", "id": 1,
                                                           "method": method, "params": params})
                self.assertEqual(status, 200)
                self.assertEqual(body["error"]["data"]["code"], REFUSALS[why][1], body)
                self.assertEqual(body["error"]["message"], why)

    def check_websocket(self, why):
        answer = self.trader.send([{"type": "get_order", "order_id": UNKNOWN}])[0]
        self.assertEqual((answer["type"], answer["code"], answer["message"]),
                         ("error", REFUSALS[why][1], why))

    def check_socketio(self, why):
        with SocketIo(self.server.socketio) as io:
            for more in ({}, {"from": 1}, {"limit": 1}):
                refused = io.ask("get_history", {"interval": "m1"} | more)
                self.assertEqual(refused, {"code": 1003, "message": why,
                                           "data": {"event": "get_history"}})
                # Who asks for no acknowledgement has the event, which came before that.
                io.ws.send("42/ws/kline," + json.dumps(["get_history", {"interval": "m1"} | more]))
                self.assertEqual(io.wait("error"), refused)

    def check_doors(self, why):
        self.check_rest(why)
        self.check_rpc(why)
        self.check_websocket(why)
        self.check_socketio(why)
        # What memory knows all of is answered all the same, and trading goes on.
        self.assertEqual(self.trades(limit=5), self.before[-5:])
        self.assertEqual(self.get(f"/api/orders/{self.resting}")["status"], "open")
        self.trader.trade(1)
        self.before += self.trades(limit=1)
        self.assertEqual(self.before[-1]["trade_id"], len(self.before))

    def check_all(self):
        """Nothing is missing, and nothing there twice."""
        self.assertEqual(self.all_trades(), self.before)
        self.assertEqual(len(self.page_orders(1000)), 2 * len(self.before) + 1)
        self.assertEqual(self.get(f"/api/orders/{self.first}")["status"], "filled")
        for interval in SECONDS:
            self.assertEqual([plain(one) for one in self.klines(interval=interval)],
                             fold(self.before, interval))

    # ---- The tests

    def test_a_store_that_is_catching_up(self):
        self.hold_up()
        self.assertEqual(self.store()["state"], "catching_up")
        self.assertEqual(self.rest.call("GET", "/health")[1].get("warnings", []), [])
        self.check_doors(BEHIND)
        self.assertEqual(self.store()["state"], "catching_up")
        self.let_go()
        self.wait_for("live")
        self.check_all()

    def test_a_candle_is_not_told_before_it_is_whole(self):
        self.hold_up()
        told = []
        with SocketIo(self.server.socketio) as io:
            for interval in ("d1", "s1"):
                answer = io.ask("subscribe_kline", {"interval": interval})
                self.assertIs(answer["success"], True)
            # That of a second that began after all that is missing has all its trades ...
            while not told or not told[-1]["data"]["is_final"]:
                if not told:
                    self.trader.trade(1)
                    self.ping(io, told)
                else:
                    told.append(io.wait("kline_data"))
            self.assertEqual({one["interval"] for one in told}, {"s1"})
            # ... that of the day once the store has caught up.
            self.let_go()
            while told[-1]["interval"] != "d1":
                told.append(io.wait("kline_data"))
            self.before = self.all_trades()
            self.assertEqual(plain(told[-1]["data"]), fold(self.before, "d1")[-1])
        self.check_all()

    def ping(self, io, told):
        """What has been told up to now."""
        io.ws.send('42/ws/kline,8["unsubscribe",{"topic":"token_events"}]')
        while not (text := io.ws.receive()).startswith("43/ws/kline,8"):
            if '["kline_data",' in text:
                told.append(json.loads(text[len("42/ws/kline,"):])[1])

    def test_a_store_that_failed(self):
        self.hold_up()
        self.damage()
        found = self.wait_for("failed")
        self.assertIn("matching store rebuild", json.dumps(found))
        self.assertIn("matching store rebuild",
                      json.dumps(self.rest.call("GET", "/health")[1]["warnings"]))
        self.check_doors(FAILED)
        self.stop()
        self.put_back()
        done = subprocess.run([os.environ["MATCHING_BINARY"], "store", "rebuild", self.data_dir],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.start()
        self.check_all()


if __name__ == "__main__":
    unittest.main(verbosity=2)
