#!/usr/bin/env python3
"""The tools on a data directory: verify, dump, replay, snapshot. make_data_dir writes a directory
with a history that is known (its source has the commands) and tells the state hash after each
command; what is broken here is broken byte by byte (MATCHING_BINARY, MAKE_DATA_DIR name the
programs).
"""

import concurrent.futures
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

from process_test import SMALL, Process  # noqa: E402
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


class Verify(Tools):
    def test_a_good_directory_is_ok_and_what_is_in_it_is_told(self):
        out = self.ok("journal", "verify", self.dir)
        first, second = out.splitlines()
        segments = len(self.files(0, ".journal"))
        self.assertGreater(segments, 1)
        self.assertEqual(
            first, f"shard 0: {segments} segments, {segments * 8192} bytes, "
                   f"{self.last(0)} commands (1 to {self.last(0)}), 0 snapshots: OK")
        self.assertEqual(second, "shard 1: 1 segment, 8192 bytes, 4 commands (1 to 4), "
                                 "0 snapshots: OK")
        self.assertEqual(self.ok("journal", "verify", self.dir, "--shard", "1"), second + "\n")

    def test_a_flipped_bit_below_a_claim_is_named_with_file_and_offset(self):
        path = self.files(0, ".journal")[0]
        records = self.records(path)
        for number in (0, 1, len(records) // 2, len(records) - 1):
            at, length, _, _ = records[number]
            self.flip(path, at + length - 3)
            code, out, _ = self.run_tool("journal", "verify", self.dir)
            self.assertEqual(code, REFUSED)
            self.assertRegex(out, r"shard 0: .*: DAMAGED\n")
            self.assertRegex(out, rf"shard 0: {re.escape(path)}\b.*\b{at}\b")
            self.assertRegex(out, r"shard 1: .*: OK\n")
            self.flip(path, at + length - 3)
        self.ok("journal", "verify", self.dir)

    def test_a_flipped_bit_of_a_header_is_named(self):
        for path in self.files(0, ".journal"):
            self.flip(path, 100)
            code, out, _ = self.run_tool("journal", "verify", self.dir)
            self.assertEqual(code, REFUSED)
            self.assertIn(path, out)
            self.flip(path, 100)

    def test_a_torn_tail_is_told_and_no_damage(self):
        path = self.files(0, ".journal")[-1]
        at, length, kind, sequence = self.records(path)[-1]
        self.assertEqual((kind, sequence), (COMMAND, self.last(0)))
        self.flip(path, at + length - 1)
        before = self.bytes()
        out = self.ok("journal", "verify", self.dir)
        self.assertIn(f"(1 to {sequence - 1}), 0 snapshots: OK, with a torn tail\n", out)
        self.assertRegex(out, rf"shard 0: {re.escape(path)}\b.*\b{at}\b.*next start cuts")
        self.assertEqual(self.bytes(), before)

    def test_a_missing_segment_is_damage(self):
        shutil.copy(self.files(0, ".journal")[0], os.path.join(self.folder, "kept"))
        os.remove(self.files(0, ".journal")[0])
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertRegex(out, r"shard 0: .*: DAMAGED\n")
        self.assertRegex(out, r"no good snapshot reaches sequence \d+")

    def test_snapshots_are_read_and_compared_with_the_journal(self):
        self.ok("snapshot", self.dir)
        snapshot, = self.files(0, ".snapshot")
        out = self.ok("journal", "verify", self.dir)
        self.assertIn(f"1 snapshot of {self.last(0)}: OK\n", out)
        self.flip(snapshot, os.path.getsize(snapshot) // 2)
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertRegex(out, rf"shard 0: {re.escape(snapshot)}\b.*\d")

    def test_a_snapshot_of_another_journal_is_found_out(self):
        other = os.path.join(self.folder, "other")
        shutil.copytree(self.made, other)
        self.addCleanup(shutil.rmtree, other)
        path = os.path.join(other, "shard-00", os.path.basename(self.files(0, ".journal")[-1]))
        at, length, _, sequence = self.records(path)[-1]
        self.reseal(path, at, length, (24, "<Q", 1700000000000000000 + 1000000001 * sequence + 1))
        self.ok("journal", "verify", other)
        self.ok("snapshot", other)
        name = f"{self.last(0):020}.snapshot"
        copy = os.path.join(self.dir, "shard-00", name)
        shutil.copy(os.path.join(other, "shard-00", name), copy)
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertIn(f"shard 0: {copy} is not of this journal", out)
        code, out, errors = self.run_tool("snapshot", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertNotIn("shard 0: snapshot of", out)
        self.assertRegex(errors, "matching: shard 0: (?!shard).*not of one history")

    def test_a_journal_that_ends_before_its_snapshot_is_damage(self):
        self.ok("snapshot", self.dir)
        path = self.files(0, ".journal")[-1]
        self.cut(path, self.records(path)[-1][0])
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertIn(f"shard 0: the journal ends with sequence {self.last(0) - 1}, before the "
                      f"snapshot of sequence {self.last(0)}\n", out)

    def test_a_snapshot_whose_books_are_not_what_it_says_is_bad(self):
        path = self.snapshot_of(self.last(0) - 5)
        self.reseal(path, 0, 128, (48, "<Q", 1))  # the state hash
        data = pathlib.Path(path).read_bytes()
        head, at = data[12:16], 128
        while at < len(data):  # each block names the head that it belongs to
            length, = struct.unpack_from("<I", data, at)
            self.reseal(path, at, 24 + length, (12, "<4s", head))
            at += 24 + length
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertIn(f"shard 0: {path}: the books in it have another state hash", out)

    def test_nothing_is_written(self):
        before = self.bytes()
        for tool in ("verify", "dump", "replay"):
            self.ok("journal", tool, self.dir)
        self.assertEqual(self.bytes(), before)


    def test_what_a_service_removes_meanwhile_is_no_damage(self):
        """It is held up where it opens a snapshot; after that it looks at the segments."""
        self.hold_lock()
        path = os.path.join(self.dir, "shard-00", f"{1:020}.snapshot")
        os.mkfifo(path)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            verify = pool.submit(self.run_tool, "journal", "verify", self.dir, "--shard", "0")
            with open(path, "wb"):  # which waits for the reader
                os.remove(path)
                os.remove(self.files(0, ".journal")[0])
            code, out, _ = verify.result()
        self.assertEqual(code, FAILED, out)
        self.assertIn("NOT FINISHED", out)
        self.assertIn("begin again", out)


class Dump(Tools):
    def dump(self, *arguments):
        return [json.loads(line) for line in
                self.ok("journal", "dump", self.dir, *arguments).splitlines()]

    def test_every_command_is_an_object_with_the_names_that_clients_know(self):
        lines = self.dump("--shard", "0", "--until", "21")
        for number, line in enumerate(lines, 1):
            self.assertEqual((line.pop("shard"), line.pop("sequence")), (0, number))
            self.assertEqual(line.pop("timestamp"), 1700000000000 + 1000 * number)
            self.assertRegex(line.pop("time"),
                             rf"^2023-11-14T22:13:{20 + number:02}\.0000000{number:02}Z$")
        btc = {"symbol": "BTCUSDT"}
        order = {**btc, "order_type": "limit", "time_in_force": "GTC"}
        first = {"trader_id": "alice", "client_order_id": "first"}
        self.assertEqual(lines, [
            {"type": "set_limits", "max_orders": 256, "max_levels": 128, "max_traders": 8,
             "retained_orders": 16, "max_instruments": 4},
            {"type": "add_symbol", **btc, "id": 1, "instrument": 0, "tick_size": "0.01",
             "lot_size": "0.0001", "sbe_char": "B", "state": "trading"},
            {"type": "limit_order", **order, **first, "side": "buy", "price": "50000",
             "quantity": "0.5"},
            {"type": "limit_order", **order, "trader_id": "bob", "side": "sell", "price": "50100",
             "quantity": "1", "post_only": True},
            {"type": "limit_order", **order, "trader_id": "carol", "side": "sell",
             "price": "50200.5", "quantity": "2", "display_quantity": "0.5"},
            {"type": "stop_order", **btc, "trader_id": "dave", "side": "sell", "order_type": "stop",
             "time_in_force": "IOC", "stop_price": "49000", "quantity": "0.1"},
            {"type": "stop_order", **btc, "trader_id": "dave", "side": "buy",
             "order_type": "stop_limit", "time_in_force": "GTC", "price": "51500",
             "stop_price": "51000", "quantity": "0.1", "cancel_on_disconnect": True},
            {"type": "market_order", **btc, "trader_id": "erin", "side": "buy",
             "order_type": "market", "time_in_force": "IOC", "quantity": "0.25"},
            {"type": "amend_order", "order_id": 2, "price": "49900.5"},
            {"type": "amend_order", **btc, **first, "quantity": "0.4"},
            {"type": "amend_order", **btc, "order_id": 6, "open_quantity": "1.5"},
            {"type": "cancel_order", "order_id": 8, "trader_id": "dave", "reason": "user"},
            {"type": "cancel_order", **btc, **first, "reason": "disconnect"},
            {"type": "cancel_all", "trader_id": "bob", "reason": "mass_cancel"},
            {"type": "cancel_all", **btc, "trader_id": "mallory", "reason": "mass_cancel"},
            {"type": "set_symbol_state", **btc, "state": "halted"},
            {"type": "set_symbol_state", **btc, "state": "trading"},
            {"type": "tick"},
            {"type": "limit_order", **btc, "trader_id": "quo\"te\\", "client_order_id": "till",
             "side": "buy", "order_type": "limit", "time_in_force": "GTD", "price": "49800",
             "quantity": "0.0007", "expire_time": 1800000000123,
             "self_trade_prevention": "cancel_both"},
            {"type": "release_guards"},
            {"type": "cancel_guarded"},
        ])

    def test_all_shards_come_one_after_the_other(self):
        lines = self.dump()
        self.assertEqual([(line["shard"], line["sequence"]) for line in lines],
                         [(line["shard"], line["sequence"]) for line in self.history])
        self.assertEqual(lines[-1]["symbol"], "ETHUSDT")
        self.assertEqual(len(self.dump("--until", "2")), 4)

    def test_sizes_come_from_a_snapshot_where_the_beginning_is_gone(self):
        whole = self.dump("--shard", "0")
        self.ok("snapshot", self.dir)
        oldest = self.files(0, ".journal")[0]
        kept = self.records(oldest)[-1][3]
        os.remove(oldest)
        self.assertEqual(self.dump("--shard", "0"), whole[kept:])

    def test_damage_ends_it_after_what_is_good(self):
        path = self.files(0, ".journal")[0]
        at, _, _, sequence = [record for record in self.records(path) if record[2] == COMMAND][9]
        self.flip(path, at + RECORD)
        code, out, errors = self.run_tool("journal", "dump", self.dir, "--shard", "0")
        self.assertEqual(code, REFUSED)
        self.assertEqual(len(out.splitlines()), sequence - 1)
        self.assertRegex(errors, rf"{re.escape(path)}\b.*\b{at}\b")

    def test_a_reader_that_goes_away_ends_it_quietly(self):
        process = subprocess.Popen([os.environ["MATCHING_BINARY"], "journal", "dump", self.dir],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.close()
        self.assertNotIn("internal error", process.stderr.read())
        process.stderr.close()
        process.wait(timeout=DEADLINE_S)

    def test_an_output_that_is_full_is_told(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([os.environ["MATCHING_BINARY"], "journal", "dump", self.dir],
                                  stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("No space left", done.stderr)


class Replay(Tools):
    def state(self, *arguments):
        """(sequence, state hash) by shard, and the whole text."""
        out = self.ok("journal", "replay", self.dir, *arguments)
        found = re.findall(r"^shard (\d+): sequence (\d+), .* state hash ([0-9a-f]{16})$", out,
                           re.MULTILINE)
        return {int(shard): (int(sequence), state) for shard, sequence, state in found}, out

    def test_the_books_at_any_sequence_are_what_they_were(self):
        for sequence in list(range(1, 30)) + [self.last(0)]:
            found, _ = self.state("--shard", "0", "--until", str(sequence))
            self.assertEqual(found, {0: (sequence, self.hash_of(0, sequence))})
        found, _ = self.state()
        self.assertEqual(found, {shard: (self.last(shard), self.hash_of(shard, self.last(shard)))
                                 for shard in (0, 1)})

    def test_depth_is_shown_with_decimals_best_first(self):
        _, out = self.state("--shard", "0", "--until", "8")
        rows = [line.split() for line in out.splitlines()]
        self.assertIn(["BTCUSDT", "trading,", "last", "trade", "1", "at", "50100"], rows)
        self.assertIn(["50000", "0.5", "1", "50100", "0.75", "1"], rows)
        self.assertIn(["50200.5", "0.5", "1"], rows)
        _, out = self.state("--shard", "0")
        rows = [line.split() for line in out.splitlines()]
        self.assertIn(["49800", "0.0007", "1", "50200.5", "0.5", "1"], rows)
        self.assertIn(["49000", "0.01", "1", "51000", "0.02", "1"], rows)
        self.assertIn(["48982", "0.0118", "1", "51018", "0.0218", "1"], rows)
        self.assertEqual(sum(1 for row in rows if len(row) == 6 and row[2] == "1"), 20)
        self.assertIn("and more levels: bids and asks", out)

    def test_instruments_without_orders_are_only_counted(self):
        _, out = self.state("--shard", "0", "--until", "2")
        self.assertNotIn("BTCUSDT", out)
        self.assertIn("instruments without orders in the book: 1\n", out)

    def test_a_journal_that_does_not_begin_with_its_limits_is_refused(self):
        for path in self.files(0, ".journal")[1:]:
            os.remove(path)
        path = self.files(0, ".journal")[0]
        _, (at, length, _, _), (end, *_), *_ = self.records(path)
        self.reseal(path, at, length, (RECORD + 26, "<B", 6))  # a tick
        self.cut(path, end)
        self.assertIn("limits", self.refused("journal", "replay", self.dir, "--shard", "0"))

    def test_an_auction_shows_its_crossed_book(self):
        _, out = self.state("--shard", "1")
        self.assertIn("ETHUSDT auction\n", out)
        self.assertIn(["3001", "2", "1", "3000", "3", "1"],
                      [line.split() for line in out.splitlines()])

    def test_with_a_snapshot_it_comes_to_the_same_whether_before_at_or_after_it(self):
        def check(sequence, start):
            found, out = self.state("--shard", "0", "--until", str(sequence))
            self.assertEqual(found, {0: (sequence, self.hash_of(0, sequence))})
            self.assertIn(f"snapshot {start} and {sequence - start} commands replayed", out)

        older, newer = self.last(0) - 20, self.last(0) - 10
        self.snapshot_of(older)
        for sequence, start in ((3, 0), (older - 1, 0), (older, older), (self.last(0), older)):
            check(sequence, start)
        path = self.snapshot_of(newer)
        self.assertEqual(len(self.files(0, ".snapshot")), 2)
        for sequence, start in ((older, older), (newer - 1, older), (newer, newer),
                                (newer + 1, newer), (self.last(0), newer)):
            check(sequence, start)
        self.flip(path, os.path.getsize(path) // 2)
        check(self.last(0), older)
        dumped = self.ok("journal", "dump", self.dir, "--shard", "0").splitlines()
        self.assertTrue(all("price_ticks" not in line for line in dumped), dumped)

    def test_the_tail_alone_is_enough_with_a_snapshot_and_refused_without(self):
        self.ok("snapshot", self.dir)
        os.remove(self.files(0, ".journal")[0])
        found, _ = self.state("--shard", "0")
        self.assertEqual(found, {0: (self.last(0), self.hash_of(0, self.last(0)))})
        errors = self.refused("journal", "replay", self.dir, "--shard", "0", "--until", "50")
        self.assertIn("command 1 is needed", errors)
        os.remove(self.files(0, ".snapshot")[0])
        self.assertIn("command 1 is needed",
                      self.refused("journal", "replay", self.dir, "--shard", "0"))

    def test_a_segment_that_has_no_command_yet_is_fine(self):
        self.ok("snapshot", self.dir)
        path = pathlib.Path(self.files(0, ".journal")[-1])
        data = path.read_bytes()
        last_checksum, = struct.unpack_from("<I", data, self.records(path)[-1][0] + 4)
        header = bytearray(data[:HEADER])
        struct.pack_into("<I", header, 12, 0)  # checksum
        struct.pack_into("<IQ", header, 28, last_checksum, self.last(0) + 1)
        struct.pack_into("<I", header, 12, crc32c(header))
        path.with_name(f"{self.last(0) + 1:020}.journal").write_bytes(header + bytes(4096))
        found, _ = self.state("--shard", "0")
        self.assertEqual(found, {0: (self.last(0), self.hash_of(0, self.last(0)))})
        self.assertIn(f"{self.last(0)} commands (1 to {self.last(0)}), 1 snapshot of "
                      f"{self.last(0)}: OK\n", self.ok("journal", "verify", self.dir))
        self.hold_lock()
        found, _ = self.state("--shard", "0")
        self.assertEqual(found, {0: (self.last(0), self.hash_of(0, self.last(0)))})
        self.ok("journal", "verify", self.dir)
        for needed in self.files(0, ".journal")[:-1]:  # the snapshot's own command was there
            os.remove(needed)
        self.assertIn(f"command {self.last(0)} is needed",
                      self.refused("journal", "replay", self.dir, "--shard", "0"))
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertIn("no good snapshot reaches", out)

    def test_a_bad_snapshot_is_told_and_done_without(self):
        self.ok("snapshot", self.dir)
        snapshot = self.files(0, ".snapshot")[0]
        self.flip(snapshot, os.path.getsize(snapshot) - 9)
        code, out, errors = self.run_tool("journal", "replay", self.dir, "--shard", "0")
        self.assertEqual(code, 0)
        self.assertIn(self.hash_of(0, self.last(0)), out)
        self.assertIn(snapshot, errors)

    def test_damage_is_named_and_how_to_see_what_was_before_it(self):
        path = self.files(0, ".journal")[0]
        at, _, _, sequence = [record for record in self.records(path) if record[2] == COMMAND][9]
        self.flip(path, at + RECORD)
        errors = self.refused("journal", "replay", self.dir, "--shard", "0")
        self.assertRegex(errors, rf"{re.escape(path)}\b.*\b{at}\b")
        self.assertIn(f"--until {sequence - 1}", errors)
        found, _ = self.state("--shard", "0", "--until", str(sequence - 1))
        self.assertEqual(found, {0: (sequence - 1, self.hash_of(0, sequence - 1))})

    def test_a_torn_tail_is_told_and_left_out(self):
        path = self.files(0, ".journal")[-1]
        at = self.records(path)[-1][0]
        self.flip(path, at + RECORD)
        code, out, errors = self.run_tool("journal", "replay", self.dir, "--shard", "0")
        self.assertEqual(code, 0)
        self.assertIn(self.hash_of(0, self.last(0) - 1), out)
        self.assertIn("torn tail", errors)

    def test_beside_a_process_that_writes_it_goes_as_far_as_was_claimed(self):
        self.hold_lock()
        claimed = [record for record in self.records(self.files(0, ".journal")[-1])
                   if record[2] == CLAIM][-1][3]
        self.assertLess(claimed, self.last(0))
        found, _ = self.state("--shard", "0")
        self.assertEqual(found, {0: (claimed, self.hash_of(0, claimed))})
        out = self.ok("journal", "verify", self.dir, "--shard", "0")
        self.assertIn(f"(1 to {claimed})", out)
        self.assertIn("OK, as far as the process that writes there has come", out)


class Snapshot(Tools):
    def test_it_writes_one_of_each_shard_s_last_command_and_only_once(self):
        out = self.ok("snapshot", self.dir)
        for shard in (0, 1):
            path, = self.files(shard, ".snapshot")
            self.assertEqual(os.path.basename(path), f"{self.last(shard):020}.snapshot")
            self.assertIn(f"shard {shard}: snapshot of sequence {self.last(shard)}, state "
                          f"hash {self.hash_of(shard, self.last(shard))}\n", out)
        before = self.bytes()
        self.assertEqual(self.ok("snapshot", self.dir), out)
        self.assertEqual(self.bytes(), before)

    def test_what_the_two_newest_do_not_need_is_removed(self):
        segments = self.files(0, ".journal")
        sequences = [self.last(0) - 20, self.last(0) - 10, self.last(0) - 5]
        for number, sequence in enumerate(sequences, 1):
            path = self.snapshot_of(sequence)
            self.assertTrue(os.path.exists(path))
            self.assertEqual([os.path.basename(name) for name in self.files(0, ".snapshot")],
                             [f"{kept:020}.snapshot" for kept in sequences[:number][-2:]])
            self.assertEqual(self.files(0, ".journal"),
                             segments if number < 2 else segments[-1:])

    def test_one_that_is_damaged_is_replaced_and_it_is_said(self):
        self.ok("snapshot", self.dir)
        path, = self.files(0, ".snapshot")
        self.flip(path, 300)
        code, out, errors = self.run_tool("snapshot", self.dir)
        self.assertEqual(code, 0)
        self.assertIn(os.path.basename(path), errors)
        self.assertIn("another is written without it", errors)
        self.assertEqual(self.ok("journal", "verify", self.dir).count(": OK"), 2)

    def test_what_no_claim_names_is_written_again_first(self):
        """After a sync that failed it may be in memory alone, where a sync does nothing about it."""
        path = self.files(0, ".journal")[-1]
        last = max(at + length for at, length, kind, _ in self.records(path) if kind == COMMAND)
        self.cut(path, last)
        before = self.bytes()
        os.utime(path, (0, 0))
        self.ok("snapshot", self.dir)
        self.assertNotEqual(os.stat(path).st_mtime, 0)
        after = self.bytes()
        self.assertEqual({name: after[name] for name in before}, before)

    def test_a_directory_in_use_is_refused(self):
        lock = self.hold_lock()
        code, out, errors = self.run_tool("snapshot", self.dir)
        self.assertEqual((code, out), (FAILED, ""))
        self.assertIn("in use", errors)
        lock.close()
        self.ok("snapshot", self.dir)

    def test_damage_is_refused_and_no_snapshot_is_left(self):
        path = self.files(0, ".journal")[0]
        self.flip(path, self.records(path)[5][0] + 8)
        code, out, errors = self.run_tool("snapshot", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertIn(path, errors)
        self.assertEqual(self.files(0, ".snapshot"), [])
        self.assertEqual(len(self.files(1, ".snapshot")), 1)  # nothing is wrong there


class Directories(Tools):
    TOOLS = (("journal", "verify"), ("journal", "dump"), ("journal", "replay"), ("snapshot",))

    def test_what_is_no_data_directory_is_refused_and_left_alone(self):
        for tool in self.TOOLS:
            with self.subTest(tool):
                self.assertIn("No such file", self.refused(*tool, "nowhere"))
                self.assertFalse(os.path.exists(os.path.join(self.folder, "nowhere")))
                with tempfile.TemporaryDirectory(dir=self.folder) as empty:
                    self.assertIn("no data directory", self.refused(*tool, empty))
                    self.assertEqual(os.listdir(empty), [])

    def test_a_shard_that_has_no_journal_yet_is_empty(self):
        for path in self.files(0, ".journal"):
            os.remove(path)
        for tool, line in ((("journal", "verify"),
                            "shard 0: 0 segments, 0 bytes, 0 commands, 0 snapshots: OK\n"),
                           (("journal", "dump", "--shard", "0"), ""),
                           (("journal", "replay"), "shard 0: no commands\n"),
                           (("snapshot",), "shard 0: no commands, so no snapshot\n")):
            out = self.ok(*tool, self.dir)
            self.assertTrue(out.startswith(line) and bool(line) == bool(out), out)

    def test_a_newer_version_is_refused_by_name(self):
        for name, line in (("BEGUN", "matching data directory has begun"),
                           ("MANIFEST", "matching data directory")):
            path = pathlib.Path(self.dir, name)
            text = f"{line}\nversion 2\n".encode()
            path.write_bytes(text + f"checksum {crc32c(text):08x}\n".encode())
            for tool in self.TOOLS:
                self.assertRegex(self.refused(*tool, self.dir),
                                 rf"/{name} was made by a newer matching: its version is 2\b")

    def expect_refused(self, path, words):
        """By name: verify tells it as its result, the others as what keeps them from any."""
        code, out, _ = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertRegex(out, rf"shard 0: .*: REFUSED\nshard 0: {re.escape(path)}\b.*{words}")
        for tool in (("journal", "dump", "--shard", "0"), ("journal", "replay", "--shard", "0")):
            self.assertRegex(self.refused(*tool, self.dir), rf"{re.escape(path)}\b.*{words}")
        code, _, errors = self.run_tool("snapshot", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertRegex(errors, rf"{re.escape(path)}\b.*{words}")

    def test_a_segment_of_a_newer_version_is_refused(self):
        path = self.files(0, ".journal")[0]
        self.reseal(path, 0, HEADER, (8, "<I", 2))
        self.expect_refused(path, r"its version is 2\b")

    def test_a_snapshot_of_a_newer_version_is_refused(self):
        sequence = self.last(0) - 10
        path = self.snapshot_of(sequence)
        self.reseal(path, 0, 128, (8, "<I", 2))
        self.expect_refused(path, "of version 2; this program reads up to 1: use the newer program")
        before = str(sequence - 1)
        for tool in (("dump",), ("replay",)):  # what comes before it needs nothing of it
            self.ok("journal", *tool, self.dir, "--shard", "0", "--until", before)
        self.flip(path, 14)  # a bit of its checksum, so that nothing it says can be believed
        out = self.ok("journal", "replay", self.dir, "--shard", "0")
        self.assertIn(f"sequence {self.last(0)}, ", out)

    def test_a_shard_that_is_not_there_is_named(self):
        errors = self.refused("journal", "verify", self.dir, "--shard", "2")
        self.assertIn("--shard 2", errors)
        self.assertIn("shards 0 to 1", errors)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_files_that_may_not_be_read_are_named(self):
        path = self.files(0, ".journal")[0]
        os.chmod(path, 0)
        code, out, errors = self.run_tool("journal", "verify", self.dir)
        self.assertEqual(code, REFUSED)
        self.assertIn(path, out + errors)
        self.assertIn("Permission denied", out + errors)


class Service(Process):
    """The tools on what a service wrote, and while it does."""

    def start_service(self):
        config = self.file(SMALL + "[journal]\nsegment_bytes = 1048576\n")
        process, lines = self.start("http", "--http-port", "0", "--config", config, "--data-dir",
                                    "data")
        return process, lines[0].split()[2]

    def order(self, address, **fields):
        request = urllib.request.Request(
            f"http://{address}/api/orders", json.dumps(fields).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return json.load(reply)

    def ok(self, *arguments):
        code, out, errors = self.run_to_the_end(*arguments, "data")
        self.assertEqual(code, 0, errors + out)
        return out

    def state_hash(self, text):
        return re.search(r"state hash ([0-9a-f]{16})", text).group(1)

    def trade(self, address, count):
        for number in range(count):
            self.order(address, trader_id="alice", side="buy", price=50000 - number, quantity=0.5)
        self.order(address, trader_id="bob", side="sell", price=49999, quantity=0.75)

    def test_after_a_crash_they_see_what_the_next_start_recovers(self):
        process, address = self.start_service()
        self.trade(address, 20)
        self.assertIn("OK, as far as the process that writes there has come",
                      self.ok("journal", "verify"))
        beside = self.ok("journal", "dump").splitlines()
        code, _, errors = self.run_to_the_end("snapshot", "data")
        self.assertEqual(code, FAILED)
        self.assertIn(f"in use by process {process.pid}", errors)
        self.end(process)  # by SIGKILL
        self.assertTrue(self.ok("journal", "verify").endswith(": OK\n"))
        after = self.ok("journal", "dump").splitlines()
        self.assertEqual(after[:len(beside)], beside)
        orders = [json.loads(line) for line in after if '"limit_order"' in line]
        self.assertEqual([(order["trader_id"], order["price"]) for order in orders],
                         [("alice", str(50000 - number)) for number in range(20)]
                         + [("bob", "49999")])
        out = self.ok("journal", "replay")
        self.assertIn(["49999", "0.25", "1"], [line.split() for line in out.splitlines()])
        state = self.state_hash(out)
        self.assertEqual(self.state_hash(self.ok("snapshot")), state)
        process, address = self.start_service()
        with urllib.request.urlopen(f"http://{address}/api/market/trades",
                                    timeout=DEADLINE_S) as reply:
            trades = json.load(reply)["trades"]
        self.assertEqual([trade["price"] for trade in trades], [50000, 49999])
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)
        self.assertEqual((process.returncode, self.state_hash(errors)), (0, state))
        self.assertTrue(self.ok("journal", "verify").endswith(": OK\n"))

    def test_beside_a_busy_service_they_never_see_trouble(self):
        process, address = self.start_service()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            trading = pool.submit(self.trade, address, 250)
            while not trading.done():
                self.assertIn(": OK", self.ok("journal", "verify"))
                for line in self.ok("journal", "dump").splitlines():
                    json.loads(line)
                self.state_hash(self.ok("journal", "replay"))
            trading.result()
        self.stop(process)


if __name__ == "__main__":
    unittest.main()
