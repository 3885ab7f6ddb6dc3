"""The steps in the lives of alerts as statements: which row changes, and what the audit is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.alerts import alert_id
from volwatch.analytics.results import Facts, Transition
from volwatch.analytics.rules.rule import Move
from volwatch.warehouse.alert_writer import Path, Told, changed_since, write_transitions

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
NO_OTHER: Answers = []
"""Nothing else of the series is open."""
NO_MARKET: tuple[Answers, ...] = ([], [])
"""The alerts of symbols, and those of markets."""
SINCE = ONSET + timedelta(hours=3)


def tell(asked: ScriptedCursor, *steps: Transition, path: Path = "pipeline", **told: Any) -> int:
    given = Told(2, 100, 200, steps, **told)
    return write_transitions(asked.cursor, [given], path, bars_since=SINCE, threshold=3.7, config_hash="abc")


def written(
    *steps: Transition, answers: tuple[Answers, ...] = (), path: Path = "pipeline", changed: int = 1, **told: Any
) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
    """Return how many alerts were opened, and what was written where."""
    asked = ScriptedCursor(*answers, *NO_MARKET)
    asked.rowcount = changed
    opened = tell(asked, *steps, path=path, **told)
    verbs = [(" ".join(statement.split()[:3]), parameters) for statement, parameters in asked.asked]
    return opened, [(verb, parameters) for verb, parameters in verbs if not verb.startswith("SELECT")]


def of_rows(statements: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [told for verb, told in statements if verb.endswith(" stock_alerts SET")]


def audited(statements: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(told["event"], told["severity"]) for verb, told in statements if verb == "INSERT INTO alert_events"]


def test_a_new_alert_is_a_row_and_a_line_of_the_audit() -> None:
    opened, statements = written(OPENED, answers=(OBJECTS, NO_OTHER, FRESH))
    assert opened == 1
    (row,) = [told for verb, told in statements if verb == "INSERT INTO stock_alerts"]
    why = row["why"].adapted
    assert row["sentence"].startswith("NVDA 14:30Z: ")
    assert {name: row[name] for name in EXPECTED} == EXPECTED
    assert (why["partition"], why["raw_objects"]) == (2, ["trades/a.csv.gz", "trades/b.csv.gz"])
    assert audited(statements) == [("OPEN", "MEDIUM")]


EXPECTED = {
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
    "reached": 200,
}


def test_an_alert_of_a_rule_is_written_under_the_rules_name_with_its_threshold() -> None:
    rule = Move("big-move", percent=2.0)
    step = replace(
        OPENED,
        kind="RULE",
        threshold=0.02,
        detector="big-move",
        detector_version=rule.version,
        rule=rule,
        facts=replace(FACTS, reference=10.0),
    )
    _, statements = written(step, answers=(OBJECTS, NO_OTHER, FRESH))
    (row,) = [told for verb, told in statements if verb == "INSERT INTO stock_alerts"]
    assert (row["kind"], row["detector"], row["detector_version"], row["threshold"]) == (
        "RULE",
        "big-move",
        rule.version,
        0.02,
    )
    assert row["alert_id"] == str(alert_id("finnhub", "NVDA", "RULE", ONSET_MS, "big-move", rule.version)) != ID


def test_the_objects_behind_an_alert_are_asked_for_by_its_offsets() -> None:
    asked = ScriptedCursor(OBJECTS, NO_OTHER, FRESH, *NO_MARKET)
    tell(asked, OPENED)
    assert asked.asked[1][1] == (2, 180, 100)


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
    count, statements = written(replace(OPENED, final=final), answers=(OBJECTS, NO_OTHER, answer))
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
    (row,) = of_rows(statements)
    assert {name: row[name] for name in changes} == changes
    assert audited(statements) == [(step.state, step.severity)]


def test_steps_are_written_in_their_order() -> None:
    retracted = replace(OPENED, state="RETRACTED", onset=ONSET_MS + 60_000, final=True, facts=None)
    _, statements = written(retracted, replace(OPENED, final=True), answers=(OBJECTS, NO_OTHER, FRESH))
    assert [event for event, _ in audited(statements)] == ["RETRACTED", "OPEN", "CONFIRMED"]


def test_no_steps_write_nothing() -> None:
    assert written() == (0, [])


@pytest.mark.parametrize(
    ("watermark", "since"),
    [
        ([(ONSET + timedelta(hours=3),)], ONSET + timedelta(hours=3) - timedelta(minutes=10)),
        ([(datetime(1970, 1, 1, tzinfo=UTC),)], datetime(1970, 1, 2, tzinfo=UTC)),
        ([(None,)], datetime(1970, 1, 2, tzinfo=UTC)),
    ],
)
def test_bars_may_have_changed_since_some_time_before_the_oldest_watermark(watermark: Answers, since: datetime) -> None:
    asked = ScriptedCursor(watermark)
    assert changed_since(asked.cursor, [2, 4]) == since
    assert asked.asked[0][1] == ([2, 4],)


def test_markets_are_judged_from_where_bars_may_have_changed() -> None:
    asked = ScriptedCursor(*NO_MARKET)
    tell(asked)
    _lock, (_, members), (_, markets) = asked.asked
    assert (members["recent"], members["sources"]) == (SINCE - timedelta(hours=1), [])
    assert members == markets


def test_a_source_is_judged_from_its_first_onset_that_came_or_went() -> None:
    opened = replace(OPENED, onset=ONSET_MS - 60_000)
    closed = replace(OPENED, state="CLOSED", onset=ONSET_MS - 3_600_000)
    asked = ScriptedCursor(OBJECTS, NO_OTHER, FRESH, OBJECTS, NO_OTHER, FRESH, [], [])
    tell(asked, OPENED, opened, closed)
    told = asked.asked[-1][1]
    assert (told["sources"], told["starts"]) == (["finnhub"], [ONSET - timedelta(minutes=61)])
    assert told["oldest"] == told["starts"][0]


def test_what_an_other_path_knows_better_is_left_as_it_is_and_not_told_again() -> None:
    escalated = replace(OPENED, state="ESCALATED", severity="HIGH")
    _, statements = written(escalated, path="detector", changed=0)
    assert audited(statements) == []
    _, statements = written(OPENED, answers=(OBJECTS, NO_OTHER, []), path="detector")
    assert audited(statements) == []


def test_the_record_confirms_what_it_need_not_write() -> None:
    _, statements = written(replace(OPENED, final=True), answers=(OBJECTS, NO_OTHER, []))
    assert audited(statements) == [("CONFIRMED", "MEDIUM")]
    _, statements = written(replace(OPENED, final=True), answers=(OBJECTS, NO_OTHER, []), path="detector")
    assert audited(statements) == []


def test_steps_of_final_bars_are_noted_by_path_so_that_both_can_be_compared() -> None:
    retracted = replace(OPENED, state="RETRACTED", final=True, facts=None)
    closed = replace(OPENED, state="CLOSED", final=True, bar=ONSET_MS + 60_000)
    _, statements = written(OPENED, retracted, closed, answers=(OBJECTS, NO_OTHER, FRESH), path="detector")
    noted = [told for verb, told in statements if verb == "INSERT INTO alert_steps"]
    names = ("event", "path", "partition", "first_offset", "reached", "bar_start")
    assert [[told[name] for name in names] for told in noted] == [
        ["CLOSED", "detector", 2, 100, 200, ONSET + timedelta(minutes=1)]
    ]


def test_an_alert_that_stands_in_the_way_ends_and_the_audit_says_how() -> None:
    _, statements = written(OPENED, answers=(OBJECTS, [("other", "RETRACTED", "LOW")], FRESH))
    told = [told for verb, told in statements if verb == "INSERT INTO alert_events"]
    assert [(each["alert_id"], each["event"], each["severity"]) for each in told] == [
        ("other", "RETRACTED", "LOW"),
        (ID, "OPEN", "MEDIUM"),
    ]


def test_the_record_takes_back_what_final_bars_do_not_bear_out() -> None:
    unborne: Answers = [("stray", "HIGH", ONSET - timedelta(minutes=9))]
    _, statements = written(answers=(unborne,), final_before={"finnhub": ONSET_MS})
    (asked,) = of_rows(statements)
    assert (asked["final_before"], asked["source"], asked["reached"]) == (ONSET, "finnhub", 200)
    assert audited(statements) == [("RETRACTED", "HIGH")]
