// The small client of ../ws_client.c in JavaScript: subscribes to the trades, lets alice sell to
// bob, prints what comes.
//
//     npm install --no-save ws && node ws_client.mjs [URL]        (ws://127.0.0.1:9090/ws)
//
// It also runs in a browser: open the service's page (http://127.0.0.1:8080/), open the console,
// and paste all of this. Browsers, and Node from version 22 on, bring a WebSocket of their own;
// elsewhere the package `ws` has the same one.

const url = globalThis.process?.argv?.[2] ?? "ws://127.0.0.1:9090/ws";
const Socket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

// The next message is sent when the last one is answered: the answer carries its id.
const conversation = [
    { type: "subscribe", channels: ["trades"], id: 1 },
    { type: "limit_order", trader_id: "alice", side: "sell", price: 50000, quantity: 0.5, id: 2 },
    { type: "limit_order", trader_id: "bob", side: "buy", price: 50000, quantity: 0.5, id: 3 },
];

const tradeSeen = await new Promise((resolve) => {
    const socket = new Socket(url);
    const deadline = setTimeout(() => end(false, "nothing more came within 10 seconds"), 10_000);

    function end(success, problem) {
        clearTimeout(deadline);
        socket.close();
        if (problem) console.error(`ws_client: ${problem}`);
        resolve(success);
    }

    function sendNext() {
        if (conversation.length === 0) return;
        const text = JSON.stringify(conversation.shift());
        console.log(`> ${text}`);
        socket.send(text);
    }

    socket.onopen = sendNext;
    socket.onerror = () => end(false, `cannot connect to ${url}, or the connection broke`);
    socket.onclose = () => end(false);
    socket.onmessage = ({ data }) => {
        console.log(`< ${data}`);
        const message = JSON.parse(data);
        if (message.type === "error") end(false);
        else if (message.type === "trade") end(true);
        else if (message.id !== undefined) sendNext();
    };
});

if (globalThis.process && !tradeSeen) process.exitCode = 1;
