"""The engine's columns as frames whose columns are those of the tables."""

import numpy as np
import pandas as pd

from volwatch.analytics import detector, state
from volwatch.analytics.calendars import SESSION_NAMES
from volwatch.analytics.results import FLAG_NAMES, Bars, Result, Signals, Volatility
from volwatch.analytics.trades import Int64, Series
from volwatch.analytics.volatility import NULL_REASONS


def bars_frame(result: Result, bars: Bars, partition: int) -> pd.DataFrame:
    """Return rows of stock_prices."""
    table = bars.table
    return pd.DataFrame(
        {
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
    )


def volatility_frame(result: Result, part: Volatility) -> pd.DataFrame:
    """Return rows of stock_volatility: the long form, one row per bar and estimator."""
    count = len(part.estimators)

    def repeated(column: np.ndarray) -> np.ndarray:
        return np.repeat(column, count)

    bars = len(part.series)
    return pd.DataFrame(
        {
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
    )


def signals_frame(result: Result, signals: Signals, threshold: float) -> pd.DataFrame:
    """Return rows of stock_signals."""
    return pd.DataFrame(
        {
            **_keys(result.series, signals.series, signals.start),
            "detector": detector.NAME,
            "detector_version": detector.VERSION,
            "statistic": signals.statistic,
            "threshold": threshold,
            "null_reason": np.array((None, "INSUFFICIENT_DATA"), np.object_)[
                np.isnan(signals.statistic).astype(np.intp)
            ],
            "z": signals.z,
            "log_range": signals.log_range,
            "expected_log_range": signals.expected_log_range,
            "final": signals.final,
            "input_revision": signals.revision,
        }
    )


def _keys(series: tuple[Series, ...], codes: Int64, start_ms: Int64) -> dict[str, object]:
    sources = np.array([source for source, _ in series], np.object_)
    symbols = np.array([symbol for _, symbol in series], np.object_)
    return {"source": sources[codes], "symbol": symbols[codes], "bar_start": _times(start_ms)}


def _times(epoch_ms: Int64) -> pd.DatetimeIndex:
    return pd.to_datetime(epoch_ms, unit="ms", utc=True)


def _flags(bits: int) -> str:
    return "{" + ",".join(name for bit, name in FLAG_NAMES.items() if bits & bit) + "}"
