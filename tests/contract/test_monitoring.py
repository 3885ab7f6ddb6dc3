"""Rules, runbooks and the Grafana dashboard speak of metrics that exist, and of one another."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from volwatch import metrics

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "volwatch"
RUNBOOKS = ROOT / "docs" / "runbooks"
ALERTS = sorted((CHART / "files" / "rules").glob("*/*.yaml"))
RECORDED = sorted((CHART / "files" / "rules").glob("*/recorded/*.yaml"))
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def served() -> Iterator[str]:
    """Yield the name of every series that a service serves."""
    for value in vars(metrics).values():
        if isinstance(value, metrics.OnScrape):
            yield value.name
        if isinstance(value, MetricWrapperBase):
            for family in value.describe():
                yield from (family.name + suffix for suffix in SUFFIXES[family.type])


def recorded() -> set[str]:
    rules: list[dict[str, Any]] = [rule for path in RECORDED for rule in yaml.safe_load(path.read_text("utf-8"))]
    return {rule["record"] for rule in rules}


@pytest.mark.parametrize("path", [*ALERTS, *RECORDED, *DASHBOARDS, *PAGES], ids=lambda path: path.name)
def test_every_metric_is_declared(path: Path) -> None:
    used = set(re.findall(r"\bvolwatch[_:][a-z0-9_:]+", path.read_text("utf-8")))
    assert used - set(served()) - recorded() == set()


def test_what_is_recorded_is_used() -> None:
    text = "".join(path.read_text("utf-8") for path in [*ALERTS, *RECORDED, *DASHBOARDS])
    assert {name for name in recorded() if len(re.findall(rf"\b{name}\b", text)) < 2} == set()


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_an_alert_is_called_as_its_file(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))["alert"] == path.stem
    assert re.fullmatch(r"Volwatch([A-Z][a-z]+)+", path.stem)


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert [page.stem for page in PAGES] == sorted(path.stem for path in ALERTS)


def test_the_index_lists_every_runbook() -> None:
    linked = re.findall(r"\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text("utf-8"))
    assert sorted(linked) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_has_its_four_parts(page: Path) -> None:
    headings = re.findall(r"^#+ .+$", page.read_text("utf-8"), re.MULTILINE)
    assert headings == [f"# {page.stem}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]


def test_every_folder_of_rules_is_a_group_of_the_chart() -> None:
    template = (CHART / "templates" / "monitoring" / "rules.yaml").read_text("utf-8")
    assert [path.parent.name for path in ALERTS if f'"{path.parent.name}" ' not in template] == []
