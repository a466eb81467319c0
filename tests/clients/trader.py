#!/usr/bin/env python3
"""A market maker for mixed_test.mjs: trader.py URL ROUNDS.

Quotes both sides once a round, prints `quoted N`, and goes on when both quotes have been filled. At
the end prints the trades it saw, as one line of JSON.
"""

import asyncio
import json
import sys

from server import DEADLINE_S, skip

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed (Debian: python3-websockets)")


async def make_market(url, rounds):
    trades = []
    async with websockets.connect(url) as socket:
        async def receive(wanted):
            """The messages up to the first one for which wanted(message)."""
            while True:
                message = json.loads(await asyncio.wait_for(socket.recv(), DEADLINE_S))
                if message["type"] == "error":
                    raise RuntimeError(message)
                if message["type"] == "trade":
                    trades.append(message)
                if wanted(message):
                    return message

        async def ask(own, **message):
            await socket.send(json.dumps({**message, "id": own}))
            return await receive(lambda reply: reply.get("id") == own)

        await ask("s", type="subscribe", channels=["trades"], symbols=["BTCUSDT"])
        for number in range(rounds):
            open_ids = set()
            for side, price in (("buy", 100 - number % 3), ("sell", 101 + number % 3)):
                ack = await ask(f"{side}-{number}", type="limit_order", trader_id="maker",
                                side=side, price=price, quantity=2)
                open_ids.add(ack["order_id"])
            print(f"quoted {number}", flush=True)
            left = {order_id: 2 for order_id in open_ids}
            while any(left.values()):
                trade = await receive(lambda message: message["type"] == "trade")
                for order_id in (trade["buy_order_id"], trade["sell_order_id"]):
                    if order_id in left:
                        left[order_id] -= trade["quantity"]
    print(json.dumps(trades), flush=True)


if __name__ == "__main__":
    asyncio.run(make_market(sys.argv[1], int(sys.argv[2])))
