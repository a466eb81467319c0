#!/usr/bin/env python3
"""Everything in examples/ against a live server: the clients, the shell scripts, the benchmark, the
configuration file."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from server import DEADLINE_S, Server, skip
from transcripts import compare_output

try:
    import websockets  # noqa: F401, the Python example needs it
except ImportError:
    skip("the Python package websockets is not installed (Debian: python3-websockets)")

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "examples" / "clients"
NODE_MODULES = ROOT / "tests" / "clients" / "node_modules"
BUILT = pathlib.Path(os.environ["MATCHING_EXAMPLES"])
NODE = shutil.which("node") if (NODE_MODULES / "ws").exists() else None

# What each of the three WebSocket clients prints.
CONVERSATION = """\
> {"type":"subscribe","channels":["trades"],"id":1}
< {"type":"subscribed","channels":["trades"],"id":1}
> {"type":"limit_order","trader_id":"alice","side":"sell","price":50000,"quantity":0.5,"id":2}
< {"type":"order_ack","order_id":1,"status":"open","latency_us":<number>,"symbol":"BTCUSDT",\
"filled_quantity":0,"remaining_quantity":0.5,"id":2}
> {"type":"limit_order","trader_id":"bob","side":"buy","price":50000,"quantity":0.5,"id":3}
< {"type":"order_ack","order_id":2,"status":"filled","latency_us":<number>,"symbol":"BTCUSDT",\
"filled_quantity":0.5,"remaining_quantity":0,"id":3}
< {"type":"trade","trade_id":1,"symbol":"BTCUSDT","buyer":"bob","seller":"alice","price":50000,\
"quantity":0.5,"timestamp":<number>,"buy_order_id":2,"sell_order_id":1,"taker_side":"buy"}
"""

# The .mjs file as a browser's console runs it: WebSocket is there, `process` is not. The address
# that the file has is replaced by the one of the test.
AS_IN_A_CONSOLE = """
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
const [source, url] = process.argv.slice(2);
class Socket extends WebSocket {
  constructor() {
    super(url);
  }
}
const AsyncFunction = (async () => {}).constructor;
await new AsyncFunction("globalThis", readFileSync(source, "utf8"))({ WebSocket: Socket });
"""


def run(*command, **options):
    """Its output; a failure ends the test with what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=4 * DEADLINE_S, check=False, **options)
    if done.returncode != 0:
        said = done.stdout + done.stderr
        raise AssertionError(f"{command[0]} ended with {done.returncode}\n{said}")
    return done.stdout


class Examples(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server())
        self.url = f"ws://{self.server.websocket}/ws"

    def holds_the_conversation(self, output):
        lines = [line[2:] for line in output.splitlines()]
        wanted = CONVERSATION.splitlines()
        self.assertEqual([line[0] for line in output.splitlines()], [line[0] for line in wanted])
        compare_output([line[2:] for line in wanted], lines)

    def test_ws_client_in_c(self):
        self.holds_the_conversation(run(BUILT / "ws_client", self.url))

    def test_ws_client_in_python(self):
        self.holds_the_conversation(run(sys.executable, "-B", CLIENTS / "ws_client.py", self.url))

    @unittest.skipUnless(NODE, "node or its package ws is not installed")
    def test_ws_client_in_javascript(self):
        # In a folder of its own, where `npm install ws` could have been run.
        with tempfile.TemporaryDirectory() as folder:
            script = shutil.copy(CLIENTS / "ws_client.mjs", folder)
            os.symlink(NODE_MODULES, os.path.join(folder, "node_modules"))
            self.holds_the_conversation(run(NODE, script, self.url))

    @unittest.skipUnless(NODE, "node or its package ws is not installed")
    def test_ws_client_in_a_browser_console(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(NODE_MODULES, os.path.join(folder, "node_modules"))
            script = pathlib.Path(folder, "console.mjs")
            script.write_text(AS_IN_A_CONSOLE, encoding="utf-8")
            self.holds_the_conversation(run(NODE, script, CLIENTS / "ws_client.mjs", self.url))

    def test_a_client_without_a_server_fails(self):
        for command in ([BUILT / "ws_client"], [sys.executable, "-B", CLIENTS / "ws_client.py"]):
            with self.assertRaises(AssertionError):
                run(*command, "ws://127.0.0.1:1/ws")

    def test_rest_script(self):
        output = run("sh", CLIENTS / "rest.sh", self.server.http)
        self.assertIn('"trade_id":1', output)
        self.assertEqual(output.split()[-1], '{"order_ids":[1]}')

    def test_jsonrpc_script(self):
        output = run("sh", CLIENTS / "jsonrpc.sh", self.server.jsonrpc)
        self.assertIn('"trade_id":1', output)
        compare_output(['< {"jsonrpc":"2.0","result":{"orders":[]},"id":7}'],
                       output.strip().splitlines()[-1:])

    def test_a_script_without_a_server_fails(self):
        for script in ("rest.sh", "jsonrpc.sh"):
            with self.assertRaises(AssertionError):
                run("sh", CLIENTS / script, "127.0.0.1:1")

    def test_the_benchmark_prints_its_five_suites(self):
        options = ("--seconds 1 --pings 50 --orders 50 --matches 20 --connections 2 --window 4 "
                   "--clients 3 --client-orders 5 --rate 500")
        output = run(BUILT / "ws_benchmark", self.url, *options.split())
        self.assertIn("seed 1", output)
        numbers = r" +(\d+) +(\d+)((?: +\d+\.\d){4})$"
        rows = {"1 ping/pong": "50", "2 limit orders": "50", "3 matching, order to ack": "20",
                "3 matching, order to trade": "20", r"4 throughput, \d+% of that": None,
                "5 3 clients x 5 orders": "15"}
        for row, samples in rows.items():
            found = re.search("^" + row + numbers, output, re.M)
            self.assertTrue(found, f"no row {row} in\n{output}")
            self.assertIn(samples, (None, found[1]))
            times = [float(number) for number in found[3].split()]
            self.assertEqual(times, sorted(times), "p50 <= p99 <= p99.9 <= max")
            self.assertGreater(times[0], 0)
        self.assertRegex(output, r"(?m)^4 throughput, saturated +\d+ +\d+")

    def test_the_benchmark_is_told_of_a_bad_option(self):
        for options in (["--seconds", "0"], ["http://127.0.0.1:80/"], ["--no-such-option"]):
            done = subprocess.run([BUILT / "ws_benchmark", *options], capture_output=True,
                                  timeout=DEADLINE_S, check=False)
            self.assertEqual(done.returncode, 2, options)


class Configuration(unittest.TestCase):
    def test_the_example_has_every_setting_with_its_default(self):
        binary = os.environ["MATCHING_BINARY"]
        example = ROOT / "examples" / "matching.toml"
        defaults = run(binary, "all", "--check-config")
        self.assertEqual(run(binary, "all", "--config", example, "--check-config"), defaults)

        def settings(text):
            """section.key of each line that sets one, in order; a token stands in a comment."""
            section = ""
            for line in text.splitlines():
                heading = re.match(r"\[(.*)\]$", line)
                key = re.match(r"(?:# )?(\w+) (?:=|is not set)", line)
                if heading:
                    section = heading[1]
                elif key:
                    yield f"{section}.{key[1]}"
        here = list(settings(example.read_text(encoding="utf-8")))
        self.assertEqual(sorted(here), sorted(settings(defaults)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
