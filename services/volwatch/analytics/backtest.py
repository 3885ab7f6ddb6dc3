"""Bars that are bars already, through the very engine: the alerts that it would have raised on them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from volwatch.analytics.bars import BarTable, bar_key
from volwatch.analytics.calendars import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    REGULAR,
    Annualisation,
    Calendar,
    calendar_named,
)
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.episodes import final_transitions
from volwatch.analytics.minutes import advance
from volwatch.analytics.results import Transition
from volwatch.analytics.state import add_series
from volwatch.analytics.trades import Bool, Float64, Int64

SOURCE = "bars"
SESSION_GAP_HOURS = 3
"""Minutes without a bar of any symbol that part two sessions; no exchange's break at noon is as long."""
CONTINUOUS_HOURS = 20
"""A longest session of more than this is a market around the clock: its volatility has no shape of a session."""
_DAYS_PER_YEAR = 252


def bar_table(
    series: Int64, start_ms: Int64, prices: Mapping[str, Float64], volume: Float64, trades: Int64, flags: int = 0
) -> BarTable:
    """Return bars as the engine takes them, ordered by (series, start).

    Parameters
    ----------
    series, start_ms, volume, trades : shape (n,)
        Index of the symbol, epoch milliseconds on full minutes, size traded, prints; (series, start) is unique.
    prices : mapping of float64, shape (n,)
        ``open``, ``high``, ``low`` and ``close``.
    """
    nothing = np.zeros(len(series), np.int64)
    table = BarTable(
        key=bar_key(series, start_ms),
        **prices,
        volume=volume,
        notional=prices["close"] * volume,
        trades=trades,
        first_time=start_ms,
        last_time=start_ms,
        first_offset=nothing,
        last_offset=nothing,
        revision=nothing,
        flags=np.full(len(series), flags, np.int64),
    )
    return table.take(np.argsort(table.key, kind="stable"))


def onsets(table: BarTable, symbols: Sequence[str], calendar: Calendar, config: EngineConfig) -> list[Transition]:
    """Return the openings among the ``steps``."""
    return [step for step in steps(table, symbols, calendar, config) if step.state == "OPEN"]


def starts_by_symbol(openings: Sequence[Transition]) -> dict[str, Int64]:
    """Return the starts of the onset bars of each symbol that has any, epoch ms."""
    starts: dict[str, list[int]] = {}
    for step in openings:
        starts.setdefault(step.symbol, []).append(step.onset)
    return {symbol: np.array(held, np.int64) for symbol, held in starts.items()}


def steps(table: BarTable, symbols: Sequence[str], calendar: Calendar, config: EngineConfig) -> list[Transition]:
    """Return the steps of alerts on final bars, in order of (bar, symbol), from an empty state on.

    Parameters
    ----------
    table : BarTable
        As of ``bar_table``; its series are indices into ``symbols``.
    calendar : Calendar
        Of all symbols. Bars outside its regular hours are not judged.
    """
    engine = Engine(replace(config, calendars={calendar.name: calendar}))
    add_series(engine.state, [(SOURCE, symbol) for symbol in symbols], [calendar.name] * len(symbols))
    made = advance(engine.state, table, engine.config, np.ones(len(table), np.bool_), final=True)
    return final_transitions(engine.state, made, config.lateness_seconds * 1000)


def in_session(calendar: Calendar, start_ms: Int64) -> Bool:
    """Return whether each bar lies in a calendar's regular hours."""
    regular: Bool = calendar.place(start_ms).label == REGULAR
    return regular


def calendar_of(start_ms: Int64) -> Calendar:
    """Return the sessions that bars of one market, shape (n,), show by themselves.

    A session runs from the first bar of any symbol after ``SESSION_GAP_HOURS`` without one to the last before such a
    gap; it has the date of its open in UTC. A market without gaps is ``24/7``.
    """
    starts = np.unique(start_ms)
    begins = np.append(True, np.diff(starts) > SESSION_GAP_HOURS * HOUR_MS)[: len(starts)]
    opened, closed = starts[begins], starts[np.roll(begins, -1)] + MINUTE_MS
    minutes = int((closed - opened).max(initial=MINUTE_MS)) // MINUTE_MS
    continuous = minutes > CONTINUOUS_HOURS * 60
    if continuous and len(opened) == 1:
        return calendar_named("24/7")
    per_year = _DAYS_PER_YEAR * (24 * 60 if continuous else minutes)
    return Calendar(
        "bars",
        Annualisation("BARS_1M", per_year),
        Annualisation("BARS_DAILY", _DAYS_PER_YEAR),
        continuous,
        opened // DAY_MS,
        opened,
        closed,
        chains=np.arange(len(opened), dtype=np.int64),
        session_minutes=minutes,
    )
