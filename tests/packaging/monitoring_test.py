"""The alert rules and the dashboard: each query names metrics and labels that the program has, and is
one that Prometheus can read; the rules' own tests pass."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = TOP / "packaging" / "prometheus"
DASHBOARD = TOP / "packaging" / "grafana" / "matching.json"
PAGE = TOP / "docs" / "metrics.md"

sys.path.insert(0, str(TOP / "tests" / "clients"))
from server import DEADLINE_S, Server  # noqa: E402

NAME = re.compile(r"\b((?:matching|process)_[a-z0-9_]+)\b(?:\{([^}]*)\})?")
FROM_PROMETHEUS = {"job", "instance", "le"}
needs_promtool = unittest.skipUnless(shutil.which("promtool"),
                                     "promtool is not installed (Debian: prometheus)")


def metrics():
    """{name: (type, labels)} of the page, which tests/clients/metrics_test.py holds to the program."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.M)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def family(name, known):
    """The metric that a series belongs to, or None."""
    if name in known:
        return name
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    suffixes = {"histogram": {"bucket", "sum", "count"}, "summary": {"sum", "count"}}
    if base in known and name[len(base) + 1:] in suffixes.get(known[base][0], ()):
        return base
    return None


def queries_of_rules():
    """Plain text: one `expr:` a rule, on one line or as a block."""
    text = (PROMETHEUS / "matching.rules.yml").read_text(encoding="utf-8")
    found = re.findall(r"^    expr: (?:\|\n((?:      .*\n)+)|(.*)\n)", text, re.M)
    return [block or line for block, line in found]


def queries_of_dashboard():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    variables = [it["query"] for it in dashboard["templating"]["list"] if it["type"] == "query"]
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return targets, variables


class Monitoring(unittest.TestCase):
    def problems_of(self, query, known):
        problems = []
        found = NAME.findall(query)
        for name, selector in found:
            of = family(name, known)
            if of is None:
                problems.append(f"{query}: no metric {name}")
                continue
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
            if labels - known[of][1] - FROM_PROMETHEUS:
                problems.append(f"{query}: {of} has no label {labels - known[of][1]}")
        if not found and not query.startswith("up{"):
            problems.append(f"{query}: it names no metric")
        return problems

    def test_each_query_names_what_there_is(self):
        known = metrics()
        self.assertGreater(len(known), 30)
        targets, variables = queries_of_dashboard()
        rules = queries_of_rules()
        self.assertGreater(len(targets), 30)
        self.assertGreater(len(rules), 10)
        problems = [it for query in targets + variables + rules
                    for it in self.problems_of(query, known)]
        self.assertEqual(problems, [])

    def test_each_metric_is_on_the_dashboard(self):
        known = metrics()
        seen = {family(name, known) for query in queries_of_dashboard()[0]
                for name, _ in NAME.findall(query)}
        self.assertEqual(set(known) - seen, set())

    def test_a_query_that_is_wrong_is_found(self):
        known = metrics()
        for wrong in ("matching_order_total", 'matching_orders_total{code="x"}',
                      "matching_orders_total_bucket", "matching_processing_seconds_bucket", "1 + 1"):
            self.assertTrue(self.problems_of(wrong, known), wrong)

    def test_panels_do_not_overlap(self):
        panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
        self.assertEqual(len({it["id"] for it in panels}), len(panels))
        taken = set()
        for it in panels:
            at = it["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(taken & cells, it["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells

    def test_what_alerts_look_for_is_really_told(self):
        """Those metrics that are always there, in a scrape of a running program."""
        with Server() as server:
            with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=DEADLINE_S) as it:
                text = it.read().decode()
        for query in queries_of_rules():
            for name, selector in NAME.findall(query):
                if "store" in name or "snapshots" in name or "journal" in name:
                    continue  # there only where there are such
                wanted = [part.strip() for part in selector.split(",") if part and "job=" not in part]
                lines = [line for line in text.splitlines() if re.match(rf"{name}[ {{]", line)]
                self.assertTrue(any(all(part in line for part in wanted) for line in lines), query)

    def run_promtool(self, *arguments, folder=PROMETHEUS):
        done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @needs_promtool
    def test_the_rules_pass_their_own_tests(self):
        self.run_promtool("check", "rules", "--lint-fatal", "matching.rules.yml")
        self.run_promtool("test", "rules", "matching.rules.test.yml")

    def test_each_alert_is_tested_both_ways(self):
        rules = (PROMETHEUS / "matching.rules.yml").read_text(encoding="utf-8")
        tests = (PROMETHEUS / "matching.rules.test.yml").read_text(encoding="utf-8")
        wanted = set(re.findall(r"^  - alert: (\w+)$", rules, re.M))
        for word in ("fires", "is quiet"):
            self.assertEqual(set(re.findall(rf"^- name: (\w+) {word}$", tests, re.M)), wanted)

    @needs_promtool
    def test_prometheus_can_read_the_dashboards_queries(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="matching-test-"))
        rules = [{"record": f"query:number{i}", "expr": query.replace("$__rate_interval", "5m")}
                 for i, query in enumerate(queries_of_dashboard()[0])]
        with open(os.path.join(folder, "rules.yml"), "w", encoding="utf-8") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # YAML too
        self.run_promtool("check", "rules", "rules.yml", folder=folder)


class Probes(unittest.TestCase):
    def test_the_binary_the_page_and_the_example_agree(self):
        notes = subprocess.run(["readelf", "--notes", os.environ["MATCHING_BINARY"]],
                               capture_output=True, text=True, timeout=DEADLINE_S, check=False).stdout
        built = set(re.findall(r"Provider: matching\n\s+Name: (\w+)", notes))
        if not built:
            self.skipTest("built without probes (Debian: systemtap-sdt-dev)")
        rows = re.findall(r"^\| `matching:(\w+)` \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.M)
        self.assertEqual({name for name, _ in rows}, built)
        for name, arguments in rows:
            counts = {len(found.split()) for found in re.findall(
                rf"Provider: matching\n\s+Name: {name}\n.*\n\s+Arguments: (.*)", notes)}
            self.assertEqual(counts, {arguments.count(",") + 1}, name)
        example = (TOP / "packaging" / "probes.bt").read_text(encoding="utf-8")
        used = set(re.findall(r"^usdt:\S+:matching:(\w+)$", example, re.M))
        self.assertGreater(len(used), 5)
        self.assertEqual(used - built, set())


if __name__ == "__main__":
    unittest.main()
