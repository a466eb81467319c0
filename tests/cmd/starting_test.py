#!/usr/bin/env python3
"""What a service that is recovering says of itself, on a recovery that stands still: it draws its
progress on a terminal whose output has been stopped, as by Ctrl-S (MATCHING_BINARY names the program).
"""

import http.client
import json
import os
import pty
import re
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from server import DEADLINE_S, SMALL, Server, die_with_the_test  # noqa: E402

ORDERS, BATCH = 20000, 1000  # more than lie between two looks at the progress
DOORS = {"http": "matching-service", "jsonrpc": "jsonrpc-matching-service",
         "websocket": "websocket-matching-service"}
CONFIG = f"[store]\nenabled = false\n[jsonrpc]\nmax_batch = {BATCH}\nmax_body_bytes = 1048576\n"


def ask(port, method, path, body=None):
    """(status, headers, body) of a request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
    finally:
        connection.close()


class Starting(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.data_dir = os.path.join(self.folder, "data")

    def fill(self):
        """A journal that ends as a process does that is killed."""
        with Server(data_dir=self.data_dir, config=CONFIG) as server:
            host, port = server.jsonrpc.split(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)
            for first in range(0, ORDERS, BATCH):
                calls = [{"jsonrpc": "2.0", "id": i, "method": "place_limit_order", "params": {
                    "trader_id": "ann", "side": "buy", "price": 7, "quantity": 1}}
                    for i in range(first, first + BATCH)]
                connection.request("POST", "/", json.dumps(calls), {"Content-Type": "application/json"})
                self.assertEqual(connection.getresponse().read().count(b'"order_id"'), BATCH)
            connection.close()
            server.kill()

    def start_on(self, terminal):
        """The program's process, and the port of each door: no door waits for a recovery at port 0."""
        path = os.path.join(self.folder, "matching.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(SMALL.format(shards=1) + CONFIG)
        free = [self.enterContext(socket.create_server(("127.0.0.1", 0))) for _ in DOORS]
        ports = dict(zip(DOORS, (it.getsockname()[1] for it in free)))
        for it in free:
            it.close()
        process = subprocess.Popen(
            [os.environ["MATCHING_BINARY"], ",".join(DOORS), "--data-dir", self.data_dir,
             "--config", path, "--log-file", os.path.join(self.folder, "log"),
             "--http-port", str(ports["http"]), "--rpc-port", str(ports["jsonrpc"]),
             "--ws-port", str(ports["websocket"])], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=terminal, text=True, cwd=self.folder,
            env=os.environ | {"TERM": "xterm"}, preexec_fn=die_with_the_test)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, ports

    def await_progress(self, port):
        """What /health says once the recovery tells how far it is."""
        end = time.monotonic() + DEADLINE_S
        while True:
            self.assertLess(time.monotonic(), end)
            try:
                status, headers, body = ask(port, "GET", "/health")
            except ConnectionRefusedError:
                continue  # nobody listens yet
            self.assertEqual((status, body["status"], headers["Retry-After"]), (503, "starting", "1"))
            if "recovering" in body:
                return body

    def read_all(self, master):
        """From now on, what is drawn goes to self.drawn, until the terminal has been closed."""
        def read():
            try:
                while part := os.read(master, 4096):
                    self.drawn += part
            except OSError:  # nobody has the other end any more
                pass
        self.drawn = b""
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        return reader

    def test_each_door_says_how_far_the_recovery_is(self):
        self.fill()
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        termios.tcflow(terminal, termios.TCOOFF)
        process, ports = self.start_on(terminal)
        body = self.await_progress(ports["http"])
        recovering = body["recovering"]
        self.assertEqual(body, {"status": "starting", "service": "matching-service",
                                "recovering": {"shard": 0, "what": "replaying the journal",
                                               "done": recovering["done"]}})
        self.assertTrue(0 < recovering["done"] < 1, recovering)
        for door, service in DOORS.items():
            status, headers, body = ask(ports[door], "GET", "/health")
            self.assertEqual((status, headers["Retry-After"], body), (503, "1", {
                "status": "starting", "service": service, "recovering": recovering}))
        for port in (ports["http"], ports["jsonrpc"]):
            status, _, body = ask(port, "POST", "/api/orders" if port == ports["http"] else "/", "{}")
            self.assertEqual((status, body["code"]), (503, "OVERLOADED"))
        self.assertIsNone(process.poll())

        reader = self.read_all(master)
        termios.tcflow(terminal, termios.TCOON)
        lines = iter(process.stdout.readline, "")
        self.assertIn("ready\n", lines)
        status, _, body = ask(ports["http"], "GET", "/health")
        self.assertEqual((status, body["status"]), (200, "healthy"))
        self.assertNotIn("recovering", body)
        _, _, depth = ask(ports["http"], "GET", "/api/market/depth")
        self.assertEqual([[float(it) for it in level] for level in depth["bids"]],
                         [[7, ORDERS, ORDERS]])
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
            self.assertTrue(re.search(r"recovered shard 0: \d+ commands", log.read()))
        process.terminate()
        self.assertEqual(process.wait(DEADLINE_S), 0)
        os.close(terminal)
        reader.join(DEADLINE_S)
        self.assertRegex(self.drawn.decode(), r"shard 0: replaying the journal \[#*\.*\] +\d+ %")


if __name__ == "__main__":
    unittest.main(verbosity=2)
