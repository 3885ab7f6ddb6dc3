"""Explaining an alert without servers: what is read of the raw zone, how the bar comes of it, and how it is told."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operations.shelf import LOUD_MINUTE, MINUTE_MS, SERIES, START_MS, Shelf, market
from volwatch.analytics.anatomy import Anatomy, dissect
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Transition
from volwatch.analytics.trades import concatenate
from volwatch.errors import BadInput
from volwatch.operations import explain_text
from volwatch.operations.alerts_explain import id_bounds
from volwatch.operations.explain_alert import explain
from volwatch.operations.explain_rerun import Onset, Range, Seen, rerun
from volwatch.operations.explain_tape import Tape
from volwatch.operations.explain_verdict import Difference, differences, why_of
from volwatch.warehouse.explained import StoredAlert

TRADES = market()


def shelved(*bounds: int) -> Shelf:
    """Return the market on a shelf, cut into objects there."""
    shelf = Shelf()
    for first, last in itertools.pairwise([0, *bounds, len(TRADES)]):
        shelf.put(TRADES, first, last)
    return shelf


def tape_of(shelf: Shelf, since: datetime | None = None, first: int | None = None) -> Tape:
    return Tape(shelf, 0, since, first, (SERIES, START_MS + LOUD_MINUTE * MINUTE_MS), lambda _offset: None)


def offsets_of(tape: Tape) -> list[int]:
    offsets: list[int] = concatenate(list(iter(tape.next, None))).offset.tolist()
    return offsets


def test_each_record_is_read_once_whatever_the_objects_are() -> None:
    shelf = shelved(100, 200)
    shelf.put(TRADES, 50, 150)
    shelf.put(TRADES, 0, 90, partition=1)
    tape = tape_of(shelf)
    assert offsets_of(tape) == list(range(len(TRADES)))
    assert (tape.begun, tape.reached, tape.lacking) == (0, len(TRADES), [])


def test_what_no_object_has_or_only_one_that_cannot_be_read_is_told() -> None:
    shelf = Shelf()
    for first, last in ((0, 50), (60, 100), (100, 150)):
        shelf.put(TRADES, first, last)
    shelf.spoil(100)
    tape = tape_of(shelf, first=10)
    assert offsets_of(tape) == [*range(10, 50), *range(60, 100)]
    assert [gap[:2] for gap in tape.lacking] == [(50, 59), (100, 149)]
    assert [gap[0] for gap in tape.lacks(55, 99)] == [50]
    assert "cannot be read" in tape.lacking[1][2]


def test_the_records_of_the_bar_are_noted_by_object() -> None:
    cut = LOUD_MINUTE * 4 + 1
    tape = tape_of(shelved(cut))
    offsets_of(tape)
    assert [each.offset.tolist() for each in tape.prints] == [[cut - 1], [cut, cut + 1, cut + 2]]


def onset() -> tuple[Onset, Transition]:
    """Return the loud bar, as an engine that saw all at once opened it, and that step."""
    shelf = shelved()
    steps = Engine(EngineConfig()).process(concatenate(list(iter(tape_of(shelf).next, None)))).transitions
    [step] = [step for step in steps if step.state == "OPEN"]
    assert step.facts is not None
    offsets = (step.facts.first_offset, step.facts.last_offset)
    return Onset(SERIES, step.onset, offsets, step.watermark), step


ONSET, OPENED = onset()


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, len(TRADES) - 1), min_size=1, max_size=6, unique=True).map(sorted))
def test_the_bar_comes_to_the_same_however_the_objects_are_cut(bounds: list[int]) -> None:
    tape = tape_of(shelved(*bounds))
    seen = rerun(Engine(EngineConfig()), tape, ONSET, dissect)
    assert seen.is_final
    assert seen.settled is not None
    assert seen.settled.facts == OPENED.facts
    assert (seen.settled.agrees, seen.settled.opened, len(seen.before)) == (True, True, LOUD_MINUTE)
    assert seen.end_offset == 4 * (LOUD_MINUTE + 3)


def test_data_that_end_with_the_open_bar_give_the_open_bar() -> None:
    shelf, end = Shelf(), LOUD_MINUTE * 4 + 3
    shelf.put(TRADES, 0, end)
    seen = rerun(Engine(EngineConfig()), tape_of(shelf), ONSET, dissect)
    assert (seen.is_final, seen.settled) == (False, None)
    assert seen.opening is not None
    assert (seen.opening.facts.trades, seen.opening.complete, seen.opening.final) == (3, False, False)


def seen_whole() -> Seen[Anatomy]:
    return rerun(Engine(EngineConfig()), tape_of(shelved(100)), ONSET, dissect)


def stored(kind: str = "VOLATILITY", why: dict[str, Any] | None = None) -> StoredAlert:
    """Return the alert as the warehouse would have it."""
    at = datetime.fromtimestamp(ONSET.start / 1_000, UTC)
    return StoredAlert(
        "a" * 8, *SERIES, kind, "CLOSED", "HIGH", True, at, at, None, 9.9, 3.8, "SIM01 …", why or {}, "hash"
    )


def test_what_is_stored_is_compared_number_by_number() -> None:
    anatomy = seen_whole().settled
    assert anatomy is not None
    why = why_of(stored(), anatomy, "hash")
    assert differences(stored(why=why), anatomy, "hash") == []
    wrong = why | {"z": 1.0, "bar": {**dict(why["bar"]), "trades": 3}}  # type: ignore[call-overload]
    found = differences(stored("REOPEN", wrong), anatomy, "hash")
    assert [each.name for each in found] == ["z", "bar trades", "kind"]
    assert explain_text.compared(found[1:2]) == "differs: bar trades is stored as 3, found 4"
    assert explain_text.compared([]) == "equal"


def test_the_chart_is_a_column_a_bar_of_the_last_hour_and_marks_the_usual() -> None:
    seen = seen_whole()
    assert seen.settled is not None
    lines = explain_text.chart(seen.before, seen.settled)
    columns = [line.partition("│")[2].rstrip("│") for line in lines[:-1]]
    assert {len(line) for line in columns} == {explain_text.CHART_BARS}
    assert [line[-1] for line in columns] == ["█"] * explain_text.CHART_ROWS
    assert [line for line in lines if "usual" in line] == [lines[-2]]
    assert lines[-1].endswith("60 bars")


def test_a_chart_without_bars_before_is_the_bar_alone() -> None:
    seen = seen_whole()
    assert seen.settled is not None
    assert explain_text.chart(list[Range](), seen.settled)[-1].endswith("1 bars")


def test_the_steps_name_why_no_alert_opens() -> None:
    seen = seen_whole()
    assert seen.settled is not None
    assert explain_text.steps(seen.settled)[-1].endswith("opens an alert")
    shelf = Shelf()
    shelf.put(TRADES, 0, 8)
    first = rerun(Engine(EngineConfig()), tape_of(shelf), Onset(SERIES, START_MS + MINUTE_MS, (4, 7), 0), dissect)
    assert first.opening is not None
    told = explain_text.steps(first.opening)
    assert told[-1].endswith("opens no alert: warm-up: 1 bars have taught the baseline, 60 are needed")
    assert next(line for line in told if line.startswith("statistic S")).endswith("none in warm-up")


def test_an_alert_that_no_statistic_is_behind_says_so() -> None:
    blind = stored("BLIND", {"silent_seconds": 90})
    found = explain(None, Shelf(), blind, EngineConfig(), lambda _done, _total: None)  # type: ignore[arg-type]
    assert found.is_equal
    assert "no statistic of the detector is behind an alert of the kind BLIND: it says that no data came" in "".join(
        found.lines
    )


def test_an_id_is_found_by_its_beginning() -> None:
    first, last = id_bounds("586480E2-840f")
    assert (first, last) == ("586480e2840f" + "0" * 20, "586480e2840f" + "f" * 20)


@pytest.mark.parametrize("text", ["", "abc", "xyz12345", "a" * 33, "%aaaa"])
def test_what_is_no_beginning_of_an_id_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        id_bounds(text)


def test_a_difference_shows_both_sides() -> None:
    assert explain_text.compared([Difference("z", 1.5, 4.25)]) == "differs: z is stored as 1.5, found 4.25"
