// examples/clients/sbe_client.mjs against the golden messages: what it encodes, what it decodes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { Schema } from "../../../examples/clients/sbe_client.mjs";

const read = (name) => readFileSync(new URL(`golden/${name}`, import.meta.url), "utf8");
const lines = read("messages.txt").split("\n").filter((line) => line && !line.startsWith("#"));
const golden = new Map(lines.map((line) => line.split(" ")));
const rows = JSON.parse(read("values.json"));
const schema = new Schema();

const kindsOf = (message) => {
    const { fields } = schema.messages.get(message);
    return new Map(fields.map(({ name, type }) => [name, type]));
};

// As a user of the client gives it: a mantissa of values.json is a decimal.
function toValue(type, text) {
    if (text === null || type.isText) return text;
    if (type.exponent === undefined) return type.isBig ? BigInt(text) : Number(text);
    const [, sign, digits] = /^(-?)(.*)$/.exec(text);
    const padded = digits.padStart(9, "0");
    const part = padded.slice(-8).replace(/0+$/, "");
    return sign + padded.slice(0, -8) + (part && `.${part}`);
}

test("every message is encoded", () => {
    assert.equal(rows.length, golden.size);
    for (const [name, message, texts] of rows) {
        const kinds = kindsOf(message);
        const values = Object.fromEntries(
            Object.entries(texts).map(([field, text]) => [field, toValue(kinds.get(field), text)]),
        );
        const encoded = Buffer.from(schema.encode(message, values));
        assert.equal(encoded.toString("hex"), golden.get(name), name);
    }
});

test("every message is decoded", () => {
    const frame = Buffer.from(rows.map(([name]) => golden.get(name)).join(""), "hex");
    const decoded = [...schema.decode(frame)];
    assert.deepEqual(decoded.map(([message]) => message), rows.map(([, message]) => message));
    decoded.forEach(([message, got], i) => {
        const [name, , texts] = rows[i];
        const kinds = kindsOf(message);
        assert.deepEqual(Object.keys(got).sort(), Object.keys(texts).sort(), name);
        for (const [field, text] of Object.entries(texts)) {
            const type = kinds.get(field);
            let wanted = toValue(type, text);
            if (type.isSet) {
                const bits = wanted;
                const chosen = [...type.names].filter(([bit]) => (bits >> bit) & 1);
                wanted = chosen.map(([, word]) => word);
            } else if (wanted !== null && type.names.size > 0) {
                wanted = type.names.get(wanted);
            }
            assert.deepEqual(got[field], wanted, `${name}.${field}`);
        }
    });
});

test("words are numbers", () => {
    const words = schema.encode("NewOrder", {
        side: "Sell", orderType: "StopLimit", timeInForce: "FillOrKill", quantity: "0.5",
        flags: ["PostOnly", "SelfTradeCancelMaker"],
    });
    const numbers = schema.encode("NewOrder", {
        side: 1, orderType: 3, timeInForce: 2, quantity: 0.5, flags: 5,
    });
    assert.deepEqual(words, numbers);
    assert.deepEqual([...words.slice(8 + 28, 8 + 32)], [1, 3, 2, 5]);
    assert.throws(() => schema.encode("NewOrder", { side: "Left" }), RangeError);
    assert.throws(() => schema.encode("NewOrder", { price: "0.000000001" }), RangeError);
    assert.throws(() => schema.encode("Heartbeat", { time: 1 }), RangeError);
    assert.throws(() => schema.encode("Logon", { traderId: "x".repeat(33) }), RangeError);
});

test("what a newer version added is skipped", () => {
    const heartbeat = Buffer.from(golden.get("heartbeat"), "hex");
    const longer = Buffer.concat([heartbeat, Buffer.alloc(22)]);
    longer.writeUInt16LE(30, 0);
    const unknown = Buffer.from("0300630001000100aabbcc", "hex");
    const frame = Buffer.concat([longer, unknown, heartbeat]);
    const message = ["Heartbeat", { timestamp: 1700000000987654321n }];
    assert.deepEqual([...schema.decode(frame)], [message, message]);
});
