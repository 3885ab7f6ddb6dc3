"""``volwatch estimate``: rolling volatility of the bars in a file, by the estimators that the platform uses."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics.groups import grouped
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import (
    DAILY_ESTIMATORS,
    DEFINED,
    INSUFFICIENT_DATA,
    INVALID_OHLC,
    annual,
    enough_trades,
    ewma,
    null_reason,
    variances,
)
from volwatch.analytics.windows import reach, window_sums
from volwatch.research import splits
from volwatch.research.ohlc import PRICES, Bars, bars_of, terms_of
from volwatch.research.options import Faults
from volwatch.research.progress import progress
from volwatch.research.reasons import named, told
from volwatch.research.tables import output_faults, read_table, times_of, write_table

RISKMETRICS_DAILY = 0.94
_BLOCK = 1 << 16  # rows at a time: bounds the memory, and is what the progress bar counts
_NEEDS_PREVIOUS = ("cc", "cc0", "gk-yang-zhang", "yang-zhang", "ewma")

_DESCRIPTION = """\
Rolling volatility of the bars in a file, as an annualised decimal: 0.25 is 25 % a year.

value = √(periods per year × variance per bar). The variance, over the last n = WINDOW terms, r = ln(C/C'), C' the
close before:
  cc              Σ(r − r̄)²/(n−1)                                    close to close
  cc0             Σr²/n                                              zero mean
  parkinson       Σ ln(H/L)²/(4n ln 2)                               Parkinson 1980
  garman-klass    Σ[½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²]/n            Garman & Klass 1980
  gk-yang-zhang   Σ[ln(O/C')² + ½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²]/n
  rogers-satchell Σ[ln(H/C) ln(H/O) + ln(L/C) ln(L/O)]/n             Rogers & Satchell 1991
  yang-zhang      s²(ln O/C') + k s²(ln C/O) + (1−k) RS              Yang & Zhang 2000
                  k = 0.34/(1.34 + (n+1)/(n−1)), s² with n−1
  ewma            S/W with S = λS + r², W = λW + 1                   normalised: no start value; RiskMetrics 1996
"""

_EPILOG = f"""\
in: one series a file: date or ts_utc (ISO, ascending), open, high, low, close; adj_close with --adjusted. Where there
is a column trades, range estimators are NULL TOO_FEW_TRADES below a median of 20 a bar. Other columns are ignored.
out: the time column as given, value, null_reason, n_obs (terms that the value is of), and estimator, window and
periods_per_year in each row.

The window counts TERMS: cc of 20 needs 21 prices, and so do cc0, gk-yang-zhang and yang-zhang, whose first term needs
a close before it; parkinson, garman-klass and rogers-satchell of 20 need 20 bars. A value is given when all terms are
there; before that it is NULL INSUFFICIENT_DATA (--min-obs allows fewer). ewma has no window: it has a value from the
first return on, the value of a row includes the return of that row, and its column window is (1+λ)/(1−λ).

A bar that contradicts itself (high below open or close, low above, a price not positive or missing) makes the windows
that need it NULL INVALID_OHLC; ewma is NULL at such a bar and the next and goes on after them. A constant price has
volatility 0.

Prices are taken as they are: adj_close is ignored, because high and low were traded at raw prices. --adjusted
multiplies open, high, low and close by adj_close/close, which also takes dividends out of the returns.

date: each row is the bar after the one above. ts_utc with bars of an hour or less: a return over missing bars counts
as one of that many bars, and after more than three hours without a bar the first return is ln(C/O): the night is not
part of an intraday volatility.

{splits.HELP}
example:
  volwatch estimate daily.csv --estimator yang-zhang --window 20 --periods-per-year 252 -o volatility.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("bars", type=Path, metavar="OHLC.csv", help=".csv, .csv.gz or .parquet")
    parser.add_argument("--estimator", required=True, metavar="NAME", help=", ".join(DAILY_ESTIMATORS))
    parser.add_argument("--window", metavar="N", help="terms, at least 2; not for ewma")
    parser.add_argument(
        "--periods-per-year",
        required=True,
        metavar="P",
        help="bars in a year: 252 days or 98280 minutes of a US exchange, 525600 minutes round the clock",
    )
    parser.add_argument(
        "--decay", default=str(RISKMETRICS_DAILY), metavar="λ", help="of ewma, between 0 and 1 (default 0.94, for days)"
    )
    parser.add_argument("--min-obs", metavar="M", help="give a value from so many terms on (default N)")
    parser.add_argument("--adjusted", action="store_true", help="scale the prices by adj_close/close")
    splits.add_option(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.csv", help="as the suffixes above")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask for; ``window`` 0 is that of ``ewma``, which has none."""

    estimator: str
    window: int
    min_obs: int
    per_year: float
    decay: float


def run(args: argparse.Namespace) -> int:
    """Write the volatility of the bars; return 0."""
    asked, frame, times = _read(args)
    bars = bars_of(frame, times, adjusted=args.adjusted, adjust_splits=args.adjust_splits)
    per_bar, reason, n_obs = ewma_values(bars, asked) if asked.estimator == "ewma" else windowed_values(bars, asked)
    label = frame.columns[0]
    made = pd.DataFrame(
        {
            label: frame[label],
            "value": np.where(reason == DEFINED, annual(per_bar, np.full(len(per_bar), asked.per_year)), np.nan),
            "null_reason": named(reason),
            "n_obs": n_obs,
            "estimator": asked.estimator,
            "window": asked.window or round((1 + asked.decay) / (1 - asked.decay)),
            "periods_per_year": asked.per_year,
        }
    )
    write_table(made, args.output)
    sys.stderr.write(
        f"volwatch estimate: {len(made):,} rows, {told(reason)}; {int(bars.invalid.sum()):,} bars invalid\n"
    )
    return 0


def _read(args: argparse.Namespace) -> tuple[Asked, pd.DataFrame, pd.Series]:
    faults = Faults()
    if args.estimator not in DAILY_ESTIMATORS:
        faults.found.append(f"--estimator: no {args.estimator!r}, there are {', '.join(DAILY_ESTIMATORS)}")
    window = 0
    if args.estimator != "ewma":
        window = faults.whole("--window", args.window if args.window is not None else "nothing", 2)
    min_obs = faults.whole("--min-obs", args.min_obs, 1) if args.min_obs else max(window, 1)
    per_year = faults.number("--periods-per-year", args.periods_per_year, "a number above 0", lambda x: x > 0)
    decay = faults.number("--decay", args.decay, "a number between 0 and 1, both excluded", lambda x: 0 < x < 1)
    faults.found += output_faults(args.output, args.bars)
    optional = ("volume", "adj_close", "trades")
    with faults.gathering():
        frame = read_table(args.bars, ("date|ts_utc", *PRICES), optional, numbers=(*PRICES, *optional))
        if args.adjusted and "adj_close" not in frame:
            faults.found.append(f"--adjusted: {args.bars} has no column 'adj_close'")
        times = times_of(frame, frame.columns[0], args.bars)
    faults.tell()
    return Asked(args.estimator, window, min_obs, per_year, decay), frame, times


def windowed_values(bars: Bars, asked: Asked) -> tuple[Float64, npt.NDArray[np.int8], Int64]:
    """Return per-bar variance, the code of the NULL reason and the number of terms at each bar, each of shape (n,)."""
    terms, tainted = terms_of(bars)
    wrong = tainted if asked.estimator in _NEEDS_PREVIOUS else bars.invalid
    n = len(wrong)
    per_bar, reason, n_obs = np.empty(n), np.empty(n, np.int8), np.empty(n, np.int64)
    for start in progress(range(0, n, _BLOCK), "estimating"):
        # Windows are made of their own terms only: cut anywhere, they give the same bits.
        first, end = max(start - asked.window + 1, 0), min(start + _BLOCK, n)
        held, at = slice(first, end), np.arange(start - first, end - first)
        windows = reach(np.zeros(end - first), np.zeros(1, np.intp), asked.window)
        cut = {name: column[held] for name, column in terms.items()}
        value, count = variances([asked.estimator], cut, windows, at)[asked.estimator]
        enough = np.ones(len(at), np.bool_)
        if bars.trades is not None:
            enough = enough_trades(bars.trades[held], windows, at)
        why = null_reason(asked.estimator, value, count, asked.min_obs, enough)
        why[window_sums(wrong[held].astype(np.float64)[None], windows)[0, at] > 0] = INVALID_OHLC
        per_bar[start:end], reason[start:end], n_obs[start:end] = value, why, count
    return per_bar, reason, n_obs


def ewma_values(bars: Bars, asked: Asked) -> tuple[Float64, npt.NDArray[np.int8], Int64]:
    """Return what ``windowed_values`` does, of the normalised EWMA; a missing return leaves it as it was."""
    terms, tainted = terms_of(bars)
    rate = terms["log_return"] ** 2 / terms["elapsed"]
    n_obs = np.cumsum(~np.isnan(rate))
    reason = np.where(n_obs < asked.min_obs, INSUFFICIENT_DATA, DEFINED).astype(np.int8)
    reason[tainted] = INVALID_OHLC
    return ewma_line(rate, asked.decay ** terms["elapsed"]), reason, n_obs


def ewma_line(rate: Float64, decay: Float64, start: tuple[float, float] = (0.0, 0.0)) -> Float64:
    """Return the EWMA variance N/D after each term, shape (n,): N ← w·N + (1−w)·q, D ← w·D + (1−w). NaN before one.

    Parameters
    ----------
    rate : float64, shape (n,)
        q = r²/Δ, variance per bar; NaN where there is no term.
    decay : float64, shape (n,)
        w = λ^Δ, the weight left to the past.
    start : N and D before the first term
        (0, 0) gives the normalised form; (V, 1) the recursion of RiskMetrics from the variance V on.
    """
    line, held = np.empty(len(rate)), np.array(start)[:, None]
    for begin in progress(range(0, len(rate), _BLOCK), "estimating"):
        part = slice(begin, begin + _BLOCK)
        one = grouped(np.zeros(len(rate[part]), np.int64))
        line[part], held = ewma(one, held, rate[part], decay[part])
    return line
