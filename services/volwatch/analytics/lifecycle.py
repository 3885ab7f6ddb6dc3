"""From the detector's statistic to episodes: when one opens, rises and ends. quant.md sections 4.1 (7) and 4.3.

Most series have none at most times, so they are gone through one by one, from event to event.
"""

from dataclasses import dataclass, replace

import numpy as np

from volwatch.analytics.detector import (
    COOL_DOWN_BARS,
    REOPEN,
    VOLATILITY,
    DetectorState,
    Observation,
    Verdict,
    severity_of,
)
from volwatch.analytics.groups import Groups, Index
from volwatch.analytics.trades import Bool, Float64, Int64

EXIT_FRACTION = 0.6
MIN_TRADES = 2


@dataclass(frozen=True, slots=True)
class Episode:
    """Episodes at the bars where something happened to them: columns of shape (n,), as in ``DetectorState``; 0 at
    all other bars."""

    kind: Int64
    severity: Int64
    onset: Int64
    peak: Float64


@dataclass(frozen=True, slots=True)
class Steps:
    """What happened at each bar, columns of shape (n,): ``now`` is the episode after an opening or an escalation,
    ``before`` the one that a close ends."""

    opened: Bool
    escalated: Bool
    closed: Bool
    now: Episode
    before: Episode


def follow(
    state: DetectorState, groups: Groups, bar: Observation, verdict: Verdict, enter: float | Float64
) -> tuple[DetectorState, Steps]:
    """Return the state with its episodes after the bars, and what happened to them.

    Parameters
    ----------
    state : DetectorState
        Of the k series that occur, in the order of ``groups``.
    enter : float, or float64 of shape (n,)
        The statistic at which an episode opens; it ends below ``EXIT_FRACTION`` of that, or with the session.
    """
    steps = _no_steps(groups.rows)
    after = replace(state, **{name: getattr(state, name).copy() for name in _EPISODE_COLUMNS})
    after.since_onset[:] = np.minimum(state.since_onset + groups.counts, COOL_DOWN_BARS)
    after.since_onset[groups.slot[bar.begins]] = COOL_DOWN_BARS
    events = _events(bar, verdict, enter)
    busy = state.active == 1
    busy[groups.slot[events.hot]] = True
    for slot in np.flatnonzero(busy).tolist():
        _Walk(after, groups, bar.start, verdict.statistic, events, steps, slot).run(int(state.since_onset[slot]))
    return after, steps


_EPISODE_COLUMNS = ("since_onset", "active", "kind", "severity", "onset", "peak")


def _no_steps(n: int) -> Steps:
    def episode() -> Episode:
        return Episode(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n))

    return Steps(np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_), episode(), episode())


@dataclass(frozen=True, slots=True)
class _Events:
    """The rows at which something may happen, ascending.

    Attributes
    ----------
    hot, severity, kind : rows whose statistic reaches the threshold, and what they would raise.
    opens : those of ``hot`` that may open an episode.
    ends : rows that end an open episode.
    begins : first rows of a chain.
    """

    hot: Index
    severity: Int64
    kind: Int64
    opens: Index
    ends: Index
    begins: Index


def _events(bar: Observation, verdict: Verdict, enter: float | Float64) -> _Events:
    statistic = verdict.statistic
    hot = np.flatnonzero(statistic >= enter)
    severity = severity_of(statistic[hot], verdict.ratio[hot], bar.move[hot], verdict.expected[hot])
    opens = hot[(bar.trades[hot] >= MIN_TRADES) & ~bar.blind[hot]]
    ends = np.flatnonzero(bar.begins | ((statistic < EXIT_FRACTION * enter) & ~bar.reopen & ~bar.blind))
    kind = np.where(bar.reopen[hot], REOPEN, VOLATILITY)
    return _Events(hot, severity, kind, opens, ends, np.flatnonzero(bar.begins))


class _Walk:
    """One series, from event to event."""

    def __init__(
        self,
        state: DetectorState,
        groups: Groups,
        start: Int64,
        statistic: Float64,
        events: _Events,
        steps: Steps,
        slot: int,
    ) -> None:
        self._state, self._slot, self._events, self._steps = state, slot, events, steps
        self._start, self._statistic = start, statistic
        self._head, self._stop = int(groups.heads[slot]), int(groups.heads[slot] + groups.counts[slot])

    def run(self, since_onset: int) -> None:
        """Take the series' rows; ``since_onset`` counts the bars from the last onset to the one before the first."""
        onset_row = self._head - 1 - since_onset
        row: int | None = self._head
        if self._state.active[self._slot]:
            row = self._hold(self._head)
        while row is not None:
            opening = self._next(self._events.opens, max(row, self._cool_from(onset_row)))
            if opening is None:
                break
            onset_row = opening
            self._open(opening)
            row = self._hold(opening + 1)
        rested = self._cool_from(onset_row) < self._stop
        self._state.since_onset[self._slot] = COOL_DOWN_BARS if rested else self._stop - 1 - onset_row

    def _next(self, rows: Index, row: int) -> int | None:
        """Return the first of some rows, from one on, in this series."""
        place = int(np.searchsorted(rows, row))
        return int(rows[place]) if place < len(rows) and rows[place] < self._stop else None

    def _cool_from(self, onset_row: int) -> int:
        """Return the first row at which a new episode may open: after the cool-down, or with a new session."""
        begins = self._next(self._events.begins, max(onset_row + 1, self._head))
        rested = onset_row + COOL_DOWN_BARS
        return rested if begins is None else min(rested, begins)

    def _open(self, row: int) -> None:
        state, slot, place = self._state, self._slot, int(np.searchsorted(self._events.hot, row))
        state.active[slot] = 1
        state.kind[slot] = self._events.kind[place]
        state.severity[slot] = self._events.severity[place]
        state.onset[slot] = self._start[row]
        state.peak[slot] = self._statistic[row]
        self._steps.opened[row] = True
        self._tell(self._steps.now, row)

    def _hold(self, row: int) -> int | None:
        """Take the rows of an open episode, from one on; return the row that ends it."""
        ends = self._next(self._events.ends, row)
        hot = self._events.hot
        state, slot = self._state, self._slot
        for place in range(
            int(np.searchsorted(hot, row)), int(np.searchsorted(hot, self._stop if ends is None else ends))
        ):
            state.peak[slot] = max(state.peak[slot], self._statistic[hot[place]])
            if self._events.severity[place] > state.severity[slot]:
                state.severity[slot] = self._events.severity[place]
                self._steps.escalated[hot[place]] = True
                self._tell(self._steps.now, int(hot[place]))
        if ends is not None:
            state.active[slot] = 0
            self._steps.closed[ends] = True
            self._tell(self._steps.before, ends)
        return ends

    def _tell(self, episode: Episode, row: int) -> None:
        for name in ("kind", "severity", "onset", "peak"):
            getattr(episode, name)[row] = getattr(self._state, name)[self._slot]
