"""Realised measures of a session: what its returns say of its variance, with and without its jumps. quant.md section 2.

All take log returns of sessions, shape (m, n), oldest first, and return the measure of the WHOLE session, shape (m,), a
variance (or a variance squared); NaN where a session has too few returns. Scale factors are those of R highfrequency.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volwatch.analytics.measures import jumps
from volwatch.analytics.measures.risk import lo_scale
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA

SAMPLING_MINUTES = 5
"""Five-minute RV is hard to beat: Liu, Patton & Sheppard 2015, J. Econometrics 187:293."""

_SQRT3 = math.sqrt(3)
_MU_4_3 = 2 ** (2 / 3) * math.gamma(7 / 6) / math.gamma(1 / 2)  # E|u|^(4/3) of a standard normal u


def realised_variance(returns: Float64) -> Float64:
    """Return RV = Σr². Andersen & Bollerslev 1998."""
    variance: Float64 = (returns * returns).sum(axis=1)
    return variance if returns.shape[1] else np.full(len(returns), np.nan)


def aggregated(returns: Float64, interval: int, offset: int = 0) -> Float64:
    """Return the returns of longer bars, shape (m, (n − offset)//interval): the rest at both ends is left out."""
    bars = max(0, (returns.shape[1] - offset) // interval)
    longer: Float64 = returns[:, offset : offset + bars * interval].reshape(len(returns), bars, interval).sum(axis=2)
    return longer


def subsampled_variance(returns: Float64, interval: int = SAMPLING_MINUTES) -> Float64:
    """Return the mean RV of the ``interval`` grids that begin one return apart, each times n/(returns it used)."""
    n, total = returns.shape[1], np.zeros(len(returns))
    for offset in range(interval):
        grid = aggregated(returns, interval, offset)
        used = grid.shape[1] * interval
        if not used:
            return np.full(len(returns), np.nan)
        total += realised_variance(grid) * (n / used)
    return total / interval


def signature(returns: Float64, intervals: Sequence[int]) -> Float64:
    """Return RV by sampling interval, shape (intervals, m): level where the price is clean, rising to the left where
    it bounces between bid and ask."""
    return np.stack([subsampled_variance(returns, interval) for interval in intervals])


def bipower_variance(returns: Float64) -> Float64:
    """Return BV = π/2·Σ|r_i||r_{i−1}|, without n/(n−1). Barndorff-Nielsen & Shephard 2004, JFEc 2:1. Needs n ≥ 2."""
    return math.pi / 2 * _sum_products(np.abs(returns), 2)


def median_variance(returns: Float64) -> Float64:
    """Return MedRV = π/(6−4√3+π)·n/(n−2)·Σmed(|r_{i−1}|,|r_i|,|r_{i+1}|)². Andersen, Dobrev & Schaumburg 2012. Needs
    n ≥ 3; zeros and one bad bar hurt it less than BV."""
    total: Float64 = (_medians(returns) ** 2).sum(axis=1)
    return math.pi / (6 - 4 * _SQRT3 + math.pi) * _scaled(returns, 2) * total


def minimum_variance(returns: Float64) -> Float64:
    """Return MinRV = π/(π−2)·n/(n−1)·Σmin(|r_i|,|r_{i−1}|)². The same source. Needs n ≥ 2."""
    size = np.abs(returns)
    total: Float64 = (np.minimum(size[:, 1:], size[:, :-1]) ** 2).sum(axis=1)
    return math.pi / (math.pi - 2) * _scaled(returns, 1) * total


def tripower_quarticity(returns: Float64) -> Float64:
    """Return TPQ = n·n/(n−2)·μ_{4/3}^{−3}·Σ|r_i r_{i−1} r_{i−2}|^{4/3}, μ_{4/3} = 2^{2/3}Γ(7/6)/Γ(1/2). Needs n ≥ 3."""
    n = returns.shape[1]
    scale: float = n * _scaled(returns, 2) * _MU_4_3**-3
    return scale * _sum_products(np.abs(returns) ** (4 / 3), 3)


def median_quarticity(returns: Float64) -> Float64:
    """Return MedRQ = 3πn/(9π+72−52√3)·n/(n−2)·Σmed⁴. The source of MedRV. Needs n ≥ 3."""
    n = returns.shape[1]
    factor: float = 3 * math.pi * n / (9 * math.pi + 72 - 52 * _SQRT3)
    total: Float64 = (_medians(returns) ** 4).sum(axis=1)
    return factor * _scaled(returns, 2) * total


def realised_quarticity(returns: Float64) -> Float64:
    """Return RQ = (n+1)/3·Σr⁴: the convention of R highfrequency, which counts prices; the paper's is n/3."""
    n = returns.shape[1]
    quarticity: Float64 = (n + 1) / 3 * (returns**4).sum(axis=1)
    return quarticity if n else np.full(len(returns), np.nan)


def _scaled(returns: Float64, lost: int) -> float:
    """Return n/(n − lost), for the terms that a session has fewer than returns; NaN where it has none."""
    n = returns.shape[1]
    return n / (n - lost) if n > lost else math.nan


def _sum_products(sizes: Float64, neighbours: int) -> Float64:
    terms = sizes.shape[1] - neighbours + 1
    if terms < 1:
        return np.full(len(sizes), np.nan)
    product = sizes[:, :terms].copy()
    for place in range(1, neighbours):
        product *= sizes[:, place : place + terms]
    total: Float64 = product.sum(axis=1)
    return total


def _medians(returns: Float64) -> Float64:
    size = np.abs(returns)
    before, middle, after = size[:, :-2], size[:, 1:-1], size[:, 2:]
    # The larger of the smaller, and the smaller of the larger, of three.
    medians: Float64 = np.maximum(np.minimum(before, middle), np.minimum(np.maximum(before, middle), after))
    return medians


def total_volatility(variance: Float64, overnight: Float64, sessions_per_year: Float64 | float) -> Float64:
    """Return √(N·(RV + r_overnight²)): the volatility of whole days, where RV alone is that of the open market."""
    with np.errstate(invalid="ignore"):
        volatility: Float64 = np.sqrt(sessions_per_year * (variance + overnight**2))
    return volatility


def correlation_inflation(autocorrelations: Float64, bars: int) -> Float64:
    """Return √(1 + 2Σ_{k<q}(1 − k/q)ρ_k), shape (m,): how far the volatility of q bars is from √q times one bar's.

    Parameters
    ----------
    autocorrelations : float64, shape (m, lags)
        ρ_1, ρ_2, …; those that are not given count as 0.
    bars : int
        q.
    """
    inflation: Float64 = math.sqrt(bars) / lo_scale(autocorrelations, bars)
    return inflation


@dataclass(frozen=True, slots=True)
class DayMeasures:
    """The measures of one session.

    Attributes
    ----------
    rv, bv, medrv : variances of the session, NaN where it has too few returns.
    tpq : its tripower quarticity.
    jump_z, jump_p : the jump test's statistic and its ONE-sided p; NaN exactly where ``reason`` is not 0.
    reason : why there is no test, a code of ``NULL_REASONS``.
    n : returns.
    """

    rv: float
    bv: float
    medrv: float
    tpq: float
    jump_z: float
    jump_p: float
    reason: int
    n: int


def day_measures(returns: Float64) -> DayMeasures:
    """Return the measures of one session's log returns, shape (n,), all of the same length of time, without a bar that
    was made up. Deseasonalise them before the jump test is believed (``periodicity``)."""
    rows = returns[None]
    test = jump_test(rows)
    return DayMeasures(
        rv=float(realised_variance(rows)[0]),
        bv=float(bipower_variance(rows)[0]),
        medrv=float(median_variance(rows)[0]),
        tpq=float(tripower_quarticity(rows)[0]),
        jump_z=float(test.z[0]),
        jump_p=float(test.p[0]),
        reason=int(test.reason[0]),
        n=len(returns),
    )


def jump_test(returns: Float64) -> jumps.JumpTest:
    """Return the Huang–Tauchen ratio test of sessions, shape (m,), and why there is none."""
    n = returns.shape[1]
    if n < jumps.MIN_RETURNS:
        return jumps.no_test(len(returns), INSUFFICIENT_DATA)
    variance, bipower = realised_variance(returns), bipower_variance(returns)
    reason = jumps.null_reason(variance, bipower, zero_share=(returns == 0).mean(axis=1))
    tested = reason == DEFINED
    z = jumps.ratio_statistic(variance, bipower, tripower_quarticity(returns), n)
    z = np.where(tested, z, np.nan)
    return jumps.JumpTest(z, jumps.one_sided_p(z), reason)
