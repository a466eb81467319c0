"""What the tests of this folder share: the pages, and their parts.

Markdown is read only as far as the pages use it: # headings, ``` fences, `code spans`, [links](to)
and tables. Nothing here knows what a page is about.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {"build", "node_modules", ".git"}


def files():
    """Every file of the project, but for what is made or belongs to others."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [each for each in below if each not in SKIPPED]
        yield from (pathlib.Path(folder, each) for each in names)


def pages():
    """Every Markdown file of the project, sorted."""
    return sorted(path for path in files() if path.suffix == ".md")


def name(path):
    return path.relative_to(ROOT).as_posix()


class Page:
    """The lines of a page, told apart: .headings, .fences, .prose (line number, text)."""

    def __init__(self, path):
        self.path = path
        self.headings = []  # (level, text)
        self.fences = []  # (line number, info string, text)
        self.prose = []  # (line number, text), headings included
        fence = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if fence is not None:
                if line.strip() == "```":
                    self.fences.append((fence[0], fence[1], "\n".join(fence[2])))
                    fence = None
                else:
                    fence[2].append(line)
            elif line.lstrip().startswith("```"):
                fence = (number, line.strip()[3:], [])
            else:
                self.prose.append((number, line))
                heading = re.match(r"(#{1,6}) (.*)", line)
                if heading:
                    self.headings.append((len(heading[1]), heading[2].strip()))
        if fence is not None:
            raise SystemExit(f"{name(path)}:{fence[0]}: a code block that never ends")

    def links(self):
        """(line number, target) of every link in the prose."""
        for number, line in self.prose:
            for target in re.findall(r"\]\(([^)\s]+)\)", without_code(line)):
                yield number, target

    def code_spans(self):
        """(line number, text) of every `code span` in the prose."""
        for number, line in self.prose:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span

    def anchors(self):
        """The anchors that a reader's software makes out of the headings."""
        seen = {}
        for _, text in self.headings:
            slug = re.sub(r"[^\w\- ]", "", without_links(text).lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            yield slug if count == 0 else f"{slug}-{count}"


def without_code(line):
    return re.sub(r"`[^`]*`", "``", line)


def without_links(text):
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def report(problems, checked):
    """Prints what is wrong and ends the test."""
    for problem in problems:
        print(problem)
    print(f"{checked}: {len(problems)} wrong")
    sys.exit(1 if problems else 0)
