// The client of sbe_client.py in JavaScript: shows the instruments, logs on as alice, lets her sell
// to bob, prints what comes.
//
//     npm install --no-save ws && node sbe_client.mjs [URL [SCHEMA]]        (ws://127.0.0.1:9001/)
//
// All that it knows of the bytes it reads from the schema, matching-sbe.xml, when it starts. Node
// brings a WebSocket of its own from version 22 on; elsewhere the package `ws` has the same one.

import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SCHEMA = new URL("../../transports/sbe/schema/matching-sbe.xml", import.meta.url);
const HEADER_BYTES = 8; // blockLength, templateId, schemaId, version

// Bytes, the DataView functions' ending, and the null of each primitive type. What has 64 bits is a
// BigInt throughout.
const PRIMITIVES = {
    char: { bytes: 1 },
    int8: { bytes: 1, view: "Int8" },
    uint8: { bytes: 1, view: "Uint8", null: 255 },
    uint16: { bytes: 2, view: "Uint16", null: 65535 },
    uint32: { bytes: 4, view: "Uint32", null: 2 ** 32 - 1 },
    uint64: { bytes: 8, view: "BigUint64", null: 2n ** 64n - 1n },
    int64: { bytes: 8, view: "BigInt64", null: -(2n ** 63n) },
    double: { bytes: 8, view: "Float64" },
};

// ---- The schema ---------------------------------------------------------------------------------

// Elements as { tag, attributes, children, text }: enough of XML for a schema.
function parseXml(text) {
    const root = { children: [] };
    const open = [root];
    const tags = /<(\/?)([\w:]+)((?:\s+[\w:]+="[^"]*")*)\s*(\/?)>([^<]*)/g;
    const found = text.replace(/<!--.*?-->/gs, "").matchAll(tags);
    for (const [, closing, tag, words, empty, behind] of found) {
        if (closing) {
            open.pop();
            continue;
        }
        const attributes = {};
        for (const [, name, value] of words.matchAll(/([\w:]+)="([^"]*)"/g)) {
            attributes[name] = value;
        }
        const element = { tag, attributes, children: [], text: behind.trim() };
        open.at(-1).children.push(element);
        if (!empty) open.push(element);
    }
    return root.children[0];
}

// "0.5" and -8 to 50000000n, and back.
function toMantissa(value, exponent) {
    const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? [];
    if (whole === undefined || part.length > -exponent) {
        throw new RangeError(`not a number of ${-exponent} decimals: ${value}`);
    }
    return BigInt(sign + whole + part.padEnd(-exponent, "0"));
}

function fromMantissa(mantissa, exponent) {
    const digits = String(mantissa < 0n ? -mantissa : mantissa).padStart(1 - exponent, "0");
    const part = digits.slice(exponent).replace(/0+$/, "");
    return (mantissa < 0n ? "-" : "") + digits.slice(0, exponent) + (part && `.${part}`);
}

// How the values of a type are stored, and what they mean.
class Type {
    constructor(primitive, { tag, attributes = {}, children = [] } = {}, exponent) {
        this.primitive = PRIMITIVES[primitive];
        this.isText = primitive === "char";
        this.isBig = /64$/.test(primitive);
        this.length = Number(attributes.length ?? 1);
        this.optional = attributes.presence === "optional" || tag === "enum";
        this.null = this.primitive.null;
        if (attributes.nullValue !== undefined) this.null = this.#integer(attributes.nullValue);
        this.exponent = exponent; // of a decimal
        this.isSet = tag === "set";
        this.names = new Map(); // of an enum: number to name; of a set: bit to name
        for (const child of children) this.names.set(Number(child.text), child.attributes.name);
    }

    #integer(value) {
        return this.isBig ? BigInt(value) : Number(value);
    }

    write(view, offset, value) {
        if (this.isText) {
            const text = value ?? "";
            if (text.length > this.length) throw new RangeError(`too long: ${text}`);
            for (let i = 0; i < text.length; i++) view.setUint8(offset + i, text.charCodeAt(i));
        } else if (this.length === 1) {
            view[`set${this.primitive.view}`](offset, this.#number(value), true);
        } // else padding, which is zero
    }

    #number(value) {
        if (value === undefined || value === null) {
            return this.optional ? this.null : this.#integer(0);
        }
        if (this.exponent !== undefined) return toMantissa(value, this.exponent);
        if (Array.isArray(value)) {
            const bits = [...this.names].map(([bit, name]) => value.includes(name) << bit);
            return bits.reduce((sum, bit) => sum | bit, 0);
        }
        for (const [number, name] of this.names) if (name === value) return number;
        if (!this.isBig && Number.isNaN(Number(value))) throw new RangeError(`unknown: ${value}`);
        return this.#integer(value);
    }

    read(view, offset) {
        if (this.isText) {
            const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, this.length);
            return String.fromCharCode(...bytes).replace(/\0+$/, "");
        }
        const value = view[`get${this.primitive.view}`](offset, true);
        if (this.optional && value === this.null) return null;
        if (this.exponent !== undefined) return fromMantissa(value, this.exponent);
        if (this.isSet) {
            return [...this.names].filter(([bit]) => (value >> bit) & 1).map(([, name]) => name);
        }
        return this.names.get(value) ?? value;
    }
}

// Messages as objects to bytes and back. An absent or null value is null.
export class Schema {
    constructor(path = SCHEMA) {
        const root = parseXml(readFileSync(path, "utf8"));
        const types = new Map(Object.keys(PRIMITIVES).map((name) => [name, new Type(name)]));
        this.id = Number(root.attributes.id);
        this.version = Number(root.attributes.version);
        this.messages = new Map(); // by name and by template id
        for (const element of root.children.find(({ tag }) => tag === "types").children) {
            types.set(element.attributes.name, Schema.#type(element));
        }
        for (const { tag, attributes, children } of root.children) {
            if (tag !== "sbe:message") continue;
            const fields = children.map(({ attributes: { name, offset, type } }) => (
                { name, offset: Number(offset), type: types.get(type) }));
            const message = {
                name: attributes.name,
                id: Number(attributes.id),
                blockLength: Number(attributes.blockLength),
                fields,
            };
            this.messages.set(message.name, message).set(message.id, message);
        }
    }

    static #type(element) {
        if (element.tag !== "composite") {
            const { primitiveType, encodingType } = element.attributes;
            return new Type(primitiveType ?? encodingType, element);
        }
        const exponent = element.children.find(({ attributes }) => attributes.name === "exponent");
        const [first] = element.children;
        return new Type(first.attributes.primitiveType, first, exponent && Number(exponent.text));
    }

    encode(name, values) {
        const { id, blockLength, fields } = this.messages.get(name);
        const bytes = new Uint8Array(HEADER_BYTES + blockLength);
        const header = new DataView(bytes.buffer);
        const block = new DataView(bytes.buffer, HEADER_BYTES);
        const unknown = new Set(Object.keys(values));
        header.setUint16(0, blockLength, true);
        header.setUint16(2, id, true);
        header.setUint16(4, this.id, true);
        header.setUint16(6, this.version, true);
        for (const field of fields) {
            field.type.write(block, field.offset, values[field.name]);
            unknown.delete(field.name);
        }
        if (unknown.size > 0) throw new RangeError(`${name} has no ${[...unknown]}`);
        return bytes;
    }

    // Each message of a frame: its name and its values. Longer blocks than the schema has, and
    // messages that it does not have, are of a newer version; what is not known is skipped.
    *decode(frame) {
        const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
        for (let at = 0; at < frame.byteLength; at += HEADER_BYTES + view.getUint16(at, true)) {
            const message = this.messages.get(view.getUint16(at + 2, true));
            if (message === undefined) continue;
            const values = {};
            for (const { name, offset, type } of message.fields) {
                if (name.startsWith("padding")) continue;
                values[name] = type.read(view, at + HEADER_BYTES + offset);
            }
            yield [message.name, values];
        }
    }
}

// ---- The conversation ---------------------------------------------------------------------------

function printMessage(direction, name, values) {
    const words = Object.entries(values)
        .filter(([, value]) => value !== null && value !== "" && value?.length !== 0)
        .map(([field, value]) => `${field}=${Array.isArray(value) ? value.join("+") : value}`);
    console.log([direction, name, ...words].join(" "));
}

async function talk(url, schema) {
    const Socket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
    return new Promise((resolve) => {
        const socket = new Socket(url);
        socket.binaryType = "arraybuffer";
        const late = "nothing more came within 10 seconds";
        const deadline = setTimeout(() => end(false, late), 10_000);
        const wanted = new Set(["New 1", "New 2", "Trade 1", "TradeExact"]);
        let instrumentId;

        function end(success, problem) {
            clearTimeout(deadline);
            socket.close();
            if (problem) console.error(`sbe_client: ${problem}`);
            resolve(success);
        }

        // Several messages may share a frame.
        function send(...messages) {
            const parts = messages.map(([name, values]) => {
                printMessage(">", name, values);
                return schema.encode(name, values);
            });
            socket.send(Buffer.concat(parts));
        }

        function sendOrders() {
            const channels = ["Trades", "Book", "TradesExact"];
            const order = {
                instrumentId,
                orderType: "Limit",
                timeInForce: "GoodTillCancelled",
                price: "50000",
                quantity: "0.5",
            };
            send(
                ["Subscribe", { instrumentId, action: "Subscribe", channels }],
                ["NewOrder", { clientOrderId: 1, side: "Sell", ...order }],
                ["NewOrder", { clientOrderId: 2, traderId: "bob", side: "Buy", ...order }],
            );
        }

        socket.onopen = () => send(["Logon", { traderId: "alice" }]);
        socket.onerror = () => end(false, `cannot connect to ${url}, or the connection broke`);
        socket.onclose = () => end(false);
        socket.onmessage = ({ data }) => {
            for (const [name, values] of schema.decode(new Uint8Array(data))) {
                printMessage("<", name, values);
                if (name === "Reject") return end(false);
                if (name === "Instrument") instrumentId ??= values.id;
                else if (name === "Heartbeat") sendOrders();
                else if (name !== "ExecutionReport") wanted.delete(name);
                else wanted.delete(`${values.execType} ${values.clientOrderId}`);
            }
            if (wanted.size === 0) end(true);
        };
    });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
    const [, , url = "ws://127.0.0.1:9001/", schema] = process.argv;
    if (!(await talk(url, new Schema(schema)))) process.exitCode = 1;
}
