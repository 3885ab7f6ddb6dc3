"""Trading sessions as data. A bar's session follows from its time and its exchange's calendar, never from a code.

Sources: exchange-calendars for XNYS (checked against ``xnys_sessions.csv``); annualisation codes of quant.md section 2.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Int64

MINUTE_MS = 60_000
DAY_MS = 86_400_000

SESSION_NAMES = ("pre", "regular", "post", "closed")
PRE, REGULAR, POST, CLOSED = range(4)

# Extended hours of US exchanges: 04:00 to the open, and four hours from the close.
_PRE_MARKET_MS = int(5.5 * 3_600_000)
_POST_MARKET_MS = 4 * 3_600_000

NO_SESSION = -1


@dataclass(frozen=True, slots=True)
class Annualisation:
    """How many bars make a year: σ_annual = σ_bar·√per_year, for serially uncorrelated returns."""

    code: str
    per_year: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where bars stand in their sessions, each of shape (n,).

    Attributes
    ----------
    label : int8
        Index into ``SESSION_NAMES``.
    session : int64
        The trading day, in days since 1970-01-01; ``NO_SESSION`` outside regular hours.
    chain : int64
        Bars of one chain follow one another without a session break: returns, windows and the detector's short
        memory stay inside a chain. Equals ``session`` on an exchange, 0 in a market that never closes.
    minute, minutes_left : int64
        Minutes since the session's open, and to its close.
    """

    label: npt.NDArray[np.int8]
    session: Int64
    chain: Int64
    minute: Int64
    minutes_left: Int64


@dataclass(frozen=True)
class Calendar:
    """The sessions of one market.

    Attributes
    ----------
    days : int64, shape (s,)
        Sessions as days since 1970-01-01, ascending.
    open_ms, close_ms : int64, shape (s,)
        Their regular hours, epoch milliseconds UTC, half-open.
    continuous : bool
        The market never closes: a session is a UTC day and no return is broken by its end.
    """

    name: str
    minute: Annualisation
    day: Annualisation
    continuous: bool
    days: Int64 = field(repr=False)
    open_ms: Int64 = field(repr=False)
    close_ms: Int64 = field(repr=False)

    def place(self, bar_start_ms: Int64) -> Placement:
        """Return the sessions of one-minute bars, given their starts in epoch milliseconds."""
        if self.continuous:
            return _place_continuous(bar_start_ms)
        last = len(self.days) - 1
        index = np.searchsorted(self.open_ms, bar_start_ms, side="right") - 1
        begun = np.clip(index, 0, last)
        coming = np.clip(index + 1, 0, last)
        regular = (index >= 0) & (bar_start_ms < self.close_ms[begun])
        post = (index >= 0) & ~regular & (bar_start_ms < self.close_ms[begun] + _POST_MARKET_MS)
        until_open = self.open_ms[coming] - bar_start_ms
        pre = ~regular & ~post & (until_open > 0) & (until_open <= _PRE_MARKET_MS)
        label = np.select([regular, pre, post], [REGULAR, PRE, POST], CLOSED).astype(np.int8)
        session = np.where(regular, self.days[begun], NO_SESSION)
        return Placement(
            label=label,
            session=session,
            chain=session,
            minute=(bar_start_ms - self.open_ms[begun]) // MINUTE_MS,
            minutes_left=(self.close_ms[begun] - bar_start_ms) // MINUTE_MS,
        )

    def close_of(self, session: Int64) -> Int64:
        """Return the close, in epoch milliseconds, of sessions given as days since 1970-01-01."""
        if self.continuous:
            return (session + 1) * DAY_MS
        return self.close_ms[np.searchsorted(self.days, session)]

    def session_bounds_ms(self, dates: npt.NDArray[np.datetime64]) -> tuple[Int64, Int64]:
        """Return open and close in epoch milliseconds of the sessions on ``dates``; -1 where there is none."""
        day = dates.astype("datetime64[D]").astype(np.int64)
        if self.continuous:
            return day * DAY_MS, (day + 1) * DAY_MS
        index = np.clip(np.searchsorted(self.days, day), 0, len(self.days) - 1)
        held: Bool = self.days[index] == day
        return np.where(held, self.open_ms[index], -1), np.where(held, self.close_ms[index], -1)


def _place_continuous(bar_start_ms: Int64) -> Placement:
    minute = bar_start_ms % DAY_MS // MINUTE_MS
    return Placement(
        label=np.full(len(bar_start_ms), REGULAR, np.int8),
        session=bar_start_ms // DAY_MS,
        chain=np.zeros(len(bar_start_ms), np.int64),
        minute=minute,
        minutes_left=DAY_MS // MINUTE_MS - minute,
    )


@cache
def calendar_named(name: str) -> Calendar:
    """Return a calendar by name: ``XNYS`` (regular hours of US exchanges) or ``24/7``.

    Raises
    ------
    ValueError
        The name is neither.
    """
    if name == "24/7":
        none = np.empty(0, np.int64)
        return Calendar(
            name, Annualisation("CRYPTO_1M", 525_600), Annualisation("CRYPTO_DAILY", 365), True, none, none, none
        )
    if name == "XNYS":
        return _from_exchange_calendars(name)
    raise ValueError(f"no calendar {name!r}: there are 'XNYS' and '24/7'")


def _from_exchange_calendars(name: str) -> Calendar:
    # Imported here: the package brings pandas, which a stage without a calendar does not need.
    import exchange_calendars

    # The bounds are constants, so that the same trades give the same sessions whenever they are replayed.
    schedule = exchange_calendars.get_calendar(name, start="1990-01-01", end="2050-12-31").schedule
    return Calendar(
        name,
        Annualisation("US_RTH_1M", 252 * 390),
        Annualisation("US_DAILY", 252),
        False,
        schedule.index.to_numpy().astype("datetime64[D]").astype(np.int64),
        _epoch_ms(schedule["open"].dt.tz_localize(None).to_numpy()),
        _epoch_ms(schedule["close"].dt.tz_localize(None).to_numpy()),
    )


def _epoch_ms(times: npt.NDArray[np.datetime64]) -> Int64:
    return times.astype("datetime64[ms]").astype(np.int64)


def calendar_for(source: str, symbol: str) -> str:
    """Return the calendar of a series that no watch-list names: by the form of its symbol.

    Simulated markets and symbols with a venue of crypto or currency trade (``BINANCE:BTCUSDT``) never close; all else
    is taken for a US stock.
    """
    return "24/7" if source == "simulator" or ":" in symbol else "XNYS"
