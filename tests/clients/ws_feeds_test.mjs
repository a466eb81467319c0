// The package `ws` of npm against the WebSocket door: what subscribers see, and many of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, DepthView, get } from "./client.mjs";
import { DEADLINE_MS, withServer } from "./server.mjs";

const options = { timeout: 4 * DEADLINE_MS };

// count connections to a server of its own; body(clients, server).
function conversation(name, count, body, { shards = 1, config = "" } = {}) {
    test(name, options, () =>
        withServer({ shards, config }, async (server) => {
            const clients = [];
            for (let i = 0; i < count; i++) clients.push(await Client.connect(server.websocket));
            await body(clients, server);
            await Promise.all(clients.map((client) => client.close()));
        }),
    );
}

// The same numbers on every run.
function randoms(seed) {
    let state = seed;
    return (below) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return (state >>> 8) % below;
    };
}

conversation(
    "book tells the best prices at once, then each change",
    2,
    async ([watcher, trader]) => {
        const subscribed = await watcher.subscribe(["book"], { symbols: ["BTCUSDT"] });
        assert.deepEqual(subscribed.channels, ["book"]);
        const seen = async () => {
            const { type, symbol, best_bid, best_ask, spread, bid_quantity, ask_quantity } =
                await watcher.nextOf("book_update");
            assert.equal(symbol, "BTCUSDT");
            return [best_bid, bid_quantity, best_ask, ask_quantity, spread];
        };
        const [bid, , ask, , spread] = await seen();
        assert.deepEqual([bid, ask, spread], [null, null, null]);
        await trader.limit("alice", "buy", 99.5, 2);
        assert.deepEqual((await seen()).slice(0, 3), [99.5, 2, null]);
        await trader.limit("alice", "sell", 100.25, 1);
        assert.deepEqual(await seen(), [99.5, 2, 100.25, 1, 0.75]);
        await trader.limit("alice", "buy", 99, 7); // behind the best: nobody hears of it
        await trader.limit("bob", "sell", 99.5, 0.5);
        assert.deepEqual(await seen(), [99.5, 1.5, 100.25, 1, 0.75]);
    },
);

conversation(
    "depth starts with a snapshot, and its updates lead to what REST says",
    3,
    async ([early, late, trader], server) => {
        const random = randoms(20121);
        const book = [];
        const act = async () => {
            const symbol = "ETHUSDT";
            if (book.length > 20 && random(3) === 0) {
                const order_id = book.splice(random(book.length), 1)[0];
                await trader.request({ type: "cancel_order", order_id });
            } else {
                const side = random(2) ? "buy" : "sell";
                const price = (side === "buy" ? 9990 : 10000) + random(20);
                const ack = await trader.limit("alice", side, price / 100, 1 + random(30), {
                    symbol,
                });
                if (ack.status === "open" || ack.status === "partial") book.push(ack.order_id);
            }
        };
        const follow = async (client) => {
            await client.subscribe(["depth"], { symbols: ["ETHUSDT"] });
            return new DepthView(await client.nextOf("depth_snapshot"));
        };
        for (let i = 0; i < 30; i++) await act();
        const views = [[early, await follow(early)]];
        for (let i = 0; i < 200; i++) await act();
        views.push([late, await follow(late)]);
        for (let i = 0; i < 200; i++) await act();

        const { body: rest } = await get(
            server.http,
            "/api/market/depth?symbol=ETHUSDT&levels=1000",
        );
        for (const [client, view] of views) {
            while (view.sequence < rest.sequence) view.apply(await client.nextOf("depth_update"));
            assert.equal(view.sequence, rest.sequence);
            for (const side of ["bids", "asks"]) {
                assert.deepEqual(
                    view.levels(side),
                    rest[side].map(([price, quantity]) => [price, quantity]),
                );
            }
        }
        assert.ok(rest.bids.length > 3 && rest.asks.length > 3, "the book was worth comparing");
    },
    { shards: 2 },
);

conversation(
    "orders tells a trader of all that happens to the trader's orders",
    2,
    async ([watcher, trader]) => {
        const resting = await trader.limit("alice", "sell", 100, 3, { client_order_id: "first" });
        await watcher.subscribe(["orders"], { trader_id: "alice" });
        const snapshot = await watcher.nextOf("orders_snapshot");
        assert.deepEqual(
            snapshot.orders.map(({ order_id, client_order_id, status }) => [
                order_id,
                client_order_id,
                status,
            ]),
            [[resting.order_id, "first", "open"]],
        );
        const update = async () => {
            const {
                order_id,
                status,
                filled_quantity,
                last_price,
                last_quantity,
                trade_id,
                reason,
            } = await watcher.nextOf("order_update");
            return {
                order_id,
                status,
                filled_quantity,
                last_price,
                last_quantity,
                trade_id,
                reason,
            };
        };

        await trader.limit("bob", "buy", 100, 1); // bob's own order is nothing to alice
        const fill = { last_price: 100, reason: undefined, order_id: resting.order_id };
        assert.deepEqual(await update(), {
            ...fill,
            status: "partial",
            filled_quantity: 1,
            last_quantity: 1,
            trade_id: 1,
        });
        const added = await trader.limit("alice", "buy", 90, 1);
        assert.equal((await update()).order_id, added.order_id);
        await trader.ask("order_ack", { type: "amend_order", order_id: added.order_id, price: 91 });
        assert.deepEqual(
            [(await update()).order_id, watcher.messages.at(-1).price],
            [added.order_id, 91],
        );
        await trader.ask("order_ack", { type: "cancel_order", order_id: added.order_id });
        assert.deepEqual(await update(), {
            order_id: added.order_id,
            status: "cancelled",
            filled_quantity: 0,
            last_price: undefined,
            last_quantity: undefined,
            trade_id: undefined,
            reason: "user",
        });
        await trader.limit("bob", "buy", 100, 2);
        assert.deepEqual(await update(), {
            ...fill,
            status: "filled",
            filled_quantity: 3,
            last_quantity: 2,
            trade_id: 2,
        });
    },
);

conversation("unsubscribe ends what it names and nothing else", 2, async ([watcher, trader]) => {
    await watcher.subscribe(["trades", "book"], { symbols: ["BTCUSDT"] });
    const both = await watcher.subscribe(["depth"], { symbols: ["BTCUSDT"] });
    assert.deepEqual([...both.channels].sort(), ["book", "depth", "trades"]);
    const gone = await watcher.ask("unsubscribed", {
        type: "unsubscribe",
        channels: ["trades", "depth"],
    });
    assert.deepEqual([...gone.channels].sort(), ["depth", "trades"]);
    watcher.position = watcher.messages.length;
    await trader.limit("alice", "sell", 100, 1);
    await trader.limit("bob", "buy", 100, 1);
    await watcher.until(
        () => watcher.messages.at(-1).best_ask === null || undefined,
        "the book to be empty again",
    );
    await watcher.ask("pong", { type: "ping" });
    const heard = new Set(watcher.messages.slice(watcher.position).map(({ type }) => type));
    assert.deepEqual([...heard].sort(), ["book_update", "pong"]);
});

conversation(
    "a subscription names its instruments, without names it means all",
    2,
    async ([watcher, trader]) => {
        await watcher.subscribe(["trades"], { symbols: ["ETHUSDT"] });
        for (const symbol of ["BTCUSDT", "ETHUSDT"]) {
            await trader.limit("alice", "sell", 100, 1, { symbol });
            await trader.limit("bob", "buy", 100, 1, { symbol });
        }
        assert.equal((await watcher.nextOf("trade")).symbol, "ETHUSDT");
        await watcher.subscribe(["trades"]);
        await trader.limit("alice", "sell", 100, 1, { symbol: "SOLUSDT" });
        await trader.limit("bob", "buy", 100, 1, { symbol: "SOLUSDT" });
        assert.equal((await watcher.nextOf("trade")).symbol, "SOLUSDT");
    },
    { shards: 2 },
);

conversation(
    "fifty clients trade at once and all see the same trades",
    50,
    async (clients, server) => {
        const orders = 20;
        const random = randoms(4711);
        await Promise.all(
            clients.map((client) => client.subscribe(["trades"], { symbols: ["BTCUSDT"] })),
        );
        const acks = await Promise.all(
            clients.flatMap((client, i) =>
                Array.from({ length: orders }, () =>
                    client.limit(
                        `trader-${i}`,
                        random(2) ? "buy" : "sell",
                        100 + random(5),
                        1 + random(5),
                    ),
                ),
            ),
        );
        assert.equal(new Set(acks.map(({ order_id }) => order_id)).size, clients.length * orders);
        const { body } = await get(server.http, "/api/market/trades?limit=1000");
        const ids = body.trades.map(({ trade_id }) => trade_id);
        assert.deepEqual(
            ids,
            ids.map((_, i) => i + 1),
            "without gaps",
        );
        for (const client of clients) {
            await client.until(
                () => client.all("trade").length >= ids.length || undefined,
                "all trades",
            );
            assert.deepEqual(
                client.all("trade").map(({ type, ...trade }) => trade),
                body.trades,
            );
        }
    },
);

// Connections with these options of the package ws; the last one trades. Each of the others sees the
// same, whatever form it comes in.
async function watchInEveryForm(server, forms) {
    const watchers = [];
    for (const [connection, subscription] of forms) {
        const client = await Client.connect(server.websocket, connection);
        await client.subscribe(["trades", "depth"], { symbols: ["BTCUSDT"], ...subscription });
        watchers.push(client);
    }
    const trader = await Client.connect(server.websocket, { perMessageDeflate: false });
    await Promise.all(
        Array.from({ length: 300 }, (_, i) => trader.limit("alice", "sell", 1000 + i, 1 + (i % 7))),
    );
    await Promise.all(Array.from({ length: 80 }, (_, i) => trader.limit("bob", "buy", 5000, 2)));
    const { body } = await get(server.http, "/api/market/trades?limit=1000");
    const depth = await get(server.http, "/api/market/depth?symbol=BTCUSDT&levels=1000");
    for (const watcher of watchers) {
        const view = new DepthView(await watcher.nextOf("depth_snapshot"));
        while (view.sequence < depth.body.sequence) view.apply(await watcher.nextOf("depth_update"));
        assert.deepEqual(
            view.levels("asks"),
            depth.body.asks.map(([price, quantity]) => [price, quantity]),
        );
        await watcher.until(
            () => watcher.all("trade").length >= body.trades.length || undefined,
            "all trades",
        );
        assert.deepEqual(
            watcher.all("trade").map(({ type, ...trade }) => trade),
            body.trades,
        );
    }
    const late = [];
    for (const [connection, subscription] of forms) {
        const client = await Client.connect(server.websocket, connection);
        await client.subscribe(["depth"], { symbols: ["BTCUSDT"], ...subscription });
        const snapshot = await client.nextOf("depth_snapshot");
        assert.deepEqual(new DepthView(snapshot).levels("asks").length, depth.body.asks.length);
        late.push(client);
    }
    await Promise.all([trader, ...watchers].map((client) => client.close()));
    return { watchers, late };
}

const small = "[websocket]\nmessage_batch_size = 20\nmessage_batch_timeout_ms = 20\n";

conversation(
    "batches and gzip hold the same messages",
    0,
    async (_, server) => {
        const plain = { perMessageDeflate: false };
        const { watchers, late } = await watchInEveryForm(server, [
            [plain, {}],
            [plain, { batch: true }],
            [plain, { compression: "gzip" }],
            [plain, { batch: true, compression: "gzip" }],
            [{ perMessageDeflate: true }, { batch: true, compression: "gzip" }],
        ]);
        const most = watchers.map(({ frames }) => Math.max(...frames.map(({ count }) => count)));
        assert.deepEqual([most[0], most[2]], [1, 1]);
        for (const i of [1, 3, 4]) assert.ok(most[i] > 1 && most[i] <= 20, `${most[i]}`);
        const isGzip = late.map(({ frames }) => frames.some(({ isBinary }) => isBinary));
        assert.deepEqual(isGzip, [false, false, true, true, true]);
        const [long, , short] = late.map(({ frames }) => Math.max(...frames.map((f) => f.length)));
        assert.ok(long > 1024 && short < long / 2, `${short} of ${long} bytes`);
        await Promise.all(late.map((client) => client.close()));
    },
    { config: small },
);

conversation(
    "permessage-deflate with the options that the package has",
    0,
    async (_, server) => {
        const options = [
            true,
            { threshold: 0 },
            { serverNoContextTakeover: true, clientNoContextTakeover: true },
            { serverMaxWindowBits: 9 },
            { clientMaxWindowBits: 10 },
            { serverMaxWindowBits: 12, clientMaxWindowBits: 12, threshold: 0 },
        ];
        const { late } = await watchInEveryForm(
            server,
            options.map((perMessageDeflate) => [{ perMessageDeflate }, { batch: true }]),
        );
        for (const [i, client] of late.entries()) {
            assert.equal(client.socket.extensions, "permessage-deflate");
            const length = client.frames.reduce((sum, frame) => sum + frame.length, 0);
            const read = client.socket._socket.bytesRead; // with the handshake's answer
            assert.equal(read < length, i !== 3, `${read} bytes for ${length}`);
            await client.ask("pong", { type: "ping", padding: "x".repeat(5000) });
            const { code } = await client.ask("error", { type: "é".repeat(2000) });
            assert.equal(code, "UNKNOWN_TYPE");
        }
        await Promise.all(late.map((client) => client.close()));
    },
    { config: small },
);

conversation(
    "permessage-deflate can be switched off",
    1,
    async ([client]) => {
        assert.equal(client.socket.extensions, "");
        await client.ask("pong", { type: "ping" });
    },
    { config: "[websocket]\npermessage_deflate = false\n" },
);

conversation(
    "a message that grows beyond the limit ends the connection",
    0,
    async (_, server) => {
        const perMessageDeflate = { threshold: 0 };
        const good = await Client.connect(server.websocket, { perMessageDeflate });
        const bad = await Client.connect(server.websocket, { perMessageDeflate });
        bad.socket.send("0".repeat(10_000_000)); // ten kilobytes on the way
        assert.deepEqual(await bad.closed, { code: 1009, reason: "message too large" });
        await good.ask("pong", { type: "ping", padding: "0".repeat(60_000) });
        await good.close();
    },
);

conversation(
    "what a client may subscribe to is limited",
    1,
    async ([client]) => {
        const error = await client.ask("error", {
            type: "subscribe",
            channels: ["trades", "book"],
        });
        assert.equal(error.code, "TOO_MANY_SUBSCRIPTIONS");
        await client.ask("subscribed", {
            type: "subscribe",
            channels: ["trades"],
            symbols: ["BTCUSDT"],
        });
    },
    { config: "[websocket]\nmax_subscriptions_per_client = 4\n" },
);
