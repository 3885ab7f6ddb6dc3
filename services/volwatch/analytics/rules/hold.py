"""From a rule's statistic to alerts: one opens at the threshold and ends below a fraction of it, or with the session.

Most series are at rest at most times: the others are gone through one by one, from event to event.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from volwatch.analytics.groups import Groups
from volwatch.analytics.rules.held import REST_BARS, Hold
from volwatch.analytics.rules.rule import Rule
from volwatch.analytics.trades import Bool, Float64, Int64

OPENED, CLOSED = "OPEN", "CLOSED"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a rule's alert at a row: it opened or was closed; ``peak`` is its largest statistic so far."""

    row: int
    state: str
    onset: int
    peak: float


@dataclass(frozen=True, slots=True)
class Statistic:
    """A rule's statistic of bars, shape (n,), NaN where it is undefined; ``may_open`` are bars that may open an alert,
    ``trades`` their prints, ``begins`` first bars of a chain, ``start`` their starts in epoch ms."""

    value: Float64
    may_open: Bool
    trades: Int64
    begins: Bool
    start: Int64


def follow(
    rule: Rule, groups: Groups, held: Mapping[int, Hold], watched: Bool, bars: Statistic
) -> tuple[dict[int, Hold], list[Event]]:
    """Return what a rule holds of the series that occur after the bars, and what happened, series by series.

    Parameters
    ----------
    held : mapping of int to Hold
        By series; it is left as it was.
    watched : bool, shape (k,)
        Which of the series that occur the rule is for.
    """
    hot = np.flatnonzero(bars.value >= rule.enter)
    if len(hot):
        hot = hot[watched[groups.slot[hot]]]
    busy = set(groups.slot[hot].tolist())
    if held:
        busy.update(np.flatnonzero(np.isin(groups.series, np.fromiter(held, np.int64))).tolist())
    after: dict[int, Hold] = {}
    events: list[Event] = []
    opens = hot[bars.may_open[hot] & (bars.trades[hot] >= rule.min_trades)]
    for slot in sorted(busy):
        series = int(groups.series[slot])
        walk = _Walk(rule, bars, int(groups.heads[slot]), int(groups.counts[slot]), hot, opens)
        after[series] = walk.run(held.get(series), events)
    return after, events


class _Walk:
    """One series, from event to event."""

    def __init__(self, rule: Rule, bars: Statistic, head: int, count: int, hot: Int64, opens: Int64) -> None:
        self._rule, self._bars, self._head, self._stop = rule, bars, head, head + count
        first, last = np.searchsorted(hot, (head, self._stop)).tolist()
        self._hot = hot[first:last]
        first, last = np.searchsorted(opens, (head, self._stop)).tolist()
        self._opens = opens[first:last]
        rows = slice(head, self._stop)
        self._begins = head + np.flatnonzero(bars.begins[rows])
        self._ends = head + np.flatnonzero(bars.begins[rows] | (bars.value[rows] < rule.leave))

    def run(self, held: Hold | None, events: list[Event]) -> Hold:
        """Return what is held after the rows; add what happened."""
        now = held or Hold(False, 0, 0.0, REST_BARS, self._rule.severity)
        is_open, onset, peak = now.open, now.onset, now.peak
        onset_row, row = self._head - 1 - now.since_onset, self._head
        while row < self._stop:
            if not is_open:
                opening = _next(self._opens, max(row, self._rested_from(onset_row)), self._stop)
                if opening == self._stop:
                    break
                is_open, onset, onset_row = True, int(self._bars.start[opening]), opening
                peak, row = float(self._bars.value[opening]), opening + 1
                events.append(Event(opening, OPENED, onset, peak))
            end = _next(self._ends, row, self._stop)
            first, last = np.searchsorted(self._hot, (row, end)).tolist()
            peak = max(peak, float(self._bars.value[self._hot[first:last]].max(initial=peak)))
            if end < self._stop:
                is_open = False
                events.append(Event(end, CLOSED, onset, peak))
            row = end
        rested = self._rested_from(onset_row) < self._stop
        return Hold(is_open, onset, peak, REST_BARS if rested else self._stop - 1 - onset_row, self._rule.severity)

    def _rested_from(self, onset_row: int) -> int:
        """Return the first row at which an alert may open: after the rest, or with a new chain."""
        return min(onset_row + REST_BARS, _next(self._begins, max(onset_row + 1, self._head), self._stop))


def _next(rows: Int64, row: int, stop: int) -> int:
    """Return the first of some rows, from one on; ``stop`` if there is none."""
    place = int(np.searchsorted(rows, row))
    return int(rows[place]) if place < len(rows) else stop
