"""Bars of many series into the sessions of their calendars."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from volwatch.analytics.calendars import MINUTE_MS, Calendar, Placement
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.trades import Bool, Int64

_MOST_MINUTES_A_BAR = 4  # above it a table of all minutes costs more than placing each bar


@dataclass(frozen=True, slots=True)
class Placed:
    """Where bars stand, columns of shape (n,): their sessions, whether their market is open around the clock, and the
    minutes of a full session there."""

    place: Placement
    continuous: Bool
    session_minutes: Int64

    def take(self, rows: Int64) -> "Placed":
        """Return some bars."""
        return Placed(self.place.take(rows), self.continuous[rows], self.session_minutes[rows])


def placed(calendars: Sequence[str], series: Int64, start: Int64, config: EngineConfig) -> Placed:
    """Return where bars of many calendars stand.

    Parameters
    ----------
    calendars : sequence of str
        Of each series.
    series, start : int64, shape (n,)
        Of each bar; starts in epoch ms.
    """
    names, n = sorted(set(calendars)), len(start)
    if len(names) == 1:
        return _of_one(start, config.calendar(names[0]))
    calendar = np.array([names.index(name) for name in calendars], np.int64)[series]
    place = Placement(np.zeros(n, np.int8), *(np.zeros(n, np.int64) for _ in range(4)))
    whole = Placed(place, np.zeros(n, np.bool_), np.zeros(n, np.int64))
    for index, name in enumerate(names):
        rows = np.flatnonzero(calendar == index)
        part = _of_one(start[rows], config.calendar(name))
        for field in fields(Placement):
            getattr(place, field.name)[rows] = getattr(part.place, field.name)
        whole.continuous[rows], whole.session_minutes[rows] = part.continuous, part.session_minutes
    return whole


def _of_one(start: Int64, calendar: Calendar) -> Placed:
    n = len(start)
    return Placed(
        _place(start, calendar), np.full(n, calendar.continuous), np.full(n, calendar.session_minutes, np.int64)
    )


def _place(start: Int64, calendar: Calendar) -> Placement:
    """Return the sessions of bars of one calendar: of each minute once, where many bars share few minutes."""
    if not len(start):
        return calendar.place(start)
    first, last = int(start.min()), int(start.max())
    if (last - first) // MINUTE_MS >= _MOST_MINUTES_A_BAR * len(start):
        return calendar.place(start)
    return calendar.place(np.arange(first, last + 1, MINUTE_MS)).take((start - first) // MINUTE_MS)
