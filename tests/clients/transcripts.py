"""The transcripts of the pages: finding them, and comparing what came with what a page promises.

docs/transcripts.md tells how they are written. Nothing here talks to anybody; transcripts_test.py
does.
"""

import json
import re

FENCE = re.compile(r"```transcript((?: \w+)*)\s*$")
SAID = re.compile(r"(\w*)([<>]) (.*)$")
PLACEHOLDER = re.compile(r'"(?:[^"\\]|\\.)*"|…|<number>|<string>')
ANY, NUMBER, STRING, MORE = "\x01any", "\x01number", "\x01string", "\x01more"
# What no two runs have in common: written as … by `transcripts_test.py --write`.
VARYING = re.compile(r'("(?:timestamp|latency_us|created|updated|server_time|uptime_seconds)"):\d+')


class Step:
    """A line said on a connection, or a command with its output."""

    def __init__(self, line, kind, name, text):
        self.line = line  # its number in the page, from 0
        self.last_line = line  # of a command that goes on
        self.kind = kind  # ">", "<" or "$"
        self.name = name  # the connection's; "" for the only one
        self.text = text
        self.output = []  # (line number, text), of a command


class Block:
    def __init__(self, line, words):
        self.line = line
        self.fresh = "fresh" in words
        self.steps = []


class Problem(Exception):
    """Something that a page promises and the program does not keep, or that cannot be read."""


def read_blocks(lines):
    """The transcript blocks of a page's lines, in order."""
    block = None
    for number, line in enumerate(lines):
        if block is None:
            opened = FENCE.match(line)
            if opened:
                block = Block(number, opened[1].split())
        elif line.strip() == "```":
            yield block
            block = None
        else:
            _add_line(block, number, line)
    if block is not None:
        raise Problem(f"line {block.line + 1}: a block that never ends")


def _add_line(block, number, line):
    last = block.steps[-1] if block.steps else None
    if last and last.kind == "$" and last.text.endswith("\\"):
        last.text += "\n" + line
        last.last_line = number
        return
    if line.startswith("$ "):
        block.steps.append(Step(number, "$", "", line[2:]))
        return
    said = SAID.match(line)
    if said and not (last and last.kind == "$"):
        block.steps.append(Step(number, said[2], said[1], said[3]))
    elif last and last.kind == "$":
        last.output.append((number, line))
    elif line.strip() and not line.startswith("# "):
        raise Problem(f"line {number + 1}: neither sent nor received: {line}")


class Number(str):
    """A number by its text, for 1 and 1.0 are not written alike."""


def _parse(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def parse_expected(text):
    """JSON with placeholders. None: the text is none."""
    def replace(found):
        token = found[0]
        if token.startswith('"'):
            return token
        if token != "…":
            return json.dumps(NUMBER if token == "<number>" else STRING)
        before = text[:found.start()].rstrip()[-1:]
        after = text[found.end():].lstrip()[:1]
        if before in ("{", ",") and after == "}":
            return json.dumps(MORE) + ":0"
        return json.dumps(MORE if before in ("[", ",") and after == "]" else ANY)
    if not text.startswith(("{", "[")):
        return None
    try:
        return _parse(PLACEHOLDER.sub(replace, text))
    except ValueError:
        raise Problem(f"the page has no JSON here: {text}") from None


def text_matches(expected, actual):
    """Text in which … stands for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, actual, re.S) is not None


def differences(expected, actual, at=""):
    """Yields what differs, as sentences."""
    if isinstance(expected, str) and not isinstance(expected, Number):
        kind = {NUMBER: Number, STRING: str}.get(expected)
        if expected == ANY or (kind and type(actual) is kind):
            return
        if kind is None and type(actual) is str and text_matches(expected, actual):
            return
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected:
            if key == MORE:
                continue
            if key not in actual:
                yield f"{at}.{key} did not come"
            else:
                yield from differences(expected[key], actual[key], f"{at}.{key}")
        if MORE not in expected:
            yield from (f"{at}.{key} is not in the page" for key in actual if key not in expected)
        return
    elif isinstance(expected, list) and isinstance(actual, list):
        open_ended = bool(expected) and expected[-1] == MORE
        wanted = expected[:-1] if open_ended else expected
        if len(actual) < len(wanted) or (len(actual) > len(wanted) and not open_ended):
            yield f"{at} has {len(actual)} elements instead of {len(wanted)}"
            return
        for index, (one, other) in enumerate(zip(wanted, actual)):
            yield from differences(one, other, f"{at}[{index}]")
        return
    elif type(expected) is type(actual) and expected == actual:
        return
    yield f"{at or 'the answer'} is {actual!r} instead of {expected!r}"


def compare_line(expected, actual):
    """Raises Problem where a line of output differs from the page's."""
    wanted = parse_expected(expected)
    if wanted is None:
        if not text_matches(expected, actual):
            raise Problem(f"came: {actual}")
        return
    try:
        got = _parse(actual)
    except ValueError:
        raise Problem(f"came no JSON: {actual}") from None
    found = list(differences(wanted, got))
    if found:
        raise Problem("; ".join(found) + f"\n    came: {actual}")


def compare_output(expected, actual):
    """Output line by line; a line that is only … stands for any number of lines."""
    for index, line in enumerate(expected):
        if line == "…":
            rest = expected[index + 1:]
            actual = actual[len(actual) - len(rest):]
            return compare_output(rest, actual)
        if index >= len(actual):
            raise Problem(f"did not come: {line}")
        compare_line(line, actual[index])
    if len(actual) > len(expected):
        raise Problem(f"came too: {actual[len(expected)]}")
    return None


def as_written(text):
    """An answer as a page would show it."""
    return VARYING.sub(r"\1:…", text)
