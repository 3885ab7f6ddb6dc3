"""Trades into one-minute bars on one core: ``analytics.bars`` against a pandas groupby over the same columns."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.benchmarks.market import trades
from tests.benchmarks.measure import Measured, Timed, Unequal, measure, timed
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
    """Return the bars as the engine makes them, of trades that it would take."""
    watermark = np.maximum.accumulate(columns.received_at)
    reason = judge(columns, watermark, LATENESS_MS, np.zeros(len(columns), np.bool_))
    taken = np.flatnonzero(reason == 0)
    return add_trades(empty_table(), columns.take(taken), columns.code[taken].astype(np.int64), watermark[taken])


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
