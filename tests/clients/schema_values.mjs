// Values that suit a JSON Schema, and values that do not, for requests made from a document.
//
// Seeded, so that a failure can be had again. What a schema says decides; the hints only make it likelier
// that a value means something to the service.

// mulberry32: one of the small generators that are good enough for tests.
export class Random {
    constructor(seed) {
        this.state = seed >>> 0;
    }

    // From 0 to below 1.
    fraction() {
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        let t = this.state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    }

    below(end) {
        return Math.floor(this.fraction() * end);
    }

    chance(probability) {
        return this.fraction() < probability;
    }

    pick(list) {
        return list[this.below(list.length)];
    }
}

const HINTS = {
    symbol: ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
    trader_id: ["ann", "bob", "carol"],
    side: ["buy", "sell", "BUY", "Sell", "b", "S"],
    price: [100, "100.5", 99.5, "1e2", 101],
    stop_price: [100, "90", 110.25],
    quantity: [1, "0.5", 2.25, "3"],
    display_quantity: [0.5, "1"],
    order_id: [1, 2, 3, 5, 8, 13],
    client_order_id: ["a", "b-1", "c 2"],
    time_in_force: ["GTC", "IOC", "FOK"],
    type: ["limit", "market", "limit", "LIMIT"],
    order_type: ["limit"],
    expire_time: [4102444800000],
    tick_size: ["0.01", 0.5],
    lot_size: ["0.001", 1],
    state: ["trading", "trading", "trading", "auction", "halted"],
    after: [0, 1, 2],
    from: [0, 1],
    to: [4102444800],
    command: ["LimitOrder", "MarketOrder", "CancelOrder"],
    post_only: [false],
};
const SHARES = { side: 0.9, quantity: 0.9, price: 0.7, trader_id: 0.4, stop_price: 0.2 };

// Is a member that may be left out to be there this time?
export function isThere(random, name) {
    return random.chance(SHARES[name] ?? 0.15);
}

// From now on this value is likely, and so are the few that were learned last.
export function learn(name, value) {
    HINTS[name] = [value, ...HINTS[name]].slice(0, 4);
}

const SYMBOL_LETTERS = "ABCXYZ019._-";
const TEXT_LETTERS = "abcXYZ019!#%&/()=?+~";

function text(random, schema) {
    const { minLength = 1, maxLength = 16 } = schema;
    const letters = schema.pattern?.includes("A-Z0-9") ? SYMBOL_LETTERS : TEXT_LETTERS;
    const length = minLength + random.below(maxLength - minLength + 1);
    return Array.from({ length }, () => random.pick([...letters])).join("");
}

function anyValue(random, schema) {
    if (schema.anyOf) return anyValue(random, random.pick(schema.anyOf));
    if (schema.enum) return random.pick(schema.enum);
    switch (schema.type) {
        case "integer": {
            const { minimum = 0, maximum = 1000 } = schema;
            return random.pick([minimum, minimum + 1, Math.min(maximum, 50), maximum]);
        }
        case "number":
            return random.pick([0.00000001, 0.25, 1, 1000000, schema.maximum ?? 5]);
        case "boolean":
            return random.chance(0.5);
        default:
            return schema.pattern?.startsWith("^[0-9]") ? "12.5" : text(random, schema);
    }
}

// suits(value) tells whether the schema takes a value.
export function goodValue(random, name, schema, suits) {
    for (let tries = 0; tries < 100; tries++) {
        const hinted = HINTS[name] && random.chance(0.8);
        const value = hinted ? random.pick(HINTS[name]) : anyValue(random, schema);
        if (suits(value)) return value;
    }
    throw new Error(`no value for ${name}: ${JSON.stringify(schema)}`);
}

const ODD = [
    "", " ", "x", "-1", "0", "1.5", "abc", "a b", "\u00e4", "y".repeat(100), "true",
    0, -1, 1.5, 7, 9007199254740992, 1e30, true, [], {}, [1], { a: 1 },
];

// All of the odd values that the schema refuses. Null is left out: it counts as no value at all.
export function badValues(suits) {
    return ODD.filter((value) => !suits(value));
}

// The same for what a path or a query says, where all is text.
export function badTexts(schema, suits) {
    const isText = schema.type === "string";
    return badValues(suits)
        .filter((value) => typeof value !== "object" && (!isText || typeof value === "string"))
        .filter((value) => isText || String(value).trim() === "" || !suits(Number(value)));
}
