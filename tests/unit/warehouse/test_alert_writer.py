"""The steps in the lives of alerts as statements: which row changes, and what the audit is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.alerts import alert_id
from volwatch.analytics.results import Facts, Transition
from volwatch.warehouse.alert_writer import write_transitions

ONSET_MS = 1_767_623_400_000
ONSET = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
ID = str(alert_id("finnhub", "NVDA", "VOLATILITY", ONSET_MS))
FACTS = Facts(
    start=ONSET_MS,
    open=10.0,
    high=11.0,
    low=9.0,
    close=10.5,
    volume=100.0,
    trades=5,
    first_offset=100,
    last_offset=180,
    revision=0,
    flags=0,
    log_return=0.05,
    elapsed=1,
    statistic=5.5,
    z=5.5,
    ratio=2.0,
    log_range=-1.6,
    expected_log_range=-4.0,
    per_year=98_280.0,
    baseline_bars=100,
    profile_days=5,
)
OPENED = Transition(
    source="finnhub",
    symbol="NVDA",
    kind="VOLATILITY",
    state="OPEN",
    severity="MEDIUM",
    onset=ONSET_MS,
    bar=ONSET_MS,
    peak=5.5,
    final=False,
    watermark=ONSET_MS + 65_000,
    facts=FACTS,
)
Answers = list[tuple[object, ...]]

FRESH: Answers = [(True,)]
KNOWN: Answers = [(False,)]
OBJECTS: Answers = [("trades/a.csv.gz",), ("trades/b.csv.gz",)]
NO_MARKET: tuple[Answers, ...] = ([], [], [])
"""The partition's watermark, the alerts of symbols, and those of markets."""


def written(*steps: Transition, answers: tuple[Answers, ...] = ()) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
    """Return how many alerts were opened, and what was written where."""
    asked = ScriptedCursor(*answers, *NO_MARKET)
    opened = write_transitions(asked.cursor, steps, partition=2, threshold=3.7, config_hash="abc")
    verbs = [(" ".join(statement.split()[:3]), parameters) for statement, parameters in asked.asked]
    return opened, [(verb, parameters) for verb, parameters in verbs if not verb.startswith("SELECT")]


def audited(statements: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(told["event"], told["severity"]) for verb, told in statements if verb == "INSERT INTO alert_events"]


def test_a_new_alert_is_a_row_and_a_line_of_the_audit() -> None:
    opened, statements = written(OPENED, answers=(OBJECTS, FRESH))
    assert opened == 1
    (into, row), (_, event) = statements
    assert into == "INSERT INTO stock_alerts"
    why = row.pop("why").adapted
    assert row.pop("sentence").startswith("NVDA 14:30Z: ")
    assert {name: row[name] for name in row if name not in ("volatility", "expected_volatility", "ratio")} == {
        "alert_id": ID,
        "source": "finnhub",
        "symbol": "NVDA",
        "kind": "VOLATILITY",
        "detector": "lre",
        "detector_version": "1",
        "onset_bar": ONSET,
        "state": "OPEN",
        "severity": "MEDIUM",
        "confirmed": False,
        "statistic": 5.5,
        "threshold": 3.7,
        "config_hash": "abc",
        "detected_at": datetime(2026, 1, 5, 14, 31, 5, tzinfo=UTC),
    }
    assert (why["partition"], why["raw_objects"]) == (2, ["trades/a.csv.gz", "trades/b.csv.gz"])
    assert event == {"alert_id": ID, "event": "OPEN", "severity": "MEDIUM", "bar_start": ONSET, "actor": "pipeline"}


def test_the_objects_behind_an_alert_are_asked_for_by_its_offsets() -> None:
    asked = ScriptedCursor(OBJECTS, FRESH, *NO_MARKET)
    write_transitions(asked.cursor, [OPENED], partition=2, threshold=3.7, config_hash="abc")
    assert asked.asked[0][1] == (2, 180, 100)


@pytest.mark.parametrize(
    ("final", "answer", "opened", "events"),
    [
        (False, FRESH, 1, ["OPEN"]),
        (True, FRESH, 1, ["OPEN", "CONFIRMED"]),
        (True, KNOWN, 0, ["CONFIRMED"]),
        (False, KNOWN, 0, []),
    ],
)
def test_an_opening_is_counted_once_and_confirmed_once_final(
    final: bool, answer: Answers, opened: int, events: list[str]
) -> None:
    count, statements = written(replace(OPENED, final=final), answers=(OBJECTS, answer))
    assert (count, [event for event, _ in audited(statements)]) == (opened, events)


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        (
            replace(OPENED, state="ESCALATED", severity="HIGH", bar=ONSET_MS + 60_000, peak=8.0),
            {"alert_id": ID, "severity": "HIGH", "statistic": 8.0},
        ),
        (
            replace(OPENED, state="CLOSED", bar=ONSET_MS + 120_000, peak=8.0, final=True),
            {
                "alert_id": ID,
                "severity": "MEDIUM",
                "statistic": 8.0,
                "closed_at": datetime(2026, 1, 5, 14, 33, tzinfo=UTC),
            },
        ),
        (
            replace(OPENED, state="RETRACTED", final=True, facts=None, watermark=ONSET_MS + 180_000),
            {"alert_id": ID, "closed_at": datetime(2026, 1, 5, 14, 33, tzinfo=UTC)},
        ),
    ],
    ids=["ESCALATED", "CLOSED", "RETRACTED"],
)
def test_a_later_step_changes_the_row_of_the_same_alert(step: Transition, changes: dict[str, object]) -> None:
    opened, statements = written(step)
    assert opened == 0
    assert statements[0] == ("UPDATE stock_alerts SET", changes)
    assert audited(statements) == [(step.state, step.severity)]


def test_steps_are_written_in_their_order() -> None:
    retracted = replace(OPENED, state="RETRACTED", onset=ONSET_MS + 60_000, final=True, facts=None)
    _, statements = written(retracted, replace(OPENED, final=True), answers=(OBJECTS, FRESH))
    assert [event for event, _ in audited(statements)] == ["RETRACTED", "OPEN", "CONFIRMED"]


def test_no_steps_write_nothing() -> None:
    assert written() == (0, [])


@pytest.mark.parametrize(
    ("watermark", "recent"),
    [
        ([(ONSET + timedelta(hours=3),)], ONSET + timedelta(hours=3) - timedelta(minutes=70)),
        ([(None,)], datetime(1970, 1, 1, 23, tzinfo=UTC)),
        ([], datetime(1970, 1, 1, 23, tzinfo=UTC)),
    ],
)
def test_markets_are_judged_from_where_bars_may_have_changed(watermark: Answers, recent: datetime) -> None:
    """Bars are settled ten minutes behind the watermark of the run before; alerts are read from an hour before that."""
    asked = ScriptedCursor(watermark, [], [])
    write_transitions(asked.cursor, [], partition=2, threshold=3.7, config_hash="abc")
    (_, partition), (_, members), (_, markets) = asked.asked
    assert partition == (2,)
    assert (members["recent"], members["sources"]) == (recent, [])
    assert members == markets


def test_a_source_is_judged_from_its_first_onset_that_came_or_went() -> None:
    opened = replace(OPENED, onset=ONSET_MS - 60_000)
    closed = replace(OPENED, state="CLOSED", onset=ONSET_MS - 3_600_000)
    asked = ScriptedCursor(OBJECTS, FRESH, OBJECTS, FRESH, [(ONSET + timedelta(days=1),)], [], [])
    write_transitions(asked.cursor, [OPENED, opened, closed], partition=2, threshold=3.7, config_hash="abc")
    told = asked.asked[-1][1]
    assert (told["sources"], told["starts"]) == (["finnhub"], [ONSET - timedelta(minutes=61)])
    assert told["oldest"] == told["starts"][0]
