// The stock socket.io-client against the Socket.IO door: polling, websocket, and the upgrade from
// one to the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { withDeadline, withServer } from "./server.mjs";
import { SocketClient, order, trade } from "./socketio_client.mjs";

const KLINE = { symbol: "BTCUSDT", interval: "d1" };

for (const [name, transports] of [
    ["polling", ["polling"]],
    ["websocket", ["websocket"]],
    ["the upgrade", ["polling", "websocket"]],
]) {
    test(`${name}: candles, prices, history and errors`, async () => {
        await withServer({}, async (server) => {
            const client = await SocketClient.connect(server.socketio, { transports });
            const { clientId, serverTime, ...supported } = await client.next("connection_success");
            assert.equal(clientId, client.socket.id);
            assert.ok(Math.abs(serverTime - Date.now()) < 60_000);
            assert.deepEqual(supported, {
                supportedSymbols: ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
                supportedIntervals: ["s1", "s30", "m1", "m5", "m15", "h1", "h4", "d1"],
            });
            await client.carriedBy(transports.at(-1));

            const confirmed = { ...KLINE, subscriptionId: "chart", success: true };
            const ack = await client.ask("subscribe_kline", { ...KLINE, subscriptionId: "chart" });
            assert.deepEqual(ack, { ...confirmed, message: "subscribed" });
            assert.deepEqual(await client.next("subscription_confirmed"), ack);
            await client.ask("subscribe", { topic: "price:BTCUSDT" });

            await trade(server.http, 50000, 0.5);
            const { data, timestamp, ...head } = await client.next("kline_data");
            assert.deepEqual(head, { ...KLINE, subscriptionId: "chart" });
            assert.ok(timestamp >= serverTime);
            const { time, ...candle } = data;
            assert.equal(time % 86400, 0);
            assert.deepEqual(candle, {
                open: 50000,
                high: 50000,
                low: 50000,
                close: 50000,
                volume: 0.5,
                is_final: false,
                update_count: 1,
            });
            const price = await client.next("price_update");
            assert.deepEqual([price.symbol, price.price, price.side], ["BTCUSDT", 50000, "sell"]);

            const history = await client.ask("get_history", KLINE);
            assert.deepEqual(history, { ...KLINE, data: [], hasMore: false });
            const error = await client.ask("get_history", { ...KLINE, interval: "1d" });
            assert.equal(error.code, 1001);
            assert.deepEqual(error.data, { event: "get_history", field: "interval" });
            assert.deepEqual(await client.next("error"), error);

            const left = await client.ask("unsubscribe_kline", {
                ...KLINE,
                subscriptionId: "chart",
            });
            assert.equal(left.success, true);
            await client.close();
        });
    });
}

test("a candle ends by the clock, for all carriers", async () => {
    await withServer({}, async (server) => {
        const clients = await Promise.all(
            [["polling"], ["websocket"], ["polling", "websocket"]].map((transports) =>
                SocketClient.connect(server.socketio, { transports }),
            ),
        );
        for (const client of clients) await client.ask("subscribe_kline", { interval: "s1" });
        await trade(server.http, 100, 1);
        for (const client of clients) {
            let message;
            do message = await client.next("kline_data");
            while (!message.data.is_final);
            assert.equal(message.data.volume, 1);
            assert.ok(message.timestamp >= (message.data.time + 1) * 1000, "not before its end");
            await client.close();
        }
    });
});

test("an added instrument is told, and can be followed", async () => {
    await withServer({}, async (server) => {
        const client = await SocketClient.connect(server.socketio);
        await client.ask("subscribe", { topic: "token_events" });
        const body = { symbol: "DOGEUSDT", tick_size: 0.0001, lot_size: 1 };
        const answer = await order(server.http, "/api/symbols", body);
        assert.deepEqual(await client.next("token_created"), answer);
        assert.equal((await client.ask("subscribe", { topic: "price:DOGEUSDT" })).success, true);
        await trade(server.http, 0.5, 3, "DOGEUSDT");
        assert.equal((await client.next("price_update")).price, 0.5);
        await client.close();
    });
});

// The connection is cut under the client, which comes back by itself and subscribes again, as an
// application does: the candle goes on, and what happened meanwhile is in it.
test("a client comes back in the middle", async () => {
    await withServer({}, async (server) => {
        const client = await SocketClient.connect(server.socketio, { reconnectionDelay: 50 });
        await client.carriedBy("websocket");
        await client.ask("subscribe_kline", KLINE);
        await trade(server.http, 100, 1);
        assert.equal((await client.next("kline_data")).data.update_count, 1);
        const before = client.socket.id;
        const gone = client.once("disconnect");
        client.socket.io.engine.transport.ws.terminate();
        await gone;
        await trade(server.http, 101, 1);
        await client.until(() => (client.socket.connected ? true : undefined), "the reconnection");
        assert.notEqual(client.socket.id, before);
        await client.ask("subscribe_kline", KLINE);
        let candle;
        do candle = (await client.next("kline_data")).data;
        while (candle.update_count < 2);
        assert.deepEqual([candle.open, candle.close, candle.volume], [100, 101, 2]);
        await client.close();
    });
});

test("other namespaces are refused, and several share a connection", async () => {
    await withServer({}, async (server) => {
        const client = await SocketClient.connect(server.socketio);
        for (const name of ["/", "/ws/other"]) {
            const other = client.socket.io.socket(name);
            const refused = new Promise((resolve) => other.once("connect_error", resolve));
            other.connect();
            assert.equal((await withDeadline(refused, "the refusal")).message, "Invalid namespace");
        }
        assert.equal((await client.ask("subscribe", { topic: "token_events" })).success, true);
        await client.close();
    });
});

test("the 51st subscription is refused", async () => {
    await withServer({}, async (server) => {
        const client = await SocketClient.connect(server.socketio);
        for (let id = 0; id < 50; id++)
            assert.equal(
                (await client.ask("subscribe_kline", { ...KLINE, subscriptionId: id })).success,
                true,
            );
        const refused = await client.ask("subscribe", { topic: "token_events" });
        assert.equal(refused.code, 1002);
        await client.close();
    });
});

// And only that: the client comes back by itself.
for (const transport of ["polling", "websocket"]) {
    test(`${transport}: an event over the payload limit ends the session`, async () => {
        await withServer({}, async (server) => {
            const client = await SocketClient.connect(server.socketio, {
                transports: [transport],
                reconnectionDelay: 50,
            });
            const before = client.socket.id;
            const gone = client.once("disconnect");
            client.socket.emit("subscribe", { topic: "token_events", more: "x".repeat(65536) });
            await withDeadline(gone, "the disconnection");
            await client.until(() => client.socket.connected || undefined, "the reconnection");
            assert.notEqual(client.socket.id, before);
            const left = await client.ask("unsubscribe", { topic: "token_events" });
            assert.equal(left.success, false); // nothing of it was carried out
            await client.close();
        });
    });
}

// What socket.io-client 2 and older send.
test("a client of Engine.IO 3 gets a clear error", async () => {
    await withServer({}, async (server) => {
        const url = `http://${server.socketio}/socket.io/?EIO=3&transport=polling&t=abc`;
        const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
        assert.equal(response.status, 400);
        assert.deepEqual(await response.json(), {
            code: 5,
            message: "Unsupported protocol version",
        });
    });
});

test("the server's end is told", async () => {
    let client;
    await withServer({}, async (server) => {
        client = await SocketClient.connect(server.socketio, {
            transports: ["polling"],
            reconnection: false,
        });
        client.gone = client.once("disconnect");
    });
    await withDeadline(client.gone, "the disconnection");
    client.socket.close();
});
