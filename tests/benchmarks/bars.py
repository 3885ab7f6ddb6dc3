"""Trades into one-minute bars on one core: ``analytics.bars`` behind the bad-print filter, against a pandas groupby
over the same columns without a filter.

The market has no bad print. So the filter looks at every print and takes them all, which is checked, and the bars of
both sides are the same; the peer does less.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.benchmarks.market import trades
from tests.benchmarks.measure import Measured, Timed, Unequal, measure, timed
from volwatch.analytics import filters
from volwatch.analytics.bars import (
    FUTURE_TOLERANCE_MS,
    MAX_PRICE,
    MAX_SIZE,
    MIN_PRICE,
    OLDEST_MS,
    BarTable,
    add_trades,
    empty_table,
    judge,
)
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.trades import Trades, from_records

TRADES = 1_000_000
LATENESS_MS = 120_000
_EQUAL_COLUMNS = ("open", "high", "low", "close", "volume", "trades")


def run(tell: Callable[[str], None], count: int = TRADES) -> Measured:
    """Measure both sides on about ``count`` trades."""
    tell("bars: making the market")
    columns = from_records(trades(count))
    frame = frame_of(columns)

    def ours() -> Timed[BarTable]:
        return timed(lambda: our_bars(columns), time.process_time)

    def peer() -> Timed[pd.DataFrame]:
        return timed(lambda: pandas_bars(frame), time.process_time)

    return measure("bars", "trades/s", len(columns), ours, peer, check, tell)


def our_bars(columns: Trades) -> BarTable:
    """Return the bars as the engine makes them, of trades that it would take.

    Raises
    ------
    Unequal
        The filter did not take them all.
    """
    watermark = np.maximum.accumulate(columns.received_at)
    reason = judge(columns, watermark, LATENESS_MS, np.zeros(len(columns), np.bool_))
    rows = np.flatnonzero(reason == 0)
    good = columns.take(rows)
    prints = filters.new_prints()
    filters.grow(prints, len(columns.series))
    series, enters = good.code.astype(np.int64), np.ones(len(good), np.bool_)
    reached = np.full(len(columns.series), watermark[-1])
    sifted = filters.sift(prints, good, series, watermark[rows], enters, reached, LATENESS_MS)
    if len(sifted.taken) != len(good):
        raise Unequal("bars: the filter held or dropped prints of a market that has no bad ones")
    taken = sifted.taken
    return add_trades(empty_table(), sifted.trades.take(taken), sifted.series[taken], sifted.watermark[taken])


def frame_of(columns: Trades) -> pd.DataFrame:
    """Return the same columns as the peer takes them."""
    names = ("event_time", "received_at", "price", "size")
    return pd.DataFrame({"series": columns.code} | {name: getattr(columns, name) for name in names})


def pandas_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the bars by the same rules of acceptance and order."""
    start = frame["event_time"] - frame["event_time"] % MINUTE_MS
    taken = (
        (frame["price"] >= MIN_PRICE)
        & (frame["price"] < MAX_PRICE)
        & (frame["size"] > 0)
        & (frame["size"] < MAX_SIZE)
        & (frame["event_time"] <= frame["received_at"] + FUTURE_TOLERANCE_MS)
        & (frame["event_time"] > frame["received_at"] - OLDEST_MS)
        & (start + MINUTE_MS + LATENESS_MS > frame["received_at"].cummax())
    )
    rows = frame.assign(start=start, notional=frame["price"] * frame["size"])[taken]
    ordered = rows.sort_values("event_time", kind="stable")
    return ordered.groupby(["series", "start"]).agg(
        open=("price", "first"),
        high=("price", "max"),
        low=("price", "min"),
        close=("price", "last"),
        volume=("size", "sum"),
        notional=("notional", "sum"),
        trades=("price", "size"),
    )


def check(made: BarTable, expected: pd.DataFrame) -> None:
    """Compare bars: all but the notional, a sum of inexact terms, to the last bit."""
    keys = expected.reset_index()
    same = np.array_equal(made.series, keys["series"]) and np.array_equal(made.start, keys["start"])
    if not same or not all(np.array_equal(getattr(made, name), expected[name]) for name in _EQUAL_COLUMNS):
        raise Unequal("bars: the bars differ")
    if not np.allclose(made.notional, expected["notional"], rtol=1e-12, atol=0.0):
        raise Unequal("bars: the notional values differ")
