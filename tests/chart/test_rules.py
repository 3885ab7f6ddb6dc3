"""The alert rules as Prometheus reads them: valid, firing on a series that should, quiet on one that should not.

``tests/chart/rules`` holds tests in promtool's own form. The rules are made as the chart makes them: a folder is a
group, what is recorded comes first, and NAMESPACE is the release's.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.programs import program
from tests.chart.rendering import NAMESPACE, Case, render

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts" / "volwatch" / "files"
FOLDERS = sorted(folder for folder in (FILES / "rules").iterdir() if folder.is_dir())
TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
RUNBOOKS = "https://github.com/volwatch/volwatch/blob/main/docs/runbooks"
PANELS = FILES / "dashboards" / "volwatch.json"

Rule = dict[str, Any]


def run(*arguments: str, folder: Path) -> None:
    done = subprocess.run([program("promtool"), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rules_of(folder: Path) -> list[Rule]:
    text = "".join(path.read_text("utf-8") for path in sorted(folder.glob("recorded/*.yaml")))
    recorded: list[Rule] = yaml.safe_load(text.replace("NAMESPACE", NAMESPACE)) or []
    alerts = [path.read_text("utf-8").replace("NAMESPACE", NAMESPACE) for path in sorted(folder.glob("*.yaml"))]
    return [*recorded, *(yaml.safe_load(text) for text in alerts)]


ALERTS: list[Rule] = [rule for folder in FOLDERS for rule in rules_of(folder) if "alert" in rule]


def write_groups(path: Path, groups: dict[str, list[Rule]]) -> None:
    listed = [{"name": name, "interval": "1m", "rules": rules} for name, rules in groups.items()]
    path.write_text(yaml.safe_dump({"groups": listed}, sort_keys=False), "utf-8")


def outcomes() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield each expectation of the tests: an alert, and the labels of those that fire."""
    for path in TESTS:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for asked in case.get("alert_rule_test", []):
                yield asked["alertname"], [one["exp_labels"] for one in asked["exp_alerts"]]


def test_the_chart_makes_these_rules_and_names_their_runbooks() -> None:
    (made,) = [body for body in render(Case()) if body["kind"] == "PrometheusRule"]
    expected = {f"volwatch-{folder.name}": rules_of(folder) for folder in FOLDERS}
    for rule in (rule for rules in expected.values() for rule in rules if "alert" in rule):
        rule["annotations"]["runbook_url"] = f"{RUNBOOKS}/{rule['alert']}.md"
    assert {group["name"]: group["rules"] for group in made["spec"]["groups"]} == expected


def test_a_sample_of_the_freshness_is_a_minute() -> None:
    (made,) = [body for body in render(Case()) if body["kind"] == "PrometheusRule"]
    assert {group["name"]: group.get("interval") for group in made["spec"]["groups"]}["volwatch-slo"] == "1m"


def test_promtool_accepts_every_rule(tmp_path: Path) -> None:
    write_groups(tmp_path / "rules.yaml", {folder.name: rules_of(folder) for folder in FOLDERS})
    run("check", "rules", "rules.yaml", folder=tmp_path)


def test_promtool_accepts_every_query_of_the_dashboard(tmp_path: Path) -> None:
    panels = json.loads(PANELS.read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    filled = [query.replace("$__rate_interval", "5m").replace("$namespace", NAMESPACE) for query in queries]
    assert len(filled) > 0
    rules: list[Rule] = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(filled)]
    write_groups(tmp_path / "rules.yaml", {"panels": rules})
    run("check", "rules", "rules.yaml", folder=tmp_path)


@pytest.mark.parametrize("tests", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(tests: Path, tmp_path: Path) -> None:
    # promtool would compare every sentence, too. Their labels are looked at below; the sentences are for people.
    groups = {
        folder.name: [{key: value for key, value in rule.items() if key != "annotations"} for rule in rules_of(folder)]
        for folder in FOLDERS
    }
    write_groups(tmp_path / "rules.yaml", groups)
    shutil.copy(tests, tmp_path)
    run("test", "rules", tests.name, folder=tmp_path)


def test_every_alert_is_tested_firing_and_quiet() -> None:
    names = {rule["alert"] for rule in ALERTS}
    assert {name for name, fired in outcomes() if fired} == names
    assert {name for name, fired in outcomes() if not fired} == names


def test_an_alert_names_its_namespace_so_that_it_can_be_routed() -> None:
    assert [name for name, fired in outcomes() if any(labels.get("namespace") != NAMESPACE for labels in fired)] == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_and_what_to_do_first(rule: Rule) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "warn", "info"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert "first:" in rule["annotations"]["description"].lower()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_speaks_only_of_labels_that_it_has(rule: Rule) -> None:
    spoken_of = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    for name, fired in outcomes():
        if name == rule["alert"]:
            assert [labels for labels in fired if not spoken_of <= set(labels)] == []
