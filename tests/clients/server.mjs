// Starts the program for a test and ends exactly that process.
//
// The binary is named by the variable MATCHING_BINARY. It listens on free ports of 127.0.0.1 and,
// unless it is given a data directory, keeps everything in memory. Nothing here waits without a
// deadline.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Generous, for builds with sanitizers on busy machines; reaching it is always a failure.
export const DEADLINE_MS = 30_000;

// Little memory, so that many of these can run. One shard: order ids are 1, 2, 3, ….
const SMALL = `
[engine]
shards = {shards}
max_orders = 65536
max_traders = 4096
event_ring_size = 65536
`;

export function withDeadline(promise, what, ms = DEADLINE_MS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Resolves with { websocket, http, jsonrpc, socketio: "127.0.0.1:PORT", stop, kill }. `config` is TOML that
// follows the settings above, so it goes on with [engine] or starts with a section. `dataDir` is the
// test's to remove.
export async function startServer({ shards = 1, config = "", dataDir, env = {}, stderr } = {}) {
    const binary = process.env.MATCHING_BINARY;
    if (!binary) throw new Error("MATCHING_BINARY must name the program to test");
    const folder = await mkdtemp(join(tmpdir(), "matching-test-"));
    const file = join(folder, "matching.toml");
    await writeFile(file, SMALL.replace("{shards}", String(shards)) + config);
    const child = spawn(
        binary,
        [
            "all",
            ...(dataDir === undefined ? ["--in-memory"] : ["--data-dir", dataDir]),
            "--config",
            file,
            "--ws-port",
            "0",
            "--http-port",
            "0",
            "--rpc-port",
            "0",
            "--sbe-port",
            "0",
            "--socketio-port",
            "0",
        ],
        { stdio: ["ignore", "pipe", stderr ?? "inherit"], env: { ...process.env, ...env } },
    );
    const exited = new Promise((resolve) => {
        child.once("error", (error) => resolve({ code: `cannot start: ${error.message}` }));
        child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    const killChild = () => child.kill("SIGKILL"); // should the test itself end early
    process.once("exit", killChild);

    const server = { child, exited };
    const ready = new Promise((resolve, reject) => {
        let text = "";
        child.stdout.setEncoding("utf8").on("data", (part) => {
            text += part;
            for (const [, door, address] of text.matchAll(/^listening (\S+) (\S+)$/gm))
                server[door] = address;
            if (/^ready$/m.test(text)) resolve();
        });
        exited.then(({ code, signal }) =>
            reject(new Error(`it ended before it was ready: ${signal ?? code}`)),
        );
    });

    const clean = () => {
        child.kill("SIGKILL");
        process.removeListener("exit", killChild);
        return rm(folder, { recursive: true });
    };
    server.stop = async () => {
        child.kill("SIGTERM");
        try {
            const { code, signal } = await withDeadline(exited, "the program's end after SIGTERM");
            if (code !== 0)
                throw new Error(`the program ended with ${signal ?? code} instead of 0`);
        } finally {
            await clean();
        }
    };
    // Ends it without any notice.
    server.kill = async () => {
        child.kill("SIGKILL");
        await withDeadline(exited, "the program's end");
        await clean();
    };
    try {
        await withDeadline(ready, "the program's start");
    } catch (error) {
        await clean();
        throw error;
    }
    return server;
}

// Runs `body(server)` with a server of its own, which then has to end well.
export async function withServer(options, body) {
    const server = await startServer(options);
    try {
        await body(server);
    } catch (error) {
        await server.stop().catch(() => {}); // the first failure is the one to tell
        throw error;
    }
    await server.stop();
}
