"""The labelled market: what its symbols do on calm days, in events, and over the day."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics.bars import BarTable
from volwatch.analytics.trades import Int64
from volwatch.market.scenarios import Event, first_second, last_second
from volwatch.market.sessions import (
    EVENTFUL,
    NULLS,
    SCENARIOS,
    SESSION_MINUTES,
    SHAPE_NAMES,
    Plan,
    Session,
    event_minutes,
    make_sessions,
    shape_of_day,
)

DAY_MS, OPEN_MS = 86_400_000, 1_767_623_400_000
PLAN = Plan(seed=1, symbols_per_scenario=1, history=1, evaluated=2, mixed=False)


def opens(plan: Plan) -> Int64:
    return OPEN_MS + np.arange(plan.sessions) * DAY_MS


def made(plan: Plan) -> list[Session]:
    return list(make_sessions(plan, opens(plan)))


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return made(PLAN)


def of(table: BarTable, symbol: int) -> BarTable:
    return table.take(table.series == symbol)


def events_of(plan: Plan) -> list[Event]:
    return [event for session in make_sessions(plan, opens(plan)) for event in session.events]


def test_a_market_is_a_function_of_its_plan(sessions: list[Session]) -> None:
    again, other = made(PLAN), made(replace(PLAN, seed=2))
    assert [session.events for session in again] == [session.events for session in sessions]
    assert all((a.bars.close == b.bars.close).all() for a, b in zip(again, sessions, strict=True))
    assert other[0].bars.close[0] != sessions[0].bars.close[0]


def test_bars_lie_in_their_sessions_and_contradict_nothing(sessions: list[Session]) -> None:
    for session, opened in zip(sessions, opens(PLAN).tolist(), strict=True):
        bars = session.bars
        assert (bars.start.min(), bars.start.max()) == (opened, opened + (SESSION_MINUTES - 1) * 60_000)
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (np.rint(bars.close * 100) == bars.close * 100).mean() > 0.5
        assert set(bars.series.tolist()) == set(range(len(SCENARIOS)))


def test_history_is_calm_and_only_the_eventful_have_events(sessions: list[Session]) -> None:
    assert sessions[0].events == ()
    kinds = {PLAN.scenario[event.symbol] for session in sessions for event in session.events}
    assert kinds <= set(EVENTFUL)
    assert kinds >= {"burst_x2", "burst_x3", "burst_x5", "jump"}


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_events_stay_in_their_session_and_those_of_a_symbol_stand_apart(seed: int) -> None:
    plan = Plan(seed, 1, 0, 1, mixed=False)
    events = events_of(plan)
    for event in events:
        first, last = event_minutes(event)
        assert first_second(event) >= 20 * 60
        assert last_second(event) <= SESSION_MINUTES * 60
        assert 0 <= first <= last < SESSION_MINUTES
    for symbol in range(len(SCENARIOS)):
        own = [event for event in events if event.symbol == symbol]
        assert all(last_second(before) + 1_200 <= first_second(after) for before, after in pairwise(own))


def test_each_scenario_has_its_own_events() -> None:
    events = events_of(Plan(3, 4, 0, 3, mixed=False))
    plan = Plan(3, 4, 0, 3, mixed=False)
    for name in EVENTFUL:
        own = [event for event in events if plan.scenario[event.symbol] == name]
        assert {event.kind for event in own} == {name.partition("_")[0]}
        assert 1 <= len(own) <= 3 * 4 * 3
    factors = {plan.scenario[e.symbol]: e.magnitude for e in events if e.kind == "burst"}
    assert factors == {"burst_x2": 2.0, "burst_x3": 3.0, "burst_x5": 5.0}
    ends = {event_minutes(event)[1] % SESSION_MINUTES for event in events if event.kind == "regime"}
    assert ends == {SESSION_MINUTES - 1}
    assert {event_minutes(e)[0] == event_minutes(e)[1] for e in events if e.kind == "jump"} == {True}


def test_a_burst_multiplies_the_range_of_its_bars() -> None:
    plan = Plan(5, 6, 0, 3, mixed=False)
    ratios = []
    for number, session in enumerate(made(plan)):
        for event in session.events:
            if plan.scenario[event.symbol] != "burst_x5":
                continue
            bars = of(session.bars, event.symbol)
            first, last = (minute - number * SESSION_MINUTES for minute in event_minutes(event))
            spread = np.log(bars.high / bars.low) / shape_of_day("u")
            ratios.append(np.log(spread[first : last + 1].mean() / np.median(spread[max(first - 60, 0) : first])))
    assert len(ratios) > 20
    assert np.exp(np.mean(ratios)) == pytest.approx(5.0, rel=0.2)


def test_a_halt_has_no_bar_until_its_label_begins() -> None:
    plan = Plan(5, 6, 0, 2, mixed=False)
    halts = [
        (of(session.bars, event.symbol).start, event, number)
        for number, session in enumerate(made(plan))
        for event in session.events
        if event.kind == "halt"
    ]
    assert len(halts) > 3
    for start, event, number in halts:
        minute = (start - opens(plan)[number]) // 60_000 + number * SESSION_MINUTES
        reopened = event_minutes(event)[0]
        since = minute[minute >= first_second(event) // 60]
        # It may reopen in the last seconds of a minute, in which nobody trades.
        assert reopened <= since[0] <= reopened + 1


def test_thin_symbols_trade_about_once_a_minute_and_others_forty_times() -> None:
    (session,) = made(Plan(2, 4, 0, 1, mixed=False))
    names = Plan(2, 4, 0, 1, mixed=False).scenario
    per_minute = {
        name: np.mean([of(session.bars, s).trades.sum() for s in range(len(names)) if names[s] == name]) / 390
        for name in NULLS
    }
    level = shape_of_day("u").mean()
    assert per_minute.pop("null_thin") == pytest.approx(1.2 * level, rel=0.1)
    assert list(per_minute.values()) == pytest.approx([40 * level] * 4, rel=0.1)


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_a_shape_changes_no_day_as_a_whole(name: str) -> None:
    shape = shape_of_day(name)
    assert np.mean(shape**2) == pytest.approx(1.0)
    assert shape.min() > 0.2


def test_shapes_are_what_they_are_called() -> None:
    opening, noon, closing = (
        {name: shape_of_day(name)[minute] / np.median(shape_of_day(name)) for name in SHAPE_NAMES}
        for minute in (0, 195, 389)
    )
    assert opening["flat"] == noon["flat"] == closing["flat"]
    assert opening["open"] > opening["u"] > opening["close"] > 1.2
    assert closing["close"] > closing["u"] > 1.2
    assert noon["lunch"] < 0.7 < noon["u"]


def test_a_mixed_market_deals_several_shapes() -> None:
    plan = Plan(1, 3, 0, 1, mixed=True)
    (session,) = made(plan)
    calm = [symbol for symbol, name in enumerate(plan.scenario) if name in {"null_gbm", "null_heston"}]
    first, noon = (
        np.array([np.log(of(session.bars, s).high / of(session.bars, s).low)[rows].mean() for s in calm])
        for rows in (slice(0, 15), slice(180, 210))
    )
    assert (first / noon).max() > 2 * (first / noon).min()
