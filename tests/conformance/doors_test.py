#!/usr/bin/env python3
"""The conformance scenarios through a door of the real program.

    doors_test.py websocket|http|jsonrpc|sbe      (MATCHING_BINARY names the program)
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))

import plain_json  # noqa: E402
from doors import DOORS  # noqa: E402
from sbe_door import SbeDoor  # noqa: E402
from plain_json import Number  # noqa: E402
from server import DEADLINE_S, Server  # noqa: E402


def config_of(instruments):
    return "".join(f"[symbol.{one['symbol']}]\nid = {one['id']}\ntick_size = {one['tick_size']}\n"
                   f"lot_size = {one['lot_size']}\n" for one in instruments)


def is_for(what, door):
    return door not in what.get("not_on", ()) and door in what.get("only_on", (door,))


def with_names(value, names):
    """$name replaced by the order's id, also at the end of texts; @+N by the time in N ms."""
    if isinstance(value, dict):
        return {key: with_names(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [with_names(one, names) for one in value]
    if isinstance(value, str) and not isinstance(value, Number) and "$" in value:
        text, _, name = value.partition("$")
        return text + names[name] if text else names[name]
    if isinstance(value, str) and value.startswith("@+"):
        return Number(int(time.time() * 1000) + int(value[2:]))
    return value


def expected_of(step, names):
    then = with_names(step["then"], names)
    if step["do"] in ("place", "amend") and "code" not in then:
        then = {"symbol": "BTCUSDT", "trades": []} | then
    then = {"market_trades": then.get("trades", []) if step["do"] != "trades" else []} | then
    for listed in ("orders", "order_ids"):
        if listed in then:
            then[listed].sort(key=int)
    return then


def outcome_for(expected, outcome):
    """Without what the scenario says nothing about, or what this door does not tell."""
    for optional in ("message", "average_price"):
        if optional not in expected:
            outcome.pop(optional, None)
        elif optional == "average_price" and optional not in outcome:
            expected.pop(optional)
    if "order" in expected and "order" in outcome:
        order = outcome["order"]
        if "average_price" not in expected["order"]:
            assert "average_price" not in order, order
    if "bids" in outcome and "bids" in expected:  # the WebSocket's levels do not count orders
        for side in ("bids", "asks"):
            if all(len(level) == 2 for level in outcome[side]):
                expected[side] = [level[:2] for level in expected[side]]
    return outcome


class Run:
    """One scenario."""

    def __init__(self, door, scenario):
        self.door, self.scenario = door, scenario
        self.names, self.traders = {}, set()

    def play(self):
        failures = []
        for number, step in enumerate(self.scenario["steps"], 1):
            if not is_for(step, self.door.name):
                continue
            try:
                self.play_step(step)
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is this step's failure
                failures.append(f"{self.scenario['name']}, step {number}: {step['do']} "
                                f"{plain_json.dumps(step['with'])}\n    {problem!r}")
                break  # what follows builds on it
        return failures

    def clean_up(self, door):
        for trader in sorted(self.traders):
            door.do("cancel_all", {"trader_id": trader}, 0)

    def outcomes(self, step):
        """(expected, what came)"""
        fields = with_names(step["with"], self.names)
        then = step["then"]
        trades = then.get("market_trades", then.get("trades", ())) if step["do"] != "trades" else ()
        outcome = self.door.do(step["do"], fields, len(trades))
        if "as" in step and "code" not in outcome:
            self.names[step["as"]] = self.door.last_order_id
            self.traders.add(fields["trader_id"])
        expected = expected_of(step, self.names)
        self.door.forgive(step["do"], expected, outcome)
        return expected, outcome_for(expected, outcome)

    def play_step(self, step):
        deadline = time.monotonic() + (DEADLINE_S if "until" in step else 0)
        while time.monotonic() < deadline:
            try:
                expected, outcome = self.outcomes(step)
                if outcome == expected:
                    return
            except AssertionError:
                pass  # it changed between two questions of one step
            time.sleep(0.01)
        expected, outcome = self.outcomes(step)
        if outcome != expected:
            raise AssertionError(f"should be {plain_json.dumps(expected)}\n"
                                 f"    but is    {plain_json.dumps(outcome)}")


def main():
    door_name = sys.argv[1]
    with open(os.path.join(HERE, "scenarios.json"), encoding="utf-8") as file:
        everything = plain_json.loads(file.read())
    failures, played = [], 0
    doors = DOORS | {SbeDoor.name: SbeDoor}
    with Server(shards=2, config=config_of(everything["instruments"])) as server:
        door = doors[door_name](server)
        for scenario in everything["scenarios"]:
            if is_for(scenario, door_name):
                run = Run(door, scenario)
                failed = run.play()
                if failed:  # nobody knows what is still under way there
                    door.close()
                    door = doors[door_name](server)
                run.clean_up(door)
                failures += failed
                played += 1
        is_enough = door.is_enough()
        door.close()
    for failure in failures:
        print(failure)
    print(f"{played} scenarios through the door {door_name}, {len(failures)} failed")
    return 1 if failures or played < 30 or not is_enough else 0


if __name__ == "__main__":
    sys.exit(main())
