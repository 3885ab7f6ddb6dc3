"""The Grafana dashboard: whole, tidy, bound to no data source of its own. promtool reads its queries in test_rules."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

DASHBOARD = Path(__file__).parents[2] / "charts" / "volwatch" / "files" / "dashboards" / "volwatch.json"
TEXT = DASHBOARD.read_text("utf-8")
BOARD: dict[str, Any] = json.loads(TEXT)
PANELS: list[dict[str, Any]] = BOARD["panels"]
GRAPHS = [panel for panel in PANELS if panel["type"] != "row"]
# Those that follow a trade, in its order.
ROWS = [
    "Overview",
    "Producer",
    "Kafka",
    "Consumer",
    "Raw zone",
    "Pipeline",
    "Warehouse and risk alerts",
    "Alerts, detector, notifier",
    "Airflow",
]
COLUMNS = 24


def title(panel: dict[str, Any]) -> str:
    return f"{panel['id']}-{panel['title']}"


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)


def test_its_rows_follow_a_trade() -> None:
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == ROWS


def test_it_is_small_enough_for_the_release() -> None:
    assert len(TEXT.encode()) < 60_000


def test_panel_ids_are_unique() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))


def test_panels_lie_side_by_side_and_within_the_grid() -> None:
    places = [(title(panel), panel["gridPos"]) for panel in PANELS]
    assert [(a, b) for (a, here), (b, there) in combinations(places, 2) if overlap(here, there)] == []
    assert [name for name, place in places if place["x"] < 0 or place["x"] + place["w"] > COLUMNS] == []


@pytest.mark.parametrize("panel", PANELS, ids=title)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")


@pytest.mark.parametrize("panel", GRAPHS, ids=title)
def test_a_panel_asks_the_chosen_source_about_the_chosen_namespace_and_has_a_unit(panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert {(source["type"], source["uid"]) for source in sources} == {("prometheus", "${datasource}")}
    assert [target["expr"] for target in panel["targets"] if 'namespace="$namespace"' not in target["expr"]] == []
    assert panel["fieldConfig"]["defaults"]["unit"] != ""


def test_source_and_namespace_are_chosen_in_this_order() -> None:
    source, namespace = BOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert (namespace["name"], namespace["datasource"]["uid"]) == ("namespace", "${datasource}")
