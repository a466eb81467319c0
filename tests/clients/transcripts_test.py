#!/usr/bin/env python3
"""Replays every transcript of docs/*.md and README*.md against the program.

    transcripts_test.py [--write] PAGE...

A page has a server of its own. With --write the answers in the pages are replaced by those that
came, which is how a changed protocol gets into them; read the difference before you keep it.
"""

import asyncio
import pathlib
import re
import shutil
import subprocess
import sys

from server import DEADLINE_S, Server, skip
from transcripts import Problem, as_written, compare_line, compare_output, read_blocks

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed (Debian: python3-websockets)")

# The addresses that pages show, and the doors that stand behind them in the test.
SHOWN = {"127.0.0.1:9090": "websocket", "127.0.0.1:8080": "http", "127.0.0.1:3030": "jsonrpc"}


def addresses(server):
    """(as shown, as it is) of each door."""
    return [(shown, server.addresses[door]) for shown, door in SHOWN.items()
            if door in server.addresses]


def to_real(text, server):
    for shown, real in addresses(server):
        text = text.replace(shown, real).replace(shown.replace("127.0.0.1", "localhost"), real)
    return text


def to_shown(text, server):
    for shown, real in addresses(server):
        text = text.replace(real, shown)
    return text


class Page:
    def __init__(self, path, write):
        self.path = path
        self.write = write
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.changed = {}  # line number: new text, or None for a line that goes
        self.count = 0
        self.problems = []

    def check(self, number, compare, came):
        """One answer: compared, or in write mode taken over."""
        try:
            compare()
        except Problem as problem:
            if self.write:
                self.changed[number] = came()
            else:
                self.problems.append(f"{self.path}:{number + 1}: {problem}")

    async def replay(self):
        server = None
        try:
            for block in read_blocks(self.lines):
                self.count += 1
                if server is None or block.fresh:
                    if server is not None:
                        server.__exit__(None)
                        server = None
                    server = Server().__enter__()
                await self.replay_block(block, server)
        except Problem as problem:
            self.problems.append(f"{self.path}: {problem}")
        finally:
            if server is not None:
                server.__exit__(None)
        if self.write and self.changed:
            lines = [self.changed.get(number, line) for number, line in enumerate(self.lines)]
            text = "\n".join(line for line in lines if line is not None) + "\n"
            self.path.write_text(text, encoding="utf-8")

    async def replay_block(self, block, server):
        sockets = {}
        try:
            for step in block.steps:
                if step.kind == "$":
                    self.run_command(step, server)
                    continue
                if step.name not in sockets:
                    url = f"ws://{server.websocket}/ws"
                    sockets[step.name] = await asyncio.wait_for(websockets.connect(url), DEADLINE_S)
                await self.talk(step, sockets[step.name])
            for name, socket in sockets.items():
                await self.hear_out(block, name, socket)
        except (asyncio.TimeoutError, websockets.ConnectionClosed) as problem:
            raise Problem(f"line {step.line + 1}: nothing came ({problem!r})") from None
        finally:
            for socket in sockets.values():
                await socket.close()

    async def talk(self, step, socket):
        if step.kind == ">":
            await socket.send(step.text)
            return
        came = await asyncio.wait_for(socket.recv(), DEADLINE_S)
        self.check(step.line, lambda: compare_line(step.text, came),
                   lambda: f"{step.name}< {as_written(came)}")

    async def hear_out(self, block, name, socket):
        """What has come and no line of the block has told of."""
        await socket.send('{"type":"ping","id":"the end of the block"}')
        while True:
            came = await asyncio.wait_for(socket.recv(), DEADLINE_S)
            if '"the end of the block"' in came:
                return
            self.problems.append(f"{self.path}:{block.line + 1}: {name}< came too: {came}")

    def run_command(self, step, server):
        if not re.match(r"curl\s", step.text):
            raise Problem(f"line {step.line + 1}: only curl is run here, not: {step.text}")
        done = subprocess.run(["bash", "-c", to_real(step.text, server)], capture_output=True,
                              text=True, timeout=DEADLINE_S, check=False)
        output = to_shown(done.stdout, server).replace("\r", "").rstrip("\n")
        came = output.split("\n") if output else []
        expected = [text for _, text in step.output]
        while expected and not expected[-1].strip():
            expected.pop()  # an empty line before the next command
        if done.returncode != 0:
            self.problems.append(f"{self.path}:{step.line + 1}: {done.stderr.strip()}")
        self.check(step.last_line, lambda: compare_output(expected, came),
                   lambda: self.take_output(step, expected, came))

    def take_output(self, step, expected, came):
        """What stands at the command's last line from now on; the old output goes."""
        for number, _ in step.output[:len(expected)]:
            self.changed[number] = None
        return "\n".join([self.lines[step.last_line], *map(as_written, came)])


async def main():
    arguments = sys.argv[1:]
    write = "--write" in arguments
    pages = [Page(pathlib.Path(each), write) for each in arguments if each != "--write"]
    for page in pages:
        await page.replay()
    problems = [problem for page in pages for problem in page.problems]
    for problem in problems:
        print(problem)
    counts = ", ".join(f"{page.path.name} {page.count}" for page in pages if page.count)
    print(f"{sum(page.count for page in pages)} transcripts ({counts}): {len(problems)} wrong")
    return 1 if problems or not any(page.count for page in pages) else 0


if __name__ == "__main__":
    if shutil.which("curl") is None:
        skip("curl is not installed")
    sys.exit(asyncio.run(main()))
