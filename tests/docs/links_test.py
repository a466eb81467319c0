"""Every relative link in a page leads to a file that exists, and to a heading that it has."""

from pages import Page, name, pages, report


def main():
    problems = []
    checked = 0
    for path in pages():
        for line, target in Page(path).links():
            if "://" in target or target.startswith("mailto:"):
                continue
            checked += 1
            file, _, anchor = target.partition("#")
            there = path if not file else (path.parent / file).resolve()
            if not there.exists():
                problems.append(f"{name(path)}:{line}: {target}: no such file")
            elif anchor and there.suffix == ".md" and anchor not in Page(there).anchors():
                problems.append(f"{name(path)}:{line}: {target}: no such heading")
    report(problems, f"{checked} links")


main()
