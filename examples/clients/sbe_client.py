#!/usr/bin/env python3
"""A client of the binary port: shows the instruments, logs on as alice, lets her sell to bob,
prints what comes.

    python3 sbe_client.py [URL [SCHEMA]]        (ws://127.0.0.1:9001/)

All that it knows of the bytes it reads from the schema, matching-sbe.xml, when it starts. It needs
nothing but Python; the WebSocket client is the least that this conversation takes.
"""

import base64
import decimal
import os
import pathlib
import socket
import struct
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "transports/sbe/schema/matching-sbe.xml"
FORMATS = {"char": "s", "int8": "b", "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
           "int64": "q", "double": "d"}
NULLS = {"uint8": 255, "uint16": 65535, "uint32": 2**32 - 1, "uint64": 2**64 - 1, "int64": -2**63}
HEADER = struct.Struct("<HHHH")  # blockLength, templateId, schemaId, version


# ---- The schema --------------------------------------------------------------------------------


class Type:
    """A type of the schema: how its values are packed, and what they mean."""

    def __init__(self, element, primitive):
        self.primitive = primitive
        self.length = int(element.get("length", 1))
        self.optional = element.get("presence") == "optional" or element.tag == "enum"
        self.null = int(element.get("nullValue", NULLS.get(primitive, 0)))
        self.exponent = None  # of a decimal
        self.names = {}  # of an enum: number to name; of a set: bit to name
        self.is_set = element.tag == "set"
        self.format = "<" + (f"{self.length}{FORMATS[primitive]}" if self.length > 1
                             else FORMATS[primitive])
        for choice in element:
            self.names[int(choice.text)] = choice.get("name")

    def pack(self, value):
        if self.primitive == "char":
            text = (value or "").encode("ascii")
            if len(text) > self.length:
                raise ValueError(f"{value} has more than {self.length} characters")
            return text.ljust(self.length, b"\0")
        if self.length > 1:
            return bytes(struct.calcsize(self.format))  # padding
        return struct.pack(self.format, self._number(value))

    def _number(self, value):
        if value is None:
            return self.null if self.optional else 0
        if self.primitive == "double":
            return float(value)
        if self.exponent is not None:
            scaled = decimal.Decimal(value).scaleb(-self.exponent)
            if scaled != int(scaled):
                raise ValueError(f"{value} has more than {-self.exponent} decimals")
            return int(scaled)
        if self.is_set and not isinstance(value, int):
            return sum(1 << bit for bit, name in self.names.items() if name in value)
        for number, name in self.names.items():
            if name == value:
                return number
        return int(value)

    def unpack(self, block, offset):
        value = struct.unpack_from(self.format, block, offset)[0]
        if self.primitive == "char":
            return value.rstrip(b"\0").decode("ascii")
        if self.optional and value == self.null:
            return None
        if self.exponent is not None:
            return decimal.Decimal(value).scaleb(self.exponent)
        if self.is_set:
            return [name for bit, name in self.names.items() if value >> bit & 1]
        return self.names.get(value, value)


class Schema:
    """Messages as dictionaries to bytes and back. An absent or null value is None."""

    def __init__(self, path=SCHEMA):
        root = ElementTree.parse(path).getroot()
        self.id, self.version = int(root.get("id")), int(root.get("version"))
        self.types = {name: Type(ElementTree.Element("type"), name) for name in FORMATS}
        for element in root.find("types"):
            self.types[element.get("name")] = self._type(element)
        self.messages, self.names = {}, {}  # by name, by template id
        for message in root.findall("{http://fixprotocol.io/2016/sbe}message"):
            fields = [(field.get("name"), int(field.get("offset")), self.types[field.get("type")])
                      for field in message]
            name, template = message.get("name"), int(message.get("id"))
            self.messages[name] = (template, int(message.get("blockLength")), fields)
            self.names[template] = name

    @staticmethod
    def _type(element):
        if element.tag != "composite":
            return Type(element, element.get("primitiveType") or element.get("encodingType"))
        mantissa = Type(element[0], element[0].get("primitiveType"))
        for part in element:
            if part.get("name") == "exponent":
                mantissa.exponent = int(part.text)
        return mantissa

    def encode(self, name, **values):
        template, length, fields = self.messages[name]
        block = bytearray(length)
        for field, offset, kind in fields:
            packed = kind.pack(values.pop(field, None))
            block[offset:offset + len(packed)] = packed
        if values:
            raise ValueError(f"{name} has no {', '.join(values)}")
        return HEADER.pack(length, template, self.id, self.version) + bytes(block)

    def decode(self, frame):
        """Each message of a frame: its name and its values. Longer blocks than the schema has, and
        messages that it does not have, are of a newer version; what is not known is skipped."""
        at = 0
        while at < len(frame):
            length, template, _, _ = HEADER.unpack_from(frame, at)
            block = frame[at + HEADER.size:at + HEADER.size + length]
            at += HEADER.size + length
            if template in self.names:
                name = self.names[template]
                yield name, {field: kind.unpack(block, offset)
                             for field, offset, kind in self.messages[name][2]
                             if not field.startswith("padding")}


# ---- WebSocket (RFC 6455) ----------------------------------------------------------------------


class WebSocket:
    """Sends and receives binary messages; answers pings."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .encode())
        self.stream = self.socket.makefile("rb")
        status = self.stream.readline()
        while self.stream.readline().strip():
            pass  # the other lines of the answer
        if b" 101 " not in status:
            raise ConnectionError(f"no WebSocket there: {status.decode().strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload, opcode=2):
        length = len(payload)
        head = struct.pack(">BB", 0x80 | opcode, 0x80 | length) if length < 126 else \
            struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def _take(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise ConnectionError("the connection ended")
        return data

    def receive(self):
        """The next message, its fragments put together."""
        message = b""
        while True:
            first, length = self._take(2)
            if length >= 126:
                size = 2 if length == 126 else 8
                length = int.from_bytes(self._take(size), "big")
            payload = self._take(length)
            if first & 15 == 8:
                raise ConnectionError(f"closed: {payload[2:].decode() or payload[:2].hex()}")
            if first & 15 == 9:
                self.send(payload, opcode=10)
            elif first & 15 in (0, 2):
                message += payload
                if first & 128:
                    return message


# ---- The conversation --------------------------------------------------------------------------


def show(value):
    if isinstance(value, decimal.Decimal):
        value = f"{value:f}"
        return value.rstrip("0").rstrip(".") if "." in value else value
    if isinstance(value, float):
        return f"{value:g}" if value == int(value) and abs(value) < 1e6 else repr(value)
    return "+".join(value) if isinstance(value, list) else str(value)


def print_message(direction, name, values):
    words = [f"{field}={show(value)}" for field, value in values.items()
             if value is not None and value not in ("", [])]
    print(" ".join([direction, name, *words]))


def talk(url, schema):
    """Holds the conversation. True once both reports and the trade were seen."""
    with WebSocket(url) as connection:

        def send(*messages):
            """Several messages may share a frame."""
            for name, values in messages:
                print_message(">", name, values)
            connection.send(b"".join(schema.encode(name, **values) for name, values in messages))

        send(("Logon", {"traderId": "alice"}))
        wanted = {"New 1", "New 2", "Trade 1", "TradeExact"}
        instrument = None
        while wanted:
            for name, values in schema.decode(connection.receive()):
                print_message("<", name, values)
                if name == "Reject":
                    return False
                if name == "Instrument":
                    instrument = instrument or values["id"]
                elif name == "Heartbeat":
                    order = {"instrumentId": instrument, "orderType": "Limit",
                             "timeInForce": "GoodTillCancelled", "price": "50000",
                             "quantity": "0.5"}
                    send(("Subscribe", {"instrumentId": instrument, "action": "Subscribe",
                                        "channels": ["Trades", "Book", "TradesExact"]}),
                         ("NewOrder", {"clientOrderId": 1, "side": "Sell", **order}),
                         ("NewOrder", {"clientOrderId": 2, "traderId": "bob", "side": "Buy",
                                       **order}))
                elif name == "ExecutionReport":
                    wanted.discard(f"{values['execType']} {values['clientOrderId']}")
                else:
                    wanted.discard(name)
    return True


def main():
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:9001/"
    schema = Schema(sys.argv[2] if len(sys.argv) > 2 else SCHEMA)
    try:
        return 0 if talk(url, schema) else 1
    except TimeoutError:
        print("sbe_client: nothing more came within 10 seconds", file=sys.stderr)
    except OSError as problem:
        print(f"sbe_client: {url}: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
