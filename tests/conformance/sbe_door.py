"""The SBE door as the scenarios see it.

It enters, amends and cancels orders. What it has no message for is asked of JSON-RPC, as is what its
messages cannot say (UNSAYABLE has the reasons), so that every scenario is played to its end.
"""

import re
from decimal import Decimal
from fractions import Fraction

from doors import Door, JsonRpcDoor, check, fold_trade, is_of
from plain_json import Number
from sbe import NULL, ONE, Sbe

SIDES = ["buy", "sell"]
TYPES = ["limit", "market", "stop", "stop_limit"]
TIMES = ["GTC", "IOC", "FOK", "GTD"]
PREVENTIONS = ["none", "cancel_taker", "cancel_maker", "cancel_both"]
STATUSES = ["open", "partial", "filled", "cancelled", "untriggered"]
REASONS = [None, "user", "ioc", "no_liquidity", "fok", "expired", "self_trade", "mass_cancel",
           "disconnect"]
CODES = """INVALID_JSON INVALID_MESSAGE UNKNOWN_TYPE MISSING_FIELD INVALID_SIDE INVALID_PRICE
INVALID_QUANTITY INVALID_TRADER INVALID_ORDER_TYPE INVALID_TIME_IN_FORCE INVALID_CHANNEL
INVALID_INTERVAL INVALID_PARAMETER UNKNOWN_SYMBOL ORDER_NOT_FOUND DUPLICATE_CLIENT_ORDER_ID
POST_ONLY_WOULD_CROSS MARKET_HALTED RISK_LIMIT BOOK_FULL TOO_MANY_SUBSCRIPTIONS
TOO_MANY_CONNECTIONS MESSAGE_TOO_LARGE UNSUPPORTED_FRAME RATE_LIMITED UNAUTHORIZED OVERLOADED
SHUTTING_DOWN INTERNAL_ERROR""".split()
FIELDS = {"place": {"trader_id", "side", "price", "quantity", "symbol", "type", "time_in_force",
                    "post_only", "self_trade_prevention", "client_order_id", "expire_time",
                    "display_quantity", "stop_price"},
          "cancel": {"order_id", "symbol"},
          "amend": {"order_id", "symbol", "price", "quantity", "stop_price"},
          "cancel_all": {"trader_id", "symbol"}}
NO_NUMBER = 9  # for words that no number stands for
NO_INSTRUMENT = 4000000000
FIRST_REQUEST = 1 << 40  # clientOrderIds of requests that enter no order; those of orders are below
NEW, TRADE, CANCELLED, AMENDED = range(4)

UNSAYABLE = {
    "action": "get, open_orders, depth, trades, klines, ticker, state and add have no message",
    "field": "cancel and amend go by order_id alone; other fields have no place in the block",
    "type": "a field of another type: every field has one",
    "number": "a decimal that is no int64 with eight places, an integer below 0 or beyond 64 bits",
    "text": "a trader_id that is empty, ends with NUL or is longer than the field",
    "missing": "side has no null; order_id has none either",
    "word": "self_trade_prevention has two bits, all of them taken",
    "client_order_id": "a client_order_id that no scenario expects to be taken",
}


class Unsayable(Exception):
    """The message cannot say this; the reason is a key of UNSAYABLE."""


def text_of(fields, name, size):
    value = fields.get(name)
    if value is None:
        return bytes(size)
    if not isinstance(value, str) or isinstance(value, Number):
        raise Unsayable("type")
    data = value.encode()
    if not data or data.endswith(b"\0") or len(data) > size:
        raise Unsayable("text")
    return data


def decimal_of(fields, name):
    value = fields.get(name)
    if value is None:
        return NULL
    if not isinstance(value, str):
        raise Unsayable("type")
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", value):
        raise Unsayable("number")
    mantissa = Fraction(value) * ONE
    if mantissa.denominator != 1 or not NULL < mantissa < 1 << 63:
        raise Unsayable("number")
    return int(mantissa)


def integer_of(fields, name, null=None):
    value = fields.get(name)
    if value is None:
        if null is None:
            raise Unsayable("missing")
        return null
    if not isinstance(value, Number):
        raise Unsayable("type")
    number = Decimal(value)
    if not 0 <= number < 1 << 64:
        raise Unsayable("number")
    if number != int(number):
        raise Unsayable("type")
    return int(number)


def word_of(fields, name, words, null=None):
    value = fields.get(name)
    if value is None:
        if null is None:
            raise Unsayable("missing")
        return null
    if not isinstance(value, str) or isinstance(value, Number):
        raise Unsayable("type")
    return words.index(value) if value in words else NO_NUMBER


def print_decimal(mantissa):
    text = f"{Decimal(mantissa) / ONE:f}"
    return Number(text.rstrip("0").rstrip(".") if "." in text else text)


class Beside(JsonRpcDoor):
    """JSON-RPC with another door's feed."""

    def __init__(self, server):
        super().__init__(server)
        self.feed.close()

    def close(self):
        self.rest.close()
        self.rpc.close()

    def do(self, action, fields, trade_count):
        self.turn += 1
        self.told, self.last_order_id = [], None
        return getattr(self, action)(fields, trade_count)


class SbeDoor(Door):
    name = "sbe"

    def __init__(self, server):
        super().__init__(server)
        self.sbe = Sbe(server.sbe)
        self.beside = Beside(server)
        self.beside.feed = self.feed
        self.request = None  # clientOrderId of the request under way
        self.instruments = {}  # name -> id, as the door tells them
        self.client_ids = {}  # of scenarios -> numbers
        self.entered = set()  # orders that came in here
        self.reports = []  # (order_id, trade_id) of fills that were reported, not yet accounted for
        self.answered = None  # the order that this step's own answer was about
        self.said = 0
        self.unsaid = {}

    def close(self):
        super().close()
        self.sbe.close()
        self.beside.close()

    def forgive(self, action, expected, outcome):
        """A Reject has no message; a reply's clientOrderId is the request's, not the order's."""
        expected.pop("message", None)
        if action in ("amend", "cancel") and "client_order_id" not in outcome:
            expected.pop("client_order_id", None)

    def is_enough(self):
        print(f"{self.said} steps said in messages; of the others:")
        for reason, count in sorted(self.unsaid.items()):
            print(f"{count:5} {UNSAYABLE[reason]}")
        return self.said > 250

    # ---- What comes in

    def next_answer(self):
        """The next message that is no later report and no Instrument."""
        while True:
            message = self.sbe.receive()
            kind = type(message).__name__
            if kind == "Instrument":
                self.instruments[message.symbol.rstrip(b"\0").decode()] = message.id
            elif kind == "ExecutionReport" and message.exec_type == TRADE:
                check(message.last_quantity > 0 and message.last_price > 0, f"{message}")
                self.reports.append((str(message.order_id), str(message.trade_id)))
            elif kind != "ExecutionReport" or self.is_answer(message):
                return message

    def is_answer(self, report):
        return report.exec_type == NEW or (
            self.request is not None and report.client_order_id == self.request >= FIRST_REQUEST)

    def sync(self):
        """All that the door had sent before is read."""
        self.request = None
        self.sbe.send("Heartbeat", timestamp=self.turn)
        message = self.next_answer()
        check(type(message).__name__ == "Heartbeat" and message.timestamp == self.turn, f"{message}")

    def ask(self, name, **values):
        """(report, None) or (None, outcome)"""
        self.said += 1
        self.request = values["client_order_id"]
        self.sbe.send(name, **values)
        message = self.next_answer()
        check(message.client_order_id == self.request, f"{message}")
        if type(message).__name__ == "ExecutionReport":
            return message, None
        outcome = {"code": CODES[message.code - 1]}
        text = message.text.rstrip(b"\0").decode()
        if outcome["code"] == "DUPLICATE_CLIENT_ORDER_ID":
            outcome |= {"field": "client_order_id", "order_id": Number(text)}
        elif text != outcome["code"][:16]:
            outcome["field"] = text
        return None, outcome

    def fold(self, report, trade_count):
        order_id = self.last_order_id = self.answered = str(report.order_id)
        self.last_order_id = Number(order_id)
        self.told = self.feed.take(trade_count)
        names = {id_: name for name, id_ in self.instruments.items()}
        body = {"status": STATUSES[report.status], "symbol": names[report.instrument_id],
                "filled_quantity": print_decimal(report.filled_quantity),
                "remaining_quantity": print_decimal(report.remaining_quantity),
                "trades": [fold_trade(one) for one in self.told if is_of(one, self.last_order_id)]}
        if report.reason:
            body["reason"] = REASONS[report.reason]
        return body

    # ---- Steps

    def do(self, action, fields, trade_count):
        self.answered = None
        if action == "place" and "client_order_id" in fields:
            fields = self.number_client_id(fields)
        outcome = super().do(action, fields, trade_count)
        wanted = {(str(trade[f"{side}_order_id"]), str(trade["trade_id"]))
                  for trade in self.told for side in SIDES
                  if str(trade[f"{side}_order_id"]) in self.entered - {self.answered}}
        while not wanted <= set(self.reports):
            self.sync()
        check(len(self.reports) == len(wanted), f"reported {self.reports}, expected {wanted}")
        self.reports.clear()
        return outcome

    def number_client_id(self, fields):
        """Numbers stand for the names of scenarios."""
        name = fields["client_order_id"]
        good = isinstance(name, str) and not isinstance(name, Number) and 0 < len(name) <= 36
        if good and name.isascii():
            self.client_ids.setdefault(name, str(len(self.client_ids) + 1))
            return fields | {"client_order_id": self.client_ids[name]}
        return fields

    def instead(self, reason, action, fields, trade_count):
        """What cannot be said here is said beside it."""
        self.unsaid[reason] = self.unsaid.get(reason, 0) + 1
        if fields.get("client_order_id") in self.client_ids:
            fields = fields | {"client_order_id": self.client_ids[fields["client_order_id"]]}
        outcome = self.beside.do(action, fields, trade_count)
        self.told = self.beside.told
        if self.beside.last_order_id is not None:
            self.last_order_id = self.beside.last_order_id
        if "client_order_id" in outcome:
            outcome["client_order_id"] = self.name_of(outcome["client_order_id"])
        if "client_order_id" in outcome.get("order", ()):
            outcome["order"]["client_order_id"] = self.name_of(outcome["order"]["client_order_id"])
        return outcome

    def name_of(self, number):
        return next((name for name, one in self.client_ids.items() if one == number), number)

    def instrument(self, fields):
        symbol = fields.get("symbol")
        if symbol is None:
            return 0
        if not isinstance(symbol, str) or isinstance(symbol, Number):
            raise Unsayable("type")
        if symbol not in self.instruments:
            self.sync()
        return self.instruments.get(symbol, NO_INSTRUMENT)

    def say(self, action, fields, trade_count):
        try:
            if not set(fields) <= FIELDS[action]:
                raise Unsayable("field")
            return getattr(self, f"say_{action}")(fields, trade_count)
        except Unsayable as reason:
            check(str(reason) in UNSAYABLE, f"{reason}")
            return self.instead(str(reason), action, fields, trade_count)

    def say_place(self, fields, trade_count):
        client_id = fields.get("client_order_id")
        prevention = word_of(fields, "self_trade_prevention", PREVENTIONS, 0)
        post_only = fields.get("post_only", False)
        if client_id is not None and client_id not in self.client_ids.values():
            raise Unsayable("client_order_id")
        if prevention == NO_NUMBER:
            raise Unsayable("word")
        if not isinstance(post_only, bool):
            raise Unsayable("type")
        report, refusal = self.ask(
            "NewOrder", client_order_id=int(client_id or 0),
            trader_id=text_of(fields, "trader_id", 16), instrument_id=self.instrument(fields),
            side=word_of(fields, "side", SIDES), order_type=word_of(fields, "type", TYPES, 0),
            time_in_force=word_of(fields, "time_in_force", TIMES, 0),
            flags=post_only | prevention << 1,
            price=decimal_of(fields, "price"), quantity=decimal_of(fields, "quantity"),
            display_quantity=decimal_of(fields, "display_quantity"),
            stop_price=decimal_of(fields, "stop_price"),
            expire_time=integer_of(fields, "expire_time", 0))
        if refusal:
            return refusal
        check(report.exec_type == NEW, f"{report}")
        self.entered.add(str(report.order_id))
        body = self.fold(report, trade_count)
        if client_id is not None:
            body["client_order_id"] = self.name_of(client_id)
        return body

    def say_amend(self, fields, trade_count):
        report, refusal = self.ask(
            "AmendOrder", client_order_id=FIRST_REQUEST + self.turn,
            order_id=integer_of(fields, "order_id"), instrument_id=self.instrument(fields),
            price=decimal_of(fields, "price"), quantity=decimal_of(fields, "quantity"),
            stop_price=decimal_of(fields, "stop_price"))
        if refusal:
            return refusal
        check(report.exec_type == AMENDED, f"{report}")
        return self.fold(report, trade_count)

    def say_cancel(self, fields, _):
        report, refusal = self.ask(
            "CancelOrder", client_order_id=FIRST_REQUEST + self.turn,
            order_id=integer_of(fields, "order_id"), instrument_id=self.instrument(fields))
        if refusal:
            return refusal
        check(report.exec_type == CANCELLED, f"{report}")
        body = self.fold(report, 0)
        check(body.pop("symbol") and not body.pop("trades"), f"{body}")
        return body

    def say_cancel_all(self, fields, _):
        message, refusal = self.ask_all(fields)
        order_ids = []
        while not refusal and type(message).__name__ == "ExecutionReport":
            check(message.exec_type == CANCELLED and message.client_order_id == self.request and
                  REASONS[message.reason] == "mass_cancel", f"{message}")
            order_ids.append(Number(message.order_id))
            message = self.next_answer()
        return refusal or {"order_ids": order_ids}

    def ask_all(self, fields):
        """A mass cancel's first answer: the Heartbeat, if there are no orders."""
        self.said += 1
        self.request = FIRST_REQUEST + self.turn
        self.sbe.send("MassCancel", client_order_id=self.request,
                      trader_id=text_of(fields, "trader_id", 32),
                      instrument_id=self.instrument(fields))
        message = self.next_answer()
        if type(message).__name__ != "Reject":
            return message, None
        return None, {"code": CODES[message.code - 1], "field": message.text.rstrip(b"\0").decode()}

    def place(self, fields, trade_count):
        return self.say("place", fields, trade_count)

    def amend(self, fields, trade_count):
        return self.say("amend", fields, trade_count)

    def cancel(self, fields, trade_count):
        return self.say("cancel", fields, trade_count)

    def cancel_all(self, fields, trade_count):
        return self.say("cancel_all", fields, trade_count)

    # ---- What the door beside has to tell

    def depth(self, fields, trade_count):
        """The best prices, as the channel has them, against the other door's."""
        outcome = self.instead("action", "depth", fields, trade_count)
        if "code" not in outcome:
            id_ = self.instrument({"symbol": fields.get("symbol", "BTCUSDT")})
            self.sbe.send("Subscribe", instrument_id=id_, channels=2, action=0)
            update = self.next_answer()
            check(type(update).__name__ == "BookUpdate" and update.instrument_id == id_, f"{update}")
            self.sbe.send("Subscribe", instrument_id=id_, channels=2, action=1)
            for side, best, quantity in (("bid", update.best_bid, update.bid_quantity),
                                         ("ask", update.best_ask, update.ask_quantity)):
                price = None if best == NULL else print_decimal(best)
                check(outcome[f"best_{side}"] == price, f"{update} and {outcome}")
                check(price is None or print_decimal(quantity) == outcome[f"{side}s"][0][1] or
                      quantity == (1 << 63) - 1, f"{update} and {outcome}")
        return outcome


for _action in ("get", "open_orders", "trades", "klines", "ticker", "state", "add"):
    setattr(SbeDoor, _action,
            lambda self, fields, count, action=_action: self.instead("action", action, fields, count))
