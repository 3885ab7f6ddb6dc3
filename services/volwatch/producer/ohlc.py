"""OHLC bars given as trades: four prints a bar, from which a bar engine makes the same bar again. Pure.

Columns: ``date`` (a daily bar, put into the regular session of that day) or ``ts_utc`` (start of a one-minute bar),
``open, high, low, close`` and optionally ``volume``; others are ignored.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from volwatch.analytics.bars import OHLC_CONDITION
from volwatch.analytics.calendars import Calendar
from volwatch.errors import BadTrade, Misconfigured
from volwatch.producer.source import Rejected
from volwatch.trade import Trade

_PRICES = ("open", "high", "low", "close")
_MINUTE_MS = 60_000

Row = Mapping[str | None, str | list[str] | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the file, in [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None


def ohlc_trades(lines: Iterable[str], symbol: str, source: str, calendar: Calendar) -> Iterator[Trade | Rejected]:
    """Yield the prints of a CSV's bars in order of time, and before them the rows that are no bars.

    Raises
    ------
    Misconfigured
        A column is missing.
    """
    reader = csv.DictReader(lines)
    faults = _missing_columns(reader.fieldnames or ())
    if faults:
        raise Misconfigured(faults)
    bars: dict[int, Bar] = {}
    for row in reader:
        try:
            _add(bars, _parse(row, calendar))
        except BadTrade as error:
            record = json.dumps({"row": reader.line_num, "fault": error.detail, **{str(k): row[k] for k in row}})
            yield Rejected(symbol, error.reason, record.encode())
    prints = (point for start_ms in sorted(bars) for point in _prints(bars[start_ms]))
    for seq, (time_ms, price, size) in enumerate(prints):
        yield Trade(source, symbol, time_ms, price, size, (OHLC_CONDITION,), None, time_ms + 1, seq)


def _missing_columns(names: Iterable[str]) -> list[str]:
    held = set(names)
    faults = [f"the file of bars has no column {name!r}" for name in _PRICES if name not in held]
    if not held & {"date", "ts_utc"}:
        faults.append("the file of bars has neither a column 'date' nor 'ts_utc'")
    return faults


def _add(bars: dict[int, Bar], bar: Bar) -> None:
    if bar.start_ms in bars:
        raise BadTrade("DUPLICATE_BAR", "a second row of the same time")
    bars[bar.start_ms] = bar


def _parse(row: Row, calendar: Calendar) -> Bar:
    open_, high, low, close = (_number(row, name) for name in _PRICES)
    if min(open_, high, low, close) <= 0:
        raise BadTrade("BAD_PRICE", "a price is not positive")
    if high < max(open_, low, close) or low > min(open_, close):
        raise BadTrade("INVALID_OHLC", "open or close lies outside of low to high")
    volume = _number(row, "volume") if row.get("volume") else None
    if volume is not None and volume < 0:
        raise BadTrade("BAD_SIZE", "the volume is negative")
    start_ms, end_ms = _session(row, calendar) if row.get("date") else _minute(row)
    return Bar(start_ms, end_ms, open_, high, low, close, volume)


def _number(row: Row, name: str) -> float:
    try:
        number = float(str(row.get(name)))
    except ValueError as error:
        raise BadTrade("MALFORMED", f"{name} is not a number") from error
    if not math.isfinite(number):
        raise BadTrade("MALFORMED", f"{name} is not finite")
    return number


def _session(row: Row, calendar: Calendar) -> tuple[int, int]:
    try:
        day = np.array([str(row["date"])], dtype="datetime64[D]")
    except ValueError as error:
        raise BadTrade("MALFORMED", "the date is none") from error
    open_ms, close_ms = calendar.session_bounds_ms(day)
    if open_ms[0] < 0:
        raise BadTrade("NO_SESSION", f"{calendar.name} was closed on {day[0]}")
    return int(open_ms[0]), int(close_ms[0])


def _minute(row: Row) -> tuple[int, int]:
    try:
        time = datetime.fromisoformat(str(row.get("ts_utc")))
    except ValueError as error:
        raise BadTrade("MALFORMED", "ts_utc is no time") from error
    if time.tzinfo is None:
        raise BadTrade("MALFORMED", "ts_utc does not say its zone")
    start_ms = round(time.timestamp() * 1_000)
    return start_ms, start_ms + _MINUTE_MS


def _prints(bar: Bar) -> Iterator[tuple[int, float, float]]:
    """Yield (time in ms, price, size); the extreme nearer to the open comes first."""
    high_first = bar.high - bar.open <= bar.open - bar.low
    extremes = (bar.high, bar.low) if high_first else (bar.low, bar.high)
    size = bar.volume / 4 if bar.volume else 1.0
    third_ms = (bar.end_ms - bar.start_ms) // 3
    times_ms = (bar.start_ms, bar.start_ms + third_ms, bar.start_ms + 2 * third_ms, bar.end_ms - 1)
    for time_ms, price in zip(times_ms, (bar.open, *extremes, bar.close), strict=True):
        yield time_ms, price, size
