// An OpenTelemetry collector of tests: it takes spans over OTLP/HTTP as JSON and holds every request to
// the public protobuf definitions. A request is read into the generated classes, encoded, decoded and
// written as JSON again: what the definitions do not know, or know as something else, is lost or
// changed on the way, and the two differ.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";
import { withDeadline } from "./server.mjs";

let definitions;
try {
    definitions = createRequire(import.meta.url)(
        "@opentelemetry/otlp-transformer/build/src/generated/root.js",
    );
} catch {
    console.log("skipped: the npm package @opentelemetry/otlp-transformer is not installed; " +
        "`make test` installs it");
    process.exit(77);
}
const Request = definitions.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

// OTLP's JSON writes ids as hexadecimal digits where protobuf's would write base64.
const ID_DIGITS = { traceId: 32, spanId: 16, parentSpanId: 16 };

function withBase64Ids(value) {
    if (Array.isArray(value)) return value.map(withBase64Ids);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
        Object.entries(value).map(([name, part]) => {
            if (!(name in ID_DIGITS)) return [name, withBase64Ids(part)];
            assert.match(part, new RegExp(`^[0-9a-f]{${ID_DIGITS[name]}}$`), name);
            assert.doesNotMatch(part, /^0+$/, name);
            return [name, Buffer.from(part, "hex").toString("base64")];
        }),
    );
}

// The spans of a request, each with its resource's attributes. Throws if it is not as OTLP has it.
export function readRequest(body) {
    const request = withBase64Ids(JSON.parse(body));
    const message = Request.fromObject(request);
    assert.equal(Request.verify(message), null);
    const back = Request.toObject(Request.decode(Request.encode(message).finish()), {
        longs: String,
        bytes: String,
    });
    assert.deepEqual(request, back);
    return JSON.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ scope, spans }) => {
            assert.equal(scope.name, "matching");
            return spans.map((span) => ({ ...span, resource: attributesOf(resource) }));
        }),
    );
}

export function attributesOf({ attributes = [] }) {
    const found = Object.fromEntries(
        attributes.map(({ key, value }) => [key, value.stringValue ?? BigInt(value.intValue)]),
    );
    assert.equal(Object.keys(found).length, attributes.length, "a name is there twice");
    return found;
}

export class Collector {
    // answer(request, response): in place of taking the spans; see `answerWith`.
    // tls: for node:tls, and it speaks HTTPS.
    static async start({ port = 0, path = "/v1/traces", answer, tls } = {}) {
        const collector = new Collector();
        Object.assign(collector, { spans: [], requests: [], failures: [], waiting: new Set(), answer });
        const take = (request, response) => {
            const parts = [];
            request.on("data", (part) => parts.push(part));
            request.on("end", () => collector.take(request, Buffer.concat(parts), response, path));
        };
        collector.server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
        collector.server.listen(port, "127.0.0.1");
        await new Promise((resolve) => collector.server.once("listening", resolve));
        collector.port = collector.server.address().port;
        collector.url = `http${tls === undefined ? "" : "s"}://127.0.0.1:${collector.port}`;
        return collector;
    }

    take(request, body, response, path) {
        try {
            assert.equal(`${request.method} ${request.url}`, `POST ${path}`);
            assert.equal(request.headers["content-type"], "application/json");
            const encoding = request.headers["content-encoding"];
            assert.ok(encoding === undefined || encoding === "gzip");
            const spans = readRequest((encoding === undefined ? body : gunzipSync(body)).toString());
            this.requests.push({ headers: request.headers, count: spans.length });
            if (this.answer?.(response, this.requests.length)) return;
            this.spans.push(...spans);
            response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
        } catch (error) {
            this.failures.push(error);
            response.writeHead(400).end();
        } finally {
            for (const look of this.waiting) look();
        }
    }

    // Resolves with what `find(this)` returns as soon as that is true-like.
    async until(find, what) {
        let look;
        const found = new Promise((resolve) => {
            look = () => {
                const value = this.failures.length > 0 || find(this);
                if (value) resolve(value);
            };
            this.waiting.add(look);
            look();
        });
        const value = await withDeadline(found, what).finally(() => this.waiting.delete(look));
        assert.deepEqual(this.failures, []);
        return value;
    }

    named(name) {
        return this.spans.filter((span) => span.name === name);
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
        assert.deepEqual(this.failures, []);
    }
}
