#!/usr/bin/env python3
"""Every measure of sbe_load with tiny counts, against the echo, a gateway and a server
(MATCHING_BINARY, SBE_LOAD, SBE_SINK and WS_ECHO name the programs). Nothing looks at how fast
anything is.
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

CONFIG = "[engine]\nshards = 1\nmax_orders = 16384\nmax_traders = 256\nretained_orders = 64\n"
ROW = re.compile(r"^(.{30}) (\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)(.*)$")


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        config = os.path.join(cls.folder, "matching.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG)
        cls.echo = cls.start(os.environ["WS_ECHO"])
        cls.sink = cls.start(os.environ["SBE_SINK"])
        cls.server = cls.start(os.environ["MATCHING_BINARY"], "sbe", "--in-memory", "--config",
                               config, "--sbe-port", "0")

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
        return subprocess.run([os.environ["SBE_LOAD"], *arguments], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)

    def rows(self, *arguments, **targets):
        """(measure, a second, cpu, p50, p99, p99.9, max, rest) of each target's only row. A round on
        a machine that has other things to do may be over before there is a reply: once more then."""
        deadline = time.monotonic() + DEADLINE_S
        rows = self.rows_of_one_run(*arguments, **targets)
        while any("-" in row[3:7] for row in rows.values()):
            self.assertLess(time.monotonic(), deadline)
            rows = self.rows_of_one_run(*arguments, **targets)
        for row in rows.values():
            times = [float(us) for us in row[3:7]]
            self.assertEqual(times, sorted(times), row)
            self.assertGreater(times[0], 0, row)
        return rows

    def rows_of_one_run(self, *arguments, **targets):
        done = self.load(*arguments, "--no-head",
                         *(f"{name}={address}" for name, address in targets.items()))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        rows = {}
        for line in done.stdout.splitlines():
            match = ROW.match(line)
            self.assertIsNotNone(match, line)
            rows[match[2]] = [match[1].strip(), *match.groups()[2:]]
        self.assertEqual(list(rows), list(targets))
        return rows

    def test_orders_of_both_mixes(self):
        # Few in flight: the server has room for some thousand.
        for mix, name in (("cancel", "order and cancel"), ("cross", "orders that trade")):
            rows = self.rows("orders", "--mix", mix, "--connections", "2", "--in-flight", "3",
                             "--frame", "10", "--seconds", "1", "--rounds", "2",
                             echo=self.echo, server=self.server)
            for row in rows.values():
                self.assertEqual(row[0], f"{name}, 2x3x10")
                self.assertGreater(float(row[1]), 0)
                self.assertGreater(float(row[2]), 0)

    def test_trades_in_frames_of_some_and_of_one(self):
        for frame in ("100", "1"):
            rows = self.rows("trades", "--frame", frame, "--seconds", "1", "--rounds", "1",
                             echo=self.echo, sink=self.sink, server=self.server)
            for row in rows.values():
                self.assertGreater(float(row[1]), 0)

    def test_latency(self):
        rows = self.rows("latency", "--samples", "30", "--rounds", "2",
                         echo=self.echo, server=self.server)
        self.assertIn("p99", rows["server"][7])

    @staticmethod
    def is_stopped(target):
        with open(f"/proc/{target.split('/')[1]}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"

    def await_stopped(self, wanted):
        """Until exactly these of the targets are stopped."""
        targets = {self.echo, self.sink, self.server}
        deadline = time.monotonic() + DEADLINE_S
        while {target for target in targets if self.is_stopped(target)} != wanted:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_each_is_alone_in_its_turn(self):
        for end in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                [os.environ["SBE_LOAD"], "trades", "--alone", "--seconds", str(DEADLINE_S),
                 f"echo={self.echo}", f"sink={self.sink}", f"server={self.server}"],
                stdout=subprocess.PIPE, text=True, preexec_fn=die_with_the_test)
            self.await_stopped({self.sink, self.server})
            process.send_signal(end)
            process.communicate(timeout=DEADLINE_S)
            self.assertEqual(process.returncode, -end)
            self.await_stopped(set())
        self.assertIn("the other targets are stopped during a turn", self.load(
            "latency", "--alone", "--samples", "10", "--rounds", "1", f"echo={self.echo}",
            f"server={self.server}").stdout)
        self.await_stopped(set())

    def test_all_go_on_after_each_turn_and_after_a_failure(self):
        rows = self.rows("orders", "--alone", "--connections", "2", "--in-flight", "3", "--frame",
                         "10", "--seconds", "1", "--rounds", "2", echo=self.echo,
                         server=self.server)
        self.assertGreater(float(rows["server"][1]), 0)
        self.await_stopped(set())
        done = self.load("latency", "--alone", f"echo={self.echo}", f"server={self.sink}")
        self.assertEqual(done.returncode, 1)
        self.await_stopped(set())

    def test_alone_needs_processes(self):
        done = self.load("latency", "--alone", f"echo={self.echo}", "server=127.0.0.1:1")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--alone needs the process id of every target", done.stderr)
        self.await_stopped(set())

    def test_a_wrong_reply_ends_it(self):
        done = self.load("latency", f"server={self.echo}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not the reply that was expected", done.stderr)

    def test_a_refusal_ends_it(self):
        done = self.load("latency", f"server={self.sink}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused with code 3: UNKNOWN_TYPE", done.stderr)

    def test_a_server_that_is_not_there(self):
        done = self.load("latency", "echo=127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused", done.stderr)

    def test_mistakes_on_the_command_line(self):
        for arguments in ([], ["latency"], ["speed", "echo=127.0.0.1:1"], ["latency", "echo"],
                          ["latency", "echo=127.0.0.1:0"], ["latency", "--rounds", "0"],
                          ["orders", "--mix", "rest"], ["orders", "--in-flight", "65"],
                          ["orders", "--frame", "820"], ["latency", "--unknown"]):
            done = self.load(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn("usage: sbe_load", done.stderr)


if __name__ == "__main__":
    unittest.main()
