// The stock socket.io-client reads candles of the past from a store, before and after the service
// was killed and started again.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startServer } from "./server.mjs";
import { SocketClient, trade } from "./socketio_client.mjs";

const SERIES = { symbol: "BTCUSDT", interval: "s1" };
const CONFIG = "recent_trades = 1\n"; // so that nearly all of it has to come from the store

// The answer once the store has caught up, as after a start.
async function history(client, more = {}) {
    const deadline = Date.now() + 30_000;
    let answer;
    do answer = await client.ask("get_history", { ...SERIES, ...more });
    while (answer.code === 1003 && Date.now() < deadline);
    assert.deepEqual([answer.symbol, answer.interval], ["BTCUSDT", "s1"], JSON.stringify(answer));
    return { data: answer.data, hasMore: answer.hasMore };
}

// All of it, by pages.
async function pages(client, limit) {
    const found = [];
    let page, from = 0;
    do {
        page = await history(client, { limit, from });
        assert.ok(page.data.length <= limit);
        found.push(...page.data);
        from = found.at(-1).time + 1;
    } while (page.hasMore);
    return found;
}

// Trades a little in each of so many seconds; the final candles as they were told.
async function tradeForSeconds(client, server, count) {
    const finals = [];
    while (finals.length < count) {
        await trade(server.http, 100 + finals.length, 1);
        await trade(server.http, 90, 0.5);
        let message;
        do message = await client.next("kline_data");
        while (message.interval !== "s1" || !message.data.is_final);
        finals.push(message.data);
        // The second trade may have come a second later than the first one.
        if (message.data.update_count < 2) {
            do message = await client.next("kline_data");
            while (message.interval !== "s1" || !message.data.is_final);
            finals.push(message.data);
        }
    }
    return finals;
}

for (const transport of ["polling", "websocket"]) {
    test(`${transport}: history of before a kill, for a client that comes back`, async () => {
        const dataDir = await mkdtemp(join(tmpdir(), "matching-test-"));
        let server = await startServer({ dataDir, config: CONFIG });
        try {
            const client = await SocketClient.connect(server.socketio, {
                transports: [transport],
                reconnectionDelay: 50,
                reconnectionDelayMax: 100,
            });
            await client.ask("subscribe_kline", SERIES);
            const finals = await tradeForSeconds(client, server, 2);
            assert.deepEqual(await history(client), { data: finals, hasMore: false });
            assert.deepEqual(await history(client, { limit: 1 }), {
                data: finals.slice(-1),
                hasMore: true,
            });

            const gone = client.once("disconnect");
            await server.kill();
            await gone;
            server = await startServer({ dataDir, config: CONFIG });
            await client.returnsTo(server.socketio);
            assert.deepEqual(await history(client), { data: finals, hasMore: false });
            assert.deepEqual(await pages(client, 1), finals);

            // A candle that runs goes on where it was.
            await client.ask("subscribe_kline", { ...SERIES, interval: "d1" });
            const day = await client.next("kline_data");
            const count = finals
                .filter((one) => one.time >= day.data.time) // midnight may have come
                .reduce((sum, one) => sum + one.update_count, 0);
            assert.equal(day.data.update_count, count);

            // And what comes now joins what was before.
            await client.ask("subscribe_kline", SERIES);
            finals.push(...(await tradeForSeconds(client, server, 1)));
            assert.deepEqual(await pages(client, 2), finals);
            assert.deepEqual(await history(client, { from: finals.at(-1).time }), {
                data: finals.slice(-1),
                hasMore: false,
            });
            await client.close();
            await server.stop();
        } catch (error) {
            await server.kill().catch(() => {}); // the first failure is the one to tell
            throw error;
        } finally {
            await rm(dataDir, { recursive: true });
        }
    });
}
