"""Starts the program for a test and ends exactly that process.

The binary is named by the variable MATCHING_BINARY. It listens on free ports of 127.0.0.1 and, unless
it is given a data directory, keeps everything in memory. Nothing here waits without a deadline.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time

# Generous, for builds with sanitizers on busy machines; reaching it is always a failure.
DEADLINE_S = 30

# Little memory, so that many of these can run. One shard: order ids are 1, 2, 3, ….
SMALL = """
[engine]
shards = {shards}
max_orders = 65536
max_traders = 4096
event_ring_size = 65536
"""


def die_with_the_test():
    """In the child: a test that is killed, by ctest's timeout for instance, leaves nobody behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def skip(reason):
    """Ends the test as skipped (ctest's SKIP_RETURN_CODE)."""
    print(f"skipped: {reason}")
    sys.exit(77)


class Server:
    """with Server() as server: server.websocket, .http, .jsonrpc and .sbe are "127.0.0.1:PORT"."""

    def __init__(self, shards=1, config="", data_dir=None, stderr=None):
        self.stderr = stderr  # None: that of the test
        self.config = SMALL.format(shards=shards) + config
        self.storage = ["--in-memory"] if data_dir is None else ["--data-dir", data_dir]
        self.addresses = {}
        self.is_killed = False

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="matching-test-")
        path = os.path.join(self.folder.name, "matching.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.config)
        self.process = subprocess.Popen(
            [os.environ["MATCHING_BINARY"], "all", *self.storage, "--config", path,
             "--ws-port", "0", "--http-port", "0", "--rpc-port", "0",
             "--sbe-port", "0", "--socketio-port", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.stderr,
            preexec_fn=die_with_the_test)
        try:
            self._wait_until_ready()
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.folder.cleanup()
            raise
        return self

    def _wait_until_ready(self):
        text = b""
        end = time.monotonic() + DEADLINE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\nready\n" not in b"\n" + text:
                if not selector.select(max(0, end - time.monotonic())):
                    raise TimeoutError(f"the program's start: not ready after {DEADLINE_S} s")
                part = os.read(self.process.stdout.fileno(), 4096)
                if not part:
                    raise RuntimeError("it ended before it was ready")
                text += part
        for line in text.decode().splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == "listening":
                self.addresses[words[1]] = words[2]

    def __getattr__(self, door):
        try:
            return self.__dict__["addresses"][door]
        except KeyError:
            raise AttributeError(f"the program opened no door {door}") from None

    def kill(self):
        """Ends it without any notice."""
        self.is_killed = True
        self.process.kill()
        self.process.wait()

    def __exit__(self, failure, *_):
        self.process.terminate()
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            code = "no end after SIGTERM"
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.folder.cleanup()
        if code != 0 and failure is None and not self.is_killed:  # the first failure is the one to tell
            raise RuntimeError(f"the program ended with {code} instead of 0")
