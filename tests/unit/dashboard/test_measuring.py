"""What levels are worth on a labelled market: the numbers of the command line, and what is undefined."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dashboard.measuring import NO_EVENT, NO_HIT, Measured, commands, measure, recall_column
from volwatch import cli
from volwatch.market.sessions import EVENTFUL, Plan

PLAN = Plan(seed=10, symbols_per_scenario=1, history=1, evaluated=1, mixed=False)
LEVELS = [3.3, 4.5, 1000.0]
TOLD = ("recall", "hits", "events", "false_per_symbol_day", "false", "delay_median")
"""As the command line names what stands between the level and the reason."""


@pytest.fixture(scope="module")
def told() -> list[float]:
    return []


@pytest.fixture(scope="module")
def measured(told: list[float]) -> Measured:
    return measure(PLAN, LEVELS, told.append)


def command_line(folder: Path, level: float, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the score of a level as the commands tell it."""
    alerts = folder / "alerts.csv"
    bars = str(folder / "bars.csv.gz")
    assert cli.main(["backtest", bars, "-o", str(alerts), "--enter", f"{level:g}"]) == 0
    capsys.readouterr()
    assert cli.main(["score", str(alerts), str(folder), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_numbers_are_those_of_the_command_line(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--symbols-per-scenario", "1", "--history-days", "1", "--days", "1"]
    assert cli.main(["scenario", "--seed", "10", *size, "-o", str(tmp_path)]) == 0
    for row, level in enumerate(LEVELS):
        expected = command_line(tmp_path, level, capsys)
        ours = measured.levels.drop(columns=["level", "reason"]).iloc[row]
        assert [None if pd.isna(value) else value for value in ours] == [expected[name] for name in TOLD]
        assert measured.symbol_days == expected["symbol_days"]
        assert measured.kinds.set_index("kind")[recall_column(level)].dropna().to_dict() == expected["recall_by_kind"]


def test_a_market_is_worth_measuring_only_with_events_and_hits(measured: Measured) -> None:
    assert measured.levels["hits"].iloc[0] > 0
    assert measured.levels["events"].nunique() == 1
    assert measured.kinds["events"].sum() == measured.levels["events"].iloc[0]
    assert measured.kinds["kind"].tolist() == list(EVENTFUL)


def test_what_is_undefined_is_missing_and_has_a_reason(measured: Measured) -> None:
    last = measured.levels.iloc[-1]
    assert (last["recall"], last["false_per_symbol_day"], last["reason"]) == (0.0, 0.0, NO_HIT)
    assert pd.isna(last["delay_minutes"])
    assert measured.levels["reason"].iloc[0] == ""
    without = measured.kinds[measured.kinds["events"] == 0]
    assert len(without) > 0
    assert without["reason"].unique().tolist() == [NO_EVENT]
    assert without[recall_column(3.3)].isna().all()


def test_it_tells_how_far_it_is(measured: Measured, told: list[float]) -> None:
    assert len(told) == measured.plan.sessions + len(LEVELS)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_commands_are_those_that_measure_the_same(measured: Measured) -> None:
    assert commands(measured) == (
        "volwatch scenario --seed 10 --symbols-per-scenario 1 --history-days 1 --days 1 -o market\n"
        "volwatch backtest market/bars.csv.gz --sweep --labels market --enter 3.3 --enter 4.5 --enter 1000"
    )
