#!/usr/bin/env python3
"""The program as a process: what it prints, which exit codes it has, which mistakes it names
(MATCHING_BINARY names it).
"""

import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from server import DEADLINE_S, die_with_the_test  # noqa: E402

USAGE, FAILED = 2, 1
SMALL = "[engine]\nshards = 1\nmax_orders = 1024\nmax_traders = 64\nretained_orders = 64\n"
FREE = ("--ws-port", "0", "--http-port", "0", "--rpc-port", "0", "--sbe-port", "0",
        "--socketio-port", "0")


class Process(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.environment = {name: value for name, value in os.environ.items()
                            if name not in ("WS_PORT", "PORT", "RPC_PORT",
                                             "SOCKETIO_PORT", "MATCHING_LOG")}

    def file(self, text):
        path = os.path.join(self.folder, "matching.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_to_the_end(self, *arguments, **environment):
        """(exit code, stdout, stderr) of a run that ends by itself."""
        done = subprocess.run(
            [os.environ["MATCHING_BINARY"], *arguments], capture_output=True, text=True,
            timeout=DEADLINE_S, cwd=self.folder, env=self.environment | environment, check=False)
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments, limit=None, **environment):
        """A process that was seen to be ready, and what it printed until then. limit: of its
        descriptors, (soft, hard)."""
        def prepare():
            die_with_the_test()
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        process = subprocess.Popen(
            [os.environ["MATCHING_BINARY"], *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=self.folder, env=self.environment | environment,
            preexec_fn=prepare)
        self.addCleanup(self.end, process)
        watchdog = signal.signal(signal.SIGALRM, lambda *_: self.end(process))
        signal.alarm(DEADLINE_S)
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line == "ready\n":
                    break
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, watchdog)
        self.assertEqual(lines[-1:], ["ready\n"], lines)
        return process, lines

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def stop(self, process, number=signal.SIGTERM):
        """Everything it still printed."""
        process.send_signal(number)
        rest, errors = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, errors)
        return rest


class Start(Process):
    def ports(self, lines):
        return dict(re.fullmatch(r"listening (\w+) 127\.0\.0\.1:(\d+)\n", line).groups()
                    for line in lines[:-1])

    def test_one_line_for_each_door_then_ready_and_nothing_else(self):
        for doors, names in (("all", ["websocket", "http", "jsonrpc", "sbe", "socketio"]),
                             ("websocket", ["websocket"]), ("sbe", ["sbe"]), ("http,jsonrpc", ["http", "jsonrpc"]),
                             (None, ["websocket"])):
            with self.subTest(doors):
                process, lines = self.start(*([doors] if doors else []), "--in-memory", *FREE,
                                            "--config", self.file(SMALL))
                ports = self.ports(lines)
                self.assertEqual(list(ports), names)
                self.assertEqual(len(set(ports.values())), len(names))
                for port in ports.values():
                    socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S).close()
                self.assertEqual(self.stop(process), "")
                for port in ports.values():
                    with self.assertRaises(OSError):
                        socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S).close()

    def test_both_signals_end_it_well(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process, _ = self.start("all", "--in-memory", *FREE, "--config", self.file(SMALL))
            self.stop(process, number)

    def test_a_signal_that_comes_while_it_starts_ends_it_well_too(self):
        process = subprocess.Popen(
            [os.environ["MATCHING_BINARY"], "all", "--in-memory", *FREE, "--config",
             self.file(SMALL)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.folder, env=self.environment, preexec_fn=die_with_the_test)
        self.addCleanup(self.end, process)
        self.assertIn("listening", process.stdout.readline())
        self.stop(process)

    def test_a_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for door, flag in (("websocket", "--ws-port"), ("http", "--http-port"),
                               ("jsonrpc", "--rpc-port"), ("sbe", "--sbe-port")):
                for doors in (door, "all"):
                    with self.subTest(door=door, doors=doors):
                        code, out, errors = self.run_to_the_end(
                            doors, "--in-memory", *FREE, flag, port, "--config", self.file(SMALL))
                        self.assertEqual(code, FAILED)
                        self.assertNotIn("ready", out)
                        self.assertRegex(errors, rf"{door}.*127\.0\.0\.1\D+{port}\b.* in use")

    def test_connections_that_the_system_does_not_allow_are_told(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = min(hard, 2000)
        many = SMALL + "[websocket]\nmax_connections = 5000\n[http]\nmax_connections = 1000\n"
        process, _ = self.start("websocket,http", "--in-memory", *FREE, "--config",
                                self.file(many), limit=(100, wanted))
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as limits:
            self.assertRegex(limits.read(), rf"Max open files +{wanted} +{wanted} ")
        process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=DEADLINE_S)[1]
        self.assertRegex(errors, rf"(?m)^\S+ warn process: \[websocket\] max_connections is 5000.* {wanted} ")
        self.assertNotIn("http", errors)

    def test_the_log_of_one_module_and_its_file_after_a_hangup(self):
        path, old = (os.path.join(self.folder, name) for name in ("log", "log.1"))
        process, lines = self.start("websocket", "--in-memory", *FREE, "--config", self.file(SMALL),
                                    "--log-file", path,
                                    MATCHING_LOG="error,libwebsockets=debug,websocket=info")
        port = int(self.ports(lines)["websocket"])

        def line_in(file, wanted):
            deadline = time.monotonic() + DEADLINE_S
            while time.monotonic() < deadline:
                # No HTTP: libwebsockets says so.
                with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
                    client.sendall(b"\r\n\r\n")
                    client.recv(1000)
                if os.path.exists(file):
                    with open(file, encoding="utf-8") as text:
                        if re.search(wanted, text.read()):
                            return
            self.fail(f"no line like {wanted}")

        line_in(path, r"(?m)^\S+ debug libwebsockets: .+$")
        os.rename(path, old)
        process.send_signal(signal.SIGHUP)
        line_in(path, r"(?m)^\S+ debug libwebsockets: .+$")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.communicate(timeout=DEADLINE_S)[1], "")
        self.assertEqual(process.returncode, 0)

    def test_a_hangup_without_a_file_changes_nothing(self):
        process, _ = self.start("http", "--in-memory", *FREE, "--config", self.file(SMALL))
        process.send_signal(signal.SIGHUP)
        self.stop(process)  # by SIGTERM: SIGHUP alone would have ended it with another code

    def test_a_terminal_that_goes_ends_it_well(self):
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen(
            [os.environ["MATCHING_BINARY"], "http", "--in-memory", *FREE, "--config",
             self.file(SMALL)], stdout=subprocess.PIPE, stderr=terminal, text=True,
            cwd=self.folder, env=self.environment, preexec_fn=die_with_the_test)
        os.close(terminal)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        for line in process.stdout:
            if line == "ready\n":
                break
        process.send_signal(signal.SIGHUP)
        self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_a_start_that_recovers_opens_its_doors_where_it_was_waiting(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        for _ in range(3):
            process, lines = self.start("http", "--http-port", port, "--data-dir", "data",
                                        "--config", self.file(SMALL))
            self.assertEqual(self.ports(lines), {"http": port})
            with socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S) as client:
                client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 OK", client.recv(1000))
            process.kill()
            process.wait()

    def test_flag_beats_environment_beats_file(self):
        def free_port():
            with socket.create_server(("127.0.0.1", 0)) as one:
                return str(one.getsockname()[1])
        flag, variable, file = free_port(), free_port(), free_port()
        path = self.file(SMALL + f"[http]\nport = {file}\n")
        for arguments, environment, port in (((), {}, file), ((), {"PORT": variable}, variable),
                                             (("--http-port", flag), {"PORT": variable}, flag)):
            process, lines = self.start("http", "--in-memory", "--config", path, *arguments,
                                        **environment)
            self.assertEqual(self.ports(lines), {"http": port})
            self.stop(process)

    def test_it_writes_nothing_where_it_is_started_in_memory(self):
        path = self.file(SMALL)
        process, _ = self.start("all", "--in-memory", *FREE, "--config", path)
        self.stop(process)
        self.assertEqual(os.listdir(self.folder), [os.path.basename(path)])


class CommandLine(Process):
    def refused(self, *arguments, **environment):
        """The one line that says why."""
        code, out, errors = self.run_to_the_end(*arguments, **environment)
        self.assertEqual((code, out), (USAGE, ""), errors)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertTrue(errors.startswith("matching: "), errors)
        return errors

    def test_doors_that_do_not_exist_are_refused_with_those_that_do(self):
        errors = self.refused("telnet")
        for door in ("websocket", "http", "jsonrpc", "sbe", "socketio"):
            self.assertIn(door, errors)
        self.assertIn("'telnet'", errors)
        self.assertIn("'telnet'", self.refused("websocket,telnet"))

    def test_mistakes_on_the_command_line_are_named(self):
        for arguments, named in (
                (("--colour", "blue"), "--colour"), (("--ws-port", "65536"), "--ws-port"),
                (("--http-port", "abc"), "--http-port"), (("--rpc-port",), "--rpc-port"),
                (("--bind", "0.0.0.0"), "insecure"), (("--bind", "example.com"), "--bind"),
                (("--log-level", "loud"), "--log-level"), (("http", "jsonrpc"), "jsonrpc"),
                (("--config", "/nonexistent.toml"), "/nonexistent.toml")):
            self.assertIn(named, self.refused(*arguments))
        self.assertIn("PORT", self.refused("http", PORT="many"))
        self.assertIn("MATCHING_LOG", self.refused("http", MATCHING_LOG="loud"))

    def test_mistakes_in_the_file_are_named_with_file_line_and_key(self):
        for text, line, key in (
                ("[http]\nport = 99999\n", 2, "port"), ("\n\n[http]\ncolour = 1\n", 4, "colour"),
                ("[engine]\nshards = 1\n\n[htpp]\nport = 1\n", 4, "htpp"),
                ("[engine]\nshards = \"two\"\n", 2, "shards"), ("bind = 5\n", 1, "bind"),
                ("[symbol.BTCUSDT]\ntick_size = -1\n", 2, "tick_size"),
                ("[symbol.btc]\nid = 1\n", 1, "btc"),
                ("[http]\nport = 1\nport = 2\n", 3, "port"),
                ("[admin]\ntoken = \"\"\n", 2, "token"), ("nonsense\n", 1, "")):
            for mode in ((), ("--check-config",)):
                with self.subTest(text=text, mode=mode):
                    path = self.file(text)
                    errors = self.refused("all", *mode, "--config", path)
                    self.assertIn(f"{path}:{line}:", errors)
                    self.assertIn(key, errors)

    def test_check_config_prints_what_would_be_used_and_ends(self):
        path = self.file(SMALL + "[http]\nport = 8123\n[admin]\ntoken = \"hush\"\n")
        code, out, errors = self.run_to_the_end("all", "--check-config", "--config", path,
                                                "--rpc-port", "3131", WS_PORT="9191")
        self.assertEqual((code, errors), (0, ""))
        for section, port in (("http", 8123), ("jsonrpc", 3131), ("websocket", 9191)):
            self.assertRegex(out, rf"(?s)\[{section}\][^\[]*\nport = {port}\n")
        self.assertNotIn("hush", out)
        code, again, _ = self.run_to_the_end("all", "--check-config", "--config", self.file(out))
        shown = [text.splitlines() for text in (out, again)]  # the same, but for the secret
        self.assertEqual([a for a, b in zip(*shown) if a != b],
                         [a for a in shown[0] if "token" in a])
        self.assertEqual((code, len(shown[0])), (0, len(shown[1])))

    def test_help_and_version(self):
        code, out, errors = self.run_to_the_end("--help")
        self.assertEqual((code, errors), (0, ""))
        for word in ("--ws-port", "WS_PORT", "9090", "--check-config", "--in-memory", "--bind"):
            self.assertIn(word, out)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        code, out, _ = self.run_to_the_end("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^matching \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
