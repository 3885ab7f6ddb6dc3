"""The markets behind the series that are live: whether each is open, and how new its newest bar is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import structlog

from volwatch.analytics.calendars import MINUTE_MS, REGULAR, calendar_for, calendar_named
from volwatch.warehouse.readings import LiveSeries

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Market:
    """The series of one source and one calendar; ``newest_bar`` is the end of the newest one's."""

    source: str
    calendar: str
    newest_bar: datetime


def markets(live: Iterable[LiveSeries]) -> list[Market]:
    """Return the markets of some series, in order."""
    newest: dict[tuple[str, str], datetime] = {}
    for each in live:
        key = (each.series.source, each.calendar or calendar_for(*each.series))
        newest[key] = max(each.newest_bar, newest.get(key, each.newest_bar))
    return [Market(source, calendar, bar) for (source, calendar), bar in sorted(newest.items())]


def open_calendars(names: Iterable[str], now: datetime) -> Iterator[tuple[str, bool]]:
    """Yield each calendar once, and whether the minute of ``now`` is one of its regular hours."""
    minute = np.array([int(now.timestamp() * 1000) // MINUTE_MS * MINUTE_MS], np.int64)
    for name in sorted(set(names)):
        try:
            calendar = calendar_named(name)
        except ValueError as error:  # the watch-list names what there is not: the pipeline fails, and says so louder
            log.warning("calendar_unknown", calendar=name, error=str(error))
            continue
        yield name, bool(calendar.place(minute).label[0] == REGULAR)
