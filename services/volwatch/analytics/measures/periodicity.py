"""How volatility runs over a session, from many sessions, unhurt by their jumps.

Boudt, Croux & Laurent 2011, J. Empirical Finance 18:353; zero returns say that nothing traded and are left out, as in R
highfrequency. Before a jump test the returns are divided by it: a U-shape alone makes the test reject too often.
"""

import numpy as np

from volwatch.analytics.measures.realised import bipower_variance
from volwatch.analytics.seasonality import SHRINK_SESSIONS
from volwatch.analytics.trades import Bool, Float64, Int64

SMOOTH_BINS = 9

_NORMAL_SHORTEST_HALF = 0.7413  # makes the length of the shortest half of normal values their standard deviation
_OUTLIER_SQUARE = 6.635  # χ²(1) at 0.99
_WEIGHTED_NORMAL = 1.081  # makes the mean square of what is no outlier that of normal values


def standardised(returns: Float64) -> Float64:
    """Return r/√(BV/n), each session by its own BV; NaN in sessions without one.

    Parameters
    ----------
    returns : float64, shape (…, sessions, n)
        Log returns.
    """
    n = returns.shape[-1]
    bipower = bipower_variance(returns.reshape(-1, n)).reshape(returns.shape[:-1])
    level = np.sqrt(np.where(bipower > 0, bipower, np.nan) / n)
    sizes: Float64 = returns / level[..., None]
    return sizes


def standard_deviation(returns: Float64) -> Float64:
    """Return the periodicity by the root mean square (SD), shape (…, n), its mean square 1; jumps distort it."""
    sizes = standardised(returns)
    counts = _counts(sizes)
    return _normalised(np.sqrt(_mean_square(sizes, counts)))


def weighted_standard_deviation(returns: Float64) -> Float64:
    """Return the periodicity by WSD, shape (…, n), its mean square 1.

    The shortest half of each bin gives a first scale, by which returns are told that are too large for it
    (beyond χ²(1) at 0.99); the others make s_b = √(1.081·Σr²/n).

    Parameters
    ----------
    returns : float64, shape (…, sessions, n)
        Log returns. A bin in which nothing ever traded takes the value between its neighbours; without any bin to go
        by, all are 1.
    """
    sizes = standardised(returns)
    counts = _counts(sizes)
    first = _normalised(shortest_half_scale(sizes, counts))
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = counts & ((sizes / first[..., None, :]) ** 2 <= _OUTLIER_SQUARE)
    return _normalised(np.sqrt(_WEIGHTED_NORMAL * _mean_square(sizes, usual)))


def shortest_half_scale(values: Float64, counts: Bool) -> Float64:
    """Return 0.7413 × the least length of an interval that holds ⌊k/2⌋+1 of the k values that count.

    Parameters
    ----------
    values, counts : float64 and bool, shape (…, sessions, n)
        Along the last axis but one.

    Returns
    -------
    float64, shape (…, n)
        NaN where nothing counts.
    """
    ordered = np.sort(np.where(counts, values, np.inf), axis=-2)
    k = counts.sum(axis=-2, keepdims=True)
    ends = np.arange(values.shape[-2])[:, None] + k // 2
    reach = np.take_along_axis(ordered, np.minimum(ends, values.shape[-2] - 1), axis=-2)
    held = ends < k
    lengths = np.where(held, reach, np.inf) - np.where(held, ordered, 0.0)
    shortest = lengths.min(axis=-2, initial=np.inf)
    return np.where(np.isfinite(shortest), _NORMAL_SHORTEST_HALF * shortest, np.nan)


def learnt(periodicity: Float64, prior: Float64, sessions: Int64) -> Float64:
    """Return the periodicity to divide by, shape (m, n), from what few sessions told and what is usual.

    ln(periodicity/prior) is averaged over ``SMOOTH_BINS`` and weighs D/(D + 4), as in the detector's own profile: bin
    by bin, the noise of twenty sessions makes the jump test at 1 % reject 5 % of days that did not jump, of five
    sessions 30 %.

    Parameters
    ----------
    periodicity : float64, shape (m, n)
    prior : float64, shape (n,)
    sessions : int64, shape (m,)
        D of each.
    """
    half = SMOOTH_BINS // 2
    told = np.pad(np.log(periodicity / prior), ((0, 0), (half, half)), mode="edge")
    smooth = np.lib.stride_tricks.sliding_window_view(told, SMOOTH_BINS, axis=1).mean(axis=2)
    weight = (sessions / (sessions + SHRINK_SESSIONS))[:, None]
    return _normalised(prior * np.exp(weight * smooth))


def deseasonalised(returns: Float64, periodicity: Float64) -> Float64:
    """Return returns, shape (m, n), over the periodicity of their bin, (n,) or (m, n)."""
    return returns / periodicity


def _counts(sizes: Float64) -> Bool:
    traded: Bool = ~np.isnan(sizes) & (sizes != 0)
    return traded


def _mean_square(sizes: Float64, counts: Bool) -> Float64:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Float64 = np.where(counts, sizes**2, 0.0).sum(axis=-2) / counts.sum(axis=-2)
    return mean


def _normalised(scale: Float64) -> Float64:
    """Return scales whose mean square is 1, without the bins that have none."""
    flat = scale.reshape(-1, scale.shape[-1])
    filled = np.stack([_filled(row) for row in flat]) if len(flat) else flat
    level: Float64 = filled / np.sqrt((filled**2).mean(axis=1, keepdims=True))
    return level.reshape(scale.shape)


def _filled(scale: Float64) -> Float64:
    bins = np.arange(len(scale))
    known = scale > 0
    return np.interp(bins, bins[known], scale[known]) if known.any() else np.ones(len(scale))
