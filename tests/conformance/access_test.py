#!/usr/bin/env python3
"""Who gets in, at every door of the real program: foreign Origins and Hosts, administration with
and without the token, and administration from another machine (MATCHING_BINARY names the program).
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from bad_input import RawHttp, post  # noqa: E402
from server import Server, skip  # noqa: E402
from ws import Refused, WebSocket  # noqa: E402

TOKEN = "let-me-in"
ORDER = b'{"trader_id":"eve","side":"buy","price":1,"quantity":1}'
FOREIGN_ORIGINS = ("https://evil.example", "http://127.0.0.1.evil.example",
                   "http://localhost.evil.example", "http://localhost@evil.example", "null",
                   "file://", "chrome-extension://abc", "evil")
OWN_ORIGINS = ("http://localhost", "http://localhost:5173", "https://127.0.0.1:8443",
               "http://[::1]:3000")
FOREIGN_HOSTS = ("evil.example", "evil.example:8080", "127.0.0.1.evil.example",
                 "localhost.evil.example", "")
OWN_HOSTS = ("localhost", "LOCALHOST:1", "127.0.0.1", "127.5.5.5:99", "[::1]:8080")


def rpc(method, params=b"{}"):
    return b'{"jsonrpc":"2.0","id":1,"method":"' + method + b'","params":' + params + b"}"


NEW = b'{"symbol":"NEW","tick_size":1,"lot_size":1}'
ADD_BY_RPC = rpc(b"add_symbol", NEW)
HALT_BY_RPC = rpc(b"set_symbol_state", b'{"symbol":"ETHUSDT","state":"halted"}')


class Access(unittest.TestCase):
    config = ""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(config=cls.config))

    def ask(self, address, request):
        """(status, body)"""
        with RawHttp(address) as http:
            http.send(request)
            status, _, body = http.answer()
            return status, body

    def request(self, door, line, body=None, host="localhost", **headers):
        address = getattr(self.server, door)
        lines = [line + " HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return self.ask(address, ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))

    def health(self, **headers):
        """What a page may make of the WebSocket port's health check: (status, who may read it)."""
        lines = ["GET /health HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with RawHttp(self.server.websocket) as http:
            http.send(("\r\n".join(lines) + "\r\n\r\n").encode())
            status, said, _ = http.answer()
        allowed = said.get("access-control-allow-origin")
        self.assertEqual(said.get("vary"), "Origin" if allowed else None)
        return status, allowed

    def asks(self, **how):
        """The same questions at every door: {what: status}."""
        answers = {
            "GET depth": self.request("http", "GET /api/market/depth", **how)[0],
            "GET health": self.request("http", "GET /health", **how)[0],
            "POST order": self.request("http", "POST /api/orders", ORDER, **how)[0],
            "GET orders": self.request("http", "GET /api/orders", **how)[0],
            "PATCH symbol": self.request("http", "PATCH /api/symbols/ETHUSDT",
                                         b'{"state":"trading"}', **how)[0],
            "rpc order": self.request("jsonrpc", "POST /", rpc(b"place_limit_order", ORDER), **how),
            "rpc depth": self.request("jsonrpc", "POST /", rpc(b"get_depth"), **how),
        }
        for name in ("rpc order", "rpc depth"):
            status, body = answers[name]
            if status == 200 and "UNAUTHORIZED" in body:
                status = 403
            answers[name] = status
        try:
            with WebSocket(self.server.websocket, **how) as ws:
                ws.send(b'{"type":"limit_order",' + ORDER[1:])
                answers["ws order"] = 200 if "order_ack" in (said := ws.receive()) else said
                ws.send('{"type":"subscribe","channels":["book"],"symbols":["SOLUSDT"]}')
                answers["ws book"] = 200 if "subscribed" in (said := ws.receive()) else said
                ws.send('{"type":"subscribe","channels":["orders"],"trader_id":"eve"}')
                answers["ws orders"] = 200
                while "subscribed" not in (said := ws.receive()):
                    if '"error"' in said:
                        answers["ws orders"] = 403 if "UNAUTHORIZED" in said else said
                        break
            if "UNAUTHORIZED" in str(answers["ws order"]):
                answers["ws order"] = 403
        except Refused as refused:
            answers["ws order"] = answers["ws book"] = answers["ws orders"] = refused.status
        return answers


class Origins(Access):
    def test_a_request_without_an_origin_may_do_all(self):
        self.assertEqual(set(self.asks().values()), {200}, self.asks())

    def test_a_foreign_origin_is_refused_at_every_door(self):
        for origin in FOREIGN_ORIGINS:
            with self.subTest(origin):
                answers = self.asks(Origin=origin)
                self.assertEqual(set(answers.values()), {403}, answers)

    def test_a_loopback_origin_is_let_in(self):
        for origin in OWN_ORIGINS:
            with self.subTest(origin):
                answers = self.asks(Origin=origin)
                self.assertEqual(set(answers.values()), {200}, answers)

    def test_a_page_reads_the_websocket_ports_health_where_it_is_let_in(self):
        self.assertEqual(self.health(), (200, None))
        for origin in OWN_ORIGINS:
            self.assertEqual(self.health(Origin=origin), (200, origin))
        for origin in FOREIGN_ORIGINS:
            self.assertEqual(self.health(Origin=origin), (403, None), origin)

    def test_a_foreign_host_is_refused_at_every_door(self):
        for host in FOREIGN_HOSTS:
            with self.subTest(host):
                answers = self.asks(host=host or " ")
                # An empty Host may also be refused as bad HTTP.
                self.assertTrue(set(answers.values()) <= ({403} if host else {400, 403}), answers)

    def test_our_own_hosts_are_let_in(self):
        for host in OWN_HOSTS:
            with self.subTest(host):
                answers = self.asks(host=host)
                self.assertEqual(set(answers.values()), {200}, answers)

    def test_a_refused_order_never_reaches_the_book(self):
        status, body = self.request("http", "GET /api/orders?trader_id=mallory")
        for how in ({"Origin": "https://evil.example"}, {"host": "evil.example"}):
            order = ORDER.replace(b"eve", b"mallory")
            self.request("http", "POST /api/orders", order, **how)
            self.request("jsonrpc", "POST /", rpc(b"place_limit_order", order), **how)
        self.assertEqual(self.request("http", "GET /api/orders?trader_id=mallory"), (status, body))
        self.assertEqual(json.loads(body), {"orders": []})


class Configured(Access):
    config = "".join(f'[{door}]\nallow_hosts = ["exchange.example"]\n[{door}.cors]\n'
                     'allow_origins = ["https://friend.example", "*"]\n'
                     for door in ("websocket", "http", "jsonrpc"))

    PRIVATE = ("POST order", "GET orders", "PATCH symbol", "rpc order", "ws order", "ws orders")

    def test_a_configured_origin_may_do_all(self):
        answers = self.asks(Origin="https://friend.example")
        self.assertEqual(set(answers.values()), {200}, answers)

    def test_any_other_origin_sees_market_data_only(self):
        for origin in FOREIGN_ORIGINS:
            with self.subTest(origin):
                answers = self.asks(Origin=origin)
                self.assertEqual(answers, {what: 403 if what in self.PRIVATE else 200
                                           for what in answers})

    def test_they_read_the_websocket_ports_health(self):
        for origin in ("https://friend.example", "https://other.example"):
            self.assertEqual(self.health(Origin=origin), (200, origin))

    def test_a_configured_host_is_let_in(self):
        answers = self.asks(host="exchange.example:443")
        self.assertEqual(set(answers.values()), {200}, answers)
        answers = self.asks(host="www.exchange.example")
        self.assertEqual(set(answers.values()), {403}, answers)


class SwitchedOff(Access):
    """The list of origins is there, and does not count."""

    config = "".join(f'[{door}.cors]\nenabled = false\n'
                     'allow_origins = ["https://friend.example", "*"]\n'
                     for door in ("websocket", "http", "jsonrpc"))

    def test_configured_origins_are_foreign(self):
        for origin in ("https://friend.example", "https://other.example"):
            with self.subTest(origin):
                answers = self.asks(Origin=origin)
                self.assertEqual(set(answers.values()), {403}, answers)
                self.assertEqual(self.health(Origin=origin), (403, None))

    def test_pages_of_this_machine_are_let_in_and_no_header_says_so(self):
        for origin in OWN_ORIGINS:
            with self.subTest(origin):
                answers = self.asks(Origin=origin)
                self.assertEqual(set(answers.values()), {200}, answers)
                self.assertEqual(self.health(Origin=origin), (200, None))


class Administration(Access):
    config = f'[admin]\ntoken = "{TOKEN}"\n'

    HALT, RESUME = b'{"state":"halted"}', b'{"state":"trading"}'

    def order_is_taken(self):
        status, _ = self.request("http", "POST /api/orders", ORDER[:-1] + b',"symbol":"ETHUSDT"}')
        return status == 200

    def test_without_the_token_nothing_is_administrated(self):
        for header in (None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x",
                       f"Bearer {TOKEN[:-1]}", f"Bearer {'x' * len(TOKEN)}", f"Basic {TOKEN}",
                       TOKEN, f"Bearer {TOKEN.upper()}"):
            how = {} if header is None else {"Authorization": header}
            with self.subTest(header):
                status, body = self.request("http", "PATCH /api/symbols/ETHUSDT", self.HALT, **how)
                self.assertEqual((status, json.loads(body)["code"]), (401, "UNAUTHORIZED"))
                _, body = self.request("jsonrpc", "POST /", HALT_BY_RPC, **how)
                self.assertEqual(json.loads(body)["error"]["data"]["code"], "UNAUTHORIZED")
                self.assertTrue(self.order_is_taken())
                status, body = self.request("http", "POST /api/symbols", NEW, **how)
                self.assertEqual((status, json.loads(body)["code"]), (401, "UNAUTHORIZED"))
                _, body = self.request("jsonrpc", "POST /", ADD_BY_RPC, **how)
                self.assertEqual(json.loads(body)["error"]["data"]["code"], "UNAUTHORIZED")

    def test_with_the_token_it_is(self):
        how = {"Authorization": f"Bearer {TOKEN}"}
        for state in (self.HALT, self.RESUME):
            status, body = self.request("http", "PATCH /api/symbols/ETHUSDT", state, **how)
            self.assertEqual((status, json.loads(body)["state"]), (200, json.loads(state)["state"]))
            self.assertEqual(self.order_is_taken(), state == self.RESUME)
            params = b'{"symbol":"ETHUSDT",' + state[1:]
            _, body = self.request("jsonrpc", "POST /", rpc(b"set_symbol_state", params), **how)
            self.assertEqual(json.loads(body)["result"]["state"], json.loads(state)["state"])
        status, body = self.request("http", "POST /api/symbols", NEW, **how)
        self.assertEqual((status, json.loads(body)["symbol"]), (200, "NEW"))
        _, body = self.request("jsonrpc", "POST /", ADD_BY_RPC, **how)
        self.assertEqual(json.loads(body)["error"]["data"]["field"], "symbol")

    def test_a_foreign_origin_is_refused_even_with_the_token(self):
        how = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}
        status, _ = self.request("http", "PATCH /api/symbols/ETHUSDT", self.HALT, **how)
        self.assertEqual(status, 403)
        status, _ = self.request("jsonrpc", "POST /", HALT_BY_RPC, **how)
        self.assertEqual(status, 403)
        for door, line, body in (("http", "POST /api/symbols", NEW), ("jsonrpc", "POST /", ADD_BY_RPC)):
            self.assertEqual(self.request(door, line, body, **how)[0], 403)
        self.assertTrue(self.order_is_taken())


# ---- Another machine ----------------------------------------------------------------------------

ELSEWHERE = "10.253.0.1"


def enter_a_network_of_our_own():
    """A namespace in which the loopback interface also has an address that is not loopback."""
    clone_newuser, clone_newnet = 0x10000000, 0x40000000
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(clone_newnet) != 0 and unshare(clone_newuser | clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    siocsifflags, siocsifaddr, up_and_running = 0x8914, 0x8916, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, siocsifflags, struct.pack("16sH14s", b"lo", up_and_running, b""))
        address = struct.pack("HH4s8s", socket.AF_INET, 0, socket.inet_aton(ELSEWHERE), b"")
        fcntl.ioctl(control, siocsifaddr, struct.pack("16s16s", b"lo:1", address))


class ElsewhereServer(Server):
    """Open to the network: the ports are the same, at an address that others can reach too."""

    def __enter__(self):
        popen, bind = subprocess.Popen, ["--bind", ELSEWHERE, "--insecure"]
        subprocess.Popen = lambda command, **how: popen(command + bind, **how)
        try:
            return super().__enter__()
        finally:
            subprocess.Popen = popen


class Elsewhere(Access):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ElsewhereServer(config=cls.config))

    def test_without_a_token_administration_is_for_this_machine_only(self):
        host = f"{ELSEWHERE}:1"
        status, body = self.request("http", "PATCH /api/symbols/ETHUSDT", b'{"state":"halted"}',
                                    host=host)
        self.assertEqual((status, json.loads(body)["code"]), (403, "UNAUTHORIZED"))
        status, _ = self.request("http", "POST /api/symbols", NEW, host=host)
        self.assertEqual(status, 403)
        _, body = self.request("jsonrpc", "POST /", HALT_BY_RPC, host=host)
        self.assertEqual(json.loads(body)["error"]["data"]["code"], "UNAUTHORIZED")
        answers = self.asks(host=host)
        self.assertEqual(answers.pop("PATCH symbol"), 403)
        self.assertEqual(set(answers.values()), {200}, answers)  # everything else is open


def run(*cases):
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite(load(case) for case in cases)
    sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())


if __name__ == "__main__":
    if sys.argv[1:] == ["elsewhere"]:
        try:
            enter_a_network_of_our_own()
        except OSError as problem:
            skip(f"no network namespace can be had here ({problem})")
        run(Elsewhere)
    run(Origins, Configured, SwitchedOff, Administration)
