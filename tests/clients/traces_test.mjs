// Traces as a collector sees them: what spans say, who decides about them, and that a collector which is
// slow, or not there, costs nobody but the spans.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { Collector, attributesOf } from "./collector.mjs";
import { startServer, withDeadline } from "./server.mjs";
import { call, keepLog, logSays, metric, order, place, tracing, withTraces } from "./tracing.mjs";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const STAGES = ["received", "parsed", "queued", "sequenced", "matched", "durable", "sent"];

// Asks for it until it is there. Each look takes a request, so nothing here waits by the clock.
async function metricReaches(server, name, least) {
    const look = async () => {
        for (;;) {
            const value = await metric(server, name);
            if (value >= least) return value;
        }
    };
    return withDeadline(look(), `${name} of ${least}`);
}

const isOrdered = (times) => times.every((time, i) => i === 0 || time >= times[i - 1]);

function checkOrderMatch(span, parent) {
    assert.equal(span.traceId, parent.traceId);
    assert.equal(span.parentSpanId, parent.spanId);
    assert.equal(span.kind, 1);
    assert.deepEqual(span.events.map((event) => event.name), STAGES);
    const times = span.events.map((event) => BigInt(event.timeUnixNano));
    assert.ok(isOrdered([BigInt(span.startTimeUnixNano), ...times, BigInt(span.endTimeUnixNano)]));
    assert.ok(BigInt(span.startTimeUnixNano) >= BigInt(parent.startTimeUnixNano));
}

test("an order over REST is a request and what the shard did", async () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    await withTraces(
        {
            OTEL_SERVICE_NAME: "exchange",
            OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test,note=a%2Cb%C3%A9,service.name=x",
            OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20secret,x-tenant=7",
        },
        async (server, collector) => {
            const { order_id: id } = await place(server);
            const found = await collector.until(
                (it) => it.named("http.request").length === 1 && it.named("order.match").length === 1,
                "two spans",
            );
            assert.equal(found, true);
            const [request] = collector.named("http.request");
            const [match] = collector.named("order.match");
            assert.equal(request.kind, 2);
            assert.equal(request.parentSpanId, undefined);
            assert.equal(request.status, undefined);
            const { "connection.id": connection, ...told } = attributesOf(request);
            assert.match(connection, UUID);
            assert.deepEqual(told, {
                "user.id": order.trader_id,
                "http.request.method": "POST",
                "http.route": "/api/orders",
                "http.response.status_code": 200n,
                "message.size_bytes": BigInt(JSON.stringify(order).length),
                "client.address": "127.0.0.1",
            });
            checkOrderMatch(match, request);
            assert.deepEqual(attributesOf(match), {
                "order.command": "place",
                "order.symbol": "BTCUSDT",
                transport: "http",
                shard: 0n,
                sequence: 1n,
                "order.id": BigInt(id),
            });
            assert.ok(BigInt(request.startTimeUnixNano) > before);
            assert.ok(BigInt(match.endTimeUnixNano) < BigInt(Date.now() + 1) * 1_000_000n);
            const { "service.version": version, "process.pid": pid, ...resource } = request.resource;
            assert.match(version, /^\d+\.\d+\.\d+$/);
            assert.equal(pid, BigInt(server.child.pid));
            assert.deepEqual(resource, {
                "service.name": "exchange",
                "deployment.environment": "test",
                note: "a,bé",
            });
            assert.equal(collector.requests[0].headers.authorization, "Bearer secret");
            assert.equal(collector.requests[0].headers["x-tenant"], "7");
        },
    );
});

test("routes are names, refusals say why", async () => {
    await withTraces({}, async (server, collector) => {
        const { order_id: id } = await place(server);
        await call(server.http, `/api/orders/${id}`, { method: "DELETE" });
        const again = await call(server.http, `/api/orders/${id}`, { method: "DELETE" });
        await call(server.http, "/no/such/path?a=b");
        await collector.until((it) => it.named("http.request").length === 4, "four requests");
        const told = collector.named("http.request").map((span) => {
            const all = attributesOf(span);
            return [all["http.request.method"], all["http.route"], all["http.response.status_code"]];
        });
        assert.deepEqual(told, [
            ["POST", "/api/orders", 200n],
            ["DELETE", "/api/orders/{order_id}", 200n],
            ["DELETE", "/api/orders/{order_id}", BigInt(again.status)],
            ["GET", undefined, 404n],
        ]);
        await collector.until((it) => it.named("order.match").length === 3, "three orders' spans");
        const [, cancelled, refused] = collector.named("order.match");
        assert.equal(attributesOf(cancelled)["order.command"], "cancel");
        assert.equal(cancelled.status, undefined);
        assert.deepEqual(refused.status, { code: 2, message: JSON.parse(again.body).code });
    });
});

test("a body of JSON-RPC is a request, each of its calls a message", async () => {
    await withTraces({}, async (server, collector) => {
        const params = order;
        await call(server.jsonrpc, "/", {
            headers: { traceparent: `00-${TRACE}-${PARENT}-01` },
            body: [
                { jsonrpc: "2.0", method: "place_limit_order", params, id: 1 },
                { jsonrpc: "2.0", method: "get_symbols", id: 2 },
                { jsonrpc: "2.0", method: "place_limit_order", params },
                { jsonrpc: "2.0", method: "no_such_method", id: 3 },
                { not: "a request" },
            ],
        });
        await collector.until((it) => it.named("jsonrpc.request").length === 1, "the request's span");
        const [request] = collector.named("jsonrpc.request");
        assert.equal(request.traceId, TRACE);
        assert.equal(request.parentSpanId, PARENT);
        assert.equal(attributesOf(request)["message.calls"], 5n);
        await collector.until(
            (it) => it.named("jsonrpc.message.handle").length === 5 && it.named("order.match").length === 2,
            "the spans of its calls",
        );
        const calls = collector.named("jsonrpc.message.handle");
        for (const span of calls) assert.equal(span.parentSpanId, request.spanId);
        const told = calls.map((span) => [attributesOf(span)["message.type"], span.status?.message]);
        assert.deepEqual(told.sort(), [
            ["get_symbols", undefined],
            ["unknown", "UNKNOWN_TYPE"],
            ["place_limit_order", undefined],
            ["place_limit_order", undefined],
            [undefined, "INVALID_MESSAGE"],
        ].sort());
        const places = calls.filter((span) => attributesOf(span)["message.type"] === "place_limit_order");
        const parents = new Map(places.map((span) => [span.spanId, span]));
        for (const span of collector.named("order.match")) {
            checkOrderMatch(span, parents.get(span.parentSpanId));
            parents.delete(span.parentSpanId);
        }
        assert.equal(parents.size, 0);
    });
});

// The connections' spans by their ids, and that their requests lead to them.
function checkConnections(collector, door, requests) {
    const connections = new Map(
        collector.named(`${door}.connection`).map((span) => [attributesOf(span)["connection.id"], span]),
    );
    assert.ok(connections.size > 0);
    const sums = { received: 0n, bytes: 0n };
    for (const span of connections.values()) {
        const told = attributesOf(span);
        assert.equal(span.kind, 1);
        assert.equal(span.parentSpanId, undefined);
        assert.equal(told["client.address"], "127.0.0.1");
        assert.equal(told["connection.messages_received"], told["connection.messages_sent"]);
        assert.ok(told["connection.bytes_sent"] > 0n);
        sums.received += told["connection.messages_received"];
        sums.bytes += told["connection.bytes_received"];
    }
    const found = collector.named(`${door}.request`);
    assert.equal(found.length, requests.length);
    assert.equal(sums.received, BigInt(requests.length));
    assert.equal(sums.bytes, BigInt(requests.reduce((sum, body) => sum + body.length, 0)));
    for (const span of found) {
        const connection = connections.get(attributesOf(span)["connection.id"]);
        assert.notEqual(span.traceId, connection.traceId);
        assert.deepEqual(
            span.links.map(({ traceId, spanId }) => [traceId, spanId]),
            [[connection.traceId, connection.spanId]],
        );
        assert.ok(BigInt(connection.startTimeUnixNano) <= BigInt(span.startTimeUnixNano));
        assert.ok(BigInt(connection.endTimeUnixNano) >= BigInt(span.endTimeUnixNano));
    }
    return [...connections.values()].map((span) => attributesOf(span)["user.id"]);
}

test("a connection of HTTP is a span, to which its requests' spans have links", async () => {
    const collector = await withTraces({}, async (server) => {
        await call(server.http, "/api/time");
        await place(server);
        await call(server.http, "/api/time");
    });
    const users = checkConnections(collector, "http", ["", JSON.stringify(order), ""]);
    assert.ok(users.includes(order.trader_id));
    // Whose connection it is says nothing about whose request it is: a proxy's carries everybody's.
    assert.deepEqual(
        collector.named("http.request").map((span) => attributesOf(span)["user.id"]),
        [undefined, order.trader_id, undefined],
    );
});

test("a connection of JSON-RPC is a span, to which its bodies' spans have links", async () => {
    const one = { jsonrpc: "2.0", method: "place_limit_order", params: order, id: 1 };
    const other = { ...one, params: { ...order, trader_id: "bob" } };
    const none = { jsonrpc: "2.0", method: "get_symbols", id: 2 };
    const bodies = [one, [none, one], [one, other], none];
    const collector = await withTraces({}, async (server) => {
        for (const body of bodies) await call(server.jsonrpc, "/", { body });
    });
    checkConnections(collector, "jsonrpc", bodies.map((body) => JSON.stringify(body)));
    const users = (name) => collector.named(name).map((span) => attributesOf(span)["user.id"]);
    assert.deepEqual(users("jsonrpc.request"), ["alice", "alice", undefined, undefined]);
    assert.deepEqual(users("jsonrpc.message.handle").sort(),
        ["alice", "alice", "alice", "bob", undefined, undefined].sort());
});

// The connection, and what it knows of the client, are gone as soon as the answer is written.
test("the span of a JSON-RPC request whose connection ends with it knows the client", async () => {
    await withTraces({}, async (server, collector) => {
        for (let id = 0; id < 20; id++) {
            const { status } = await call(server.jsonrpc, "/", {
                headers: { Connection: "close" },
                body: { jsonrpc: "2.0", method: "place_limit_order", params: order, id },
            });
            assert.equal(status, 200);
        }
        await collector.until((it) => it.named("jsonrpc.request").length === 20, "the requests' spans");
        for (const span of collector.named("jsonrpc.request"))
            assert.match(attributesOf(span)["client.address"], /^127\.0\.0\.1/);
    });
});

// What came of requests with these headers, in their order, if the root sampler is this one.
async function traceIdsWith(sampler, headers) {
    const collector = await withTraces(
        { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: "1" },
        async (server) => {
            for (const traceparent of headers)
                await place(server, traceparent === undefined ? {} : { traceparent });
        },
    );
    // What was left went out at the end.
    const requests = collector.named("http.request");
    assert.equal(collector.named("order.match").length, requests.length);
    return requests.map(({ traceId, parentSpanId, flags }) => [traceId, parentSpanId, flags]);
}

const GOOD = `00-${TRACE}-${PARENT}-01`;
const UNSAMPLED = `00-${TRACE}-${PARENT}-00`;
const LATER_VERSION = `01-${TRACE}-${PARENT}-01-what-will-be`;
const MALFORMED = [
    `00-${TRACE}-${PARENT}-1`, `00-${TRACE}-${PARENT}-01-more`, `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`, `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`, `00-${TRACE.slice(1)}-${PARENT}-01`, "", "nonsense",
    `00_${TRACE}_${PARENT}_01`, "0".repeat(55), `${GOOD}, ${GOOD}`,
];
const CARRIED = [TRACE, PARENT, 0x301];

test("a traceparent decides, where there is one", async () => {
    assert.deepEqual(
        await traceIdsWith("parentbased_always_off", [GOOD, UNSAMPLED, undefined, LATER_VERSION]),
        [CARRIED, CARRIED],
    );
    assert.deepEqual(await traceIdsWith("always_on", [UNSAMPLED]), [CARRIED]);
    assert.deepEqual(await traceIdsWith("always_off", [GOOD, undefined]), []);
});

test("a malformed traceparent is ignored", async () => {
    assert.deepEqual(await traceIdsWith("parentbased_always_off", MALFORMED), []);
    const found = await traceIdsWith("parentbased_always_on", MALFORMED);
    assert.equal(found.length, MALFORMED.length);
    for (const [traceId, parentSpanId, flags] of found) {
        assert.notEqual(traceId, TRACE);
        assert.equal(parentSpanId, undefined);
        assert.equal(flags, 0x101);
    }
    assert.equal(new Set(found.map(([traceId]) => traceId)).size, MALFORMED.length);
});

test("a tracestate goes on with its trace", async () => {
    const given = { traceparent: GOOD, tracestate: "rojo=00f067aa0ba902b7 , fw@dt=\"x\\y\"" };
    const wanted = 'rojo=00f067aa0ba902b7,fw@dt="x\\y"';
    const call1 = { jsonrpc: "2.0", method: "place_limit_order", params: order, id: 1 };
    const collector = await withTraces({}, async (server) => {
        await place(server, given);
        await call(server.jsonrpc, "/", { body: call1, headers: given });
        await place(server, { tracestate: "a=1" }); // nobody's, without a traceparent
        await place(server, { traceparent: GOOD, tracestate: "a=1,A=2" });
        // Several headers are one list.
        await new Promise((resolve, reject) => {
            const [host, port] = server.http.split(":");
            const headers = { traceparent: GOOD, tracestate: ["b=1", "c=2,d=3"] };
            request({ host, port, path: "/api/time", headers }, (answer) =>
                answer.resume().on("end", resolve)).on("error", reject).end();
        });
        const socket = new WebSocket(`ws://${server.websocket}/ws`, { headers: given });
        await withDeadline(once(socket, "open"), "the handshake");
        socket.close();
        await once(socket, "close");
    });
    const states = (name) => collector.named(name).map(({ traceState }) => traceState);
    const requests = collector.named("http.request");
    assert.deepEqual(requests.map(({ traceState }) => traceState),
        [wanted, undefined, undefined, "b=1,c=2,d=3"]);
    assert.equal(requests[2].traceId, TRACE); // what is malformed is the tracestate only
    assert.deepEqual(states("order.match"), [wanted, wanted, undefined, undefined]);
    assert.deepEqual(states("jsonrpc.request"), [wanted]);
    assert.deepEqual(states("jsonrpc.message.handle"), [wanted]);
    assert.deepEqual(states("websocket.upgrade"), [wanted]);
    assert.deepEqual(states("websocket.connection"), [wanted]);
});

async function requestsOf20(ratio) {
    const collector = await withTraces(
        { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: ratio },
        async (server) => {
            for (let i = 0; i < 20; i++) await place(server);
        },
    );
    return collector.named("http.request").length;
}

test("a ratio of 0 records nothing, of 1 everything", async () => {
    assert.equal(await requestsOf20("0"), 0);
    assert.equal(await requestsOf20("1.0"), 20);
});

test("what waits is sent at a clean stop, in batches", async () => {
    const collector = await withTraces(
        {
            OTEL_BSP_SCHEDULE_DELAY: "3600000",
            OTEL_BSP_MAX_QUEUE_SIZE: "100",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "40",
        },
        async (server, it) => {
            for (let i = 0; i < 25; i++) await place(server);
            await it.until(() => it.spans.length === 40, "the batch that is full");
        },
    );
    const connections = collector.named("http.connection").length; // they end with the service
    assert.ok(connections > 0);
    assert.deepEqual(collector.requests.map(({ count }) => count), [40, 10 + connections]);
});

test("a request that fails for a while is sent again", async () => {
    const collector = await withTraces(
        {},
        async (server, it) => {
            await place(server);
            await it.until(() => it.named("order.match").length === 1, "the span after a failure");
            assert.equal(await metric(server, "matching_spans_failed_total"), 0);
        },
        {
            answer: (response, number) => {
                if (number > 1) return false;
                response.writeHead(503).end();
                return true;
            },
        },
    );
    assert.equal(collector.named("order.match").length, 1);
});

test("spans that the collector refuses are counted and told", async () => {
    await withTraces(
        {},
        async (server) => {
            await place(server);
            await metricReaches(server, "matching_spans_failed_total", 2);
            await logSays(server, /warn traces: the collector does not take spans .*status 400/);
        },
        {
            answer: (response) => {
                response.writeHead(400).end();
                return true;
            },
        },
    );
    let rejected = 0;
    await withTraces(
        {},
        async (server) => {
            await place(server);
            await metricReaches(server, "matching_spans_failed_total", 1);
            assert.equal(await metric(server, "matching_spans_failed_total"), 1);
        },
        {
            answer: (response) => {
                const partialSuccess = rejected++ === 0 ? { rejectedSpans: "1", errorMessage: "no" } : undefined;
                response.writeHead(200, { "Content-Type": "application/json" });
                response.end(JSON.stringify({ partialSuccess }));
                return true;
            },
        },
    );
});

// The queue holds 8 spans and nobody takes them: the rest is dropped, and the service goes on.
const SMALL_QUEUE = { OTEL_BSP_MAX_QUEUE_SIZE: "8", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "4" };

async function checkDrops(server) {
    for (let i = 0; i < 20; i++) await place(server);
    const dropped = await metricReaches(server, "matching_spans_dropped_total", 30);
    assert.ok((await metric(server, "matching_spans_total")) >= dropped + 8);
    assert.equal(await metric(server, "matching_spans_exported_total"), 0);
    assert.equal((await call(server.http, "/health")).status, 200);
}

test("a collector that is not there is no trouble for anybody", async () => {
    const gone = await Collector.start();
    const { port, url } = gone;
    await gone.stop(); // its port is free again, and nobody listens there
    const server = await startServer({ env: tracing(url, SMALL_QUEUE), stderr: "pipe" });
    keepLog(server);
    try {
        await checkDrops(server);
        await logSays(server, /warn traces: the collector does not take spans url=\S+/);
        const collector = await Collector.start({ port }); // it comes after all
        await collector.until((it) => it.spans.length >= 8, "what waited in the queue");
        await logSays(server, /info traces: the collector takes spans again/);
        await logSays(server, /warn traces: spans were dropped, the queue was full spans=\d+/);
        await server.stop();
        await collector.stop();
    } catch (error) {
        await server.stop().catch(() => {});
        throw error;
    }
});

test("a collector that never answers does not hold up anybody, nor the end", async () => {
    let asked;
    const isAsked = new Promise((resolve) => (asked = resolve));
    await withTraces(
        { ...SMALL_QUEUE, OTEL_EXPORTER_OTLP_TIMEOUT: "3600000" },
        async (server) => {
            await place(server);
            await withDeadline(isAsked, "a request to the collector");
            await checkDrops(server);
        },
        {
            answer: () => {
                asked();
                return true;
            },
        },
    );
});
