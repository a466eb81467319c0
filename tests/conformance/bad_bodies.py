"""Bad JSON and bad values, for every door. Each is refused with the code that stands beside it."""

import json

DEEPEST = 32  # levels of nesting that are read

# Not JSON at all (RFC 8259), or nested too deep.
NOT_JSON = [
    b" ", b"{", b"}", b'{"trader_id":"eve"', b"{'trader_id':'eve'}", b'{"a":1,}', b'{,"a":1}',
    b'{"a":1} x', b"{} {}", b"{}{}", b'{"a" 1}', b'{"a":}', b"{1:2}", b'{"a":1,,"b":2}', b"[1,]",
    b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}', b'{"a":1e}', b'{"a":0x10}', b'{"a":--1}',
    b'{"a":1_000}', b'{"price":NaN}', b'{"price":Infinity}', b'{"price":-Infinity}', b'{"a":tru}',
    b'{"a":True}', b"nul", b"undefined", b'{"a":"\x01"}', b'{"a":"\n"}', b'{"a":"\t"}',
    b'{"a":"\\x"}',
    b'{"a":"\\u12"}', b'{"a":"\\u12g4"}', b'{"a":"', b'"', b'{"a":1}\x00', b"\x00", b'{"a":"\x00"}',
    b'\x00{"a":1}', b'{"a\x00":1}', b"/* no */{}", b'{"a":1 // no\n}', b"# no", b"\xef\xbb\xbf{}",
    b"<order/>", b"a=1&b=2", b"[" * 40000, b"{\"a\":" * 8000,
    b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), b'{"a":' * 1000 + b"1" + b"}" * 1000,
]

# Not UTF-8: a stray byte, an overlong form, half a character, a surrogate, beyond the last one.
NOT_UTF8 = [b'{"trader_id":"' + text + b'"}' for text in (
    b"\xff", b"\x80", b"\x1f\x8b\x08\x00", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80")]

# JSON, but no object.
NO_OBJECT = [b"1", b'"text"', b"null", b"true", b"-0.0", b"1e400"]

LONG = "x" * 40000
DIGITS = "1" * 40000


def order(**changes):
    """An order as text: values that are str here stand in it as they are."""
    fields = {"trader_id": '"eve"', "side": '"buy"', "price": "1", "quantity": "1"} | changes
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in fields.items()) + "}"


def text(value):
    return json.dumps(value)


# (the order, code, field)
BAD_ORDERS = [
    (order(price="1e400"), "INVALID_PRICE", "price"),
    (order(price="-1e400"), "INVALID_PRICE", "price"),
    (order(price="1e99999999999999999999"), "INVALID_PRICE", "price"),
    (order(price="1e-99999999999999999999"), "INVALID_PRICE", "price"),
    (order(price="9223372036854775807"), "INVALID_PRICE", "price"),
    (order(price="9223372036854775808"), "INVALID_PRICE", "price"),
    (order(price="18446744073709551615"), "INVALID_PRICE", "price"),
    (order(price="18446744073709551617"), "INVALID_PRICE", "price"),
    (order(price="-1"), "INVALID_PRICE", "price"),
    (order(price="-0"), "INVALID_PRICE", "price"),
    (order(price="0"), "INVALID_PRICE", "price"),
    (order(price="1." + "0" * 39 + "1"), "INVALID_PRICE", "price"),
    (order(price="0." + "0" * 39999 + "1"), "INVALID_PRICE", "price"),
    (order(price=DIGITS), "INVALID_PRICE", "price"),
    (order(price=text(DIGITS)), "INVALID_PRICE", "price"),
    (order(price=text(LONG)), "INVALID_PRICE", "price"),
    (order(price='"NaN"'), "INVALID_PRICE", "price"),
    (order(price='"1\\u0000"'), "INVALID_PRICE", "price"),
    (order(price='"\\u0661"'), "INVALID_PRICE", "price"),  # an Arabic 1
    (order(quantity="1e400"), "INVALID_QUANTITY", "quantity"),
    (order(quantity="9223372036854775808"), "INVALID_QUANTITY", "quantity"),
    (order(quantity="-5"), "INVALID_QUANTITY", "quantity"),
    (order(quantity="0." + "3" * 40), "INVALID_QUANTITY", "quantity"),
    (order(quantity=DIGITS), "INVALID_QUANTITY", "quantity"),
    (order(trader_id=text(LONG)), "INVALID_TRADER", "trader_id"),
    (order(trader_id='"eve\\u0000"'), "INVALID_TRADER", "trader_id"),
    (order(trader_id='"\\u0000"'), "INVALID_TRADER", "trader_id"),
    (order(trader_id='"\U0001f680"'), "INVALID_TRADER", "trader_id"),
    (order(trader_id='"<script>alert(1) </script>"'), "INVALID_TRADER", "trader_id"),
    (order(side=text(LONG)), "INVALID_SIDE", "side"),
    (order(side='"buy\\u0000"'), "INVALID_SIDE", "side"),
    (order(symbol=text(LONG)), "UNKNOWN_SYMBOL", "symbol"),
    (order(symbol='"BTCUSDT\\u0000"'), "UNKNOWN_SYMBOL", "symbol"),
    (order(symbol='"%s%n%s"'), "UNKNOWN_SYMBOL", "symbol"),
    (order(client_order_id=text(LONG)), "INVALID_PARAMETER", "client_order_id"),
    (order(client_order_id='"\\u0000"'), "INVALID_PARAMETER", "client_order_id"),
    (order(time_in_force=text(LONG)), "INVALID_TIME_IN_FORCE", "time_in_force"),
    (order(price="true"), "INVALID_MESSAGE", "price"),
    (order(price="[1]"), "INVALID_MESSAGE", "price"),
    (order(price="{}"), "INVALID_MESSAGE", "price"),
    (order(trader_id="1e400"), "INVALID_MESSAGE", "trader_id"),
    (order(side="null"), "MISSING_FIELD", "side"),
    (order(post_only='"yes"'), "INVALID_MESSAGE", "post_only"),
    (order(expire_time="1.5"), "INVALID_MESSAGE", "expire_time"),
    # The last of equal names counts.
    ('{"price":1,"trader_id":"eve","side":"buy","quantity":1,"price":0}', "INVALID_PRICE", "price"),
    # Unknown members, many, long and deep, do no harm; what is wrong beside them is still told.
    (order(quantity="0", **{f"unknown{i}": text("x" * 30) for i in range(500)}),
     "INVALID_QUANTITY", "quantity"),
    (order(quantity="0", **{LONG: "1"}), "INVALID_QUANTITY", "quantity"),
    (order(quantity="0", deep="[" * 30 + "]" * 30), "INVALID_QUANTITY", "quantity"),
    (order(quantity="0", number=DIGITS), "INVALID_QUANTITY", "quantity"),
]

# Texts with half a surrogate pair are JSON by its grammar, but no Unicode: either answer is right.
HALF_PAIRS = [order(trader_id='"\\ud800"'), order(trader_id='"\\udc00x"')]
HALF_PAIR_CODES = {"INVALID_JSON", "INVALID_TRADER"}

TOO_LARGE = order(trader_id=text("x" * (1 << 20)))
