#!/usr/bin/env python3
"""python3-websockets against the WebSocket door: a complete conversation, feeds, errors, many
clients."""

import asyncio
import gzip
import itertools
import json
import random
import unittest
import urllib.request

from server import DEADLINE_S, Server, skip

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed (Debian: python3-websockets)")


class Client:
    """Everything that came, in order, and waiting with a deadline."""

    ids = itertools.count(1)

    def __init__(self, socket):
        self.socket = socket
        self.kept = []  # came while something else was waited for
        self.lines = []  # of a batch, not yet looked at
        self.packed = 0  # frames with gzip

    async def send(self, **message):
        await self.socket.send(json.dumps(message))

    async def receive(self):
        if not self.lines:
            frame = await asyncio.wait_for(self.socket.recv(), DEADLINE_S)
            if isinstance(frame, bytes):
                self.packed += 1
                frame = gzip.decompress(frame).decode()
            self.lines = frame.split("\n")
        return json.loads(self.lines.pop(0))

    async def next(self, of=None):
        """The next message in order; of this type, if one is given."""
        while True:
            message = self.kept.pop(0) if self.kept else await self.receive()
            if of in (None, message["type"]):
                return message

    async def request(self, **message):
        """Sends with an id and returns the reply."""
        own = next(self.ids)
        await self.send(**message, id=own)
        while True:
            reply = await self.receive()
            if reply.get("id") == own:
                return reply
            self.kept.append(reply)

    async def ask(self, expected, **message):
        """The same, and the reply has to be of the expected type."""
        reply = await self.request(**message)
        assert reply["type"] == expected, reply
        return reply

    async def limit(self, trader_id, side, price, quantity, **more):
        return await self.ask("order_ack", type="limit_order", trader_id=trader_id, side=side,
                              price=price, quantity=quantity, **more)


async def rest(address, path):
    def load():
        with urllib.request.urlopen(f"http://{address}{path}", timeout=DEADLINE_S) as answer:
            return json.load(answer)
    return await asyncio.to_thread(load)


class WebSocketDoor(unittest.IsolatedAsyncioTestCase):
    """Each test has a server of its own."""

    async def asyncSetUp(self):
        self.server = self.enterContext(Server())

    async def connect(self, **options):
        url = f"ws://{self.server.websocket}/ws"
        socket = await asyncio.wait_for(websockets.connect(url, **options), DEADLINE_S)
        self.addAsyncCleanup(socket.close)
        return Client(socket)

    async def test_a_conversation(self):
        client = await self.connect()
        subscribed = await client.ask("subscribed", type="subscribe", channels=["trades"])
        self.assertEqual(subscribed["channels"], ["trades"])
        first = await client.limit("alice", "sell", 50000, 1, client_order_id="a")
        self.assertEqual((first["order_id"], first["status"], first["client_order_id"]),
                         (1, "open", "a"))
        await client.send(type="market_order", trader_id="bob", side="buy", quantity=0.5, id="m")
        ack, trade = await client.next(), await client.next()
        self.assertEqual((ack["type"], ack["id"], ack["status"], ack["filled_quantity"]),
                         ("order_ack", "m", "filled", 0.5))
        self.assertEqual((trade["type"], trade["trade_id"], trade["buyer"], trade["seller"],
                          trade["price"], trade["quantity"], trade["taker_side"]),
                         ("trade", 1, "bob", "alice", 50000, 0.5, "buy"))
        amended = await client.ask("order_ack", type="amend_order", order_id=1, quantity=0.75)
        self.assertEqual((amended["status"], amended["remaining_quantity"]), ("partial", 0.25))
        order = await client.ask("order_update", type="get_order", trader_id="alice",
                                 client_order_id="a")
        self.assertEqual((order["quantity"], order["average_price"]), (0.75, 50000))
        gone = await client.ask("order_ack", type="cancel_order", order_id=1)
        self.assertEqual((gone["status"], gone["reason"]), ("cancelled", "user"))
        none = await client.ask("cancel_all_ack", type="cancel_all", trader_id="alice")
        self.assertEqual(none["order_ids"], [])
        await client.ask("pong", type="ping")
        removed = await client.ask("unsubscribed", type="unsubscribe", channels=["trades"])
        self.assertEqual(removed["channels"], ["trades"])

    async def test_errors_are_told_and_the_connection_lives(self):
        client = await self.connect()
        order = {"type": "limit_order", "trader_id": "a", "side": "buy", "price": 1, "quantity": 1}
        for change, code, field in (({"side": "long"}, "INVALID_SIDE", "side"),
                                    ({"price": 0.001}, "INVALID_PRICE", "price"),
                                    ({"price": True}, "INVALID_MESSAGE", "price"),
                                    ({"quantity": -1}, "INVALID_QUANTITY", "quantity"),
                                    ({"trader_id": "x" * 33}, "INVALID_TRADER", "trader_id"),
                                    ({"symbol": "x"}, "UNKNOWN_SYMBOL", "symbol")):
            with self.subTest(code=code):
                error = await client.ask("error", **{**order, **change})
                self.assertEqual((error["code"], error["field"]), (code, field))
        await client.socket.send("{not json")
        self.assertEqual((await client.next())["code"], "INVALID_JSON")
        self.assertEqual((await client.limit("a", "buy", 1, 1))["order_id"], 1)

    async def test_depth_updates_lead_to_what_rest_says(self):
        watcher, trader = await self.connect(), await self.connect()
        dice = random.Random(8)
        for _ in range(20):
            await trader.limit("alice", "buy", 90 + dice.randrange(5), 1)
        await watcher.ask("subscribed", type="subscribe", channels=["depth"], symbols=["BTCUSDT"])
        snapshot = await watcher.next("depth_snapshot")
        book = {side: {price: quantity for price, quantity in snapshot[side]}
                for side in ("bids", "asks")}
        working = []
        for _ in range(200):
            if working and dice.random() < 0.4:
                # Refused where the order has traded in the meantime.
                await trader.request(type="cancel_order",
                                     order_id=working.pop(dice.randrange(len(working))))
            else:
                side = dice.choice(("buy", "sell"))
                price, quantity = 95 + dice.randrange(10), dice.randrange(1, 9)
                ack = await trader.limit("alice", side, price, quantity)
                working.append(ack["order_id"])
        final = await rest(self.server.http, "/api/market/depth?levels=1000")
        sequence = snapshot["sequence"]
        while sequence < final["sequence"]:
            update = await watcher.next("depth_update")
            self.assertEqual(update["prev_sequence"], sequence)
            sequence = update["sequence"]
            for side in ("bids", "asks"):
                for price, quantity in update[side]:
                    book[side][price] = quantity
        for side, down in (("bids", True), ("asks", False)):
            levels = sorted(([p, q] for p, q in book[side].items() if q), reverse=down)
            self.assertEqual(levels, [level[:2] for level in final[side]])

    async def test_the_orders_feed_follows_one_trader(self):
        watcher, trader = await self.connect(), await self.connect()
        await trader.limit("alice", "sell", 10, 2)
        await watcher.ask("subscribed", type="subscribe", channels=["orders"], trader_id="alice")
        self.assertEqual([order["order_id"] for order in
                          (await watcher.next("orders_snapshot"))["orders"]], [1])
        await trader.limit("bob", "buy", 10, 0.5)
        update = await watcher.next("order_update")
        self.assertEqual((update["order_id"], update["status"], update["last_quantity"],
                          update["last_price"], update["trade_id"]), (1, "partial", 0.5, 10, 1))
        await trader.ask("cancel_all_ack", type="cancel_all", trader_id="alice")
        update = await watcher.next("order_update")
        self.assertEqual((update["status"], update["reason"]), ("cancelled", "mass_cancel"))

    async def test_many_clients_see_the_same_trades(self):
        clients = [await self.connect(compression=None if i % 2 else "deflate") for i in range(20)]
        for client in clients:
            await client.ask("subscribed", type="subscribe", channels=["trades"],
                             symbols=["BTCUSDT"])
        for i, client in enumerate(clients):
            side = "sell" if i % 2 == 0 else "buy"
            for n in range(10):
                await client.send(type="limit_order", trader_id=f"t{i}", side=side, price=100,
                                  quantity=1, id=f"{i}-{n}")
        # As much is sold as bought at one price, so all of it trades.
        views = []
        for client in clients:
            trades = [await client.next("trade") for _ in range(100)]
            self.assertEqual([trade["trade_id"] for trade in trades], list(range(1, 101)))
            views.append(trades)
        self.assertTrue(all(view == views[0] for view in views))

    async def test_batches_and_compression(self):
        factory = websockets.extensions.permessage_deflate.ClientPerMessageDeflateFactory
        trader = await self.connect(compression=None)
        forms = [(options, more)
                 for options in ({"compression": None}, {"compression": "deflate"},
                                 {"compression": None, "extensions": [factory(
                                     server_no_context_takeover=True, server_max_window_bits=10,
                                     client_max_window_bits=10)]})
                 for more in ({}, {"batch": True}, {"compression": "gzip"},
                              {"batch": True, "compression": "gzip"})]
        clients = []
        for options, more in forms:
            client = await self.connect(**options)
            names = [extension.name for extension in client.socket.extensions]
            deflates = options["compression"] or "extensions" in options
            self.assertEqual(names, ["permessage-deflate"] if deflates else [])
            await client.ask("subscribed", type="subscribe", channels=["trades", "orders"],
                             symbols=["BTCUSDT"], trader_id="alice", **more)
            clients.append(client)
        for i in range(20):
            await trader.limit("alice", "sell", 100, 1, client_order_id=f"a-{i}")
        await trader.limit("bob", "buy", 100, 20)
        for client, (_, more) in zip(clients, forms):
            trades, updates = [], []
            while len(trades) < 20 or len(updates) < 40:
                message = await client.next()
                {"trade": trades, "order_update": updates}.get(message["type"], []).append(message)
            self.assertEqual([trade["trade_id"] for trade in trades], list(range(1, 21)))
            self.assertEqual([update["status"] for update in updates],
                             ["open"] * 20 + ["filled"] * 20)
            # The twenty trades of one order are one frame, and long.
            self.assertEqual(client.packed > 0,
                             more == {"batch": True, "compression": "gzip"})
            # A long message there, a long one back.
            reply = await client.ask("error", type="x" * 40000)
            self.assertEqual(reply["code"], "UNKNOWN_TYPE")

    async def test_the_protocol_itself(self):
        client = await self.connect()
        await asyncio.wait_for(await client.socket.ping(b"hello"), DEADLINE_S)
        await client.socket.send(['{"type":"pi', 'ng"}'])  # in two fragments
        self.assertEqual((await client.next())["type"], "pong")
        with self.assertRaises(websockets.InvalidStatusCode) as refused:
            await self.connect(origin="https://example.com")
        self.assertEqual(refused.exception.status_code, 403)


if __name__ == "__main__":
    unittest.main(verbosity=2)
