#!/usr/bin/env python3
"""Who is connected, as REST tells it and as the log does when a connection ends."""

import asyncio
import http.client
import json
import re
import socket
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from server import DEADLINE_S, Server, skip

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed (Debian: python3-websockets)")

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PAIR = re.compile(r'(\w+)=(\S+)')
TOKEN = "a-token-of-this-test"


def load(address, path, **headers):
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return json.load(answer)


class Connections(unittest.IsolatedAsyncioTestCase):
    """Each test has a server of its own, whose standard error is a file."""

    async def start(self, config=""):
        self.errors = self.enterContext(tempfile.TemporaryFile(mode="w+"))
        self.server = Server(config=config, stderr=self.errors)
        self.server.__enter__()
        self.is_running = True
        self.addCleanup(self.stop)

    def stop(self):
        if self.is_running:
            self.is_running = False
            self.server.__exit__(None)

    def log(self):
        """What the server has logged, once it has ended."""
        self.stop()
        self.errors.seek(0)
        return self.errors.read().splitlines()

    async def connect(self):
        url = f"ws://{self.server.websocket}/ws"
        socket = await asyncio.wait_for(websockets.connect(url, compression=None), DEADLINE_S)
        self.addAsyncCleanup(socket.close)
        return socket

    async def ask(self, socket, **message):
        await socket.send(json.dumps(message))
        return json.loads(await asyncio.wait_for(socket.recv(), DEADLINE_S))

    async def get(self, path, **headers):
        return await asyncio.to_thread(load, self.server.http, path, **headers)

    async def listed(self):
        return (await self.get("/api/ws/connections"))["connections"]

    async def until(self, condition):
        """The list, as soon as it is as it should be."""
        end = time.monotonic() + DEADLINE_S
        while not condition(connections := await self.listed()):
            self.assertLess(time.monotonic(), end, connections)
            await asyncio.sleep(0.01)
        return connections

    async def test_a_connection_from_its_begin_to_its_end(self):
        await self.start()
        self.assertEqual(await self.listed(), [])
        before_ms = time.time_ns() // 1_000_000
        socket = await self.connect()
        (begun,) = await self.until(lambda connections: len(connections) == 1)
        self.assertRegex(begun["id"], UUID4)
        self.assertEqual((begun["transport"], begun["trader_id"], begun["errors"]),
                         ("websocket", None, 0))
        self.assertEqual(begun["remote_address"], "127.0.0.1:%d" % socket.local_address[1])
        self.assertTrue(before_ms <= begun["connected_at"] <= time.time_ns() // 1_000_000)
        text = json.dumps({"type": "limit_order", "trader_id": "alice", "side": "buy", "price": 5,
                           "quantity": 1})
        await socket.send(text)
        acknowledged = await asyncio.wait_for(socket.recv(), DEADLINE_S)
        self.assertEqual(json.loads(acknowledged)["type"], "order_ack")
        # A frame's head has 2 bytes below 126 bytes, then 4, and a client's mask 4 more.
        head = 2 if len(acknowledged) < 126 else 4
        (it,) = await self.until(
            lambda connections: connections[0]["bytes_sent"] == head + len(acknowledged))
        head = 2 if len(text) < 126 else 4
        self.assertEqual(it["bytes_received"], head + 4 + len(text))
        self.assertEqual((it["id"], it["connected_at"]), (begun["id"], begun["connected_at"]))
        self.assertEqual((it["trader_id"], it["messages_received"], it["messages_sent"]),
                         ("alice", 1, 1))
        self.assertGreaterEqual(it["last_activity"], it["connected_at"])
        self.assertEqual((await self.ask(socket, type="nothing"))["type"], "error")
        self.assertEqual((await self.ask(socket, type="cancel_order", order_id=99))["code"],
                         "ORDER_NOT_FOUND")
        await self.ask(socket, type="subscribe", channels=["trades", "ticker"],
                       symbols=["BTCUSDT"])
        (it,) = await self.listed()
        self.assertEqual((it["errors"], it["subscriptions"], it["trader_id"]), (2, 2, "alice"))
        await socket.close(4000, "enough")
        await self.until(lambda connections: connections == [])
        lines = [line for line in self.log() if "websocket: connection ended" in line]
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info websocket: ")
        said = dict(PAIR.findall(lines[0]))
        self.assertEqual((said["id"], said["trader"], said["remote"]),
                         (begun["id"], "alice", begun["remote_address"]))
        self.assertEqual((said["errors"], said["code"], said["messages_received"]),
                         ("2", "4000", "4"))
        self.assertGreaterEqual(int(said["bytes_received"]), it["bytes_received"])
        self.assertGreaterEqual(int(said["bytes_sent"]), it["bytes_sent"])
        self.assertGreaterEqual(int(said["messages_sent"]), it["messages_sent"])
        self.assertIn("duration_ms", said)

    async def test_the_log_as_json_tells_how_a_connection_ended(self):
        await self.start('[telemetry]\nlog_format = "json"\n')
        polite, rude, last = await self.connect(), await self.connect(), await self.connect()
        await self.until(lambda connections: len(connections) == 3)
        by_port = {socket.local_address[1]: code for socket, code in
                   ((polite, 1000), (rude, 1006), (last, 1001))}
        await polite.close()
        rude.transport.abort()
        await self.until(lambda connections: len(connections) == 1)
        ended = {}
        await asyncio.to_thread(self.stop)  # and with it the last one, which still answers
        for line in self.log():
            line = json.loads(line)
            if line["message"] == "connection ended" and line["module"] == "websocket":
                self.assertEqual(line["level"], "info")
                self.assertNotIn("trader", line)
                ended[int(line["remote"].split(":")[1])] = line["code"]
        self.assertEqual(ended, by_port)

    def poll(self, sid=None, body=None):
        """A GET of Socket.IO's polling, or a POST; the answer's text."""
        url = f"http://{self.server.socketio}/socket.io/?EIO=4&transport=polling"
        url += f"&sid={sid}" if sid else ""
        request = urllib.request.Request(url, body.encode() if body else None)
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.read().decode()

    def begin_polling(self):
        """The session's id, and the answers to its GETs."""
        opened = self.poll()
        sid = json.loads(opened[1:])["sid"]
        self.assertEqual(self.poll(sid, "40/ws/kline,"), "ok")
        return sid, opened, self.poll(sid)

    def socketio_metrics(self):
        """{name: {labels but the door: value}} of the door's connections."""
        url = f"http://{self.server.http}/metrics"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            text = answer.read().decode()
        found = {}
        for name, labels, value in re.findall(
                r'^matching_(\w+)\{transport="socketio",?(.*)\} (\d+)$', text, re.M):
            found.setdefault(name, {})[labels] = int(value)
        return found

    async def test_a_session_that_polls_is_a_connection(self):
        await self.start()
        sid, opened, joined = await asyncio.to_thread(self.begin_polling)
        wanted = '42/ws/kline,["subscribe_kline",{"interval":"m1"}]'
        self.assertEqual(await asyncio.to_thread(self.poll, sid, wanted), "ok")
        told = await asyncio.to_thread(self.poll, sid)
        nonsense = '42/ws/kline,["subscribe_kline",{}]'
        self.assertEqual(await asyncio.to_thread(self.poll, sid, nonsense), "ok")
        refused = await asyncio.to_thread(self.poll, sid)
        self.assertIn("error", refused)
        gets, posts = [opened, joined, told, refused], ["40/ws/kline,", wanted, nonsense]
        sent = sum(text.count("\x1e") + 1 for text in gets)
        bytes_sent = sum(len(text.encode()) for text in gets) + 3 * len("ok")
        (it,) = await self.listed()
        self.assertRegex(it["id"], UUID4)
        self.assertNotIn(sid, str(it))  # whoever has that goes on with the session
        self.assertRegex(it["remote_address"], r"^127\.0\.0\.1:\d+$")
        self.assertGreaterEqual(it["last_activity"], it["connected_at"])
        counts = {"messages_received": 3, "messages_sent": sent, "errors": 1,
                  "bytes_received": len("".join(posts)), "bytes_sent": bytes_sent}
        self.assertEqual(it, it | counts | {
            "transport": "socketio", "trader_id": None, "subscriptions": 1})
        self.assertEqual((await self.get("/api/ws/metrics"))["connections"], {
            "total_connections": 1, "active_connections": 1, "total_messages_sent": sent,
            "total_subscriptions": 1})
        metrics = await asyncio.to_thread(self.socketio_metrics)
        self.assertEqual(metrics, metrics | {
            "connections": {"": 1}, "connections_opened_total": {"": 1}, "subscriptions": {"": 1},
            "messages_total": {'direction="in"': 3, 'direction="out"': sent},
            "transferred_bytes_total": {'direction="in"': counts["bytes_received"],
                                        'direction="out"': bytes_sent},
            "message_errors_total": {"": 1}})
        self.assertEqual(await asyncio.to_thread(self.poll, sid, "1"), "ok")
        self.assertEqual(await self.listed(), [])
        await asyncio.to_thread(self.begin_polling)
        (rude,) = await self.listed()
        await asyncio.to_thread(self.stop)
        ended = {}
        for line in self.log():
            if "socketio: connection ended" in line:
                self.assertIn(" info ", line)
                said = dict(PAIR.findall(line))
                self.assertNotIn(said["id"], ended)
                ended[said["id"]] = said
        self.assertEqual({key: said["code"] for key, said in ended.items()},
                         {it["id"]: "1000", rude["id"]: "1001"})
        said = ended[it["id"]]
        self.assertEqual(said["remote"], it["remote_address"])
        self.assertLess(int(said["duration_ms"]), 1000 * DEADLINE_S)
        counts |= {"messages_received": 4, "bytes_received": counts["bytes_received"] + 1,
                   "bytes_sent": bytes_sent + len("ok")}  # its farewell
        self.assertEqual({name: int(said[name]) for name in counts}, counts)

    def ask_over_http(self, address, requests):
        """All over one connection: (method, path, body), each answered. The client's port, and the
        lengths of the answers' bodies."""
        connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
        lengths, port = [], None
        for method, path, body in requests:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            port = port or connection.sock.getsockname()[1]
            lengths.append(len(connection.getresponse().read()))
        self.assertEqual(connection.sock.getsockname()[1], port)
        connection.close()
        return port, lengths

    def ended(self):
        """{(module, the client's port): what the line says}; one for each that ended."""
        found = {}
        for line in self.log():
            if "connection ended" in line:
                _, level, module = line.split()[:3]
                said = dict(PAIR.findall(line))
                self.assertEqual(level, "info")
                host, port = said["remote"].split(":")
                self.assertEqual(host, "127.0.0.1")
                self.assertNotIn((module, int(port)), found)
                self.assertRegex(said["id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-")
                self.assertLess(int(said["duration_ms"]), 1000 * DEADLINE_S)
                found[module, int(port)] = said
        self.assertEqual(len({it["id"] for it in found.values()}), len(found))
        return found

    def check_ended(self, said, sent, lengths, errors, code, trader):
        counts = [int(said[name]) for name in (
            "messages_received", "messages_sent", "bytes_received", "bytes_sent", "errors", "code")]
        self.assertEqual(counts, [len(sent), len(lengths), sum(len(it) for it in sent), sum(lengths),
                                  errors, code])
        self.assertEqual(said.get("trader"), trader)

    async def test_a_connection_of_http_is_told_when_it_ends(self):
        await self.start()
        good = json.dumps({"trader_id": "alice", "side": "buy", "price": 5, "quantity": 1})
        bad = json.dumps({"trader_id": "bob", "side": "buy", "price": -5, "quantity": 1})
        port, lengths = await asyncio.to_thread(self.ask_over_http, self.server.http, [
            ("POST", "/api/orders", good), ("POST", "/api/orders", bad),
            ("GET", "/api/time", None), ("GET", "/nowhere", None)])
        other, health = await asyncio.to_thread(
            self.ask_over_http, self.server.http, [("GET", "/health", None)])
        await asyncio.to_thread(self.stop)
        found = self.ended()
        # One that is refused is nobody's order, so its trader is not known.
        self.check_ended(found["http:", port], [good, bad, "", ""], lengths, 2, 404, "alice")
        self.check_ended(found["http:", other], [""], health, 0, 200, None)

    async def test_a_connection_of_jsonrpc_is_told_when_it_ends(self):
        await self.start()

        def call(method, **params):
            return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        order = {"trader_id": "carol", "side": "buy", "price": 5, "quantity": 1}
        bodies = [json.dumps(it) for it in (
            call("place_limit_order", **order),
            [call("health"), call("cancel_order", order_id=99), call("no_such_method")],
            {"jsonrpc": "2.0", "method": "cancel_order", "params": {"order_id": 99}},  # tells nobody
            call("health"), [])]
        port, lengths = await asyncio.to_thread(
            self.ask_over_http, self.server.jsonrpc, [("POST", "/", body) for body in bodies])
        await asyncio.to_thread(self.stop)
        self.check_ended(self.ended()["jsonrpc:", port], bodies, lengths, 2, 200, "carol")

    async def test_a_head_that_is_refused_is_told_as_an_answer(self):
        await self.start()

        def talk(address):
            host, port = address.split(":")
            with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as raw:
                raw.sendall(b"nonsense\r\n\r\n")
                answer = b""
                while part := raw.recv(4096):
                    answer += part
                return raw.getsockname()[1], len(answer.partition(b"\r\n\r\n")[2])
        asked = {f"{name}:": await asyncio.to_thread(talk, getattr(self.server, name))
                 for name in ("http", "jsonrpc")}
        await asyncio.to_thread(self.stop)
        found = self.ended()
        for module, (port, length) in asked.items():
            self.check_ended(found[module, port], [""], [length], 1, 400, None)

    async def test_at_warn_nothing_is_said_of_connections(self):
        await self.start('[telemetry]\nlog_level = "warn"\n')
        await asyncio.to_thread(self.ask_over_http, self.server.jsonrpc, [("GET", "/health", None)])
        await (await self.connect()).close()
        await self.until(lambda connections: connections == [])
        self.assertEqual(self.log(), [])

    async def test_pages(self):
        await self.start()
        sockets = [await self.connect() for _ in range(5)]
        await self.until(lambda connections: len(connections) == 5)
        seen, path = [], "/api/ws/connections?limit=2"
        while path:
            page = await self.get(path)
            self.assertLessEqual(len(page["connections"]), 2)
            seen += [it["remote_address"] for it in page["connections"]]
            path = page["next"] and f"/api/ws/connections?limit=2&after={page['next']}"
        self.assertEqual(sorted(seen),
                         sorted("127.0.0.1:%d" % socket.local_address[1] for socket in sockets))

    async def test_the_list_is_administration(self):
        await self.start(f'[admin]\ntoken = "{TOKEN}"\n')
        with self.assertRaises(urllib.error.HTTPError) as refused:
            await self.get("/api/ws/connections")
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        answer = await self.get("/api/ws/connections", Authorization=f"Bearer {TOKEN}")
        self.assertEqual(answer, {"connections": [], "next": None})
        await self.get("/api/ws/metrics")

    async def test_metrics(self):
        await self.start()
        quiet = await self.get("/api/ws/metrics")
        self.assertEqual(quiet["connections"], {"total_connections": 0, "active_connections": 0,
                                                "total_messages_sent": 0, "total_subscriptions": 0})
        self.assertEqual((quiet["messages_per_second"], quiet["average_latency_ms"],
                          quiet["error_rate"]), (0, 0, 0))
        self.assertGreater(quiet["memory_usage_mb"], 0)
        one, other = await self.connect(), await self.connect()
        await self.until(lambda connections: len(connections) == 2)
        await self.ask(one, type="subscribe", channels=["trades"], symbols=["BTCUSDT"])
        for price in range(1, 4):
            ack = await self.ask(one, type="limit_order", trader_id="a", side="buy", price=price,
                                 quantity=1)
            self.assertEqual(ack["type"], "order_ack")
        await other.close()
        await self.until(lambda connections: len(connections) == 1)
        busy = await self.get("/api/ws/metrics")
        self.assertEqual(busy["connections"], {"total_connections": 2, "active_connections": 1,
                                               "total_messages_sent": 4, "total_subscriptions": 1})
        self.assertGreater(busy["messages_per_second"], 0)
        self.assertGreater(busy["average_latency_ms"], 0)
        await self.ask(one, type="nothing")
        # All of these within ten seconds, so long as the machine is not stopped for as long.
        self.assertGreater((await self.get("/api/ws/metrics"))["error_rate"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
