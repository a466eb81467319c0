#!/usr/bin/env python3
"""Safe retry: a client that loses replies, and its server, enters each of its orders exactly once.

It follows the recipe of docs/rest.md, over REST and over JSON-RPC: ask by client_order_id what became
of an order, enter it again only if nothing did."""

import http.client
import json
import random
import socket
import tempfile
import time
import unittest

from server import DEADLINE_S, Server

TIMEOUT_MS = 150  # of a request's header and of its body
CONFIG = f"""
[http]
header_timeout_ms = {TIMEOUT_MS}
body_timeout_ms = {TIMEOUT_MS}

[jsonrpc]
header_timeout_ms = {TIMEOUT_MS}
body_timeout_ms = {TIMEOUT_MS}
"""
TRADER = "t"
SEED = 20261121


class Lost(Exception):
    """The reply did not come; what became of the request is not known."""


class Rest:
    door = "http"

    def request(self, order):
        return "POST", "/api/orders", order

    def place(self, server, order):
        """The order's id; also where it is told that the order is there already."""
        status, body = ask(server.http, *self.request(order))
        if status == 409 and body["code"] == "DUPLICATE_CLIENT_ORDER_ID":
            return body["order_id"]
        if status != 200:
            raise AssertionError(f"{order}: {status} {body}")
        return body["order_id"]

    def find(self, server, client_order_id):
        path = f"/api/orders?trader_id={TRADER}&client_order_id={client_order_id}"
        status, body = ask(server.http, "GET", path)
        if status != 200 or len(body["orders"]) > 1:
            raise AssertionError(f"{client_order_id}: {status} {body}")
        return body["orders"][0] if body["orders"] else None


class Rpc:
    door = "jsonrpc"

    def request(self, order, method="place_order"):
        return "POST", "/", {"jsonrpc": "2.0", "id": 1, "method": method, "params": order}

    def place(self, server, order):
        body = ask(server.jsonrpc, *self.request(order))[1]
        error = body.get("error")
        if error and error["data"]["code"] == "DUPLICATE_CLIENT_ORDER_ID":
            return error["data"]["order_id"]
        if error:
            raise AssertionError(f"{order}: {body}")
        return body["result"]["order_id"]

    def find(self, server, client_order_id):
        names = {"trader_id": TRADER, "client_order_id": client_order_id}
        body = ask(server.jsonrpc, *self.request(names, "get_order"))[1]
        if "error" in body and body["error"]["data"]["code"] != "ORDER_NOT_FOUND":
            raise AssertionError(f"{client_order_id}: {body}")
        return body.get("result")


def ask(address, method, path, body=None):
    connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def send_and_leave(address, method, path, body, share=1.0):
    """Sends this share of a request and closes the connection before a reply can be read."""
    host, _, port = address.partition(":")
    text = json.dumps(body)
    request = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(text)}\r\n\r\n{text}").encode()
    with socket.create_connection((host, int(port)), DEADLINE_S) as connection:
        connection.sendall(request[: int(len(request) * share)])


class Retry(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-retry-"))
        self.start()
        self.addCleanup(lambda: self.server.__exit__(None, None, None))

    def start(self):
        self.server = Server(config=CONFIG, data_dir=self.folder).__enter__()

    def kill_and_start(self):
        self.server.kill()
        self.server.__exit__(None, None, None)
        self.start()

    def attempt(self, door, order, fate):
        """One try at entering an order, with this fate."""
        address = getattr(self.server, door.door)
        if fate == "fine":
            return door.place(self.server, order)
        share = 0.9 if fate == "cut" else 1.0
        send_and_leave(address, *door.request(order), share)
        if fate == "killed":
            self.kill_and_start()
        raise Lost

    def enter(self, door, order, fates):
        """The recipe."""
        while True:
            try:
                return self.attempt(door, order, next(fates))
            except Lost:
                # A request that was on its way is in, or given up, after both time-outs.
                end = time.monotonic() + 2 * TIMEOUT_MS / 1000
                while (found := door.find(self.server, order["client_order_id"])) is None:
                    if time.monotonic() > end:
                        break
                    time.sleep(0.01)
                if found is not None:
                    return found["order_id"]

    def test_each_order_is_entered_once(self):
        """Orders that rest, trade at once, or end at once; replies lost, requests cut, servers killed."""
        chance = random.Random(SEED)
        kinds = [
            {"side": "buy", "type": "limit", "price": 100},
            {"side": "sell", "type": "limit", "price": 90},
            {"side": "sell", "type": "limit", "price": 200, "time_in_force": "IOC"},
            {"side": "buy", "type": "market"},
            {"side": "buy", "type": "stop", "stop_price": 1000},
        ]
        fates = iter(lambda: chance.choice(["fine", "lost", "lost", "cut", "killed"]), None)
        entered = {}
        for number in range(40):
            order = {"trader_id": TRADER, "quantity": 1, "client_order_id": f"c-{number}",
                     **chance.choice(kinds)}
            door = chance.choice([Rest(), Rpc()])
            with self.subTest(seed=SEED, order=order, door=door.door):
                entered[order["client_order_id"]] = self.enter(door, order, fates)
        self.kill_and_start()
        orders = ask(self.server.http, "GET", f"/api/orders?trader_id={TRADER}")[1]["orders"]
        self.assertEqual({order["client_order_id"]: order["order_id"] for order in orders}, entered)
        self.assertEqual(len(orders), 40)

    def test_ended_orders_are_found_across_a_restart(self):
        rest = Rest()
        base = {"trader_id": TRADER, "quantity": 1}
        rest.place(self.server, {**base, "side": "sell", "price": 50, "client_order_id": "made"})
        rest.place(self.server, {**base, "side": "buy", "price": 50, "client_order_id": "took"})
        rest.place(self.server, {**base, "side": "buy", "price": 1, "time_in_force": "IOC",
                                 "client_order_id": "ioc"})
        gone = rest.place(self.server, {**base, "side": "buy", "price": 1, "client_order_id": "gone"})
        self.assertEqual(ask(self.server.http, "DELETE", f"/api/orders/{gone}")[0], 200)
        wanted = {"made": ("filled", None), "took": ("filled", None), "ioc": ("cancelled", "ioc"),
                  "gone": ("cancelled", "user"), "never": None}
        for _ in range(2):
            for name, outcome in wanted.items():
                for door in (Rest(), Rpc()):
                    found = door.find(self.server, name)
                    told = found and (found["status"], found.get("reason"))
                    self.assertEqual(told, outcome, (name, door.door))
            self.kill_and_start()

    def test_a_name_in_use_is_refused_with_its_order(self):
        order = {"trader_id": TRADER, "side": "buy", "price": 1, "quantity": 1, "client_order_id": "n"}
        first = Rest().place(self.server, order)
        for _ in range(2):
            for door in (Rest(), Rpc()):
                self.assertEqual(door.place(self.server, order), first)
            self.kill_and_start()
        self.assertEqual(ask(self.server.http, "DELETE", f"/api/orders/{first}")[0], 200)
        again = Rest().place(self.server, order)  # free again; the newer order is the one it names
        self.assertGreater(again, first)
        self.assertEqual(Rpc().find(self.server, "n")["order_id"], again)
        listed = ask(self.server.http, "GET", f"/api/orders?trader_id={TRADER}&client_order_id=n")[1]
        self.assertEqual([each["order_id"] for each in listed["orders"]], [first, again])


if __name__ == "__main__":
    unittest.main(verbosity=2)
