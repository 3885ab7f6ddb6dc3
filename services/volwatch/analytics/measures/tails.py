"""Value at risk and expected shortfall of returns. quant.md section 3.

A loss is POSITIVE in all of them: 0.02 is the loss of 2 % of the value. ``probability`` is the confidence: 0.95, not
0.05.
"""

import math

import numpy as np

from volwatch.analytics.measures import normal
from volwatch.analytics.measures.moments import Moments
from volwatch.analytics.measures.risk import Rolling, blocked, where_defined
from volwatch.analytics.trades import Bool, Float64


def tail_min_obs(probability: float) -> int:
    """Return how many returns a tail asks for: 100 up to 95 %, 250 up to 99 %, beyond that 2.5 in the tail.

    Raises
    ------
    ValueError
        The probability is that of the loss, not of the confidence.
    """
    if not 0.5 < probability < 1:
        raise ValueError(f"the probability must be a confidence between 0.5 and 1, such as 0.95, not {probability}")
    if probability <= 0.95:
        return 100
    return max(250, math.ceil(2.5 / (1 - probability) - 1e-9))


def rolling_value_at_risk(returns: Float64, counts: Bool, probability: float) -> Rolling:
    """Return the historical VaR of windows, the code of the NULL reason and n, each of shape (m,).

    It is the negative of the (1 − probability) quantile, interpolated between order statistics (type 7 of Hyndman &
    Fan 1996, numpy's ``linear``).

    Parameters
    ----------
    returns : float64, shape (m, W)
        SIMPLE returns per bar, decimals.
    counts : bool, shape (m, W)
        The returns that count.
    """
    reason = blocked(returns, counts, tail_min_obs(probability))
    return where_defined(-_quantile(returns, counts, 1 - probability), reason, counts.sum(axis=1))


def rolling_expected_shortfall(returns: Float64, counts: Bool, probability: float) -> Rolling:
    """Return the historical ES: the negative mean of the returns at or below the quantile of the VaR; else as VaR."""
    reason = blocked(returns, counts, tail_min_obs(probability))
    beyond = counts & (returns <= _quantile(returns, counts, 1 - probability)[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(beyond, returns, 0.0).sum(axis=1) / beyond.sum(axis=1)
    return where_defined(-mean, reason, counts.sum(axis=1))


def _quantile(returns: Float64, counts: Bool, probability: float) -> Float64:
    """Return the type-7 quantile of what counts in each window; NaN where nothing does."""
    n = counts.sum(axis=1)
    ordered = np.sort(np.where(counts, returns, np.inf), axis=1)
    place = np.maximum(n - 1, 0) * probability
    lower = np.floor(place).astype(np.int64)
    rows = np.arange(len(returns))
    low, high = ordered[rows, lower], ordered[rows, np.minimum(lower + 1, np.maximum(n - 1, 0))]
    defined = n > 0
    low, high = np.where(defined, low, np.nan), np.where(defined, high, np.nan)
    value: Float64 = low + (high - low) * (place - lower)
    return value


def normal_value_at_risk(found: Moments, probability: float) -> Float64:
    """Return −(μ + z·σ) with z the (1 − probability) quantile of the normal distribution and σ of ddof 1."""
    return -(found.mean + normal.quantile(1 - probability) * found.deviation)


def normal_expected_shortfall(found: Moments, probability: float) -> Float64:
    """Return −μ + σ·φ(z)/(1 − probability)."""
    tail = normal.density(normal.quantile(probability)) / (1 - probability)
    return -found.mean + tail * found.deviation


def cornish_fisher_quantile(z: float, skewness: Float64, kurtosis: Float64) -> Float64:
    """Return z + (z²−1)S/6 + (z³−3z)K/24 − (2z³−5z)S²/36, K the excess over 3 of the raw kurtosis. Cornish & Fisher
    1937."""
    excess = kurtosis - 3
    value: Float64 = (
        z + (z**2 - 1) * skewness / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skewness**2 / 36
    )
    return value


def cornish_fisher_holds(skewness: Float64, kurtosis: Float64) -> Bool:
    """Return whether the expanded quantile rises with z everywhere: where it does not, it is no quantile.

    Its derivative is a·z² + b·z + c with a = K/8 − S²/6, b = S/3, c = 1 − K/8 + 5S²/36 (the domain of Maillard 2012).
    """
    excess = kurtosis - 3
    a, b, c = excess / 8 - skewness**2 / 6, skewness / 3, 1 - excess / 8 + 5 * skewness**2 / 36
    positive: Bool = (c > 0) & np.where(a > 0, b * b < 4 * a * c, (a == 0) & (b == 0))
    return positive


def cornish_fisher_value_at_risk(found: Moments, probability: float) -> Float64:
    """Return −(μ + z_CF·σ); NaN where the expansion does not hold, as with most fat tails of real returns."""
    z = cornish_fisher_quantile(normal.quantile(1 - probability), found.skewness, found.kurtosis)
    return np.where(cornish_fisher_holds(found.skewness, found.kurtosis), -(found.mean + z * found.deviation), np.nan)
