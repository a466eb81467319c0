#!/usr/bin/env python3
"""Every measure of ws_load with tiny counts, against the echo and a server (MATCHING_BINARY,
WS_LOAD and WS_ECHO name the programs). Nothing looks at how fast anything is.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from server import DEADLINE_S, die_with_the_test  # noqa: E402

CONFIG = "[engine]\nshards = 1\nmax_orders = 4096\nmax_traders = 256\nretained_orders = 64\n"
ROW = re.compile(r"^(.{30}) (\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)(.*)$")


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        config = os.path.join(cls.folder, "matching.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG)
        cls.echo = cls.start(os.environ["WS_ECHO"])
        cls.server = cls.start(os.environ["MATCHING_BINARY"], "websocket", "--in-memory",
                               "--config", config, "--ws-port", "0")

    @classmethod
    def start(cls, *command):
        """ADDRESS/PID of a program, once it is ready."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cls.folder,
                                   preexec_fn=die_with_the_test)
        cls.addClassCleanup(cls.end, process)
        watchdog = signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(DEADLINE_S)
        address = None
        for line in process.stdout:
            if line.startswith("listening "):
                address = line.split()[2]
            if line == "ready\n":
                break
        signal.alarm(0)
        signal.signal(signal.SIGALRM, watchdog)
        if address is None:
            raise AssertionError(f"{command[0]} did not become ready")
        return f"{address}/{process.pid}"

    @staticmethod
    def end(process):
        process.terminate()
        process.communicate(timeout=DEADLINE_S)

    def load(self, *arguments):
        return subprocess.run([os.environ["WS_LOAD"], *arguments], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)

    def rows(self, measure, *options):
        """(measure, a second, cpu, p50, p99, p99.9, max, rest) by target of a run on both. A round on
        a machine that has other things to do may be over before there is a reply: once more then."""
        deadline = time.monotonic() + DEADLINE_S
        rows = self.rows_of_one_run(measure, *options)
        while any("-" in row[3:7] for row in rows["echo"] + rows["server"]):
            self.assertLess(time.monotonic(), deadline)
            rows = self.rows_of_one_run(measure, *options)
        for row in rows["echo"] + rows["server"]:
            times = [float(us) for us in row[3:7]]
            self.assertEqual(times, sorted(times), row)
            self.assertGreater(times[0], 0, row)
        return rows

    def rows_of_one_run(self, measure, *options):
        done = self.load(measure, "--no-head", *options,
                         f"echo={self.echo}", f"server={self.server}")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        rows = {"echo": [], "server": []}
        for line in done.stdout.splitlines():
            match = ROW.match(line)
            self.assertIsNotNone(match, line)
            rows[match[2]].append([match[1].strip(), *match.groups()[2:]])
        self.assertEqual([row[0] for row in rows["echo"]], [row[0] for row in rows["server"]])
        return rows

    def test_throughput_of_every_mix(self):
        for mix in ("cancel", "cross", "rest"):
            # Few orders in flight: the server has room for some thousand.
            options = ["--rate", "500"] if mix == "rest" else ["--in-flight", "8"]
            rows = self.rows("throughput", "--mix", mix, "--connections", "3", "--seconds", "1",
                             "--rounds", "1", *options)
            for target in rows:
                self.assertGreater(float(rows[target][0][1]), 0)
                self.assertGreater(float(rows[target][0][2]), 0)

    def test_a_fixed_rate_is_kept(self):
        rows = self.rows("throughput", "--rate", "1000", "--connections", "3", "--seconds", "1",
                         "--rounds", "1")
        self.assertEqual(rows["server"][0][0], "order and cancel, 1000/s")

    def test_latency(self):
        rows = self.rows("latency", "--samples", "30", "--rounds", "2")
        self.assertEqual(len(rows["server"]), 3)
        self.assertIn("p99", rows["server"][0][7])

    def test_fanout(self):
        self.rows("fanout", "--subscribers", "20", "--trades", "3", "--rounds", "2")

    def test_idle(self):
        rows = self.rows("idle", "--idle", "20", "--samples", "30")
        self.assertIn("bytes a connection", rows["server"][0][7])

    def test_slow(self):
        done = self.load("slow", "--no-head", "--slow", "3", "--rate", "300", "--seconds", "1",
                         "--rounds", "1", f"echo={self.echo}", f"server={self.server}")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        rows = [ROW.match(line) for line in done.stdout.splitlines()]
        self.assertEqual([(row[1].strip(), row[2]) for row in rows],
                         [("300 trades/s, alone", "server"),
                          ("... beside 3 who do not read", "server")])

    def test_a_wrong_reply_ends_it(self):
        done = self.load("latency", f"server={self.echo}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not the reply that was expected", done.stderr)

    def test_a_server_that_is_not_there(self):
        done = self.load("latency", "echo=127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused", done.stderr)

    def test_mistakes_on_the_command_line(self):
        for arguments in ([], ["latency"], ["speed", "echo=127.0.0.1:1"], ["latency", "echo"],
                          ["latency", "echo=127.0.0.1:0"], ["latency", "--rounds", "0"],
                          ["latency", "--mix", "all"], ["latency", "--unknown"]):
            done = self.load(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn("usage: ws_load", done.stderr)


if __name__ == "__main__":
    unittest.main()
