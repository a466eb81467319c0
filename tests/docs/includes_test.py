#!/usr/bin/env python3
"""No file of core/, transports/ or cmd/ includes by a path that climbs: "../" would get around the
include directories that keep the layers apart."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
wrong = 0
seen = 0
for folder in ("include", "core", "transports", "cmd"):
    for path in sorted((ROOT / folder).rglob("*.[ch]")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s+["<]([^">]+)', line)
            if include:
                seen += 1
                if ".." in include.group(1) or include.group(1).startswith("/"):
                    print(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
                    wrong += 1
print(f"{seen} includes: {wrong} wrong")
sys.exit(1 if wrong or seen == 0 else 0)
