"""The rows of bars, volatility and signals that a result makes, on their way to the warehouse.

A bar whose first trade came with this result was never shown, so its rows are new. Those of the others stand there
already, mostly, and are replaced.
"""

from dataclasses import replace

import numpy as np

from volwatch.analytics.bars import bar_key
from volwatch.analytics.results import Result
from volwatch.analytics.trades import Bool, Int64
from volwatch.warehouse.frames import bars_columns, signals_columns, volatility_columns
from volwatch.warehouse.staging import PRICES, SIGNALS, VOLATILITY, Columns, Copy, copy_of


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
        taken = replace(result, bars=tuple(bars), volatility=tuple(volatility), signals=signals)
        made += [copy_of(table, parts, is_new=is_new) for table, parts in tables(taken, partition, threshold).items()]
    return [copy for copy in made if copy.rows]


def of_finality(result: Result, final: bool) -> Result:
    """Return a result with those of its rows that are final, or those that may still change."""
    return replace(
        result,
        bars=tuple(bars.take(np.flatnonzero(bars.final == final)) for bars in result.bars),
        volatility=tuple(part.take(np.flatnonzero(part.final == final)) for part in result.volatility),
        signals=result.signals.take(np.flatnonzero(result.signals.final == final)),
    )


def tables(result: Result, partition: int, threshold: float) -> dict[str, list[Columns]]:
    """Return the rows of a result by table, part by part."""
    return {
        PRICES: [bars_columns(result, part, partition) for part in result.bars],
        VOLATILITY: [volatility_columns(result, part) for part in result.volatility],
        SIGNALS: [signals_columns(result, result.signals, threshold)],
    }


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
