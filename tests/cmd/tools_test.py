#!/usr/bin/env python3
"""The tools on a data directory: verify, dump, and what all of them refuse."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from tools_case import COMMAND, DEADLINE_S, FAILED, HEADER, RECORD, REFUSED, Tools, crc32c


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


if __name__ == "__main__":
    unittest.main()
