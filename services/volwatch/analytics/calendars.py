"""Trading sessions as data. A bar's session follows from its time and its exchange's calendar, never from a code.

Sources: exchange-calendars for every exchange (XNYS is checked against ``xnys_sessions.csv``); annualisation codes of
quant.md section 2.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from volwatch.analytics import exchanges
from volwatch.analytics.trades import Bool, Int64

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

SESSION_NAMES = ("pre", "regular", "post", "closed")
PRE, REGULAR, POST, CLOSED = range(4)

NO_SESSION = -1
_DAY_MINUTES = 1_440
_AROUND_THE_CLOCK = ("24/5", "24/7")
_AFTERNOON = 1 << 20  # beyond every session's day number

# Extended hours, before the open and from the close on: 04:00 to 20:00 in New York. Elsewhere there are none.
_EXTENDED_HOURS_MS = {"XNYS": (int(5.5 * HOUR_MS), 4 * HOUR_MS)}

_CRYPTO_VENUES = (
    "BINANCE", "BINANCEUS", "BITFINEX", "BITMEX", "BITSTAMP", "BITTREX", "BYBIT", "COINBASE", "CRYPTO", "GEMINI",
    "HITBTC", "HUOBI", "KRAKEN", "KUCOIN", "OKEX", "OKX", "POLONIEX", "ZB",
)  # fmt: skip
_CURRENCY_VENUES = (
    "FHFX", "FOREX", "FOREX.COM", "FX", "FXCM", "FXPIG", "FXPRO", "IC MARKETS", "ICM", "ICMTRADER", "OANDA", "OCTAFX",
    "PEPPERSTONE", "PEPPERSTONEUK", "SAXO",
)  # fmt: skip
CALENDAR_OF_VENUE = dict.fromkeys(_CRYPTO_VENUES, "24/7") | dict.fromkeys(_CURRENCY_VENUES, "24/5")
"""Calendar of what trades on a venue, by the prefix of its symbols (``BINANCE:BTCUSDT``)."""

_SIMULATED_SYMBOL = re.compile(r"SIM\d{2,}")  # producer.simulator.symbol_names; no exchange lists such a ticker


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
        Index into ``SESSION_NAMES``. A bar in a session's break is closed.
    session : int64
        The trading day, in days since 1970-01-01; ``NO_SESSION`` outside regular hours.
    chain : int64
        Bars of one chain follow one another without a session break: returns, windows and the detector's short
        memory stay inside a chain. On an exchange the session, and after its break another one
        (``session_of_chain``); the week in a 24/5 market; 0 in a market that never closes.
    minute, minutes_left : int64
        Regular minutes since the session's open, and to its close; a break is none.
    """

    label: npt.NDArray[np.int8]
    session: Int64
    chain: Int64
    minute: Int64
    minutes_left: Int64

    def take(self, rows: Int64) -> "Placement":
        """Return the places of some bars."""
        return Placement(*(getattr(self, column.name)[rows] for column in fields(self)))


def _none() -> Int64:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Calendar:
    """The sessions of one market.

    Attributes
    ----------
    minute, day : Annualisation
        Of one-minute and of daily bars.
    continuous : bool
        The market is open around the clock for days on end: its volatility has the shape of a week, not of a session.
    days : int64, shape (s,)
        Sessions as days since 1970-01-01, ascending; empty in a market that never closes, whose sessions are UTC days.
    open_ms, close_ms : int64, shape (s,)
        Their regular hours, epoch milliseconds UTC, half-open.
    break_start_ms, break_end_ms : int64, shape (s,) or (0,)
        Their breaks, half-open; both are the close where there is none. Empty: no session has one.
    chains : int64, shape (s,) or (0,)
        Their chains, where these are not the sessions.
    session_minutes : int
        Regular minutes of a full session.
    extended_ms : (int, int)
        Length of trading before the open and after the close, milliseconds.
    """

    name: str
    minute: Annualisation
    day: Annualisation
    continuous: bool
    days: Int64 = field(repr=False)
    open_ms: Int64 = field(repr=False)
    close_ms: Int64 = field(repr=False)
    break_start_ms: Int64 = field(repr=False, default_factory=_none)
    break_end_ms: Int64 = field(repr=False, default_factory=_none)
    chains: Int64 = field(repr=False, default_factory=_none)
    session_minutes: int = 390
    extended_ms: tuple[int, int] = (0, 0)

    def every(self, minutes: int) -> Annualisation:
        """Return the annualisation of bars of so many minutes: US_RTH_5M is 19,656."""
        return Annualisation(f"{self.minute.code.removesuffix('1M')}{minutes}M", self.minute.per_year / minutes)

    def place(self, bar_start_ms: Int64) -> Placement:
        """Return the sessions of one-minute bars, given their starts in epoch milliseconds."""
        if not len(self.days):
            return _place_always_open(bar_start_ms)
        index = np.searchsorted(self.open_ms, bar_start_ms, side="right") - 1
        begun = np.maximum(index, 0)
        since_open = bar_start_ms - self.open_ms[begun]
        until_close = self.close_ms[begun] - bar_start_ms
        regular = (index >= 0) & (until_close > 0)
        session = self.days[begun]
        chain = self.chains[begun] if len(self.chains) else session
        if len(self.break_start_ms):
            until_break, after_break = (
                self.break_start_ms[begun] - bar_start_ms,
                bar_start_ms - self.break_end_ms[begun],
            )
            minutes_closed = self.break_end_ms[begun] - self.break_start_ms[begun]
            regular &= (until_break > 0) | (after_break >= 0)
            since_open = since_open - np.where(after_break >= 0, minutes_closed, 0)
            until_close = until_close - np.where(until_break > 0, minutes_closed, 0)
            chain = np.where(after_break >= 0, chain | _AFTERNOON, chain)
        return Placement(
            label=self._label(bar_start_ms, index, regular),
            session=np.where(regular, session, NO_SESSION),
            chain=np.where(regular, chain, NO_SESSION),
            minute=since_open // MINUTE_MS,
            minutes_left=until_close // MINUTE_MS,
        )

    def _label(self, bar_start_ms: Int64, index: npt.NDArray[np.intp], regular: Bool) -> npt.NDArray[np.int8]:
        label = np.where(regular, REGULAR, CLOSED).astype(np.int8)
        rows = np.flatnonzero(~regular) if any(self.extended_ms) else np.empty(0, np.intp)
        if len(rows):
            before, after = self.extended_ms
            when, begun, last = bar_start_ms[rows], index[rows], len(self.days) - 1
            until_open = self.open_ms[np.minimum(begun + 1, last)] - when
            post = (begun >= 0) & (when < self.close_ms[np.maximum(begun, 0)] + after)
            pre = (until_open > 0) & (until_open <= before)
            label[rows] = np.select([post, pre], [POST, PRE], CLOSED)
        return label

    def close_of(self, session: Int64) -> Int64:
        """Return the close, in epoch milliseconds, of sessions given as days since 1970-01-01."""
        if not len(self.days):
            return (session + 1) * DAY_MS
        return self.close_ms[np.searchsorted(self.days, session)]

    def session_bounds_ms(self, dates: npt.NDArray[np.datetime64]) -> tuple[Int64, Int64]:
        """Return open and close in epoch milliseconds of the sessions on ``dates``; -1 where there is none."""
        day = dates.astype("datetime64[D]").astype(np.int64)
        if not len(self.days):
            return day * DAY_MS, (day + 1) * DAY_MS
        index = np.clip(np.searchsorted(self.days, day), 0, len(self.days) - 1)
        held: Bool = self.days[index] == day
        return np.where(held, self.open_ms[index], -1), np.where(held, self.close_ms[index], -1)


def session_of_chain(chain: Int64) -> Int64:
    """Return the session of an exchange's chains: a session with a break has two of them."""
    return np.where(chain < 0, NO_SESSION, chain & (_AFTERNOON - 1))


def _place_always_open(bar_start_ms: Int64) -> Placement:
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
    """Return a calendar by name: ``24/7``, ``24/5`` (currencies), or any of the exchange-calendars package.

    Raises
    ------
    ValueError
        There is none of this name, or the package cannot make it.
    """
    if name == "24/7":
        none = np.empty(0, np.int64)
        rules = Annualisation("CRYPTO_1M", 365 * _DAY_MINUTES), Annualisation("CRYPTO_DAILY", 365)
        return Calendar(name, *rules, True, none, none, none, session_minutes=_DAY_MINUTES)
    if name == "24/5":
        return _currency_week(name)
    if unknown_calendars([name]):
        raise ValueError(f"no calendar {name!r}: there are {', '.join(calendar_names())}")
    # An alias (XNAS) is the calendar that it stands for (XNYS): the same sessions under the same codes.
    canonical = exchanges.canonical(name)
    return _exchange(name) if canonical == name else calendar_named(canonical)


def calendar_names() -> tuple[str, ...]:
    """Return the names of all calendars, without aliases."""
    return tuple(sorted({*_AROUND_THE_CLOCK, *exchanges.names()}))


def unknown_calendars(names: Iterable[str]) -> list[str]:
    """Return those of some names that no calendar has, as a name or an alias, in order."""
    return exchanges.unknown(set(names) - set(_AROUND_THE_CLOCK))


def _currency_week(name: str) -> Calendar:
    """Return the market of currencies: Sunday to Friday, 17:00 to 17:00 in New York, without holidays.

    A session ends at 17:00 and has the date on which it does, as currencies are booked. Clocks change on Sundays before
    the open, so each lasts 24 hours.
    """
    days = np.arange(exchanges.FIRST_DAY, np.datetime64(exchanges.LAST_DAY) + 1, dtype="datetime64[D]")
    weekdays = days[np.is_busday(days)]
    york = ZoneInfo("America/New_York")
    closes = [datetime(day.year, day.month, day.day, 17, tzinfo=york).timestamp() for day in weekdays.tolist()]
    close_ms = (np.array(closes) * 1000).astype(np.int64)
    numbers = weekdays.astype(np.int64)
    return Calendar(
        name,
        Annualisation("FX_1M", 252 * _DAY_MINUTES),
        Annualisation("FX_DAILY", 252),
        True,
        numbers,
        close_ms - DAY_MS,
        close_ms,
        chains=(numbers + 3) // 7,  # 1970-01-01 was a Thursday
        session_minutes=_DAY_MINUTES,
    )


def _exchange(name: str) -> Calendar:
    held = exchanges.sessions(name)
    continuous = held.full_minutes == _DAY_MINUTES
    if name == "XNYS":
        # By convention, whatever the calendar of a year says.
        rules = Annualisation("US_RTH_1M", 252 * 390), Annualisation("US_DAILY", 252)
    else:
        per_year = held.per_year
        rules = Annualisation(f"{name}_1M", per_year * held.full_minutes), Annualisation(f"{name}_DAILY", per_year)
    return Calendar(
        name,
        *rules,
        continuous,
        held.days,
        held.open_ms,
        held.close_ms,
        held.break_start_ms,
        held.break_end_ms,
        session_minutes=held.full_minutes,
        extended_ms=_EXTENDED_HOURS_MS.get(name, (0, 0)),
    )


def calendar_for(source: str, symbol: str) -> str:
    """Return the calendar of a series that no watch-list names: by the form of its symbol.

    Simulated markets never close, whoever replays them; a venue in front of a symbol (``OANDA:EUR_USD``) has the
    calendar of ``CALENDAR_OF_VENUE``; all else is taken for a US stock.
    """
    if source == "simulator" or _SIMULATED_SYMBOL.fullmatch(symbol):
        return "24/7"
    venue, colon, _ = symbol.partition(":")
    return CALENDAR_OF_VENUE.get(venue.upper(), "XNYS") if colon else "XNYS"
