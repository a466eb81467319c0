"""A soak by hand: random calls, valid and not, on the doors of REST and JSON-RPC, and what memory does.

    MATCHING_BINARY=build/release/matching python3 tests/clients/soak_http.py [SECONDS [CONFIG]]

SECONDS: 600. CONFIG: a file with more settings of [engine] and further sections, in place of the small
bounds below. They leave the store out, whose memory goes up and down as it puts its files together. The
journal is on disk. Each line tells the calls so far and the resident memory, anonymous
and of files, in MB; at the end stands which mappings grew since a quarter of the time. Ends with 1 if
the median of anonymous memory in the last quarter is more than that in the third by over a hundredth, or
if an answer was none. A snapshot that is being made takes a second set of books for a moment.
"""

import json
import random
import socket
import statistics
import sys
import tempfile
import time

from server import Server

# All that fills up does so within the first minute. The rates are there to have their tables.
BOUNDS = """retained_orders = 2000
recent_trades = 1000
[journal]
sync = "none"
[http]
max_requests_per_second_per_address = 100000
max_requests_per_second_per_trader = 100000
[jsonrpc]
max_requests_per_second_per_address = 100000
max_requests_per_second_per_trader = 100000
[store]
enabled = false
"""
CONNECTIONS = 24
CALLS_EACH = 400  # of a connection, on the average
GROWTH_MAX = 0.01
TRADERS = 2000


def order(rng):
    fields = {
        "trader_id": f"t{rng.randrange(TRADERS)}",
        "side": rng.choice(["buy", "sell"]),
        "price": 50000 + rng.randrange(-20, 21),
        "quantity": rng.randrange(1, 30) / 10,
    }
    kind = rng.randrange(12)
    if kind == 0:
        fields["type"] = "market"
        del fields["price"]
    elif kind == 1:
        fields |= {"type": "stop_limit", "stop_price": 50000 + rng.randrange(-30, 31)}
    elif kind == 2:
        fields["display_quantity"] = 0.1
    elif kind == 3:
        fields["time_in_force"] = rng.choice(["IOC", "FOK", "GTC", "never"])
    elif kind == 4:
        fields["client_order_id"] = f"c{rng.randrange(100000)}"
    elif kind == 5:
        fields["post_only"] = True
    return fields


def spoil(rng, fields):
    name = rng.choice(list(fields))
    fields[name] = rng.choice([None, -1, "", [], {}, "x" * 200, 1e300, 0.000000001, True])
    if rng.random() < 0.3:
        del fields[name]
    return fields


class Calls:
    """Makes requests of both doors."""

    def __init__(self, rng):
        self.rng = rng
        self.last_id = 1

    def order_id(self):
        return max(1, self.last_id - self.rng.randrange(3000))

    def parts(self):
        """What is asked: a name of JSON-RPC's, its params, and REST's method, path and body."""
        rng = self.rng
        kind = rng.randrange(20)
        fields = order(rng)
        if rng.random() < 0.1:
            fields = spoil(rng, fields)
        trader = f"t{rng.randrange(TRADERS)}"
        number = self.order_id()
        if kind < 10:
            return "place_order", fields, "POST", "/api/orders", fields
        if kind < 14:
            return ("cancel_order", {"order_id": number}, "DELETE", f"/api/orders/{number}", None)
        if kind == 14:
            change = {"quantity": rng.randrange(1, 40) / 10}
            return ("amend_order", change | {"order_id": number}, "PATCH", f"/api/orders/{number}",
                    change)
        if kind == 15:
            return ("cancel_all_orders", {"trader_id": trader}, "DELETE",
                    f"/api/orders?trader_id={trader}", None)
        if kind == 16:
            return "get_order", {"order_id": number}, "GET", f"/api/orders/{number}", None
        if kind == 17:
            return ("get_open_orders", {"trader_id": trader}, "GET",
                    f"/api/orders?trader_id={trader}&status=open", None)
        if kind == 18:
            return "get_depth", {"levels": 5}, "GET", "/api/market/depth?levels=5", None
        return rng.choice([
            ("get_trades", {"limit": 20}, "GET", "/api/market/trades?limit=20", None),
            ("get_ticker", {}, "GET", "/api/market/ticker", None),
            ("health", {}, "GET", "/metrics", None),
            (f"no_{rng.randrange(1000)}", {}, "GET", f"/no/{rng.randrange(1000)}", None),
            ("get_depth", {"symbol": f"S{rng.randrange(10**6)}"}, "GET",
             f"/api/market/depth?symbol=S{rng.randrange(10**6)}", None),
        ])

    def headers(self, body, kind="application/json"):
        extra = ""
        if self.rng.random() < 0.2:
            extra = f"X-Request-Id: r{self.rng.randrange(10**9)}\r\n"
        if self.rng.random() < 0.01:
            kind = "text/plain"
        return (f"Host: 127.0.0.1\r\nContent-Type: {kind}\r\n{extra}"
                f"Content-Length: {len(body)}\r\n\r\n").encode()

    def spoiled(self, body):
        """Some bodies are no JSON any more."""
        if body and self.rng.random() < 0.03:
            at = self.rng.randrange(len(body))
            return body[:at] + bytes([self.rng.randrange(256)]) + body[at + 1:]
        return body

    def rest(self):
        _, _, method, path, fields = self.parts()
        if self.rng.random() < 0.01:
            method = self.rng.choice(["PUT", "HEADS", "OPTIONS"])
        body = self.spoiled(json.dumps(fields).encode()) if fields is not None else b""
        return f"{method} {path} HTTP/1.1\r\n".encode() + self.headers(body) + body

    def rpc(self):
        def call():
            name, params, *_ = self.parts()
            made = {"jsonrpc": "2.0", "method": name, "params": params}
            if self.rng.random() < 0.95:
                made["id"] = self.rng.choice([7, "seven", None, -1.5])
            return made
        batch = self.rng.random() < 0.05
        content = [call() for _ in range(self.rng.randrange(1, 10))] if batch else call()
        body = self.spoiled(json.dumps(content).encode())
        return b"POST / HTTP/1.1\r\n" + self.headers(body) + body


class Client:
    """One connection, from an address of its own; opened again when it has ended."""

    def __init__(self, calls, address, is_rpc):
        self.calls, self.is_rpc = calls, is_rpc
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.socket = None
        self.stream = None

    def send(self):
        rng = self.calls.rng
        if self.socket is None or rng.random() < 1 / CALLS_EACH:
            self.close()
            self.socket = socket.socket()
            self.socket.settimeout(30)
            self.socket.bind((f"127.0.{rng.randrange(64)}.{rng.randrange(1, 255)}", 0))
            self.socket.connect(self.address)
            self.stream = self.socket.makefile("rb")
        self.socket.sendall(self.calls.rpc() if self.is_rpc else self.calls.rest())

    def receive(self):
        """The status of the answer."""
        line = self.stream.readline()
        status = int(line.split()[1])
        length, ends = 0, False
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            ends = ends or (name.lower() == b"connection" and value.strip().lower() == b"close")
        body = self.stream.read(length)
        at = body.find(b'"order_id":')
        if at >= 0:
            digits = body[at + 11:at + 30].split(b",")[0].split(b"}")[0]
            if digits.isdigit():
                self.calls.last_id = max(self.calls.last_id, int(digits))
        if ends:
            self.close()
        return status

    def close(self):
        if self.socket is not None:
            self.stream.close()
            self.socket.close()
            self.socket = None


def resident(pid):
    """Anonymous memory and that of files, in MB."""
    values = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("RssAnon", "RssFile"):
                values[name] = int(value.split()[0]) / 1024
    return values["RssAnon"], values["RssFile"]


def mappings(pid):
    """Resident kB of each mapping: "address size name"."""
    found = {}
    name = ""
    with open(f"/proc/{pid}/smaps", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                name = f"{words[0].split('-')[0]} {words[5] if len(words) > 5 else 'anonymous'}"
            elif words[0] == "Rss:":
                found[name] = int(words[1])
    return found


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    config = BOUNDS
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            config = file.read()
    seed = int(time.time())
    calls = Calls(random.Random(seed))
    print(f"seed {seed}")
    statuses = {}
    count = 0
    with tempfile.TemporaryDirectory(prefix="matching-soak-") as data, \
            Server(config=config, data_dir=data) as server:
        clients = [Client(calls, server.jsonrpc if i % 2 else server.http, i % 2 == 1)
                   for i in range(CONNECTIONS)]
        pid = server.process.pid
        start = time.monotonic()
        due, look, early = 0.0, 0.0, None
        samples = [[], [], [], []]  # of anonymous memory in each quarter
        while (now := time.monotonic() - start) < seconds:
            if now >= due:
                anonymous, files = resident(pid)
                print(f"{now:6.0f} s {count:9} calls  anonymous {anonymous:7.2f}  files {files:6.2f}",
                      flush=True)
                due += seconds / 20
            if early is None and now > seconds / 4:
                early = mappings(pid)
            if now >= look:
                samples[int(4 * now / seconds)].append(resident(pid)[0])
                look += 1
            for client in clients:
                client.send()
            for client in clients:
                status = client.receive()
                statuses[status] = statuses.get(status, 0) + 1
                count += 1
        grown = [(size - early.get(name, 0), name) for name, size in mappings(pid).items()
                 if size - early.get(name, 0) >= 16]
        for client in clients:
            client.close()
    print(f"{count} calls, answers {dict(sorted(statuses.items()))}")
    for size, name in sorted(grown, reverse=True):
        print(f"  {size:+} kB since a quarter: {name}")
    medians = [statistics.median(quarter) for quarter in samples]
    growth = medians[3] / medians[2] - 1
    print("the median of each quarter:", " ".join(f"{median:.2f}" for median in medians),
          f"MB, the last one {growth:+.2%}")
    sys.exit(growth > GROWTH_MAX)


main()
