#!/usr/bin/env python3
"""The bare handlers and the dripping clients of bench-http.sh (HTTP_BARE, EVHTTP_BARE and HTTP_DRIP
name the programs). Nothing looks at how fast anything is.
"""

import http.client
import os
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from server import DEADLINE_S, die_with_the_test  # noqa: E402


class Bare(unittest.TestCase):
    def start(self, *command):
        """The address of a program ("" if it has none), once it is ready."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                   preexec_fn=die_with_the_test)
        self.addCleanup(self.end, process)
        watchdog = signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(DEADLINE_S)
        address, is_ready = "", False
        for line in process.stdout:
            if line.startswith("listening "):
                address = line.split()[2]
            if line == "ready\n":
                is_ready = True
                break
        signal.alarm(0)
        signal.signal(signal.SIGALRM, watchdog)
        self.assertTrue(is_ready, f"{command[0]} did not become ready")
        return address

    @staticmethod
    def end(process):
        process.terminate()
        process.communicate(timeout=DEADLINE_S)

    def check(self, program):
        address = self.start(program, "57")
        connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
        for body in ("", "{}", " " * 5000):
            connection.request("POST", "/api/orders", body, {"Content-Type": "application/json"})
            socket = connection.sock
            answer = connection.getresponse()
            self.assertEqual((answer.status, len(answer.read())), (200, 57))
            self.assertIs(connection.sock, socket, "it is kept alive")
        connection.close()
        self.start(os.environ["HTTP_DRIP"], "--clients", "20", "--every", "10", address)
        connection.request("POST", "/", "{}", {"Content-Type": "application/json"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_libmicrohttpd(self):
        self.check(os.environ["HTTP_BARE"])

    def test_evhttp(self):
        self.check(os.environ["EVHTTP_BARE"])


if __name__ == "__main__":
    unittest.main()
