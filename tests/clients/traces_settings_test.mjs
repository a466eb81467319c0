// Traces as OpenTelemetry's variables set them up: what is looked at, what is refused, what is told.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { logSays, metric, place, tracing, withTraces } from "./tracing.mjs";

test("requests are compressed if that is asked for", async () => {
    for (const [env, wanted] of [
        [{ OTEL_EXPORTER_OTLP_COMPRESSION: "gzip", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "4" }, "gzip"],
        [{ OTEL_EXPORTER_OTLP_COMPRESSION: "none" }, undefined],
        [{
            OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
            OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none",
        }, undefined],
        [{}, undefined],
    ]) {
        const collector = await withTraces(env, async (server) => {
            for (let i = 0; i < 5; i++) await place(server);
        });
        assert.equal(collector.named("order.match").length, 5);
        assert.ok(wanted === undefined || collector.requests.length > 1, "the second one is whole too");
        for (const { headers } of collector.requests)
            assert.equal(headers["content-encoding"], wanted);
    }
});

function makeCertificate(folder, name) {
    const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
    const made = spawnSync("openssl", [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert,
    ]);
    return made.status === 0 ? { key, cert } : undefined;
}

test("a collector behind TLS is known by its certificate, and knows whom it lets in", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "matching-test-"));
    try {
        const [theirs, ours] = [makeCertificate(folder, "theirs"), makeCertificate(folder, "ours")];
        if (theirs === undefined || ours === undefined) return t.skip("openssl is not installed");
        const tls = {
            key: readFileSync(theirs.key),
            cert: readFileSync(theirs.cert),
            ca: [readFileSync(ours.cert)],
            requestCert: true,
            rejectUnauthorized: true,
        };
        const known = {
            OTEL_EXPORTER_OTLP_CERTIFICATE: theirs.cert,
            OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: ours.cert,
            OTEL_EXPORTER_OTLP_CLIENT_KEY: ours.key,
        };
        const collector = await withTraces(known, (server) => place(server), { tls });
        assert.equal(collector.named("order.match").length, 1);
        // The other's certificate signs nothing of this collector's.
        const stranger = { ...known, OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: ours.cert };
        const unseen = await withTraces(stranger, async (server) => {
            await place(server);
            await logSays(server, /warn traces: the collector does not take spans .*certificate/);
        }, { tls });
        assert.equal(unseen.requests.length, 0);
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test("variables that are not looked at are told by name", async () => {
    const env = {
        OTEL_SPAN_EVENT_COUNT_LIMIT: "3",
        OTEL_EXPORTER_OTLP_INSECURE: "true",
        OTEL_PROPAGATORS: "b3",
        OTEL_METRICS_EXPORTER: "none", // as it is anyway
        OTEL_LOGS_EXPORTER: "",
    };
    const told = /warn traces: variables are set that are not looked at names="?([^"\n]*)/;
    await withTraces(env, async (server) => {
        await logSays(server, told);
        assert.deepEqual(server.log.match(told)[1].split(", ").sort(), [
            "OTEL_EXPORTER_OTLP_INSECURE", "OTEL_PROPAGATORS", "OTEL_SPAN_EVENT_COUNT_LIMIT",
        ]);
    });
    const check = (more) => checkConfig({ ...env, ...more }).stderr;
    assert.match(check({}), /not looked at: .*OTEL_PROPAGATORS/);
    assert.equal(check({ OTEL_TRACES_EXPORTER: "none" }), "");
    await withTraces({ OTEL_PROPAGATORS: "tracecontext" }, async (server) => {
        await logSays(server, /info traces: spans are sent to a collector/);
        await place(server);
        assert.doesNotMatch(server.log, told);
    });
});

function checkConfig(env) {
    return spawnSync(process.env.MATCHING_BINARY, ["all", "--in-memory", "--check-config"], {
        env: { ...process.env, ...tracing("http://127.0.0.1:1", env) },
        encoding: "utf8",
    });
}

test("what makes no sense is refused, with the variable's name", () => {
    const bad = {
        OTEL_TRACES_EXPORTER: ["console", "otlp,console"],
        OTEL_SDK_DISABLED: ["yes"],
        OTEL_EXPORTER_OTLP_ENDPOINT: ["localhost:4318", "ftp://a", "http://", "http:// x",
            "http://user:secret@localhost:4318"],
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ["/v1/traces"],
        OTEL_EXPORTER_OTLP_PROTOCOL: ["grpc", "http/protobuf"],
        OTEL_EXPORTER_OTLP_COMPRESSION: ["zstd", "deflate", "gzip,none"],
        OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: ["brotli"],
        OTEL_EXPORTER_OTLP_CERTIFICATE: ["/no/such/file.pem"],
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: ["/no/such/file.pem"],
        OTEL_EXPORTER_OTLP_CLIENT_KEY: ["/no/such/file.pem", process.env.MATCHING_BINARY],
        OTEL_EXPORTER_OTLP_HEADERS: ["secret", "=secret", "a=secret%0a", "a=secret%4", "a b=secret"],
        OTEL_EXPORTER_OTLP_TIMEOUT: ["0", "-1", "1s", "99999999999999999999"],
        OTEL_RESOURCE_ATTRIBUTES: ["a"],
        OTEL_TRACES_SAMPLER: ["sometimes", "parentbased"],
        OTEL_TRACES_SAMPLER_ARG: ["1.1", "-0.1", "nan", "half", "0.5x"],
        OTEL_BSP_MAX_QUEUE_SIZE: ["0", "1"],
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: ["0", "9"],
        OTEL_BSP_SCHEDULE_DELAY: ["soon"],
        OTEL_BSP_EXPORT_TIMEOUT: ["0"],
    };
    const usual = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_BSP_MAX_QUEUE_SIZE: "8" };
    for (const [name, values] of Object.entries(bad)) {
        for (const value of values) {
            const { status, stderr } = checkConfig({ ...usual, [name]: value });
            assert.equal(status, 2, `${name}=${value}`);
            assert.ok(stderr.startsWith(`matching: ${name} `), `${name}=${value}: ${stderr}`);
            assert.ok(!stderr.includes("secret"));
            // Where nobody wants traces it does not matter, but for what says whether one does.
            const off = checkConfig({ ...usual, OTEL_TRACES_EXPORTER: "none", [name]: value });
            const decides = name === "OTEL_TRACES_EXPORTER" || name === "OTEL_SDK_DISABLED";
            assert.equal(off.status, decides ? 2 : 0, `${name}=${value} while off`);
        }
    }
});

test("it is off unless it is asked for", async () => {
    for (const env of [
        { OTEL_TRACES_EXPORTER: "" },
        { OTEL_TRACES_EXPORTER: "none" },
        { OTEL_SDK_DISABLED: "TRUE" },
    ]) {
        const collector = await withTraces(env, async (server) => {
            await place(server);
            assert.equal(await metric(server, "matching_spans_total"), 0);
        });
        assert.equal(collector.requests.length, 0);
    }
});
