"""What the tests of the pitfalls share: real prices, independent values, and trades made by hand."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from tests.oracle import DATA
from volwatch.analytics.groups import Index
from volwatch.analytics.results import Result
from volwatch.analytics.trades import Float64, Trades, from_records
from volwatch.analytics.volatility import NULL_REASONS
from volwatch.analytics.windows import Reach, reach
from volwatch.trade import Trade

OPEN_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z, the open of a session in New York
MINUTE_MS = 60_000
DAY_MS = 86_400_000
CALM_BAR = (0.0, 0.01, 0.02, 0.01)
"""Prices of a minute of a calm market, above 100."""

Row = tuple[str, int, float, float]
"""Symbol, event time in milliseconds since ``OPEN_MS``, price, size."""


@cache
def table(name: str) -> pd.DataFrame:
    """Return a file of independent values."""
    return pd.read_csv(DATA / name)


def numbers(name: str, column: str) -> Float64:
    """Return one column of it."""
    return table(name)[column].to_numpy(np.float64)


def line_of(count: int, window: int) -> tuple[Reach, Index]:
    """Return the windows of one series of so many terms, and the places at which they are full."""
    return reach(np.zeros(count), np.zeros(1, np.intp), window), np.arange(window - 1, count)


def trades(rows: Sequence[Row], *, source: str = "feed", delay_ms: int = 0, conditions: tuple[str, ...] = ()) -> Trades:
    """Return trades that came, in this order, so long after they happened."""
    return from_records(
        [
            Trade(source, symbol, OPEN_MS + at, price, size, conditions, None, OPEN_MS + at + delay_ms, number)
            for number, (symbol, at, price, size) in enumerate(rows)
        ]
    )


def mark(at: int, *, source: str = "feed", symbol: str = "S", condition: str = "mark") -> Trades:
    """Return a record that is no trade and says how late it is."""
    return trades([(symbol, at, 0.0, 0.0)], source=source, conditions=(condition,))


def calm(minutes: int, *, symbol: str = "S", first_minute: int = 0, price: float = 100.0) -> list[Row]:
    """Return four prints a minute within two cents."""
    return [
        (symbol, (first_minute + minute) * MINUTE_MS + 15_000 * place, price + CALM_BAR[place], 10.0)
        for minute in range(minutes)
        for place in range(len(CALM_BAR))
    ]


def reasons(result: Result, estimator: str) -> list[str]:
    """Return the NULL reasons of an estimator on the final one-minute bars of a result, in their order."""
    return [
        NULL_REASONS[code]
        for part in result.volatility
        if part.bar_seconds == 60
        for code in part.reason[part.final, part.estimators.index(estimator)].tolist()
    ]


def values(result: Result, estimator: str) -> list[float]:
    """Return the values of an estimator on the final one-minute bars of a result, in their order."""
    return [
        value
        for part in result.volatility
        if part.bar_seconds == 60
        for value in part.value[part.final, part.estimators.index(estimator)].tolist()
    ]
