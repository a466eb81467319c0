#!/usr/bin/env python3
"""curl against the HTTP and the JSON-RPC door: complete conversations, errors, HTTP itself."""

import json
import shutil
import subprocess
import time
import unittest

from server import DEADLINE_S, Server, skip

JSON = "Content-Type: application/json"


class Answer:
    def __init__(self, output):
        head, _, self.text = output.partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip()
                        for name, value in (line.split(":", 1) for line in lines[1:])}

    @property
    def body(self):
        return json.loads(self.text)


def run_curl(*arguments, data=None):
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", str(DEADLINE_S), *arguments],
        input=data, check=True, capture_output=True, timeout=2 * DEADLINE_S).stdout.decode()


class Conversation(unittest.TestCase):
    """Each test has a server of its own, so that order ids are 1, 2, 3, …."""

    shards = 1
    config = ""

    def setUp(self):
        self.server = self.enterContext(Server(self.shards, self.config))

    def curl(self, method, path, body=None, *more):
        arguments = ["--include", f"http://{self.server.http}{path}", *more]
        arguments += ["--head"] if method == "HEAD" else ["--request", method]
        if body is None:
            return Answer(run_curl(*arguments))
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        data = text if isinstance(text, bytes) else text.encode()
        return Answer(run_curl(*arguments, "--header", JSON, "--data-binary", "@-", data=data))

    def ok(self, method, path, body=None):
        answer = self.curl(method, path, body)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual(answer.headers["content-type"], "application/json")
        return answer.body

    def limit(self, trader_id, side, price, quantity, **more):
        return self.ok("POST", "/api/orders", {"trader_id": trader_id, "side": side, "price": price,
                                               "quantity": quantity, **more})

    def refused(self, status, code, field, answer):
        body = answer.body
        told = (answer.status, body["code"], body.get("field"))
        self.assertEqual(told, (status, code, field), body)
        self.assertTrue(body["error"])
        return body

    def rpc_text(self, text, *more, content_type=JSON):
        """The answer to a JSON-RPC body, as it came."""
        return Answer(run_curl("--include", f"http://{self.server.jsonrpc}/", "--header",
                               content_type, "--data-binary", "@-", *more, data=text.encode()))

    def rpc(self, method, _id=1, **params):
        answer = self.rpc_text(json.dumps({"jsonrpc": "2.0", "method": method, "params": params,
                                           "id": _id}))
        self.assertEqual(answer.status, 200)
        body = answer.body
        self.assertEqual((body["jsonrpc"], body["id"]), ("2.0", _id))
        return body

    def result(self, method, **params):
        body = self.rpc(method, **params)
        self.assertIn("result", body, body)
        return body["result"]


class Rest(Conversation):
    def test_health_time_and_symbols(self):
        health = self.ok("GET", "/health")
        self.assertEqual((health["status"], health["service"]), ("healthy", "matching-service"))
        server_time = self.ok("GET", "/api/time")["server_time"]
        self.assertAlmostEqual(server_time / 1000, time.time(), delta=60)
        symbols = self.ok("GET", "/api/symbols")["symbols"]
        self.assertEqual([(one["symbol"], one["id"], one["tick_size"], one["lot_size"])
                          for one in symbols],
                         [("BTCUSDT", 1, 0.01, 0.0001), ("ETHUSDT", 2, 0.01, 0.0001),
                          ("SOLUSDT", 3, 0.01, 0.0001)])

    def test_an_order_from_entry_to_the_last_fill(self):
        placed = self.limit("alice", "sell", 50000, 1, client_order_id="a")
        placed.pop("latency_us")
        self.assertEqual(placed, {"order_id": 1, "client_order_id": "a", "symbol": "BTCUSDT",
                                  "status": "open", "filled_quantity": 0, "remaining_quantity": 1,
                                  "trades": []})
        taken = self.ok("POST", "/api/orders", {"trader_id": "bob", "type": "market", "side": "buy",
                                                "quantity": 0.25})
        self.assertEqual((taken["status"], taken["average_price"]), ("filled", 50000))
        [trade] = taken["trades"]
        self.assertAlmostEqual(trade.pop("timestamp") / 1000, time.time(), delta=60)
        self.assertEqual(trade, {"trade_id": 1, "symbol": "BTCUSDT", "buyer": "bob",
                                 "seller": "alice", "price": 50000, "quantity": 0.25,
                                 "buy_order_id": 2, "sell_order_id": 1, "taker_side": "buy"})
        order = self.ok("GET", "/api/orders/1")
        self.assertLessEqual(order.pop("created"), order.pop("updated"))
        self.assertEqual(order, {"order_id": 1, "client_order_id": "a", "symbol": "BTCUSDT",
                                 "trader_id": "alice", "side": "sell", "order_type": "limit",
                                 "time_in_force": "GTC", "price": 50000, "quantity": 1,
                                 "filled_quantity": 0.25, "remaining_quantity": 0.75,
                                 "average_price": 50000, "status": "partial", "post_only": False})
        self.assertEqual(self.limit("bob", "buy", 50000, 0.75)["status"], "filled")
        self.assertEqual(self.ok("GET", "/api/orders/1")["status"], "filled")

    def test_prices_are_exact_however_they_are_written(self):
        for price in ("0.1", "49999.99", "5e4", "92233720368", "0.10", "1.5E+3"):
            with self.subTest(price=price):
                body = '{"trader_id":"a","side":"buy","quantity":"0.0001","price":%s}' % price
                order_id = self.ok("POST", "/api/orders", body)["order_id"]
                shown = self.curl("GET", f"/api/orders/{order_id}").text
                exact = format(float(price), ".2f").rstrip("0").rstrip(".")
                self.assertIn(f'"price":{exact},', shown)
                self.ok("DELETE", f"/api/orders/{order_id}")

    def test_cancel_in_its_three_forms(self):
        for _ in range(2):
            self.limit("alice", "buy", 100, 1)
        self.limit("alice", "buy", 100, 1, client_order_id="c")
        gone = self.ok("DELETE", "/api/orders/1")
        self.assertTrue(gone.pop("message"))
        self.assertEqual(gone, {"success": True, "order_id": 1, "status": "cancelled",
                                "reason": "user", "filled_quantity": 0, "remaining_quantity": 1})
        self.refused(404, "ORDER_NOT_FOUND", "order_id", self.curl("DELETE", "/api/orders/1"))
        answer = self.curl("POST", "/api/orders/cancel", {"order_id": 2, "trader_id": "bob"})
        self.refused(404, "ORDER_NOT_FOUND", "order_id", answer)
        self.ok("POST", "/api/orders/cancel", {"order_id": 2, "trader_id": "alice"})
        self.ok("POST", "/api/orders/cancel", {"trader_id": "alice", "client_order_id": "c"})
        working = self.ok("GET", "/api/orders?trader_id=alice&status=working")
        self.assertEqual(working["orders"], [])

    def test_amend(self):
        self.limit("alice", "sell", 100, 5)
        amended = self.ok("PATCH", "/api/orders/1", {"quantity": 3})
        self.assertEqual((amended["order_id"], amended["remaining_quantity"]), (1, 3))
        self.limit("bob", "buy", 90, 1)
        crossed = self.ok("PATCH", "/api/orders/1", {"price": 90})
        self.assertEqual([trade["price"] for trade in crossed["trades"]], [90])
        self.assertEqual(crossed["status"], "partial")
        self.refused(400, "INVALID_QUANTITY", "quantity",
                     self.curl("PATCH", "/api/orders/1", {"quantity": 1}))
        self.refused(400, "MISSING_FIELD", "price", self.curl("PATCH", "/api/orders/1", {}))

    def test_lists_of_orders_come_in_pages(self):
        ids = [self.limit("alice", "buy", price, 1)["order_id"] for price in range(1, 6)]
        self.ok("DELETE", f"/api/orders/{ids[0]}")
        everything = self.ok("GET", "/api/orders?trader_id=alice")["orders"]
        self.assertEqual([order["order_id"] for order in everything], ids)
        page = self.ok("GET", f"/api/orders?trader_id=alice&after={ids[1]}&limit=2")["orders"]
        self.assertEqual([order["order_id"] for order in page], ids[2:4])
        ended = self.ok("GET", "/api/orders?status=cancelled")["orders"]
        self.assertEqual([order["order_id"] for order in ended], ids[:1])
        self.refused(400, "INVALID_PARAMETER", "status", self.curl("GET", "/api/orders?status=up"))

    def test_mass_cancel(self):
        self.limit("alice", "buy", 100, 1)
        self.limit("alice", "buy", 100, 1, symbol="ETHUSDT")
        self.limit("bob", "buy", 100, 1)
        one = self.ok("DELETE", "/api/orders?trader_id=alice&symbol=ETHUSDT")
        self.assertEqual(one, {"order_ids": [2]})
        self.assertEqual(self.ok("DELETE", "/api/orders?trader_id=alice"), {"order_ids": [1]})
        self.refused(400, "MISSING_FIELD", "trader_id", self.curl("DELETE", "/api/orders"))
        self.assertEqual(self.ok("GET", "/api/market/depth")["bids"], [[100, 1, 1]])

    def test_market_data(self):
        empty = self.ok("GET", "/api/market/depth?symbol=SOLUSDT")
        self.assertEqual(empty, {"symbol": "SOLUSDT", "sequence": 0, "best_bid": None,
                                 "best_ask": None, "spread": None, "bids": [], "asks": []})
        for price, quantity in ((99, 1), (99, 2), (98, 4)):
            self.limit("alice", "buy", price, quantity)
        self.limit("alice", "sell", 101.5, 1)
        depth = self.ok("GET", "/api/market/depth?levels=1")
        self.assertEqual((depth["best_bid"], depth["best_ask"], depth["spread"]), (99, 101.5, 2.5))
        self.assertEqual((depth["bids"], depth["asks"]), ([[99, 3, 2]], [[101.5, 1, 1]]))
        for _ in range(3):
            self.limit("bob", "sell", 99, 0.5)
        trades = self.ok("GET", "/api/market/trades?limit=2")["trades"]
        self.assertEqual([trade["trade_id"] for trade in trades], [2, 3])
        trades = self.ok("GET", "/api/market/trades?from_id=1&limit=1")["trades"]
        self.assertEqual([trade["trade_id"] for trade in trades], [1])
        trades = self.ok("GET", "/api/market/trades?before_id=3")["trades"]
        self.assertEqual([trade["trade_id"] for trade in trades], [1, 2])
        self.refused(404, "UNKNOWN_SYMBOL", "symbol",
                     self.curl("GET", "/api/market/depth?symbol=X"))
        self.refused(400, "INVALID_PARAMETER", "levels",
                     self.curl("GET", "/api/market/depth?levels=0"))

    def test_each_refusal_has_its_code_and_changes_nothing(self):
        good = {"trader_id": "a", "side": "buy", "price": 1, "quantity": 1}
        cases = [("{", 400, "INVALID_JSON", None), ("[]", 400, "INVALID_MESSAGE", None),
                 (b'{"trader_id":"\xff"}', 400, "INVALID_JSON", None),
                 ({}, 400, "MISSING_FIELD", "trader_id"),
                 ({**good, "side": "up"}, 400, "INVALID_SIDE", "side"),
                 ({**good, "price": 0}, 400, "INVALID_PRICE", "price"),
                 ({**good, "price": "1e400"}, 400, "INVALID_PRICE", "price"),
                 ({**good, "quantity": 0.00001}, 400, "INVALID_QUANTITY", "quantity"),
                 ({**good, "trader_id": "with space"}, 400, "INVALID_TRADER", "trader_id"),
                 ({**good, "type": "odd"}, 400, "INVALID_ORDER_TYPE", "type"),
                 ({**good, "time_in_force": "DAY"}, 400, "INVALID_TIME_IN_FORCE", "time_in_force"),
                 ({**good, "symbol": "NONE"}, 404, "UNKNOWN_SYMBOL", "symbol")]
        for body, status, code, field in cases:
            with self.subTest(body=body):
                self.refused(status, code, field, self.curl("POST", "/api/orders", body))
        body = self.refused(400, "INVALID_SIDE", "side",
                            self.curl("POST", "/api/orders", {**good, "side": "BUY"}))
        self.assertEqual(body["error"], "invalid side, must be 'buy' or 'sell'")
        self.assertEqual(self.limit("a", "buy", 1, 1, client_order_id="x")["order_id"], 1)
        other = self.refused(409, "DUPLICATE_CLIENT_ORDER_ID", "client_order_id",
                             self.curl("POST", "/api/orders", {**good, "client_order_id": "x"}))
        self.assertEqual(other["order_id"], 1)
        self.refused(422, "POST_ONLY_WOULD_CROSS", "price",
                     self.curl("POST", "/api/orders", {**good, "side": "sell", "post_only": True}))

    def test_the_rules_of_http(self):
        self.assertEqual(self.curl("GET", "/api/nothing").status, 404)
        wrong = self.curl("PUT", "/api/orders/1")
        self.assertEqual((wrong.status, set(wrong.headers["allow"].split(", "))),
                         (405, {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}))
        head = self.curl("HEAD", "/health")
        self.assertEqual((head.status, head.text), (200, ""))
        self.assertGreater(int(head.headers["content-length"]), 0)
        self.assertEqual(self.curl("OPTIONS", "/api/orders").status, 204)
        url = f"http://{self.server.http}/api/orders"
        self.assertEqual(Answer(run_curl("--include", url, "--data", "{}")).status, 415)
        large = self.curl("POST", "/api/orders", '{"trader_id":"%s"}' % ("x" * 70000))
        self.refused(413, "MESSAGE_TOO_LARGE", None, large)

    def test_a_connection_is_kept_and_used_again(self):
        url = f"http://{self.server.http}/api/time"
        counts = run_curl("--write-out", "%{num_connects}\n", "--output", "/dev/null", url,
                          "--output", "/dev/null", url, "--output", "/dev/null", url)
        self.assertEqual(counts.split(), ["1", "0", "0"])

    def test_foreign_pages_are_kept_out(self):
        order = {"trader_id": "a", "side": "buy", "price": 1, "quantity": 1}
        for header in ("Origin: https://example.com", "Host: example.com"):
            with self.subTest(header=header):
                answer = self.curl("POST", "/api/orders", order, "--header", header)
                self.refused(403, "UNAUTHORIZED", None, answer)
        near = self.curl("POST", "/api/orders", order, "--header", "Origin: http://localhost:3000")
        self.assertEqual(near.status, 200)
        self.assertEqual(near.headers["access-control-allow-origin"], "http://localhost:3000")


class Administration(Conversation):
    config = '[admin]\ntoken = "secret"\n'

    def test_a_halt_needs_the_token_and_stops_orders_but_not_cancels(self):
        self.limit("alice", "buy", 1, 1)
        bare = self.curl("PATCH", "/api/symbols/BTCUSDT", {"state": "halted"})
        self.refused(401, "UNAUTHORIZED", None, bare)
        token = ("--header", "Authorization: Bearer secret")
        halted = self.curl("PATCH", "/api/symbols/BTCUSDT", {"state": "halted"}, *token)
        self.assertEqual((halted.status, halted.body["state"]), (200, "halted"))
        order = {"trader_id": "a", "side": "buy", "price": 1, "quantity": 1}
        self.refused(409, "MARKET_HALTED", None, self.curl("POST", "/api/orders", order))
        self.ok("DELETE", "/api/orders/1")
        self.curl("PATCH", "/api/symbols/BTCUSDT", {"state": "trading"}, *token)
        self.ok("POST", "/api/orders", order)


class JsonRpc(Conversation):
    def test_a_conversation(self):
        self.assertEqual(self.result("health")["status"], "healthy")
        placed = self.result("place_limit_order", trader_id="alice", side="SELL", price=100,
                             quantity=2, client_order_id="a")
        self.assertEqual((placed["order_id"], placed["status"]), (1, "open"))
        taken = self.result("place_market_order", trader_id="bob", side="B", quantity=0.5)
        self.assertEqual((taken["status"], taken["trades"][0]["trade_id"]), ("filled", 1))
        self.assertEqual(self.result("get_order", order_id=1)["filled_quantity"], 0.5)
        status = self.result("get_book_status")
        self.assertEqual((status["best_bid"], status["best_ask"], status["spread"]),
                         (None, 100, None))
        self.assertEqual(self.result("get_depth", levels=1)["asks"], [[100, 1.5, 1]])
        self.assertEqual(len(self.result("get_trades", limit=10)["trades"]), 1)
        amended = self.result("amend_order", order_id=1, quantity=1)
        self.assertEqual(amended["remaining_quantity"], 0.5)
        mine = self.result("get_open_orders", trader_id="alice")["orders"]
        self.assertEqual([order["client_order_id"] for order in mine], ["a"])
        gone = self.result("cancel_order", trader_id="alice", client_order_id="a")
        self.assertTrue(gone["success"])
        self.result("place_order", trader_id="bob", type="limit", side="buy", price=1, quantity=1)
        self.assertEqual(self.result("cancel_all_orders", trader_id="bob"), {"order_ids": [3]})
        executed = self.result("execute", command="LimitOrder", trader_id="bob", side="buy",
                               price=1, quantity=1)
        self.assertEqual(executed["order_id"], 4)
        self.assertTrue(self.result("execute", command="CancelOrder", order_id=4)["success"])
        self.assertEqual(len(self.result("get_symbols")["symbols"]), 3)

    def test_batches_and_notifications(self):
        def call(method, _id=None, **params):
            request = {"jsonrpc": "2.0", "method": method, "params": params}
            return request if _id is None else {**request, "id": _id}

        order = {"trader_id": "alice", "side": "buy", "price": 1, "quantity": 1}
        batch = [call("place_limit_order", "a", **order), call("place_limit_order", **order), 1,
                 call("nothing", 2), call("get_open_orders", 3, trader_id="alice")]
        answers = self.rpc_text(json.dumps(batch)).body
        self.assertEqual(len(answers), 4)
        by_id = {answer["id"]: answer for answer in answers}
        self.assertEqual(by_id["a"]["result"]["order_id"], 1)
        self.assertEqual(by_id[None]["error"]["code"], -32600)
        self.assertEqual(by_id[2]["error"]["code"], -32601)
        self.assertEqual(len(by_id[3]["result"]["orders"]), 2)
        silent = self.rpc_text(json.dumps(call("cancel_all_orders", trader_id="alice")))
        self.assertEqual((silent.status, silent.text), (204, ""))
        silent = self.rpc_text(json.dumps([call("health"), call("health")]))
        self.assertEqual((silent.status, silent.text), (204, ""))
        self.assertEqual(self.result("get_open_orders", trader_id="alice"), {"orders": []})

    def test_errors_have_the_numbers_of_the_specification(self):
        for text, number in (("{", -32700), ("[]", -32600), ("1", -32600),
                             ('{"jsonrpc":"1.0","method":"health","id":1}', -32600),
                             ('{"jsonrpc":"2.0","method":"nothing","id":1}', -32601),
                             ('{"jsonrpc":"2.0","method":"health","params":[1],"id":1}', -32602)):
            with self.subTest(text=text):
                self.assertEqual(self.rpc_text(text).body["error"]["code"], number)
        order = {"trader_id": "a", "side": "up", "price": 1, "quantity": 1}
        error = self.rpc("place_limit_order", **order)["error"]
        self.assertEqual((error["code"], error["data"], error["message"]),
                         (-32602, {"code": "INVALID_SIDE", "field": "side"},
                          "invalid side, must be 'buy' or 'sell'"))
        error = self.rpc("cancel_order", order_id=77)["error"]
        self.assertEqual((error["code"], error["data"]["code"]), (-32000, "ORDER_NOT_FOUND"))

    def test_the_rules_of_http(self):
        self.assertEqual(self.rpc_text("{}", content_type="Content-Type: text/plain").status, 415)
        self.assertEqual(self.rpc_text("{}", "--header", "Origin: https://example.com").status, 403)
        url = f"http://{self.server.jsonrpc}/"
        self.assertEqual(Answer(run_curl("--include", url, "--request", "PUT")).status, 405)
        call = ("--header", JSON, "--data", '{"jsonrpc":"2.0","method":"health","id":1}')
        counts = run_curl("--write-out", "%{num_connects}\n", "--output", "/dev/null", *call, url,
                          "--output", "/dev/null", url)
        self.assertEqual(counts.split(), ["1", "0"])


if __name__ == "__main__":
    if shutil.which("curl") is None:
        skip("curl is not installed")
    unittest.main(verbosity=2)
