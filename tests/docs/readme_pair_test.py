"""README.md and README.zh-CN.md are one text in two languages: the same headings in number and
level, the same code blocks, the same links, tables of the same size. What is to be pasted into a
browser's console is what the transcript beside it (replayed by another test) sends."""

import re

from pages import ROOT, Page, report

ENGLISH = Page(ROOT / "README.md")
CHINESE = Page(ROOT / "README.zh-CN.md")
LANGUAGES = {"README.md", "README.zh-CN.md"}  # each links to the other


def levels(page):
    return [level for level, _ in page.headings]


def targets(page):
    """Where the links go; an anchor is in the page's language, so only the file counts."""
    files = [target.partition("#")[0] for _, target in page.links()]
    return sorted(file for file in files if file not in LANGUAGES)


def table_rows(page):
    return [line.count("|") for _, line in page.prose if line.startswith("|")]


def first_cells(page):
    """The code spans of each row's first cell: names, the same in every language."""
    cells = [line.split("|")[1] for _, line in page.prose if line.startswith("|")]
    return [re.findall(r"`([^`]+)`", cell) for cell in cells]


def unreplayed(page):
    """ws.send('...') lines that no transcript has."""
    def blocks(kind):
        return "\n".join(text for _, info, text in page.fences if info.split()[:1] == [kind])

    sent = re.findall(r"^> (.*)$", blocks("transcript"), re.M)
    pasted = re.findall(r"ws\.send\('(.*)'\)", blocks("js"))
    return [line for line in pasted if line not in sent]


def main():
    problems = [f"no transcript sends {line}" for line in unreplayed(ENGLISH)]
    if levels(ENGLISH) != levels(CHINESE):
        problems.append(f"headings differ: {ENGLISH.headings}\n  and: {CHINESE.headings}")
    ours, theirs = ENGLISH.fences, CHINESE.fences
    if len(ours) != len(theirs):
        problems.append(f"{len(ours)} code blocks in README.md, {len(theirs)} in README.zh-CN.md")
    for (line, info, text), (other_line, other_info, other_text) in zip(ours, theirs):
        if (info, text) != (other_info, other_text):
            problems.append(f"code blocks differ: README.md:{line}, README.zh-CN.md:{other_line}")
    for what, of in (("links", targets), ("tables", table_rows), ("names in tables", first_cells)):
        if of(ENGLISH) != of(CHINESE):
            problems.append(f"{what} differ:\n  {of(ENGLISH)}\n  {of(CHINESE)}")
    report(problems, f"{len(ours)} code blocks, {len(ENGLISH.headings)} headings")


main()
