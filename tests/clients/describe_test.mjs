// The documents that describe the REST and the JSON-RPC door, and the doors held to them.
//
// Public validators check the documents themselves. Then requests are made from them, good and bad ones,
// and every answer has to be one that the document tells of. Nothing here knows a call by itself.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { jsonSchema } from "@json-schema-tools/meta-schema";
import { openrpcDocument } from "@open-rpc/meta-schema";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { DEADLINE_MS, withServer } from "./server.mjs";
import { Random, badTexts, badValues, goodValue, isThere, learn } from "./schema_values.mjs";

const SEED = 9;
const ROUNDS = 40; // good requests of each call
const NOT_OF_A_GOOD_REQUEST = ["INVALID_JSON", "INVALID_MESSAGE", "MISSING_FIELD", "INVALID_SIDE",
    "INVALID_TRADER", "INVALID_ORDER_TYPE", "UNKNOWN_TYPE"];

const page = (name) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const show = (value) => JSON.stringify(value);

// Schemas of one document by their JSON pointers.
class Schemas {
    constructor(document) {
        this.document = document;
        this.ajv = new Ajv2020({ strict: false, allErrors: true });
        addFormats.default(this.ajv);
        this.ajv.addSchema({ ...document, $id: "document" });
        this.compiled = new Map();
    }

    at(...path) {
        const pointer = path
            .map((part) => String(part).replaceAll("~", "~0").replaceAll("/", "~1"))
            .map(encodeURIComponent)
            .join("/");
        if (!this.compiled.has(pointer))
            this.compiled.set(pointer, this.ajv.compile({ $ref: `document#/${pointer}` }));
        return this.compiled.get(pointer);
    }

    // The place that a reference leads to, or the one given.
    resolve(path) {
        const found = path.reduce((at, part) => at[part], this.document);
        return found.$ref ? this.resolve(found.$ref.replace(/^#\//, "").split("/")) : [found, path];
    }

    check(value, what, ...path) {
        const validate = this.at(...path);
        assert.ok(validate(value), `${what}: ${show(value)}: ${show(validate.errors)}`);
    }
}

// Rounds of good requests: more of them while there are calls that have not been served yet.
function goesOn(round, served) {
    return round < ROUNDS || (round < 5 * ROUNDS && [...served.values()].includes(0));
}

async function ask(address, method, path, body, headers = {}) {
    const answer = await fetch(`http://${address}${path}`, {
        method,
        headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type") === "application/json" && text !== "";
    return { status: answer.status, headers: answer.headers, text, body: isJson && JSON.parse(text) };
}

async function rpc(address, method, params) {
    const call = { jsonrpc: "2.0", id: 1, method, params };
    const answer = await ask(address, "POST", "/", call);
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
}

// ---- OpenAPI ----------------------------------------------------------------------------------------

// One call of the document: makes requests, and judges what answers them.
class Operation {
    constructor(schemas, path, method) {
        this.schemas = schemas;
        this.path = path;
        this.method = method;
        this.at = ["paths", path, method];
        [this.told] = schemas.resolve(this.at);
        this.parameters = this.told.parameters
            .map((_, index) => schemas.resolve([...this.at, "parameters", String(index)]))
            .map(([parameter, at]) => ({ ...parameter, suits: schemas.at(...at, "schema") }));
        this.bodyAt = [...this.at, "requestBody", "content", "application/json", "schema"];
        this.body = this.told.requestBody?.content["application/json"].schema;
        this.suits = this.body && schemas.at(...this.bodyAt);
    }

    bodySuits(name) {
        return this.schemas.at(...this.bodyAt, "properties", name);
    }

    goodBody(random) {
        for (let tries = 0; tries < 200; tries++) {
            const body = {};
            for (const [name, schema] of Object.entries(this.body.properties)) {
                if (this.body.required.includes(name) || isThere(random, name))
                    body[name] = goodValue(random, name, schema, this.bodySuits(name));
            }
            if (this.suits(body)) return body;
        }
        throw new Error(`no body for ${this.method} ${this.path}`);
    }

    good(random) {
        const request = { values: {}, body: this.body && this.goodBody(random) };
        for (const { name, required, schema, suits } of this.parameters)
            if (required || isThere(random, name))
                request.values[name] = goodValue(random, name, schema, suits);
        return request;
    }

    // Each with one thing wrong, and what that is.
    *bad(random) {
        for (const { name, in: place, required, schema, suits } of this.parameters) {
            if (place === "header") continue; // left out of the answer, never refused
            for (const value of badTexts(schema, suits))
                if (place === "query" || value !== "") {
                    const request = this.good(random);
                    request.values[name] = value;
                    yield [request, `${name}=${value}`];
                }
            if (required && place === "query") {
                const request = this.good(random);
                delete request.values[name];
                yield [request, `no ${name}`];
            }
        }
        for (const name of Object.keys(this.body?.properties ?? {})) {
            for (const value of badValues(this.bodySuits(name))) {
                const request = this.good(random);
                if (name === "order_type") delete request.body.type; // which would count instead
                // A market order's price means nothing, so it is refused in no way.
                if (name === "price") ["type", "order_type"].forEach((each) => delete request.body[each]);
                request.body[name] = value;
                yield [request, `${name}: ${show(value)}`];
            }
            const request = this.good(random);
            delete request.body[name];
            if (!this.suits(request.body)) yield [request, `no ${name}`];
        }
        if (this.body)
            for (const body of [[], 5, "x", null, true])
                yield [{ values: this.good(random).values, body }, `a body ${show(body)}`];
    }

    async ask(address, { values, body }, method = this.method) {
        const query = new URLSearchParams();
        const headers = {};
        let path = this.path;
        for (const { name, in: place } of this.parameters) {
            if (!(name in values)) continue;
            if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(values[name]));
            else if (place === "query") query.set(name, values[name]);
            else headers[name] = values[name];
        }
        const target = query.size > 0 ? `${path}?${query}` : path;
        const answer = await ask(address, method.toUpperCase(), target, body, headers);
        answer.what = `${method} ${target} ${show(body) ?? ""}: ${answer.status} ${answer.text}`;
        return answer;
    }

    // Is it an answer that the document tells of?
    check(answer) {
        const { status, headers, body, what } = answer;
        assert.ok(String(status) in this.told.responses, what);
        const [response, at] = this.schemas.resolve([...this.at, "responses", String(status)]);
        const type = headers.get("content-type");
        const told = Object.keys(response.content).find((each) => type.startsWith(each));
        assert.ok(told, `${what}: ${type}`);
        if (told === "application/json")
            this.schemas.check(body, what, ...at, "content", told, "schema");
        if ([429, 503].includes(status) && body.code !== "INTERNAL_ERROR")
            assert.ok(headers.get("retry-after"), what);
    }
}

function operationsOf(schemas) {
    return Object.entries(schemas.document.paths).flatMap(([path, calls]) =>
        Object.keys(calls).map((method) => new Operation(schemas, path, method)),
    );
}

async function openapi(server) {
    const { body } = await ask(server.http, "GET", "/openapi.json");
    return new Schemas(body);
}

test("openapi.json is OpenAPI 3.1, and has the calls of docs/rest.md", async () => {
    await withServer({}, async (server) => {
        const { document } = await openapi(server);
        const validator = new Validator();
        const { valid, errors } = await validator.validate(document);
        assert.ok(valid, show(errors));
        assert.equal(validator.version, "3.1");
        const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
            Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
        );
        const named = [...page("rest.md").matchAll(/^\| `((?:GET|POST|PATCH|DELETE) [^`]+)` \|/gm)];
        const written = named.map(([, call]) => call.replace("{id}", "{order_id}"));
        assert.deepEqual(calls.sort(), [...new Set(written)].sort());
        assert.equal(document["x-limits"].max_body_bytes, 65536);
    });
});

test("good requests of openapi.json are understood, and answered as it says", async () => {
    await withServer({}, async (server) => {
        const random = new Random(SEED);
        const operations = operationsOf(await openapi(server));
        const served = new Map(operations.map((operation) => [operation, 0]));
        for (let round = 0; goesOn(round, served); round++)
            for (const operation of operations) {
                const request = operation.good(random);
                const answer = await operation.ask(server.http, request);
                operation.check(answer);
                assert.ok(!NOT_OF_A_GOOD_REQUEST.includes(answer.body?.code), answer.what);
                const id = request.values["X-Request-Id"] ?? null;
                assert.equal(answer.headers.get("x-request-id"), id, answer.what);
                if (answer.body?.status === "open") learn("order_id", answer.body.order_id);
                served.set(operation, served.get(operation) + (answer.status === 200));
            }
        for (const [{ method, path }, count] of served)
            assert.ok(count > 0, `${method} ${path} was never served, seed ${SEED}`);
    });
});

test("bad requests of openapi.json are refused as it says", async () => {
    await withServer({}, async (server) => {
        const random = new Random(SEED);
        let count = 0;
        for (const operation of operationsOf(await openapi(server)))
            for (const [request, wrong] of operation.bad(random)) {
                const answer = await operation.ask(server.http, request);
                assert.ok(answer.status >= 400 && answer.status < 500, `${wrong}: ${answer.what}`);
                operation.check(answer);
                count++;
            }
        assert.ok(count > 300, `only ${count} bad requests`);
    });
});

test("HEAD, OPTIONS, other methods and other parameters", async () => {
    await withServer({}, async (server) => {
        const random = new Random(SEED);
        const schemas = await openapi(server);
        for (const operation of operationsOf(schemas)) {
            const { method, path } = operation;
            const calls = Object.keys(schemas.document.paths[path]).map((each) => each.toUpperCase());
            const allowed = [...calls, ...(calls.includes("GET") ? ["HEAD"] : []), "OPTIONS"].sort();
            const request = { values: operation.good(random).values };
            const options = await operation.ask(server.http, request, "OPTIONS");
            const put = await operation.ask(server.http, { ...request, body: {} }, "PUT");
            for (const [answer, status] of [[options, 204], [put, 405]]) {
                assert.equal(answer.status, status, answer.what);
                assert.deepEqual(answer.headers.get("allow").split(", ").sort(), allowed, answer.what);
            }
            if (method === "get") {
                const got = await operation.ask(server.http, request);
                const head = await operation.ask(server.http, request, "HEAD");
                assert.deepEqual([head.status, head.text], [got.status, ""], head.what);
            }
            const takesAny = !("400" in operation.told.responses);
            const surplus = { ...operation.good(random) };
            const parameter = { name: "no_such", in: "query" };
            surplus.values = { ...surplus.values, no_such: 1 };
            operation.parameters = [...operation.parameters, parameter];
            const answer = await operation.ask(server.http, surplus);
            if (!takesAny)
                assert.deepEqual([answer.status, answer.body.code, answer.body.field],
                    [400, "INVALID_PARAMETER", "no_such"], answer.what);
        }
    });
});

// ---- OpenRPC ----------------------------------------------------------------------------------------

class Method {
    constructor(schemas, index) {
        this.schemas = schemas;
        this.at = ["methods", String(index)];
        [this.told] = schemas.resolve(this.at);
        this.name = this.told.name;
        this.params = this.told.params.map((param, at) => ({
            ...param,
            suits: schemas.at(...this.at, "params", at, "schema"),
        }));
        this.codes = this.told.errors.map((_, at) =>
            schemas.resolve([...this.at, "errors", String(at)])[0].code);
    }

    good(random) {
        const params = {};
        for (const { name, required, schema, suits } of this.params)
            if (required || isThere(random, name))
                params[name] = goodValue(random, name, schema, suits);
        return params;
    }

    *bad(random) {
        for (const { name, required, suits } of this.params) {
            if (this.name === "execute" && name !== "command") continue; // what its command needs
            for (const value of badValues(suits)) {
                const params = this.good(random);
                if (name === "order_type") delete params.type; // as above, and the next
                if (name === "price") ["type", "order_type"].forEach((each) => delete params[each]);
                params[name] = value;
                yield [params, `${name}: ${show(value)}`];
            }
            if (required) {
                const params = this.good(random);
                delete params[name];
                yield [params, `no ${name}`];
            }
        }
    }

    check(params, answer) {
        const what = `${this.name} ${show(params)}: ${show(answer)}`;
        if ("result" in answer) {
            this.schemas.check(answer.result, what, ...this.at, "result", "schema");
        } else {
            assert.ok(this.codes.includes(answer.error.code), what);
            this.schemas.check(answer.error.data, what, "components", "schemas", "ErrorData");
        }
        return what;
    }
}

async function openrpc(server) {
    const { result } = await rpc(server.jsonrpc, "rpc.discover");
    const schemas = new Schemas(result);
    return [schemas, result.methods.map((_, index) => new Method(schemas, index))];
}

test("rpc.discover is OpenRPC, and has the methods of docs/jsonrpc.md", async () => {
    await withServer({}, async (server) => {
        const [{ document }, methods] = await openrpc(server);
        const ajv = new Ajv({ strict: false });
        addFormats.default(ajv);
        // They name a dialect of their own, which is draft 7, and write its address in two ways.
        const [dialect, openrpcSchema] = [jsonSchema, openrpcDocument].map((schema) => {
            const text = JSON.stringify({ ...schema, $schema: undefined });
            return JSON.parse(text.replaceAll(/https:\/\/meta\.json-schema\.tools\/?/g, "dialect:schema"));
        });
        ajv.addSchema(dialect);
        const validate = ajv.compile(openrpcSchema);
        assert.ok(validate(document), show(validate.errors));
        const written = [...page("jsonrpc.md").matchAll(/^\| `([a-z_.]+)` \|/gm)].map(([, name]) => name);
        assert.deepEqual(methods.map(({ name }) => name).sort(), [...new Set(written)].sort());
        assert.equal(document.info["x-limits"].max_batch, 100);
    });
});

test("good calls of rpc.discover are understood, and answered as it says", async () => {
    await withServer({}, async (server) => {
        const random = new Random(SEED);
        const [, methods] = await openrpc(server);
        const served = new Map(methods.map(({ name }) => [name, 0]));
        for (let round = 0; goesOn(round, served); round++)
            for (const method of methods) {
                const params = method.good(random);
                const answer = await rpc(server.jsonrpc, method.name, params);
                const what = method.check(params, answer);
                assert.notEqual(answer.error?.data.code, "INVALID_MESSAGE", what);
                if (answer.result?.status === "open") learn("order_id", answer.result.order_id);
                served.set(method.name, served.get(method.name) + ("result" in answer));
            }
        served.delete("admin_snapshot"); // nothing is kept on disk here
        for (const [name, count] of served)
            assert.ok(count > 0, `${name} was never served, seed ${SEED}`);
    });
});

test("bad calls of rpc.discover are refused as it says", async () => {
    await withServer({}, async (server) => {
        const random = new Random(SEED);
        let count = 0;
        const [, methods] = await openrpc(server);
        for (const method of methods)
            for (const [params, wrong] of method.bad(random)) {
                const answer = await rpc(server.jsonrpc, method.name, params);
                const what = method.check(params, answer);
                assert.ok("error" in answer, `${wrong}: ${what}`);
                count++;
            }
        assert.ok(count > 300, `only ${count} bad calls`);
    });
});
