"""A WebSocket client of plain sockets (RFC 6455), for tests that also have to misbehave.

It sends what it is told to, and takes nothing for granted of what it gets: a masked or compressed
frame from the server is an error. Every wait has a deadline.
"""

import base64
import hashlib
import os
import socket
import struct

DEADLINE_S = 30
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    """The server ended the connection; code is None where it sent no close frame."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason}")
        self.code, self.reason = code, reason


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status, head, body):
        super().__init__(f"{status}: {body}")
        self.status, self.head, self.body = status, head, body


def read_head(connection):
    """The bytes up to the empty line, and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise Closed(None, f"in the head: {data!r}")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def connect(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class WebSocket:
    def __init__(self, address, path="/ws", host=None, **headers):
        self.socket = connect(address)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or address}", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            head, self.data = read_head(self.socket)
            status = int(head.split()[1])
            if status != 101:
                raise Refused(status, head, self.data.decode("latin-1"))
        except BaseException:
            self.socket.close()
            raise
        wanted = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        if wanted not in head:
            raise ValueError("the handshake's answer does not fit the key")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_frame(self, opcode, payload, final=True, mask=True, reserved=0):
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += struct.pack(">BH", bit | 126, len(payload))
        else:
            head += struct.pack(">BQ", bit | 127, len(payload))
        if mask:
            key = os.urandom(4)
            head += key
            repeated = key * (len(payload) // 4 + 1)
            payload = (int.from_bytes(payload, "big") ^
                       int.from_bytes(repeated[:len(payload)], "big")).to_bytes(len(payload), "big")
        self.socket.sendall(head + payload)

    def send(self, text):
        self.send_frame(TEXT, text if isinstance(text, bytes) else text.encode())

    def _take(self, count):
        while len(self.data) < count:
            part = self.socket.recv(65536)
            if not part:
                raise Closed(None)
            self.data += part
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def receive_frame(self):
        """(opcode, final, payload)"""
        first, second = self._take(2)
        if first & 0x70 or second & 0x80:
            raise ValueError("a frame with reserved bits or a mask")
        length = second & 0x7f
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return first & 15, bool(first & 0x80), self._take(length)

    def receive(self):
        """The next text message. Closed: there will be none."""
        message = b""
        while True:
            opcode, final, payload = self.receive_frame()
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
                try:
                    self.send_frame(CLOSE, payload[:2])  # the server waits for it
                except OSError:
                    pass  # not this one
                raise Closed(code, payload[2:].decode())
            elif opcode in (0, TEXT):
                message += payload
                if final:
                    return message.decode()
            elif opcode != PONG:
                raise ValueError(f"a frame of kind {opcode}")
