"""docs/methods.md tells of every name and number that the code has, of nothing else, and the truth; so does tools.md of
every tool.

A table tells a fact: what it names stands in backticks in the first column of a row.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache, reduce
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

from volwatch import finnhub, sight
from volwatch.analytics import bars, detector, market_wide
from volwatch.analytics.calendars import Annualisation, calendar_named
from volwatch.analytics.conditions import TABLES, VOLUME_ONLY
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.measures.day_risk import measure_days
from volwatch.analytics.measures.sessions import grid, measure_sessions, prior
from volwatch.analytics.results import FLAG_NAMES
from volwatch.analytics.rules import rule
from volwatch.analytics.standing import STANDINGS
from volwatch.analytics.trades import no_trades
from volwatch.analytics.volatility import NULL_REASONS
from volwatch.cli import COMMANDS
from volwatch.pipeline import nightly

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "methods.md"
TOOLS = ROOT / "docs" / "tools.md"

HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
CELL = re.compile(r"(?<!\\)\|")
TEST = re.compile(r"`(test_\w+)`")
LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]+))?\)")

SECONDS = {60: "minute", 86_400: "day"}

Stored = tuple[str, str, int]
"""When an estimator is computed, its name, and its window."""


@cache
def sections() -> dict[str, str]:
    """Return the text of each section under its heading, up to the next of any level."""
    parts = HEADING.split(PAGE.read_text("utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a section's tables by their columns; of columns with one name the last."""
    header: list[str] = []
    for line in sections()[section].splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in CELL.split(line)[1:-1]]
        if not header:
            header = cells
        elif set(line) - set("|-: "):
            yield dict(zip(header, cells, strict=True))


def first_column(section: str, column: str) -> list[str]:
    return [name for row in rows(section) if column in row for name in QUOTED.findall(row[column])]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def told_estimators() -> Iterator[Stored]:
    for row in rows("Volatility estimators"):
        if "`estimator`" in row:
            (name,) = QUOTED.findall(row["`estimator`"])
            yield from ((when, name, int(row[when])) for when in ("minute", "day") if row[when] != "–")
    for section in ("Realised measures and jump tests", "Risk measures", "GARCH"):
        for row in rows(section):
            if "`estimator`" in row:
                (name,) = QUOTED.findall(row["`estimator`"])
                yield row.get("by", "night"), name, int(row["window_bars"])


def estimators_of_the_engine() -> Iterator[Stored]:
    for part in Engine(EngineConfig()).process(no_trades()).volatility:
        named = zip(part.estimators, part.windows, strict=True)
        yield from ((SECONDS[part.bar_seconds], name, window) for name, window in named)


def estimators_of_the_night() -> Iterator[Stored]:
    none, one = np.empty(0, np.int64), np.zeros(1, np.int64)
    session = grid(none, none, np.empty(0), np.array([390]))
    made = [
        *measure_sessions(session, one, np.zeros(1), prior(390, continuous=False), 252.0),
        *measure_days(np.full(1, np.nan), one, 252, 0.0),
    ]
    yield from (("night", each.estimator, each.window_bars) for each in made)
    # The model's measure is named where it is made, which takes a fit.
    for call in ast.walk(ast.parse(Path(nightly.__file__).read_text("utf-8"))):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "measure":
            assert ast.unparse(call.args[1]) == "GARCH_WINDOW"
            yield "night", ast.literal_eval(call.args[0]), nightly.GARCH_WINDOW


def test_every_estimator_is_told_with_when_it_is_computed_and_its_window() -> None:
    stored = sorted({*estimators_of_the_engine(), *estimators_of_the_night()})
    assert sorted(told_estimators()) == stored


def test_every_reason_for_null_is_told() -> None:
    assert sorted(first_column("Undefined values", "`null_reason`")) == sorted(NULL_REASONS[1:])


def test_every_reason_for_a_rejection_is_told_with_who_tells_it() -> None:
    told = {name: row["told by"] for row in rows("Acceptance") for name in QUOTED.findall(row["reason"])}
    speakers = {"codec": finnhub.REASONS, "engine": bars.REASONS[1:]}
    names = {name for reasons in speakers.values() for name in reasons}
    assert told == {
        name: ", ".join(speaker for speaker, reasons in speakers.items() if name in reasons) for name in names
    }


def codes(cell: str) -> set[str]:
    """Return the codes of a cell; a blank one is sent as nothing or as a space."""
    return {code for told in re.split(r"[,;] ", cell) if told for code in (("", " ") if told == "blank" else (told,))}


def test_every_sale_condition_is_told_with_what_it_does() -> None:
    told = {QUOTED.findall(row["table"])[0]: list(row.values())[1:] for row in rows("Sale conditions")}
    assert sorted(told) == sorted(TABLES)
    for name in ("sip", "finnhub"):
        by_effect = [{code for code, held in TABLES[name].items() if held == effect} for effect in range(3)]
        assert list(map(codes, told[name])) == by_effect
    assert TABLES["sip-round-lots"] == {**TABLES["sip"], "I": VOLUME_ONLY}


def test_every_flag_and_every_standing_is_told() -> None:
    assert first_column("Bars", "flag") == list(FLAG_NAMES.values())
    assert sorted(first_column("Standing", "standing")) == sorted(STANDINGS)


def test_every_kind_and_severity_of_an_alert_is_told() -> None:
    assert first_column("Alerts", "kind") == [*detector.KINDS, market_wide.KIND, rule.KIND, sight.KIND]
    assert first_column("Alerts", "severity") == list(detector.SEVERITIES[1:])


def test_every_annualisation_code_is_told_with_its_bars_of_a_year() -> None:
    told = {}
    # Both numbers stand in columns of one name: cells by place.
    for line in sections()["Annualisation codes"].splitlines():
        cells = [cell.strip() for cell in CELL.split(line)[1:-1]]
        if cells and cells[0].startswith("`"):
            calendar, minute, day = (QUOTED.findall(cells[place])[0] for place in (0, 1, 3))
            told[calendar] = (Annualisation(minute, number(cells[2])), Annualisation(day, number(cells[4])))
    assert told.keys() >= {"XNYS", "24/7", "24/5"}
    assert told == {name: (calendar_named(name).minute, calendar_named(name).day) for name in told}
    # What is said of all other exchanges.
    for name in ("XETR", "XPAR"):
        codes = (calendar_named(name).minute.code, calendar_named(name).day.code)
        assert codes == (f"{name}_1M", f"{name}_DAILY")


def constants() -> list[tuple[str, str]]:
    return [(QUOTED.findall(row["constant"])[0], row["value"]) for row in rows("Parameters")]


def test_no_parameter_is_told_twice() -> None:
    names = [name for name, _ in constants()]
    assert len(names) > 40
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(("name", "value"), constants())
def test_a_parameter_has_the_value_that_is_told(name: str, value: str) -> None:
    parts = name.split(".")
    module = list(takewhile(str.islower, parts))
    path = parts[len(module) :]
    found = reduce(getattr, path, importlib.import_module(".".join(["volwatch.analytics", *module])))
    if isinstance(found, property) or not isinstance(found, int | float):
        found = getattr(EngineConfig(), path[-1])  # slots hide the defaults of a class
    assert found == number(value)


def test_every_tool_is_told() -> None:
    told = re.findall(r"^\| \[`volwatch (\w+)`\]", TOOLS.read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(name for name, (module, _) in COMMANDS.items() if ".research." in module)


@pytest.mark.parametrize("page", [PAGE, TOOLS], ids=lambda path: path.name)
def test_every_test_and_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    defined = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert set(TEST.findall(text)) - defined == set()
    files = {target for target, _ in LINK.findall(text) if target and not target.startswith("http")}
    assert {target for target in files if not (page.parent / target).exists()} == set()


def slug(heading: str) -> str:
    """Return the name by which a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [PAGE, TOOLS], ids=lambda path: path.name)
def test_every_section_that_a_page_links_to_is_there(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if anchor and not target.startswith("http"):
            text = (page.parent / target if target else page).read_text("utf-8")
            assert anchor in {slug(heading) for heading in HEADING.findall(text)}, (target, anchor)
