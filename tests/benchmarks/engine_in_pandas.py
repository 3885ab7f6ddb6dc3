"""The engine's strictest peer: one session of minute bars through rolling and ewm of pandas, all symbols at once.

It is written for a single full session: no gaps, no state to go on from. The frames have a row for each minute and a
column for each symbol, the form in which pandas rolls fastest. The detector's recursion (each step is clipped by what
the steps before taught) is no window of pandas: it goes from minute to minute, over all symbols at once.
"""

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from volwatch.analytics.seasonality import BIN_MINUTES, prior
from volwatch.analytics.trades import Bool, Float64, Int64

_WINDOW, _LEAST, _HALF_LIFE = 30, 15, 30
_LN2 = np.log(2.0)
_PER_YEAR = 252 * 390
_MOST_TRADES_TOO_FEW = 20
_HALF_TICK = 0.005
_WARM_UP, _COOL_DOWN = 60, 10


Frames = dict[str, pd.DataFrame]
"""One session: open, high, low, close and trades."""

_F = TypeVar("_F", pd.DataFrame, pd.Series)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: a frame for each estimator; the detector's columns are of shape (minutes, symbols)."""

    volatility: dict[str, pd.DataFrame]
    statistic: Float64
    z: Float64
    expected_log_range: Float64
    ratio: Float64
    opened: Bool
    escalated: Bool
    closed: Bool


def frames(open_: Float64, high: Float64, low: Float64, close: Float64, trades: Int64) -> Frames:
    """Return frames of columns of shape (symbols, minutes)."""
    columns = {"open": open_, "high": high, "low": low, "close": close, "trades": trades}
    return {name: pd.DataFrame(np.ascontiguousarray(column.T)) for name, column in columns.items()}


def outcome(bars: Frames, enter: float) -> Outcome:
    """Return volatility by every minute estimator, and the detector's verdicts."""
    log_return = _log(bars["close"] / bars["close"].shift())
    log_return.iloc[0] = _log(bars["close"] / bars["open"]).iloc[0]
    return _detect(bars, log_return.abs().to_numpy(), enter, volatility(bars, log_return))


def volatility(bars: Frames | pd.DataFrame, log_return: _F) -> dict[str, _F]:
    """Return annual volatility by estimator, NaN where it must not be shown."""
    high, low, open_, close = (_column(bars, name) for name in ("high", "low", "open", "close"))
    high_low = _log(high / low) ** 2
    open_close = _log(close / open_)
    above = _log(high / close) * _log(high / open_)
    below = _log(low / close) * _log(low / open_)
    enough = bars["trades"].rolling(_WINDOW, min_periods=_LEAST).median() >= _MOST_TRADES_TOO_FEW
    variances = {
        "cc": log_return.rolling(_WINDOW, min_periods=_LEAST).var(),
        "cc0": _mean(log_return**2),
        "parkinson": _mean(high_low).where(enough) / (4 * _LN2),
        "garman-klass": _mean(0.5 * high_low - (2 * _LN2 - 1) * open_close**2).where(enough),
        "rogers-satchell": _mean(above + below).where(enough),
        "ewma": (log_return**2).ewm(halflife=_HALF_LIFE, min_periods=_LEAST).mean(),
    }
    return {name: (variance * _PER_YEAR) ** 0.5 for name, variance in variances.items()}


def _column(bars: Frames | pd.DataFrame, name: str) -> Any:
    """Return a column of one symbol, or of all; pandas computes with either alike."""
    return bars[name]


def _log(frame: _F) -> _F:
    return cast("_F", np.log(frame))


def _mean(terms: _F) -> _F:
    return terms.rolling(_WINDOW, min_periods=_LEAST).mean()


def log_range(bars: Frames | pd.DataFrame) -> Float64:
    """Return ln of the true range of each bar, at least half a tick."""
    high, low, close = (_column(bars, name) for name in ("high", "low", "close"))
    reference = close.shift()
    reference.iloc[0] = bars["open"].iloc[0]
    span = _log(high.where(high >= reference, reference) / low.where(low <= reference, reference))
    floor = _HALF_TICK / reference
    ranges: Float64 = _log(span.where(span >= floor, floor)).to_numpy()
    return ranges


def _detect(bars: Frames, move: Float64, enter: float, shown: dict[str, pd.DataFrame]) -> Outcome:
    ranges, trades = log_range(bars), bars["trades"].to_numpy()
    shape = ranges.shape
    usual = prior()[np.arange(shape[0]) // BIN_MINUTES]
    statistic, z, expected, ratio = (np.full(shape, np.nan) for _ in range(4))
    opened, escalated, closed = (np.zeros(shape, np.bool_) for _ in range(3))
    baseline, scale = ranges[0] - usual[0], np.full(shape[1], 0.5)
    ewma, excess_1, excess_2 = (np.zeros(shape[1]) for _ in range(3))
    since, active, severity = np.full(shape[1], _COOL_DOWN), np.zeros(shape[1], np.bool_), np.zeros(shape[1], np.int64)
    for minute in range(shape[0]):
        y = ranges[minute] - usual[minute]
        excess = y - baseline
        score = excess / scale
        expected[minute] = baseline + usual[minute]
        ratio[minute] = np.exp((excess + excess_1 + excess_2) / 3)
        ewma = 0.6 * ewma + 0.4 * np.clip(score, -3, 8) if minute >= _WARM_UP else ewma
        now = np.maximum(2.0 * ewma, score)
        if minute >= _WARM_UP:
            statistic[minute], z[minute] = now, score
        since = np.minimum(since + 1, _COOL_DOWN)
        rank = _rank(now, ratio[minute], move[minute], expected[minute])
        may_open = (minute >= _WARM_UP) & (since >= _COOL_DOWN) & (trades[minute] >= 2)
        opened[minute] = ~active & may_open & (now >= enter)
        escalated[minute] = active & (rank > severity) & (now >= enter)
        closed[minute] = active & (now < 0.6 * enter)
        active = opened[minute] | (active & ~closed[minute])
        since = np.where(opened[minute], 0, since)
        severity = np.where(opened[minute] | escalated[minute], rank, severity)
        baseline, scale = _teach(minute, baseline, scale, score)
        excess_1, excess_2 = excess, excess_1
    return Outcome(shown, statistic, z, expected, ratio, opened, escalated, closed)


def _teach(bars: int, baseline: Float64, scale: Float64, score: Float64) -> tuple[Float64, Float64]:
    clipped = np.clip(score, -3, 3)
    if bars == 0:
        return baseline, scale
    moved = baseline + max(1 - 2 ** (-1 / 60), 1 / (bars + 1)) * clipped * scale
    gain = max(1 - 2 ** (-1 / 390), 1 / (bars + 20))
    return moved, np.maximum(0.30, scale + gain * (1.2533 * 1.01 * np.abs(clipped) * scale - scale))


def _rank(statistic: Float64, ratio: Float64, move: Float64, expected: Float64) -> Int64:
    high = (statistic >= 7) | (ratio >= 5) | (move >= 10 * np.exp(expected - 0.43))
    return np.where(high, 3, np.where((statistic >= 5) | (ratio >= 3), 2, 1))
