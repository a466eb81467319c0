#!/usr/bin/env python3
"""examples/clients/sbe_client.py against the golden messages: what it encodes, what it decodes."""

import decimal
import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "examples" / "clients"))
import sbe_client  # noqa: E402

GOLDEN = dict(line.split() for line in (HERE / "golden/messages.txt").read_text().splitlines()
              if not line.startswith("#"))
ROWS = json.loads((HERE / "golden/values.json").read_text())


class Golden(unittest.TestCase):
    def setUp(self):
        self.schema = sbe_client.Schema()

    def kinds(self, message):
        return {name: kind for name, _, kind in self.schema.messages[message][2]}

    def to_value(self, kind, text):
        """As a user of the client gives it."""
        if text is None or kind.primitive == "char":
            return text
        if kind.exponent is not None:
            return decimal.Decimal(text).scaleb(kind.exponent)
        return float(text) if kind.primitive == "double" else int(text)

    def test_every_message_is_encoded(self):
        self.assertEqual(len(ROWS), len(GOLDEN))
        for name, message, values in ROWS:
            kinds = self.kinds(message)
            given = {field: self.to_value(kinds[field], text) for field, text in values.items()}
            self.assertEqual(self.schema.encode(message, **given).hex(), GOLDEN[name], name)

    def test_every_message_is_decoded(self):
        frame = bytes.fromhex("".join(GOLDEN[name] for name, _, _ in ROWS))
        decoded = list(self.schema.decode(frame))
        self.assertEqual([message for message, _ in decoded], [row[1] for row in ROWS])
        for (message, got), (name, _, values) in zip(decoded, ROWS):
            kinds = self.kinds(message)
            for field, text in values.items():
                kind, wanted = kinds[field], self.to_value(kinds[field], text)
                if kind.is_set:
                    wanted = [word for bit, word in kind.names.items() if wanted >> bit & 1]
                elif wanted is not None and kind.names:
                    wanted = kind.names[wanted]
                self.assertEqual(got[field], wanted, f"{name}.{field}")
            self.assertEqual(got.keys(), values.keys(), name)

    def test_words_are_numbers(self):
        words = self.schema.encode("NewOrder", side="Sell", orderType="StopLimit",
                                   timeInForce="FillOrKill", quantity="0.5",
                                   flags=["PostOnly", "SelfTradeCancelMaker"])
        numbers = self.schema.encode("NewOrder", side=1, orderType=3, timeInForce=2, quantity=0.5,
                                     flags=5)
        self.assertEqual(words, numbers)
        self.assertEqual(words[8 + 28:8 + 32].hex(), "01030205")
        with self.assertRaises(ValueError):
            self.schema.encode("NewOrder", side="Left")
        with self.assertRaises(ValueError):
            self.schema.encode("NewOrder", price="0.000000001")
        with self.assertRaises(ValueError):
            self.schema.encode("Heartbeat", time=1)
        with self.assertRaises(ValueError):
            self.schema.encode("Logon", traderId="x" * 33)

    def test_what_a_newer_version_added_is_skipped(self):
        longer = (30).to_bytes(2, "little") + bytes.fromhex(GOLDEN["heartbeat"])[2:] + bytes(22)
        unknown = bytes.fromhex("0300 6300 0100 0100 aabbcc")
        frame = longer + unknown + bytes.fromhex(GOLDEN["heartbeat"])
        values = {"timestamp": 1700000000987654321}
        self.assertEqual(list(self.schema.decode(frame)), [("Heartbeat", values)] * 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
