#!/usr/bin/env python3
"""Writes segment.txt, a small journal segment, from docs/journal.md alone.

It shares nothing with the program: bytes are put together here, and CRC32C is computed bit by bit.
journal_golden_test compares the program with segment.txt both ways.

    make.py          prints it
    make.py --check  fails if segment.txt is not what is printed
"""
import pathlib
import struct
import sys

HEADER_SIZE = 4096
FILE_SIZE = 6144
NS = 1_700_000_000_000_000_000
HEADER_FIELDS = [
    ("magic", "8s"), ("version", "I"), ("checksum", "I"), ("rules", "I"), ("shard", "I"),
    ("shard_count", "I"), ("previous", "I"), ("first_sequence", "Q"), ("created_ns", "Q"),
    ("size_bytes", "Q"), ("reserved", "Q")]
RECORD_FIELDS = [
    ("length", "I"), ("checksum", "I"), ("previous", "I"), ("kind", "H"), ("reserved", "H"),
    ("sequence", "Q"), ("time_ns", "Q")]
COMMAND_FIELDS = [
    ("order_id", "Q"), ("price_ticks", "q"), ("quantity_lots", "q"), ("instrument", "H"),
    ("type", "B"), ("side", "B"), ("order_type", "B"), ("time_in_force", "B"), ("flags", "B"),
    ("self_trade", "B"), ("reason", "B"), ("state", "B"), ("sbe_char", "B"), ("has", "B"),
    ("trader_length", "B"), ("client_length", "B"), ("reserved", "H")]
OPTIONAL = [("display_lots", 1, "q"), ("stop_price_ticks", 2, "q"), ("expire_time_ms", 4, "Q"),
            ("instrument_id", 8, "Q")]
CLAIM = "claim"

# (sequence, time_ns, fields); a claim has no fields but its name.
RECORDS = [
    (0, NS + 1, CLAIM),
    (1, NS + 1000, dict(type=7, price_ticks=1_000_000, quantity_lots=10_000, instrument=0,
                        sbe_char=ord("B"), instrument_id=1, text="BTCUSDT")),
    (2, NS + 2000, dict(type=1, instrument=0, price_ticks=5_000_000, quantity_lots=15_000,
                        side=0, text="alice", client="order-1")),
    (2, NS + 2001, CLAIM),
    (3, NS + 2000, dict(type=1, instrument=0, price_ticks=5_000_100, quantity_lots=20_000, side=1,
                        order_type=3, time_in_force=3, flags=1, self_trade=2, display_lots=1_000,
                        stop_price_ticks=4_999_900, expire_time_ms=1_700_000_060_000,
                        text="a-trader-with-32-characters-name",
                        client="123456789012345678901234567890123456")),
    (4, NS + 3000, dict(type=2, instrument=0, order_id=64, reason=1)),
    (5, NS + 3000, dict(type=3, instrument=0, price_ticks=5_000_001, flags=64, text="bob",
                        client="7")),
    (5, NS + 3500, CLAIM),
    (6, NS + 4000, dict(type=5, instrument=0, state=2)),
    (7, NS + 4000, dict(type=4, flags=4, reason=7, text="alice")),
    (8, NS + 5000, dict(type=6)),
    (8, NS + 5001, CLAIM),
]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def packed(fields, values):
    """[(name, bytes)], in order."""
    return [(name, struct.pack("<" + code, values.get(name, b"" if code == "8s" else 0)))
            for name, code in fields]


def joined(parts):
    return b"".join(data for _, data in parts)


def with_checksum(parts):
    value = struct.pack("<I", crc32c(joined(parts)))
    return [(name, value if name == "checksum" else data) for name, data in parts], value


def body_of(fields):
    text, client = fields.get("text", "").encode(), fields.get("client", "").encode()
    has = sum(bit for name, bit, _ in OPTIONAL if name in fields)
    parts = packed(COMMAND_FIELDS,
                   dict(fields, has=has, trader_length=len(text), client_length=len(client)))
    parts += [(name, struct.pack("<" + code, fields[name]))
              for name, _, code in OPTIONAL if name in fields]
    parts += [("trader_id", text), ("client_order_id", client),
              ("zeros", bytes(-len(text + client) % 8))]
    return [(name, data) for name, data in parts if data]


def lines_of(offset, title, parts):
    yield f"# {title}"
    for name, data in parts:
        for at in range(0, len(data), 16):
            piece = data[at:at + 16]
            yield f"{offset + at:04x}  {piece.hex(' '):<48} {name if at == 0 else ''}".rstrip()
        offset += len(data)


def segment():
    yield "# A segment, by make.py: offset, bytes, what they are. Bytes not named are 0."
    yield f"size {FILE_SIZE}"
    header = packed(HEADER_FIELDS, dict(
        magic=b"MTCHJRNL", version=1, rules=1, shard=1, shard_count=3, previous=0,
        first_sequence=1, created_ns=NS, size_bytes=FILE_SIZE))
    whole = header + [("zeros", bytes(HEADER_SIZE - len(joined(header))))]
    _, value = with_checksum(whole)
    yield from lines_of(0, "header",
                        [(n, value if n == "checksum" else d) for n, d in header])
    offset, previous = HEADER_SIZE, 0
    for sequence, time_ns, fields in RECORDS:
        is_claim = fields == CLAIM
        body = [] if is_claim else body_of(fields)
        head = packed(RECORD_FIELDS, dict(
            length=32 + len(joined(body)), previous=previous, kind=2 if is_claim else 1,
            sequence=sequence, time_ns=time_ns))
        parts, value = with_checksum(head + body)
        previous = struct.unpack("<I", value)[0]
        title = f"claim of {sequence}" if is_claim else f"command {sequence}"
        yield from lines_of(offset, title, parts)
        offset += len(joined(parts))


def main():
    text = "\n".join(segment()) + "\n"
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(text)
        return 0
    if pathlib.Path(__file__).with_name("segment.txt").read_text() == text:
        return 0
    print("segment.txt is not what make.py prints", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
