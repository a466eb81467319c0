// What tests of traces share: a server with its collector, and what is sent to it.
import assert from "node:assert/strict";
import { Collector } from "./collector.mjs";
import { startServer, withDeadline } from "./server.mjs";

// Every variable that counts, so that those of the machine do not.
export function tracing(collector, more = {}) {
    return {
        OTEL_SDK_DISABLED: "",
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url ?? collector,
        OTEL_TRACES_SAMPLER: "parentbased_always_on",
        OTEL_BSP_SCHEDULE_DELAY: "10",
        no_proxy: "*",
        ...more,
    };
}

export function keepLog(server) {
    server.log = "";
    server.child.stderr.setEncoding("utf8").on("data", (part) => {
        server.log += part;
        server.child.emit("log");
    });
}

export async function logSays(server, what) {
    const says = async () => {
        while (!what.test(server.log))
            await new Promise((resolve) => server.child.once("log", resolve));
    };
    await withDeadline(says(), `a line like ${what} in the log`);
}

export async function withTraces(env, body, collectorOptions) {
    const collector = await Collector.start(collectorOptions);
    try {
        const server = await startServer({ env: tracing(collector, env), stderr: "pipe" });
        keepLog(server);
        try {
            await body(server, collector);
        } catch (error) {
            await server.stop().catch(() => {}); // the first failure is the one to tell
            throw error;
        }
        await server.stop();
    } finally {
        await collector.stop();
    }
    return collector;
}

export async function call(address, path, { body, headers = {}, method } = {}) {
    const answer = await fetch(`http://${address}${path}`, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: { "Content-Type": "application/json", ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.text() };
}

export const order = { trader_id: "alice", side: "sell", price: 50000, quantity: 1 };

export async function place(server, headers) {
    const answer = await call(server.http, "/api/orders", { body: order, headers });
    assert.equal(answer.status, 200, answer.body);
    return JSON.parse(answer.body);
}

export async function metric(server, name) {
    const { body } = await call(server.http, "/metrics");
    return Number(body.match(new RegExp(`^${name} (\\S+)$`, "m"))[1]);
}
