"""Volatility estimators over windows of bars, recomputed for each bar: no running sums, so nothing is left behind by a
spike and any cutting of the input gives the same bits. Formulas, names and sources: quant.md section 2.

All take windows of shape (n, W), newest term last, with a mask of the terms that count, and return the variance PER
BAR, shape (n,); the engine annualises: σ = √(per_year · variance).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Float64, Int64

LN2 = float(np.log(2.0))

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
    loses eleven digits."""
    ratio: Float64 = np.log1p((numerator - denominator) / denominator)
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
    open_close = log_ratio(close, open_)
    begins = np.isnan(previous_close)
    high_low_squared = log_ratio(high, low) ** 2
    return BarTerms(
        log_return=np.where(begins, open_close, log_ratio(close, previous_close)),
        elapsed=np.where(begins, 1.0, elapsed),
        overnight=log_ratio(open_, previous_close),
        open_close=open_close,
        parkinson=high_low_squared,
        garman_klass=0.5 * high_low_squared - (2 * LN2 - 1) * open_close**2,
        rogers_satchell=log_ratio(high, close) * log_ratio(high, open_) + log_ratio(low, close) * log_ratio(low, open_),
    )


def close_to_close(returns: Float64, elapsed: Float64, counts: Bool) -> Float64:
    """Σ(r − μΔ)²/Δ/(n−1) with μ = Σr/ΣΔ; the sample variance where every Δ is 1. Needs n ≥ 2, else NaN."""
    n = counts.sum(axis=1)
    r = np.where(counts, returns, 0.0)
    time = np.where(counts, elapsed, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        drift = r.sum(axis=1) / time.sum(axis=1)
        deviation = np.where(counts, returns - drift[:, None] * elapsed, 0.0)
        squares = (deviation**2 / np.where(counts, elapsed, 1.0)).sum(axis=1)
        return np.where(n >= 2, squares / (n - 1), np.nan)


def zero_mean(returns: Float64, elapsed: Float64, counts: Bool) -> Float64:
    """Σ(r²/Δ)/n: preferred below a day, where a mean cannot be estimated. Needs n ≥ 1, else NaN."""
    return mean_term(np.where(counts, returns, 0.0) ** 2 / np.where(counts, elapsed, 1.0), counts)


def mean_term(terms: Float64, counts: Bool) -> Float64:
    """Σ term / n, for the estimators that average a bar's own term. Needs n ≥ 1, else NaN."""
    n = counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n >= 1, np.where(counts, terms, 0.0).sum(axis=1) / n, np.nan)


def sample_variance(terms: Float64, counts: Bool) -> Float64:
    """Σ(x − x̄)²/(n−1), two-pass. Needs n ≥ 2, else NaN."""
    return close_to_close(terms, np.ones_like(terms), counts)


def yang_zhang(overnight: Float64, open_close: Float64, rogers_satchell: Float64, counts: Bool) -> Float64:
    """s²(ln O/C') + k·s²(ln C/O) + (1−k)·RS with k = 0.34/(1.34 + (n+1)/(n−1)). Yang & Zhang 2000. Needs n ≥ 2."""
    n = counts.sum(axis=1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        k = 0.34 / (1.34 + (n + 1) / (n - 1))
    by_day: Float64 = k * sample_variance(open_close, counts) + (1 - k) * mean_term(rogers_satchell, counts)
    return sample_variance(overnight, counts) + by_day


def masked_median(values: Float64, counts: Bool) -> Float64:
    """Return the median of the terms that count in each row; NaN where none does."""
    n = counts.sum(axis=1)
    ordered = np.sort(np.where(counts, values, np.inf), axis=1)
    rows = np.arange(len(values))
    lower, upper = np.maximum((n - 1) // 2, 0), n // 2
    middle = (ordered[rows, lower] + ordered[rows, np.minimum(upper, values.shape[1] - 1)]) / 2
    return np.where(n > 0, middle, np.nan)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of the terms of ``BarTerms``, each of shape (n, W), and what decides whether a value may be shown."""

    terms: dict[str, Float64]
    counts: Bool
    trades: Float64


def variance(estimator: str, windows: Windows) -> tuple[Float64, Int64]:
    """Return the per-bar variance of a windowed estimator and its number of terms, each of shape (n,)."""
    terms, counts = windows.terms, windows.counts
    needed = {"cc": "log_return", "cc0": "log_return", "gk-yang-zhang": "overnight", "yang-zhang": "overnight"}
    if estimator in needed:
        # The first bar of all has no previous close, hence no such term.
        counts = counts & ~np.isnan(terms[needed[estimator]])
    n_obs = counts.sum(axis=1)
    match estimator:
        case "cc":
            value = close_to_close(terms["log_return"], terms["elapsed"], counts)
        case "cc0":
            value = zero_mean(terms["log_return"], terms["elapsed"], counts)
        case "parkinson":
            value = mean_term(terms["parkinson"], counts) / (4 * LN2)
        case "garman-klass":
            value = mean_term(terms["garman_klass"], counts)
        case "gk-yang-zhang":
            value = mean_term(terms["overnight"] ** 2 + terms["garman_klass"], counts)
        case "rogers-satchell":
            value = mean_term(terms["rogers_satchell"], counts)
        case "yang-zhang":
            value = yang_zhang(terms["overnight"], terms["open_close"], terms["rogers_satchell"], counts)
        case _:
            raise ValueError(f"no windowed estimator {estimator!r}")
    return value, n_obs


def null_reason(
    estimator: str, windows: Windows, variances: Float64, n_obs: Int64, min_obs: int
) -> npt.NDArray[np.int8]:
    """Return for each value why it is NULL, as an index into ``NULL_REASONS``; 0 where it is defined."""
    conditions = [n_obs < min_obs]
    reasons = [INSUFFICIENT_DATA]
    if estimator in RANGE_ESTIMATORS:
        conditions.append(~(masked_median(windows.trades, windows.counts) >= MIN_TRADES_PER_BAR))
        reasons.append(TOO_FEW_TRADES)
    conditions.append(~(variances >= 0))
    reasons.append(INVALID_OHLC)
    return np.select(conditions, reasons, DEFINED).astype(np.int8)


def ewma_step(state: tuple[Float64, Float64], rate: Float64, decay: Float64) -> tuple[Float64, Float64]:
    """Return the next (N, D) of the normalised EWMA variance N/D: N ← w·N + (1−w)·q, D ← w·D + (1−w).

    Parameters
    ----------
    rate : q = r²/Δ, variance per bar.
    decay : w = λ^Δ, the weight left to the past. With Δ = 1 this is pandas ``ewm(adjust=True)``: no start bias.
    """
    numerator, weight = state
    return decay * numerator + (1 - decay) * rate, decay * weight + (1 - decay)


def annual(per_bar: Float64, per_year: Float64) -> Float64:
    """Return σ_annual = √(per_year · variance per bar); NaN for what is no variance."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(per_bar * per_year)
