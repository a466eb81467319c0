// Two thousand stock clients at once, or as many as MATCHING_SOCKETIO_CLIENTS says: every one of them
// gets the candle, and its end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { withServer } from "./server.mjs";
import { SocketClient, trade } from "./socketio_client.mjs";

const CLIENTS = Number(process.env.MATCHING_SOCKETIO_CLIENTS ?? 2000);
const POLLING = CLIENTS / 20; // of them
const AT_ONCE = 100;

test(`${CLIENTS} clients see the same candles`, async () => {
    await withServer({}, async (server) => {
        const clients = [];
        while (clients.length < CLIENTS) {
            const some = Array.from({ length: AT_ONCE }, (_, i) =>
                SocketClient.connect(server.socketio, {
                    transports: clients.length + i < POLLING ? ["polling"] : ["websocket"],
                    reconnection: false,
                }),
            );
            clients.push(...(await Promise.all(some)));
        }
        await Promise.all(
            clients.map(async (client, i) => {
                const subscription = { interval: "s1", subscriptionId: i % 2 ? "odd" : "even" };
                assert.equal((await client.ask("subscribe_kline", subscription)).success, true);
            }),
        );
        await trade(server.http, 50000, 0.5);
        const finals = await Promise.all(
            clients.map(async (client, i) => {
                for (;;) {
                    const message = await client.next("kline_data");
                    assert.equal(message.subscriptionId, i % 2 ? "odd" : "even");
                    if (message.data.is_final) return JSON.stringify(message.data);
                }
            }),
        );
        assert.equal(new Set(finals).size, 1);
        const candle = JSON.parse(finals[0]);
        assert.deepEqual([candle.open, candle.volume, candle.update_count], [50000, 0.5, 1]);
        for (const client of clients) client.socket.disconnect();
    });
});
