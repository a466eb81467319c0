#!/usr/bin/env python3
"""Writes messages.txt, messages of the SBE wire, from the schema and values.json alone.

It shares nothing with the program nor with the clients: types and their sizes are read from
matching-sbe.xml, bytes are put together here. Fields are laid one behind the other; that this gives
the offsets and block lengths which the schema has written out is checked.

    make.py          prints it
    make.py --check  fails if messages.txt is not what is printed
"""
import json
import pathlib
import struct
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parents[3] / "transports" / "sbe" / "schema" / "matching-sbe.xml"
FORMATS = {"char": "c", "int8": "b", "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
           "int64": "q", "double": "d"}
NULLS = {"uint8": 255, "int64": -2**63}  # SBE 1.0, table of null values
MESSAGE = "{http://fixprotocol.io/2016/sbe}message"


def plain_type(element, primitive=None):
    """(struct format, length, null) of a type, enum or set element."""
    primitive = primitive or element.get("primitiveType")
    null = element.get("nullValue")
    return FORMATS[primitive], int(element.get("length", 1)), (
        NULLS.get(primitive) if null is None else int(null))


def read_types(root):
    types = {name: (fmt, 1, NULLS.get(name)) for name, fmt in FORMATS.items()}
    for element in root.find("types"):
        if element.tag == "type":
            types[element.get("name")] = plain_type(element)
        elif element.tag in ("enum", "set"):
            types[element.get("name")] = plain_type(element, element.get("encodingType"))
        elif element.get("name") != "messageHeader":
            parts = [part for part in element if part.get("presence") != "constant"]
            assert len(parts) == 1, element.get("name")
            types[element.get("name")] = plain_type(parts[0])
    return types


def encode(kind, value):
    fmt, length, null = kind
    if fmt == "c":
        return value.encode("ascii").ljust(length, b"\0")
    if length > 1:
        assert value is None
        return bytes(length * struct.calcsize("<" + fmt))
    number = null if value is None else float(value) if fmt == "d" else int(value)
    return struct.pack("<" + fmt, number)


def message_bytes(message, types, values):
    block = b""
    for field in message:
        name = field.get("name")
        assert int(field.get("offset")) == len(block), f"{message.get('name')}.{name}"
        value = values.get(name, "0")
        kind = types[field.get("type")]
        padding = name.startswith("padding")
        assert padding != (name in values), f"{message.get('name')}.{name}"
        block += encode(kind, None if padding and kind[1] > 1 else value)
    assert len(block) == int(message.get("blockLength")), message.get("name")
    return struct.pack("<HHHH", len(block), int(message.get("id")), 1, 0) + block


def make():
    root = ElementTree.parse(SCHEMA).getroot()
    assert (root.get("id"), root.get("version")) == ("1", "0")
    types = read_types(root)
    messages = {message.get("name"): message for message in root.findall(MESSAGE)}
    rows = json.loads((HERE / "values.json").read_text(encoding="utf-8"))
    assert {row[1] for row in rows} == set(messages), "every message"
    lines = ["# Messages by make.py: name, bytes with the header."]
    for name, message, values in rows:
        unknown = values.keys() - {field.get("name") for field in messages[message]}
        assert not unknown, (name, unknown)
        lines.append(f"{name} {message_bytes(messages[message], types, values).hex()}")
    return "\n".join(lines) + "\n"


def main():
    text = make()
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(text)
        return 0
    if (HERE / "messages.txt").read_text(encoding="utf-8") == text:
        return 0
    print("messages.txt is not what make.py prints", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
