"""The engine's peer: a table of minute bars through pandas, symbol by symbol, as one writes it with rolling and ewm.

The detector's recursion (each step is clipped by what the steps before taught) is no window of pandas: it goes over the
symbol's bars in plain floats. Written for one full session; ``engine_in_pandas`` does the same for all symbols at once.
"""

import math

import numpy as np
import pandas as pd

from tests.benchmarks import engine_in_pandas
from tests.benchmarks.engine_in_pandas import Outcome
from volwatch.analytics.seasonality import BIN_MINUTES, prior

_WARM_UP, _COOL_DOWN = 60, 10
_COLUMNS = ("statistic", "z", "expected", "ratio")
_EVENTS = ("opened", "escalated", "closed")


def outcome(bars: pd.DataFrame, enter: float) -> Outcome:
    """Return volatility by every minute estimator, and the detector's verdicts.

    Parameters
    ----------
    bars : DataFrame
        Columns series, open, high, low, close, trades; ordered by series and time.
    """
    volatility: dict[str, list[pd.Series]] = {}
    said: dict[str, list[list[float]]] = {name: [] for name in (*_COLUMNS, *_EVENTS)}
    for _, frame in bars.groupby("series", sort=False):
        bar = frame.reset_index(drop=True)
        change = bar["close"] / bar["close"].shift().fillna(bar["open"])
        log_return = pd.Series(np.log(change))
        for name, values in engine_in_pandas.volatility(bar, log_return).items():
            volatility.setdefault(name, []).append(values)
        for name, column in _detect(bar, log_return.abs().tolist(), enter).items():
            said[name].append(column)
    columns = {name: np.array(values).T for name, values in said.items()}
    return Outcome(
        volatility={name: pd.concat(columns, axis=1) for name, columns in volatility.items()},
        statistic=columns["statistic"],
        z=columns["z"],
        expected_log_range=columns["expected"],
        ratio=columns["ratio"],
        opened=columns["opened"] == 1,
        escalated=columns["escalated"] == 1,
        closed=columns["closed"] == 1,
    )


def _detect(bar: pd.DataFrame, move: list[float], enter: float) -> dict[str, list[float]]:
    log_range = engine_in_pandas.log_range(bar).tolist()
    usual = prior()[np.arange(len(bar)) // BIN_MINUTES].tolist()
    trades = bar["trades"].tolist()
    told: dict[str, list[float]] = {name: [] for name in (*_COLUMNS, *_EVENTS)}
    baseline, scale, ewma, before, before_that = log_range[0] - usual[0], 0.5, 0.0, 0.0, 0.0
    since, active, severity = _COOL_DOWN, False, 0
    for minute, x in enumerate(log_range):
        excess = x - usual[minute] - baseline
        score = excess / scale
        expected, ratio = baseline + usual[minute], math.exp((excess + before + before_that) / 3)
        warm = minute >= _WARM_UP
        ewma = 0.6 * ewma + 0.4 * min(max(score, -3.0), 8.0) if warm else 0.0
        now = max(2.0 * ewma, score) if warm else math.nan
        since = min(since + 1, _COOL_DOWN)
        rank = _rank(now, ratio, move[minute], expected)
        opened = not active and now >= enter and since >= _COOL_DOWN and trades[minute] >= 2
        escalated = active and rank > severity and now >= enter
        closed = active and now < 0.6 * enter
        active = opened or (active and not closed)
        since = 0 if opened else since
        severity = rank if opened or escalated else severity
        baseline, scale = _teach(minute, baseline, scale, min(max(score, -3.0), 3.0))
        before, before_that = excess, before
        row = (now, score if warm else math.nan, expected, ratio, opened, escalated, closed)
        for name, value in zip(told, row, strict=True):
            told[name].append(value)
    return told


def _teach(bars: int, baseline: float, scale: float, clipped: float) -> tuple[float, float]:
    if bars == 0:
        return baseline, scale
    moved = baseline + max(1 - 2 ** (-1 / 60), 1 / (bars + 1)) * clipped * scale
    gain = max(1 - 2 ** (-1 / 390), 1 / (bars + 20))
    return moved, max(0.30, scale + gain * (1.2533 * 1.01 * abs(clipped) * scale - scale))


def _rank(statistic: float, ratio: float, move: float, expected: float) -> int:
    if statistic >= 7 or ratio >= 5 or move >= 10 * math.exp(expected - 0.43):
        return 3
    return 2 if statistic >= 5 or ratio >= 3 else 1
