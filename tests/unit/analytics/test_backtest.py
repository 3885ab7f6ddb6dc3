"""Bars through the very engine, and the sessions that bars show by themselves."""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from tests.unit.analytics.made import MINUTE_MS, START_MS, bars, minutes_from, noise
from volwatch.analytics.backtest import SOURCE, bar_table, calendar_of, in_session, onsets
from volwatch.analytics.bars import MARK_CONDITION, BarTable
from volwatch.analytics.calendars import DAY_MS, HOUR_MS, calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Transition
from volwatch.analytics.trades import Int64, Trades, from_records
from volwatch.trade import Trade

CONFIG = EngineConfig(outlier_filter=False)


def starts(*sessions: tuple[int, int]) -> Int64:
    """Return the starts of a bar a minute, from each open for so many minutes."""
    return np.concatenate([minutes_from(opened, minutes) for opened, minutes in sessions])


def table_with_a_burst(at: int = 200, minutes: int = 390) -> BarTable:
    spread = np.exp(noise(1, minutes, 0.1))
    spread[at : at + 5] *= 12
    return bars(minutes_from(START_MS, minutes), spread=spread)


def facts(steps: list[Transition]) -> list[tuple[object, ...]]:
    """Return what two runs must have in common: all but the source and the data's watermark."""
    return [
        (step.symbol, step.kind, step.state, step.severity, step.onset, step.bar, step.peak, step.final, step.facts)
        for step in steps
    ]


def test_a_table_is_ordered_by_series_and_start_and_keeps_each_bar_together() -> None:
    prices = {name: np.array([4.0, 3.0, 2.0, 1.0]) for name in ("open", "high", "low", "close")}
    table = bar_table(
        np.array([1, 1, 0, 0]),
        START_MS + np.array([1, 0, 1, 0]) * MINUTE_MS,
        prices,
        np.array([40.0, 30.0, 20.0, 10.0]),
        np.array([4, 3, 2, 1]),
    )
    assert table.series.tolist() == [0, 0, 1, 1]
    assert table.start.tolist() == [START_MS, START_MS + MINUTE_MS] * 2
    for name in ("open", "high", "low", "close", "trades"):
        assert getattr(table, name).tolist() == [1, 2, 3, 4]
    assert table.notional.tolist() == [10, 40, 90, 160]
    assert all(len(getattr(table, column.name)) == 4 for column in fields(BarTable))


def test_bars_raise_what_the_trades_of_which_they_were_made_raise(market: Callable[..., Trades]) -> None:
    trades = market(seed=4, symbols=3, minutes=200, per_minute=12, spike_minute=150)
    engine = Engine(CONFIG)
    end = START_MS + 400 * MINUTE_MS
    mark = Trade("simulator", "S0", end, 0.0, 0.0, (MARK_CONDITION,), None, end, 0)
    results = [engine.process(trades), engine.process(from_records([mark], len(trades)))]
    told = [step for result in results for step in result.transitions if step.state == "OPEN" and step.final]
    made = [part.table for result in results for part in result.bars if part.bar_seconds == 60 and part.final.all()]
    table = made[0].join(made[1])
    symbols = [symbol for _, symbol in engine.state.series]
    found = onsets(table, symbols, calendar_named("24/7"), CONFIG)
    assert len(found) > 0
    assert facts(found) == facts(told)
    assert {step.source for step in found} == {SOURCE}


def test_a_burst_opens_one_alert_at_the_level_asked_for() -> None:
    table = table_with_a_burst()
    (step,) = onsets(table, ["S0"], calendar_named("XNYS"), CONFIG)
    assert (step.onset, step.severity) == (START_MS + 200 * MINUTE_MS, "HIGH")
    assert onsets(table, ["S0"], calendar_named("XNYS"), EngineConfig(enter=1e3)) == []


def test_bars_outside_the_regular_hours_are_not_judged() -> None:
    early = table_with_a_burst().take(np.arange(390))
    early.key = early.key - 391  # minutes: the session before the open
    assert onsets(early, ["S0"], calendar_named("XNYS"), CONFIG) == []
    assert in_session(calendar_named("XNYS"), early.start).tolist() == [False] * 390


def test_nights_part_sessions_and_a_break_at_noon_does_not() -> None:
    calendar = calendar_of(starts((START_MS, 120), (START_MS + 210 * MINUTE_MS, 180), (START_MS + DAY_MS, 390)))
    assert calendar.open_ms.tolist() == [START_MS, START_MS + DAY_MS]
    assert calendar.close_ms.tolist() == [START_MS + 390 * MINUTE_MS, START_MS + DAY_MS + 390 * MINUTE_MS]
    assert (calendar.session_minutes, calendar.continuous, calendar.minute.per_year) == (390, False, 252 * 390)


def test_the_minutes_of_all_symbols_make_the_sessions() -> None:
    whole = minutes_from(START_MS, 390)
    assert calendar_of(np.concatenate([whole[5:], whole[:200:3], whole[::7]])).open_ms.tolist() == [START_MS]


def test_two_sessions_of_a_day_are_two_chains() -> None:
    calendar = calendar_of(starts((START_MS, 60), (START_MS + 5 * HOUR_MS, 60)))
    assert calendar.days.tolist() == [START_MS // DAY_MS] * 2
    chain = calendar.place(starts((START_MS, 60), (START_MS + 5 * HOUR_MS, 60))).chain
    assert chain.tolist() == [0] * 60 + [1] * 60


@pytest.mark.parametrize("minutes", [1, 390, 1_200])
def test_a_lone_session_is_no_market_around_the_clock(minutes: int) -> None:
    calendar = calendar_of(minutes_from(START_MS, minutes))
    assert (len(calendar.days), calendar.session_minutes, calendar.continuous) == (1, minutes, False)


def test_a_market_without_gaps_never_closes() -> None:
    assert calendar_of(minutes_from(START_MS, 3 * 1_440)) == calendar_named("24/7")


def test_weeks_with_gaps_between_them_are_continuous() -> None:
    week = 5 * 1_440
    calendar = calendar_of(starts((START_MS, week), (START_MS + 7 * DAY_MS, week)))
    assert (len(calendar.days), calendar.continuous, calendar.minute.per_year) == (2, True, 252 * 1_440)
