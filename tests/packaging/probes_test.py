"""The probes of the binary: those that the page lists, with their arguments; and, where bpftrace and the
rights for it are there, what they tell of orders that go through a running service."""

import asyncio
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "metrics.md"
SCRIPT = TOP / "packaging" / "probes.bt"
BINARY = os.environ["MATCHING_BINARY"]

sys.path.insert(0, str(TOP / "tests" / "clients"))
from server import DEADLINE_S, Server, die_with_the_test  # noqa: E402

try:
    import websockets
except ImportError:
    websockets = None

# An order's way, and what happens to all that a shard takes at once.
WAY = ["received", "parsed", "submitted", "queued", "sequenced", "matched", "durable", "answered", "sent"]
BATCH = ["batch", "journal_write", "sync_begin", "sync_end"]
PLACE = int(re.search(r"\bMATCHING_PLACE = (\d+)",
                      (TOP / "include" / "matching" / "command.h").read_text(encoding="utf-8"))[1])


def documented():
    """{name: number of arguments} of the page's table."""
    rows = re.findall(r"^\| `matching:(\w+)` \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.M)
    return {name: len(arguments.split(", ")) for name, arguments in rows}


def code_of(name):
    """Its number: the place in the table of include/matching/codes.h."""
    text = (TOP / "include" / "matching" / "codes.h").read_text(encoding="utf-8")
    return re.findall(r"^\s*X\((\w+),", text, re.M).index(name) + 1


class Notes(unittest.TestCase):
    def setUp(self):
        if shutil.which("readelf") is None:
            self.skipTest("readelf is not installed (Debian: binutils)")
        told = subprocess.run(["readelf", "-n", "-W", BINARY], check=True, capture_output=True,
                              text=True, timeout=DEADLINE_S).stdout
        self.notes = re.findall(r"Provider: matching\s+Name: (\w+)\s+.*\s+Arguments: (.*)", told)

    def test_the_binary_has_the_probes_of_the_page(self):
        wanted = documented()
        self.assertEqual({name for name, _ in self.notes}, set(wanted))
        for name, arguments in self.notes:
            self.assertEqual(len(arguments.split()), wanted[name], f"{name}: {arguments}")

    def test_each_kind_of_door_has_its_own(self):
        for name in ("received", "sent"):
            places = sum(found == name for found, _ in self.notes)
            self.assertGreaterEqual(places, 3, f"{name}: http, jsonrpc, those that speak WebSocket")

    def test_the_script_uses_what_there_is(self):
        wanted = documented()
        clauses = re.split(r"^usdt:", SCRIPT.read_text(encoding="utf-8"), flags=re.M)[1:]
        self.assertGreater(len(clauses), 5)
        for clause in clauses:
            path, provider, name = clause.split("\n", 1)[0].split(":")
            self.assertEqual((path, provider), ("/usr/local/bin/matching", "matching"))
            self.assertIn(name, wanted)
            for number in re.findall(r"\barg(\d)", clause.split("interval:")[0]):
                self.assertLess(int(number), wanted[name], f"{name} arg{number}")


class Tracer:
    """bpftrace on a server; .lines grows while it runs."""

    def __init__(self, server, program):
        self.lines = []
        self.folder = tempfile.TemporaryDirectory(prefix="matching-test-")
        path = os.path.join(self.folder.name, "program.bt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(program)
        self.process = subprocess.Popen(
            ["bpftrace", "-B", "line", "-p", str(server.process.pid), path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=die_with_the_test)
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.folder.cleanup()

    def until(self, find, act):
        """Acts again and again until find() finds something: when bpftrace is ready it does not say."""
        end = time.monotonic() + DEADLINE_S
        while True:
            act()
            found = find()
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("bpftrace tells nothing: " + "".join(self.lines[-20:]))


def probe_program():
    """Prints what each probe tells: its name, the time, its arguments."""
    return "".join(
        f'usdt:{BINARY}:matching:{name} {{ printf("%s %llu{" %lld" * count}\\n", "{name}", nsecs, '
        f'{", ".join(f"arg{i}" for i in range(count))}); }}\n' for name, count in documented().items())


@functools.cache
def why_not():
    """Why bpftrace cannot be used here; None: it can."""
    if shutil.which("bpftrace") is None:
        return "bpftrace is not installed (Debian: bpftrace)"
    if os.geteuid() != 0:
        return "bpftrace needs root"
    tried = subprocess.run(
        ["bpftrace", "-e", f"usdt:{BINARY}:matching:received {{ }} interval:ms:1 {{ exit(); }}"],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    return None if tried.returncode == 0 else f"bpftrace cannot attach here: {tried.stderr.strip()[-200:]}"


def order(number, price=100):
    return {"trader_id": "ann", "side": "buy", "price": price + number, "quantity": 1}


class Attached(unittest.TestCase):
    def setUp(self):
        if why_not() is not None:
            self.skipTest(why_not())
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        self.server = self.enterContext(Server(data_dir=os.path.join(folder, "data")))
        self.posted = 0

    def post(self, address, path, body):
        """(bytes of the body, of the answer's body)"""
        text = json.dumps(body)
        connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
        connection.request("POST", path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        connection.close()
        self.posted += 1
        return len(text), len(answer)

    def over_http(self):
        return self.post(self.server.http, "/api/orders", order(self.posted))

    def over_jsonrpc(self):
        return self.post(self.server.jsonrpc, "/", {
            "jsonrpc": "2.0", "id": 1, "method": "place_limit_order", "params": order(self.posted)})

    def over_websocket(self):
        async def talk():
            async with websockets.connect(f"ws://{self.server.websocket}/ws", compression=None) as door:
                await door.send(json.dumps({"type": "limit_order", **order(self.posted)}))
                await asyncio.wait_for(door.recv(), DEADLINE_S)
        asyncio.run(talk())
        self.posted += 1

    def chain(self, tracer):
        """{name: arguments} of the newest order of which all probes have told, by the time."""
        told = re.findall(r"^(\w+) (\d+)((?: -?\d+)+)$", "".join(list(tracer.lines)), re.M)
        events = sorted(((int(at), name, [int(it) for it in arguments.split()])
                         for name, at, arguments in told), key=lambda it: it[0])
        sequences = [it[2][1] for it in events if it[1] == "answered" and it[2][1] > 0]
        for sequence in reversed(sequences):
            found = self.way_of(events, sequence)
            if found is not None:
                return found
        return None

    @staticmethod
    def way_of(events, sequence):
        """What lies around the moment in which the command got this number; orders come one by one."""
        at = next((i for i, it in enumerate(events)
                   if it[1] == "sequenced" and it[2][1] == sequence), None)
        if at is None:
            return None
        before = {}
        for _, name, arguments in events[:at]:
            if name in WAY[:4]:
                before[name] = arguments
        after = {}
        for time_ns, name, arguments in events[at:]:
            fits = name not in ("matched", "durable", "answered") or arguments[1] >= sequence
            is_later = name != "sent" or "answered" in after
            if name not in WAY[:4] and fits and is_later:
                after.setdefault(name, arguments)
        found = {**before, **after}
        return found if set(found) >= set(WAY + BATCH) else None

    def check_way(self, found):
        sequence = found["sequenced"][1]
        self.assertGreater(sequence, 0)
        self.assertEqual(found["parsed"], [PLACE, 0])
        self.assertEqual(found["submitted"][0], 0)
        self.assertEqual(found["queued"], [0, 1])
        self.assertEqual(found["sequenced"], [0, sequence])
        self.assertEqual(found["matched"], [0, sequence, 0])
        self.assertEqual(found["durable"], [0, sequence])
        self.assertEqual(found["answered"], [0, sequence])
        self.assertEqual(found["batch"], [0, 1])
        self.assertEqual(found["journal_write"][0], 0)
        self.assertGreater(found["journal_write"][1], 40)
        for name in ("sync_begin", "sync_end"):
            self.assertEqual(found[name][0], 0)
            self.assertGreaterEqual(found[name][1], sequence)
        self.assertGreater(found["received"][0], 2)
        self.assertEqual(found["received"][0], found["sent"][0], "the same descriptor")

    def test_an_order_passes_all_of_them_over_http(self):
        sizes = []
        with Tracer(self.server, probe_program()) as tracer:
            found = tracer.until(lambda: self.chain(tracer), lambda: sizes.append(self.over_http()))
        self.check_way(found)
        self.assertIn((found["received"][1], found["sent"][1]), sizes)

    def test_an_order_passes_all_of_them_over_jsonrpc(self):
        sizes = []
        with Tracer(self.server, probe_program()) as tracer:
            found = tracer.until(lambda: self.chain(tracer), lambda: sizes.append(self.over_jsonrpc()))
        self.check_way(found)
        self.assertIn((found["received"][1], found["sent"][1]), sizes)

    def test_an_order_passes_all_of_them_over_websocket(self):
        if websockets is None:
            self.skipTest("the Python package websockets is not installed (Debian: python3-websockets)")
        with Tracer(self.server, probe_program()) as tracer:
            found = tracer.until(lambda: self.chain(tracer), self.over_websocket)
        self.check_way(found)
        self.assertGreater(found["received"][1], 50)
        self.assertGreater(found["sent"][1], 50)

    def test_a_refusal_is_told_with_its_code(self):
        code = code_of("INVALID_PRICE")
        with Tracer(self.server, probe_program()) as tracer:
            tracer.until(
                lambda: any(re.match(rf"refused \d+ \d+ {code}$", line) for line in tracer.lines) and
                any(re.match(rf"parsed \d+ {PLACE} {code}$", line) for line in tracer.lines),
                lambda: self.post(self.server.http, "/api/orders", order(0, price=-5)))

    def test_the_script_fills_what_it_prints(self):
        text = SCRIPT.read_text(encoding="utf-8").replace("/usr/local/bin/matching", BINARY)
        maps = re.findall(r"print\((@\w+)\)", text)
        self.assertGreater(len(maps), 4)
        often = "interval:ms:200 { " + " ".join(f"print({name});" for name in maps) + " }\n"

        def place():
            self.post(self.server.jsonrpc, "/", [
                {"jsonrpc": "2.0", "id": i, "method": "place_limit_order", "params": order(i)}
                for i in range(64)])

        def are_filled():
            told = {line.split(":")[0] for line in tracer.lines if line.startswith("@")}
            return told.issuperset(maps)

        with Tracer(self.server, text + often) as tracer:
            tracer.until(are_filled, place)
        # Each map is a histogram: its rows have counts.
        self.assertTrue(any(re.match(r"\[.*\)\s+\d+ \|@", line) for line in tracer.lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)
