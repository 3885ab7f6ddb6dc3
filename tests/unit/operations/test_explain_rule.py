"""An alert of a rule explained without servers: from raw objects to its numbers, and held against its row."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from tests.unit.operations.shelf import LOUD_MINUTE, MINUTE_MS, START_MS, Shelf, market
from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch import alerts
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Transition
from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.analytics.trades import from_records
from volwatch.operations.explain_alert import Explained, explain
from volwatch.operations.explain_rule import NOT_GIVEN
from volwatch.trade import Trade
from volwatch.warehouse.explained import StoredAlert

BIG = Move("big", percent=1.0, minutes=2, severity="HIGH")
UNREST = VolatilityAbove("unrest", threshold=1.5, estimator="cc0")
CONFIG = EngineConfig(rules=(BIG, UNREST), outlier_filter=False)
TRADES = market()
OPENED_BEFORE = LOUD_MINUTE * 4 + 2
"""Behind two prints of the loud bar: a move needs no more."""


def late_print() -> list[Trade]:
    """Return the market, in which the close that the loud bar is measured from is corrected while both may change."""
    place = OPENED_BEFORE
    at = START_MS + (LOUD_MINUTE - 1) * MINUTE_MS - 1
    late = msgspec.structs.replace(TRADES[place], event_time=at, price=102.0)
    return [*TRADES[:place], late, *TRADES[place + 1 :]]


def told(trades: Sequence[Trade], cuts: Iterable[int], config: EngineConfig = CONFIG) -> list[Transition]:
    """Return what an engine tells of trades that come in parts."""
    engine = Engine(config)
    steps: list[Transition] = []
    for first, last in pairwise([0, *cuts, len(trades)]):
        part = replace(from_records(trades[first:last]), offset=np.arange(first, last, dtype=np.int64))
        steps += engine.process(part).transitions
    return steps


def row(step: Transition, config: EngineConfig = CONFIG, state: str = "OPEN") -> StoredAlert:
    """Return an alert as its opening leaves it in the warehouse."""
    assert step.facts is not None
    threshold = config.enter if step.threshold is None else step.threshold
    said = alerts.explain(step, step.facts, threshold, config.hash)
    return StoredAlert(
        alert_id=str(alerts.id_of(step)),
        source=step.source,
        symbol=step.symbol,
        kind=step.kind,
        state=state,
        severity=step.severity,
        confirmed=step.final,
        onset_bar=datetime.fromtimestamp(step.onset / 1_000, UTC),
        detected_at=datetime.fromtimestamp(step.watermark / 1_000, UTC),
        closed_at=None,
        statistic=step.peak,
        threshold=threshold,
        sentence=said.sentence,
        why=json.loads(json.dumps(said.why)) | {"partition": 0, "raw_objects": []},
        config_hash=config.hash,
    )


def opening(steps: Iterable[Transition], rule: Rule, *, final: bool) -> Transition:
    [step] = [s for s in steps if (s.state, s.detector, s.final) == ("OPEN", rule.name, final)]
    return step


def explained(alert: StoredAlert, trades: Sequence[Trade], config: EngineConfig = CONFIG) -> Explained:
    """Return an alert explained from the first trade there is; nothing is loaded further than its data reach."""
    shelf = Shelf()
    for first, last in pairwise([0, 90, 250, len(trades)]):
        shelf.put(trades, first, last)
    return explain(ScriptedCursor([], []).cursor, shelf, alert, config, lambda _done, _total: None)


@pytest.mark.parametrize("rule", CONFIG.rules, ids=["move", "volatility"])
def test_an_alert_that_final_bars_bear_out_is_equal(rule: Rule) -> None:
    found = explained(row(opening(told(TRADES, []), rule, final=True), state="CLOSED"), TRADES)
    assert (found.lines[-1], found.is_equal) == ("closed alert: equal", True)
    assert "as it was when the alert was opened:" not in found.lines
    final = found.facts["final"]
    assert isinstance(final, dict)
    assert (final["opened"], final["agrees"], final["enter"]) == (True, True, rule.enter)


def test_the_steps_of_a_move_are_told() -> None:
    alert = row(opening(told(TRADES, []), BIG, final=True))
    lines = explained(alert, TRADES).lines
    bar, reference = alert.why["bar"], alert.why["reference_price"]
    high, low = bar["high"] / reference - 1, 1 - bar["low"] / reference
    assert f"reference P     {reference:g}  (close of 2026-01-05 16:03Z, 2 min before the bar)" in lines
    assert f"up              H/P − 1 = {bar['high']:g}/{reference:g} − 1 = {high * 100:+.4f} %" in lines
    assert f"down            1 − L/P = 1 − {bar['low']:g}/{reference:g} = {low * 100:+.4f} %" in lines
    assert f"move            {high * 100:.4f} %  (the larger)" in lines
    assert "opens at        1 %, ends below 0.8 %" in lines
    assert "trades          4, of at least 2" in lines
    assert "records         4 in 1 raw object" in lines
    assert "verdict         opens an alert" in lines


def test_the_steps_of_a_volatility_are_told() -> None:
    alert = row(opening(told(TRADES, []), UNREST, final=True))
    lines = explained(alert, TRADES).lines
    assert "estimator       cc0, 30 terms in a window of 30 bars" in lines
    assert f"volatility      {alert.why['statistic'] * 100:.4f} % a year" in lines
    assert "opens at        150 %, ends below 120 %" in lines


@pytest.mark.parametrize("known", [2, 3, 4])
def test_an_alert_of_a_bar_that_is_open_is_judged_by_what_was_known_then(known: int) -> None:
    end = LOUD_MINUTE * 4 + known
    alert = row(opening(told(TRADES[:end], []), BIG, final=False))
    for trades in (TRADES[:end], TRADES):
        found = explained(alert, trades)
        assert (found.lines[-1], found.is_equal) == ("open alert: equal", True)
        assert ("as it is final:" in found.lines) == (trades is TRADES)
        opened = found.lines[found.lines.index("as it was when the alert was opened:") :]
        assert f"trades          {known}, of at least 2" in opened


def test_a_volatility_of_a_bar_that_ended_but_is_not_final_is_found() -> None:
    cut = (LOUD_MINUTE + 1) * 4 + 2
    step = opening(told(TRADES[:cut], []), UNREST, final=False)
    assert explained(row(step), TRADES).lines[-1] == "open alert: equal"


def test_an_alert_that_was_taken_back_shows_the_bar_as_it_was_and_that_none_opens_on_the_final_one() -> None:
    trades = late_print()
    steps = told(trades, [OPENED_BEFORE])
    alert = row(opening(steps, BIG, final=False), state="RETRACTED")
    assert [step.state for step in steps if str(alerts.id_of(step)) == alert.alert_id] == ["OPEN", "RETRACTED"]
    found = explained(alert, trades)
    lines = found.lines
    assert (lines[-1], found.is_equal) == ("retracted alert: equal", True)
    assert lines.index("verdict         opens an alert") < lines.index("as it is final:")
    assert [line for line in lines if line.startswith("verdict         opens no alert: ")] != []


def test_an_alert_that_stands_although_its_final_bar_opens_none_differs() -> None:
    trades = late_print()
    taken_back = row(opening(told(trades, [OPENED_BEFORE]), BIG, final=False), state="CLOSED")
    found = explained(replace(taken_back, confirmed=True), trades)
    assert not found.is_equal
    assert "state is stored as CLOSED, found opens no alert" in found.lines[-1]


def test_what_was_changed_by_hand_differs() -> None:
    right = row(opening(told(TRADES, []), BIG, final=True))
    why = {**right.why, "reference_price": 99.0, "bar": {**right.why["bar"], "trades": 7}}
    found = explained(replace(right, why=why, threshold=0.02, severity="LOW"), TRADES)
    assert not found.is_equal
    differences = found.facts["differences"]
    assert isinstance(differences, list)
    assert [each["name"] for each in differences] == ["reference_price", "bar trades", "severity", "limit"]
    assert "reference_price is stored as 99.0, found " in found.lines[-1]
    assert "limit is stored as 0.02, found 0.01" in found.lines[-1]


@pytest.mark.parametrize("rules", [(), (UNREST,), (replace(BIG, percent=0.5), UNREST)])
def test_an_alert_whose_rule_is_not_given_says_so_and_is_not_equal(rules: tuple[Rule, ...]) -> None:
    alert = row(opening(told(TRADES, []), BIG, final=True))
    found = explained(alert, TRADES, replace(CONFIG, rules=rules))
    assert (found.lines[-1], found.is_equal) == (f"open alert: {NOT_GIVEN}", False)
    assert (found.facts["absent"], found.facts["equal"]) == (NOT_GIVEN, False)
    assert any(line.startswith('  rule: {"name": "big"') for line in found.lines)


def test_another_rule_beside_it_changes_the_settings_and_no_number() -> None:
    alert = row(opening(told(TRADES, []), BIG, final=True))
    found = explained(alert, TRADES, replace(CONFIG, rules=(BIG,)))
    assert found.is_equal
    assert "note: it was raised with other settings" in found.lines


LOOSE = replace(CONFIG, overrides=(Override("SIM*", enter=3.0),))


def by_default(config: EngineConfig) -> StoredAlert:
    [step] = [s for s in told(TRADES, [], config) if (s.state, s.kind) == ("OPEN", "VOLATILITY")]
    return row(step, config)


def test_an_alert_of_the_default_detector_is_held_against_its_series_own_threshold() -> None:
    alert = by_default(LOOSE)
    found = explained(alert, TRADES, LOOSE)
    assert alert.threshold == 3.0
    assert (found.lines[-1], found.is_equal) == ("open alert: equal", True)
    assert "opens at        3" in found.lines


def test_an_alert_that_was_raised_before_its_series_was_switched_off_says_so() -> None:
    off = replace(CONFIG, overrides=(Override("SIM*", off=True),))
    found = explained(by_default(CONFIG), TRADES, off)
    assert not found.is_equal
    assert "note: it was raised with other settings" in found.lines
    assert "opens at        none: an override switches it off" in found.lines
    assert "verdict         opens no alert: an override lets the series open none" in found.lines
    json.loads(json.dumps(found.facts, default=str, allow_nan=False))
