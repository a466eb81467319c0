// Clients of different kinds in one market.
//
// Two in JavaScript and one in Python trade with each other: a maker (trader.py) quotes, alice
// sells to it, bob buys from it, round by round. All three must have seen the same trades. And
// orders that came through different doors meet.
//
// The Python to use is named by the variable MATCHING_PYTHON.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { Client, DepthView, get } from "./client.mjs";
import { DEADLINE_MS, withDeadline, withServer } from "./server.mjs";

const ROUNDS = 20;
const python = process.env.MATCHING_PYTHON ?? "/usr/bin/python3";

// Lines of the maker's output, one at a time; the process ends with the test.
function startMaker(address) {
    const script = fileURLToPath(new URL("trader.py", import.meta.url));
    const child = spawn(python, [script, `ws://${address}/ws`, String(ROUNDS)], {
        stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const exited = new Promise((resolve) => child.once("exit", resolve));
    return {
        exited,
        kill: () => child.kill("SIGKILL"),
        line: async () => (await withDeadline(lines.next(), "a line of the maker")).value ?? "",
    };
}

async function trade(server) {
    const maker = startMaker(server.websocket);
    try {
        const [alice, bob] = await Promise.all([
            Client.connect(server.websocket),
            Client.connect(server.websocket),
        ]);
        for (const client of [alice, bob])
            await client.subscribe(["trades"], { symbols: ["BTCUSDT"] });
        for (let round = 0; round < ROUNDS; round++) {
            const line = await maker.line();
            if (line.startsWith("skipped")) {
                console.log(line);
                process.exit(77);
            }
            assert.equal(line, `quoted ${round}`);
            // At once, so that the two race; each takes one quote in two bites.
            const acks = await Promise.all([
                alice.limit("alice", "sell", 98, 0.5),
                bob.limit("bob", "buy", 103, 1.5),
                alice.limit("alice", "sell", 98, 1.5),
                bob.limit("bob", "buy", 103, 0.5),
            ]);
            for (const ack of acks) assert.equal(ack.status, "filled");
        }
        const seenByMaker = JSON.parse(await maker.line());
        assert.equal(await withDeadline(maker.exited, "the maker's end"), 0);
        assert.equal(seenByMaker.length, 4 * ROUNDS);
        for (const client of [alice, bob]) {
            await client.until(
                () => client.all("trade").length === 4 * ROUNDS || undefined,
                "all trades",
            );
            assert.deepEqual(client.all("trade"), seenByMaker);
            await client.close();
        }
        const { body } = await get(server.http, "/api/market/trades?limit=1000");
        assert.deepEqual(
            body.trades,
            seenByMaker.map(({ type, ...rest }) => rest),
        );
        for (const [trader, side] of [
            ["alice", "seller"],
            ["bob", "buyer"],
        ]) {
            const mine = seenByMaker.filter((one) => one[side] === trader);
            assert.equal(
                mine.reduce((sum, { quantity }) => sum + quantity, 0),
                2 * ROUNDS,
            );
        }
    } finally {
        maker.kill();
    }
}

test("clients in two languages trade with each other", { timeout: 4 * DEADLINE_MS }, () =>
    withServer({ shards: 2 }, trade),
);

async function post(address, path, body) {
    const response = await fetch(`http://${address}${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(DEADLINE_MS),
    });
    assert.equal(response.status, 200);
    return response.json();
}

test("orders of all doors meet in one book", { timeout: 4 * DEADLINE_MS }, () =>
    withServer({}, async (server) => {
        const watcher = await Client.connect(server.websocket);
        await watcher.subscribe(["trades", "depth"], { symbols: ["BTCUSDT"] });
        await watcher.subscribe(["orders"], { trader_id: "alice" });
        const view = new DepthView(await watcher.nextOf("depth_snapshot"));
        watcher.position = watcher.messages.length;

        const order = { side: "sell", price: 100, quantity: 3 };
        const placed = await post(server.jsonrpc, "/", {
            jsonrpc: "2.0",
            method: "place_limit_order",
            params: { trader_id: "alice", ...order },
            id: 1,
        });
        const { order_id } = placed.result;
        const bought = await post(server.http, "/api/orders", {
            trader_id: "bob",
            type: "market",
            side: "buy",
            quantity: 1,
        });
        assert.deepEqual([bought.status, bought.trades.length], ["filled", 1]);
        const taken = await watcher.limit("carol", "buy", 100, 0.5);
        assert.equal(taken.status, "filled");
        const cancelled = await watcher.ask("order_ack", { type: "cancel_order", order_id });
        assert.deepEqual([cancelled.filled_quantity, cancelled.remaining_quantity], [1.5, 1.5]);

        const { body } = await get(server.http, "/api/market/depth");
        await watcher.until(
            () => watcher.all("depth_update").at(-1)?.sequence === body.sequence || undefined,
            "the end of the depth",
        );
        for (const update of watcher.all("depth_update")) view.apply(update);
        assert.deepEqual([view.levels("bids"), view.levels("asks")], [[], []]);
        await watcher.until(
            () => watcher.all("order_update").length === 4 || undefined,
            "the life of alice's order",
        );
        assert.deepEqual(
            watcher
                .all("order_update")
                .map(({ status, filled_quantity }) => [status, filled_quantity]),
            [
                ["open", 0],
                ["partial", 1],
                ["partial", 1.5],
                ["cancelled", 1.5],
            ],
        );
        assert.deepEqual(
            watcher.all("trade").map(({ buyer, seller }) => [buyer, seller]),
            [
                ["bob", "alice"],
                ["carol", "alice"],
            ],
        );
        assert.deepEqual(watcher.all("trade")[0], { type: "trade", ...bought.trades[0] });
        await watcher.close();
    }),
);
