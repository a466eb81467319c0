#!/usr/bin/env python3
"""The SBE examples: gateways and client against each other, all clients against the service."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from server import DEADLINE_S, Server, die_with_the_test

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "examples" / "clients"
SCHEMA = ROOT / "transports" / "sbe" / "schema" / "matching-sbe.xml"
NODE_MODULES = ROOT / "tests" / "clients" / "node_modules"
BUILT = pathlib.Path(os.environ["MATCHING_EXAMPLES"])
NODE = shutil.which("node") if (NODE_MODULES / "ws").exists() else None

# The clients in Python and in JavaScript: what comes is ordered but for reports and market data.
ANSWERS = ["< Instrument id=1", "< Heartbeat", "< ExecutionReport clientOrderId=1",
           "< ExecutionReport clientOrderId=2", "< Trade tradeId=1", "< TradeExact tradeId=1"]


def run(*command):
    """Its output; a failure ends the test with what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    if done.returncode != 0:
        said = done.stdout + done.stderr
        raise AssertionError(f"{command[0]} ended with {done.returncode}\n{said}")
    return done.stdout


def sent(trades):
    """Volume by symbol of what sbe_client sends: its trade i has i % 3 and i % 10 in it."""
    volume = {"B": 0, "E": 0, "S": 0}
    for trade in range(1, trades + 1):
        volume["BES"[trade % 3]] += 1 + trade % 10
    return volume


class Gateway:
    """with Gateway("sbe_print") as gateway: gateway.address; then .output is what it printed."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.process = subprocess.Popen([BUILT / self.name, "0"], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_the_test)
        watchdog = signal.signal(signal.SIGALRM, lambda *_: self.process.kill())
        signal.alarm(DEADLINE_S)
        line = self.process.stdout.readline()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, watchdog)
        if not line.startswith("listening "):
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"{self.name} did not start")
        self.address = line.split()[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.output = self.process.communicate(timeout=DEADLINE_S)[0]
        finally:
            self.process.kill()
            self.process.wait()
        if self.process.returncode != 0:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}")


class Gateways(unittest.TestCase):
    def test_print(self):
        with Gateway("sbe_print") as gateway:
            said = run(BUILT / "sbe_client", gateway.address, "3", "2")
        self.assertEqual(said, "sent 3 trades in frames of 2\norder 1 was refused: UNKNOWN_TYPE\n")
        number = gateway.output.split()[0]
        self.assertEqual([line.removeprefix(number + " ") for line in gateway.output.splitlines()],
                         ["connected", "trade 1 E 50000.01 x 2", "trade 2 S 50000.02 x 3",
                          "trade 3 B 50000.03 x 4", "error: unknown template: 2", "disconnected"])

    def test_stats(self):
        with Gateway("sbe_stats") as gateway:
            run(BUILT / "sbe_client", gateway.address, "2500", "100")
            run(BUILT / "sbe_client", gateway.address, "7", "1")
        lines = gateway.output.splitlines()
        self.assertEqual(len(lines), 2)
        for line, trades in zip(lines, (2500, 7)):
            volume = " ".join(f"{symbol} {units}" for symbol, units in sent(trades).items())
            self.assertEqual(line.split(" ", 1)[1], f"sent {trades} trades, 1 errors; {volume}")

    def test_queue(self):
        with Gateway("sbe_queue") as gateway:
            for trades, batch in (("20000", "1000"), ("500", "1")):
                run(BUILT / "sbe_client", gateway.address, trades, batch)
        volume = sum(sent(20000).values()) + sum(sent(500).values())
        self.assertEqual(gateway.output, f"worked off 20500 trades, volume {volume}; dropped 0\n")

    def test_a_client_without_a_server_fails(self):
        with self.assertRaises(AssertionError):
            run(BUILT / "sbe_client", "127.0.0.1:1")

    def test_a_port_in_use_ends_a_gateway(self):
        with Gateway("sbe_print") as gateway:
            port = gateway.address.split(":")[1]
            for name in ("sbe_print", "sbe_stats", "sbe_queue"):
                done = subprocess.run([BUILT / name, port], capture_output=True, text=True,
                                      timeout=DEADLINE_S, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(port, done.stderr)


class Service(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server())

    def test_client_in_c(self):
        said = run(BUILT / "sbe_client", self.server.sbe, "1000", "100")
        self.assertEqual(said, "sent 1000 trades in frames of 100\norder 1 has id 1, status 0\n")
        with urllib.request.urlopen(f"http://{self.server.http}/api/events/status",
                                    timeout=DEADLINE_S) as answer:
            status = json.load(answer)
        self.assertEqual(status["sbe"]["trades"], 1000)
        volume = {name + "USDT": units for name, units in zip(("BTC", "ETH", "SOL"),
                                                              sent(1000).values())}
        self.assertEqual(status["sbe"]["volume"], volume)

    def holds_the_conversation(self, output):
        for wanted in ANSWERS:
            self.assertIn(wanted, output)
        self.assertNotIn("Reject", output)
        self.assertRegex(output, r"< TradeExact tradeId=1 .*price=50000 quantity=0\.5")

    def test_client_in_python(self):
        self.holds_the_conversation(run(sys.executable, "-B", CLIENTS / "sbe_client.py",
                                        f"ws://{self.server.sbe}/"))

    @unittest.skipUnless(NODE, "node or its package ws is not installed")
    def test_client_in_javascript(self):
        # In a folder of its own, where `npm install ws` could have been run.
        with tempfile.TemporaryDirectory() as folder:
            script = shutil.copy(CLIENTS / "sbe_client.mjs", folder)
            os.symlink(NODE_MODULES, os.path.join(folder, "node_modules"))
            self.holds_the_conversation(run(NODE, script, f"ws://{self.server.sbe}/", SCHEMA))


if __name__ == "__main__":
    unittest.main(verbosity=2)
