#!/usr/bin/env python3
"""WebSocket subscriptions to all instruments take in one that is added later; others do not.

MATCHING_BINARY names the program.
"""

import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from doors import Rest  # noqa: E402
from server import Server  # noqa: E402
from ws import WebSocket  # noqa: E402


class Client(WebSocket):
    def tell(self, type_, **fields):
        self.send(json.dumps({"type": type_} | fields))

    def read(self):
        return json.loads(self.receive())

    def until(self, type_):
        """(the next message of this type, those before it)"""
        before = []
        while (message := self.read())["type"] != type_:
            before.append(message)
        return message, before


class NewSymbols(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server(
            shards=2, config="[websocket]\nmax_subscriptions_per_client = 20\n"))
        self.rest = Rest(self.server.http)
        self.addCleanup(self.rest.close)

    def client(self):
        return self.enterContext(Client(self.server.websocket))

    def add(self, symbol):
        status, body = self.rest.call("POST", "/api/symbols",
                                      {"symbol": symbol, "tick_size": 1, "lot_size": 1})
        self.assertEqual((status, body["symbol"]), (200, symbol))

    def order(self, symbol, trader, side, price=5):
        status, body = self.rest.call("POST", "/api/orders", {
            "symbol": symbol, "trader_id": trader, "side": side, "price": price, "quantity": 1})
        self.assertEqual(status, 200)
        return body

    def heard_by_now(self, client):
        """What has come in before the answer to a ping that is sent now."""
        client.tell("ping")
        return client.until("pong")[1]

    def test_market_channels_of_all_instruments(self):
        client = self.client()
        client.tell("subscribe", channels=["trades", "book", "depth"])
        client.until("subscribed")
        self.add("NEW")
        fresh = {}
        while len(fresh) < 2:
            message = client.read()
            if message["symbol"] == "NEW":
                fresh[message["type"]] = message
        self.assertEqual(fresh["depth_snapshot"]["bids"], [])
        self.assertEqual(fresh["depth_snapshot"]["sequence"], 0)
        self.assertIsNone(fresh["book_update"]["best_bid"])
        self.order("NEW", "ann", "buy")
        update, _ = client.until("depth_update")
        self.assertEqual((update["symbol"], update["prev_sequence"]), ("NEW", 0))
        self.assertEqual(update["bids"], [[5, 1]])
        self.order("NEW", "bob", "sell")
        trade, _ = client.until("trade")
        self.assertEqual((trade["symbol"], trade["trade_id"]), ("NEW", 1))

    def test_tickers_of_all_instruments(self):
        client = self.client()
        client.tell("subscribe", channels=["ticker"])
        client.until("subscribed")
        self.add("NEW")
        message = {"symbol": None}
        while message["symbol"] != "NEW":
            message = client.until("ticker")[0]
        self.assertEqual((message["last"], message["count"]), (None, 0))
        self.order("NEW", "ann", "buy")
        self.order("NEW", "bob", "sell")
        while message["symbol"] != "NEW" or message["count"] != 1:
            message = client.until("ticker")[0]
        self.assertEqual((message["last"], message["volume"]), (5, 1))

    def test_orders_of_all_instruments(self):
        client = self.client()
        for trader in ("ann", "bob"):
            client.tell("subscribe", channels=["orders"], trader_id=trader)
            client.until("orders_snapshot")
        self.add("NEW")
        for trader in ("cat", "bob", "ann"):
            self.order("NEW", trader, "buy")
        for trader in ("bob", "ann"):
            update = client.read()
            self.assertEqual((update["type"], update["symbol"], update["trader_id"]),
                             ("order_update", "NEW", trader))
        client.tell("unsubscribe", channels=["orders"], trader_id="ann")
        client.until("unsubscribed")
        self.add("NEWER")
        for trader in ("ann", "bob"):
            self.order("NEWER", trader, "buy")
        self.assertEqual(client.read()["trader_id"], "bob")
        self.assertEqual(self.heard_by_now(client), [])

    def test_named_instruments_stay_the_only_ones(self):
        client = self.client()
        client.tell("subscribe", channels=["book", "trades"], symbols=["BTCUSDT", "ETHUSDT"])
        client.until("subscribed")
        client.tell("subscribe", channels=["orders"], symbols=["BTCUSDT"], trader_id="ann")
        client.until("orders_snapshot")
        self.add("NEW")
        self.order("NEW", "ann", "buy")
        self.order("NEW", "bob", "sell")
        self.order("BTCUSDT", "ann", "buy")
        update, before = client.until("order_update")
        self.assertEqual(update["symbol"], "BTCUSDT")
        self.assertNotIn("NEW", [message.get("symbol") for message in before])
        client.tell("subscribe", channels=["book"], symbols=["NEW"])
        client.until("subscribed")
        while client.read().get("symbol") != "NEW":
            pass

    def test_who_has_unsubscribed_from_all_hears_of_no_new_one(self):
        client = self.client()
        client.tell("subscribe", channels=["book"])
        client.until("subscribed")
        client.tell("unsubscribe", channels=["book"])
        client.until("unsubscribed")
        self.add("NEW")
        self.order("NEW", "ann", "buy")
        self.assertEqual(self.heard_by_now(client), [])

    def test_no_more_subscriptions_than_the_limit(self):
        client = self.client()
        client.tell("subscribe", channels=["trades", "book"])  # 6 of 20
        client.until("subscribed")
        for number in range(10):
            self.add(f"NEW{number}")
        followed = set()  # which ones depends on the shard that is heard first
        while len(followed) < 7:
            followed.add(client.until("book_update")[0]["symbol"])
            followed -= {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
        for number in range(10):
            self.order(f"NEW{number}", "ann", "buy")
        self.assertLessEqual({message["symbol"] for message in self.heard_by_now(client)}, followed)
        left = ({f"NEW{number}" for number in range(10)} - followed).pop()
        client.tell("subscribe", channels=["book"], symbols=[left])
        error, before = client.until("error")
        self.assertEqual(error["code"], "TOO_MANY_SUBSCRIPTIONS")
        self.assertLessEqual({message["symbol"] for message in before}, followed)


if __name__ == "__main__":
    unittest.main()
