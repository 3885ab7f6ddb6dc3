"""``volwatch risk``: rolling risk measures of the prices in a file, by the functions that the platform uses."""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from volwatch.analytics.measures.drawdown import rolling_max_drawdown
from volwatch.analytics.measures.risk import rolling_sharpe, rolling_sortino
from volwatch.analytics.measures.tails import rolling_expected_shortfall, rolling_value_at_risk
from volwatch.analytics.trades import Bool, Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, INVALID_OHLC
from volwatch.research import splits
from volwatch.research.options import Faults
from volwatch.research.progress import progress
from volwatch.research.reasons import named, told
from volwatch.research.tables import output_faults, read_table, times_of, write_table

MEASURES = ("sharpe", "sortino", "max_drawdown", "var_95", "es_95")
_PROBABILITY = 0.95
_BLOCK_TERMS = 1 << 21  # of windows at a time: bounds the memory, and is what the progress bar counts

_DESCRIPTION = """\
Rolling risk measures of the prices in a file. r is the SIMPLE return of adj_close, of close where there is none, P the
periods per year, R the risk-free rate of a year (R/P a period), n = N the returns of the window:
  sharpe        (mean(r) − R/P)/s · √P, s with n−1                   Sharpe 1994
  sharpe_se     √((1 + SR²/2)/n) · √P, SR per period                 Lo 2002, FAJ 58(4):36
  sortino       (mean(r) − R/P)/√(Σ min(r − R/P, 0)²/n) · √P         over ALL n returns
  max_drawdown  min over the window of V/(highest V before) − 1      a negative fraction; V starts at 1
  var_95        −(5 % quantile of r), interpolated (type 7)          historical; a loss is positive
  es_95         −mean(r at or below that quantile)                   historical; a loss is positive

rule: SE(annual SR) ≈ 1/√(years of data). A quarter of days has an error of 2, a day of 390 minutes one of 16: a Sharpe
ratio of minutes is noise. √P takes returns for uncorrelated.
"""

_EPILOG = f"""\
in: date or ts_utc (ISO, ascending), close; adj_close and open where they are there. Other columns are ignored.
out: the time column as given, the measures, <measure>_null_reason of each, n_obs, window, periods_per_year, risk_free.

A value is given when all N returns are there (N+1 prices); before that it is NULL INSUFFICIENT_DATA. var_95 and es_95
also ask for at least 100 returns. A window that holds a return of a price that is missing or not positive is NULL
INVALID_OHLC, one that holds a return of 100 % or more INSUFFICIENT_DATA (a wrong print, or a split). Where nothing
varies, sharpe is NULL ZERO_VARIANCE; so is sortino where no return is below R/P.

{splits.HELP}Only of close: adj_close has no splits. Where there is no open, close stands for it.

example:
  volwatch risk daily.csv --window 252 --periods-per-year 252 --risk-free 0.02 -o risk.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("bars", type=Path, metavar="OHLC.csv", help=".csv, .csv.gz or .parquet")
    parser.add_argument("--window", required=True, metavar="N", help="returns, at least 2")
    parser.add_argument("--periods-per-year", required=True, metavar="P", help="rows in a year: 252 days")
    parser.add_argument("--risk-free", default="0", metavar="R", help="of a year, a decimal: 0.02 is 2 %% (default 0)")
    splits.add_option(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.csv", help="as the suffixes above")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask for."""

    window: int
    per_year: float
    risk_free: float


def run(args: argparse.Namespace) -> int:
    """Write the risk measures of the prices; return 0."""
    asked, frame = _read(args)
    returns, invalid = returns_of(frame, adjust_splits=args.adjust_splits)
    measured, reasons = rolling_measures(returns, invalid, asked)
    label = frame.columns[0]
    made = pd.DataFrame({label: frame[label]})
    for name in MEASURES:
        made[name] = measured[name]
        if name == "sharpe":
            made["sharpe_se"] = measured["sharpe_se"]
        made[f"{name}_null_reason"] = named(reasons[name])
    made["n_obs"] = measured["n_obs"].astype(np.int64)
    made["window"], made["periods_per_year"], made["risk_free"] = asked.window, asked.per_year, asked.risk_free
    write_table(made, args.output)
    counted = "; ".join(f"{name} {told(reasons[name])}" for name in MEASURES)
    error = math.sqrt(asked.per_year / asked.window)
    sys.stderr.write(f"volwatch risk: {len(made):,} rows; {counted}; SE(annual SR) of such a window ≈ {error:.2g}\n")
    return 0


def _read(args: argparse.Namespace) -> tuple[Asked, pd.DataFrame]:
    faults = Faults()
    window = faults.whole("--window", args.window, 2)
    per_year = faults.number("--periods-per-year", args.periods_per_year, "a number above 0", lambda x: x > 0)
    risk_free = faults.number("--risk-free", args.risk_free, "a decimal between -1 and 1", lambda x: -1 < x < 1)
    faults.found += output_faults(args.output, args.bars)
    with faults.gathering():
        numbers = ("close", "open", "adj_close")
        frame = read_table(args.bars, ("date|ts_utc", "close"), ("open", "adj_close"), numbers=numbers)
        times_of(frame, frame.columns[0], args.bars)
    faults.tell()
    return Asked(window, per_year, risk_free), frame


def returns_of(frame: pd.DataFrame, *, adjust_splits: bool = False) -> tuple[Float64, Bool]:
    """Return the simple return that leads to each row, NaN where there is none, and the rows where an invalid price is
    the reason; each of shape (n,)."""
    name = "adj_close" if "adj_close" in frame else "close"
    given = frame[name].to_numpy(np.float64)
    valid = np.isfinite(given) & (given > 0)
    price = np.where(valid, given, np.nan)
    split = np.zeros(len(price), np.bool_)
    if name == "close":
        opened = frame["open"].to_numpy(np.float64) if "open" in frame else price
        prices = {"close": price, "open": np.where(np.isfinite(opened) & (opened > 0), opened, np.nan)}
        prices, split = splits.without_splits(prices, frame.iloc[:, 0], adjust=adjust_splits, tool="risk")
        price = prices["close"]
    previous = np.append(np.nan, price[:-1])
    returns = np.where(split, np.nan, (price - previous) / previous)
    return returns, ~valid | np.append(False, ~valid[:-1])


def rolling_measures(
    returns: Float64, invalid: Bool, asked: Asked
) -> tuple[dict[str, Float64], dict[str, npt.NDArray[np.int8]]]:
    """Return the measures (and sharpe_se and n_obs) of the full windows up to each row, and the code of each one's NULL
    reason; each of shape (n,)."""
    n, width = len(returns), asked.window
    measured = {name: np.full(n, np.nan) for name in (*MEASURES, "sharpe_se", "n_obs")}
    reasons = {name: np.zeros(n, np.int8) for name in (*MEASURES, "sharpe_se")}
    windows = sliding_window_view(np.append(np.full(width - 1, np.nan), returns), width)
    tainted = sliding_window_view(np.append(np.zeros(width - 1, np.bool_), invalid), width)
    block = max(_BLOCK_TERMS // width, 1)
    for start in progress(range(0, n, block), "measuring"):
        rows = slice(start, min(start + block, n))
        counts = ~np.isnan(windows[rows])
        n_obs, wrong = counts.sum(axis=1), tainted[rows].any(axis=1)
        measured["n_obs"][rows] = n_obs
        for name, (value, found) in _measures(windows[rows], counts, asked).items():
            short = (found == DEFINED) & (n_obs < width)
            reason = np.select([wrong, short], [INVALID_OHLC, INSUFFICIENT_DATA], found)
            reasons[name][rows] = reason
            measured[name][rows] = np.where(reason == DEFINED, value, np.nan)
    return measured, reasons


def _measures(returns: Float64, counts: Bool, asked: Asked) -> dict[str, tuple[Float64, npt.NDArray[np.int8]]]:
    per_year = np.full(len(returns), asked.per_year)
    least = asked.risk_free / asked.per_year
    ratio, error, reason, _ = rolling_sharpe(returns, counts, per_year, asked.risk_free, asked.window)
    return {
        "sharpe": (ratio, reason),
        "sharpe_se": (error, reason),
        "sortino": rolling_sortino(returns, counts, per_year, least, asked.window)[:2],
        "max_drawdown": rolling_max_drawdown(returns, counts, asked.window)[:2],
        "var_95": rolling_value_at_risk(returns, counts, _PROBABILITY)[:2],
        "es_95": rolling_expected_shortfall(returns, counts, _PROBABILITY)[:2],
    }
