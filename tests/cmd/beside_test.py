#!/usr/bin/env python3
"""The tools on a directory whose service removes what newer snapshots have made superfluous, while
it is read: that is no damage, and is told so. A snapshot that is a named pipe holds a tool up where
it opens it (MATCHING_BINARY, MAKE_DATA_DIR name the programs).
"""

import concurrent.futures
import os
import unittest

from tools_case import CLAIM, FAILED, REFUSED, Tools

NEWEST = 10 ** 6  # the sequence of the named pipe


class Beside(Tools):
    def setUp(self):
        super().setUp()
        self.lock = self.hold_lock()
        self.pipe = self.snapshot(NEWEST)
        os.mkfifo(self.pipe)

    def snapshot(self, sequence):
        return os.path.join(self.dir, "shard-00", f"{sequence:020}.snapshot")

    def meet(self, *steps):
        """At each opening of the pipe a step; a new one is there for the next."""
        for number, step in enumerate(steps, 1):
            with open(self.pipe, "wb"):  # which waits for the reader
                os.remove(self.pipe)
                if number < len(steps):
                    os.mkfifo(self.pipe)
                step()

    def run_beside(self, tool, *steps):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.run_tool, "journal", tool, self.dir, "--shard", "0")
            self.meet(*steps)
            return running.result()

    def bad_snapshots(self, *sequences):
        for sequence in sequences:
            with open(self.snapshot(sequence), "wb") as file:
                file.write(b"no snapshot")

    def remove_first_segment(self):
        os.remove(self.files(0, ".journal")[0])

    def test_dump_tells_that_its_beginning_was_removed(self):
        code, out, errors = self.run_beside("dump", self.remove_first_segment)
        self.assertEqual((code, out), (FAILED, ""), errors)
        self.assertIn("begin again", errors)
        code, out, errors = self.run_tool("journal", "dump", self.dir, "--shard", "0")
        self.assertEqual(code, 0, errors)

    def test_replay_does_it_again_with_the_snapshot_that_came(self):
        claimed = [record for record in self.records(self.files(0, ".journal")[-1])
                   if record[2] == CLAIM][-1][3]
        os.remove(self.pipe)
        self.lock.close()
        new = self.snapshot_of(claimed)
        self.hold_lock()
        os.mkfifo(self.pipe)
        self.bad_snapshots(1)
        os.rename(new, new + ".tmp")

        def newer_ones_come():
            os.remove(self.snapshot(1))
            os.rename(new + ".tmp", new)
            self.remove_first_segment()

        code, out, errors = self.run_beside("replay", lambda: None, newer_ones_come)
        self.assertEqual((code, errors), (0, ""), out)
        self.assertIn(f"sequence {claimed}, ", out)
        self.assertIn(f"snapshot {claimed} and 0 commands replayed, "
                      f"state hash {self.hash_of(0, claimed)}", out)

    def test_replay_gives_up_if_it_goes_on_like_that(self):
        self.bad_snapshots(1, 2, 3)
        steps = []
        for sequence in (1, 2, 3):  # it asks for the version, then loads
            steps += [lambda: None, lambda number=sequence: os.remove(self.snapshot(number))]
        code, out, errors = self.run_beside("replay", *steps)
        self.assertEqual((code, out), (FAILED, ""), errors)
        self.assertIn("removed while they were read; do it again", errors)
        self.assertNotIn("damage", errors)

    def test_what_is_damaged_is_not_taken_for_removed(self):
        os.remove(self.pipe)
        segment = self.files(0, ".journal")[0]
        self.flip(segment, 4096 + 60)
        for tool in ("dump", "verify", "replay"):
            code, out, errors = self.run_tool("journal", tool, self.dir, "--shard", "0")
            self.assertEqual(code, REFUSED, errors + out)
            self.assertIn(f"{segment}, offset ", errors + out)


if __name__ == "__main__":
    unittest.main()
