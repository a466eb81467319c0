"""What the tests of the tools share: for each a copy of the directory that make_data_dir writes,
with a history that is known (its source has the commands) and the state hash after each command.
What is broken in it is broken byte by byte. MATCHING_BINARY and MAKE_DATA_DIR name the programs.
"""

import fcntl
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from server import DEADLINE_S  # noqa: E402

REFUSED, FAILED = 2, 1
HEADER, RECORD, COMMAND, CLAIM = 4096, 32, 1, 2


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        cls.made = os.path.join(cls.folder, "made")
        done = subprocess.run([os.environ["MAKE_DATA_DIR"], cls.made], capture_output=True,
                              text=True, timeout=DEADLINE_S, check=True)
        cls.history = [json.loads(line) for line in done.stdout.splitlines()]

    def setUp(self):
        self.dir = os.path.join(self.folder, self.id().rsplit(".", 1)[-1])
        shutil.copytree(self.made, self.dir)
        self.addCleanup(shutil.rmtree, self.dir)

    def run_tool(self, *arguments):
        """(exit code, stdout, stderr)."""
        done = subprocess.run([os.environ["MATCHING_BINARY"], *arguments], capture_output=True,
                              text=True, timeout=DEADLINE_S, cwd=self.folder, check=False)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *arguments):
        code, out, errors = self.run_tool(*arguments)
        self.assertEqual(code, 0, errors + out)
        return out

    def refused(self, *arguments):
        """What stderr says of it; nothing is on stdout."""
        code, out, errors = self.run_tool(*arguments)
        self.assertEqual((code, out), (REFUSED, ""), errors)
        self.assertTrue(all(line.startswith("matching: ") or re.search(r"\d+ %", line)
                            for line in errors.splitlines()), errors)
        return errors

    def files(self, shard, suffix):
        folder = os.path.join(self.dir, f"shard-{shard:02}")
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
                if name.endswith(suffix)]

    def bytes(self):
        """Every file and what is in it, but for the process that had it last."""
        return {path: path.read_bytes() for path in pathlib.Path(self.dir).rglob("*")
                if path.is_file() and path.name != "LOCK"}

    def records(self, path):
        """(offset, length, kind, sequence) of each record of a segment."""
        data = pathlib.Path(path).read_bytes()
        at, found = HEADER, []
        while at < len(data):
            length, _, _, kind, _, sequence = struct.unpack_from("<IIIHHQ", data, at)
            if length == 0:
                break
            found.append((at, length, kind, sequence))
            at += length
        return found

    def flip(self, path, offset):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x10]))

    def reseal(self, path, at, size, *changes):
        """Writes (offset, format, value) into a header or record and mends its checksum."""
        data = bytearray(pathlib.Path(path).read_bytes())
        part = data[at:at + size]
        field = 12 if at == 0 else 4
        for offset, form, value in (*changes, (field, "<I", 0)):
            struct.pack_into(form, part, offset, value)
        struct.pack_into("<I", part, field, crc32c(part))
        data[at:at + size] = part
        pathlib.Path(path).write_bytes(data)

    def cut(self, path, at):
        """As if nothing from there on had been written."""
        with open(path, "r+b") as file:
            file.truncate(at)
            file.truncate(8192)

    def snapshot_of(self, sequence):
        """A snapshot in shard 0 of a command in its last segment, none in the other."""
        path = self.files(0, ".journal")[-1]
        whole = pathlib.Path(path).read_bytes()
        self.cut(path, next(at + length for at, length, kind, number in self.records(path)
                            if (kind, number) == (COMMAND, sequence)))
        self.ok("snapshot", self.dir)
        pathlib.Path(path).write_bytes(whole)
        os.remove(self.files(1, ".snapshot")[0])
        return os.path.join(self.dir, "shard-00", f"{sequence:020}.snapshot")

    def hash_of(self, shard, sequence):
        return next(line["hash"] for line in self.history
                    if (line["shard"], line["sequence"]) == (shard, sequence))

    def last(self, shard):
        return max(line["sequence"] for line in self.history if line["shard"] == shard)

    def hold_lock(self):
        """As a service that runs on the directory does. Closing the file gives it back."""
        lock = open(os.path.join(self.dir, "LOCK"), "r+")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.addCleanup(lock.close)
        return lock
