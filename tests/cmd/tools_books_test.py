#!/usr/bin/env python3
"""The tools on a data directory: replay and snapshot."""

import os
import pathlib
import re
import struct
import unittest

from tools_case import CLAIM, COMMAND, FAILED, HEADER, RECORD, REFUSED, Tools, crc32c


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


if __name__ == "__main__":
    unittest.main()
