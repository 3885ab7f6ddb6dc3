"""The sessions of exchanges as columns, from the exchange-calendars package."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from volwatch.analytics.trades import Int64

if TYPE_CHECKING:
    import pandas as pd

# The bounds are constants, so that the same trades give the same sessions whenever they are replayed.
FIRST_DAY, LAST_DAY = "1990-01-01", "2050-12-31"

# Years whose sessions are counted for the bars of a year: they are over, so the count stays what it is.
REFERENCE_YEARS = (2016, 2025)

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of an exchange, each column of shape (s,), ascending; times in epoch milliseconds, half-open.

    Attributes
    ----------
    days : days since 1970-01-01.
    break_start_ms, break_end_ms : both are the close where there is no break; of shape (0,) where none has one.
    full_minutes : regular minutes of a full session: those that most sessions of the last reference year have.
    per_year : sessions of a year: the average over the reference years, rounded.
    """

    days: Int64
    open_ms: Int64
    close_ms: Int64
    break_start_ms: Int64
    break_end_ms: Int64
    full_minutes: int
    per_year: int


@cache
def names() -> tuple[str, ...]:
    """Return the names of all exchanges, without aliases."""
    return tuple(_package().get_calendar_names(include_aliases=False))


def unknown(asked: Iterable[str]) -> list[str]:
    """Return those of some names that are neither an exchange's name nor an alias of one, in order."""
    return sorted(set(asked) - set(_package().get_calendar_names(include_aliases=True)))


def canonical(name: str) -> str:
    """Return the exchange that a name or an alias stands for: XNYS for XNAS."""
    resolved: str = _package().resolve_alias(name)
    return resolved


@cache
def time_zone(name: str) -> str:
    """Return the name of the time zone of an exchange's clocks.

    Raises
    ------
    ValueError
        There is none of this name, or the package cannot make it.
    """
    if unknown([name]):
        raise ValueError(f"no exchange {name!r}")
    with _making(name):
        # A month of it is made in no time.
        zone: str = _package().get_calendar(name, start="2025-01-01", end="2025-02-01").tz.key
    return zone


def sessions(name: str) -> Sessions:
    """Return the sessions of an exchange.

    Raises
    ------
    ValueError
        The package has this exchange but cannot make its sessions.
    """
    schedule = _schedule(name)
    opened, closed, break_start, break_end = (
        _epoch_ms(schedule[column]) for column in ("open", "close", "break_start", "break_end")
    )
    has_break = schedule["break_start"].notna().to_numpy()
    with_break = slice(None) if has_break.any() else slice(0)
    days = schedule.index.to_numpy().astype("datetime64[D]")
    minutes = (closed - opened - np.where(has_break, break_end - break_start, 0)) // _MINUTE_MS
    first, last = REFERENCE_YEARS
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    counted = int(((year >= first) & (year <= last)).sum())
    return Sessions(
        days.astype(np.int64),
        opened,
        closed,
        np.where(has_break, break_start, closed)[with_break],
        np.where(has_break, break_end, closed)[with_break],
        full_minutes=int(np.bincount(minutes[year == last]).argmax()),
        per_year=round(counted / (last + 1 - max(first, int(year[0])))),
    )


def _package() -> Any:
    # Imported here: the package brings pandas, which a stage without a calendar does not need.
    import exchange_calendars

    return exchange_calendars


@contextmanager
def _making(name: str) -> Iterator[None]:
    """Say in one way that the package cannot make a calendar."""
    try:
        yield
    except (NotImplementedError, ValueError):  # what the package raises for one that it cannot make
        raise ValueError(f"exchange-calendars cannot make the calendar {name!r} as it is installed") from None


def _schedule(name: str) -> "pd.DataFrame":
    get = _package().get_calendar
    with _making(name):
        try:
            calendar = get(name, start=FIRST_DAY, end=LAST_DAY)
        except ValueError:
            # The package knows fewer years of this exchange.
            known = get(name)
            first, last = _later(FIRST_DAY, known.bound_min()), _earlier(LAST_DAY, known.bound_max())
            calendar = get(name, start=first, end=last)
    schedule: pd.DataFrame = calendar.schedule
    return schedule


def _later(day: str, bound: "pd.Timestamp | None") -> str:
    return day if bound is None else max(day, f"{bound:%Y-%m-%d}")


def _earlier(day: str, bound: "pd.Timestamp | None") -> str:
    return day if bound is None else min(day, f"{bound:%Y-%m-%d}")


def _epoch_ms(times: "pd.Series[pd.Timestamp]") -> Int64:
    return times.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
