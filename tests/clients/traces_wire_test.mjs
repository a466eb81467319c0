// Traces of the doors that speak WebSocket, as a collector sees them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Schema } from "../../examples/clients/sbe_client.mjs";
import { Client, WebSocket } from "./client.mjs";
import { attributesOf } from "./collector.mjs";
import { withDeadline } from "./server.mjs";
import { SocketClient } from "./socketio_client.mjs";
import { withTraces } from "./tracing.mjs";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const SERVER = 2;
const PRODUCER = 4;

function only(collector, name) {
    const found = collector.named(name);
    assert.equal(found.length, 1, name);
    return found[0];
}

function assertBelow(span, parent) {
    assert.equal(span.traceId, parent.traceId);
    assert.equal(span.parentSpanId, parent.spanId);
    assert.ok(BigInt(span.startTimeUnixNano) >= BigInt(parent.startTimeUnixNano));
}

function assertLinked(span, to) {
    assert.deepEqual(
        span.links.map(({ traceId, spanId }) => [traceId, spanId]),
        [[to.traceId, to.spanId]],
    );
}

function broadcastsOf(collector, door, channel) {
    return collector
        .named(`${door}.broadcast`)
        .filter((span) => attributesOf(span).channel === channel);
}

test("a WebSocket goes on with its caller's trace, its orders have their own", async () => {
    const order = { type: "limit_order", trader_id: "ann", side: "buy", price: 50000, quantity: 1 };
    const collector = await withTraces({}, async (server) => {
        const headers = { traceparent: `00-${TRACE}-${PARENT}-01` };
        const client = await Client.connect(server.websocket, { headers });
        const followers = [];
        for (let i = 0; i < 3; i++) {
            followers.push(await Client.connect(server.websocket));
            await followers[i].subscribe(["trades"], { symbols: ["BTCUSDT"] });
        }
        await client.ask("order_ack", order);
        await client.ask("order_ack", { ...order, side: "sell" });
        for (const follower of followers) await follower.nextOf("trade");
        await client.close();
    });
    const upgrade = collector.named("websocket.upgrade").find(({ traceId }) => traceId === TRACE);
    assert.equal(upgrade.parentSpanId, PARENT);
    assert.equal(upgrade.kind, SERVER);
    assert.deepEqual(attributesOf(upgrade), {
        "http.request.method": "GET",
        "http.response.status_code": 101n,
        "client.address": "127.0.0.1",
    });
    const connection = collector
        .named("websocket.connection")
        .find(({ traceId }) => traceId === TRACE);
    assertBelow(connection, upgrade);
    const {
        "connection.id": id,
        "connection.bytes_received": received,
        "connection.bytes_sent": sent,
        ...told
    } = attributesOf(connection);
    assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.ok(received > 200n && sent > 200n);
    assert.deepEqual(told, {
        "user.id": "ann",
        "client.address": "127.0.0.1",
        "connection.messages_received": 2n,
        "connection.messages_sent": 2n,
        "connection.close_code": 1005n, // a close frame without one
    });
    const messages = collector
        .named("websocket.message.handle")
        .filter((span) => attributesOf(span)["message.type"] === "limit_order");
    assert.equal(messages.length, 2);
    const matches = collector.named("order.match");
    assert.equal(matches.length, 2);
    for (const message of messages) {
        assert.notEqual(message.traceId, TRACE);
        assert.equal(message.parentSpanId, undefined);
        assert.equal(message.kind, SERVER);
        assert.equal(attributesOf(message)["connection.id"], id);
        assert.ok(attributesOf(message)["message.size_bytes"] > 80n);
        assertLinked(message, connection);
        assertBelow(matches.find(({ traceId }) => traceId === message.traceId), message);
    }
    const [trade, ...more] = broadcastsOf(collector, "websocket", "trades");
    assert.equal(more.length, 0);
    assert.equal(trade.kind, PRODUCER);
    assert.deepEqual(attributesOf(trade), {
        channel: "trades",
        symbol: "BTCUSDT",
        recipients: 3n,
    });
});

// 400 messages at a half: the odds of fewer than 140 or more than 260 are about one in a thousand million.
test("messages are sampled by the ratio, whatever was decided about their connection", async () => {
    for (const flags of ["00", "01"]) {
        const collector = await withTraces(
            { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" },
            async (server) => {
                const headers = { traceparent: `00-${TRACE}-${PARENT}-${flags}` };
                const client = await Client.connect(server.websocket, { headers });
                for (let i = 0; i < 400; i++) await client.ask("pong", { type: "ping" });
                await client.close();
            },
        );
        assert.equal(collector.named("websocket.connection").length, Number(flags));
        const messages = collector.named("websocket.message.handle");
        assert.ok(messages.length >= 140 && messages.length <= 260, `${messages.length} of 400`);
        for (const span of messages) assert.equal(span.links?.length ?? 0, Number(flags));
    }
});

test("the orders of an SBE frame are below its span", async () => {
    const schema = new Schema();
    const collector = await withTraces({}, async (server) => {
        const socket = new WebSocket(`ws://${server.sbe}/`);
        const reports = [];
        const done = new Promise((resolve, reject) => {
            socket.once("error", reject);
            socket.on("message", (data) => {
                for (const [name, values] of schema.decode(data)) {
                    if (name === "Instrument" && values.symbol === "BTCUSDT") begin(values);
                    if (name === "ExecutionReport") reports.push(values);
                }
                if (reports.length === 2) resolve();
            });
        });
        const begin = ({ instrumentId }) => {
            const order = (clientOrderId) =>
                schema.encode("NewOrder", {
                    clientOrderId,
                    instrumentId,
                    traderId: "ann",
                    side: "Buy",
                    orderType: "Limit",
                    timeInForce: "GoodTillCancelled",
                    price: "50000",
                    quantity: "0.5",
                });
            socket.send(Buffer.concat([order(1), order(2)]));
        };
        await withDeadline(done, "two reports");
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.close(1000);
        await withDeadline(closed, "the connection's end");
    });
    const connection = only(collector, "sbe.connection");
    assertBelow(connection, only(collector, "sbe.upgrade"));
    assert.equal(attributesOf(connection)["connection.close_code"], 1000n);
    const frame = only(collector, "sbe.message.handle");
    assertLinked(frame, connection);
    assert.equal(attributesOf(frame)["message.type"], "new_order");
    assert.equal(attributesOf(frame)["message.count"], 2n);
    assert.equal(collector.named("order.match").length, 2);
    for (const match of collector.named("order.match")) assertBelow(match, frame);
});

test("Socket.IO tells its events and its broadcasts on either transport", async () => {
    const collector = await withTraces({}, async (server) => {
        const clients = [];
        for (const transport of ["websocket", "polling"]) {
            const client = await SocketClient.connect(server.socketio, { transports: [transport] });
            clients.push(client);
            client.socket.emit("subscribe", { topic: "price:BTCUSDT" });
            await client.next("subscription_confirmed");
        }
        const trader = await Client.connect(server.websocket);
        await trader.limit("ann", "buy", 50000, 1);
        await trader.limit("bob", "sell", 50000, 1);
        for (const client of clients) {
            await client.next("price_update");
            await client.close();
        }
        await trader.close();
    });
    const connection = only(collector, "socketio.connection");
    assertBelow(connection, only(collector, "socketio.upgrade"));
    const subscribes = collector
        .named("socketio.message.handle")
        .filter((span) => attributesOf(span)["message.type"] === "subscribe");
    assert.deepEqual(subscribes.map((span) => span.links?.length ?? 0), [1, 0]);
    assertLinked(subscribes[0], connection);
    const [price] = broadcastsOf(collector, "socketio", "price_update");
    assert.deepEqual(attributesOf(price), {
        channel: "price_update",
        symbol: "BTCUSDT",
        recipients: 2n,
    });
});
