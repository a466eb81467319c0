"""Every ```c block of a page compiles against the public headers, without a warning.

usage: code_test.py COMPILER"""

import subprocess
import sys

from pages import ROOT, Page, name, pages, report

COMPILER = sys.argv[1]
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c"]
# Parts of a whole: what a page shows is not all used there.
PARTIAL = ["-Wno-unused-function", "-Wno-unused-variable", "-Wno-missing-prototypes"]


def main():
    problems = []
    checked = 0
    for path in pages():
        for line, info, text in Page(path).fences:
            if info != "c":
                continue
            checked += 1
            command = [COMPILER, *FLAGS, *PARTIAL, "-I", str(ROOT / "include"), "-"]
            result = subprocess.run(
                command, input=text + "\n", capture_output=True, text=True, timeout=60
            )
            if result.returncode != 0:
                problems.append(f"{name(path)}:{line}: does not compile\n{result.stderr}")
    report(problems, f"{checked} blocks of C")


main()
