#!/usr/bin/env python3
"""The small client of ../ws_client.c in Python: subscribes to the trades, lets alice sell to bob,
prints what comes.

    python3 ws_client.py [URL]        (ws://127.0.0.1:9090/ws)

Needs the package python3-websockets (Debian), or `websockets` from any other source.
"""

import asyncio
import json
import sys

import websockets

# The next message is sent when the last one is answered: the answer carries its id.
CONVERSATION = [
    {"type": "subscribe", "channels": ["trades"], "id": 1},
    {"type": "limit_order", "trader_id": "alice", "side": "sell", "price": 50000,
     "quantity": 0.5, "id": 2},
    {"type": "limit_order", "trader_id": "bob", "side": "buy", "price": 50000,
     "quantity": 0.5, "id": 3},
]


async def talk(url):
    """Holds the conversation. True once the trade was seen."""
    async with websockets.connect(url) as socket:
        waiting = list(CONVERSATION)

        async def send_next():
            if waiting:
                text = json.dumps(waiting.pop(0), separators=(",", ":"))
                print(f"> {text}")
                await socket.send(text)

        await send_next()
        async for text in socket:
            print(f"< {text}")
            message = json.loads(text)
            if message["type"] in ("error", "trade"):
                return message["type"] == "trade"
            if "id" in message:
                await send_next()
    return False


def main():
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:9090/ws"
    try:
        return 0 if asyncio.run(asyncio.wait_for(talk(url), 10)) else 1
    except asyncio.TimeoutError:
        print("ws_client: nothing more came within 10 seconds", file=sys.stderr)
    except (OSError, websockets.WebSocketException) as problem:
        print(f"ws_client: {url}: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
