"""The engine's columns as the columns of the tables, and as frames of them.

Times are of numpy's type, UTC; in frames they are aware. What is the same in all rows is a scalar.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics import detector, state
from volwatch.analytics.calendars import SESSION_NAMES
from volwatch.analytics.results import FLAG_NAMES, Bars, Result, Signals, Volatility
from volwatch.analytics.trades import Float64, Int64, Series
from volwatch.analytics.volatility import NULL_REASONS
from volwatch.warehouse.staging import Columns

_TIME = np.dtype("datetime64[ms]")


def bars_frame(result: Result, bars: Bars, partition: int) -> pd.DataFrame:
    """Return rows of stock_prices."""
    return _frame(bars_columns(result, bars, partition))


def volatility_frame(result: Result, part: Volatility) -> pd.DataFrame:
    """Return rows of stock_volatility: the long form, one row per bar and estimator."""
    return _frame(volatility_columns(result, part))


def signals_frame(result: Result, signals: Signals, threshold: float) -> pd.DataFrame:
    """Return rows of stock_signals."""
    return _frame(signals_columns(result, signals, threshold))


def _frame(columns: Columns) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.to_datetime(values, utc=True) if getattr(values, "dtype", None) == _TIME else values
            for name, values in columns.items()
        }
    )


def bars_columns(result: Result, bars: Bars, partition: int) -> Columns:
    """Return the columns of ``bars_frame``."""
    table = bars.table
    return {
        **_keys(result.series, table.series, table.start),
        "bar_seconds": bars.bar_seconds,
        "open": table.open,
        "high": table.high,
        "low": table.low,
        "close": table.close,
        "volume": table.volume,
        "vwap": table.vwap,
        "trades": table.trades,
        "session": np.array(SESSION_NAMES)[bars.label],
        "revision": table.revision,
        "final": bars.final,
        "flags": [_flags(flags) for flags in table.flags.tolist()],
        "log_return": bars.log_return,
        "elapsed_bars": bars.elapsed,
        "first_trade_at": _times(table.first_time),
        "last_trade_at": _times(table.last_time),
        "kafka_partition": partition,
        "first_offset": table.first_offset,
        "last_offset": table.last_offset,
    }


def volatility_columns(result: Result, part: Volatility) -> Columns:
    """Return the columns of ``volatility_frame``."""
    count = len(part.estimators)

    def repeated(column: np.ndarray) -> np.ndarray:
        return np.repeat(column, count)

    bars = len(part.series)
    return {
        **_keys(result.series, repeated(part.series), repeated(part.start)),
        "bar_seconds": part.bar_seconds,
        "estimator": np.tile(np.array(part.estimators), bars),
        "window_bars": np.tile(np.array(part.windows), bars),
        "value": part.value.ravel(),
        "null_reason": np.array((None, *NULL_REASONS[1:]), np.object_)[part.reason.ravel()],
        "standard_error": part.standard_error.ravel(),
        "n_obs": part.n_obs.ravel(),
        "annualisation": repeated(part.annualisation),
        "model_version": state.VERSION,
        "final": repeated(part.final),
        "input_revision": repeated(part.revision),
    }


def signals_columns(result: Result, signals: Signals, threshold: float) -> Columns:
    """Return the columns of ``signals_frame``."""
    return {
        **_keys(result.series, signals.series, signals.start),
        "detector": detector.NAME,
        "detector_version": detector.VERSION,
        "statistic": signals.statistic,
        "threshold": _thresholds(result, signals, threshold),
        "null_reason": np.array((None, "INSUFFICIENT_DATA"), np.object_)[np.isnan(signals.statistic).astype(np.intp)],
        "z": signals.z,
        "log_range": signals.log_range,
        "expected_log_range": signals.expected_log_range,
        "final": signals.final,
        "input_revision": signals.revision,
    }


def _thresholds(result: Result, signals: Signals, usual: float) -> float | Float64:
    """Return the statistic at which an alert opens: of the series where there are overrides, else the usual one."""
    if not len(result.enters):
        return usual
    own = result.enters[signals.series]
    return np.where(np.isnan(own), usual, own)


def _keys(series: tuple[Series, ...], codes: Int64, start_ms: Int64) -> Columns:
    sources = np.array([source for source, _ in series], np.object_)
    symbols = np.array([symbol for _, symbol in series], np.object_)
    return {"source": sources[codes], "symbol": symbols[codes], "bar_start": _times(start_ms)}


def _times(epoch_ms: Int64) -> npt.NDArray[np.datetime64]:
    return epoch_ms.astype(_TIME)


@cache
def _flags(bits: int) -> str:
    return "{" + ",".join(name for bit, name in FLAG_NAMES.items() if bits & bit) + "}"
