// A WebSocket client of tests: everything that came, in order, and waiting with a deadline.
import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { withDeadline } from "./server.mjs";

let WebSocket;
try {
    ({ WebSocket } = await import("ws"));
} catch {
    console.log("skipped: the npm package ws is not installed; `make test` installs it");
    process.exit(77);
}
export { WebSocket };

export class Client {
    // address: "127.0.0.1:9090". options: of the package ws; path beside them.
    static async connect(address, { path = "/ws", ...options } = {}) {
        const client = new Client();
        client.socket = new WebSocket(`ws://${address}${path}`, options);
        client.messages = []; // all that came
        client.frames = []; // { isBinary, length (as sent, without permessage-deflate), count }
        client.position = 0; // of the next one that nobody has looked at
        client.waiting = new Set();
        client.nextId = 1;
        client.closed = new Promise((resolve) => {
            client.socket.once("close", (code, reason) => {
                client.isClosed = true;
                client.wake();
                resolve({ code, reason: reason.toString() });
            });
        });
        client.socket.on("message", (data, isBinary) => {
            client.take(data, isBinary);
            client.wake();
        });
        const opened = new Promise((resolve, reject) => {
            client.socket.once("open", resolve);
            client.socket.once("error", reject);
        });
        await withDeadline(opened, "the connection");
        client.socket.on("error", () => {}); // tells itself by the close that follows
        return client;
    }

    // A frame: one message, or several in lines; a binary one holds the gzip of that.
    take(data, isBinary) {
        const lines = (isBinary ? gunzipSync(data) : data).toString().split("\n");
        this.frames.push({ isBinary, length: data.length, count: lines.length });
        this.messages.push(...lines.map((line) => JSON.parse(line)));
    }

    wake() {
        for (const look of this.waiting) look();
    }

    // Waits until `look()` returns something other than undefined.
    until(look, what) {
        let watch;
        const found = new Promise((resolve, reject) => {
            watch = () => {
                try {
                    if (!this.waiting.has(watch)) return; // it has what it waited for
                    const result = look();
                    if (result === undefined && !this.isClosed) return;
                    this.waiting.delete(watch);
                    if (result !== undefined) resolve(result);
                    else reject(new Error(`${what}: the connection was closed`));
                } catch (error) {
                    reject(error);
                }
            };
            this.waiting.add(watch);
            watch();
        });
        return withDeadline(found, what).finally(() => this.waiting.delete(watch));
    }

    send(message) {
        this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
    }

    // The next message in order, whatever it is.
    next() {
        return this.until(
            () =>
                this.position < this.messages.length ? this.messages[this.position++] : undefined,
            "the next message",
        );
    }

    // The next message in order of this type; what stands before it is passed over.
    async nextOf(type) {
        for (;;) {
            const message = await this.next();
            if (message.type === type) return message;
        }
    }

    // Sends with an id of its own and returns the reply. Leaves the order of next() alone.
    async request(message) {
        const id = `request-${this.nextId++}`;
        this.send({ ...message, id });
        return this.until(
            () => this.messages.find((one) => one.id === id),
            `the reply to ${message.type}`,
        );
    }

    // The same, and the reply has to be of this type.
    async ask(type, message) {
        const reply = await this.request(message);
        assert.equal(reply.type, type, JSON.stringify(reply));
        return reply;
    }

    limit(trader_id, side, price, quantity, more = {}) {
        return this.ask("order_ack", {
            type: "limit_order",
            trader_id,
            side,
            price,
            quantity,
            ...more,
        });
    }

    subscribe(channels, more = {}) {
        return this.ask("subscribed", { type: "subscribe", channels, ...more });
    }

    // All messages of this type that came up to now.
    all(type) {
        return this.messages.filter((message) => message.type === type);
    }

    async close() {
        this.socket.close();
        return withDeadline(this.closed, "the connection's end");
    }
}

// GET of a JSON answer; any status.
export async function get(address, path) {
    const response = await fetch(`http://${address}${path}`, {
        signal: AbortSignal.timeout(30_000),
    });
    return { status: response.status, body: await response.json() };
}

// A depth view made of depth_snapshot and depth_update, checking that the updates form a chain.
export class DepthView {
    constructor(snapshot) {
        this.sequence = snapshot.sequence;
        this.bids = new Map(snapshot.bids);
        this.asks = new Map(snapshot.asks);
    }

    apply(update) {
        assert.equal(
            update.prev_sequence,
            this.sequence,
            "each update starts where the last one ended",
        );
        assert.ok(update.sequence > update.prev_sequence);
        this.sequence = update.sequence;
        for (const side of ["bids", "asks"]) {
            for (const [price, quantity] of update[side]) {
                if (quantity === 0) this[side].delete(price);
                else this[side].set(price, quantity);
            }
        }
    }

    // [[price, quantity], …] from the best one.
    levels(side) {
        const up = side === "asks" ? 1 : -1;
        return [...this[side]].sort(([a], [b]) => up * (a - b));
    }
}
