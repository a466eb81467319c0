"""Messages of the SBE door, packed and taken apart by struct, from the table of docs/sbe.md."""

import struct
from collections import deque, namedtuple

from ws import BINARY, CLOSE, PING, PONG, Closed, WebSocket

NULL = -(1 << 63)
ONE = 10 ** 8  # decimals have eight places

FORMATS = {
    "Trade": (1, "<QcdI", "trade_id symbol price quantity"),
    "NewOrder": (2, "<Q16sIBBBBqqqqQ", "client_order_id trader_id instrument_id side order_type "
                 "time_in_force flags price quantity display_quantity stop_price expire_time"),
    "CancelOrder": (3, "<QQI4x", "client_order_id order_id instrument_id"),
    "AmendOrder": (4, "<QQI4xqqq",
                   "client_order_id order_id instrument_id price quantity stop_price"),
    "ExecutionReport": (5, "<QQIBBBBqqqqQQq", "client_order_id order_id instrument_id status reason "
                        "side exec_type price last_quantity filled_quantity remaining_quantity "
                        "timestamp trade_id last_price"),
    "Reject": (6, "<QHH4x16s", "client_order_id template_id code text"),
    "BookUpdate": (7, "<I4xqqqqQ",
                   "instrument_id best_bid bid_quantity best_ask ask_quantity sequence"),
    "Subscribe": (8, "<IBB2x", "instrument_id channels action"),
    "Heartbeat": (9, "<Q", "timestamp"),
    "Instrument": (10, "<IcB2x16sqq8x", "id sbe_char state symbol tick_size lot_size"),
    "TradeExact": (11, "<QIB3xqqQQQ8x", "trade_id instrument_id taker_side price quantity "
                   "buy_order_id sell_order_id timestamp"),
    "Logon": (12, "<32sB7x", "trader_id flags"),
    "MassCancel": (13, "<Q32sI4x", "client_order_id trader_id instrument_id"),
}
TYPES = {name: namedtuple(name, fields) for name, (_, _, fields) in FORMATS.items()}
BY_ID = {id_: name for name, (id_, _, _) in FORMATS.items()}


def pack(name, **values):
    id_, block, fields = FORMATS[name]
    body = struct.pack(block, *(values[field] for field in fields.split()))
    return struct.pack("<HHHH", len(body), id_, 1, 0) + body


def unpack(frame):
    """The messages of a frame."""
    messages = []
    while frame:
        length, id_, schema, version = struct.unpack_from("<HHHH", frame)
        name = BY_ID[id_]
        if (schema, version) != (1, 0) or length != struct.calcsize(FORMATS[name][1]):
            raise ValueError(f"{name}: block {length}, schema {schema}, version {version}")
        messages.append(TYPES[name](*struct.unpack_from(FORMATS[name][1], frame, 8)))
        frame = frame[8 + length:]
    return messages


class Sbe:
    """A connection: messages out, one frame each, and messages in."""

    def __init__(self, address, **headers):
        self.ws = WebSocket(address, path="/", **headers)
        self.messages = deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.ws.socket.close()

    def send(self, name, **values):
        self.ws.send_frame(BINARY, pack(name, **values))

    def receive(self):
        while not self.messages:
            opcode, final, payload = self.ws.receive_frame()
            if opcode == PING:
                self.ws.send_frame(PONG, payload)
            elif opcode == CLOSE:
                raise Closed(int.from_bytes(payload[:2], "big"), payload[2:].decode())
            elif opcode == BINARY and final:
                self.messages.extend(unpack(payload))
            else:
                raise ValueError(f"a frame of kind {opcode}")
        return self.messages.popleft()
