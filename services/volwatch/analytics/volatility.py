"""Volatility estimators over windows of bars, each computed from the terms of its own window: no running sums, so
nothing is left behind by a spike and any cutting of the input gives the same bits. Formulas, names, sources: quant.md
section 2.

They return the variance PER BAR; the engine annualises: σ = √(per_year · variance).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics.groups import Groups, Index
from volwatch.analytics.recurrence import linear
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.windows import Reach, window_counts, window_sums, window_variances

LN2 = float(np.log(2.0))
_TINY = 1e-300  # in place of a weight of 0, which is masked

NULL_REASONS = (
    "",
    "INSUFFICIENT_DATA",
    "ZERO_VARIANCE",
    "TOO_FEW_TRADES",
    "STALE",
    "HALTED",
    "INVALID_OHLC",
)
"""Why a value is NULL, by code; code 0 says that it is not."""
DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE, TOO_FEW_TRADES = range(4)
INVALID_OHLC = 6

MIN_TRADES_PER_BAR = 20
"""Below this median of trades per bar the range estimators fall short of the truth (quant.md section 2)."""

RANGE_ESTIMATORS = ("parkinson", "garman-klass", "gk-yang-zhang", "rogers-satchell", "yang-zhang")
MINUTE_ESTIMATORS = ("cc", "cc0", "parkinson", "garman-klass", "rogers-satchell", "ewma")
DAILY_ESTIMATORS = ("cc", "cc0", *RANGE_ESTIMATORS, "ewma")


def log_ratio(numerator: Float64, denominator: Float64) -> Float64:
    """Return ln(numerator/denominator) as log1p of the relative change: exact to 1e-16 where a difference of logs
    loses eleven digits. Of the change against the lesser of the two, so that a fall by any factor stays finite."""
    change = (numerator - denominator) / np.minimum(numerator, denominator)
    ratio: Float64 = np.copysign(np.log1p(np.abs(change)), change)
    return ratio


@dataclass(frozen=True, slots=True)
class BarTerms:
    """What each bar contributes to the estimators, each of shape (n,); all decimal log prices.

    Attributes
    ----------
    log_return : ln(C/C'); for the first bar of a chain ln(C/O).
    elapsed : bars since C', at least 1.
    overnight : ln(O/C'); NaN for the first bar of a chain.
    open_close : ln(C/O).
    parkinson : ln(H/L)².
    garman_klass : ½·ln(H/L)² − (2·ln2 − 1)·ln(C/O)².
    rogers_satchell : ln(H/C)·ln(H/O) + ln(L/C)·ln(L/O).
    """

    log_return: Float64
    elapsed: Float64
    overnight: Float64
    open_close: Float64
    parkinson: Float64
    garman_klass: Float64
    rogers_satchell: Float64


def bar_terms(prices: tuple[Float64, Float64, Float64, Float64], previous_close: Float64, elapsed: Float64) -> BarTerms:
    """Return the terms of bars (open, high, low, close); a NaN previous close marks the first bar of a chain."""
    open_, high, low, close = prices
    begins = np.isnan(previous_close)
    # All against the open: what is equal stays exactly equal, so that a one-way bar has no Rogers–Satchell term.
    open_high, open_low, open_close = (log_ratio(price, open_) for price in (high, low, close))
    high_low_squared = (open_high - open_low) ** 2
    return BarTerms(
        log_return=np.where(begins, open_close, log_ratio(close, previous_close)),
        elapsed=np.where(begins, 1.0, elapsed),
        overnight=log_ratio(open_, previous_close),
        open_close=open_close,
        parkinson=high_low_squared,
        garman_klass=0.5 * high_low_squared - (2 * LN2 - 1) * open_close**2,
        rogers_satchell=open_high * (open_high - open_close) + open_low * (open_low - open_close),
    )


Terms = Mapping[str, Float64]
"""Terms of bars at the places of a line, under the names of ``BarTerms``, of shape (places,); NaN where missing."""

# What the window of an estimator adds up, and what a term of it is worth. NaN in any part makes the term missing.
_SUMMED: dict[str, tuple[Callable[[Terms], Float64], float]] = {
    "cc0": (lambda terms: terms["log_return"] ** 2 / terms["elapsed"], 1.0),
    "parkinson": (lambda terms: terms["parkinson"], 1 / (4 * LN2)),
    "garman-klass": (lambda terms: terms["garman_klass"], 1.0),
    "gk-yang-zhang": (lambda terms: terms["overnight"] ** 2 + terms["garman_klass"], 1.0),
    "rogers-satchell": (lambda terms: terms["rogers_satchell"], 1.0),
    "yang-zhang": (lambda terms: terms["rogers_satchell"] + 0.0 * terms["overnight"], 1.0),
}


def variances(estimators: Sequence[str], terms: Terms, windows: Reach, at: Index) -> dict[str, tuple[Float64, Int64]]:
    """Return per-bar variance and number of terms, each of shape (m,), of windowed estimators.

    ``cc``: Σ(r − μΔ)²/Δ/(n−1) with μ = Σr/ΣΔ, the sample variance where every Δ is 1. ``cc0``: Σ(r²/Δ)/n, preferred
    below a day, where a mean cannot be estimated. ``yang-zhang`` (Yang & Zhang 2000): s²(ln O/C') + k·s²(ln C/O) +
    (1−k)·RS with k = 0.34/(1.34 + (n+1)/(n−1)). The others average a bar's own term. NaN where a window has too few
    terms: none, or fewer than two for ``cc`` and ``yang-zhang``.

    Parameters
    ----------
    at : intp, shape (m,)
        The places whose windows are asked for.

    Raises
    ------
    KeyError
        An estimator that has no window.
    """
    summed = {name: _SUMMED[name][0](terms) for name in estimators if name != "cc"}
    means = {name: (value * _SUMMED[name][1], n) for name, (value, n) in _means(summed, windows, at).items()}
    made = {}
    for name in estimators:
        if name == "cc":
            made[name] = sample_variances(terms["log_return"] / terms["elapsed"], windows, at, terms["elapsed"])
        elif name == "yang-zhang":
            made[name] = _yang_zhang(terms, means[name], windows, at)
        else:
            made[name] = means[name]
    return made


def sample_variances(
    values: Float64, windows: Reach, at: Index, weights: Float64 | None = None
) -> tuple[Float64, Int64]:
    """Return Σ w(x − μ)²/(n−1) with μ = Σwx/Σw over the windows at some places, and n; NaN for n < 2."""
    known = ~np.isnan(values)
    weight = known.astype(np.float64) if weights is None else np.where(known, weights, 0.0)
    squares, _ = window_variances(np.where(known, values, 0.0), weight, windows)
    n = _counts(known, windows, at)
    return np.where(n >= 2, squares[at] / np.maximum(n - 1, 1), np.nan), n


def _means(columns: dict[str, Float64], windows: Reach, at: Index) -> dict[str, tuple[Float64, Int64]]:
    """Return Σ term / n of each column; NaN where a window has no term."""
    terms = np.empty((len(columns), len(windows.length)))
    counts = []
    for place, column in enumerate(columns.values()):
        known = ~np.isnan(column)
        terms[place] = column
        terms[place, ~known] = 0.0
        counts.append(_counts(known, windows, at))
    sums = window_sums(terms, windows)
    return {
        name: (np.where(n >= 1, sums[place, at] / np.maximum(n, 1), np.nan), n)
        for place, (name, n) in enumerate(zip(columns, counts, strict=True))
    }


def _counts(known: Bool, windows: Reach, at: Index) -> Int64:
    """Return how many known terms the windows have."""
    if (known | (windows.length == 0)).all():
        return windows.length[at]
    return window_counts(known, windows, at)


def _yang_zhang(
    terms: Terms, rogers_satchell: tuple[Float64, Int64], windows: Reach, at: Index
) -> tuple[Float64, Int64]:
    mean, n = rogers_satchell
    overnight, _ = sample_variances(terms["overnight"], windows, at)
    # A bar without a previous close has no part in this estimator.
    open_close, _ = sample_variances(terms["open_close"] + 0.0 * terms["overnight"], windows, at)
    k = 0.34 / (1.34 + (n + 1) / np.maximum(n - 1, 1))
    return overnight + (k * open_close + (1 - k) * mean), n


def enough_trades(trades: Float64, windows: Reach, at: Index) -> Bool:
    """Return for some places whether the median of trades over the window is at least ``MIN_TRADES_PER_BAR``."""
    length = windows.length[at]
    count = window_counts(trades >= MIN_TRADES_PER_BAR, windows, at)
    enough = 2 * count > length
    # With as many above as below, the median is half way between the two in the middle.
    ties = np.flatnonzero((2 * count == length) & (length > 0))
    for rows in np.array_split(ties, 1 + len(ties) // 8192):
        window = trades[np.maximum(at[rows][:, None] + np.arange(1 - windows.window, 1), 0)]
        held = np.arange(windows.window - 1, -1, -1) < length[rows][:, None]
        enough[rows] = masked_median(window, held) >= MIN_TRADES_PER_BAR
    return enough


def masked_median(values: Float64, counts: Bool) -> Float64:
    """Return the median of the terms that count in each row; NaN where none does."""
    n = counts.sum(axis=1)
    ordered = np.sort(np.where(counts, values, np.inf), axis=1)
    rows = np.arange(len(values))
    lower, upper = np.maximum((n - 1) // 2, 0), n // 2
    middle = (ordered[rows, lower] + ordered[rows, np.minimum(upper, values.shape[1] - 1)]) / 2
    return np.where(n > 0, middle, np.nan)


def null_reason(estimator: str, variance: Float64, n_obs: Int64, min_obs: int, enough: Bool) -> npt.NDArray[np.int8]:
    """Return for each value why it is NULL, as an index into ``NULL_REASONS``; 0 where it is defined.

    Parameters
    ----------
    variance : float64, shape (m,)
        Per bar. Below zero, or NaN in spite of enough terms, it comes of prices that contradict one another.
    enough : bool, shape (m,)
        ``enough_trades`` of the windows; it matters to range estimators only.
    """
    reason = np.where(variance >= 0, DEFINED, INVALID_OHLC)
    if estimator in RANGE_ESTIMATORS:
        reason[~enough] = TOO_FEW_TRADES
    reason[n_obs < min_obs] = INSUFFICIENT_DATA
    return reason.astype(np.int8)


def ewma(groups: Groups, start: Float64, rate: Float64, decay: Float64) -> tuple[Float64, Float64]:
    """Return the EWMA variance N/D after each row, and N and D after each series' last; NaN before the first term.

    N ← w·N + (1−w)·q, D ← w·D + (1−w). From N = D = 0, and with Δ = 1, this is pandas ``ewm(adjust=True)``: no start
    bias. From (V, 1) it is the recursion of RiskMetrics, which goes on from the variance V.

    Parameters
    ----------
    start : float64, shape (2, k)
        N and D before the first row of each series.
    rate : float64, shape (n,)
        q = r²/Δ, variance per bar; NaN where there is no term, which leaves everything as it is.
    decay : float64, shape (n,)
        w = λ^Δ, the weight left to the past.
    """
    missing = np.isnan(rate)
    kept = groups.pack(np.where(missing, 1.0, decay))
    share = 1 - kept
    added = np.array([share * groups.pack(np.where(missing, 0.0, rate)), share])
    (numerator, weight), last = linear(groups, start, kept, added)
    variance = np.where(weight > 0, numerator / np.maximum(weight, _TINY), np.nan)
    return groups.unpack(variance), last


def annual(per_bar: Float64, per_year: Float64) -> Float64:
    """Return σ_annual = √(per_year · variance per bar); NaN for what is no variance."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(per_bar * per_year)
