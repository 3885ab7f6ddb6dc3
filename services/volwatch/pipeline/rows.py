"""The rows of bars, volatility and signals that a result makes, on their way to the warehouse.

A bar whose first trade came with this result was never shown, so its rows are new. Those of the others stand there
already, mostly, and are replaced.
"""

from collections.abc import Sequence

import numpy as np

from volwatch.analytics.bars import bar_key
from volwatch.analytics.results import Result
from volwatch.analytics.trades import Bool, Int64
from volwatch.warehouse.frames import bars_columns, signals_columns, volatility_columns
from volwatch.warehouse.staging import Columns, Copy, copy_of

PRICES, VOLATILITY, SIGNALS = "stock_prices", "stock_volatility", "stock_signals"


def copies(result: Result, partition: int, start: int, threshold: float) -> list[Copy]:
    """Return the rows of a result by table, those that are new apart from the others.

    Parameters
    ----------
    start : int
        Offset of the first record that the engine had not seen before; rows of bars that begin behind it are new.
    threshold : float
        Statistic at which an alert opens.
    """
    known = _known(result, start)
    made: list[Copy] = []
    for is_new in (True, False) if any(map(len, known.values())) else (True,):
        bars = [bars.take(np.flatnonzero((bars.table.first_offset >= start) == is_new)) for bars in result.bars]
        volatility = [
            part.take(_rows(part.series, part.start, known[part.bar_seconds], is_new)) for part in result.volatility
        ]
        signals = result.signals.take(_rows(result.signals.series, result.signals.start, known[60], is_new))
        tables: dict[str, Sequence[Columns]] = {
            PRICES: [bars_columns(result, part, partition) for part in bars],
            VOLATILITY: [volatility_columns(result, part) for part in volatility],
            SIGNALS: [signals_columns(result, signals, threshold)],
        }
        made += [copy_of(table, parts, is_new=is_new) for table, parts in tables.items()]
    return [copy for copy in made if copy.rows]


def _known(result: Result, start: int) -> dict[int, Int64]:
    """Return the keys of the bars that may have been shown before, by their length."""
    known: dict[int, Int64] = {}
    for bars in result.bars:
        keys = bars.table.key[bars.table.first_offset < start]
        known[bars.bar_seconds] = np.append(known.get(bars.bar_seconds, np.empty(0, np.int64)), keys)
    return known


def _rows(series: Int64, start_ms: Int64, known: Int64, is_new: bool) -> Int64:
    is_known: Bool = np.isin(bar_key(series, start_ms), known)
    return np.flatnonzero(is_known != is_new)
