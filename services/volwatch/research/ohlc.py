"""Bars of a file as the estimators take them: which contradict themselves, what leads to each, how many it spans."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from volwatch.analytics.trades import Bool, Float64
from volwatch.analytics.volatility import bar_terms
from volwatch.research import splits

PRICES = ("open", "high", "low", "close")
_HOUR_SECONDS, _NIGHT_SECONDS = 3_600, 3 * 3_600


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars in order of time, each column of shape (n,); the prices of a bar that contradicts itself are all NaN."""

    prices: dict[str, Float64]
    previous: Float64
    elapsed: Float64
    trades: Float64 | None
    intraday: bool

    @property
    def invalid(self) -> Bool:
        """The bars that contradict themselves."""
        return np.isnan(self.prices["close"])


def bars_of(frame: pd.DataFrame, times: pd.Series, *, adjusted: bool = False, adjust_splits: bool = False) -> Bars:
    """Return the bars of a table as the estimators take them.

    Parameters
    ----------
    frame : DataFrame
        date or ts_utc first, the prices, and adj_close where ``adjusted`` is set.
    times : Series
        The same times, as timestamps.
    """
    given = {name: frame[name].to_numpy(np.float64) for name in PRICES}
    scale = (frame["adj_close"] / frame["close"]).to_numpy(np.float64) if adjusted else np.ones(len(frame))
    valid = _valid(given) & np.isfinite(scale) & (scale > 0)
    prices = {name: np.where(valid, price * scale, np.nan) for name, price in given.items()}
    label = frame.columns[0]
    prices, split = splits.without_splits(prices, frame[label], adjust=adjust_splits, tool="estimate")
    begins, elapsed, intraday = _chain(times, daily=label == "date")
    previous = np.append(np.nan, prices["close"][:-1])
    previous[begins | split] = np.nan
    trades = frame["trades"].to_numpy(np.float64) if "trades" in frame else None
    return Bars(prices, previous, elapsed, trades, intraday)


def _valid(prices: dict[str, Float64]) -> Bool:
    open_, high, low, close = (prices[name] for name in PRICES)
    ordered = (low > 0) & (low <= np.minimum(open_, close)) & (np.maximum(open_, close) <= high)
    return ordered & np.isfinite(high)


def _chain(times: pd.Series, *, daily: bool) -> tuple[Bool, Float64, bool]:
    """Return the bars that no return leads to, how many bars each return spans, and whether bars are minutes."""
    begins, elapsed = np.zeros(len(times), np.bool_), np.ones(len(times))
    begins[0] = True
    seconds = times.diff().dt.total_seconds().to_numpy(np.float64)[1:]
    bar = seconds.min(initial=np.inf)
    intraday = not daily and bar <= _HOUR_SECONDS
    if intraday:
        begins[1:] = seconds > _NIGHT_SECONDS
        elapsed[1:] = np.maximum(np.rint(seconds / bar), 1.0)
    return begins, elapsed, intraday


def terms_of(bars: Bars) -> tuple[dict[str, Float64], Bool]:
    """Return the estimators' terms, NaN where one is missing, and the bars whose return needs an invalid price.

    The first return of an intraday session is ln(C/O); the file's first row has none, nor has a day without a close
    before it.
    """
    open_, high, low, close = (bars.prices[name] for name in PRICES)
    made = bar_terms((open_, high, low, close), bars.previous, bars.elapsed)
    missing = np.isnan(bars.previous)
    if bars.intraday:
        missing = np.arange(len(close)) == 0
    after_invalid = np.append(False, bars.invalid[:-1])
    missing |= after_invalid
    terms = {
        "log_return": np.where(missing, np.nan, made.log_return),
        "elapsed": made.elapsed,
        "overnight": made.overnight,
        "open_close": made.open_close,
        "parkinson": made.parkinson,
        "garman_klass": made.garman_klass,
        "rogers_satchell": made.rogers_satchell,
    }
    return terms, bars.invalid | after_invalid
