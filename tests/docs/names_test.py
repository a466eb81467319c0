"""Whatever a page calls by its name exists: files, functions, make targets, types and constants.

Looked at are `code spans` only. A path with a folder (`core/engine/match.c`) is one of the tree or
of the page's own folder; a file name alone (`match.c`) is one of some folder; `name()` is called
or defined in some source, and in a table in a file that its row names; `make word` is a target of
the Makefile; matching_x and MATCHING_X are words of some source. What stands for a name to be chosen is written with < > and left alone."""

import re

from pages import ROOT, Page, files, name, pages, report

SOURCES = {".c", ".h", ".py", ".js", ".mjs", ".sh", ".txt", ".cmake", ".json"}
SUFFIXES = r"(?:c|h|md|txt|sh|py|js|mjs|json|service|toml|html)"
# Files that are made, or that a user writes.
MADE = re.compile(r"(^|/)(build|matching-data)(/|$)|^matching\.toml$|^/")
PATH = re.compile(rf"^[\w.-]+(?:/[\w.-]+)*/[\w.-]+\.{SUFFIXES}$|^[\w.-]+(?:/[\w.-]+)*/$")
FILE = re.compile(rf"^[\w-]+(?:\.[\w-]+)*\.{SUFFIXES}$")
FUNCTION = re.compile(r"\b([A-Za-z_]\w*)\(\)")
WORD = re.compile(r"\b(matching_\w+|MATCHING_\w+)(\*?)")


class Tree:
    def __init__(self):
        there = list(files())
        self.names = {path.name for path in there}
        # Pages do not prove that a name exists, and neither does this test.
        texts = [
            path.read_text(encoding="utf-8", errors="replace")
            for path in there
            if path.suffix in SOURCES and path.name != "names_test.py"
        ]
        self.text = "\n".join(texts)
        self.words = set(re.findall(r"\w+", self.text))
        self.functions = set(re.findall(r"(\w+)\s*\(", self.text))
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        self.targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))


def problems_of(span, folder, there):
    if "<" in span or "…" in span:
        return
    for token in span.split():
        token = token.strip(",;:'\"")
        if MADE.search(token) or "://" in token:
            continue
        if PATH.match(token):
            if not ((ROOT / token).exists() or (folder / token).exists()):
                yield f"no such path: {token}"
        elif FILE.match(token) and token not in there.names:
            yield f"no such file: {token}"
    for function in FUNCTION.findall(span):
        if function not in there.functions:
            yield f"no such function: {function}()"
    for word, star in WORD.findall(span):
        known = any(each.startswith(word) for each in there.words) if star else word in there.words
        if not known:
            yield f"no such name: {word}{star}"
    for target in re.findall(r"^make ([a-z-]+)$", span):
        if target not in there.targets:
            yield f"no such make target: {target}"


def problems_of_row(row):
    """A table's row that names sources and functions: these are in those."""
    spans = re.findall(r"`([^`]+)`", row)
    sources = [ROOT / span for span in spans if re.search(r"/[\w.-]+\.[ch]$", span)]
    functions = [each for span in spans for each in FUNCTION.findall(span)]
    texts = [source.read_text(encoding="utf-8") for source in sources if source.exists()]
    for function in functions:
        if texts and not any(re.search(rf"\b{function}\(", text) for text in texts):
            yield f"{function}() is not in that file"


def main():
    there = Tree()
    problems = []
    checked = 0
    for path in pages():
        page = Page(path)
        for line, row in page.prose:
            if row.startswith("|"):
                problems += [f"{name(path)}:{line}: {each}" for each in problems_of_row(row)]
        for line, span in page.code_spans():
            checked += 1
            for problem in problems_of(span, path.parent, there):
                problems.append(f"{name(path)}:{line}: {problem}")
    report(problems, f"{checked} code spans")


main()
