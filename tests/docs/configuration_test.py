"""docs/configuration.md against the program: the same keys, defaults, bounds, flags and variables.

usage: configuration_test.py MATCHING

Defaults come from --check-config, which prints the whole table of settings; what a key may be comes
from the message with which the program refuses a value that suits no key."""

import os
import re
import subprocess
import sys
import tempfile

from pages import ROOT, Page, report

PAGE = ROOT / "docs" / "configuration.md"
MATCHING = sys.argv[1]
SUITS_NO_KEY = "1.5"


def run(*arguments):
    environment = {"PATH": os.environ["PATH"], **{k: v for k, v in os.environ.items() if "SAN" in k}}
    return subprocess.run(
        [MATCHING, *arguments], env=environment, capture_output=True, text=True, timeout=30
    )


def program_settings():
    """{(section, key): default} as printed; the token is a comment there."""
    settings, section = {}, ""
    for line in run("all", "--check-config").stdout.splitlines():
        heading = re.match(r"\[(.*)\]$", line)
        setting = re.match(r"(\w+) = (.*)$", line)
        secret = re.match(r"# (\w+) is not set$", line)
        if heading:
            section = heading[1]
        elif setting:
            settings[section, setting[1]] = setting[2]
        elif secret:
            settings[section, secret[1]] = "not set"
    return settings


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def page_settings():
    """{(section, key): (default, allowed)} of the tables that begin with Key."""
    settings, section, in_table = {}, None, False
    for _, line in Page(PAGE).prose:
        heading = re.match(r"## (?:`\[([^\]]*)\]`$)?", line)
        if heading:
            section = heading[1] or ""
        elif line.startswith("| Key "):
            in_table = True
        elif not line.startswith("|"):
            in_table = False
        elif in_table and not line.startswith("|---"):
            key, default, allowed, _ = cells_of(line)
            settings[section, key.strip("`")] = (default.strip("`"), allowed)
    return settings


def refusal(section, key):
    """What the program says that this key may be."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(f"[{section}]\n" if section else "")
        file.write(f"{key} = {SUITS_NO_KEY}\n")
        file.flush()
        message = run("all", "--check-config", "--config", file.name).stderr
    rule = message.partition(f"{key}: ")[2].strip()
    return rule.removesuffix(f", not {SUITS_NO_KEY}")


def same_rule(rule, allowed):
    numbers = re.findall(r"\b\d+\b", rule)
    if numbers != re.findall(r"\b\d+\b", allowed):
        return False
    if "one of" in rule:
        return re.findall(r'"(\w+)"', rule) == re.findall(r"`(\w+)`", allowed)
    words = ("power of two", "true or false", "origins", "host names", "path")
    return all((word in rule) == (word in allowed.replace("`", "")) for word in words[:4])


def check_settings(problems):
    printed, written = program_settings(), page_settings()
    doors = set(re.findall(r"^  ([a-z]+) ", run("--help").stdout, re.M))  # those it was built with
    instruments = {key for section, key in printed if section.startswith("symbol.")}
    printed = {at: value for at, value in printed.items() if not at[0].startswith("symbol.")}
    described = {key for section, key in written if section == "symbol.NAME"}
    written = {at: value for at, value in written.items() if at[0] != "symbol.NAME"}
    if instruments != described:
        problems.append(f"[symbol.NAME] has {sorted(instruments)}, the page {sorted(described)}")
    for at in sorted(set(printed) ^ set(written)):
        problems.append(f"{at}: only {'the program' if at in printed else 'the page'} has it")
    for at in sorted(set(printed) & set(written)):
        default, allowed = written[at]
        rule = refusal(*at)
        left_out = at[1] == "enabled" and at[0] not in doors | {"store"} and ".cors" not in at[0]
        if default != printed[at] and not left_out:
            problems.append(f"{at}: the default is {printed[at]}, the page says {default}")
        if not same_rule(rule, allowed):
            problems.append(f"{at}: {rule}; the page says: {allowed}")
    return len(printed)


def check_flags(problems):
    text = PAGE.read_text(encoding="utf-8")
    shown = run("--help").stdout
    for word in sorted(set(re.findall(r"--[a-z-]+|\b[A-Z]+_PORT\b|\bPORT\b|MATCHING_LOG", shown))):
        if not re.search(rf"`{re.escape(word)}[ `]", text):
            problems.append(f"--help has {word}, the page does not")


def main():
    problems = []
    count = check_settings(problems)
    if count < 40:
        problems.append(f"--check-config printed only {count} settings")
    check_flags(problems)
    report(problems, f"{count} settings")


main()
