"""The engine taken once more through the raw rows up to one bar: how the bar looked when its alert was opened, and how
it looked when it was final."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from volwatch.analytics.bars import PROVISIONAL_AFTER_MS, BarTable
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Bool, Int64, Series, Trades
from volwatch.operations.explain_tape import Tape

Place = Callable[[Trades], int | None]
"""Gives the first row of some trades that is beyond a place; None where there is none."""
Judged = TypeVar("Judged")
Judged_co = TypeVar("Judged_co", covariant=True)


class Dissect(Protocol[Judged_co]):
    """Says how the last of some bars is judged, as ``anatomy.dissect`` does for the default detector."""

    def __call__(
        self, state: EngineState, bars: BarTable, config: EngineConfig, *, complete: bool, final: bool
    ) -> Judged_co | None:
        """Return it; None for a bar that nobody judges."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Which bar is looked for, and when it was seen first. Times in epoch ms.

    Attributes
    ----------
    offsets : first and last offset of the bar as the alert has it.
    detected : watermark at which the alert was opened.
    """

    series: Series
    start: int
    offsets: tuple[int, int]
    detected: int


@dataclass(frozen=True, slots=True)
class Range:
    """A final bar before the onset, for comparison: ranges are logs."""

    start: int
    log_range: float
    usual: float


@dataclass(slots=True)
class Seen(Generic[Judged]):
    """What the rerun saw. ``opening`` is the bar as it was when the alert was opened, ``settled`` as it is final (None:
    the raw zone has no such bar, or does not reach so far), ``is_final`` whether the data reach so far."""

    opening: Judged | None = None
    settled: Judged | None = None
    is_final: bool = False
    end_offset: int | None = None
    before: list[Range] = field(default_factory=list)


def rerun(engine: Engine, tape: Tape, onset: Onset, dissect: Dissect[Judged]) -> Seen[Judged]:
    """Take the engine (its state moves on) through the tape until the bar of the onset is final."""
    seen: Seen[Judged] = Seen()
    course = _Course(engine, tape, onset, seen, dissect)
    course.run_until(course.beyond_opening)
    seen.opening = course.pending()
    seen.is_final = course.run_until(course.is_settled)
    if seen.is_final:
        seen.settled = course.settle()
    return seen


class _Course(Generic[Judged]):
    def __init__(self, engine: Engine, tape: Tape, onset: Onset, seen: Seen[Judged], dissect: Dissect[Judged]) -> None:
        self._engine, self._tape, self._onset, self._seen, self._dissect = engine, tape, onset, seen, dissect

    def run_until(self, beyond: Place) -> bool:
        """Process trades up to a place; return whether it was found."""
        while (trades := self._tape.next()) is not None:
            row = beyond(trades)
            if row is None:
                self._process(trades)
                continue
            self._process(trades.take(slice(0, row)))
            self._tape.put_back(trades.take(slice(row, None)))
            return True
        return False

    def pending(self) -> Judged | None:
        """Return how the bar is judged while it may still change."""
        engine, onset = self._engine, self._onset
        series, table = _series_of(engine, onset), engine.state.minute_bars
        if series is None:
            return None
        rows = (table.series == series) & (table.start <= onset.start) & (table.trades > 0)
        ended = onset.start + MINUTE_MS + PROVISIONAL_AFTER_MS
        complete = ended <= engine.state.watermarks[onset.series[0]]
        return self._of_last(engine.state, table.take(rows), complete=complete, final=False)

    def settle(self) -> Judged | None:
        """Process the trade that makes the bar final; return how the bar was judged."""
        trades = self._tape.next()
        assert trades is not None  # noqa: S101 - the place was found, and its row put back
        before = deepcopy(self._engine.state)
        self._seen.end_offset = int(trades.offset[0])
        result = self._process(trades.take(slice(0, 1)))
        bars, series = result.bars[0], _series_of(self._engine, self._onset)
        if series is None:
            return None
        table = bars.table
        rows = bars.final & (table.series == series) & (table.start <= self._onset.start)
        return self._of_last(before, table.take(rows), complete=True, final=True)

    def beyond_opening(self, trades: Trades) -> int | None:
        """Return the first row behind those that were known when the alert was opened."""
        _, last = self._onset.offsets
        of_bar = trades.event_time // MINUTE_MS * MINUTE_MS == self._onset.start
        again = of_bar & self._is_of_series(trades)
        later = (trades.offset > last) & ((self._watermark(trades) > self._onset.detected) | again)
        return _first(later | self._settles(trades))

    def is_settled(self, trades: Trades) -> int | None:
        """Return the first row whose watermark makes the bar final."""
        return _first(self._settles(trades))

    def _settles(self, trades: Trades) -> Bool:
        wait_ms = MINUTE_MS + self._engine.config.lateness_seconds * 1000
        return self._watermark(trades) >= self._onset.start + wait_ms

    def _of_last(self, state: EngineState, bars: BarTable, *, complete: bool, final: bool) -> Judged | None:
        if not len(bars) or int(bars.start[-1]) != self._onset.start:
            return None
        return self._dissect(state, bars, self._engine.config, complete=complete, final=final)

    def _process(self, trades: Trades) -> Result:
        result = self._engine.process(trades)
        series, signals = _series_of(self._engine, self._onset), result.signals
        rows = np.flatnonzero(signals.final & (signals.series == series) & (signals.start < self._onset.start))
        self._seen.before += [
            Range(int(signals.start[row]), float(signals.log_range[row]), float(signals.expected_log_range[row]))
            for row in rows
        ]
        return result

    def _watermark(self, trades: Trades) -> Int64:
        source = self._onset.series[0]
        of_source = np.array([name == source for name, _ in trades.series], np.bool_)[trades.code]
        received_at = np.where(of_source, trades.received_at, 0)
        reached: Int64 = np.maximum.accumulate(received_at)
        return np.maximum(reached, self._engine.state.watermarks.get(source, 0))

    def _is_of_series(self, trades: Trades) -> Bool:
        wanted = np.array([series == self._onset.series for series in trades.series], np.bool_)
        return wanted[trades.code]


def _series_of(engine: Engine, onset: Onset) -> int | None:
    held = engine.state.series
    return held.index(onset.series) if onset.series in held else None


def _first(rows: Bool) -> int | None:
    found = np.flatnonzero(rows)
    return int(found[0]) if len(found) else None
