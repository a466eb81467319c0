#!/usr/bin/env python3
"""What a transcript may leave open, and that everything else has to be right."""

import unittest

from transcripts import Problem, compare_line, compare_output, read_blocks


class Format(unittest.TestCase):
    def same(self, expected, came):
        compare_line(expected, came)

    def differ(self, expected, came):
        with self.assertRaises(Problem):
            compare_line(expected, came)

    def test_equal_answers_match_in_any_order_of_their_members(self):
        self.same('{"a":1,"b":[1,{"c":null}]}', '{"b":[1,{"c":null}],"a":1}')

    def test_differences_are_found(self):
        for expected, came in (('{"a":1}', '{"a":2}'), ('{"a":1}', '{"a":"1"}'), ('{"a":1}', "{}"),
                               ("{}", '{"a":1}'), ("[1]", "[1,2]"), ("[1,2]", "[1]"),
                               ('{"a":1}', '{"a":1.0}'), ('{"a":true}', '{"a":1}'),
                               ('{"a":null}', '{"a":false}'), ('{"a":1}', "nothing")):
            self.differ(expected, came)

    def test_placeholders_stand_for_one_value(self):
        self.same('{"a":…,"b":1}', '{"a":{"x":[1]},"b":1}')
        self.same('{"a":<number>,"b":<string>}', '{"a":17.5,"b":"x"}')
        self.differ('{"a":<number>}', '{"a":"17"}')
        self.differ('{"a":<string>}', '{"a":17}')
        self.differ('{"a":…}', "{}")

    def test_the_end_may_be_left_out(self):
        self.same('{"a":1,…}', '{"a":1,"b":2}')
        self.same("{…}", '{"b":2}')
        self.same("[1,…]", "[1,2,3]")
        self.differ('{"a":1,…}', '{"b":2}')
        self.differ("[1,…]", "[2]")

    def test_a_part_of_a_text_may_be_left_out(self):
        self.same('{"error":"no such …"}', '{"error":"no such order"}')
        self.differ('{"error":"no such …"}', '{"error":"what?"}')
        self.same("HTTP/1.1 200 …", "HTTP/1.1 200 OK")

    def test_lines_may_be_left_out(self):
        compare_output(["a", "…", "{}"], ["a", "b", "c", "{}"])
        compare_output(["a", "…"], ["a"])
        for expected, came in ((["a"], ["a", "b"]), (["a", "b"], ["a"]),
                               (["…", "c"], ["a", "b"])):
            with self.assertRaises(Problem):
                compare_output(expected, came)

    def test_blocks_are_read(self):
        page = ["```sh", "$ ls", "```", "```transcript fresh", "# alice", 'a> {"x":1}', "a< {}", "",
                "< …", "```", "```transcript", "$ curl \\", "  x", "out", "", "$ curl y", "```"]
        first, second = read_blocks(page)
        self.assertEqual((first.fresh, second.fresh), (True, False))
        self.assertEqual([(step.name, step.kind, step.text) for step in first.steps],
                         [("a", ">", '{"x":1}'), ("a", "<", "{}"), ("", "<", "…")])
        self.assertEqual([step.text for step in second.steps], ["curl \\\n  x", "curl y"])
        self.assertEqual([text for _, text in second.steps[0].output], ["out", ""])
        for broken in (["```transcript", "hello", "```"], ["```transcript"]):
            with self.assertRaises(Problem):
                list(read_blocks(broken))


if __name__ == "__main__":
    unittest.main(verbosity=2)
