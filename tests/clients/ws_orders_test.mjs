// The package `ws` of npm against the WebSocket door: orders, errors, the protocol itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, get, WebSocket } from "./client.mjs";
import { DEADLINE_MS, startServer, withDeadline, withServer } from "./server.mjs";

const options = { timeout: 4 * DEADLINE_MS };

// Opens a connection to a server of its own; body(client, server).
function conversation(name, body, { shards = 1, config = "" } = {}) {
    test(name, options, () =>
        withServer({ shards, config }, async (server) => {
            const client = await Client.connect(server.websocket);
            await body(client, server);
            await client.close();
        }),
    );
}

conversation("an order is acknowledged with all that is known of it", async (client) => {
    client.send({
        type: "limit_order",
        trader_id: "alice",
        side: "sell",
        price: 50000,
        quantity: 0.5,
        id: 7,
    });
    const { latency_us, ...ack } = await client.next();
    assert.ok(Number.isInteger(latency_us) && latency_us >= 0);
    assert.deepEqual(ack, {
        type: "order_ack",
        order_id: 1,
        status: "open",
        symbol: "BTCUSDT",
        filled_quantity: 0,
        remaining_quantity: 0.5,
        id: 7,
    });

    const named = await client.limit("bob", "buy", "49999.99", "1.0000", {
        client_order_id: "b 1",
        symbol: "ETHUSDT",
    });
    assert.equal(named.client_order_id, "b 1");
    assert.equal(named.symbol, "ETHUSDT");

    client.position = client.messages.length;
    client.send({ type: "limit_order", trader_id: "bob", side: "buy", price: 1e3, quantity: 1 });
    assert.ok(!("id" in (await client.nextOf("order_ack"))), "no id was sent, so none comes back");
});

conversation(
    "the ack of an order comes before its trades, and those are in order",
    async (client) => {
        await client.subscribe(["trades"], { symbols: ["BTCUSDT"] });
        for (const [price, quantity] of [
            [101, 1],
            [100, 2],
            [100, 3],
        ])
            await client.limit("alice", "sell", price, quantity);
        client.position = client.messages.length;
        client.send({
            type: "limit_order",
            trader_id: "bob",
            side: "buy",
            price: 101,
            quantity: 5.5,
            id: "sweep",
        });

        const ack = await client.next();
        assert.equal(ack.type, "order_ack");
        assert.equal(ack.status, "filled");
        assert.equal(ack.filled_quantity, 5.5);
        const trades = [await client.next(), await client.next(), await client.next()];
        assert.deepEqual(
            trades.map(({ type, trade_id, price, quantity, sell_order_id }) => [
                type,
                trade_id,
                price,
                quantity,
                sell_order_id,
            ]),
            [
                ["trade", 1, 100, 2, 2],
                ["trade", 2, 100, 3, 3],
                ["trade", 3, 101, 0.5, 1],
            ],
        );
        const { timestamp, ...first } = trades[0];
        assert.ok(Math.abs(timestamp - Date.now()) < 60_000, "Unix milliseconds");
        assert.deepEqual(first, {
            type: "trade",
            trade_id: 1,
            symbol: "BTCUSDT",
            buyer: "bob",
            seller: "alice",
            price: 100,
            quantity: 2,
            buy_order_id: ack.order_id,
            sell_order_id: 2,
            taker_side: "buy",
        });
    },
);

conversation("market, IOC, FOK and post_only end as the rules say", async (client) => {
    const nothing = await client.ask("order_ack", {
        type: "market_order",
        trader_id: "bob",
        side: "buy",
        quantity: 1,
    });
    assert.deepEqual([nothing.status, nothing.reason], ["cancelled", "no_liquidity"]);
    await client.limit("alice", "sell", 100, 1);
    const killed = await client.limit("bob", "buy", 100, 2, { time_in_force: "FOK" });
    assert.deepEqual(
        [killed.status, killed.reason, killed.filled_quantity],
        ["cancelled", "fok", 0],
    );
    const refused = await client.request({
        type: "limit_order",
        trader_id: "bob",
        side: "buy",
        price: 100,
        quantity: 1,
        post_only: true,
    });
    assert.deepEqual([refused.type, refused.code], ["error", "POST_ONLY_WOULD_CROSS"]);
    const ioc = await client.limit("bob", "buy", 100, 3, { time_in_force: "IOC" });
    assert.deepEqual(
        [ioc.status, ioc.reason, ioc.filled_quantity, ioc.remaining_quantity],
        ["cancelled", "ioc", 1, 2],
    );
    const resting = await client.limit("bob", "buy", 99, 1, { post_only: true });
    assert.equal(resting.status, "open");
});

conversation("orders are cancelled by either id, by their owner, once", async (client) => {
    const { order_id } = await client.limit("alice", "buy", 100, 1);
    await client.limit("alice", "buy", 100, 2, { client_order_id: "mine" });
    const foreign = await client.ask("error", { type: "cancel_order", order_id, trader_id: "bob" });
    assert.equal(foreign.code, "ORDER_NOT_FOUND");
    const ack = await client.ask("order_ack", { type: "cancel_order", order_id });
    assert.deepEqual([ack.order_id, ack.status, ack.reason], [order_id, "cancelled", "user"]);
    const twice = await client.ask("error", { type: "cancel_order", order_id });
    assert.equal(twice.code, "ORDER_NOT_FOUND");
    const named = await client.ask("order_ack", {
        type: "cancel_order",
        trader_id: "alice",
        client_order_id: "mine",
    });
    assert.deepEqual([named.client_order_id, named.remaining_quantity], ["mine", 2]);
});

conversation("a reduction keeps its place in the queue, a new price loses it", async (client) => {
    const first = await client.limit("alice", "sell", 100, 5);
    const second = await client.limit("carol", "sell", 100, 5);
    const reduced = await client.ask("order_ack", {
        type: "amend_order",
        order_id: first.order_id,
        quantity: 2,
    });
    assert.equal(reduced.remaining_quantity, 2);
    await client.limit("bob", "buy", 100, 1);
    const order = await client.ask("order_update", { type: "get_order", order_id: first.order_id });
    assert.deepEqual(
        [order.status, order.filled_quantity, order.remaining_quantity],
        ["partial", 1, 1],
    );

    await client.ask("order_ack", { type: "amend_order", order_id: first.order_id, price: 101 });
    await client.ask("order_ack", { type: "amend_order", order_id: first.order_id, price: 100 });
    await client.limit("bob", "buy", 100, 1);
    const overtaken = await client.ask("order_update", {
        type: "get_order",
        order_id: second.order_id,
    });
    assert.equal(overtaken.filled_quantity, 1);

    const tooSmall = await client.ask("error", {
        type: "amend_order",
        order_id: first.order_id,
        quantity: 1,
    });
    assert.deepEqual([tooSmall.code, tooSmall.field], ["INVALID_QUANTITY", "quantity"]);
});

conversation("get_order tells the whole Order, also of one that has ended", async (client) => {
    const { order_id } = await client.limit("alice", "sell", 100.5, 0.25, { client_order_id: "a" });
    await client.limit("bob", "buy", 200, 0.25);
    const { created, updated, timestamp, id, ...order } = await client.ask("order_update", {
        type: "get_order",
        order_id,
    });
    assert.ok(created <= updated && updated <= timestamp);
    assert.deepEqual(order, {
        type: "order_update",
        order_id,
        client_order_id: "a",
        symbol: "BTCUSDT",
        trader_id: "alice",
        side: "sell",
        order_type: "limit",
        time_in_force: "GTC",
        price: 100.5,
        quantity: 0.25,
        filled_quantity: 0.25,
        remaining_quantity: 0,
        average_price: 100.5,
        status: "filled",
        post_only: false,
    });
    const unknown = await client.ask("error", { type: "get_order", order_id: 999 });
    assert.equal(unknown.code, "ORDER_NOT_FOUND");
});

conversation(
    "cancel_all takes one trader's orders, of one instrument or of all",
    async (client) => {
        const ids = {};
        for (const symbol of ["BTCUSDT", "ETHUSDT", "SOLUSDT"]) {
            ids[symbol] = [];
            for (const price of [10, 11])
                ids[symbol].push(
                    (await client.limit("alice", "buy", price, 1, { symbol })).order_id,
                );
        }
        const other = await client.limit("bob", "buy", 10, 1);
        const some = await client.ask("cancel_all_ack", {
            type: "cancel_all",
            trader_id: "alice",
            symbol: "ETHUSDT",
        });
        assert.deepEqual(some.order_ids, ids.ETHUSDT);
        const rest = await client.ask("cancel_all_ack", { type: "cancel_all", trader_id: "alice" });
        assert.deepEqual(
            rest.order_ids.sort((a, b) => a - b),
            [...ids.BTCUSDT, ...ids.SOLUSDT].sort((a, b) => a - b),
        );
        const none = await client.ask("cancel_all_ack", { type: "cancel_all", trader_id: "alice" });
        assert.deepEqual(none.order_ids, []);
        const ended = await client.ask("order_update", {
            type: "get_order",
            order_id: ids.SOLUSDT[0],
            symbol: "SOLUSDT",
        });
        assert.deepEqual([ended.status, ended.reason], ["cancelled", "mass_cancel"]);
        const alive = await client.ask("order_update", {
            type: "get_order",
            order_id: other.order_id,
        });
        assert.equal(alive.status, "open");
    },
    { shards: 2 },
);

// What is wrong with a message, and how it is answered. The connection lives through all of it.
const REFUSALS = [
    ["{", "INVALID_JSON"],
    ['{"type":"ping","id":NaN}', "INVALID_JSON"],
    ["[1,2,3]", "INVALID_MESSAGE"],
    ["42", "INVALID_MESSAGE"],
    [{ type: 5 }, "INVALID_MESSAGE", "type"],
    [{ type: "no_such_type" }, "UNKNOWN_TYPE", "type"],
    [{}, "MISSING_FIELD", "type"],
    [{ type: "limit_order", trader_id: "a", side: "buy", quantity: 1 }, "MISSING_FIELD", "price"],
    [
        { type: "limit_order", trader_id: 1, side: "buy", price: 1, quantity: 1 },
        "INVALID_MESSAGE",
        "trader_id",
    ],
    [
        { type: "limit_order", trader_id: "a", side: "up", price: 1, quantity: 1 },
        "INVALID_SIDE",
        "side",
    ],
    [
        { type: "limit_order", trader_id: "a", side: "buy", price: 0.001, quantity: 1 },
        "INVALID_PRICE",
        "price",
    ],
    [
        { type: "limit_order", trader_id: "a", side: "buy", price: -1, quantity: 1 },
        "INVALID_PRICE",
        "price",
    ],
    [
        '{"type":"limit_order","trader_id":"a","side":"buy","price":1e400,"quantity":1}',
        "INVALID_PRICE",
        "price",
    ],
    [
        { type: "limit_order", trader_id: "a", side: "buy", price: 1, quantity: 0.00001 },
        "INVALID_QUANTITY",
        "quantity",
    ],
    [
        { type: "limit_order", trader_id: "", side: "buy", price: 1, quantity: 1 },
        "INVALID_TRADER",
        "trader_id",
    ],
    [
        {
            type: "limit_order",
            trader_id: "a",
            side: "buy",
            price: 1,
            quantity: 1,
            time_in_force: "DAY",
        },
        "INVALID_TIME_IN_FORCE",
        "time_in_force",
    ],
    [
        { type: "limit_order", trader_id: "a", side: "buy", price: 1, quantity: 1, symbol: "NONE" },
        "UNKNOWN_SYMBOL",
        "symbol",
    ],
    [
        {
            type: "limit_order",
            trader_id: "a",
            side: "buy",
            price: 1,
            quantity: 1,
            client_order_id: "x".repeat(37),
        },
        "INVALID_PARAMETER",
        "client_order_id",
    ],
    [{ type: "cancel_order", order_id: 12345 }, "ORDER_NOT_FOUND", "order_id"],
    [{ type: "cancel_order" }, "MISSING_FIELD", "order_id"],
    [{ type: "cancel_all" }, "MISSING_FIELD", "trader_id"],
    [{ type: "subscribe" }, "MISSING_FIELD", "channels"],
    [{ type: "subscribe", channels: ["nothing"] }, "INVALID_CHANNEL", "channels"],
    [{ type: "subscribe", channels: ["trades"], symbols: ["NONE"] }, "UNKNOWN_SYMBOL", "symbols"],
    [{ type: "subscribe", channels: ["orders"] }, "MISSING_FIELD", "trader_id"],
];

conversation("every refusal has its code and changes nothing", async (client, server) => {
    for (const [message, code, field] of REFUSALS) {
        client.send(message);
        const error = await client.next();
        assert.deepEqual(
            [error.type, error.code, error.field],
            ["error", code, field],
            JSON.stringify([message, error]),
        );
        assert.ok(error.message.length > 0);
    }
    assert.equal(
        client.messages.find(({ code }) => code === "INVALID_SIDE").message,
        "invalid side, must be 'buy' or 'sell'",
    );
    const first = await client.limit("alice", "buy", 1, 1, { client_order_id: "one" });
    assert.equal(first.order_id, 1, "no refused order has used an id");
    const duplicate = await client.ask("error", {
        type: "limit_order",
        trader_id: "alice",
        side: "buy",
        price: 2,
        quantity: 1,
        client_order_id: "one",
    });
    assert.deepEqual([duplicate.code, duplicate.order_id], ["DUPLICATE_CLIENT_ORDER_ID", 1]);
    const { body } = await get(server.http, "/api/market/depth");
    assert.deepEqual([body.bids, body.asks], [[[1, 1, 1]], []]);
});

conversation("ping is answered, and so is the protocol's own", async (client) => {
    const pong = await client.ask("pong", { type: "ping" });
    assert.ok(Math.abs(pong.timestamp - Date.now()) < 60_000);
    const answered = new Promise((resolve) =>
        client.socket.once("pong", (data) => resolve(data.toString())),
    );
    client.socket.ping("are you there");
    assert.equal(await withDeadline(answered, "the pong"), "are you there");
});

conversation("hundreds of messages sent at once are answered in their order", async (client) => {
    for (let i = 0; i < 500; i++) {
        client.send({
            type: "limit_order",
            trader_id: "alice",
            side: "buy",
            price: 100 + i / 100,
            quantity: 1,
            id: i,
        });
    }
    for (let i = 0; i < 500; i++) {
        const ack = await client.next();
        assert.deepEqual([ack.type, ack.id, ack.order_id], ["order_ack", i, i + 1]);
    }
});

conversation("a message may come in fragments", async (client) => {
    client.socket.send('{"type":"pi', { fin: false });
    client.socket.send('ng","id', { fin: false });
    client.socket.send('":"in three"}', { fin: true });
    assert.deepEqual([(await client.next()).type, client.messages[0].id], ["pong", "in three"]);
});

conversation("it does not matter whether permessage-deflate is offered", async (client, server) => {
    const plain = await Client.connect(server.websocket, { perMessageDeflate: false });
    assert.equal(plain.socket.extensions, "");
    for (const one of [client, plain]) {
        await one.subscribe(["book"]);
        const ack = await one.limit("alice", "sell", 100, 1, {
            client_order_id: `${"x".repeat(30)}${one === plain}`,
        });
        assert.equal(ack.status, "open");
    }
    await plain.close();
});

conversation(
    "binary frames are refused, too large messages end the connection",
    async (client, server) => {
        client.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
        const error = await client.next();
        assert.deepEqual([error.type, error.code], ["error", "UNSUPPORTED_FRAME"]);
        await client.ask("pong", { type: "ping" });

        const other = await Client.connect(server.websocket, { perMessageDeflate: false });
        other.send(`{"type":"ping","id":"${"x".repeat(70_000)}"}`);
        const { code } = await withDeadline(other.closed, "the end of the connection");
        assert.equal(code, 1009);
    },
);

conversation(
    "a foreign Origin or Host is let in nowhere, a loopback one is",
    async (client, server) => {
        const attempt = (options) =>
            new Promise((resolve) => {
                const socket = new WebSocket(`ws://${server.websocket}/ws`, options);
                socket.once("unexpected-response", (request, response) => {
                    request.destroy();
                    resolve(response.statusCode);
                });
                socket.once("open", () => {
                    socket.close();
                    resolve("open");
                });
                socket.once("error", (error) => resolve(error.message));
            });
        const tell = (options) => withDeadline(attempt(options), "the handshake");
        assert.equal(await tell({ origin: "https://example.com" }), 403);
        assert.equal(await tell({ headers: { host: "example.com" } }), 403);
        assert.equal(await tell({ origin: "http://127.0.0.1:8080" }), "open");
        assert.equal(await tell({ origin: "http://localhost" }), "open");
    },
);

conversation("the port answers /health too", async (client, server) => {
    assert.deepEqual(await get(server.websocket, "/health"), {
        status: 200,
        body: { status: "healthy", service: "websocket-matching-service", protocol: "ws" },
    });
});

conversation("the orders of a connection can end with it", async (client, server) => {
    const other = await Client.connect(server.websocket);
    const before = await other.limit("alice", "buy", 99, 1);
    await other.request({ type: "cancel_on_disconnect", enabled: true });
    const after = await other.limit("alice", "buy", 100, 1);
    await client.subscribe(["orders"], { trader_id: "alice" });
    await other.close();
    const update = await client.nextOf("order_update");
    assert.deepEqual(
        [update.order_id, update.status, update.reason],
        [after.order_id, "cancelled", "disconnect"],
    );
    const kept = await client.ask("order_update", { type: "get_order", order_id: before.order_id });
    assert.equal(kept.status, "open");
});

test("a stop of the program closes connections and ends with 0", options, async () => {
    const server = await startServer();
    const client = await Client.connect(server.websocket);
    for (let i = 0; i < 100; i++)
        client.send({
            type: "limit_order",
            trader_id: "a",
            side: "buy",
            price: 1,
            quantity: 1,
            id: i,
        });
    await client.until(() => client.messages.at(-1)?.id >= 10 || undefined, "some acks");
    await server.stop();
    const { code } = await withDeadline(client.closed, "the end of the connection");
    assert.equal(code, 1001, "going away");
    const acks = client.all("order_ack").map(({ id }) => id);
    assert.deepEqual(
        acks,
        acks.map((_, i) => i),
        "what was accepted was answered, without gaps",
    );
});
