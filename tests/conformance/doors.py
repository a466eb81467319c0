"""The doors as the scenarios see them: an action with fields goes in, a normalised outcome comes
out.

An outcome is {code, [field, order_id], message}, or what the action is answered with: {status,
filled_quantity, ...}, {order}, {orders}, {order_ids}, {bids, asks, ...}, {trades}, {last, ...},
{state}, {id}.
Whatever else the contract promises of an answer is checked here, on the way.
"""

import http.client
import urllib.parse
from decimal import Decimal

import plain_json
from plain_json import Number
from ws import DEADLINE_S, WebSocket


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def take_time(body, name):
    value = body.pop(name, None)
    check(isinstance(value, Number) and value.isdigit(), f"{name} must be an integer: {value!r}")
    return int(value)


def fold_trade(trade):
    return [f"{trade['buyer']} {trade['buy_order_id']}",
            f"{trade['seller']} {trade['sell_order_id']}",
            trade["price"], trade["quantity"], trade["taker_side"]]


def is_of(trade, order_id):
    return order_id in (trade["buy_order_id"], trade["sell_order_id"])


def finish_instrument(body):
    check(list(body) == ["symbol", "id", "tick_size", "lot_size", "timestamp"], f"{body}")
    take_time(body, "timestamp")
    return body


TRADE_FIELDS = {"trade_id", "symbol", "buyer", "seller", "price", "quantity", "timestamp",
                "buy_order_id", "sell_order_id", "taker_side"}


CANDLE_MEMBERS = ["time", "open", "high", "low", "close", "volume", "is_final", "update_count"]


class Feed:
    """The `trades` channel of every instrument: what the market was told."""

    def __init__(self, address):
        self.ws = WebSocket(address)
        self.ws.send('{"type":"subscribe","channels":["trades"]}')
        self.trades = []
        self.last_ids = {}
        check(self.read()["type"] == "subscribed", "no answer to subscribe")

    def close(self):
        self.ws.socket.close()

    def read(self):
        """The next message that is no trade; trades are kept."""
        while True:
            message = plain_json.loads(self.ws.receive())
            if message["type"] != "trade":
                return message
            self.keep(message)

    def keep(self, message):
        message.pop("type")
        check(set(message) == TRADE_FIELDS, f"a trade's members: {message}")
        trade_id = int(message["trade_id"])
        expected = self.last_ids.get(message["symbol"], trade_id - 1) + 1
        check(trade_id == expected, f"trade {expected} expected, got {message}")
        self.last_ids[message["symbol"]] = trade_id
        self.trades.append(message)

    def take(self, count):
        """The next trades, as they were told."""
        while len(self.trades) < count:
            message = plain_json.loads(self.ws.receive())
            check(message["type"] == "trade", f"a trade expected, got {message}")
            self.keep(message)
        taken, self.trades = self.trades[:count], self.trades[count:]
        return taken


class Rest:
    """HTTP with one connection that is kept alive."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)

    def close(self):
        self.connection.close()

    def call(self, method, path, body=None, query=None):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        headers = {} if body is None else {"Content-Type": "application/json"}
        data = None if body is None else plain_json.dumps(body).encode()
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        check(answer.getheader("Content-Type") == "application/json", f"{answer.headers}")
        return answer.status, plain_json.loads(text)


class Door:
    def __init__(self, server):
        self.feed = Feed(server.websocket)
        self.rest = Rest(server.http)
        self.turn = 0
        self.last_order_id = None  # of the last answer that had one
        self.told = []  # the trades that the feed told in this turn

    def close(self):
        self.feed.close()
        self.rest.close()

    def do(self, action, fields, trade_count):
        """trade_count: how many trades the market should be told of; they come as market_trades."""
        self.turn += 1
        check(not self.feed.trades, f"trades that no step made: {self.feed.trades}")
        self.told = []
        outcome = getattr(self, action)(fields, trade_count)
        if action == "state":
            self.told = self.feed.take(trade_count)
        return outcome | {"market_trades": [fold_trade(trade) for trade in self.told]}

    def forgive(self, action, expected, outcome):
        """Takes out of `expected` what this door does not tell."""

    def is_enough(self):
        """Was there enough that this door itself was asked?"""
        return True

    # What bodies have in common over REST and JSON-RPC, once errors are out of the way.

    def finish_order(self, body, trade_count):
        take_time(body, "latency_us")
        order_id = self.last_order_id = body.pop("order_id")
        self.told = self.feed.take(trade_count)
        own = [trade for trade in self.told if is_of(trade, order_id)]
        check(body["trades"] == own, f"reply and feed differ: {body['trades']} and {own}")
        body["trades"] = [fold_trade(trade) for trade in body["trades"]]
        return body

    @staticmethod
    def finish_cancel(body):
        check(body.pop("success") is True and body.pop("message"), f"{body}")
        take_time(body, "order_id")
        return body

    @staticmethod
    def finish_whole_order(body):
        check(take_time(body, "created") <= take_time(body, "updated"), "created after updated")
        return {"order": body}

    @staticmethod
    def finish_list(body):
        return {"orders": [one["order_id"] for one in body["orders"]]}

    @staticmethod
    def finish_trades(body):
        check(all(set(trade) == TRADE_FIELDS for trade in body["trades"]), f"{body}")
        return {"trades": [fold_trade(trade) for trade in body["trades"]]}

    @staticmethod
    def finish_klines(body):
        check(list(body) == ["klines"], f"{body}")
        for one in body["klines"]:
            check(list(one) == CANDLE_MEMBERS, f"a candle's members: {one}")
        return {"klines": [[one[name] for name in ("open", "high", "low", "close", "volume",
                                                   "update_count")] for one in body["klines"]]}

    @staticmethod
    def finish_ticker(body, fields):
        check(body.pop("symbol") == fields.get("symbol", "BTCUSDT"), "the ticker of another symbol")
        take_time(body, "timestamp")
        return body

    @staticmethod
    def finish_depth(body, fields):
        check(body.pop("symbol") == fields.get("symbol", "BTCUSDT"), "the depth of another symbol")
        take_time(body, "sequence")
        return body


# The status of each code, where the contract leaves no choice.
STATUS = {"ORDER_NOT_FOUND": 404, "UNKNOWN_SYMBOL": 404, "DUPLICATE_CLIENT_ORDER_ID": 409,
          "MARKET_HALTED": 409, "POST_ONLY_WOULD_CROSS": 422}


class HttpDoor(Door):
    name = "http"

    @staticmethod
    def call(rest, method, path, body=None, query=None):
        status, answer = rest.call(method, path, body, query)
        if "code" not in answer:
            check(status == 200, f"{status} {answer}")
            return answer, False
        check(status == STATUS.get(answer["code"], 400), f"{status} for {answer}")
        answer["message"] = answer.pop("error")
        return answer, True

    @staticmethod
    def set_state(rest, fields):
        body = dict(fields)
        return HttpDoor.call(rest, "PATCH", f"/api/symbols/{body.pop('symbol')}", body)[0]

    @staticmethod
    def add_symbol(rest, fields):
        status, answer = rest.call("POST", "/api/symbols", fields)
        if "code" not in answer:
            check(status == 200, f"{status} {answer}")
            return finish_instrument(answer)
        answer["message"] = answer.pop("error")
        taken = "another instrument" in answer["message"] or "exists" in answer["message"]
        check(status == (409 if taken else 400), f"{status} for {answer}")
        return answer

    def ask(self, method, path, body=None, query=None):
        return self.call(self.rest, method, path, body, query)

    def place(self, fields, trade_count):
        body, failed = self.ask("POST", "/api/orders", fields)
        return body if failed else self.finish_order(body, trade_count)

    def amend(self, fields, trade_count):
        rest = dict(fields)
        body, failed = self.ask("PATCH", f"/api/orders/{rest.pop('order_id')}", rest)
        return body if failed else self.finish_order(body, trade_count)

    def cancel(self, fields, _):
        """By the path where that can say it, every other time. (An id that none can be is refused
        in the path before anything else is looked at.)"""
        order_id = fields.get("order_id")
        in_path = (isinstance(order_id, Number) and order_id.isdigit() and order_id != "0" and
                   set(fields) <= {"order_id", "trader_id", "symbol"} and self.turn % 2)
        if in_path:
            rest = {name: value for name, value in fields.items() if name != "order_id"}
            body, failed = self.ask("DELETE", f"/api/orders/{order_id}", query=rest)
        else:
            body, failed = self.ask("POST", "/api/orders/cancel", fields)
        return body if failed else self.finish_cancel(body)

    def cancel_all(self, fields, _):
        return self.ask("DELETE", "/api/orders", query=fields)[0]

    def get(self, fields, _):
        rest = dict(fields)
        body, failed = self.ask("GET", f"/api/orders/{rest.pop('order_id')}", query=rest)
        return body if failed else self.finish_whole_order(body)

    def list(self, fields, _):
        body, failed = self.ask("GET", "/api/orders", query=fields)
        return body if failed else self.finish_list(body)

    def open_orders(self, fields, _):
        return self.list(fields | {"status": "working"}, 0)

    def depth(self, fields, _):
        body, failed = self.ask("GET", "/api/market/depth", query=fields)
        return body if failed else self.finish_depth(body, fields)

    def trades(self, fields, _):
        body, failed = self.ask("GET", "/api/market/trades", query=fields)
        return body if failed else self.finish_trades(body)

    def klines(self, fields, _):
        body, failed = self.ask("GET", "/api/market/klines", query=fields)
        return body if failed else self.finish_klines(body)

    def ticker(self, fields, _):
        body, failed = self.ask("GET", "/api/market/ticker", query=fields)
        return body if failed else self.finish_ticker(body, fields)

    def state(self, fields, _):
        return self.set_state(self.rest, fields)

    def add(self, fields, _):
        return self.add_symbol(self.rest, fields)


REFUSED_BY_ENGINE = {"ORDER_NOT_FOUND", "DUPLICATE_CLIENT_ORDER_ID", "POST_ONLY_WOULD_CROSS",
                     "MARKET_HALTED", "BOOK_FULL"}
BAD_PARAMETERS = {"INVALID_MESSAGE", "MISSING_FIELD", "INVALID_SIDE", "INVALID_TRADER",
                  "INVALID_ORDER_TYPE", "INVALID_TIME_IN_FORCE"}


class JsonRpcDoor(Door):
    name = "jsonrpc"

    def __init__(self, server):
        super().__init__(server)
        self.rpc = Rest(server.jsonrpc)

    def close(self):
        super().close()
        self.rpc.close()

    def ask(self, method, params):
        id_ = Number(self.turn) if self.turn % 2 else f"call-{self.turn}"
        status, answer = self.rpc.call(
            "POST", "/", {"jsonrpc": "2.0", "method": method, "params": params, "id": id_})
        check(status == 200 and answer["jsonrpc"] == "2.0" and answer["id"] == id_, f"{answer}")
        check(len(answer) == 3, f"result or error, not both: {answer}")
        if "error" not in answer:
            return answer["result"], False
        error = answer["error"]
        outcome = error["data"] | {"message": error["message"]}
        number = int(error["code"])
        check(number in (-32000, -32602), f"{error}")
        check(number == -32000 or outcome["code"] not in REFUSED_BY_ENGINE, f"{error}")
        check(number == -32602 or outcome["code"] not in BAD_PARAMETERS, f"{error}")
        return outcome, True

    def place(self, fields, trade_count):
        kind = fields.get("type", "limit")
        rest = {name: value for name, value in fields.items() if name != "type"}
        if kind in ("limit", "market") and self.turn % 3:
            body, failed = self.ask(f"place_{kind}_order", rest)
        else:
            body, failed = self.ask("place_order", fields)
        return body if failed else self.finish_order(body, trade_count)

    def amend(self, fields, trade_count):
        body, failed = self.ask("amend_order", fields)
        return body if failed else self.finish_order(body, trade_count)

    def cancel(self, fields, _):
        body, failed = self.ask("cancel_order", fields)
        return body if failed else self.finish_cancel(body)

    def cancel_all(self, fields, _):
        return self.ask("cancel_all_orders", fields)[0]

    def get(self, fields, _):
        body, failed = self.ask("get_order", fields)
        return body if failed else self.finish_whole_order(body)

    def open_orders(self, fields, _):
        body, failed = self.ask("get_open_orders", fields)
        return body if failed else self.finish_list(body)

    def depth(self, fields, _):
        body, failed = self.ask("get_depth", fields)
        if failed:
            return body
        status, failed = self.ask("get_book_status", {"symbol": body["symbol"]})
        best = ("best_bid", "best_ask", "spread")
        check(not failed and [status[one] for one in best] == [body[one] for one in best],
              f"{status}")
        return self.finish_depth(body, fields)

    def trades(self, fields, _):
        body, failed = self.ask("get_trades", fields)
        return body if failed else self.finish_trades(body)

    def klines(self, fields, _):
        body, failed = self.ask("get_klines", fields)
        return body if failed else self.finish_klines(body)

    def ticker(self, fields, _):
        body, failed = self.ask("get_ticker", fields)
        return body if failed else self.finish_ticker(body, fields)

    def state(self, fields, _):
        return self.ask("set_symbol_state", fields)[0]

    def add(self, fields, _):
        body, failed = self.ask("add_symbol", fields)
        return body if failed else finish_instrument(body)


class WebSocketDoor(Door):
    """Everything, the trades too, on one connection."""

    name = "websocket"

    def ask(self, type_, fields, answers):
        id_ = Number(self.turn) if self.turn % 2 else f"message {self.turn}"
        self.feed.ws.send(plain_json.dumps({"type": type_, "id": id_} | fields))
        body = self.feed.read()
        while body.get("id") != id_ and body["type"] in ("book_update", "depth_update", "ticker"):
            body = self.feed.read()
        check(body.pop("id", None) == id_, f"the answer to {id_} expected, got {body}")
        kind = body.pop("type")
        check(kind in ("error", answers), f"{kind} {body}")
        return body, kind == "error"

    def finish_ack(self, body, trade_count):
        check(not self.feed.trades, f"trades before their order_ack: {self.feed.trades}")
        order_id = self.last_order_id = body.pop("order_id")
        take_time(body, "latency_us")
        self.told = self.feed.take(trade_count)
        own = [trade for trade in self.told if is_of(trade, order_id)]
        return body | {"trades": [fold_trade(trade) for trade in own]}

    def place(self, fields, trade_count):
        kind = {"market": "market_order", "stop": "stop_order", "stop_limit": "stop_order"}.get(
            fields.get("type"), "limit_order")
        rest = {name: value for name, value in fields.items() if name != "type"}
        body, failed = self.ask(kind, rest, "order_ack")
        return body if failed else self.finish_ack(body, trade_count)

    def amend(self, fields, trade_count):
        body, failed = self.ask("amend_order", fields, "order_ack")
        return body if failed else self.finish_ack(body, trade_count)

    def cancel(self, fields, _):
        body, failed = self.ask("cancel_order", fields, "order_ack")
        if not failed:
            body = self.finish_ack(body, 0)
            check(body.pop("symbol") and not body.pop("trades"), f"{body}")
        return body

    def cancel_all(self, fields, _):
        return self.ask("cancel_all", fields, "cancel_all_ack")[0]

    def get(self, fields, _):
        body, failed = self.ask("get_order", fields, "order_update")
        if not failed:
            take_time(body, "timestamp")
        return body if failed else self.finish_whole_order(body)

    def subscribe(self, channel, fields, wanted):
        """One message of this type, by subscribing for a moment."""
        rest = {name: value for name, value in fields.items() if name == "trader_id"}
        rest["symbols"] = [fields.get("symbol", "BTCUSDT")]
        self.ask("subscribe", rest | {"channels": [channel]}, "subscribed")
        body = self.feed.read()
        check(body.pop("type") == wanted, f"{wanted} expected, got {body}")
        self.ask("unsubscribe", rest | {"channels": [channel]}, "unsubscribed")
        return body

    def open_orders(self, fields, _):
        """orders_snapshot: each instrument's in turn, or all at once."""
        if "symbol" not in fields:
            self.ask("subscribe", {"channels": ["orders"], "trader_id": fields["trader_id"]},
                     "subscribed")
            body = self.feed.read()
            check(body["type"] == "orders_snapshot", f"{body}")
            self.ask("unsubscribe", {"channels": ["orders"]}, "unsubscribed")
            orders = self.finish_list(body)["orders"]
            return {"orders": sorted(orders, key=int)}  # they come as the shards answer
        return self.finish_list(self.subscribe("orders", fields, "orders_snapshot"))

    def depth(self, fields, _):
        body = self.subscribe("depth", fields, "depth_snapshot")
        best = self.subscribe("book", fields, "book_update")
        levels = int(fields.get("levels", 20))
        self.finish_depth(body, fields)
        crossed = all(body[side] for side in ("bids", "asks")) and \
            Decimal(body["bids"][0][0]) >= Decimal(body["asks"][0][0])
        for side, name in (("bids", "bid"), ("asks", "ask")):
            first = body[side][0] if body[side] and not crossed else [None, Number("0")]
            check([best[f"best_{name}"], best[f"{name}_quantity"]] == first, f"{best} and {body}")
            body[side] = body[side][:levels]
        return body | {one: best[one] for one in ("best_bid", "best_ask", "spread")}

    def ticker(self, fields, _):
        return self.finish_ticker(self.subscribe("ticker", fields, "ticker"), fields)

    def state(self, fields, _):
        """Administration is not for this door; REST's does it."""
        return HttpDoor.set_state(self.rest, fields)

    def add(self, fields, _):
        return HttpDoor.add_symbol(self.rest, fields)

    def trades(self, fields, _):
        raise NotImplementedError

    list = trades


DOORS = {door.name: door for door in (WebSocketDoor, HttpDoor, JsonRpcDoor)}
