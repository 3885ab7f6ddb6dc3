"""Rules over trades: told, confirmed, taken back and ended, the same however the trades are cut into calls."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, SOURCE, START_MS, Print, prints
from volwatch.analytics import detector
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result, Transition
from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.analytics.rules.told import interleaved
from volwatch.analytics.state import restore, save
from volwatch.analytics.trades import Trades

MakeTrades = Callable[..., Trades]

BIG = Move("big", percent=2.0, minutes=2, severity="HIGH")
RULES: tuple[Rule, ...] = (
    Move("one", percent=0.12, minutes=1),
    Move("ten", percent=0.3, minutes=10, exit_fraction=1.0),
    VolatilityAbove("wild", threshold=0.2, estimator="cc0"),
)


def run(engine: Engine, trades: Trades, cuts: Iterable[int] = ()) -> list[Result]:
    edges = [0, *sorted(cuts), len(trades)]
    return [engine.process(trades.take(slice(a, b))) for a, b in pairwise(edges)]


def steps(results: Iterable[Result]) -> list[Transition]:
    return [step for result in results for step in result.transitions]


def lasting(results: Iterable[Result]) -> list[str]:
    """Return what final bars say, in order; a NaN in the facts is equal to itself."""
    return [repr(step) for step in steps(results) if step.final and step.state != "RETRACTED"]


@settings(max_examples=6, deadline=None)
@given(data=st.data(), seed=st.integers(0, 3), stock=st.booleans())
def test_any_cutting_of_the_trades_gives_identical_final_steps(
    market: MakeTrades, data: st.DataObject, seed: int, stock: bool
) -> None:
    config = EngineConfig(rules=RULES, overrides=(Override("S0", enter=3.0),))
    trades = market(seed=seed, source="feed" if stock else "simulator", spike_minute=75)
    cuts = data.draw(st.lists(st.integers(0, len(trades)), max_size=12))
    whole, cut = Engine(config), Engine(config)
    expected = lasting(run(whole, trades))
    assert expected == lasting(run(cut, trades, cuts))
    assert whole.state.rules.as_facts()["holds"] == cut.state.rules.as_facts()["holds"]
    assert {step.detector for step in steps([*run(Engine(config), trades)])} >= {"one", "ten", "wild", detector.NAME}


def test_trade_by_trade_equals_all_at_once(market: MakeTrades) -> None:
    config = EngineConfig(rules=RULES)
    trades = market(symbols=2, minutes=66, per_minute=2, spike_minute=62)
    found = run(Engine(config), trades, range(len(trades)))
    assert lasting(found) == lasting(run(Engine(config), trades))
    assert any(step.kind == "RULE" for step in steps(found) if not step.final)


@settings(max_examples=4, deadline=None)
@given(cut=st.integers(0, 1200))
def test_a_restored_state_goes_on_bit_by_bit(market: MakeTrades, cut: int) -> None:
    config = EngineConfig(rules=RULES)
    trades = market(spike_minute=75)
    steady, first = Engine(config), Engine(config)
    expected = run(steady, trades, [cut])
    results = [first.process(trades.take(slice(0, cut)))]
    second = Engine(config, restore(save(first.state)))
    results.append(second.process(trades.take(slice(cut, None))))
    assert lasting(expected) == lasting(results)
    assert save(steady.state) == save(second.state)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_alert_is_opened_once_until_it_is_closed_or_taken_back(market: MakeTrades, seed: int) -> None:
    """What a table with one open alert for each series and rule asks for, in the order in which it is written."""
    trades = market(seed=seed, spike_minute=75)
    told = steps(run(Engine(EngineConfig(rules=RULES)), trades, range(0, len(trades), 7)))
    standing: dict[tuple[str, str], int] = {}
    for step in (step for step in told if step.kind == "RULE"):
        key = step.symbol, step.detector
        if step.state == "OPEN":
            assert standing.setdefault(key, step.onset) == step.onset
        else:
            assert standing.pop(key) == step.onset
    assert sum(step.state == "CLOSED" for step in told if step.kind == "RULE") > 3


def two_prints(minute: int, price: float) -> list[Print]:
    begin = START_MS + minute * MINUTE_MS
    return [(begin + 1_000 + second, price, 10.0) for second in (0, 200)]


def calm(minutes: int, price: float = 100.0) -> list[Print]:
    return [one for minute in range(minutes) for one in two_prints(minute, price)]


def brief(told: Iterable[Transition]) -> list[tuple[str, str, int, bool]]:
    return [
        (step.detector, step.state, (step.bar - START_MS) // MINUTE_MS, step.final)
        for step in told
        if step.kind == "RULE"
    ]


def engine_of(*rules: Rule) -> Engine:
    return Engine(EngineConfig(rules=rules, outlier_filter=False))


def test_a_move_is_told_at_once_then_confirmed_then_closed() -> None:
    engine = engine_of(BIG)
    opened = engine.process(prints(*calm(5), *two_prints(5, 103.0)))
    assert brief(opened.transitions) == [("big", "OPEN", 5, False)]
    [step] = [step for step in opened.transitions if step.kind == "RULE"]
    assert (step.severity, step.threshold, step.detector_version, step.rule) == ("HIGH", 0.02, BIG.version, BIG)
    assert step.facts is not None
    assert (step.facts.reference, step.facts.statistic, step.peak) == (100.0, 103.0 / 100 - 1, 103.0 / 100 - 1)
    later = engine.process(
        prints(*[one for minute in range(6, 14) for one in two_prints(minute, 103.0)], first_offset=100)
    )
    assert brief(later.transitions) == [("big", "OPEN", 5, True), ("big", "CLOSED", 7, True)]


def test_a_move_that_a_late_trade_disproves_is_taken_back() -> None:
    """The price two minutes before stood higher than it seemed: a late trade of that minute says so."""
    engine = engine_of(BIG)
    assert brief(engine.process(prints(*calm(5), *two_prints(5, 102.1))).transitions) == [("big", "OPEN", 5, False)]
    late = START_MS + 3 * MINUTE_MS + 59_000
    now = START_MS + 5 * MINUTE_MS + 10_000
    engine.process(prints((late, 101.0, 10.0), received_at=now, first_offset=100))
    later = engine.process(
        prints(*[one for minute in range(6, 12) for one in two_prints(minute, 102.1)], first_offset=200)
    )
    assert ("big", "RETRACTED", 5, True) in brief(later.transitions)
    assert not [step for step in brief(later.transitions) if step[1] == "OPEN" and step[2] == 5]


def test_the_end_of_a_session_closes_what_is_open() -> None:
    engine = engine_of(Move("far", percent=2.0, minutes=60))
    engine.process(prints(*calm(70), *two_prints(70, 103.0)))
    day = 24 * 60
    told = engine.process(
        prints(*[one for minute in range(day, day + 4) for one in two_prints(minute, 120.0)], first_offset=500)
    )
    assert brief(told.transitions) == [("far", "OPEN", 70, True), ("far", "CLOSED", day, True)]


def test_a_rule_that_was_changed_ends_its_alert_and_begins_anew() -> None:
    before = engine_of(BIG)
    before.process(prints(*calm(5), *[one for minute in range(5, 8) for one in two_prints(minute, 103.0)]))
    before.process(prints(*two_prints(8, 103.0), first_offset=100))
    other = Move("big", percent=2.5, minutes=2, severity="HIGH")
    config = EngineConfig(rules=(other,), outlier_filter=False)
    told = Engine(config, restore(save(before.state))).process(prints(*two_prints(8, 103.0), first_offset=200))
    assert [(step.detector_version, step.state) for step in told.transitions if step.kind == "RULE"] == [
        (BIG.version, "CLOSED"),
        (other.version, "OPEN"),
    ]


def test_a_rule_that_was_dropped_takes_back_what_was_not_confirmed() -> None:
    before = engine_of(BIG)
    before.process(prints(*calm(5), *two_prints(5, 103.0)))
    after = Engine(EngineConfig(outlier_filter=False), restore(save(before.state)))
    assert brief(after.process(prints(*two_prints(6, 103.0), first_offset=100)).transitions) == [
        ("big", "RETRACTED", 5, True)
    ]
    assert after.state.rules.as_facts() == {"holds": {}, "told": {}}


def test_a_rule_that_is_new_compares_with_nothing_before_it() -> None:
    before = Engine(EngineConfig(outlier_filter=False))
    before.process(prints(*calm(10)))
    config = EngineConfig(rules=(BIG,), outlier_filter=False)
    after = Engine(config, restore(save(before.state)))
    told = after.process(prints(*two_prints(14, 103.0), *two_prints(15, 103.0), first_offset=100))
    assert brief(told.transitions) == [("big", "OPEN", 14, False)]  # bars 8 and 9 were not final yet


def test_a_state_that_knew_no_rules_is_restored_with_none() -> None:
    engine = Engine(EngineConfig())
    engine.process(prints(*calm(3)))
    with_rules = Engine(EngineConfig(rules=(BIG,)), restore(save(engine.state)))
    assert with_rules.state.series == [(SOURCE, "S0")]
    with_rules.process(prints(*two_prints(4, 100.0), first_offset=50))
    assert with_rules.state.rules.closes.width == 2


def test_an_override_opens_the_default_detector_elsewhere_and_is_told_as_its_threshold(market: MakeTrades) -> None:
    trades = market(seed=1, spike_minute=75)

    def openings(*overrides: Override) -> dict[str, set[float | None]]:
        found: dict[str, set[float | None]] = {}
        for step in steps(run(Engine(EngineConfig(overrides=overrides)), trades)):
            if step.state == "OPEN":
                found.setdefault(step.symbol, set()).add(step.threshold)
        return found

    usual = openings()
    assert usual["S0"] == {EngineConfig().enter}
    assert openings(Override("S0", enter=3.0), Override("S*", off=True)) == {"S0": {3.0}}
    assert openings(Override("S0", off=True)).get("S0") is None


def test_an_alert_that_is_muted_closes_with_the_next_bar(market: MakeTrades) -> None:
    trades = market(seed=1, spike_minute=75)
    cut = int(np.searchsorted(trades.received_at, START_MS + 79 * MINUTE_MS + 2_000))
    before = Engine(EngineConfig())
    before.process(trades.take(slice(0, cut)))
    assert before.state.detector.active.any()
    after = Engine(EngineConfig(overrides=(Override(off=True),)), restore(save(before.state)))
    told = steps([after.process(trades.take(slice(cut, None)))])
    assert [step.state for step in told] == ["CLOSED"]
    assert told[0].bar == START_MS + 76 * MINUTE_MS


def test_thresholds_of_series_are_told_with_the_result() -> None:
    result = Engine(EngineConfig(overrides=(Override("S0", enter=5.0),))).process(prints(*calm(2)))
    assert result.enters.tolist() == [5.0]
    assert Engine(EngineConfig()).process(prints(*calm(2))).enters.tolist() == []
    muted = Engine(EngineConfig(overrides=(Override(off=True),))).process(prints(*calm(2)))
    assert np.isnan(muted.enters).all()


def test_what_is_taken_back_stays_before_the_step_that_it_makes_room_for() -> None:
    def step(name: str, state: str, bar: int) -> Transition:
        return Transition("s", "A", name, state, "LOW", bar, bar, 0.0, True, 0, None)

    first = [step("a", "OPEN", 1), step("a", "RETRACTED", 9), step("a", "OPEN", 4)]
    second = [step("b", "RETRACTED", 2), step("b", "OPEN", 2), step("b", "CLOSED", 5)]
    told = [(each.kind, each.state, each.bar) for each in interleaved(first, second)]
    assert told == [
        ("a", "OPEN", 1), ("b", "RETRACTED", 2), ("b", "OPEN", 2), ("a", "RETRACTED", 9), ("a", "OPEN", 4),
        ("b", "CLOSED", 5),
    ]  # fmt: skip
