"""Trades into bars. One table holds the bars that may still change; the engine takes from it what has become final.

Rules: quant.md sections 1.1 (acceptance), 1.3 (order and lateness) and 1.6 (bars). A bar's first and last trade are
those of (event time, arrival), whatever the order in which they come; sums run in order of arrival, so that any
cutting of the input gives the same bits.
"""

from dataclasses import dataclass, fields, replace
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.trades import Bool, Float64, Int64, Trades

PROVISIONAL_AFTER_MS = 5_000
FUTURE_TOLERANCE_MS = 5_000
OLDEST_MS = 24 * 3_600_000

# What NUMERIC(18,8) and NUMERIC(24,8) hold, with room for a day's sum.
MIN_PRICE, MAX_PRICE = 1e-8, 1e10
MAX_SIZE = 1e12

REASONS = ("", "BAD_PRICE", "BAD_SIZE", "ZERO_SIZE", "TOO_OLD", "FUTURE", "LATE", "OUTLIER", "CONDITION")
"""Why a trade is not taken, by code; code 0 is a taken one."""
_BAD_PRICE, _BAD_SIZE, _ZERO_SIZE, _TOO_OLD, _FUTURE, _LATE, OUTLIER, CONDITION = range(1, 9)

FLAG_OHLC = 1
"""The bar was given by its extremes (a replayed OHLC row), not by a sample of prints."""
OHLC_CONDITION = "ohlc"
MARK_CONDITION = "mark"
"""On a record that is no trade: its ``received_at`` moves the watermark, so that the last bars of a source that has
ended become final. It is in no bar, and it is not rejected."""
GAP_CONDITION = "gap"
"""On a mark that also says: before its ``event_time`` the source could see nothing of this series."""

# What any price's time comes before and behind, in a bar that no print has given a price yet.
_NO_FIRST_TIME, _NO_LAST_TIME = np.iinfo(np.int64).max, -1

_MINUTE_BITS = 33  # minutes until far beyond the year 9999
_MOST_CELLS_A_KEY = 4  # above it a table of all minutes of all series costs more than sorting the keys


@dataclass(slots=True)
class BarTable:
    """Bars, one row each, column by column; ``key`` orders them by (series, start) and is unique.

    Prices in quote currency, times in epoch milliseconds, offsets of Kafka. ``trades`` and ``notional`` = Σ price·size
    are of the prints that make prices, and so are the times; ``priced_volume`` is their part of ``volume``, all of it
    where it is left out. A row whose ``trades`` is 0 has volume and no price yet.
    """

    key: Int64
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    notional: Float64
    trades: Int64
    first_time: Int64
    last_time: Int64
    first_offset: Int64
    last_offset: Int64
    revision: Int64
    flags: Int64
    priced_volume: Float64 = None  # type: ignore[assignment]  # never None once it is made

    def __post_init__(self) -> None:
        if self.priced_volume is None:
            self.priced_volume = self.volume

    def __len__(self) -> int:
        return len(self.key)

    @property
    def series(self) -> Int64:
        """Index of the series."""
        return self.key >> _MINUTE_BITS

    @property
    def start(self) -> Int64:
        """Start of the bar, epoch milliseconds."""
        return (self.key & ((1 << _MINUTE_BITS) - 1)) * MINUTE_MS

    @property
    def vwap(self) -> Float64:
        """Σ price·size / Σ size over the prints that make prices, kept inside [low, high] against rounding; NaN where
        nothing was traded."""
        with np.errstate(invalid="ignore"):
            size = np.where(self.priced_volume > 0, self.priced_volume, np.nan)
            return np.clip(self.notional / size, self.low, self.high)

    def take(self, rows: npt.NDArray[np.intp] | Bool | slice) -> "BarTable":
        """Return some rows as a table of their own."""
        return BarTable(*[column[rows] for column in _columns(self)])

    def join(self, other: "BarTable") -> "BarTable":
        """Return the rows of both, ordered by key."""
        both = BarTable(
            *(np.concatenate([getattr(self, column.name), getattr(other, column.name)]) for column in fields(self))
        )
        return both.take(np.argsort(both.key, kind="stable"))


_columns = attrgetter(*(column.name for column in fields(BarTable)))


def empty_table() -> BarTable:
    """Return a table without rows."""
    return BarTable(**{name: np.empty(0, dtype) for name, dtype in column_types().items()})


def column_types() -> dict[str, type]:
    """Return the columns of a table and their types."""
    return {column.name: np.float64 if column.type == Float64 else np.int64 for column in fields(BarTable)}


def bar_key(series: Int64, start_ms: Int64) -> Int64:
    """Return the key of bars."""
    return (series << _MINUTE_BITS) | (start_ms // MINUTE_MS)


def marks(trades: Trades) -> Bool:
    """Return for each record whether it is a mark, and no trade."""
    return having(trades, MARK_CONDITION) | having(trades, GAP_CONDITION)


def having(trades: Trades, condition: str) -> Bool:
    """Return for each record whether it has a condition."""
    named = np.array([condition in codes for codes in trades.conditions], np.bool_)
    return named[trades.condition_code] if named.any() else np.zeros(len(trades), np.bool_)


def judge(trades: Trades, watermark: Int64, lateness_ms: int, quotes_allowed: Bool) -> npt.NDArray[np.int8]:
    """Return for each trade why it is not taken, as an index into ``REASONS``.

    Parameters
    ----------
    watermark : int64, shape (n,)
        The largest ``received_at`` of the source up to and including each trade.
    lateness_ms : int
        A bar is final when the watermark has passed its end by this much.
    quotes_allowed : bool, shape (n,)
        Whether size 0 (a quote) makes a price for this source.
    """
    end = trades.event_time - trades.event_time % MINUTE_MS + MINUTE_MS
    return np.select(
        [
            ~((trades.price >= MIN_PRICE) & (trades.price < MAX_PRICE)),
            ~((trades.size >= 0) & (trades.size < MAX_SIZE)),
            (trades.size == 0) & ~quotes_allowed,
            trades.event_time > trades.received_at + FUTURE_TOLERANCE_MS,
            trades.event_time <= trades.received_at - OLDEST_MS,
            end + lateness_ms <= watermark,
        ],
        [_BAD_PRICE, _BAD_SIZE, _ZERO_SIZE, _FUTURE, _TOO_OLD, _LATE],
        0,
    ).astype(np.int8)


def add_trades(
    table: BarTable, trades: Trades, series: Int64, watermark: Int64, volume_only: Bool | None = None
) -> BarTable:
    """Return the table with accepted trades added, in order of arrival.

    Parameters
    ----------
    series : int64, shape (n,)
        Index of each trade's series.
    watermark : int64, shape (n,)
        As in ``judge``; a trade that comes after its bar was first shown raises the bar's revision.
    volume_only : bool, shape (n,), optional
        Trades that add to the volume and make no price; none where it is left out.
    """
    start = trades.event_time - trades.event_time % MINUTE_MS
    rows = BarTable(
        key=bar_key(series, start),
        open=trades.price,
        high=trades.price,
        low=trades.price,
        close=trades.price,
        volume=trades.size,
        notional=trades.price * trades.size,
        trades=np.ones(len(trades), np.int64),
        first_time=trades.event_time,
        last_time=trades.event_time,
        first_offset=trades.offset,
        last_offset=trades.offset,
        revision=(watermark >= start + MINUTE_MS + PROVISIONAL_AFTER_MS).astype(np.int64),
        flags=np.where(having(trades, OHLC_CONDITION), FLAG_OHLC, 0),
    )
    return merge(table, rows if volume_only is None else _without_price(rows, volume_only))


def _without_price(rows: BarTable, volume_only: Bool) -> BarTable:
    """Return rows of which some have nothing left but their volume: what changes no extreme and no sum of others."""
    nothing = {
        "open": np.nan,
        "high": -np.inf,
        "low": np.inf,
        "close": np.nan,
        "notional": 0.0,
        "trades": 0,
        "first_time": _NO_FIRST_TIME,
        "last_time": _NO_LAST_TIME,
        "priced_volume": 0.0,
    }
    return replace(rows, **{name: np.where(volume_only, none, getattr(rows, name)) for name, none in nothing.items()})


def merge(table: BarTable, rows: BarTable) -> BarTable:
    """Return the table with ``rows`` (in order of arrival, keys may repeat) folded into their bars."""
    if not len(rows):
        return table
    # Arrival order inside a key: the rows of the table came first.
    every = {
        column.name: np.concatenate([getattr(table, column.name), getattr(rows, column.name)])
        if len(table)
        else getattr(rows, column.name)
        for column in fields(BarTable)
    }
    keys, slot = distinct(every["key"])

    def extreme(ufunc: np.ufunc, name: str) -> npt.NDArray[np.generic]:
        held = np.empty(len(keys), every[name].dtype)
        held[slot] = every[name]  # any of the slot's values to begin with
        ufunc.at(held, slot, every[name])
        return held

    def summed(name: str) -> npt.NDArray[np.generic]:
        if not every[name].any():  # as revisions mostly are
            return np.zeros(len(keys), every[name].dtype)
        # bincount adds in order of arrival, onto what the bar already has: reduceat would add pairwise.
        return np.bincount(slot, every[name], len(keys)).astype(every[name].dtype, copy=False)

    first_time, last_time = extreme(np.minimum, "first_time"), extreme(np.maximum, "last_time")
    first, last = np.full(len(keys), len(slot)), np.zeros(len(keys), np.int64)
    # Of equal times the first to arrive opens, and the last to arrive closes.
    earliest = np.flatnonzero(every["first_time"] == first_time[slot])
    latest = np.flatnonzero(every["last_time"] == last_time[slot])
    np.minimum.at(first, slot[earliest], earliest)
    np.maximum.at(last, slot[latest], latest)
    return BarTable(
        key=keys,
        open=every["open"][first],
        high=extreme(np.maximum, "high"),  # type: ignore[arg-type]
        low=extreme(np.minimum, "low"),  # type: ignore[arg-type]
        close=every["close"][last],
        volume=summed("volume"),  # type: ignore[arg-type]
        notional=summed("notional"),  # type: ignore[arg-type]
        trades=summed("trades"),  # type: ignore[arg-type]
        first_time=first_time,  # type: ignore[arg-type]
        last_time=last_time,  # type: ignore[arg-type]
        first_offset=extreme(np.minimum, "first_offset"),  # type: ignore[arg-type]
        last_offset=extreme(np.maximum, "last_offset"),  # type: ignore[arg-type]
        revision=summed("revision"),  # type: ignore[arg-type]
        flags=extreme(np.bitwise_or, "flags"),  # type: ignore[arg-type]
        priced_volume=summed("priced_volume"),  # type: ignore[arg-type]
    )


def distinct(key: Int64) -> tuple[Int64, npt.NDArray[np.intp]]:
    """Return the distinct keys in order, and the place of each key among them."""
    series, minute = key >> _MINUTE_BITS, key & ((1 << _MINUTE_BITS) - 1)
    first_minute = minute.min()
    width = int(minute.max() - first_minute) + 1
    cells = (int(series.max()) + 1) * width
    if cells > _MOST_CELLS_A_KEY * len(key):
        keys = np.unique(key)
        return keys, np.searchsorted(keys, key)
    # A table of all minutes of all series: five times as fast as a search for each key.
    cell = series * width + (minute - first_minute)
    occurs = np.zeros(cells, np.bool_)
    occurs[cell] = True
    held = np.flatnonzero(occurs)
    return ((held // width) << _MINUTE_BITS) | (held % width + first_minute), (np.cumsum(occurs) - 1)[cell]
