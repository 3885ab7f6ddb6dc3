"""Reward for risk: Sharpe and Sortino ratios, their errors, and what serial correlation does to a year of them.

Sharpe 1994; errors and η: Lo 2002, FAJ 58(4):36; for returns that are not normal: Mertens 2002; probabilistic Sharpe
ratio: Bailey & López de Prado 2012. All take windows of SIMPLE returns of shape (m, W) with a mask of those that count.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics.measures import normal
from volwatch.analytics.measures.moments import Moments, autocorrelation, moments
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE

SHARPE_WINDOW = 63
SHARPE_MIN_OBS = 40

Reason = npt.NDArray[np.int8]
Rolling = tuple[Float64, Reason, Int64]
"""Value, NaN where it is undefined; why, a code of ``NULL_REASONS``; terms that counted; each of shape (m,)."""


def blocked(returns: Float64, counts: Bool, min_obs: int) -> Reason:
    """Return INSUFFICIENT_DATA for windows that no risk measure may use, else DEFINED.

    They hold too few returns, or one of a whole price or more: an unadjusted split, or a wrong print.
    """
    with np.errstate(invalid="ignore"):
        absurd = (counts & ~(np.abs(returns) < 1)).any(axis=1)
    return np.where(absurd | (counts.sum(axis=1) < min_obs), INSUFFICIENT_DATA, DEFINED).astype(np.int8)


def where_defined(value: Float64, reason: Reason, n: Int64) -> Rolling:
    """Return a value with why it is NULL and its terms; NaN where it is."""
    return np.where(reason == DEFINED, value, np.nan), reason, n


@dataclass(frozen=True, slots=True)
class _Ratio:
    """(mean − risk-free)/s of windows, per bar, with the moments it was made of."""

    per_bar: Float64
    moments: Moments
    reason: Reason

    def rolling(self, value: Float64) -> Rolling:
        """Return a value where the ratio is defined."""
        return where_defined(value, self.reason, self.moments.n)

    def annual(self, scale: Float64) -> tuple[Float64, Float64, Reason, Int64]:
        """Return the ratio of a year that is ``scale`` times a bar's, its error for independent returns, why, and n."""
        value, reason, n = self.rolling(self.per_bar * scale)
        return value, self.rolling(self.error_iid * scale)[0], reason, n

    @property
    def error_iid(self) -> Float64:
        """Standard error per bar of independent normal returns: √((1 + SR²/2)/n)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            error: Float64 = np.sqrt((1 + self.per_bar**2 / 2) / self.moments.n)
        return error

    @property
    def error_mertens(self) -> Float64:
        """Standard error per bar whatever the distribution: √((1 − γ3·SR + (γ4−1)/4·SR²)/(n−1))."""
        found, ratio = self.moments, self.per_bar
        with np.errstate(invalid="ignore", divide="ignore"):
            # γ4 ≥ γ3² + 1 keeps this at or above 0; rounding may not.
            spread = np.maximum(1 - found.skewness * ratio + (found.kurtosis - 1) / 4 * ratio**2, 0.0)
            error: Float64 = np.sqrt(spread / (found.n - 1))
        return error


def _ratio(returns: Float64, counts: Bool, risk_free_per_bar: Float64 | float, min_obs: int) -> _Ratio:
    found = moments(returns, counts)
    reason = blocked(returns, counts, min_obs)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A constant series leaves a rounding residue, not 0 (quant.md section 3).
        constant = ~(found.deviation >= 1e-12 * np.maximum(1.0, np.abs(found.mean)))
        per_bar = (found.mean - risk_free_per_bar) / found.deviation
    reason = np.where((reason == DEFINED) & constant, ZERO_VARIANCE, reason).astype(np.int8)
    return _Ratio(np.where(reason == DEFINED, per_bar, np.nan), found, reason)


def log_risk_free(risk_free_rate: float, per_year: Float64) -> Float64:
    """Return the risk-free rate per bar that goes with LOG returns: ln(1 + rf)/N; with simple returns it is rf/N."""
    rate: Float64 = np.log1p(risk_free_rate) / per_year
    return rate


def rolling_sharpe(
    returns: Float64, counts: Bool, per_year: Float64, risk_free_rate: float, min_obs: int = SHARPE_MIN_OBS
) -> tuple[Float64, Float64, Reason, Int64]:
    """Return annual Sharpe ratio, its standard error, the code of the NULL reason and n, each of shape (m,).

    SR = (mean(r) − rf/N)/s·√N with s of ddof 1; SE = √((1 + SR_bar²/2)/n)·√N, roughly 1/√(years of data).

    Parameters
    ----------
    returns : float64, shape (m, W)
        SIMPLE returns per bar, decimals.
    counts : bool, shape (m, W)
        The returns that count.
    per_year : float64, shape (m,)
        Bars in a year, N.
    risk_free_rate : float
        Annual, a decimal; rf/N per bar (arithmetic).
    """
    return _ratio(returns, counts, risk_free_rate / per_year, min_obs).annual(np.sqrt(per_year))


def rolling_log_sharpe(
    log_returns: Float64, counts: Bool, per_year: Float64, risk_free_rate: float, min_obs: int = SHARPE_MIN_OBS
) -> tuple[Float64, Float64, Reason, Int64]:
    """Return what ``rolling_sharpe`` does, of LOG returns over the rate ln(1 + rf)/N."""
    return _ratio(log_returns, counts, log_risk_free(risk_free_rate, per_year), min_obs).annual(np.sqrt(per_year))


def rolling_sharpe_error(
    returns: Float64, counts: Bool, per_year: Float64, risk_free_rate: float, min_obs: int = SHARPE_MIN_OBS
) -> Rolling:
    """Return the standard error of the annual Sharpe ratio by Mertens: skewed and fat-tailed returns count."""
    ratio = _ratio(returns, counts, risk_free_rate / per_year, min_obs)
    return ratio.rolling(ratio.error_mertens * np.sqrt(per_year))


def rolling_probabilistic_sharpe(
    returns: Float64,
    counts: Bool,
    per_year: Float64,
    risk_free_rate: float,
    benchmark_per_bar: float = 0.0,
    min_obs: int = SHARPE_MIN_OBS,
) -> Rolling:
    """Return the probability that the true Sharpe ratio is above a benchmark's (per bar), by Φ of their distance in
    Mertens' errors."""
    ratio = _ratio(returns, counts, risk_free_rate / per_year, min_obs)
    error = ratio.error_mertens
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = (ratio.per_bar - benchmark_per_bar) / error
    certain = (ratio.reason == DEFINED) & ~(error > 0)
    reason = np.where(certain, ZERO_VARIANCE, ratio.reason).astype(np.int8)
    value = normal.cumulative(np.where(reason == DEFINED, distance, np.nan))
    return value, reason, ratio.moments.n


def lo_scale(autocorrelations: Float64, bars: int) -> Float64:
    """Return Lo's η(q) = q/√(q + 2Σ_{k<q}(q−k)ρ_k), by which q bars' Sharpe ratio is one bar's; √q without correlation.

    Parameters
    ----------
    autocorrelations : float64, shape (m, lags)
        ρ_1, ρ_2, …; lags from q on do not matter, those that are not given count as 0.
    bars : int
        q.

    Returns
    -------
    float64, shape (m,)
        NaN where the correlations leave no variance.
    """
    lags = min(autocorrelations.shape[1], bars - 1)
    variance = bars + 2 * autocorrelations[:, :lags] @ (bars - np.arange(1.0, lags + 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale: Float64 = bars / np.sqrt(np.where(variance > 0, variance, np.nan))
    return scale


def year_scale(rho1: Float64, n: Int64, bars: int) -> Float64:
    """Return what a bar's Sharpe ratio is multiplied by for a year: √q, or Lo's η(q) with ρ_k = ρ_1^k (an AR(1)) where
    |ρ_1| > 2/√n says that the correlation is real; a window is too short to tell more lags than the first."""
    with np.errstate(invalid="ignore", divide="ignore"):
        real = np.abs(rho1) > 2 / np.sqrt(n)
        decaying: Float64 = np.where(real, rho1, 0.0)[:, None] ** np.arange(1.0, bars)
    return lo_scale(decaying, bars)


def rolling_sharpe_eta(
    returns: Float64, counts: Bool, bars_per_year: int, risk_free_rate: float, min_obs: int = SHARPE_MIN_OBS
) -> tuple[Float64, Float64, Reason, Int64]:
    """Return what ``rolling_sharpe`` does, with a year made by ``year_scale`` in place of √N."""
    ratio = _ratio(returns, counts, risk_free_rate / bars_per_year, min_obs)
    return ratio.annual(year_scale(autocorrelation(returns, counts)[:, 0], ratio.moments.n, bars_per_year))


def downside_deviation(returns: Float64, counts: Bool, minimum_acceptable_return_per_bar: float) -> Float64:
    """Return √(Σ min(r − MAR, 0)²/n) over ALL n returns, not over those below; shape (m,), NaN without returns."""
    below = np.where(counts, np.minimum(returns - minimum_acceptable_return_per_bar, 0.0), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation: Float64 = np.sqrt((below * below).sum(axis=1) / counts.sum(axis=1))
    return deviation


def rolling_sortino(
    returns: Float64,
    counts: Bool,
    per_year: Float64,
    minimum_acceptable_return_per_bar: float,
    min_obs: int = SHARPE_MIN_OBS,
) -> Rolling:
    """Return the annual Sortino ratio (mean − MAR)/DD·√N, the code of the NULL reason and n, each of shape (m,).

    NULL, not infinite, where no return was below the minimum.

    Parameters
    ----------
    returns : float64, shape (m, W)
        SIMPLE returns per bar, decimals.
    counts : bool, shape (m, W)
        The returns that count.
    per_year : float64, shape (m,)
        Bars in a year, N.
    minimum_acceptable_return_per_bar : float
        MAR, a decimal.
    """
    mean = moments(returns, counts).mean
    deviation = downside_deviation(returns, counts, minimum_acceptable_return_per_bar)
    reason = blocked(returns, counts, min_obs)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = ~(deviation >= 1e-12 * np.maximum(1.0, np.abs(mean)))
        value = (mean - minimum_acceptable_return_per_bar) / deviation * np.sqrt(per_year)
    reason = np.where((reason == DEFINED) & level, ZERO_VARIANCE, reason).astype(np.int8)
    return where_defined(value, reason, counts.sum(axis=1))
