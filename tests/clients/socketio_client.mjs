// The stock socket.io-client in tests: everything that came, by event, and waiting with a deadline.
import assert from "node:assert/strict";
import { withDeadline } from "./server.mjs";

let io;
try {
    ({ io } = await import("socket.io-client"));
} catch {
    console.log("skipped: the npm package socket.io-client is not installed; `make test` installs it");
    process.exit(77);
}

export class SocketClient {
    // address: "127.0.0.1:9092". options: of socket.io-client.
    static async connect(address, options = {}) {
        const client = new SocketClient();
        client.socket = io(`http://${address}/ws/kline`, { forceNew: true, ...options });
        client.waiting = new Set();
        client.messages = new Map(); // event to those that nobody has looked at
        client.socket.onAny((event, message) => {
            if (!client.messages.has(event)) client.messages.set(event, []);
            client.messages.get(event).push(message);
            client.wake();
        });
        for (const event of ["connect", "disconnect"]) client.socket.on(event, () => client.wake());
        const connected = new Promise((resolve, reject) => {
            client.socket.once("connect", resolve);
            client.socket.once("connect_error", reject);
        });
        await withDeadline(connected, "the connection");
        return client;
    }

    wake() {
        for (const look of this.waiting) look();
    }

    // Waits until `look()` returns something other than undefined.
    until(look, what) {
        let watch;
        const found = new Promise((resolve) => {
            watch = () => {
                const result = this.waiting.has(watch) ? look() : undefined;
                if (result === undefined) return;
                this.waiting.delete(watch);
                resolve(result);
            };
            this.waiting.add(watch);
            watch();
        });
        return withDeadline(found, what).finally(() => this.waiting.delete(watch));
    }

    // The next message of an event.
    next(event) {
        return this.until(() => this.messages.get(event)?.shift(), event);
    }

    once(event) {
        return new Promise((resolve) => this.socket.once(event, resolve));
    }

    // Sends, and returns the acknowledgement.
    ask(event, message) {
        return withDeadline(this.socket.emitWithAck(event, message), `the answer to ${event}`);
    }

    // Comes back by itself, to where the server is now.
    async returnsTo(address) {
        this.socket.io.uri = `http://${address}`;
        await this.until(() => this.socket.connected || undefined, "the reconnection");
    }

    // Waits until the session is carried by this transport.
    async carriedBy(transport) {
        const engine = this.socket.io.engine;
        if (engine.transport.name !== transport)
            await withDeadline(new Promise((resolve) => engine.once("upgrade", resolve)), "upgrade");
        assert.equal(engine.transport.name, transport);
    }

    async close() {
        const gone = this.once("disconnect");
        this.socket.disconnect();
        await withDeadline(gone, "the disconnection");
    }
}

// POST of a JSON body that has to be taken.
export async function order(address, path, body) {
    const response = await fetch(`http://${address}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
    });
    const answer = await response.json();
    assert.ok(response.status < 300, JSON.stringify(answer));
    return answer;
}

// Two orders that meet.
export async function trade(address, price, quantity, symbol = "BTCUSDT") {
    for (const [trader_id, side] of [
        ["maker", "buy"],
        ["taker", "sell"],
    ])
        await order(address, "/api/orders", { trader_id, side, price, quantity, symbol });
}
