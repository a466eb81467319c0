#!/usr/bin/env python3
"""GET /metrics against what was really done, by promtool and by a real Prometheus."""

import asyncio
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from server import DEADLINE_S, Server, die_with_the_test, skip

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed (Debian: python3-websockets)")

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
SAMPLE = re.compile(r"^([a-z_]+)(\{.*\})? (\S+)$", re.M)


def load(address, path, **headers):
    """(the body's text, its type)."""
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def scrape(server):
    """{name: {labels: value}}"""
    found = {}
    for name, labels, value in SAMPLE.findall(load(server.http, "/metrics")[0]):
        found.setdefault(name, {})[labels] = float(value)
    return found


def post(address, path, body):
    connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def order(side, price=100, symbol="BTCUSDT", trader="ann"):
    return {"trader_id": trader, "side": side, "price": price, "quantity": 1, "symbol": symbol}


class Traffic(unittest.TestCase):
    def start(self, config=""):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        return self.enterContext(Server(data_dir=os.path.join(folder, "data"), config=config))

    def trade_everywhere(self, server):
        """Two orders over REST, two over JSON-RPC (a trade each), one over WebSocket, and on each
        of these doors an order without a price that makes sense."""
        for side in ("buy", "sell"):
            self.assertEqual(post(server.http, "/api/orders", order(side)), 200)
            self.assertEqual(post(server.jsonrpc, "/", {
                "jsonrpc": "2.0", "id": 1, "method": "place_limit_order",
                "params": order(side, symbol="ETHUSDT")}), 200)
        self.assertEqual(post(server.http, "/api/orders", order("buy", price=-1)), 400)
        self.assertEqual(post(server.http, "/api/orders/cancel", {"order_id": 12345}), 404)
        post(server.jsonrpc, "/", {"jsonrpc": "2.0", "id": 1, "method": "place_limit_order",
                                   "params": order("buy", price=-1)})

        for body in ([1], "{"):
            connection = http.client.HTTPConnection(server.jsonrpc, timeout=DEADLINE_S)
            connection.request("POST", "/", body if body == "{" else json.dumps(body),
                               {"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()

        async def over_websocket():
            async with websockets.connect(f"ws://{server.websocket}/ws", compression=None) as door:
                for price in (90, -1):
                    await door.send(json.dumps({"type": "limit_order", **order("buy", price)}))
                    await asyncio.wait_for(door.recv(), DEADLINE_S)
                await door.send(json.dumps({"type": "subscribe", "channels": ["trades"],
                                            "symbols": ["BTCUSDT"]}))
                await asyncio.wait_for(door.recv(), DEADLINE_S)
                return scrape(server)  # while it is connected
        return asyncio.run(over_websocket())


class Metrics(Traffic):
    def test_what_was_done_is_what_is_told(self):
        server = self.start()
        before = scrape(server)
        self.assertEqual(before["matching_orders_total"]['{symbol="BTCUSDT"}'], 0)
        found = self.trade_everywhere(server)
        self.assertEqual(found["matching_orders_total"], {
            '{symbol="BTCUSDT"}': 3, '{symbol="ETHUSDT"}': 2, '{symbol="SOLUSDT"}': 0})
        self.assertEqual(found["matching_trades_total"]['{symbol="BTCUSDT"}'], 1)
        self.assertEqual(found["matching_trades_total"]['{symbol="ETHUSDT"}'], 1)
        commands, refusals = found["matching_commands_total"], found["matching_refusals_total"]
        for door, placed in (("http", 2), ("jsonrpc", 2), ("websocket", 1), ("sbe", 0)):
            self.assertEqual(commands[f'{{transport="{door}",type="place"}}'], placed, door)
            self.assertEqual(refusals[f'{{transport="{door}",code="INVALID_PRICE"}}'],
                             door != "sbe", door)
        self.assertEqual(refusals['{transport="http",code="ORDER_NOT_FOUND"}'], 1)
        self.assertEqual(refusals['{transport="jsonrpc",code="INVALID_JSON"}'], 1)
        self.assertEqual(refusals['{transport="jsonrpc",code="INVALID_MESSAGE"}'], 1)
        self.assertEqual(sum(refusals.values()), 6, {k: v for k, v in refusals.items() if v})
        responses = found["matching_http_responses_total"]
        self.assertEqual(responses['{transport="http",status="2xx"}'], 3)  # the first scrape's too
        self.assertEqual(responses['{transport="http",status="4xx"}'], 2)
        self.assertEqual(responses['{transport="jsonrpc",status="2xx"}'], 5)
        self.assertEqual(found["matching_connections"]['{transport="websocket"}'], 1)
        # Of HTTP only the one that asks may still be there; each request had one of its own.
        self.assertGreaterEqual(found["matching_connections"]['{transport="http"}'], 1)
        self.assertEqual(found["matching_connections_opened_total"]['{transport="http"}'], 6)
        self.assertEqual(found["matching_connections_opened_total"]['{transport="jsonrpc"}'], 5)
        bodies = found["matching_http_body_bytes_total"]
        self.assertGreater(bodies['{transport="http",direction="in"}'], 3 * len(json.dumps(order("buy"))))
        self.assertGreater(bodies['{transport="jsonrpc",direction="out"}'], 5 * 30)
        self.assertEqual(found["matching_subscriptions"]['{transport="websocket"}'], 1)
        self.assertEqual(found["matching_messages_total"]['{transport="websocket",direction="in"}'], 3)
        self.assertEqual(found["matching_message_errors_total"]['{transport="websocket"}'], 1)
        for direction in ("in", "out"):
            self.assertGreater(found["matching_transferred_bytes_total"][
                f'{{transport="websocket",direction="{direction}"}}'], 100)
        self.assertGreaterEqual(found["matching_journal_sync_seconds_count"][""], 6)
        self.assertGreater(found["matching_journal_written_bytes_total"]['{shard="0"}'], 600)
        self.assertGreater(found["process_resident_memory_bytes"][""], 1e6)
        self.assertAlmostEqual(found["process_start_time_seconds"][""], time.time(), delta=600)
        # The connection has ended; what it did stays.
        end = time.monotonic() + DEADLINE_S
        while any(scrape(server)["matching_connections"][f'{{transport="{door}"}}'] != 0
                  for door in ("websocket", "jsonrpc")):
            self.assertLess(time.monotonic(), end)
        after = scrape(server)
        self.assertEqual(after["matching_connections_opened_total"]['{transport="websocket"}'], 1)
        self.assertGreaterEqual(
            after["matching_transferred_bytes_total"]['{transport="websocket",direction="out"}'],
            found["matching_transferred_bytes_total"]['{transport="websocket",direction="out"}'])

    def test_one_order_in_256_goes_through_all_stages(self):
        server = self.start()
        connection = http.client.HTTPConnection(server.jsonrpc, timeout=DEADLINE_S)
        batch = json.dumps([{"jsonrpc": "2.0", "id": i, "method": "place_limit_order",
                             "params": order("buy", 1 + i)} for i in range(64)])
        for _ in range(16):
            connection.request("POST", "/", batch, {"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().read().count(b"order_id"), 64)
        connection.close()
        stages = json.loads(load(server.http, "/api/admin/latency")[0])["stages"]
        self.assertEqual([it["stage"] for it in stages],
                         ["parse", "submit", "queue", "match", "durable", "send", "total"])
        found = scrape(server)
        for it in stages:
            self.assertEqual(it["count"], 4, it)
            self.assertLessEqual(it["p50_ns"], it["p99_ns"])
            self.assertLessEqual(it["p99_ns"], it["max_ns"])
            bounds = [bucket["most_ns"] for bucket in it["buckets"]]
            self.assertEqual(sum(bucket["count"] for bucket in it["buckets"]), it["count"])
            self.assertTrue(all(bucket["count"] > 0 for bucket in it["buckets"]), it)
            self.assertEqual(bounds, sorted(set(bounds)))
            self.assertEqual(bounds[-1], it["max_ns"])
            self.assertIn(it["p50_ns"], bounds)
        self.assertEqual(found["matching_stage_seconds_count"]['{stage="match"}'], 4)
        self.assertEqual(found["matching_order_seconds_count"]['{transport="jsonrpc"}'], 4)
        p999 = found["matching_processing_seconds"]['{quantile="0.999"}']
        self.assertAlmostEqual(p999, stages[3]["p999_ns"] / 1e9)
        # A whole is not shorter than its longest part, to a bucket's width.
        self.assertGreaterEqual(stages[-1]["max_ns"] * 17 / 16, max(it["max_ns"] for it in stages[:-1]))
        # Orders of a body wait for those behind them until the shard can see all.
        self.assertGreater(stages[1]["max_ns"], 0)

    def test_a_snapshot_has_an_age_and_keeps_it(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        data = os.path.join(folder, "data")
        with Server(data_dir=data) as server:
            self.assertNotIn("matching_snapshot_age_seconds", scrape(server))
            post(server.http, "/api/orders", order("buy"))
            post(server.jsonrpc, "/", {"jsonrpc": "2.0", "id": 1, "method": "admin_snapshot"})
            found = scrape(server)
            self.assertEqual(found["matching_snapshots_total"]['{shard="0"}'], 1)
            self.assertLess(found["matching_snapshot_age_seconds"]['{shard="0"}'], DEADLINE_S)
        with Server(data_dir=data) as server:
            self.assertIn('{shard="0"}', scrape(server)["matching_snapshot_age_seconds"])

    def test_how_far_the_store_is_behind_is_told(self):
        server = self.start()
        post(server.http, "/api/orders", order("buy"))
        end = time.monotonic() + DEADLINE_S
        while (lag := scrape(server)["matching_store_lag_commands"]['{shard="0"}']) != 0:
            self.assertGreater(lag, 0)
            self.assertLess(time.monotonic(), end)
        load(server.http, "/api/market/klines?symbol=BTCUSDT&interval=m1")
        commands = scrape(server)["matching_commands_total"]
        self.assertEqual(commands['{transport="http",type="read_candles"}'], 1)
        without = self.start("[store]\nenabled = false\n")
        self.assertNotIn("matching_store_lag_commands", scrape(without))

    def test_who_is_too_often_there_is_counted(self):
        server = self.start("".join(
            f"[{door}]\nmax_requests_per_second_per_trader = 1\n" for door in ("http", "jsonrpc")))
        call = {"jsonrpc": "2.0", "id": 1, "method": "place_limit_order", "params": order("buy")}
        refused = 0
        for _ in range(20):
            refused += post(server.http, "/api/orders", order("buy")) == 429
            post(server.jsonrpc, "/", call)
        found = scrape(server)
        refusals, placed = found["matching_refusals_total"], found["matching_commands_total"]
        self.assertGreater(refused, 0)
        self.assertEqual(refusals['{transport="http",code="RATE_LIMITED"}'], refused)
        self.assertGreater(refusals['{transport="jsonrpc",code="RATE_LIMITED"}'], 0)
        self.assertEqual(refusals['{transport="jsonrpc",code="RATE_LIMITED"}'] +
                         placed['{transport="jsonrpc",type="place"}'], 20)

    def test_a_body_that_is_refused_as_a_whole_is_counted(self):
        server = self.start()
        self.assertEqual(post(server.jsonrpc, "/nowhere", {}), 404)
        self.assertEqual(post(server.jsonrpc, "/?x=1", {}), 400)
        refusals = scrape(server)["matching_refusals_total"]
        self.assertEqual(refusals['{transport="jsonrpc",code="UNKNOWN_TYPE"}'], 1)
        self.assertEqual(refusals['{transport="jsonrpc",code="INVALID_PARAMETER"}'], 1)
        self.assertEqual(sum(refusals.values()), 2)

    def test_nothing_is_counted_where_that_is_off(self):
        server = self.start("[telemetry]\nmetrics = false\n")
        found = self.trade_everywhere(server)
        self.assertNotIn("matching_commands_total", found)
        self.assertNotIn("matching_orders_total", found)
        self.assertEqual(found["matching_stage_seconds_count"]['{stage="match"}'], 0)
        self.assertEqual(found["matching_connections"]['{transport="websocket"}'], 1)

    def test_strangers_do_not_get_it(self):
        server = self.start()
        for path in ("/metrics", "/api/admin/latency"):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                load(server.http, path, Origin="http://foreign.example")
            self.assertEqual(refused.exception.code, 403)
            refused.exception.close()

    def test_the_page_has_each_metric(self):
        server = self.start()
        text = load(server.http, "/metrics")[0]
        told = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
        written = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text(encoding="utf-8"), re.M))
        self.assertEqual(written, told)


@unittest.skipUnless(shutil.which("promtool") and shutil.which("prometheus"),
                     "Prometheus is not installed (Debian: prometheus)")
class WithPrometheus(Traffic):
    def test_promtool_has_nothing_to_say(self):
        server = self.start()
        self.trade_everywhere(server)
        text, kind = load(server.http, "/metrics")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                              text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_real_one_scrapes_it(self):
        server = self.start()
        self.trade_everywhere(server)
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("global: {scrape_interval: 200ms}\nscrape_configs:\n- job_name: matching\n"
                       f"  static_configs: [{{targets: ['{server.http}']}}]\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = "127.0.0.1:%d" % free.getsockname()[1]
        prometheus = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--web.listen-address={address}",
             f"--storage.tsdb.path={folder}/data", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_the_test)
        self.addCleanup(prometheus.wait)
        self.addCleanup(prometheus.kill)

        def query(text):
            path = "/api/v1/query?" + urllib.parse.urlencode({"query": text})
            return [float(it["value"][1])
                    for it in json.loads(load(address, path)[0])["data"]["result"]]

        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                if query('sum(matching_orders_total)') == [5]:
                    break
            except OSError:
                pass  # it is still starting
            self.assertLess(time.monotonic(), end, "Prometheus has not seen the orders")
            self.assertIsNone(prometheus.poll(), "Prometheus has ended")
            time.sleep(0.05)
        self.assertEqual(query('up{job="matching"}'), [1])
        self.assertEqual(query('sum(matching_refusals_total{code="INVALID_PRICE"})'), [3])
        self.assertEqual(query('matching_shard_healthy'), [1])
        self.assertEqual(len(query('histogram_quantile(0.5, matching_journal_sync_seconds_bucket)')), 1)


if __name__ == "__main__":
    unittest.main()
