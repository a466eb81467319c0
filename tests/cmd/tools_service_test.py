#!/usr/bin/env python3
"""The tools on what a service wrote, and while it does."""

import concurrent.futures
import json
import os
import re
import signal
import sys
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from process_test import SMALL, Process  # noqa: E402
from server import DEADLINE_S  # noqa: E402
from tools_case import FAILED  # noqa: E402


class Service(Process):
    def start_service(self):
        config = self.file(SMALL + "[journal]\nsegment_bytes = 1048576\n")
        process, lines = self.start("http", "--http-port", "0", "--config", config, "--data-dir",
                                    "data")
        return process, lines[0].split()[2]

    def order(self, address, **fields):
        request = urllib.request.Request(
            f"http://{address}/api/orders", json.dumps(fields).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return json.load(reply)

    def ok(self, *arguments):
        code, out, errors = self.run_to_the_end(*arguments, "data")
        self.assertEqual(code, 0, errors + out)
        return out

    def state_hash(self, text):
        return re.search(r"state hash ([0-9a-f]{16})", text).group(1)

    def trade(self, address, count):
        for number in range(count):
            self.order(address, trader_id="alice", side="buy", price=50000 - number, quantity=0.5)
        self.order(address, trader_id="bob", side="sell", price=49999, quantity=0.75)

    def test_after_a_crash_they_see_what_the_next_start_recovers(self):
        process, address = self.start_service()
        self.trade(address, 20)
        self.assertIn("OK, as far as the process that writes there has come",
                      self.ok("journal", "verify"))
        beside = self.ok("journal", "dump").splitlines()
        code, _, errors = self.run_to_the_end("snapshot", "data")
        self.assertEqual(code, FAILED)
        self.assertIn(f"in use by process {process.pid}", errors)
        self.end(process)  # by SIGKILL
        self.assertTrue(self.ok("journal", "verify").endswith(": OK\n"))
        after = self.ok("journal", "dump").splitlines()
        self.assertEqual(after[:len(beside)], beside)
        orders = [json.loads(line) for line in after if '"limit_order"' in line]
        self.assertEqual([(order["trader_id"], order["price"]) for order in orders],
                         [("alice", str(50000 - number)) for number in range(20)]
                         + [("bob", "49999")])
        out = self.ok("journal", "replay")
        self.assertIn(["49999", "0.25", "1"], [line.split() for line in out.splitlines()])
        state = self.state_hash(out)
        self.assertEqual(self.state_hash(self.ok("snapshot")), state)
        process, address = self.start_service()
        with urllib.request.urlopen(f"http://{address}/api/market/trades",
                                    timeout=DEADLINE_S) as reply:
            trades = json.load(reply)["trades"]
        self.assertEqual([trade["price"] for trade in trades], [50000, 49999])
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)
        self.assertEqual((process.returncode, self.state_hash(errors)), (0, state))
        self.assertTrue(self.ok("journal", "verify").endswith(": OK\n"))

    def test_beside_a_busy_service_they_never_see_trouble(self):
        process, address = self.start_service()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            trading = pool.submit(self.trade, address, 250)
            while not trading.done():
                self.assertIn(": OK", self.ok("journal", "verify"))
                for line in self.ok("journal", "dump").splitlines():
                    json.loads(line)
                self.state_hash(self.ok("journal", "replay"))
            trading.result()
        self.stop(process)


if __name__ == "__main__":
    unittest.main()
